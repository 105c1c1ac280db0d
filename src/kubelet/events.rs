//! What the kubelet says of its pods, in upstream's words.

use serde_json::Value;

use crate::api::{EventKind, EventSpec, Request};
use crate::objects::environment::ConfigError;
use crate::objects::wire::Wire;
use crate::objects::{ObjectReference, Text};

use super::driver::PodSync;
use super::load::Delayed;
use super::worker::{ProbeKind, Role};

impl PodSync<'_, '_> {
    /// An Event about the pod.
    pub(super) fn pod_event(&mut self, kind: EventKind, reason: &'static str, message: impl Into<Text>) {
        self.event(kind, reason, message.into(), Text::default());
    }

    /// An Event about a container.
    pub(super) fn container_event(
        &mut self,
        at: usize,
        kind: EventKind,
        reason: &'static str,
        message: impl Into<Text>,
    ) {
        let list = match self.worker.role(at) {
            Role::Main => "containers",
            Role::Init | Role::Sidecar => "initContainers",
            Role::Ephemeral => "ephemeralContainers",
        };
        let field_path = format!("spec.{list}{{{}}}", self.worker.container_spec(at).name);
        self.event(kind, reason, message.into(), field_path.into());
    }

    fn event(&mut self, kind: EventKind, reason: &'static str, message: Text, field_path: Text) {
        let key = &self.worker.key;
        let about = ObjectReference {
            kind: "Pod".into(),
            api_version: "v1".into(),
            namespace: key.namespace.clone().into(),
            name: key.name.clone().into(),
            uid: self.worker.uid_for_events(self.uid),
            field_path,
            ..ObjectReference::default()
        };
        self.cx.effects.requests.push(Request::Event(EventSpec { about, kind, reason: reason.into(), message }));
    }

    pub(super) fn say_started(&mut self, at: usize) {
        if !std::mem::take(&mut self.worker.containers[at].pulled) {
            self.say_image_is_present(at);
        }
        self.container_event(at, EventKind::Normal, "Created", "Container created");
        self.container_event(at, EventKind::Normal, "Started", "Container started");
    }

    fn say_image_is_present(&mut self, at: usize) {
        let image = &self.worker.container_spec(at).image;
        let present = format!("Container image \"{image}\" already present on machine and can be accessed by the pod");
        self.container_event(at, EventKind::Normal, "Pulled", present);
    }

    /// The image is there, and the container cannot be made of it.
    pub(super) fn say_cannot_be_configured(&mut self, at: usize, why: &ConfigError) {
        if !std::mem::take(&mut self.worker.containers[at].pulled) {
            self.say_image_is_present(at);
        }
        self.container_event(at, EventKind::Warning, "Failed", format!("Error: {why}"));
    }

    pub(super) fn say_not_mounted(&mut self, volume: &str, why: &ConfigError) {
        let message = format!("MountVolume.SetUp failed for volume {volume:?} : {why}");
        self.pod_event(EventKind::Warning, "FailedMount", message);
    }

    pub(super) fn say_pull_failed(&mut self, at: usize) {
        let image = self.worker.container_spec(at).image.clone();
        self.container_event(at, EventKind::Normal, "Pulling", format!("Pulling image \"{image}\""));
        let failed = format!("Failed to pull image \"{image}\": {}", pull_error(&image));
        self.container_event(at, EventKind::Warning, "Failed", failed);
        self.container_event(at, EventKind::Warning, "Failed", "Error: ErrImagePull");
    }

    pub(super) fn say_pull_backs_off(&mut self, at: usize) {
        let image = &self.worker.container_spec(at).image;
        let message = format!("Back-off pulling image \"{image}\"");
        self.container_event(at, EventKind::Normal, "BackOff", message);
        self.container_event(at, EventKind::Warning, "Failed", "Error: ImagePullBackOff");
    }

    pub(super) fn say_restart_backs_off(&mut self, at: usize) {
        let name = &self.worker.container_spec(at).name;
        let message = format!("Back-off restarting failed container {name} in pod {}", self.full_name());
        self.container_event(at, EventKind::Warning, "BackOff", message);
    }

