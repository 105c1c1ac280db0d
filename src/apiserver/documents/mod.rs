//! What users send: whole documents in wire form.

mod apply;
mod patch;
mod repeated;
mod rules;
mod served;

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::api::{ApiError, Part, Response};
use crate::objects::{Key, Kind, Object, ObjectMeta, Resource, Service, Uid, WallTime, WireError};
use crate::objects::{schema, validation, versions};

use super::strategy::{Stored, by_object};
use super::{ApiServer, errors, pod_admission};

pub use apply::{Applied, LAST_APPLIED};
pub(super) use repeated::Repeated;

/// Metadata that the server gives, whatever a client says.
const SYSTEM_METADATA: [&str; 7] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "managedFields",
    "selfLink",
];

/// The kind of a document, and where it belongs.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) api_version: String,
    pub(super) kind_name: String,
    pub(super) kind: Kind,
}

impl Header {
    pub(super) fn read(document: &Value) -> Result<Self, ApiError> {
        let text = |key: &str| document.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
        let (api_version, kind_name) = (text("apiVersion"), text("kind"));
        for (name, value) in [("Kind", &kind_name), ("apiVersion", &api_version)] {
            if value.is_empty() {
                return Err(errors::bad_request(format!("Object '{name}' is missing in '{}'", excerpt(document))));
            }
        }
        let kind = Kind::of(&api_version, &kind_name).unwrap_or(Kind::Opaque);
        let header = Self { api_version, kind_name, kind };
        let is_elsewhere =
            header.is_of_kubernetes() && header.ruled_as().is_empty() && validation::is_known(&header.kind_name);
        if is_elsewhere || served::is_missing(&header.api_version, &header.kind_name) {
            let Self { api_version, kind_name, .. } = header;
            return Err(errors::bad_request(format!("no matches for kind {kind_name:?} in version {api_version:?}")));
        }
        Ok(header)
    }

    /// Whether the group is one of Kubernetes itself. Others are served by whoever defines them.
    pub(super) fn is_of_kubernetes(&self) -> bool {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        !group.contains('.') || group.ends_with(".k8s.io")
    }

    /// The kind whose defaults and validation hold; empty for kinds that are defined elsewhere, whatever their name.
    pub(super) fn ruled_as(&self) -> &str {
        let is_known = schema::lookup(&self.api_version, &self.kind_name).is_some();
        if is_known { &self.kind_name } else { "" }
    }

    /// `Kind.group`.
    pub(super) fn qualified_kind(&self) -> String {
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{}.{group}", self.kind_name),
            None => self.kind_name.clone(),
        }
    }

    pub(super) fn key(&self, namespace: &str, name: &str) -> Key {
        match self.kind {
            Kind::Opaque => Key::new(namespace, format!("{}/{name}", self.qualified_kind())),
            _ => Key::new(namespace, name),
        }
    }

    fn malformed(&self, error: &WireError) -> ApiError {
        let (kind, version) = (&self.kind_name, self.api_version.rsplit('/').next().unwrap_or(""));
        errors::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {error}"))
    }
}

/// The beginning of a document, for a message.
fn excerpt(document: &Value) -> String {
    const CHARS_MAX: usize = 200;
    let text = document.to_string();
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Metadata of a document, made if there is none.
fn metadata(document: &mut Value) -> Result<&mut Map<String, Value>, ApiError> {
    let malformed = || errors::bad_request("metadata is not an object");
    let metadata = document.as_object_mut().ok_or_else(malformed)?.entry("metadata").or_insert(Value::Null);
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    metadata.as_object_mut().ok_or_else(malformed)
}

/// Puts an object where it goes without saying: namespaced ones into `default`, others into none.
pub(super) fn place(header: &Header, document: &mut Value) -> Result<(), ApiError> {
    let metadata = metadata(document)?;
    if !rules::is_namespaced(header) {
        metadata.remove("namespace");
    } else if metadata.get("namespace").and_then(Value::as_str).unwrap_or("").is_empty() {
        metadata.insert("namespace".into(), "default".into());
    }
    Ok(())
}

fn text_of<'a>(document: &'a Value, key: &str) -> &'a str {
    document.get("metadata").and_then(|metadata| metadata.get(key)).and_then(Value::as_str).unwrap_or("")
}

impl ApiServer {
    /// Creates an object from a document as `kubectl create` sends it: it is put into its namespace, defaulted, admitted
    /// and validated.
    ///
    /// # Errors
    /// If the document is malformed or invalid, the name is taken, or admission refuses it.
    pub fn create_document(&mut self, now: WallTime, mut document: Value) -> Response {
        versions::to_stored(&mut document);
        let nameless = match self.create_like_earlier(now, &mut document) {
            Ok(response) => return response,
            Err(nameless) => nameless,
        };
        let header = Header::read(&document)?;
        place(&header, &mut document)?;
        let metadata = metadata(&mut document)?;
        if metadata.get("resourceVersion").and_then(Value::as_str).is_some_and(|version| !version.is_empty()) {
            return Err(errors::bad_request("resourceVersion should not be set on objects to be created"));
        }
        SYSTEM_METADATA.iter().for_each(|key| drop(metadata.remove(*key)));
        let has_labels = metadata.get("labels").and_then(Value::as_object).is_some_and(|labels| !labels.is_empty());
        rules::complete(&header, &mut document);
        self.admit_document(&header, &mut document)?;
        self.name_document(&header, &mut document)?;
        self.allocate_in_document(&mut document, None)?;
        let uid = self.identity.uid(header.kind, text_of(&document, "namespace"), text_of(&document, "name"));
        rules::prepare_for_create(&header, &mut document, now, &uid, has_labels);
        rules::validate_create(self.feature_gates, &header, &document)?;
        let object = Object::from_wire(document).map_err(|error| header.malformed(&error))?;
        if let (Object::Pod(pod), Some(nameless)) = (&object, nameless) {
            self.repeated.remember(nameless, pod);
        }
        by_object!(object, typed => self.create_prepared(now, typed, uid))
    }

