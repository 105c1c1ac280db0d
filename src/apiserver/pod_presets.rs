//! PodPresets (`settings.k8s.io/v1alpha1`, removed in Kubernetes 1.20): an admission step that puts environment variables,
//! volumes and mounts into new pods by their labels. Off unless asked for (upstream `plugin/pkg/admission/podpreset` of
//! Kubernetes 1.19).
//!
//! The presets that select a pod are merged into all of its containers and init containers. If any of them contradicts
//! the pod or another one, none is applied: the pod is created as it was, and an Event tells of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::objects::wire::{Wire, WireMut};
use crate::objects::{Annotations, Key, LabelSelector, Labels, ObjectMeta, OpaqueObject, Selector, defaults};

const PREFIX: &str = "podpreset.admission.kubernetes.io";
/// A pod with this annotation is left alone if its value is `true`.
const EXCLUDE: &str = "podpreset.admission.kubernetes.io/exclude";
const MIRROR: &str = "kubernetes.io/config.mirror";

/// The presets of the cluster, and whether they count.
#[derive(Clone, Debug, Default)]
pub(super) struct PodPresets {
    pub(super) enabled: bool,
    presets: BTreeMap<Key, Preset>,
}

#[derive(Clone, Debug)]
struct Preset {
    name: Arc<str>,
    resource_version: u64,
    selector: Selector,
    env: Vec<Value>,
    env_from: Vec<Value>,
    volumes: Vec<Value>,
    mounts: Vec<Value>,
}

/// What presets do to a pod.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Injection {
    /// The new spec.
    pub(super) spec: Map<String, Value>,
    /// Annotations that say which presets were applied.
    pub(super) annotations: Vec<(String, String)>,
}

impl PodPresets {
    /// Follows a write of an object.
    pub(super) fn follow(&mut self, old: Option<&OpaqueObject>, new: Option<&OpaqueObject>) {
        let Some(object) = new.or(old).filter(|object| is_preset(object)) else { return };
        let key = Key::new(object.meta.namespace.clone(), object.meta.name.clone());
        match new.and_then(Preset::read) {
            Some(preset) => drop(self.presets.insert(key, preset)),
            None => drop(self.presets.remove(&key)),
        }
    }

    /// What the presets of a namespace do to a pod with this metadata and spec; nothing if none selects it.
    ///
    /// # Errors
    /// What contradicts what, if presets cannot be applied.
    pub(super) fn inject(&self, meta: &ObjectMeta, spec: &Map<String, Value>) -> Result<Option<Injection>, String> {
        if !self.enabled || is_excluded(&meta.annotations) {
            return Ok(None);
        }
        let matching = self.matching(&meta.namespace, &meta.labels);
        if matching.is_empty() {
            return Ok(None);
        }
        let mut merge = Merge { presets: &matching, conflicts: Vec::new() };
        let mut spec = Value::Object(spec.clone());
        let volumes = merge.volumes(spec.list("volumes"));
        for list in ["containers", "initContainers"] {
            for container in spec.list_mut(list) {
                merge.container(container);
            }
        }
        if !merge.conflicts.is_empty() {
            let names: Vec<&str> = matching.iter().map(|preset| &*preset.name).collect();
            let name = if meta.name.is_empty() { &meta.generate_name } else { &meta.name };
            let conflicts = merge.conflicts.join(", ");
            let presets = names.join(",");
            return Err(format!(
                "conflict occurred while applying podpresets: {presets} on pod: {name} err: {conflicts}"
            ));
        }
        if !volumes.is_empty() {
            spec.set("volumes", volumes);
        }
        let annotations = matching
            .iter()
            .map(|preset| (format!("{PREFIX}/podpreset-{}", preset.name), preset.resource_version.to_string()));
        let annotations = annotations.collect();
        let Value::Object(spec) = spec else { return Ok(None) };
        Ok(Some(Injection { spec, annotations }))
    }

    fn matching(&self, namespace: &str, labels: &Labels) -> Vec<&Preset> {
        let first = Key::new(namespace, "");
        let here = self.presets.range(first..).take_while(|(key, _)| *key.namespace == *namespace);
        here.map(|(_, preset)| preset).filter(|preset| preset.selector.matches(labels)).collect()
    }
}

fn is_preset(object: &OpaqueObject) -> bool {
    &*object.kind == "PodPreset" && object.api_version.starts_with("settings.k8s.io/")
}

