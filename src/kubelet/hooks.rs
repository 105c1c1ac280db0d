//! How long the hooks of containers take.

use serde_json::Value;

use crate::kernel::{LazyStream, Sampler, SimDuration};

use super::driver::PodSync;

impl PodSync<'_, '_> {
    /// How long the preStop hook of a container takes; no time if it has none.
    pub(super) fn pre_stop_time(&mut self, at: usize) -> SimDuration {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let lifecycle = self.worker.container_spec(at).lifecycle.as_ref();
        time(lifecycle.and_then(|hooks| hooks.pre_stop.as_ref()), behaviour.pre_stop.as_ref(), self.cx.luck)
    }

    /// How long the postStart hook of a container takes; no time if it has none.
    pub(super) fn post_start_time(&mut self, at: usize) -> SimDuration {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let lifecycle = self.worker.container_spec(at).lifecycle.as_ref();
        time(lifecycle.and_then(|hooks| hooks.post_start.as_ref()), behaviour.post_start.as_ref(), self.cx.luck)
    }
}

/// What the behaviour model says, else what can be read off the hook.
fn time(hook: Option<&Value>, model: Option<&Sampler>, luck: &mut LazyStream) -> SimDuration {
    match (hook, model) {
        (None, _) => SimDuration::ZERO,
        (Some(_), Some(model)) => model.sample_lazily(luck),
        (Some(hook), None) => sleep_of(hook),
    }
}

/// What a `sleep` says, as a hook of its own or as the command that is run. Other hooks take no time.
fn sleep_of(hook: &Value) -> SimDuration {
    if let Some(seconds) = hook.get("sleep").and_then(|sleep| sleep.get("seconds")).and_then(Value::as_u64) {
        return SimDuration::from_secs(seconds);
    }
    let command = hook.get("exec").and_then(|exec| exec.get("command")).and_then(Value::as_array);
    let words = command.into_iter().flatten().filter_map(Value::as_str).flat_map(str::split_whitespace);
    let mut words = words.skip_while(|word| *word != "sleep" && !word.ends_with("/sleep")).skip(1);
    words.next().map_or(SimDuration::ZERO, sleep_time)
}

/// The argument of `sleep`: a number of seconds, perhaps with a unit.
fn sleep_time(argument: &str) -> SimDuration {
    let argument = argument.trim_end_matches(';');
    let unit = if argument.ends_with(|c: char| c.is_ascii_digit()) { "s" } else { "" };
    format!("{argument}{unit}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sleeps_are_understood() {
        for (hook, secs) in [
            (json!({"sleep": {"seconds": 5}}), 5),
            (json!({"exec": {"command": ["sleep", "10"]}}), 10),
            (json!({"exec": {"command": ["/bin/sh", "-c", "nginx -s quit; /bin/sleep 1m; true"]}}), 60),
            (json!({"exec": {"command": ["/bin/sh", "-c", "sleep"]}}), 0),
            (json!({"exec": {"command": ["sleep", "for ever"]}}), 0),
            (json!({"httpGet": {"port": 80}}), 0),
        ] {
            assert_eq!(sleep_of(&hook), SimDuration::from_secs(secs), "{hook}");
        }
    }
}
