//! Explanations as people and programs read them.

use std::fmt;

use serde_json::{Value, json};

use super::{Cause, Explanation, Link, Verdict};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "From {} to {}:", self.source, self.destination)?;
        for step in &self.steps {
            let mark = match step.link {
                Link::Holds => "ok",
                Link::Shaky => "note",
                Link::Broken(_) => "BROKEN",
            };
            writeln!(f, "  {mark:<6}  {:<9}  {}", step.stage, step.text)?;
            for hint in &step.hints {
                writeln!(f, "  {:19}- {hint}", "")?;
            }
        }
        writeln!(f, "{}", self.summary())
    }
}

impl Explanation {
    /// The verdict in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let words = |cause: Cause| self.through.map_or(cause.as_str(), |by| cause.told_by(by));
        match self.verdict {
            Verdict::Reachable => "Reachable.".to_owned(),
            Verdict::Partly { good, all, cause } => {
                let bad = all - good;
                format!(
                    "Partly reachable: connections to {bad} of {all} endpoints fail ({}: {}).",
                    cause.outcome(),
                    words(cause)
                )
            }
            Verdict::Sometimes(cause) => format!(
                "Partly reachable: some connections get through, others fail ({}: {}).",
                cause.outcome(),
                words(cause)
            ),
            Verdict::Unreachable(cause) => {
                format!("Not reachable: {}. The client sees: {}.", words(cause), cause.outcome())
            }
            Verdict::Status(status, cause) => {
                format!("Not reachable: {}. The client sees: status {status}.", words(cause))
            }
            Verdict::Redirected(status) => format!("The client is sent elsewhere, by status {status}."),
            Verdict::Unknown => "What is there is not simulated.".to_owned(),
        }
    }

    /// For programs: `from`, `to`, `reachable` (`yes`, `partly`, `no` or `unknown`), `cause`, `outcome`, `status`, `summary` and
    /// `steps`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| {
                let (link, cause) = match step.link {
                    Link::Holds => ("holds", None),
                    Link::Shaky => ("shaky", None),
                    Link::Broken(cause) => ("broken", Some(cause.as_str())),
                };
                json!({"stage": step.stage, "link": link, "cause": cause, "text": step.text, "hints": step.hints})
            })
            .collect();
        let (reachable, status) = match self.verdict {
            Verdict::Reachable => ("yes", None),
            Verdict::Partly { .. } | Verdict::Sometimes(_) => ("partly", None),
            Verdict::Unreachable(_) => ("no", None),
            Verdict::Status(status, _) => ("no", Some(status)),
            Verdict::Redirected(status) => ("unknown", Some(status)),
            Verdict::Unknown => ("unknown", None),
        };
        json!({
            "from": self.source.to_string(),
            "to": self.destination.to_string(),
            "reachable": reachable,
            "cause": self.cause().map(super::Cause::as_str),
            "outcome": self.outcome().map(super::Outcome::as_str),
            "status": status,
            "summary": self.summary(),
            "steps": steps,
        })
    }
}
