//! The row of a pod in `get pods` (upstream `pkg/printers/internalversion/printers.go`, `printPod`).

use crate::objects::{Condition, Conditions, ContainerState, ContainerStatus, Pod, Terminated, Timestamp, WallTime};

use super::age;

/// Reason of a pod whose node was lost; an old word, which nothing current sets.
const NODE_LOST: &str = "NodeLost";

/// Cells of a pod, those of `-o wide` included.
pub(super) fn pod_cells(pod: &Pod, age: String, now: WallTime) -> Vec<String> {
    let summary = PodSummary::of(pod);
    let or_none = |text: &str| if text.is_empty() { "<none>".to_owned() } else { text.to_owned() };
    let ip = pod.status.pod_ip.map(|ip| ip.to_string()).unwrap_or_default();
    vec![
        pod.meta.name.to_string(),
        format!("{}/{}", summary.ready, summary.total),
        summary.status,
        summary.restarts.text(now),
        age,
        or_none(&ip),
        or_none(&pod.node_name),
        or_none(&pod.status.nominated_node_name),
        readiness_gates(pod),
    ]
}

fn readiness_gates(pod: &Pod) -> String {
    let gates = &pod.spec.readiness_gates;
    if gates.is_empty() {
        return "<none>".to_owned();
    }
    let open = gates.iter().filter(|gate| pod.status.conditions.is_true(&gate.condition_type)).count();
    format!("{open}/{}", gates.len())
}

/// How often containers were restarted, and when one last ended.
#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i32,
    last: Option<Timestamp>,
}

impl Restarts {
    fn add(&mut self, status: &ContainerStatus) {
        self.count = self.count.saturating_add(status.restart_count);
        if let ContainerState::Terminated(end) = &status.last_state {
            self.last = self.last.max(end.finished_at);
        }
    }

    fn text(self, now: WallTime) -> String {
        match self.last {
            Some(last) if self.count != 0 => format!("{} ({} ago)", self.count, age(Some(last), now)),
            _ => self.count.to_string(),
        }
    }
}

/// What a row says of a pod's containers.
struct PodSummary {
    ready: usize,
    total: usize,
    status: String,
    restarts: Restarts,
}

/// What the init containers have to say.
struct Initialization {
    /// Sidecars that are ready.
    ready: usize,
    /// What holds the pod; nothing once all are done.
    status: Option<String>,
    restarts: Restarts,
    sidecar_restarts: Restarts,
}

impl PodSummary {
    fn of(pod: &Pod) -> Self {
        let status = &pod.status;
        let phase = if status.reason.is_empty() { status.phase.as_str() } else { &*status.reason };
        let gated = |condition: &Condition| &*condition.kind == "PodScheduled" && condition.reason == "SchedulingGated";
        let is_gated = status.conditions.iter().any(gated);
        let phase = if is_gated { "SchedulingGated" } else { phase };
        let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar()).count();
        let init = Initialization::of(pod);
        let mut summary = Self {
            ready: init.ready,
            total: pod.spec.containers.len() + sidecars,
            status: init.status.clone().unwrap_or_else(|| phase.to_owned()),
            restarts: init.restarts,
        };
        if init.status.is_none() || status.conditions.is_true("Initialized") {
            summary.restarts = init.sidecar_restarts;
            summary.add_containers(pod);
        }
        if pod.meta.is_deleting() {
            if status.reason == NODE_LOST {
                summary.status = "Unknown".to_owned();
            } else if !pod.is_terminal() {
                summary.status = "Terminating".to_owned();
            }
        }
        summary
    }

    fn add_containers(&mut self, pod: &Pod) {
        let (mut has_running, mut error) = (false, None);
        for container in pod.status.container_statuses.iter().rev() {
            self.restarts.add(container);
            match &container.state {
                ContainerState::Waiting { reason, .. } if !reason.is_empty() => self.status = reason.to_string(),
                ContainerState::Terminated(end) => {
                    self.status = end_reason(end);
                    if end.exit_code != 0 {
                        error = Some(self.status.clone());
                    }
                }
                ContainerState::Running { .. } if container.ready => {
                    has_running = true;
                    self.ready += 1;
                }
                ContainerState::Waiting { .. } | ContainerState::Running { .. } | ContainerState::None => {}
            }
        }
        if self.status == "Completed" {
            if has_running && pod.is_ready() {
                self.status = "Running".to_owned();
            } else if let Some(error) = error {
                self.status = error;
            } else if has_running {
                self.status = "NotReady".to_owned();
            }
        }
    }
}

