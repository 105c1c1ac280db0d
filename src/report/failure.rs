//! Why an expectation was broken, for people: when, where it is written, the values of its parts, and what happened around.

use std::fmt::Write as _;

use crate::scenario::{Outcome, Part, Run, Scenario, Verdict};

use super::around::around;
use super::table::rounded;

/// The story of a broken expectation, in lines; empty if it held. What happened around is told of a run that was recorded in full.
///
/// ```
/// use seatrial::report::failure;
/// use seatrial::scenario::{RunOptions, Scenario};
///
/// let text = "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: small}\nspec:\n  duration: 1m\n  nodes: [{name: worker}]\n  \
///             expect:\n  - {always: \"podsOn(node/worker) >= 1\"}\n";
/// let scenario = Scenario::read("small.yaml", text)?;
/// let run = scenario.run(&RunOptions::default())?;
/// let story = failure(&scenario, &run, &run.verdicts[0]);
/// assert_eq!(story, "at 0s (small.yaml:8:14)\n  ✗ podsOn(node/worker) = 0, want >= 1\n");
/// # Ok::<(), seatrial::scenario::ScenarioError>(())
/// ```
#[must_use]
pub fn failure(scenario: &Scenario, run: &Run, verdict: &Verdict) -> String {
    let Outcome::Failed { at, why, parts } = &verdict.outcome else { return String::new() };
    let mut text = format!("at {}", rounded(*at));
    if let Some(written) = &verdict.written {
        let _ = write!(text, " ({written})");
    }
    text.push('\n');
    if parts.is_empty() {
        why.lines().for_each(|line| {
            let _ = writeln!(text, "  ✗ {line}");
        });
    }
    for part in parts {
        let Part { depth, holds, .. } = part;
        let _ = writeln!(text, "  {}{} {part}", "  ".repeat(*depth), if *holds { "✓" } else { "✗" });
    }
    let nearby = around(run.simulation.recording(), scenario, *at, &verdict.about);
    if !nearby.is_empty() {
        text.push_str("  around it:\n");
    }
    for line in nearby {
        let sign = if line.at == *at { '>' } else { ' ' };
        let _ = writeln!(text, "  {sign} {:>10}  {}", rounded(line.at), line.text);
    }
    text
}
