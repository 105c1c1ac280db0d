//! What somebody is told who types a command of kubectl that there is not: time is virtual, so what changes a cluster stands in its scenario.

use clap::error::{ContextKind, ContextValue};

/// Commands of kubectl, and the step of a scenario that does the same.
const STEPS: &[(&str, &str)] = &[
    ("annotate", "annotate: {target: deployment/web, annotations: {note: hello}}"),
    ("apply", "apply: {objects: …}"),
    ("cordon", "cordon: {node: worker-0}"),
    ("create", "apply: {objects: …}"),
    ("debug", "debug: {target: pod/web-0, image: busybox}"),
    ("delete", "delete: {target: deployment/web}"),
    ("drain", "drain: {node: worker-0}"),
    ("edit", "patch: {target: deployment/web, patch: {spec: {paused: true}}}"),
    ("label", "label: {target: node/worker-0, labels: {disk: ssd}}"),
    ("patch", "patch: {target: deployment/web, patch: {spec: {paused: true}}}"),
    ("replace", "apply: {objects: …}"),
    ("scale", "scale: {target: deployment/web, replicas: 3}"),
    ("set", "setImage: {target: deployment/web, image: \"shop/web:v2\"}"),
    ("taint", "taint: {node: worker-0, taints: [{key: busy, effect: NoSchedule}]}"),
    ("uncordon", "uncordon: {node: worker-0}"),
];
/// Those that ask a container.
const OF_CONTAINERS: [&str; 6] = ["attach", "cp", "exec", "logs", "port-forward", "proxy"];

/// What helps somebody who typed it.
pub(super) fn hint(error: &clap::Error) -> Option<String> {
    match error.get(ContextKind::InvalidSubcommand)? {
        ContextValue::String(command) => hint_for(command),
        _ => None,
    }
}

fn hint_for(command: &str) -> Option<String> {
    if let Some((_, step)) = STEPS.iter().find(|(name, _)| *name == command) {
        return Some(format!("what `kubectl {command}` does is a step of the scenario: {{at: 1m, {step}}}"));
    }
    if OF_CONTAINERS.contains(&command) {
        let asked = "`seatrial describe pod` and `seatrial events` say what became of it";
        return Some(format!("there is nothing to `{command}`: containers do only what the scenario says. {asked}"));
    }
    let awaited = "`expect: [{eventually: \"…\", within: 5m}]`, and a step may wait for a condition: {when: \"…\", …}";
    (command == "wait").then(|| format!("what is to come true stands in the scenario: {awaited}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn every_step_that_is_named_can_be_written_so() {
        for (command, step) in STEPS {
            let step = step.replace('…', "\"{apiVersion: v1, kind: Namespace, metadata: {name: team}}\"");
            let text = format!(
                "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  duration: 2m\n  \
                 nodes: [{{name: worker, count: 1}}]\n  steps:\n  - {{at: 1m, {step}}}\n"
            );
            let read = Scenario::read("step.yaml", &text);
            assert!(read.is_ok(), "{command}: {}\n{text}", read.expect_err("wrong"));
        }
    }
}
