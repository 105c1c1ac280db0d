//! Builds a document's tree from events, whatever the syntax: budgets, duplicate keys, aliases, merge keys.

use std::borrow::Cow;
use std::mem;

use rustc_hash::FxHashMap;

use super::error::{ReadError, ReadErrorKind, Sink};
use super::limits::Limit;
use super::scalar::{Scalar, key_text};
use super::span::{Place, Span};
use super::tree::{Content, KeyId, KeyTable, NodeData, Nodes, children, path_of};

/// A collection that is not closed yet.
#[derive(Debug)]
struct Frame {
    at: usize,
    is_map: bool,
    expects_key: bool,
    /// Levels of collections, itself included, as far as they are known.
    height: usize,
    anchor: usize,
}

/// The subtree that an anchor names; no end while it is open.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    start: usize,
    end: Option<usize>,
    height: usize,
}

/// A key that occurs again in its map: indices of the two keys.
#[derive(Debug, Clone, Copy)]
struct Duplicate {
    first: usize,
    again: usize,
}

/// The document under construction and the state of its file.
#[derive(Debug)]
pub(super) struct Builder<'t> {
    pub(super) sink: Sink<'t>,
    pub(super) keys: KeyTable,
    /// The document's nodes; complete when [`Builder::finish`] says so.
    pub(super) nodes: Vec<NodeData<'t>>,
    frames: Vec<Frame>,
    anchors: FxHashMap<usize, Anchor>,
    duplicates: Vec<Duplicate>,
    /// Errors with the node they belong to; they get their paths when the tree is complete.
    pending: Vec<(usize, Box<ReadError>)>,
    has_merge: bool,
    scratch: Vec<(KeyId, usize)>,
    depth_limit: usize,
    /// Nodes of earlier documents.
    nodes_before: usize,
    alias_nodes: usize,
    alias_bytes: usize,
}

impl<'t> Builder<'t> {
    pub(super) fn new(sink: Sink<'t>) -> Self {
        let depth_limit = sink.limits.depth();
        Builder {
            sink,
            keys: KeyTable::default(),
            nodes: Vec::new(),
            frames: Vec::new(),
            anchors: FxHashMap::default(),
            duplicates: Vec::new(),
            pending: Vec::new(),
            has_merge: false,
            scratch: Vec::new(),
            depth_limit,
            nodes_before: 0,
            alias_nodes: 0,
            alias_bytes: 0,
        }
    }

    /// Drops what there is of the current document.
    pub(super) fn abandon(&mut self) {
        self.nodes_before = self.nodes_before.saturating_add(self.nodes.len());
        self.nodes.clear();
        self.frames.clear();
        self.anchors.clear();
        self.duplicates.clear();
        self.pending.clear();
        self.has_merge = false;
    }

