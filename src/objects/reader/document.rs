//! From a document's tree to manifests: kind, name, lists, the checks of the field table.

use std::sync::Arc;

use super::check::{Checker, quoted};
use super::error::{ReadErrorKind, Sink};
use super::limits::Limit;
use super::locate::{SpanIndex, Spans};
use super::span::Span;
use super::tree::{Content, KeyTable, Nodes, children, entries, path_of, pointed_span, to_json};
use crate::objects::schema::{self, FieldType, TypeRef};

/// A manifest as it was written, checked as far as the field table knows its kind.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Document {
    /// `group/version`, or the version of the core group.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// `metadata.name`; `None` if only `metadata.generateName` is given.
    pub name: Option<String>,
    /// `metadata.generateName`.
    pub generate_name: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
    /// The whole object.
    pub value: serde_json::Value,
    /// What the reader took without checking it, and why.
    pub notice: Option<Notice>,
    pub(super) spans: SpanIndex,
}

/// Something worth a line that is not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// Where.
    pub span: Span,
    /// What, in one line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Document {
    /// The range of the text that a field came from, or else the nearest field around it. Paths are those of field
    /// errors: `spec.template.spec.containers[0].name`, `metadata.labels[app.kubernetes.io/name]`.
    ///
    /// ```
    /// use seatrial::objects::reader::{ReaderLimits, read_manifests};
    ///
    /// let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - image: nginx\n";
    /// let pod = &read_manifests("pod.yaml", text, &ReaderLimits::default()).unwrap()[0];
    /// assert_eq!(pod.locate("spec.containers[0].image").unwrap().start.to_string(), "7:12");
    /// assert_eq!(pod.locate("spec.containers[0].name").unwrap().start.to_string(), "7:5");
    /// ```
    pub fn locate(&self, field_path: &str) -> Option<Span> {
        self.spans.locate(field_path)
    }
}

/// A document whose span index waits for the file's keys.
pub(super) struct Draft {
    pub(super) document: DraftDocument,
    pub(super) spans: Spans,
}

impl Draft {
    pub(super) fn finish(self, keys: &Arc<KeyTable>) -> Document {
        let DraftDocument { api_version, kind, name, generate_name, namespace, value, notice } = self.document;
        let spans = self.spans.index(keys);
        Document { api_version, kind, name, generate_name, namespace, value, notice, spans }
    }
}

/// [`Document`] without its span index.
pub(super) struct DraftDocument {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: Option<String>,
    pub(super) generate_name: Option<String>,
    pub(super) namespace: Option<String>,
    pub(super) value: serde_json::Value,
    pub(super) notice: Option<Notice>,
}

/// Takes the manifests out of one document's tree.
pub(super) struct Extractor<'c, 't> {
    pub(super) nodes: Nodes<'c, 't>,
    pub(super) keys: &'c KeyTable,
    pub(super) sink: &'c mut Sink<'t>,
    pub(super) drafts: &'c mut Vec<Draft>,
}

/// What a list says about the type of its items.
#[derive(Clone, Copy, Default)]
struct ItemDefaults<'c> {
    api_version: Option<&'c str>,
    kind: Option<&'c str>,
}

/// An object's type and where it says so.
struct TypeMeta<'c> {
    api_version: &'c str,
    kind: &'c str,
    place: Span,
}

