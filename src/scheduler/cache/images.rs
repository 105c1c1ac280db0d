//! On how many nodes each container image is, for ImageLocality.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::objects::Node;

/// Images that nodes list in `status.images`. The simulated kubelets list none; Nodes in manifests may.
#[derive(Clone, Debug, Default)]
pub(in crate::scheduler) struct Images(FxHashMap<Arc<str>, Image>);

/// An image that some node has.
#[derive(Clone, Copy, Debug)]
pub(in crate::scheduler) struct Image {
    /// Bytes, as the first node says that lists it.
    pub(in crate::scheduler) size: i64,
    /// How many nodes list it.
    pub(in crate::scheduler) nodes: u32,
}

fn list(node: &Node) -> impl Iterator<Item = (&str, i64)> {
    let images = node.status.rest.get("images").and_then(Value::as_array).into_iter().flatten();
    images.flat_map(|image| {
        let size = image.get("sizeBytes").and_then(Value::as_i64).unwrap_or(0);
        let names = image.get("names").and_then(Value::as_array).into_iter().flatten();
        names.filter_map(Value::as_str).map(move |name| (name, size))
    })
}

/// Whether a node lists an image.
pub(in crate::scheduler) fn has(node: &Node, image: &str) -> bool {
    list(node).any(|(name, _)| name == image)
}

impl Images {
    pub(in crate::scheduler) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// An image that some node has.
    pub(in crate::scheduler) fn get(&self, image: &str) -> Option<Image> {
        self.0.get(image).copied()
    }

    /// A node lists other images than before.
    pub(super) fn replace(&mut self, old: &Node, new: &Node) {
        if old.status.rest.get("images") == new.status.rest.get("images") {
            return;
        }
        let gone: BTreeSet<&str> = list(old).map(|(name, _)| name).collect();
        for name in gone {
            if let Some(image) = self.0.get_mut(name) {
                image.nodes -= 1;
                if image.nodes == 0 {
                    self.0.remove(name);
                }
            }
        }
        let mut seen = BTreeSet::new();
        for (name, size) in list(new).filter(|(name, _)| seen.insert(*name)) {
            self.0.entry(name.into()).or_insert(Image { size, nodes: 0 }).nodes += 1;
        }
    }
}