    /// Whether the next scalar is a key.
    pub(super) fn expects_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.expects_key)
    }

    /// Adds a scalar as a key or a value. `anchor` 0 is none.
    pub(super) fn scalar(&mut self, scalar: Scalar<'t>, span: Span, anchor: usize) -> Result<(), Box<ReadError>> {
        let start = self.nodes.len();
        if let Scalar::Str(text) = &scalar
            && text.len() > self.sink.limits.max_scalar_bytes
        {
            return Err(self.sink.over(Limit::ScalarBytes, Span::at(span.start)));
        }
        if self.expects_key() {
            self.key(scalar, span)?;
        } else {
            let content = self.content(scalar.into_json(), span);
            self.push(content, span)?;
            self.value_done(0);
        }
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { start, end: Some(start + 1), height: 0 });
        }
        Ok(())
    }

    fn content(&mut self, scalar: Scalar<'t>, span: Span) -> Content<'t> {
        match scalar {
            Scalar::Null => Content::Null,
            Scalar::Bool(value) => Content::Bool(value),
            Scalar::Int(value) => Content::Int(value),
            Scalar::UInt(value) => Content::UInt(value),
            Scalar::Float(value) if value.is_finite() => Content::Float(value),
            Scalar::Float(_) => {
                let text = span.slice_line(self.sink.text).unwrap_or(".inf");
                let message = format!("the number {text} has no JSON form");
                let help = format!("put it in quotes if it is text: \"{text}\"");
                self.report_here(span, ReadErrorKind::InvalidValue, message, Some(help));
                Content::Null
            }
            Scalar::Str(text) => Content::Str(text),
        }
    }

    fn key(&mut self, scalar: Scalar<'t>, span: Span) -> Result<(), Box<ReadError>> {
        let text = key_text(scalar).unwrap_or_else(|| {
            let help = "put it in quotes if it is text: \"null\"".to_owned();
            self.report_here(span, ReadErrorKind::InvalidKey, "null cannot be a key".to_owned(), Some(help));
            Cow::Borrowed("null")
        });
        let id = self.keys.intern(&text);
        self.push_key(Content::Key(id), span)
    }

    /// Adds YAML's `<<`.
    pub(super) fn merge_key(&mut self, span: Span) -> Result<(), Box<ReadError>> {
        self.has_merge = true;
        self.push_key(Content::MergeKey, span)
    }

    fn push_key(&mut self, content: Content<'t>, span: Span) -> Result<(), Box<ReadError>> {
        self.push(content, span)?;
        if let Some(frame) = self.frames.last_mut() {
            frame.expects_key = false;
        }
        Ok(())
    }

    fn push(&mut self, content: Content<'t>, span: Span) -> Result<(), Box<ReadError>> {
        if self.nodes_before.saturating_add(self.nodes.len()) >= self.sink.limits.max_nodes {
            return Err(self.sink.over(Limit::Nodes, Span::at(span.start)));
        }
        self.nodes.push(NodeData { span, size: 1, content });
        Ok(())
    }

    /// Keeps an error about the node that comes next.
    fn report_here(&mut self, span: Span, kind: ReadErrorKind, message: String, help: Option<String>) {
        let error = self.sink.error(span, kind, message).with_help(help);
        self.report(self.nodes.len(), error);
    }

    /// Keeps an error until the tree is complete and the node's path is known.
    pub(super) fn report(&mut self, node: usize, error: Box<ReadError>) {
        if self.pending.len() < self.sink.limits.max_errors.max(1) {
            self.pending.push((node, error));
        }
    }

    /// Keeps an error about the scalar that comes next.
    pub(super) fn report_next(&mut self, error: Box<ReadError>) {
        self.report(self.nodes.len(), error);
    }

    /// A value with `height` levels of collections is complete.
    fn value_done(&mut self, height: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.expects_key = frame.is_map;
            frame.height = frame.height.max(height + 1);
        }
    }

    /// Opens a list or a map.
    pub(super) fn open(&mut self, is_map: bool, span: Span, anchor: usize) -> Result<(), Box<ReadError>> {
        if self.expects_key() {
            let what = if is_map { "a mapping" } else { "a list" };
            return Err(self.sink.error(
                Span::at(span.start),
                ReadErrorKind::InvalidKey,
                format!("{what} cannot be a key"),
            ));
        }
        if self.frames.len() >= self.depth_limit {
            return Err(self.sink.over(Limit::Depth, Span::at(span.start)));
        }
        let at = self.nodes.len();
        self.push(if is_map { Content::Map } else { Content::List }, span)?;
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { start: at, end: None, height: 0 });
        }
        self.frames.push(Frame { at, is_map, expects_key: is_map, height: 1, anchor });
        Ok(())
    }

    /// Closes the innermost collection; `end` is the place after its bracket, if it has brackets.
    pub(super) fn close(&mut self, end: Option<Place>) {
        let Some(frame) = self.frames.pop() else { return };
        let size = self.nodes.len() - frame.at;
        let last = self.nodes.last().map_or(Place::START, |node| node.span.end);
        let node = &mut self.nodes[frame.at];
        node.size = u32::try_from(size).unwrap_or(u32::MAX);
        node.span.end = end.unwrap_or(last).max(node.span.start);
        if frame.is_map {
            self.find_duplicates(frame.at);
        }
        if frame.anchor != 0 {
            let anchor = Anchor { start: frame.at, end: Some(self.nodes.len()), height: frame.height };
            self.anchors.insert(frame.anchor, anchor);
        }
        self.value_done(frame.height);
    }

    fn find_duplicates(&mut self, map: usize) {
        const FEW: usize = 16;
        let mut found = mem::take(&mut self.scratch);
        found.clear();
        found.extend(children(&self.nodes, map).step_by(2).filter_map(|key| match self.nodes[key].content {
            Content::Key(id) => Some((id, key)),
            _ => None,
        }));
        if found.len() <= FEW {
            for (index, &(id, again)) in found.iter().enumerate().skip(1) {
                if let Some(&(_, first)) = found[..index].iter().find(|(earlier, _)| *earlier == id) {
                    self.duplicates.push(Duplicate { first, again });
                }
            }
        } else {
            found.sort_unstable();
            for run in found.chunk_by(|a, b| a.0 == b.0).filter(|run| run.len() > 1) {
                self.duplicates.extend(run[1..].iter().map(|&(_, again)| Duplicate { first: run[0].1, again }));
            }
        }
        self.scratch = found;
    }

    /// Copies the subtree of an anchor to here.
    pub(super) fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Box<ReadError>> {
        let Some(&Anchor { start, end, height }) = self.anchors.get(&anchor) else {
            return Err(self.sink.error(span, ReadErrorKind::Alias, "an alias without an anchor"));
        };
        let Some(end) = end else {
            let message = "the alias stands inside the value that it names";
            return Err(self.sink.error(span, ReadErrorKind::Alias, message));
        };
        if self.frames.len() + height > self.depth_limit {
            return Err(self.sink.over(Limit::Depth, span));
        }
        if self.expects_key() {
            return self.alias_as_key(start, span);
        }
        self.charge_alias(start, end, span)?;
        let copy = self.nodes.len();
        self.nodes.extend_from_within(start..end);
        // What was a key where it was anchored is text here.
        if let Content::Key(id) = self.nodes[copy].content {
            self.nodes[copy].content = Content::Str(self.keys.text(id).to_owned().into());
        }
        self.value_done(height);
        Ok(())
    }

    fn charge_alias(&mut self, start: usize, end: usize, span: Span) -> Result<(), Box<ReadError>> {
        let limits = &self.sink.limits;
        let text = |node: &NodeData<'_>| match &node.content {
            Content::Str(text) => text.len(),
            Content::Key(id) => self.keys.text(*id).len(),
            _ => 0,
        };
        self.alias_nodes = self.alias_nodes.saturating_add(end - start);
        if self.alias_nodes > limits.max_alias_nodes {
            return Err(self.sink.over(Limit::Aliases, span));
        }
        if self.nodes_before.saturating_add(self.nodes.len()).saturating_add(end - start) > limits.max_nodes {
            return Err(self.sink.over(Limit::Nodes, span));
        }
        let bytes: usize = self.nodes[start..end].iter().map(text).sum();
        self.alias_bytes = self.alias_bytes.saturating_add(bytes);
        if self.alias_bytes > limits.max_alias_bytes {
            return Err(self.sink.over(Limit::Aliases, span));
        }
        Ok(())
    }

    fn alias_as_key(&mut self, start: usize, span: Span) -> Result<(), Box<ReadError>> {
        self.charge_alias(start, start + 1, span)?;
        let scalar = match self.nodes[start].content.clone() {
            Content::Bool(value) => Scalar::Bool(value),
            Content::Int(value) => Scalar::Int(value),
            Content::UInt(value) => Scalar::UInt(value),
            Content::Float(value) => Scalar::Float(value),
            Content::Str(text) => Scalar::Str(text),
            Content::Key(id) => return self.push_key(Content::Key(id), span),
            Content::Null | Content::MergeKey => Scalar::Null,
            Content::List | Content::Map => {
                return Err(self.sink.error(span, ReadErrorKind::InvalidKey, "a collection cannot be a key"));
            }
        };
        self.key(scalar, span)
    }

    /// Completes the document: errors get their paths, merge keys their values. `false` if it holds nothing.
    pub(super) fn finish(&mut self) -> bool {
        self.anchors.clear();
        self.report_duplicates();
        if self.has_merge {
            self.merge();
        }
        for (node, error) in mem::take(&mut self.pending) {
            let path = if node < self.nodes.len() { path_of(&self.nodes, &self.keys, 0, node) } else { String::new() };
            self.sink.push(if error.path.is_empty() { *error.with_path(path) } else { *error });
        }
        !matches!(self.nodes.first().map(|root| &root.content), None | Some(Content::Null))
    }

    fn report_duplicates(&mut self) {
        let room = self.sink.limits.max_errors.max(1);
        for Duplicate { first, again } in mem::take(&mut self.duplicates).into_iter().take(room) {
            let path = path_of(&self.nodes, &self.keys, 0, again);
            let Content::Key(id) = self.nodes[again].content else { continue };
            let message = format!("the field \"{}\" is set twice", self.keys.text(id));
            let mut error = self.sink.error(self.nodes[again].span, ReadErrorKind::DuplicateField, message);
            error.also = Some((self.nodes[first].span, "first set here".to_owned()));
            self.sink.push(*error.with_upstream(format!("duplicate field \"{path}\"")).with_path(path));
        }
    }

    /// Replaces `<<` entries by the entries of the maps they name. As in go-yaml v2 the last one to set a key wins.
    fn merge(&mut self) {
        // Errors that wait for their path refer to the tree as it is now.
        for (node, error) in &mut self.pending {
            error.path = path_of(&self.nodes, &self.keys, 0, *node);
        }
        let raw = mem::take(&mut self.nodes);
        let mut merged = Vec::with_capacity(raw.len());
        let mut bad = Vec::new();
        copy_merged(&raw, 0, &mut merged, &mut bad);
        for at in bad {
            let message = "`<<` takes a mapping or a list of mappings";
            let error = self.sink.error(raw[at].span, ReadErrorKind::WrongType, message);
            self.sink.push(*error.with_path(path_of(&raw, &self.keys, 0, at)));
        }
        self.nodes = merged;
    }
}