impl<'c> Extractor<'c, '_> {
    pub(super) fn extract(&mut self) {
        self.object(0, ItemDefaults::default());
    }

    /// An object or, by its kind, a list of them. Recursion is bounded by the depth limit.
    fn object(&mut self, at: usize, defaults: ItemDefaults<'c>) {
        if !matches!(self.nodes[at].content, Content::Map) {
            let message = format!("a manifest is a mapping with apiVersion and kind, got {}", self.describe(at));
            self.error(at, Span::at(self.nodes[at].span.start), ReadErrorKind::NotAnObject, message, None);
            return;
        }
        let Some(meta) = self.type_meta(at, defaults) else { return };
        if meta.kind.ends_with("List")
            && let Some((_, items)) = self.get(at, "items")
        {
            return self.list(items, &meta);
        }
        let ty = schema::lookup(meta.api_version, meta.kind);
        self.check(at, ty);
        let names = self.names(at);
        // Errors anywhere in the file refuse the whole file; the rest is only checked.
        if self.sink.is_empty() {
            self.keep(at, &meta, ty, names);
        }
    }

    fn list(&mut self, items: usize, meta: &TypeMeta<'c>) {
        match self.nodes[items].content {
            Content::List => {}
            Content::Null => return,
            _ => {
                let message = format!("expected a list, got {}", self.describe(items));
                return self.error(items, self.nodes[items].span, ReadErrorKind::WrongType, message, None);
            }
        }
        let item_kind = meta.kind.strip_suffix("List").filter(|kind| !kind.is_empty());
        let defaults = ItemDefaults { api_version: item_kind.map(|_| meta.api_version), kind: item_kind };
        for item in children(self.nodes, items) {
            if self.sink.is_full() {
                return;
            }
            self.object(item, defaults);
        }
    }

    fn get(&self, map: usize, name: &str) -> Option<(usize, usize)> {
        let wanted = self.keys.find(name)?;
        entries(self.nodes, map).find(|&(_, _, id)| id == wanted).map(|(key, value, _)| (key, value))
    }

    fn describe(&self, at: usize) -> String {
        match &self.nodes[at].content {
            Content::List => "a list".to_owned(),
            Content::Map => "a mapping".to_owned(),
            Content::Str(text) => format!("the string {}", quoted(text)),
            Content::Null => "nothing".to_owned(),
            _ => format!("the value {}", to_json(self.nodes, self.keys, at)),
        }
    }

    fn error(&mut self, at: usize, span: Span, kind: ReadErrorKind, message: String, help: Option<String>) {
        let path = path_of(self.nodes, self.keys, 0, at);
        self.sink.push(*self.sink.error(span, kind, message).with_path(path).with_help(help));
    }

    /// An error about a field that `map` lacks.
    fn missing(&mut self, map: usize, field: &str, help: &str) {
        let start = self.nodes[map].span.start;
        let outer = path_of(self.nodes, self.keys, 0, map);
        let path = if outer.is_empty() { field.to_owned() } else { format!("{outer}.{field}") };
        let error = self.sink.error(Span::at(start), ReadErrorKind::MissingField, "the field is missing");
        self.sink.push(*error.with_path(path).with_help(help.to_owned()));
    }

    /// A field that must be a string and not empty: `Err` when it is there and is not.
    fn text(&mut self, map: usize, name: &str) -> Result<Option<&'c str>, ()> {
        let Some((key, at)) = self.get(map, name) else { return Ok(None) };
        let nodes = self.nodes;
        match &nodes[at].content {
            Content::Str(text) if text.is_empty() => Ok(None),
            Content::Str(text) => Ok(Some(text)),
            Content::Null => Ok(None),
            content => {
                let is_collection = matches!(content, Content::List | Content::Map);
                let span = pointed_span(nodes[at].span, is_collection, Some(nodes[key].span));
                let message = format!("expected a string, got {}", self.describe(at));
                let source = nodes[at].span.slice_line(self.sink.text).filter(|_| !is_collection);
                let help = source.map(super::suggest::in_quotes);
                self.error(at, span, ReadErrorKind::WrongType, message, help);
                Err(())
            }
        }
    }

    fn type_meta(&mut self, at: usize, defaults: ItemDefaults<'c>) -> Option<TypeMeta<'c>> {
        let (api_version, kind) = (self.text(at, "apiVersion"), self.text(at, "kind"));
        let api_version = api_version.map(|text| text.or(defaults.api_version));
        let kind = kind.map(|text| text.or(defaults.kind));
        if api_version == Ok(None) {
            let known =
                kind.ok().flatten().and_then(|kind| schema::known_kinds().iter().find(|known| known.kind == kind));
            let example = known.map_or("apps/v1", |known| known.api_version);
            self.missing(at, "apiVersion", &format!("add `apiVersion: {example}`"));
        }
        if kind == Ok(None) {
            self.missing(at, "kind", "add the kind of the object, such as `kind: Deployment`");
        }
        let (api_version, kind) = (api_version.ok()??, kind.ok()??);
        let place = self.get(at, "kind").map_or(self.nodes[at].span, |(_, value)| self.nodes[value].span);
        Some(TypeMeta { api_version, kind, place })
    }

    /// The field table's checks; of a kind without a table only the metadata.
    fn check(&mut self, at: usize, ty: Option<TypeRef>) {
        let metadata = self.get(at, "metadata");
        let mut checker = Checker::new(self.nodes, self.keys, self.sink, at);
        match (ty, metadata, object_meta()) {
            (Some(ty), ..) => checker.object(at, ty),
            (None, Some((key, metadata)), Some((owner, ty))) => checker.field(key, metadata, ty, owner),
            _ => {}
        }
    }

    /// Name, generateName and namespace; their types are checked already.
    fn names(&mut self, at: usize) -> [Option<&'c str>; 3] {
        let Some((_, metadata)) = self.get(at, "metadata").filter(|&(_, at)| !self.is_null(at)) else {
            self.missing(at, "metadata", "add `metadata:` with a `name:` below it");
            return [None; 3];
        };
        let nodes = self.nodes;
        let read = |name: &str| match self.get(metadata, name) {
            Some((_, at)) => match &nodes[at].content {
                Content::Str(text) => (!text.is_empty()).then_some(&**text),
                _ => None,
            },
            None => None,
        };
        let names = [read("name"), read("generateName"), read("namespace")];
        let is_wrong = |name: &str| {
            self.get(metadata, name)
                .is_some_and(|(_, at)| !matches!(nodes[at].content, Content::Str(_) | Content::Null))
        };
        let is_checked =
            !matches!(nodes[metadata].content, Content::Map) || is_wrong("name") || is_wrong("generateName");
        if names[0].is_none() && names[1].is_none() && !is_checked {
            self.missing(metadata, "name", "every object has a name: add `name:`");
        }
        names
    }

    fn is_null(&self, at: usize) -> bool {
        matches!(self.nodes[at].content, Content::Null)
    }

    fn keep(&mut self, at: usize, meta: &TypeMeta<'c>, ty: Option<TypeRef>, names: [Option<&str>; 3]) {
        if self.drafts.len() >= self.sink.limits.max_documents {
            let error = self.sink.over(Limit::Documents, Span::at(self.nodes[at].span.start));
            return self.sink.push(*error);
        }
        let mut value = to_json(self.nodes, self.keys, at);
        for (name, text) in [("apiVersion", meta.api_version), ("kind", meta.kind)] {
            // Items of typed lists need not repeat their type.
            if value[name].is_null() || value[name] == "" {
                value[name] = text.into();
            }
        }
        let [name, generate_name, namespace] = names.map(|name| name.map(str::to_owned));
        let notice = ty.is_none().then(|| unknown_kind(meta));
        let (api_version, kind) = (meta.api_version.to_owned(), meta.kind.to_owned());
        let document = DraftDocument { api_version, kind, name, generate_name, namespace, value, notice };
        self.drafts.push(Draft { document, spans: Spans::of(self.nodes, at) });
    }
}

/// The type of `metadata`, which all kinds share.
fn object_meta() -> Option<(TypeRef, &'static FieldType)> {
    let pod = schema::lookup("v1", "Pod")?;
    Some((pod, &pod.field("metadata")?.ty))
}

fn unknown_kind(meta: &TypeMeta<'_>) -> Notice {
    let TypeMeta { api_version, kind, place } = meta;
    let served = schema::known_kinds().iter().find(|known| known.kind == *kind);
    let similar = super::suggest::similar(
        kind,
        schema::known_kinds().iter().filter(|known| known.api_version == *api_version).map(|known| known.kind),
    );
    let help = match (served, similar) {
        (Some(known), _) => Some(format!("the simulated {kind} has apiVersion {}", known.api_version)),
        (None, Some(similar)) => Some(format!("did you mean \"{similar}\"?")),
        (None, None) => None,
    };
    let message = format!("the kind {kind} of {api_version} is not simulated: it is kept as it is and not checked");
    Notice { span: *place, message, help }
}
