//! The hooks of containers: how long they take, and what comes of one that fails.

use serde_json::Value;

use crate::api::EventKind;
use crate::kernel::{LazyStream, Sampler, SimDuration};
use crate::objects::Lifecycle;
use crate::objects::wire::Wire;

use super::driver::PodSync;
use super::worker::Due;

impl PodSync<'_, '_> {
    /// How long the preStop hook of a container takes; no time if it has none.
    pub(super) fn pre_stop_time(&mut self, at: usize) -> SimDuration {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let lifecycle = self.worker.container_spec(at).lifecycle.as_ref();
        let takes =
            time(lifecycle.and_then(|hooks| hooks.pre_stop.as_ref()), behaviour.pre_stop.as_ref(), self.cx.luck);
        self.cx.slowed(takes)
    }

    /// The preStop hook of a container that is told to stop may fail: then it says so after its time, and the stop goes on.
    pub(super) fn fail_pre_stop(&mut self, at: usize, takes: SimDuration, grace: SimDuration) {
        let has_hook = self.hooks(at).is_some_and(|hooks| hooks.pre_stop.is_some());
        if has_hook && takes < grace && self.behaviour(at).pre_stop_fails.in_life(self.worker.containers[at].restarts) {
            match takes {
                SimDuration::ZERO => self.say_pre_stop_failed(at),
                takes => self.schedule(takes, at, Due::PreStopFailed),
            }
        }
    }

    pub(super) fn say_pre_stop_failed(&mut self, at: usize) {
        self.container_event(at, EventKind::Warning, "FailedPreStopHook", "PreStopHook failed");
    }

    pub(super) fn post_start_fails(&self, at: usize) -> bool {
        let has_hook = self.hooks(at).is_some_and(|hooks| hooks.post_start.is_some());
        has_hook && self.behaviour(at).post_start_fails.in_life(self.worker.containers[at].restarts)
    }

    /// A container whose postStart hook failed is stopped like any other (upstream `startContainer`).
    pub(super) fn fail_post_start(&mut self, at: usize) {
        self.container_event(at, EventKind::Warning, "FailedPostStartHook", "PostStartHook failed");
        self.stop_for_restart(at, None, "FailedPostStartHook".to_owned());
    }

    /// What is shown of a container whose postStart hook failed (upstream `handlerRunner.Run`).
    pub(super) fn post_start_error(&self, at: usize) -> String {
        let spec = self.worker.container_spec(at);
        let whose = format!("for Container {:?} in Pod {:?}", &*spec.name, self.full_name());
        let Some(hook) = self.hooks(at).and_then(|hooks| hooks.post_start.as_ref()) else { return String::new() };
        if let Some(http) = hook.get("httpGet") {
            let path = http.text("path");
            return format!("HTTP lifecycle hook ({path}) {whose} failed - error: connection refused");
        }
        let command = hook.at("exec").texts("command").join(" ");
        let error = format!("command '{command}' exited with 1: ");
        format!("Exec lifecycle hook ([{command}]) {whose} failed - error: {error}, message: \"\"")
    }

    fn hooks(&self, at: usize) -> Option<&Lifecycle> {
        self.worker.container_spec(at).lifecycle.as_ref()
    }

    /// How long the postStart hook of a container takes; no time if it has none.
    pub(super) fn post_start_time(&mut self, at: usize) -> SimDuration {
        let behaviour = self.cx.behaviours.get(self.worker.containers[at].behaviour);
        let lifecycle = self.worker.container_spec(at).lifecycle.as_ref();
        let hook = lifecycle.and_then(|hooks| hooks.post_start.as_ref());
        let takes = time(hook, behaviour.post_start.as_ref(), self.cx.luck);
        self.cx.slowed(takes)
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
