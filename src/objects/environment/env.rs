//! Environment variables (upstream `makeEnvironmentVariables`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::fields::ResourceUse;
use super::{ConfigError, Surroundings, expand, field_value, files, resource_value, service_links};
use crate::objects::wire::Wire;
use crate::objects::{OpaqueObject, Pod};

/// An environment variable of a running container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Value, as text; bytes of Secrets that are none are replaced.
    pub value: String,
}

/// The environment of a container, which is given in wire form: variables of `envFrom` sorted by name, those of `env` as
/// declared, then the links to services sorted by name. (Upstream's order is that of a hash map.)
///
/// # Errors
/// The first source that is missing and not optional.
pub fn container_env(pod: &Pod, container: &Value, around: &impl Surroundings) -> Result<Vec<EnvVar>, ConfigError> {
    let links = service_links(pod, around);
    let mut known = Known::default();
    for source in container.list("envFrom") {
        let prefix = source.text("prefix");
        for (name, value) in all_of(pod, source, around)? {
            known.set(&format!("{prefix}{name}"), value);
        }
    }
    known.order.sort();
    for variable in container.list("env") {
        let written = variable.text("value");
        let value = if written.is_empty() {
            value_from(pod, container, variable.at("valueFrom"), around)?
        } else {
            let value_of = |name: &str| known.values.get(name).or_else(|| links.get(name)).cloned();
            Some(expand(written, value_of))
        };
        if let Some(value) = value {
            known.set(variable.text("name"), value);
        }
    }
    let Known { order, mut values } = known;
    let remaining: Vec<_> = links.into_iter().filter(|(name, _)| !values.contains_key(name)).collect();
    let own = order.into_iter().filter_map(|name| Some(EnvVar { value: values.remove(&name)?, name }));
    let mut env: Vec<EnvVar> = own.collect();
    env.extend(remaining.into_iter().map(|(name, value)| EnvVar { name, value }));
    Ok(env)
}

/// Variables so far, in the order in which they came first.
#[derive(Default)]
struct Known {
    order: Vec<String>,
    values: BTreeMap<String, String>,
}

impl Known {
    fn set(&mut self, name: &str, value: String) {
        if self.values.insert(name.to_owned(), value).is_none() {
            self.order.push(name.to_owned());
        }
    }
}

/// All variables of an `envFrom` source.
fn all_of(pod: &Pod, source: &Value, around: &impl Surroundings) -> Result<BTreeMap<String, String>, ConfigError> {
    let text = |(name, bytes): (String, Vec<u8>)| (name, String::from_utf8_lossy(&bytes).into_owned());
    if let Some(reference) = source.get_some("configMapRef") {
        let object = config_map(pod, reference, around)?;
        return Ok(object.map(|object| files::texts_of_config_map(&object)).unwrap_or_default());
    }
    let Some(reference) = source.get_some("secretRef") else { return Ok(BTreeMap::new()) };
    let object = secret(pod, reference, around)?;
    Ok(object.map(|object| files::data_of_secret(&object).into_iter().map(text).collect()).unwrap_or_default())
}

/// The value of a source; nothing if it is missing and optional, or if there is none.
fn value_from(
    pod: &Pod,
    container: &Value,
    source: &Value,
    around: &impl Surroundings,
) -> Result<Option<String>, ConfigError> {
    if let Some(reference) = source.get_some("fieldRef") {
        return field_value(pod, reference.text("fieldPath")).map(Some);
    }
    if let Some(reference) = source.get_some("resourceFieldRef") {
        // An error is lost upstream; the value is then empty.
        let value = resource_value(pod, Some(container), reference, ResourceUse::Env, around);
        return Ok(Some(value.unwrap_or_default()));
    }
    let (key, namespace) = (|reference: &Value| reference.text("key").to_owned(), &pod.meta.namespace);
    if let Some(reference) = source.get_some("configMapKeyRef") {
        let Some(object) = config_map(pod, reference, around)? else { return Ok(None) };
        let found = files::texts_of_config_map(&object).remove(&key(reference));
        return found_or(found, reference, || {
            format!("couldn't find key {} in ConfigMap {namespace}/{}", key(reference), reference.text("name"))
        });
    }
    if let Some(reference) = source.get_some("secretKeyRef") {
        let Some(object) = secret(pod, reference, around)? else { return Ok(None) };
        let found = files::data_of_secret(&object).remove(&key(reference));
        let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        return found_or(found, reference, || {
            format!("couldn't find key {} in Secret {namespace}/{}", key(reference), reference.text("name"))
        });
    }
    // Without a source the variable is empty. What a file has (`fileKeyRef`) is not simulated.
    Ok((!source.has("fileKeyRef")).then(String::new))
}

fn found_or(
    found: Option<String>,
    reference: &Value,
    missing: impl Fn() -> String,
) -> Result<Option<String>, ConfigError> {
    match found {
        None if !reference.flag("optional") => Err(ConfigError(missing())),
        found => Ok(found),
    }
}

/// The ConfigMap of a reference; nothing if it is missing and optional.
pub(super) fn config_map(
    pod: &Pod,
    reference: &Value,
    around: &impl Surroundings,
) -> Result<Option<Arc<OpaqueObject>>, ConfigError> {
    let name = reference.text("name");
    match around.config_map(&pod.meta.namespace, name) {
        None if !reference.flag("optional") => Err(ConfigError(format!("configmap {name:?} not found"))),
        found => Ok(found),
    }
}

/// The Secret of a reference; nothing if it is missing and optional.
pub(super) fn secret(
    pod: &Pod,
    reference: &Value,
    around: &impl Surroundings,
) -> Result<Option<Arc<OpaqueObject>>, ConfigError> {
    // In volumes the name is `secretName`.
    let name = reference.text_some("secretName").unwrap_or_else(|| reference.text("name"));
    match around.secret(&pod.meta.namespace, name) {
        None if !reference.flag("optional") => Err(ConfigError(format!("secret {name:?} not found"))),
        found => Ok(found),
    }
}