    /// Replaces an object by a document, as `kubectl replace` sends it.
    ///
    /// # Errors
    /// If there is no such object, it changed meanwhile, or the document is malformed or invalid.
    pub fn update_document(&mut self, _now: WallTime, mut document: Value, part: Part) -> Response {
        versions::to_stored(&mut document);
        let header = Header::read(&document)?;
        place(&header, &mut document)?;
        let key = header.key(text_of(&document, "namespace"), text_of(&document, "name"));
        let old = self.get(header.kind, &key)?;
        self.update_wire(&header, &key, &old.to_wire(), document, part)
    }

    /// Brings a changed document through the rules of updates. `old` is the stored object.
    pub(super) fn update_wire(
        &mut self,
        header: &Header,
        key: &Key,
        old: &Value,
        mut new: Value,
        part: Part,
    ) -> Response {
        let stored = text_of(old, "resourceVersion");
        match text_of(&new, "resourceVersion") {
            // Unconditional: whatever is stored.
            "" | "0" => drop(metadata(&mut new)?.insert("resourceVersion".into(), stored.into())),
            given if given == stored => {}
            _ => return Err(errors::conflict(header.kind, key, errors::MODIFIED)),
        }
        rules::complete(header, &mut new);
        if part == Part::Main {
            self.allocate_in_document(&mut new, Some(old))?;
        }
        if part != Part::Finalize {
            rules::prepare_for_update(header, &mut new, old, part);
            rules::validate_update(self.feature_gates, header, &new, old, part)?;
        }
        if text_of(&new, "name") != text_of(old, "name") {
            let detail = format!("Invalid value: {:?}: field is immutable", text_of(&new, "name"));
            return Err(errors::invalid(header.kind, key, "metadata.name", "FieldValueInvalid", detail));
        }
        if text_of(&new, "namespace") != text_of(old, "namespace") {
            return Err(errors::bad_request(errors::OTHER_NAMESPACE));
        }
        let object = Object::from_wire(new).map_err(|error| header.malformed(&error))?;
        by_object!(object, typed => self.update(&typed, part))
    }

    /// Stores an object that a document was made into.
    fn create_prepared<T: Stored>(&mut self, now: WallTime, object: Arc<T>, uid: Uid) -> Response {
        let mut object = Arc::unwrap_or_clone(object);
        object.admit(self)?;
        self.charge_new(now, &object)?;
        let meta = object.meta_mut();
        meta.uid = uid;
        meta.creation_timestamp = Some(now.timestamp());
        Ok(self.add(object))
    }

    fn admit_document(&self, header: &Header, document: &mut Value) -> Result<(), ApiError> {
        let wire = document.get("metadata").cloned().unwrap_or_default();
        let meta: ObjectMeta = serde_json::from_value(wire)
            .map_err(|error| header.malformed(&WireError { path: "metadata".into(), message: error.to_string() }))?;
        let key = header.key(&meta.namespace, if meta.name.is_empty() { &meta.generate_name } else { &meta.name });
        self.admit_into_namespace(header.kind, &meta, || key.clone())?;
        if header.kind == Kind::Pod && self.apply_presets_to_document(&meta, document) {
            rules::complete(header, document);
        }
        if header.kind == Kind::Pod
            && let Some(Value::Object(spec)) = document.get_mut("spec")
        {
            let why = pod_admission::admit_wire(self.view(), spec);
            why.map_err(|why| errors::forbidden(Kind::Pod, &key, why))?;
        }
        Ok(())
    }

    /// Makes a name from `generateName` if there is none, and checks that the name is free.
    fn name_document(&mut self, header: &Header, document: &mut Value) -> Result<(), ApiError> {
        let (namespace, base) =
            (text_of(document, "namespace").to_owned(), text_of(document, "generateName").to_owned());
        let given: Arc<str> = text_of(document, "name").into();
        if given.is_empty() && base.is_empty() {
            return Ok(());
        }
        let name = self.free_name(header.kind, &namespace, &given, &base, |server, name| {
            let key = header.key(&namespace, name);
            let taken = server.view().object(header.kind, &key).map(|taken| taken.meta().clone());
            (key, taken)
        });
        let name = name.map_err(|taken| errors::name_is_taken(header.kind, &taken.0, &taken.1, &base))?;
        metadata(document)?.insert("name".into(), name.to_string().into());
        if header.kind == Kind::Namespace {
            rules::complete(header, document);
        }
        Ok(())
    }

    /// Completes a service with address and ports, as far as it is well-formed: the rest is for validation to say.
    fn allocate_in_document(&self, document: &mut Value, old: Option<&Value>) -> Result<(), ApiError> {
        let text = |key| document.get(key).and_then(Value::as_str);
        if (text("apiVersion"), text("kind")) != (Some("v1"), Some("Service")) {
            return Ok(());
        }
        let read = |wire: &Value| Service::from_wire(wire.clone()).is_ok();
        if !read(document) || old.is_some_and(|old| !read(old)) {
            return Ok(());
        }
        let (namespace, name) = (text_of(document, "namespace"), text_of(document, "name"));
        let name = if name.is_empty() { text_of(document, "generateName") } else { name };
        let key = Key::new(namespace, name);
        if let Some(spec) = document.get_mut("spec") {
            self.services.allocate_in(&key, spec, old.and_then(|old| old.get("spec")))?;
        }
        Ok(())
    }
}
