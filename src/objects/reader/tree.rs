//! A YAML or JSON text as a tree in which every node knows its place.
//!
//! The nodes of a document lie in one vector, parents before children, each with the size of its subtree: building,
//! copying (aliases) and dropping a tree cost nothing per node. Keys are interned per file.

use std::borrow::Cow;
use std::sync::Arc;

use indexmap::IndexSet;
use rustc_hash::FxBuildHasher;
use serde_json::{Map, Number};

use super::span::Span;

/// The distinct keys of one file.
#[derive(Debug, Default)]
pub(super) struct KeyTable(IndexSet<Box<str>, FxBuildHasher>);

/// A key's number in its file's [`KeyTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyId(pub(super) u32);

impl KeyTable {
    pub(super) fn intern(&mut self, key: &str) -> KeyId {
        let index = match self.0.get_index_of(key) {
            Some(index) => index,
            None => self.0.insert_full(key.into()).0,
        };
        KeyId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    pub(super) fn find(&self, key: &str) -> Option<KeyId> {
        self.0.get_index_of(key).and_then(|index| u32::try_from(index).ok()).map(KeyId)
    }

    pub(super) fn text(&self, key: KeyId) -> &str {
        self.0.get_index(key.0 as usize).map_or("", |text| text)
    }
}

/// What a node is. The children of a map alternate between keys and values.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content<'t> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    Str(Cow<'t, str>),
    List,
    Map,
    Key(KeyId),
    /// YAML's `<<`; gone once a document is finished.
    MergeKey,
}

/// A node with the size of its subtree, itself included.
#[derive(Debug, Clone)]
pub(super) struct NodeData<'t> {
    pub(super) span: Span,
    pub(super) size: u32,
    pub(super) content: Content<'t>,
}

/// Nodes of one document, its root first.
pub(super) type Nodes<'n, 't> = &'n [NodeData<'t>];

/// The indices of a collection's children; for a map: key, value, key, value, …
pub(super) fn children<'n, 't>(nodes: Nodes<'n, 't>, at: usize) -> impl Iterator<Item = usize> + use<'n, 't> {
    let end = at + nodes[at].size as usize;
    let mut next = at + 1;
    std::iter::from_fn(move || {
        let child = next;
        (child < end).then(|| {
            next += nodes[child].size as usize;
            child
        })
    })
}

/// The entries of a map: indices of key and value, and the key.
pub(super) fn entries<'n, 't>(
    nodes: Nodes<'n, 't>,
    at: usize,
) -> impl Iterator<Item = (usize, usize, KeyId)> + use<'n, 't> {
    let mut all = children(nodes, at);
    std::iter::from_fn(move || {
        loop {
            let (key, value) = (all.next()?, all.next()?);
            if let Content::Key(id) = nodes[key].content {
                return Some((key, value, id));
            }
        }
    })
}

/// The path of a node or key from `root`, in the words of field paths: `spec.containers[0].image`.
pub(super) fn path_of(nodes: Nodes<'_, '_>, keys: &KeyTable, root: usize, target: usize) -> String {
    let mut path = String::new();
    let mut at = root;
    while at != target {
        let is_map = matches!(nodes[at].content, Content::Map);
        let holds = |child: usize| (child..child + nodes[child].size as usize).contains(&target);
        let mut index = 0;
        let mut name = "";
        let Some(child) = children(nodes, at).find(|&child| {
            match nodes[child].content {
                Content::Key(id) => name = keys.text(id),
                Content::MergeKey => name = "<<",
                _ => index += 1,
            }
            holds(child)
        }) else {
            break;
        };
        if !is_map {
            path.push_str(&format!("[{}]", index - 1));
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(name);
        }
        at = child;
    }
    path
}

/// The range to underline for a value: the value itself when it is short text, else the key that holds it.
pub(super) fn pointed_span(value: Span, is_collection: bool, key: Option<Span>) -> Span {
    match key {
        Some(key) if is_collection || value.is_empty() => key,
        _ if value.start.line == value.end.line => value,
        _ => Span { start: value.start, end: value.start },
    }
}

