//! Fields of a pod and resources of its containers, as text (upstream `pkg/fieldpath`, `pkg/api/v1/resource`).

use serde_json::Value;

use super::{ConfigError, Surroundings};
use crate::objects::pod_resources::{ResourceAmounts, amounts};
use crate::objects::wire::Wire;
use crate::objects::{Labels, Pod, Quantity, names};

/// A field of a pod, such as `metadata.labels['app']` or `status.podIP`.
///
/// # Errors
/// If there is no such field.
pub fn field_value(pod: &Pod, path: &str) -> Result<String, ConfigError> {
    let text = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_string()).unwrap_or_default();
    if let Some((map, key)) = path.strip_suffix("']").and_then(|path| path.split_once("['")) {
        return match map {
            "metadata.annotations" => Ok(pod.meta.annotations.get(key).unwrap_or_default().to_owned()),
            "metadata.labels" => Ok(pod.meta.labels.get(key).unwrap_or_default().to_owned()),
            _ => Err(ConfigError(format!("fieldPath {path:?} does not support subscript"))),
        };
    }
    Ok(match path {
        "metadata.name" => pod.meta.name.to_string(),
        "metadata.namespace" => pod.meta.namespace.to_string(),
        "metadata.uid" => pod.meta.uid.to_string(),
        "metadata.labels" => format_map(&pod.meta.labels),
        "metadata.annotations" => format_map(&pod.meta.annotations),
        "spec.nodeName" => pod.node_name.to_string(),
        "spec.serviceAccountName" => wire_text(pod, "serviceAccountName"),
        "status.hostIP" | "status.hostIPs" => text(pod.status.host_ip),
        "status.podIP" | "status.podIPs" => text(pod.status.pod_ip),
        _ => return Err(ConfigError(format!("unsupported fieldPath: {path}"))),
    })
}

fn wire_text(pod: &Pod, field: &str) -> String {
    pod.spec.wire().get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// `key="value"` lines, sorted by key.
fn format_map(map: &Labels) -> String {
    let lines: Vec<String> = map.iter().map(|(key, value)| format!("{key}={}", names::quoted(value))).collect();
    lines.join("\n")
}

/// How `resource_value` looks up the container that a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceUse {
    /// In an environment variable: limits of init containers that it names by name are not completed.
    Env,
    /// In a file of a volume.
    File,
}

/// A resource of a container, such as `limits.memory`, divided and rounded up. A limit of cpu, memory or ephemeral storage
/// that is not set is that of the pod, or all that the node has.
///
/// # Errors
/// If there is no such container or resource.
pub fn resource_value(
    pod: &Pod,
    own: Option<&Value>,
    reference: &Value,
    of: ResourceUse,
    around: &impl Surroundings,
) -> Result<String, ConfigError> {
    let name = reference.text("containerName");
    let (container, is_completed) = match own.filter(|_| name.is_empty()) {
        Some(own) => (own, true),
        None => find(pod, name, of)?,
    };
    let resource = reference.text("resource");
    let mut amount = amount_of(container, resource)?;
    if let Some(name) = resource.strip_prefix("limits.")
        && is_completed
        && amount.is_zero()
        && !name.starts_with("hugepages-")
    {
        amount = most_available(pod, of, around).remove(name).unwrap_or(Quantity::ZERO);
    }
    Ok(divided(amount, reference))
}

/// A resource of a container as it is written there, divided and rounded up.
///
/// # Errors
/// If there is no such resource.
pub fn resource_value_of(container: &Value, reference: &Value) -> Result<String, ConfigError> {
    Ok(divided(amount_of(container, reference.text("resource"))?, reference))
}

fn amount_of(container: &Value, resource: &str) -> Result<Quantity, ConfigError> {
    let unsupported = || ConfigError(format!("unsupported container resource : {resource}"));
    let (list, name) = resource.split_once('.').ok_or_else(unsupported)?;
    let is_known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !is_known || !matches!(list, "limits" | "requests") {
        return Err(unsupported());
    }
    Ok(amounts(container.at("resources"), list).remove(name).unwrap_or(Quantity::ZERO))
}

fn divided(amount: Quantity, reference: &Value) -> String {
    let divisor = reference.text("divisor").parse::<Quantity>().ok().filter(|divisor| !divisor.is_zero());
    let divisor = divisor.unwrap_or(Quantity::from_value(1, amount.format()));
    let (amount, divisor) = match reference.text("resource").ends_with(".cpu") {
        true => (amount.milli_value(), divisor.milli_value()),
        false => (amount.value(), divisor.value()),
    };
    // Validation allows only positive divisors.
    let (amount, divisor) = (i128::from(amount), i128::from(divisor.max(1)));
    (amount.div_euclid(divisor) + i128::from(amount.rem_euclid(divisor) != 0)).to_string()
}

fn find<'a>(pod: &'a Pod, name: &str, of: ResourceUse) -> Result<(&'a Value, bool), ConfigError> {
    let containers = |list: &str| pod.spec.wire().get(list).and_then(Value::as_array).into_iter().flatten();
    let main = containers("containers").map(|container| (container, true));
    let init = containers("initContainers").map(|container| (container, of == ResourceUse::File));
    let found = main.chain(init).find(|(container, _)| container.text("name") == name);
    found.ok_or_else(|| ConfigError(format!("container {name} not found")))
}

/// What stands in for a limit: for variables the pod-level limit, else what the node has.
fn most_available(pod: &Pod, of: ResourceUse, around: &impl Surroundings) -> ResourceAmounts {
    let mut most = around.allocatable(pod);
    if of == ResourceUse::Env
        && let Some(resources) = pod.spec.wire().get("resources")
    {
        for (name, limit) in amounts(resources, "limits") {
            if matches!(&*name, "cpu" | "memory") && !limit.is_zero() && most.contains_key(&name) {
                most.insert(name, limit);
            }
        }
    }
    most
}
