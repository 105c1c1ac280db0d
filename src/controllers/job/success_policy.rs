//! When an indexed Job has succeeded early (upstream `success_policy.go`).

use crate::objects::{Indexes, SuccessPolicy, SuccessPolicyRule};

/// The message about the first rule that is met, if one is.
#[must_use]
pub fn matched(policy: Option<&SuccessPolicy>, completions: i32, succeeded: &Indexes) -> Option<String> {
    if succeeded.is_empty() {
        return None;
    }
    let met = policy?.rules.iter().position(|rule| is_met(rule, completions, succeeded))?;
    Some(format!("Matched rules at index {met}"))
}

fn is_met(rule: &SuccessPolicyRule, completions: i32, succeeded: &Indexes) -> bool {
    let count = rule.succeeded_count.map(i64::from);
    let Some(asked) = &rule.succeeded_indexes else { return count.is_some_and(|count| succeeded.total() >= count) };
    let asked = Indexes::parse(asked, completions);
    let both = asked.overlap(succeeded);
    !asked.is_empty() && (both == asked.total() || count.is_some_and(|count| both >= count))
}
