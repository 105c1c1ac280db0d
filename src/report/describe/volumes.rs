//! Volumes in descriptions of pods and templates.

use serde_json::Value;

use super::parts::{Place, or_none};
use super::tabs::TabWriter;
use crate::objects::Quantity;
use crate::objects::wire::Wire;

/// The volumes of a pod's spec.
pub(super) fn volumes(out: &mut TabWriter, place: Place, volumes: &[Value]) {
    let none = if volumes.is_empty() { "\t<none>" } else { "" };
    out.line(0, format_args!("{}Volumes:{none}", place.title_indent()));
    for volume in volumes {
        out.line(1, format_args!("{}{}:", place.name_indent(), volume.text("name")));
        source(out, &KNOWN, volume);
    }
}

/// Where the data of a PersistentVolume (its spec) is.
pub(super) fn persistent_source(out: &mut TabWriter, spec: &Value) {
    source(out, &PERSISTENT, spec);
}

fn source(out: &mut TabWriter, known: &[(&str, Source)], owner: &Value) {
    match known.iter().find_map(|(kind, source)| Some((source, owner.get_some(kind)?))) {
        Some((Source::Fields { about, fields }, source)) => {
            out.field(2, "Type", about);
            fields.iter().for_each(|(title, field)| out.field(2, title, shown(source.at(field))));
        }
        Some((Source::Special(write), source)) => write(out, source),
        None => out.line(1, "<unknown>"),
    }
}

/// How a kind of volume is shown.
enum Source {
    /// By its fields.
    Fields { about: &'static str, fields: &'static [(&'static str, &'static str)] },
    /// In a way of its own.
    Special(fn(&mut TabWriter, &Value)),
}

/// Kinds of volumes, in the order in which kubectl looks for them. Those of storage systems that Kubernetes does not have
/// drivers for any more are shown as unknown.
const KNOWN: [(&str, Source); 11] = [
    ("hostPath", Source::Special(host_path)),
    ("emptyDir", Source::Special(empty_dir)),
    ("secret", Source::Special(|out, source| object(out, source, SECRET, "SecretName", "secretName"))),
    ("configMap", Source::Special(|out, source| object(out, source, CONFIG_MAP, "Name", "name"))),
    ("nfs", NFS),
    (
        "persistentVolumeClaim",
        Source::Fields {
            about: "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)",
            fields: &[("ClaimName", "claimName"), ("ReadOnly", "readOnly")],
        },
    ),
    ("ephemeral", Source::Special(ephemeral)),
    ("downwardAPI", Source::Special(downward)),
    ("projected", Source::Special(projected)),
    ("csi", Source::Special(csi)),
    (
        "image",
        Source::Fields {
            about: "Image (a container image or OCI artifact)",
            fields: &[("Reference", "reference"), ("PullPolicy", "pullPolicy")],
        },
    ),
];

const NFS: Source = Source::Fields {
    about: "NFS (an NFS mount that lasts the lifetime of a pod)",
    fields: &[("Server", "server"), ("Path", "path"), ("ReadOnly", "readOnly")],
};

/// Kinds of PersistentVolumes, as above.
const PERSISTENT: [(&str, Source); 4] = [
    ("hostPath", Source::Special(host_path)),
    ("nfs", NFS),
    (
        "local",
        Source::Fields {
            about: "LocalVolume (a persistent volume backed by local storage on a node)",
            fields: &[("Path", "path")],
        },
    ),
    ("csi", Source::Special(persistent_csi)),
];

const SECRET: &str = "Secret (a volume populated by a Secret)";
const CONFIG_MAP: &str = "ConfigMap (a volume populated by a ConfigMap)";

/// A field as Go prints it; an absent flag is false.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "false".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn host_path(out: &mut TabWriter, source: &Value) {
    out.field(2, "Type", "HostPath (bare host directory volume)");
    out.field(2, "Path", source.text("path"));
    out.field(2, "HostPathType", source.text_some("type").unwrap_or("<none>"));
}

fn empty_dir(out: &mut TabWriter, source: &Value) {
    out.field(2, "Type", "EmptyDir (a temporary directory that shares a pod's lifetime)");
    out.field(2, "Medium", source.text("medium"));
    let limit = source.text("sizeLimit").parse::<Quantity>().ok().filter(|limit| limit.sign() > 0);
    out.field(2, "SizeLimit", limit.map_or_else(|| "<unset>".to_owned(), |limit| limit.to_string()));
}

fn object(out: &mut TabWriter, source: &Value, about: &str, title: &str, field: &str) {
    out.field(2, "Type", about);
    out.field(2, title, source.text(field));
    out.field(2, "Optional", source.flag("optional"));
}

fn ephemeral(out: &mut TabWriter, source: &Value) {
    let about = "EphemeralVolume (an inline specification for a volume that gets created and deleted with the pod)";
    out.field(2, "Type", about);
    let spec = source.at("volumeClaimTemplate").at("spec");
    out.field(2, "StorageClass", spec.text("storageClassName"));
    out.field(2, "Volume", spec.text("volumeName"));
    let capacity = spec.at("resources").at("requests").text("storage");
    out.field(2, "Capacity", capacity);
    out.field(2, "Access Modes", or_none(&spec.texts("accessModes").join(",")));
}

fn downward(out: &mut TabWriter, source: &Value) {
    out.field(2, "Type", "DownwardAPI (a volume populated by information about the pod)");
    out.line(2, "Items:");
    for item in source.list("items") {
        for (kind, field) in [("fieldRef", "fieldPath"), ("resourceFieldRef", "resource")] {
            if let Some(reference) = item.get_some(kind) {
                out.line(3, format_args!("{} -> {}", reference.text(field), item.text("path")));
            }
        }
    }
}

fn projected(out: &mut TabWriter, source: &Value) {
    out.field(2, "Type", "Projected (a volume that contains injected data from multiple sources)");
    for source in source.list("sources") {
        if let Some(secret) = source.get_some("secret") {
            out.field(2, "SecretName", secret.text("name"));
            out.field(2, "Optional", secret.flag("optional"));
        } else if source.has("downwardAPI") {
            out.field(2, "DownwardAPI", "true");
        } else if let Some(map) = source.get_some("configMap") {
            out.field(2, "ConfigMapName", map.text("name"));
            out.field(2, "Optional", map.flag("optional"));
        } else if let Some(token) = source.get_some("serviceAccountToken") {
            out.field(2, "TokenExpirationSeconds", token.int("expirationSeconds"));
        }
    }
}

fn csi(out: &mut TabWriter, source: &Value) {
    csi_fields(out, source, &[]);
}

fn persistent_csi(out: &mut TabWriter, source: &Value) {
    csi_fields(out, source, &[("VolumeHandle", "volumeHandle")]);
}

fn csi_fields(out: &mut TabWriter, source: &Value, more: &[(&str, &str)]) {
    out.field(2, "Type", "CSI (a Container Storage Interface (CSI) volume source)");
    out.field(2, "Driver", source.text("driver"));
    out.field(2, "FSType", source.text("fsType"));
    more.iter().for_each(|(title, field)| out.field(2, title, source.text(field)));
    out.field(2, "ReadOnly", source.flag("readOnly"));
    let attributes = source.text_entries("volumeAttributes");
    if attributes.is_empty() {
        out.field(2, "VolumeAttributes", "<none>");
    }
    for (place, (key, value)) in attributes.into_iter().enumerate() {
        let title = if place == 0 { "VolumeAttributes:" } else { "" };
        out.line(2, format_args!("{title}\t{key}={value}"));
    }
}