fn end_reason(end: &Terminated) -> String {
    match (&*end.reason, end.signal) {
        ("", 0) => format!("ExitCode:{}", end.exit_code),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

impl Initialization {
    /// Follows the init containers in order, up to the first that holds the pod.
    fn of(pod: &Pod) -> Self {
        let mut init =
            Self { ready: 0, status: None, restarts: Restarts::default(), sidecar_restarts: Restarts::default() };
        let specs = &pod.spec.init_containers;
        for (place, container) in pod.status.init_container_statuses.iter().enumerate() {
            let is_sidecar = specs.iter().any(|spec| spec.name == container.name && spec.is_sidecar());
            init.restarts.add(container);
            if is_sidecar {
                init.sidecar_restarts.add(container);
            }
            init.status = match &container.state {
                ContainerState::Terminated(end) if end.exit_code == 0 => continue,
                _ if is_sidecar && container.started == Some(true) => {
                    init.ready += usize::from(container.ready);
                    continue;
                }
                ContainerState::Terminated(end) => Some(format!("Init:{}", end_reason(end))),
                ContainerState::Waiting { reason, .. } if !reason.is_empty() && *reason != "PodInitializing" => {
                    Some(format!("Init:{reason}"))
                }
                _ => Some(format!("Init:{place}/{}", specs.len())),
            };
            break;
        }
        init
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Resource;

    fn pod(init: &[(&str, Value)], main: &[Value], conditions: &Value) -> Pod {
        let init_spec: Vec<Value> = init
            .iter()
            .enumerate()
            .map(|(n, (policy, _))| match *policy {
                "" => json!({"name": format!("i{n}"), "image": "i"}),
                policy => json!({"name": format!("i{n}"), "image": "i", "restartPolicy": policy}),
            })
            .collect();
        let status = |prefix: &str, n: usize, status: &Value| {
            let mut status = status.clone();
            status["name"] = format!("{prefix}{n}").into();
            status
        };
        let init_statuses: Vec<Value> = init.iter().enumerate().map(|(n, (_, s))| status("i", n, s)).collect();
        let statuses: Vec<Value> = main.iter().enumerate().map(|(n, s)| status("c", n, s)).collect();
        let containers: Vec<Value> = (0..main.len()).map(|n| json!({"name": format!("c{n}"), "image": "i"})).collect();
        Pod::from_wire(json!({
            "metadata": {"name": "p"}, "spec": {"initContainers": init_spec, "containers": containers},
            "status": {"phase": "Pending", "conditions": conditions,
                "initContainerStatuses": init_statuses, "containerStatuses": statuses},
        }))
        .expect("a pod")
    }

    fn row(pod: &Pod) -> String {
        pod_cells(pod, String::new(), Timestamp::from_unix_secs(1_000).wall())[1..4].join(" ")
    }

    #[test]
    fn init_containers_hold_the_status() {
        let waiting = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
        let done = json!({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}, "ready": true});
        let failed = json!({"state": {"terminated": {"exitCode": 3, "reason": "Error"}}});
        let running = json!({"state": {"running": {}}});
        let crashing = json!({"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2,
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "1970-01-01T00:15:40Z"}}});
        let main = [waiting("PodInitializing")];
        let holding = |init: &[(&str, Value)]| row(&pod(init, &main, &json!([])));
        assert_eq!(holding(&[("", waiting("PodInitializing")), ("", waiting("PodInitializing"))]), "0/1 Init:0/2 0");
        assert_eq!(holding(&[("", done.clone()), ("", running.clone())]), "0/1 Init:1/2 0");
        assert_eq!(holding(&[("", done.clone()), ("", failed)]), "0/1 Init:Error 0");
        assert_eq!(holding(&[("", waiting("ImagePullBackOff"))]), "0/1 Init:ImagePullBackOff 0");
        assert_eq!(holding(&[("", crashing)]), "0/1 Init:CrashLoopBackOff 2 (60s ago)");
        assert_eq!(holding(&[("", done)]), "0/1 PodInitializing 0");
        // A sidecar that is not started counts in the total and holds the rest.
        assert_eq!(holding(&[("Always", running)]), "0/2 Init:0/1 0");
    }

    #[test]
    fn sidecars_count_as_containers() {
        let sidecar = json!({"state": {"running": {}}, "started": true, "ready": true, "restartCount": 1});
        let main = json!({"state": {"running": {}}, "started": true, "ready": true, "restartCount": 2});
        let ended = json!({"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}});
        let conditions = json!([{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": "True"}]);
        assert_eq!(row(&pod(&[("Always", sidecar.clone())], &[main], &conditions)), "2/2 Pending 3");
        assert_eq!(row(&pod(&[("Always", sidecar)], &[ended], &conditions)), "1/2 Completed 1");
        let gated = json!([{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]);
        assert_eq!(row(&pod(&[], &[], &gated)), "0/0 SchedulingGated 0");
    }
}
