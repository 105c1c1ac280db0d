//! Containers in descriptions of pods and templates.

use serde_json::Value;

use super::parts::{Place, ZERO_TIME, flag, or_none, rfc1123};
use super::tabs::TabWriter;
use crate::objects::environment::{field_value, resource_value_of};
use crate::objects::wire::Wire;
use crate::objects::{ContainerState, ContainerStatus, Pod};

/// A list of containers (wire form) with their statuses. `pod` is whose fields their variables may refer to.
pub(super) fn containers(
    out: &mut TabWriter,
    place: Place,
    title: &str,
    containers: &[Value],
    statuses: &[ContainerStatus],
    pod: Option<&Pod>,
) {
    let indent = place.title_indent();
    out.line(0, format_args!("{indent}{title}:{}", if containers.is_empty() { " <none>" } else { "" }));
    for container in containers {
        let status = statuses.iter().rfind(|status| *status.name == *container.text("name"));
        basics(out, place, container, status);
        lines(out, "Command", &container.texts("command"));
        lines(out, "Args", &container.texts("args"));
        if let Some(status) = status {
            state(out, status);
        }
        resources(out, 2, container.at("resources"));
        probes(out, container);
        env_from(out, container);
        env(out, container, pod);
        mounts(out, container);
    }
}

fn basics(out: &mut TabWriter, place: Place, container: &Value, status: Option<&ContainerStatus>) {
    out.line(1, format_args!("{}{}:", place.name_indent(), container.text("name")));
    // Ids are those of a container runtime, which there is none of.
    if status.is_some() {
        out.field(2, "Container ID", "");
    }
    out.field(2, "Image", container.text("image"));
    if status.is_some() {
        out.field(2, "Image ID", "");
    }
    for (title, field) in [("Port", "containerPort"), ("Host Port", "hostPort")] {
        let ports: Vec<String> = container.list("ports").iter().map(|port| one_port(port, field)).collect();
        let plural = if ports.len() > 1 { "s" } else { "" };
        out.line(2, format_args!("{title}{plural}:\t{}", or_none(&ports.join(", "))));
    }
    let profile = container.at("securityContext").at("seccompProfile");
    if profile.is_object() {
        out.field(2, "SeccompProfile", profile.text("type"));
        if profile.text("type") == "Localhost" {
            out.field(3, "LocalhostProfile", profile.text("localhostProfile"));
        }
    }
}

fn one_port(port: &Value, field: &str) -> String {
    let number = format!("{}/{}", port.int(field), port.text("protocol"));
    match port.text("name") {
        "" => number,
        name => format!("{number} ({name})"),
    }
}

fn lines(out: &mut TabWriter, title: &str, words: &[&str]) {
    if !words.is_empty() {
        out.line(2, format_args!("{title}:"));
    }
    words.iter().flat_map(|word| word.split('\n')).for_each(|line| out.line(3, line));
}

fn state(out: &mut TabWriter, status: &ContainerStatus) {
    one_state(out, "State", &status.state);
    if matches!(status.last_state, ContainerState::Terminated(_)) {
        one_state(out, "Last State", &status.last_state);
    }
    out.field(2, "Ready", flag(status.ready));
    out.field(2, "Restart Count", status.restart_count);
}

fn one_state(out: &mut TabWriter, title: &str, state: &ContainerState) {
    match state {
        ContainerState::Running { started_at } => {
            out.field(2, title, "Running");
            out.field(3, "Started", rfc1123(*started_at));
        }
        ContainerState::Waiting { reason, .. } => {
            out.field(2, title, "Waiting");
            if !reason.is_empty() {
                out.field(3, "Reason", reason);
            }
        }
        ContainerState::Terminated(end) => {
            out.field(2, title, "Terminated");
            for (name, text) in [("Reason", &end.reason), ("Message", &end.message)] {
                if !text.is_empty() {
                    out.field(3, name, text);
                }
            }
            out.field(3, "Exit Code", end.exit_code);
            if end.signal > 0 {
                out.field(3, "Signal", end.signal);
            }
            let moment = |at| Option::map_or(at, ZERO_TIME.to_owned(), rfc1123);
            out.field(3, "Started", moment(end.started_at));
            out.field(3, "Finished", moment(end.finished_at));
        }
        ContainerState::None => out.field(2, title, "Waiting"),
    }
}

/// Limits and requests.
pub(super) fn resources(out: &mut TabWriter, level: usize, resources: &Value) {
    for (title, list) in [("Limits", "limits"), ("Requests", "requests")] {
        let mut amounts = resources.entries(list);
        amounts.sort_by_key(|(name, _)| *name);
        if !amounts.is_empty() {
            out.line(level, format_args!("{title}:"));
        }
        for (name, amount) in amounts {
            out.field(level + 1, name, amount.as_str().unwrap_or_default());
        }
    }
}

fn probes(out: &mut TabWriter, container: &Value) {
    let probes = [("Liveness", "livenessProbe"), ("Readiness", "readinessProbe"), ("Startup", "startupProbe")];
    for (title, field) in probes {
        if let Some(probe) = container.get_some(field) {
            out.field(2, title, one_probe(probe));
        }
    }
}

