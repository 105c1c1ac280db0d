//! What a checker gets and what it answers.

use serde_json::Value;

/// One case of a dataset.
pub(crate) struct Case<'a> {
    pub(crate) input: &'a Value,
    pub(crate) output: &'a Value,
    /// All cases of the file, for those that refer to another one.
    pub(crate) siblings: &'a [Value],
}

/// Why a case did not pass.
pub(crate) enum Miss {
    /// The answer differs; `field: expected … got …`.
    Differs(String),
    /// The checker does not take this case, for this reason.
    #[allow(dead_code, reason = "not every set of checkers declines a case")]
    Skipped(String),
}

/// What a checker answers.
pub(crate) type Outcome = Result<(), Miss>;

impl From<String> for Miss {
    fn from(difference: String) -> Self {
        Self::Differs(difference)
    }
}

/// At most so many differences of one case are told.
const TOLD: usize = 4;

/// Compares what was expected with what came out, field by field, both ways.
pub(crate) fn compare(expected: &Value, got: &Value) -> Outcome {
    let mut differences = Vec::new();
    collect("", expected, got, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    let more = differences.len().saturating_sub(TOLD);
    differences.truncate(TOLD);
    if more > 0 {
        differences.push(format!("and {more} more"));
    }
    Err(Miss::Differs(differences.join("; ")))
}

fn collect(path: &str, expected: &Value, got: &Value, into: &mut Vec<String>) {
    match (expected, got) {
        (Value::Object(expected), Value::Object(got)) => {
            let extra = got.keys().filter(|key| !expected.contains_key(*key));
            for key in expected.keys().chain(extra) {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                match (expected.get(key), got.get(key)) {
                    (Some(expected), Some(got)) => collect(&path, expected, got, into),
                    (expected, got) => into.push(difference(&path, expected, got)),
                }
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            for (at, (expected, got)) in expected.iter().zip(got).enumerate() {
                collect(&format!("{path}[{at}]"), expected, got, into);
            }
        }
        (expected, got) if expected == got => {}
        (expected, got) => into.push(difference(path, Some(expected), Some(got))),
    }
}

fn difference(path: &str, expected: Option<&Value>, got: Option<&Value>) -> String {
    let text = |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let path = if path.is_empty() { "out" } else { path };
    format!("{path}: expected {} got {}", text(expected), text(got))
}