/// Copies a subtree with its merge keys resolved. Recursion is bounded by the depth limit.
fn copy_merged<'t>(raw: Nodes<'_, 't>, at: usize, out: &mut Vec<NodeData<'t>>, bad: &mut Vec<usize>) {
    let start = out.len();
    out.push(raw[at].clone());
    match raw[at].content {
        Content::Map if has_merge_key(raw, at) => {
            let mut winners = Winners::default();
            winners.collect(raw, at, bad);
            for &(key, value) in &winners.entries {
                out.push(raw[key].clone());
                copy_merged(raw, value, out, bad);
            }
        }
        Content::Map | Content::List => {
            for child in children(raw, at) {
                copy_merged(raw, child, out, bad);
            }
        }
        _ => {}
    }
    out[start].size = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
}

fn has_merge_key(raw: Nodes<'_, '_>, map: usize) -> bool {
    children(raw, map).step_by(2).any(|key| matches!(raw[key].content, Content::MergeKey))
}

/// The entries of a map with `<<`, in the order in which their keys were first set.
#[derive(Default)]
struct Winners {
    entries: Vec<(usize, usize)>,
    places: FxHashMap<KeyId, usize>,
}

impl Winners {
    fn collect(&mut self, raw: Nodes<'_, '_>, map: usize, bad: &mut Vec<usize>) {
        let mut all = children(raw, map);
        while let (Some(key), Some(value)) = (all.next(), all.next()) {
            match raw[key].content {
                Content::Key(id) => self.set(id, key, value),
                _ => self.merge(raw, value, bad),
            }
        }
    }

    fn merge(&mut self, raw: Nodes<'_, '_>, value: usize, bad: &mut Vec<usize>) {
        match raw[value].content {
            Content::Map => self.collect(raw, value, bad),
            Content::List => {
                // Earlier maps of the list take precedence.
                let maps: Vec<usize> = children(raw, value).collect();
                for &map in maps.iter().rev() {
                    match raw[map].content {
                        Content::Map => self.collect(raw, map, bad),
                        _ => bad.push(map),
                    }
                }
            }
            _ => bad.push(value),
        }
    }

    fn set(&mut self, id: KeyId, key: usize, value: usize) {
        match self.places.get(&id) {
            Some(&place) => self.entries[place] = (key, value),
            None => {
                self.places.insert(id, self.entries.len());
                self.entries.push((key, value));
            }
        }
    }
}