/// A value of a spanned tree.
///
/// ```
/// use seatrial::objects::reader::{ReaderLimits, Value, parse_spanned};
///
/// let file = parse_spanned("a.yaml", "a:\n- 1\n- two\n", &ReaderLimits::default()).unwrap();
/// let list = file.roots().next().unwrap().get("a").unwrap();
/// let Value::List(items) = list.value() else { panic!() };
/// assert_eq!(items.last().unwrap().span().start.to_string(), "3:3");
/// ```
#[derive(Clone, Copy)]
pub struct Node<'a> {
    pub(super) file: &'a SpannedFile<'a>,
    pub(super) nodes: Nodes<'a, 'a>,
    pub(super) at: usize,
}

/// What a [`Node`] holds.
#[derive(Debug, Clone)]
pub enum Value<'a, L, M> {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(&'a str),
    /// A list; iterates over its items.
    List(L),
    /// A mapping; iterates over (key, range of the key, value).
    Map(M),
}

impl<'a> Node<'a> {
    /// The range of the text that holds the value.
    pub fn span(self) -> Span {
        self.nodes[self.at].span
    }

    /// The value.
    pub fn value(
        self,
    ) -> Value<'a, impl Iterator<Item = Node<'a>> + use<'a>, impl Iterator<Item = (&'a str, Span, Node<'a>)> + use<'a>>
    {
        match &self.nodes[self.at].content {
            Content::Null | Content::MergeKey => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Int(value) => Value::Int(*value),
            Content::UInt(value) => Value::UInt(*value),
            Content::Float(value) => Value::Float(*value),
            Content::Str(text) => Value::Str(text),
            Content::Key(id) => Value::Str(self.file.keys.text(*id)),
            Content::List => Value::List(children(self.nodes, self.at).map(move |at| Node { at, ..self })),
            Content::Map => Value::Map(
                entries(self.nodes, self.at)
                    .map(move |(key, at, id)| (self.file.keys.text(id), self.nodes[key].span, Node { at, ..self })),
            ),
        }
    }

    /// The value of a mapping's key.
    pub fn get(self, key: &str) -> Option<Node<'a>> {
        let wanted = self.file.keys.find(key)?;
        if !matches!(self.nodes[self.at].content, Content::Map) {
            return None;
        }
        let (_, at, _) = entries(self.nodes, self.at).find(|&(_, _, id)| id == wanted)?;
        Some(Node { at, ..self })
    }

    /// The field path from the document's root, such as `spec.steps[0].at`.
    pub fn path(self) -> String {
        path_of(self.nodes, &self.file.keys, 0, self.at)
    }

    /// The value as JSON.
    pub fn to_json(self) -> serde_json::Value {
        to_json(self.nodes, &self.file.keys, self.at)
    }
}

impl std::fmt::Debug for Node<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} at {}", self.to_json(), self.span().start)
    }
}

/// The documents of a text as spanned trees ([`parse_spanned`](super::parse_spanned)).
#[derive(Debug)]
pub struct SpannedFile<'t> {
    pub(super) source: Arc<str>,
    pub(super) text: &'t str,
    pub(super) keys: KeyTable,
    pub(super) documents: Vec<Vec<NodeData<'t>>>,
}

impl<'t> SpannedFile<'t> {
    /// The roots of the documents that hold something.
    pub fn roots(&self) -> impl Iterator<Item = Node<'_>> {
        self.documents.iter().map(|nodes| Node { file: self, nodes, at: 0 })
    }

    /// The name of the text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The text itself.
    pub fn text(&self) -> &'t str {
        self.text
    }
}

/// A subtree as JSON.
pub(super) fn to_json(nodes: Nodes<'_, '_>, keys: &KeyTable, at: usize) -> serde_json::Value {
    use serde_json::Value as Json;
    match &nodes[at].content {
        Content::Null | Content::MergeKey => Json::Null,
        Content::Bool(value) => Json::Bool(*value),
        Content::Int(value) => Json::from(*value),
        Content::UInt(value) => Json::from(*value),
        Content::Float(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Content::Str(text) => Json::String(text.clone().into_owned()),
        Content::Key(id) => Json::String(keys.text(*id).to_owned()),
        Content::List => Json::Array(children(nodes, at).map(|item| to_json(nodes, keys, item)).collect()),
        Content::Map => {
            let mut map = Map::new();
            for (_, value, id) in entries(nodes, at) {
                map.insert(keys.text(id).to_owned(), to_json(nodes, keys, value));
            }
            Json::Object(map)
        }
    }
}
