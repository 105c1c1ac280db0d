//! Reading a manifest as the kubelet of a node reads it from its folder.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::objects::validation::validate_create;
use crate::objects::wire::Wire;
use crate::objects::{Kind, Pod, Resource, Timestamp, Uid, defaults};

/// Where kubelets look for manifests.
const FOLDER: &str = "/etc/kubernetes/manifests";

/// The pod that the kubelet of a node makes of a manifest: with the node's name behind its own, bound to it, and bearing
/// whatever drives pods out.
///
/// Its hash has upstream's shape, not its digits.
///
/// # Errors
/// What is wrong with the manifest, in a kubelet's words.
///
/// ```
/// use seatrial::kubelet::static_pod;
/// use seatrial::objects::Timestamp;
///
/// let manifest = serde_json::json!({
///     "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "proxy", "namespace": "kube-system"},
///     "spec": {"containers": [{"name": "c", "image": "proxy:v1"}]},
/// });
/// let pod = static_pod(&manifest, "node-1", Timestamp::default())?;
/// assert_eq!(&*pod.meta.name, "proxy-node-1");
/// assert_eq!(&*pod.node_name, "node-1");
/// assert!(pod.is_critical());
/// # Ok::<(), String>(())
/// ```
pub fn static_pod(manifest: &Value, node: &str, seen: Timestamp) -> Result<Arc<Pod>, String> {
    let mut wire = manifest.clone();
    if wire.text("kind") != Kind::Pod.as_str() || wire.text("apiVersion") != Kind::Pod.api_version() {
        return Err("invalid pod: expected apiVersion v1 and kind Pod".to_owned());
    }
    let name = wire.at("metadata").text("name").to_owned();
    if name.is_empty() {
        return Err("invalid pod: name is needed for the pod".to_owned());
    }
    let hash = fnv_128(&[&manifest.to_string(), "host:", node, "file:", FOLDER, "/", &name]);
    let text = format!("{hash:032x}");
    adorn(&mut wire, &name, node, &text, seen)?;
    defaults::apply(Kind::Pod.as_str(), Kind::Pod.api_version(), &mut wire);
    if let Some(error) = validate_create(Kind::Pod.as_str(), &wire).first() {
        return Err(format!("invalid pod: {}: {}", error.field, error.body()));
    }
    if let Some(resource) = reference(wire.at("spec")) {
        return Err(format!("static pods may not reference {resource}"));
    }
    let mut pod = Pod::from_wire(wire).map_err(|error| format!("invalid pod: {error}"))?;
    pod.meta.uid = Uid::uuid(hash);
    pod.node_name = node.into();
    Ok(Arc::new(pod))
}

/// What the kubelet writes into the manifest (upstream `applyDefaults`).
fn adorn(wire: &mut Value, name: &str, node: &str, hash: &str, seen: Timestamp) -> Result<(), String> {
    let object = |value: &mut Value, field: &str| -> Result<Map<String, Value>, String> {
        match value.get_mut(field).map(Value::take) {
            Some(Value::Object(map)) => Ok(map),
            None | Some(Value::Null) => Ok(Map::new()),
            Some(_) => Err(format!("invalid pod: {field} is no map")),
        }
    };
    let mut metadata = Value::Object(object(wire, "metadata")?);
    let mut annotations = object(&mut metadata, "annotations")?;
    for (key, value) in [("hash", hash.to_owned()), ("seen", seen.to_string()), ("source", "file".to_owned())] {
        annotations.insert(format!("kubernetes.io/config.{key}"), value.into());
    }
    metadata["annotations"] = Value::Object(annotations);
    metadata["name"] = format!("{name}-{}", node.to_lowercase()).into();
    if metadata.text("namespace").is_empty() {
        metadata["namespace"] = "default".into();
    }
    wire["metadata"] = metadata;
    let mut spec = object(wire, "spec")?;
    let everything = json!({"operator": "Exists", "effect": "NoExecute"});
    match spec.entry("tolerations").or_insert_with(|| Value::Array(Vec::new())) {
        Value::Array(tolerations) if !tolerations.contains(&everything) => tolerations.push(everything),
        _ => {}
    }
    spec.insert("nodeName".into(), node.into());
    wire["spec"] = Value::Object(spec);
    Ok(())
}

