//! Nothing that a document says is lost by the typed form.

use serde_json::{Map, Value, json};

use super::schema::{self, Field, FieldType, TypeRef};
use super::wire::WireMut;
use super::{Kind, Object};

/// What the API server writes, and what it does not keep.
const FOREIGN: [&str; 3] = ["managedFields", "selfLink", "resourceVersion"];
/// What nothing here reads and no controller of Kubernetes writes.
const LEFT_OUT: [&str; 3] = ["targetRef.apiVersion", "targetRef.fieldPath", "status.attachedListenerSets"];
/// Deep enough for the containers of a CronJob's pods.
const DEPTH: usize = 9;

/// What the field of a type may say, where that is not any text.
fn word(owner: &str, field: &str) -> &'static str {
    match (owner, field) {
        ("Toleration", "operator") => "Equal",
        (_, "operator") => "In",
        (_, "status") => "True",
        (_, "selectPolicy") => "Max",
        (_, "concurrencyPolicy") => "Allow",
        (_, "accessModes") => "ReadWriteOnce",
        (_, "reclaimPolicy" | "persistentVolumeReclaimPolicy") => "Retain",
        (_, "from") => "All",
        ("HTTPPathModifier", "type") => "ReplaceFullPath",
        (_, "pathType") | ("HTTPHeaderMatch" | "HTTPQueryParamMatch", "type") => "Exact",
        ("HTTPPathMatch", "type") => "PathPrefix",
        ("HTTPRouteFilter", "type") => "RequestHeaderModifier",
        (_, "restartPolicy") => "Always",
        (_, "type") if owner.ends_with("Strategy") => "RollingUpdate",
        ("MetricSpec" | "MetricStatus", "type") => "Resource",
        ("MetricTarget", "type") => "Value",
        ("HPAScalingPolicy", "type") => "Pods",
        (_, "policyTypes") => "Egress",
        (_, "volumeBindingMode") => "Immediate",
        (_, "volumeMode") => "Block",
        ("JobSpec", "completionMode") => "Indexed",
        ("PodFailurePolicyRule", "action") => "Ignore",
        (_, "podReplacementPolicy") => "Failed",
        (_, "podManagementPolicy") => "Parallel",
        (_, "whenDeleted" | "whenScaled") => "Delete",
        _ => "text",
    }
}

/// A value of the type, with every field set.
fn filled(owner: &str, name: &str, ty: &FieldType, depth: usize) -> Option<Value> {
    Some(match ty {
        FieldType::String => json!(word(owner, name)),
        FieldType::Int32 | FieldType::Int64 | FieldType::Number => json!(3),
        FieldType::Bool => json!(true),
        FieldType::Quantity => json!("3"),
        FieldType::IntOrString => json!("30%"),
        FieldType::Time => json!("2026-01-01T00:00:00Z"),
        FieldType::MicroTime => json!("2026-01-01T00:00:00.123456Z"),
        FieldType::Bytes => json!("YQ=="),
        FieldType::Any => json!({"any": "thing"}),
        FieldType::Object(ty) => object(*ty, depth.checked_sub(1)?),
        FieldType::List(of) => json!([filled(owner, name, of, depth)?]),
        FieldType::Map(of) => json!({"key": filled(owner, name, of, depth)?}),
    })
}

fn object(ty: TypeRef, depth: usize) -> Value {
    // A metric has one source.
    let is_other =
        |name: &str| matches!(ty.name(), "MetricSpec" | "MetricStatus") && !matches!(name, "type" | "resource");
    let fields = ty.fields().iter().filter(|field| !FOREIGN.contains(&field.name) && !is_other(field.name));
    let filled = |field: &Field| filled(ty.name(), field.name, &field.ty, depth);
    let set = fields.filter_map(|field| Some((field.name.to_owned(), filled(field)?)));
    Value::Object(set.collect::<Map<_, _>>())
}

/// Paths of what the first has and the second has not, or has otherwise.
fn lost(path: &str, was: &Value, is: &Value, into: &mut Vec<String>) {
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (name, value) in was {
                let path = format!("{path}.{name}");
                match is.get(name) {
                    Some(now) => lost(&path, value, now, into),
                    None => into.push(path),
                }
            }
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            was.iter().zip(is).for_each(|(was, is)| lost(&format!("{path}[]"), was, is, into));
        }
        (was, is) if was != is => into.push(format!("{path}: {was} -> {is}")),
        _ => {}
    }
}

#[test]
fn a_document_comes_back_whole() {
    let mut told = Vec::new();
    for known in schema::known_kinds() {
        if Kind::of(known.api_version, known.kind).is_none() {
            continue;
        }
        let mut document = object(known.ty, DEPTH);
        document["apiVersion"] = known.api_version.into();
        document["kind"] = known.kind.into();
        if known.kind == "Pod" {
            // That is its kubelet's, which is simulated.
            document.take_field("status");
        }
        match Object::from_wire(document.clone()) {
            Ok(object) => {
                let mut paths = Vec::new();
                lost(known.kind, &document, &object.to_wire(), &mut paths);
                told.extend(paths);
            }
            Err(error) => told.push(format!("{}: {error}", known.kind)),
        }
    }
    told.retain(|path| !LEFT_OUT.iter().any(|end| path.ends_with(end)));
    assert_eq!(told, Vec::<String>::new(), "{told:#?}");
}
