//! From a field path back to the text.

use std::sync::Arc;

use super::span::Span;
use super::tree::{Content, KeyId, KeyTable, Nodes};

/// The spans of one document, 24 bytes a node.
#[derive(Debug, Clone)]
pub(super) struct SpanIndex {
    nodes: Box<[SpanNode]>,
    keys: Arc<KeyTable>,
}

#[derive(Debug, Clone, Copy)]
struct SpanNode {
    span: Span,
    size: u32,
    /// A key's number, or what kind of value the node is.
    tag: u32,
}

const SCALAR: u32 = u32::MAX;
const LIST: u32 = u32::MAX - 1;
const MAP: u32 = u32::MAX - 2;

/// The nodes of an index without its file's keys, which are complete only at the file's end.
#[derive(Debug)]
pub(super) struct Spans(Box<[SpanNode]>);

impl Spans {
    pub(super) fn of(nodes: Nodes<'_, '_>, root: usize) -> Self {
        let subtree = &nodes[root..root + nodes[root].size as usize];
        let tag = |content: &Content<'_>| match content {
            Content::Key(KeyId(id)) => *id,
            Content::List => LIST,
            Content::Map => MAP,
            _ => SCALAR,
        };
        Spans(
            subtree.iter().map(|node| SpanNode { span: node.span, size: node.size, tag: tag(&node.content) }).collect(),
        )
    }

    pub(super) fn index(self, keys: &Arc<KeyTable>) -> SpanIndex {
        SpanIndex { nodes: self.0, keys: Arc::clone(keys) }
    }
}

impl SpanIndex {
    /// The range to underline for a field, or for the nearest field around it that exists.
    pub(super) fn locate(&self, path: &str) -> Option<Span> {
        let (mut at, mut key) = (0, None);
        let mut rest = path;
        while let Some((next_key, next, tail)) = self.step(at, rest) {
            (at, key, rest) = (next, next_key, tail);
        }
        let node = self.nodes.get(at)?;
        Some(super::tree::pointed_span(node.span, node.tag != SCALAR, key.map(|key: usize| self.nodes[key].span)))
    }

    /// One segment of the path: the key's node, the value's node, the path that is left.
    fn step<'p>(&self, at: usize, path: &'p str) -> Option<(Option<usize>, usize, &'p str)> {
        let path = path.strip_prefix('.').unwrap_or(path);
        if path.is_empty() {
            return None;
        }
        match self.nodes.get(at)?.tag {
            LIST => {
                let (index, tail) = path.strip_prefix('[')?.split_once(']')?;
                let item = self.children(at).nth(index.parse().ok()?)?;
                Some((None, item, tail))
            }
            MAP => match path.strip_prefix('[') {
                Some(bracketed) => {
                    let (name, tail) = bracketed.split_once(']')?;
                    let (key, value) = self.entry(at, name)?;
                    Some((Some(key), value, tail))
                }
                None => self.named_step(at, path),
            },
            _ => None,
        }
    }

    /// A key may itself hold dots (`data.app.conf`): the shortest prefix of the path that is a key counts.
    fn named_step<'p>(&self, at: usize, path: &'p str) -> Option<(Option<usize>, usize, &'p str)> {
        let ends = path.match_indices(['.', '[']).map(|(end, _)| end).chain([path.len()]);
        ends.filter(|&end| end > 0).find_map(|end| {
            let (key, value) = self.entry(at, &path[..end])?;
            Some((Some(key), value, &path[end..]))
        })
    }

    fn children(&self, at: usize) -> impl Iterator<Item = usize> {
        let end = at + self.nodes[at].size as usize;
        let mut next = at + 1;
        std::iter::from_fn(move || {
            let child = next;
            (child < end).then(|| {
                next += self.nodes[child].size as usize;
                child
            })
        })
    }

    fn entry(&self, map: usize, name: &str) -> Option<(usize, usize)> {
        let KeyId(wanted) = self.keys.find(name)?;
        let mut children = self.children(map);
        loop {
            let (key, value) = (children.next()?, children.next()?);
            if self.nodes[key].tag == wanted {
                return Some((key, value));
            }
        }
    }
}