/// The API resource that the pod refers to, which a static pod may not (upstream `HasAPIObjectReference`).
fn reference(spec: &Value) -> Option<&'static str> {
    if !spec.text("serviceAccountName").is_empty() {
        return Some("serviceaccounts");
    }
    let containers = || {
        let lists = ["initContainers", "containers", "ephemeralContainers"];
        lists.into_iter().flat_map(|list| spec.list(list))
    };
    let env_refers = |to: &str, from: &str| {
        containers().any(|container| {
            container.list("envFrom").iter().any(|source| source.has(from))
                || container.list("env").iter().any(|variable| variable.at("valueFrom").has(to))
        })
    };
    let volumes = spec.list("volumes");
    let projects = |kind: &str| {
        volumes.iter().flat_map(|volume| volume.at("projected").list("sources")).any(|source| source.has(kind))
    };
    if !spec.list("imagePullSecrets").is_empty() || env_refers("secretKeyRef", "secretRef") {
        return Some("secrets");
    }
    if env_refers("configMapKeyRef", "configMapRef") {
        return Some("configmaps");
    }
    if !spec.list("resourceClaims").is_empty() {
        return Some("resourceclaims");
    }
    let by_kind = [
        ("configMap", "configmaps (via configmap volumes)"),
        ("secret", "secrets (via secret volumes)"),
        ("csi", "csidrivers (via CSI volumes)"),
        ("persistentVolumeClaim", "persistentvolumeclaims"),
        ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ];
    let volume = volumes.iter().find_map(|volume| by_kind.into_iter().find(|(kind, _)| volume.has(kind)));
    let projected = [
        ("configMap", "configmaps (via projected volumes)"),
        ("secret", "secrets (via projected volumes)"),
        ("serviceAccountToken", "serviceaccounts (via projected volumes)"),
        ("clusterTrustBundle", "clustertrustbundles"),
        ("podCertificate", "podcertificates"),
    ];
    volume.or_else(|| projected.into_iter().find(|(kind, _)| projects(kind))).map(|(_, resource)| resource)
}

/// FNV-1a of 128 bits.
fn fnv_128(parts: &[&str]) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: Value) -> Result<Arc<Pod>, String> {
        let mut spec = json!({"containers": [{"name": "c", "image": "i"}]});
        for (key, value) in fields.as_object().expect("fields") {
            spec[key] = value.clone();
        }
        let manifest = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec});
        static_pod(&manifest, "n1", Timestamp::default())
    }

    #[test]
    fn a_hash_is_that_of_fnv() {
        assert_eq!(fnv_128(&[""]), 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d);
        assert_eq!(fnv_128(&["foobar"]), 0x343e_1662_793c_64bf_6f0d_3597_ba44_6f18);
    }

    #[test]
    fn a_manifest_becomes_a_pod_of_its_node() {
        let pod = read(json!({})).expect("a pod");
        assert_eq!((&*pod.meta.name, &*pod.meta.namespace), ("p-n1", "default"));
        assert_eq!(pod.meta.annotations.get("kubernetes.io/config.source"), Some("file"));
        assert_eq!(pod.meta.annotations.get("kubernetes.io/config.hash").map(str::len), Some(32));
        let tolerations = &pod.spec.tolerations;
        assert_eq!((&*tolerations[0].operator, &*tolerations[0].effect), ("Exists", "NoExecute"));
    }

    #[test]
    fn a_static_pod_may_not_refer_to_the_api() {
        for (fields, resource) in [
            (json!({"serviceAccountName": "me"}), "serviceaccounts"),
            (
                json!({"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "m"}}]}]}),
                "configmaps",
            ),
            (json!({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}), "secrets (via secret volumes)"),
            (
                json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]}),
                "persistentvolumeclaims",
            ),
        ] {
            assert_eq!(read(fields).unwrap_err(), format!("static pods may not reference {resource}"));
        }
        assert!(read(json!({"volumes": [{"name": "v", "hostPath": {"path": "/var"}}]})).is_ok());
        let error = read(json!({"containers": []})).unwrap_err();
        assert!(error.starts_with("invalid pod: spec.containers"), "{error}");
    }
}
