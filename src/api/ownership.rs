//! Who owns whom, as a graph: for checkers and for people. The garbage collector keeps links of its own, which follow every
//! change (`controllers::garbage_collector`).

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;

use crate::objects::{Kind, Object, OwnerReference, Uid};

use super::View;

/// The ownership graph of a cluster: an edge leads from each object to each of its owners that is there. Events and Leases
/// are left out.
///
/// ```
/// use seatrial::api::{Ownership, View};
/// let ownership = Ownership::of(&View::default());
/// assert!(ownership.roots().is_empty() && ownership.circles().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Ownership {
    graph: DiGraph<Object, ()>,
    by_uid: FxHashMap<Uid, NodeIndex>,
}

impl Ownership {
    /// The graph of all objects of a view.
    #[must_use]
    pub fn of(view: &View) -> Self {
        let mut graph = DiGraph::new();
        let mut by_uid = FxHashMap::default();
        let kinds = Kind::ALL.iter().copied().chain([Kind::Opaque]);
        for kind in kinds.filter(|kind| !matches!(kind, Kind::Event | Kind::Lease)) {
            for object in view.list(kind) {
                let uid = object.meta().uid.clone();
                by_uid.insert(uid, graph.add_node(object));
            }
        }
        for at in graph.node_indices() {
            let owners: Vec<NodeIndex> =
                owners_of(&graph[at]).iter().filter_map(|o| by_uid.get(&o.uid).copied()).collect();
            for owner in owners {
                graph.update_edge(at, owner, ());
            }
        }
        Self { graph, by_uid }
    }

    /// Objects that name owners of which none is there.
    pub fn orphaned(&self) -> impl Iterator<Item = &Object> {
        let is_orphaned = |at: &NodeIndex| {
            !owners_of(&self.graph[*at]).is_empty()
                && self.graph.neighbors_directed(*at, Direction::Outgoing).next().is_none()
        };
        self.graph.node_indices().filter(is_orphaned).map(|at| &self.graph[at])
    }

    /// Objects that own each other, directly or through others: nothing ever collects such a circle, and deleting one of them
    /// in the foreground waits for all.
    #[must_use]
    pub fn circles(&self) -> Vec<Vec<&Object>> {
        let components = petgraph::algo::tarjan_scc(&self.graph);
        let is_circle = |component: &Vec<NodeIndex>| {
            component.len() > 1 || component.iter().any(|at| self.graph.contains_edge(*at, *at))
        };
        let circles = components.into_iter().filter(is_circle);
        circles.map(|component| self.sorted(component.into_iter())).collect()
    }

    /// Objects that have no owner and own others, by kind and key.
    #[must_use]
    pub fn roots(&self) -> Vec<&Object> {
        let is_root = |at: &NodeIndex| {
            self.graph.neighbors_directed(*at, Direction::Outgoing).next().is_none()
                && self.graph.neighbors_directed(*at, Direction::Incoming).next().is_some()
        };
        self.sorted(self.graph.node_indices().filter(is_root))
    }

    /// What an object owns, by kind and key.
    #[must_use]
    pub fn dependents(&self, owner: &Uid) -> Vec<&Object> {
        let Some(at) = self.by_uid.get(owner) else { return Vec::new() };
        self.sorted(self.graph.neighbors_directed(*at, Direction::Incoming))
    }

    fn sorted(&self, nodes: impl Iterator<Item = NodeIndex>) -> Vec<&Object> {
        let mut objects: Vec<&Object> = nodes.map(|at| &self.graph[at]).collect();
        objects.sort_by_cached_key(|object| (object.kind(), object.key()));
        objects
    }
}

fn owners_of(object: &Object) -> &[OwnerReference] {
    &object.meta().owner_references
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Change, ChangeType};
    use serde_json::json;

    fn view(objects: &[(&str, &str, &[u32])]) -> View {
        let mut view = View::default();
        let uid = |n: u32| format!("00000000-0000-0000-0000-{n:012}");
        for (number, (kind, name, owners)) in objects.iter().enumerate() {
            let owners: Vec<_> = owners
                .iter()
                .map(|owner| json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid(*owner)}))
                .collect();
            let meta =
                json!({"name": name, "namespace": "default", "uid": uid(number as u32), "ownerReferences": owners});
            let wire = json!({"apiVersion": "example.com/v1", "kind": kind, "metadata": meta});
            let object = Object::from_wire(wire).expect("a well-formed object");
            view.apply(&Change { change_type: ChangeType::Added, object, old: None, resource_version: 1 });
        }
        view
    }

    fn names(objects: &[&Object]) -> Vec<String> {
        objects.iter().map(|object| object.meta().name.to_string()).collect()
    }

    #[test]
    fn owners_and_what_they_own_are_found() {
        let view = view(&[
            ("App", "top", &[]),
            ("Part", "b", &[0]),
            ("Part", "a", &[0]),
            ("Bolt", "leaf", &[1]),
            ("App", "alone", &[]),
        ]);
        let ownership = Ownership::of(&view);
        assert_eq!(names(&ownership.roots()), ["top"]);
        let top = ownership.roots()[0].meta().uid.clone();
        assert_eq!(names(&ownership.dependents(&top)), ["a", "b"]);
        assert!(ownership.circles().is_empty() && ownership.orphaned().next().is_none());
    }

    #[test]
    fn circles_and_orphans_are_told() {
        let view = view(&[
            ("A", "x", &[1]),
            ("A", "y", &[2]),
            ("A", "z", &[0]),
            ("A", "self", &[3]),
            ("A", "orphan", &[99]),
            ("A", "half", &[0, 99]),
        ]);
        let ownership = Ownership::of(&view);
        let mut circles: Vec<Vec<String>> = ownership.circles().iter().map(|circle| names(circle)).collect();
        circles.sort();
        assert_eq!(circles, [vec!["self".to_owned()], vec!["x".to_owned(), "y".to_owned(), "z".to_owned()]]);
        let orphaned: Vec<&Object> = ownership.orphaned().collect();
        assert_eq!(names(&orphaned), ["orphan"]);
    }
}
