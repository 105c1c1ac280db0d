//! Files of volumes that are made of the API's own data: `downwardAPI`, `configMap`, `secret`, and `projected` ones of them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::env::{config_map, secret};
use super::fields::ResourceUse;
use super::{ConfigError, Surroundings, field_value, resource_value};
use crate::objects::defaults::decode_base64;
use crate::objects::wire::Wire;
use crate::objects::{OpaqueObject, Pod};

/// A file of a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeFile {
    /// Path below the mount point.
    pub path: String,
    /// Permission bits.
    pub mode: i64,
    /// Content.
    pub content: Vec<u8>,
}

/// Permission bits unless the volume says otherwise.
const DEFAULT_MODE: i64 = 0o644;

/// The files of a volume (wire form) as they are when it is mounted, sorted by path; none for volumes of other kinds.
///
/// # Errors
/// Why it cannot be mounted: an object or a key is missing and not optional.
pub fn volume_files(pod: &Pod, volume: &Value, around: &impl Surroundings) -> Result<Vec<VolumeFile>, ConfigError> {
    let mut files = BTreeMap::new();
    for kind in ["downwardAPI", "configMap", "secret"] {
        if let Some(source) = volume.get_some(kind) {
            let mode = source.int_some("defaultMode").unwrap_or(DEFAULT_MODE);
            add(&mut files, pod, kind, source, mode, around)?;
        }
    }
    if let Some(projected) = volume.get_some("projected") {
        let mode = projected.int_some("defaultMode").unwrap_or(DEFAULT_MODE);
        for source in projected.list("sources") {
            for kind in ["downwardAPI", "configMap", "secret"] {
                if let Some(source) = source.get_some(kind) {
                    add(&mut files, pod, kind, source, mode, around)?;
                }
            }
        }
    }
    Ok(files.into_iter().map(|(path, (mode, content))| VolumeFile { path, mode, content }).collect())
}

type Files = BTreeMap<String, (i64, Vec<u8>)>;

fn add(
    files: &mut Files,
    pod: &Pod,
    kind: &str,
    source: &Value,
    mode: i64,
    around: &impl Surroundings,
) -> Result<(), ConfigError> {
    let (object, data) = match kind {
        "downwardAPI" => return add_fields(files, pod, source, mode, around),
        "configMap" => ("configmap", config_map(pod, source, around)?.map(|map| data_of_config_map(&map))),
        _ => ("secret", secret(pod, source, around)?.map(|secret| data_of_secret(&secret))),
    };
    let Some(data) = data else { return Ok(()) };
    let items = source.list("items");
    if items.is_empty() {
        files.extend(data.into_iter().map(|(key, content)| (key, (mode, content))));
        return Ok(());
    }
    for item in items {
        let key = item.text("key");
        match data.get(key) {
            Some(content) => {
                let mode = item.int_some("mode").unwrap_or(mode);
                files.insert(item.text("path").to_owned(), (mode, content.clone()));
            }
            None if source.flag("optional") => {}
            None => {
                let what = if object == "configmap" { "config" } else { "secret" };
                return Err(ConfigError(format!("{object} references non-existent {what} key: {key}")));
            }
        }
    }
    Ok(())
}

fn add_fields(
    files: &mut Files,
    pod: &Pod,
    source: &Value,
    mode: i64,
    around: &impl Surroundings,
) -> Result<(), ConfigError> {
    for item in source.list("items") {
        let content = if let Some(reference) = item.get_some("fieldRef") {
            field_value(pod, reference.text("fieldPath"))?
        } else if let Some(reference) = item.get_some("resourceFieldRef") {
            resource_value(pod, None, reference, ResourceUse::File, around)?
        } else {
            String::new()
        };
        let mode = item.int_some("mode").unwrap_or(mode);
        files.insert(item.text("path").to_owned(), (mode, content.into_bytes()));
    }
    Ok(())
}

/// The texts of a ConfigMap, by key.
pub(super) fn texts_of_config_map(object: &OpaqueObject) -> BTreeMap<String, String> {
    let data = object.rest.get("data").and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn data_of_config_map(object: &OpaqueObject) -> BTreeMap<String, Vec<u8>> {
    let mut data = decoded(object, "binaryData");
    data.extend(texts_of_config_map(object).into_iter().map(|(key, text)| (key, text.into_bytes())));
    data
}

/// The contents of a Secret, by key.
pub(super) fn data_of_secret(object: &OpaqueObject) -> BTreeMap<String, Vec<u8>> {
    decoded(object, "data")
}

fn decoded(object: &OpaqueObject, field: &str) -> BTreeMap<String, Vec<u8>> {
    let data = object.rest.get(field).and_then(Value::as_object).into_iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), decode_base64(value.as_str()?)?))).collect()
}