fn one_probe(probe: &Value) -> String {
    let number = |field: &str| probe.int(field);
    let times = format!(
        "delay={}s timeout={}s period={}s #success={} #failure={}",
        number("initialDelaySeconds"),
        number("timeoutSeconds"),
        number("periodSeconds"),
        number("successThreshold"),
        number("failureThreshold")
    );
    let port = |handler: &Value| match handler.at("port") {
        Value::String(name) => name.clone(),
        port => port.as_i64().unwrap_or_default().to_string(),
    };
    if let Some(exec) = probe.get_some("exec") {
        format!("exec [{}] {times}", exec.texts("command").join(" "))
    } else if let Some(http) = probe.get_some("httpGet") {
        let (scheme, host, path) = (http.text("scheme").to_lowercase(), http.text("host"), http.text("path"));
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
        format!("http-get {scheme}://{host}:{}{slash}{path} {times}", port(http))
    } else if let Some(tcp) = probe.get_some("tcpSocket") {
        format!("tcp-socket {}:{} {times}", tcp.text("host"), port(tcp))
    } else if let Some(grpc) = probe.get_some("grpc") {
        format!("grpc <pod>:{} {} {times}", port(grpc), grpc.text("service"))
    } else {
        format!("unknown {times}")
    }
}

fn env_from(out: &mut TabWriter, container: &Value) {
    if container.list("envFrom").is_empty() {
        return;
    }
    out.line(2, "Environment Variables from:");
    for source in container.list("envFrom") {
        let (kind, reference) = match source.get_some("configMapRef") {
            Some(reference) => ("ConfigMap", reference),
            None => ("Secret", source.at("secretRef")),
        };
        let prefix = match source.text("prefix") {
            "" => String::new(),
            prefix => format!(" with prefix '{prefix}'"),
        };
        let (name, optional) = (reference.text("name"), reference.flag("optional"));
        out.line(3, format_args!("{name}\t{kind}{prefix}\tOptional: {optional}"));
    }
}

fn env(out: &mut TabWriter, container: &Value, pod: Option<&Pod>) {
    let variables = container.list("env");
    out.line(2, if variables.is_empty() { "Environment:\t<none>" } else { "Environment:" });
    for variable in variables {
        let (name, source) = (variable.text("name"), variable.at("valueFrom"));
        if !source.is_object() {
            for (place, line) in variable.text("value").split('\n').enumerate() {
                let name = if place == 0 { format!("{name}:") } else { String::new() };
                out.line(3, format_args!("{name}\t{line}"));
            }
        } else if let Some(reference) = source.get_some("fieldRef") {
            let (version, path) = (reference.text("apiVersion"), reference.text("fieldPath"));
            let value = pod.and_then(|pod| described_field(pod, path)).unwrap_or_default();
            out.field(3, name, format_args!("{value} ({version}:{path})"));
        } else if let Some(reference) = source.get_some("resourceFieldRef") {
            let resource = reference.text("resource");
            let value = match resource_value_of(container, reference).unwrap_or_default() {
                zero if zero == "0" && matches!(resource, "limits.cpu" | "limits.memory") => {
                    "node allocatable".to_owned()
                }
                value => value,
            };
            out.field(3, name, format_args!("{value} ({resource})"));
        } else if let Some(reference) = source.get_some("secretKeyRef") {
            out.field(3, name, key_reference(reference, "in secret"));
        } else if let Some(reference) = source.get_some("configMapKeyRef") {
            out.field(3, name, key_reference(reference, "of config map"));
        }
    }
}

/// kubectl only knows the fields of the metadata; the others are left empty.
fn described_field(pod: &Pod, path: &str) -> Option<String> {
    field_value(pod, path).ok().filter(|_| path.starts_with("metadata."))
}

fn key_reference(reference: &Value, of: &str) -> String {
    let (key, name, optional) = (reference.text("key"), reference.text("name"), reference.flag("optional"));
    format!("<set to the key '{key}' {of} '{name}'>\tOptional: {optional}")
}

fn mounts(out: &mut TabWriter, container: &Value) {
    let none = if container.list("volumeMounts").is_empty() { "\t<none>" } else { "" };
    out.line(2, format_args!("Mounts:{none}"));
    let mut mounts: Vec<&Value> = container.list("volumeMounts").iter().collect();
    mounts.sort_by_key(|mount| mount.text("mountPath"));
    for mount in mounts {
        let access = if mount.flag("readOnly") { "ro" } else { "rw" };
        let path = match mount.text("subPath") {
            "" => String::new(),
            path => format!(",path={path:?}"),
        };
        out.line(3, format_args!("{} from {} ({access}{path})", mount.text("mountPath"), mount.text("name")));
    }
    let mut devices: Vec<&Value> = container.list("volumeDevices").iter().collect();
    devices.sort_by_key(|device| device.text("devicePath"));
    if !devices.is_empty() {
        out.line(2, format_args!("Devices:{none}"));
    }
    for device in devices {
        out.line(3, format_args!("{} from {}", device.text("devicePath"), device.text("name")));
    }
}