    /// `name_namespace(uid)`, as messages name a pod.
    pub(super) fn full_name(&self) -> String {
        let key = &self.worker.key;
        format!("{}_{}({})", key.name, key.namespace, self.uid)
    }

    pub(super) fn say_unhealthy(&mut self, at: usize, kind: ProbeKind) {
        let name = match kind {
            ProbeKind::Startup => "Startup",
            ProbeKind::Readiness => "Readiness",
            ProbeKind::Liveness => "Liveness",
        };
        let message = format!("{name} probe failed: {}", self.probe_output(at, kind).unwrap_or_default());
        self.container_event(at, EventKind::Warning, "Unhealthy", message);
    }

    /// What the prober has to say of an application that does not answer: the connection is refused while it comes up, and
    /// nothing comes back once it hangs or is too slow; one that misses a Service says that it cannot serve. A command says
    /// nothing.
    fn probe_output(&self, at: usize, kind: ProbeKind) -> Option<String> {
        let worker = &self.worker;
        let probe = self.container_wire(at)?.get(kind.field())?;
        let hung = worker.containers[at].hung || self.times_out(at, kind);
        let turned_away = self.delayed(at, kind) == Delayed::TurnedAway;
        let unserving = !hung && (turned_away || self.is_held_up(at, kind));
        let timeout = self.probe_spec(at, kind).map_or(1, |probe| probe.timeout_seconds.max(1));
        let address = |handler: &Value| {
            let ip = worker.address.map(|ip| ip.to_string()).unwrap_or_default();
            let host = handler.get("host").and_then(Value::as_str).filter(|host| !host.is_empty()).unwrap_or(&ip);
            format!("{host}:{}", self.port_number(at, handler.get("port")).unwrap_or(0))
        };
        if let Some(http) = probe.get("httpGet") {
            if unserving {
                return Some("HTTP probe failed with statuscode: 503".to_owned());
            }
            let (address, path) = (address(http), http.get("path").and_then(Value::as_str).unwrap_or("/"));
            let scheme = http.get("scheme").and_then(Value::as_str).unwrap_or("HTTP").to_ascii_lowercase();
            let slash = if path.starts_with('/') { "" } else { "/" };
            let cause = match hung {
                true => "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned(),
                false => format!("dial tcp {address}: connect: connection refused"),
            };
            Some(format!("Get \"{scheme}://{address}{slash}{path}\": {cause}"))
        } else if let Some(tcp) = probe.get("tcpSocket") {
            let address = address(tcp);
            let cause = if hung { "i/o timeout" } else { "connect: connection refused" };
            Some(format!("dial tcp {address}: {cause}"))
        } else if let Some(grpc) = probe.get("grpc") {
            let grpc = address(grpc);
            Some(match () {
                () if unserving => "service unhealthy (responded with \"NOT_SERVING\")".to_owned(),
                () if hung => format!("timeout: health rpc did not complete within {timeout}s"),
                () => {
                    format!(
                        "timeout: failed to connect service \"{grpc}\" within {timeout}s: context deadline exceeded"
                    )
                }
            })
        } else if hung {
            let command = probe.at("exec").texts("command").join(" ");
            Some(format!("command timed out: {command:?} timed out after {timeout}s"))
        } else {
            None
        }
    }

    fn port_number(&self, at: usize, port: Option<&Value>) -> Option<i64> {
        match port? {
            Value::String(name) => {
                let ports = &self.worker.container_spec(at).ports;
                ports.iter().find(|port| *port.name == **name).map(|port| i64::from(port.container_port))
            }
            number => number.as_i64(),
        }
    }
}

/// What a registry says that does not have the image.
pub(super) fn pull_error(image: &str) -> String {
    format!(
        "rpc error: code = NotFound desc = failed to pull and unpack image \"{image}\": failed to resolve image: {image}: not found"
    )
}
