//! The shape of the API as OpenAPI 3: what `kubectl explain` prints, and by which `kubectl` sees that fields are validated.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api::View;
use crate::objects::schema::{self, Field, FieldType, TypeRef};

use super::path::api_version;
use super::resources::ApiResource;

/// `/openapi/v3`: a document for each group and version.
pub(super) fn index(view: &View) -> Value {
    let all = ApiResource::all(view);
    let versions = all.iter().map(|resource| (resource.group.clone(), resource.version.clone()));
    let paths = versions.map(|(group, version)| {
        let path = root(&group, &version);
        (path.clone(), json!({"serverRelativeURL": format!("/openapi/v3/{path}")}))
    });
    json!({"paths": paths.collect::<BTreeMap<_, _>>()})
}

fn root(group: &str, version: &str) -> String {
    let place = if group.is_empty() { "api" } else { "apis" };
    format!("{place}/{}", api_version(group, version))
}

/// The document of a group and version.
pub(super) fn of(view: &View, group: &str, version: &str) -> Option<Value> {
    let all = ApiResource::all(view);
    let here: Vec<&ApiResource> =
        all.iter().filter(|resource| (&*resource.group, &*resource.version) == (group, version)).collect();
    if here.is_empty() {
        return None;
    }
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut paths = Map::new();
    for resource in here {
        let id = json!({"group": group, "version": version, "kind": resource.kind});
        if let Some(ty) = schema::lookup(&resource.api_version(), &resource.kind) {
            add(&mut schemas, ty);
            if let Some(schema) = schemas.get_mut(&name_of(ty)) {
                schema["x-kubernetes-group-version-kind"] = json!([id]);
            }
        }
        let namespace = if resource.is_namespaced { "/namespaces/{namespace}" } else { "" };
        let list = format!("/{}{namespace}/{}", root(group, version), resource.plural);
        let operation = |action: &str| {
            let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
            let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
            json!({"parameters": parameters, "responses": {}, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": id})
        };
        let one = json!({"get": operation("get"), "put": operation("put"), "patch": operation("patch"), "delete": operation("delete")});
        paths.insert(format!("{list}/{{name}}"), one);
        paths.insert(list, json!({"get": operation("list"), "post": operation("post")}));
    }
    let info = json!({"title": "Kubernetes", "version": "v1.36.0"});
    Some(json!({"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}))
}

/// Unique, and of the letters that names of schemas may have.
fn name_of(ty: TypeRef) -> String {
    format!("io.k8s.api.{}", ty.path().replace('/', "."))
}

/// Adds a type and all that it refers to.
fn add(schemas: &mut BTreeMap<String, Value>, ty: TypeRef) {
    let mut left = vec![ty];
    while let Some(ty) = left.pop() {
        let name = name_of(ty);
        if schemas.contains_key(&name) {
            continue;
        }
        let fields = ty.fields();
        let properties: Map<String, Value> =
            fields.iter().map(|field| (field.name.to_owned(), property(field, &mut left))).collect();
        let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.name).collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        schemas.insert(name, schema);
    }
}

fn property(field: &Field, left: &mut Vec<TypeRef>) -> Value {
    let mut schema = schema_of(&field.ty, left);
    let strategies: Vec<&str> =
        [(field.patch.merge, "merge"), (field.patch.replace, "replace"), (field.patch.retain_keys, "retainKeys")]
            .into_iter()
            .filter_map(|(is_set, name)| is_set.then_some(name))
            .collect();
    if !strategies.is_empty() {
        schema["x-kubernetes-patch-strategy"] = strategies.join(",").into();
    }
    if let Some(key) = field.merge_key {
        schema["x-kubernetes-patch-merge-key"] = key.into();
    }
    schema
}

fn schema_of(ty: &FieldType, left: &mut Vec<TypeRef>) -> Value {
    match ty {
        FieldType::String => json!({"type": "string"}),
        FieldType::Int32 => json!({"type": "integer", "format": "int32"}),
        FieldType::Int64 => json!({"type": "integer", "format": "int64"}),
        FieldType::Bool => json!({"type": "boolean"}),
        FieldType::Number => json!({"type": "number", "format": "double"}),
        FieldType::Quantity => json!({"oneOf": [{"type": "string"}, {"type": "number"}]}),
        FieldType::IntOrString => {
            json!({"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]})
        }
        FieldType::Time | FieldType::MicroTime => json!({"type": "string", "format": "date-time"}),
        FieldType::Bytes => json!({"type": "string", "format": "byte"}),
        FieldType::Object(of) => {
            left.push(*of);
            // A reference has no room for anything beside it.
            json!({"allOf": [{"$ref": format!("#/components/schemas/{}", name_of(*of))}]})
        }
        FieldType::List(of) => json!({"type": "array", "items": schema_of(of, left)}),
        FieldType::Map(of) => json!({"type": "object", "additionalProperties": schema_of(of, left)}),
        FieldType::Any => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    }
}
