//! The shape of the API types: fields, their types, and how lists of them are patched.
//!
//! The tables are generated (`xtask`): one from Kubernetes 1.36's OpenAPI document, which covers every type reachable from
//! the kinds the simulator knows, and one from the custom resource definitions of the Gateway API, which also says what
//! their schemas demand of each value. Other custom resources have no schema and are opaque.

mod parse;

use std::fmt;

/// How strategic merge patch treats a field (`x-kubernetes-patch-strategy`). No flag set: lists are replaced, objects
/// are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PatchStrategy {
    /// Lists are merged, by [`Field::merge_key`] when the elements are objects.
    pub merge: bool,
    /// Objects are replaced instead of merged.
    pub replace: bool,
    /// `$retainKeys` directives are generated when diffing.
    pub retain_keys: bool,
}

/// How server-side apply treats a list (`x-kubernetes-list-type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListType {
    /// The list is one value.
    Atomic,
    /// The elements are distinct scalars.
    Set,
    /// The elements are objects identified by [`Field::list_map_keys`].
    Map,
}

/// The JSON type of a field or of an element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// A string.
    String,
    /// A 32-bit integer.
    Int32,
    /// A 64-bit integer.
    Int64,
    /// A boolean.
    Bool,
    /// A floating-point number.
    Number,
    /// A `resource.Quantity`: a string or a number.
    Quantity,
    /// An `intstr.IntOrString`.
    IntOrString,
    /// A `metav1.Time`: RFC 3339 with whole seconds.
    Time,
    /// A `metav1.MicroTime`: RFC 3339 with microseconds.
    MicroTime,
    /// Base64 text.
    Bytes,
    /// An object with known fields.
    Object(TypeRef),
    /// An array.
    List(Box<FieldType>),
    /// An object with free keys.
    Map(Box<FieldType>),
    /// Any JSON value (`runtime.RawExtension`, `metav1.FieldsV1`).
    Any,
}

/// One field of an object type.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// The JSON name.
    pub name: &'static str,
    /// The JSON type.
    pub ty: FieldType,
    /// Whether the OpenAPI document lists the field as required.
    pub required: bool,
    /// What strategic merge patch does with the field.
    pub patch: PatchStrategy,
    /// The field that identifies an element when strategic merge patch merges a list of objects.
    pub merge_key: Option<&'static str>,
    /// What server-side apply does with the list.
    pub list_type: Option<ListType>,
    /// The fields that identify an element of a [`ListType::Map`] list.
    pub list_map_keys: Vec<&'static str>,
    /// What the schema of a custom resource demands of the value.
    pub demands: Demands,
    /// What it demands of each element of a list or map.
    pub each: Demands,
    /// What a custom resource has if nothing is given, as JSON.
    pub default: Option<&'static str>,
}

/// What the schema of a custom resource demands of a value; `None` and empty = nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Demands {
    /// The least number.
    pub min: Option<i64>,
    /// The greatest number.
    pub max: Option<i64>,
    /// The fewest characters of a string.
    pub min_length: Option<usize>,
    /// The most characters of a string.
    pub max_length: Option<usize>,
    /// The fewest elements of a list.
    pub min_items: Option<usize>,
    /// The most elements of a list.
    pub max_items: Option<usize>,
    /// The most entries of a map.
    pub max_properties: Option<usize>,
    /// A regular expression that a string matches somewhere.
    pub pattern: Option<&'static str>,
    /// The only values, in the schema's order.
    pub allowed: Vec<&'static str>,
}

/// A known object type. Cheap to copy and compare.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeRef(u16);

impl TypeRef {
    /// The Go type's name, such as `PodSpec`. Not unique across packages.
    pub fn name(self) -> &'static str {
        let path = self.path();
        path.rsplit_once('.').map_or(path, |(_, name)| name)
    }

    /// The unique name with package and version, such as `core/v1.PodSpec`.
    pub fn path(self) -> &'static str {
        self.info().path
    }

    /// The field with this exact JSON name.
    pub fn field(self, name: &str) -> Option<&'static Field> {
        let fields = self.fields();
        fields.binary_search_by(|field| field.name.cmp(name)).ok().map(|index| &fields[index])
    }

    /// All fields in byte order of their names.
    pub fn fields(self) -> &'static [Field] {
        &self.info().fields
    }

    /// Whether a custom resource definition defines the type: other rules hold for decoding, defaults and patches.
    pub fn is_custom(self) -> bool {
        self.info().is_custom
    }

    fn info(self) -> &'static parse::TypeInfo {
        &parse::table().types[usize::from(self.0)]
    }
}

impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

/// The type of a kind, or `None` for a kind without a schema.
///
/// ```
/// use seatrial::objects::schema;
///
/// let pod = schema::lookup("v1", "Pod").unwrap();
/// assert_eq!(pod.name(), "Pod");
/// assert!(schema::lookup("example.com/v1", "Pod").is_none());
/// ```
pub fn lookup(api_version: &str, kind: &str) -> Option<TypeRef> {
    let kinds = &parse::table().kinds;
    let found = kinds.binary_search_by(|known| (known.api_version, known.kind).cmp(&(api_version, kind)));
    found.ok().map(|index| kinds[index].ty)
}

/// A kind with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KnownKind {
    /// `group/version`, or only the version for the core group.
    pub api_version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// Its type.
    pub ty: TypeRef,
}