fn is_excluded(annotations: &Annotations) -> bool {
    annotations.contains_key(MIRROR) || annotations.get(EXCLUDE) == Some("true")
}

impl Preset {
    /// A preset whose selector is invalid selects nothing.
    fn read(object: &OpaqueObject) -> Option<Self> {
        if !is_preset(object) {
            return None;
        }
        let spec = object.rest.get("spec").unwrap_or(&Value::Null);
        let selector = spec.get_some("selector").cloned().unwrap_or_else(|| json!({}));
        let selector: LabelSelector = serde_json::from_value(selector).ok()?;
        // What is merged is compared with pods, so it must be as complete as they are.
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "preset"}, "spec": {
            "volumes": spec.list("volumes"),
            "containers": [{
                "name": "preset", "image": "preset", "env": spec.list("env"), "envFrom": spec.list("envFrom"),
                "volumeMounts": spec.list("volumeMounts"),
            }],
        }});
        defaults::apply("Pod", "v1", &mut pod);
        let spec = pod.at("spec");
        let container = spec.list("containers").first().cloned().unwrap_or_default();
        Some(Self {
            name: object.meta.name.clone(),
            resource_version: object.meta.resource_version,
            selector: selector.compile().ok()?,
            env: container.list("env").to_vec(),
            env_from: container.list("envFrom").to_vec(),
            volumes: spec.list("volumes").to_vec(),
            mounts: container.list("volumeMounts").to_vec(),
        })
    }
}

/// Merges presets in the order of their names, and notes what contradicts.
struct Merge<'a> {
    presets: &'a [&'a Preset],
    conflicts: Vec<String>,
}

impl Merge<'_> {
    fn volumes(&mut self, own: &[Value]) -> Vec<Value> {
        self.by_name(own, "volumes", |preset| &preset.volumes)
    }

    fn container(&mut self, container: &mut Value) {
        let env = self.by_name(container.list("env"), "env", |preset| &preset.env);
        let env_from = self.env_from(container.list("envFrom"));
        let mounts = self.mounts(container.list("volumeMounts"));
        for (field, list) in [("env", env), ("envFrom", env_from), ("volumeMounts", mounts)] {
            if !list.is_empty() {
                container.set(field, list);
            }
        }
    }

    fn by_name(&mut self, own: &[Value], what: &str, of: fn(&Preset) -> &Vec<Value>) -> Vec<Value> {
        let mut merged = own.to_vec();
        for preset in self.presets {
            for item in of(preset) {
                let name = item.text("name");
                // Of two own entries with a name the later counts.
                match merged.iter().rev().find(|other| other.text("name") == name) {
                    None => merged.push(item.clone()),
                    Some(other) if other == item => {}
                    Some(other) => self.conflicts.push(conflict(what, preset, name, item, other)),
                }
            }
        }
        merged
    }

    /// Sources are the same if prefix and names are.
    fn env_from(&self, own: &[Value]) -> Vec<Value> {
        let key = |source: &Value| {
            let name = |of: &str| source.at(of).text("name").to_owned();
            (source.text("prefix").to_owned(), name("configMapRef"), name("secretRef"))
        };
        let mut merged = own.to_vec();
        for source in self.presets.iter().flat_map(|preset| &preset.env_from) {
            if !merged.iter().any(|other| key(other) == key(source)) {
                merged.push(source.clone());
            }
        }
        merged
    }

    /// Neither a name nor a path can be mounted in two ways.
    fn mounts(&mut self, own: &[Value]) -> Vec<Value> {
        let merged = self.by_name(own, "volume mounts", |preset| &preset.mounts);
        let mut by_path: BTreeMap<String, Value> = BTreeMap::new();
        by_path.extend(own.iter().map(|mount| (mount.text("mountPath").to_owned(), mount.clone())));
        for preset in self.presets {
            for mount in &preset.mounts {
                let path = mount.text("mountPath");
                match by_path.get(path) {
                    None => drop(by_path.insert(path.to_owned(), mount.clone())),
                    Some(other) if other == mount => {}
                    Some(other) => {
                        let place = format!("mount path {path}");
                        self.conflicts.push(conflict("volume mounts", preset, &place, mount, other));
                    }
                }
            }
        }
        merged
    }
}

fn conflict(what: &str, preset: &Preset, place: &str, item: &Value, other: &Value) -> String {
    format!("merging {what} for {} has a conflict on {place}: {item} does not match {other} in container", preset.name)
}