/// Every kind with a schema, in byte order of (apiVersion, kind).
pub fn known_kinds() -> &'static [KnownKind] {
    &parse::table().kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ty(api_version: &str, kind: &str) -> TypeRef {
        lookup(api_version, kind).unwrap_or_else(|| panic!("{api_version} {kind} is known"))
    }

    fn object(ty: TypeRef, field: &str) -> TypeRef {
        match &ty.field(field).unwrap_or_else(|| panic!("{ty:?}.{field}")).ty {
            FieldType::Object(ty) => *ty,
            other => panic!("{ty:?}.{field} is {other:?}"),
        }
    }

    #[test]
    fn every_kind_has_metadata_and_type_meta() {
        assert_eq!(known_kinds().len(), 44);
        for known in known_kinds() {
            assert_eq!(lookup(known.api_version, known.kind), Some(known.ty));
            assert_eq!(known.ty.name(), known.kind);
            assert_eq!(known.ty.field("kind").unwrap().ty, FieldType::String);
            assert_eq!(object(known.ty, "metadata").path(), "meta/v1.ObjectMeta");
        }
    }

    #[test]
    fn kinds_types_and_fields_are_sorted_for_binary_search() {
        let table = parse::table();
        assert!(table.kinds.is_sorted_by(|a, b| (a.api_version, a.kind) < (b.api_version, b.kind)));
        assert!(table.types.is_sorted_by(|a, b| a.path < b.path));
        for info in &table.types {
            assert!(info.fields.is_sorted_by(|a, b| a.name < b.name), "{}", info.path);
        }
    }

    #[test]
    fn merge_keys_and_list_map_keys_are_fields_of_the_element() {
        for field in parse::table().types.iter().flat_map(|info| &info.fields) {
            let FieldType::List(element) = &field.ty else {
                assert_eq!((field.merge_key, field.list_type), (None, None), "{field:?}");
                continue;
            };
            let keys: Vec<_> = field.merge_key.iter().chain(&field.list_map_keys).collect();
            assert_eq!(field.list_map_keys.is_empty(), field.list_type != Some(ListType::Map), "{field:?}");
            if keys.is_empty() {
                continue;
            }
            let FieldType::Object(element) = **element else { panic!("{field:?} has keys but no objects") };
            for key in keys {
                assert!(element.field(key).is_some(), "{field:?}: {element:?} has no {key}");
            }
        }
    }

    #[test]
    fn pod_spec_carries_patch_metadata() {
        let spec = object(ty("v1", "Pod"), "spec");
        let containers = spec.field("containers").unwrap();
        assert!(containers.required && containers.patch.merge && !containers.patch.retain_keys);
        assert_eq!(containers.merge_key, Some("name"));
        assert_eq!((containers.list_type, &containers.list_map_keys[..]), (Some(ListType::Map), &["name"][..]));
        let volumes = spec.field("volumes").unwrap();
        assert!(volumes.patch.merge && volumes.patch.retain_keys && !volumes.required);
        assert_eq!(spec.field("nodeSelector").unwrap().ty, FieldType::Map(Box::new(FieldType::String)));
        assert_eq!(spec.field("activeDeadlineSeconds").unwrap().ty, FieldType::Int64);
        assert!(spec.field("Containers").is_none());
    }

    #[test]
    fn custom_resources_carry_what_their_schemas_demand() {
        let gateway = ty("gateway.networking.k8s.io/v1", "Gateway");
        assert_eq!(lookup("gateway.networking.k8s.io/v1beta1", "Gateway"), Some(gateway));
        assert!(gateway.is_custom() && !ty("v1", "Pod").is_custom());
        let spec = object(gateway, "spec");
        let listeners = spec.field("listeners").unwrap();
        assert_eq!((listeners.demands.min_items, listeners.demands.max_items), (Some(1), Some(64)));
        let FieldType::List(listener) = &listeners.ty else { panic!("{listeners:?}") };
        let FieldType::Object(listener) = **listener else { panic!("{listeners:?}") };
        let port = listener.field("port").unwrap();
        assert_eq!((port.demands.min, port.demands.max, port.required), (Some(1), Some(65535), true));
        assert_eq!(listener.field("allowedRoutes").unwrap().default, Some(r#"{"namespaces":{"from":"Same"}}"#));
        let route = object(ty("gateway.networking.k8s.io/v1", "HTTPRoute"), "spec");
        assert_eq!(route.field("hostnames").unwrap().each.max_length, Some(253));
    }

    #[test]
    fn defaults_are_json_and_patterns_are_regular_expressions() {
        for field in parse::table().types.iter().flat_map(|info| &info.fields) {
            assert!(
                field.default.is_none_or(|text| serde_json::from_str::<serde_json::Value>(text).is_ok()),
                "{field:?}"
            );
            for pattern in field.demands.pattern.iter().chain(&field.each.pattern) {
                assert!(regex::Regex::new(pattern).is_ok(), "{field:?}");
            }
        }
    }

    #[test]
    fn special_types_are_recognised() {
        let spec = object(ty("apps/v1", "Deployment"), "spec");
        let rolling = object(object(spec, "strategy"), "rollingUpdate");
        assert_eq!(rolling.field("maxSurge").unwrap().ty, FieldType::IntOrString);
        assert_eq!(ty("v1", "Secret").field("data").unwrap().ty, FieldType::Map(Box::new(FieldType::Bytes)));
        assert_eq!(ty("v1", "Event").field("eventTime").unwrap().ty, FieldType::MicroTime);
        assert_eq!(ty("apps/v1", "ControllerRevision").field("data").unwrap().ty, FieldType::Any);
        let meta = object(ty("v1", "Pod"), "metadata");
        assert_eq!(meta.field("creationTimestamp").unwrap().ty, FieldType::Time);
        let overhead = object(ty("node.k8s.io/v1", "RuntimeClass"), "overhead");
        assert_eq!(overhead.field("podFixed").unwrap().ty, FieldType::Map(Box::new(FieldType::Quantity)));
    }
}
