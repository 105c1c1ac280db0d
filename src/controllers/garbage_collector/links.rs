//! Edges between numbered nodes, each in two lists: those of its dependent and those of its owner.

/// No edge.
pub(super) const NONE: u32 = u32::MAX;

/// Values under small numbers, which are used again.
#[derive(Clone, Debug)]
pub(super) struct Slots<T> {
    slots: Vec<T>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(super) fn insert(&mut self, value: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.slots[at as usize] = value;
            return at;
        }
        let at = u32::try_from(self.slots.len()).ok().filter(|at| *at != NONE).expect("fewer than 2^32 - 1 nodes");
        // There are as many nodes as objects: a quarter more at a time leaves less unused than twice as many.
        if self.slots.len() == self.slots.capacity() {
            self.slots.reserve_exact(self.slots.len() / 4 + 16);
        }
        self.slots.push(value);
        at
    }

    /// Takes a value out and leaves `vacant`, which must not hold on to anything.
    pub(super) fn remove(&mut self, at: u32, vacant: T) -> T {
        self.free.push(at);
        std::mem::replace(&mut self.slots[at as usize], vacant)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

impl<T> std::ops::Index<u32> for Slots<T> {
    type Output = T;
    fn index(&self, at: u32) -> &T {
        &self.slots[at as usize]
    }
}

impl<T> std::ops::IndexMut<u32> for Slots<T> {
    fn index_mut(&mut self, at: u32) -> &mut T {
        &mut self.slots[at as usize]
    }
}

/// Where the lists of a node begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heads {
    newest_owner: u32,
    newest_dependent: u32,
}

impl Heads {
    pub(super) const EMPTY: Self = Self { newest_owner: NONE, newest_dependent: NONE };

    pub(super) fn newest_owner(self) -> Option<u32> {
        some(self.newest_owner)
    }

    pub(super) fn newest_dependent(self) -> Option<u32> {
        some(self.newest_dependent)
    }
}

fn some(edge: u32) -> Option<u32> {
    (edge != NONE).then_some(edge)
}

/// From a dependent to one of its owners.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) dependent: u32,
    pub(super) owner: u32,
    /// Whether the dependent holds up the foreground deletion of the owner.
    pub(super) blocks: bool,
    /// The dependent's next older edge. An object has few owners.
    older_owner: u32,
    /// The owner's edges around this one. It may have many dependents, and any of them may go first.
    newer_dependent: u32,
    older_dependent: u32,
}

/// All edges.
#[derive(Clone, Debug, Default)]
pub(super) struct Edges(Slots<Edge>);

impl Edges {
    pub(super) fn get_mut(&mut self, edge: u32) -> &mut Edge {
        &mut self.0[edge]
    }

    /// The edges to the owners of a node, the newest first.
    pub(super) fn to_owners(&self, node: Heads) -> impl Iterator<Item = (u32, &Edge)> {
        std::iter::successors(self.named(node.newest_owner), |(_, edge)| self.named(edge.older_owner))
    }

    /// The edges from the dependents of a node, the newest first.
    pub(super) fn to_dependents(&self, node: Heads) -> impl Iterator<Item = (u32, &Edge)> {
        std::iter::successors(self.named(node.newest_dependent), |(_, edge)| self.named(edge.older_dependent))
    }

    fn named(&self, edge: u32) -> Option<(u32, &Edge)> {
        some(edge).map(|edge| (edge, &self.0[edge]))
    }

    pub(super) fn add<T: AsMut<Heads>>(&mut self, nodes: &mut Slots<T>, dependent: u32, owner: u32, blocks: bool) {
        let older_owner = nodes[dependent].as_mut().newest_owner;
        let older_dependent = nodes[owner].as_mut().newest_dependent;
        let new = Edge { dependent, owner, blocks, older_owner, newer_dependent: NONE, older_dependent };
        let edge = self.0.insert(new);
        nodes[dependent].as_mut().newest_owner = edge;
        nodes[owner].as_mut().newest_dependent = edge;
        if older_dependent != NONE {
            self.0[older_dependent].newer_dependent = edge;
        }
    }

    pub(super) fn remove<T: AsMut<Heads>>(&mut self, nodes: &mut Slots<T>, edge: u32) -> Edge {
        let old = self.0[edge];
        let dependent = nodes[old.dependent].as_mut();
        let newer_owner = self.to_owners(*dependent).find(|(_, other)| other.older_owner == edge).map(|(at, _)| at);
        match newer_owner {
            Some(newer) => self.0[newer].older_owner = old.older_owner,
            None => dependent.newest_owner = old.older_owner,
        }
        match old.newer_dependent {
            NONE => nodes[old.owner].as_mut().newest_dependent = old.older_dependent,
            newer => self.0[newer].older_dependent = old.older_dependent,
        }
        if old.older_dependent != NONE {
            self.0[old.older_dependent].newer_dependent = old.newer_dependent;
        }
        self.0.remove(edge, old)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl AsMut<Self> for Heads {
        fn as_mut(&mut self) -> &mut Self {
            self
        }
    }

    proptest! {
        /// Against a plain list of pairs, the newest first.
        #[test]
        fn lists_are_those_of_the_edges_that_are_left(steps in prop::collection::vec((0..6u32, 0..6u32, any::<bool>()), 1..60)) {
            let (mut nodes, mut edges, mut plain) = (Slots::default(), Edges::default(), Vec::new());
            for _ in 0..6 {
                nodes.insert(Heads::EMPTY);
            }
            for (dependent, owner, add) in steps {
                let known = edges.to_owners(nodes[dependent]).find(|(_, edge)| edge.owner == owner).map(|(at, _)| at);
                match known {
                    None if add => {
                        edges.add(&mut nodes, dependent, owner, false);
                        plain.insert(0, (dependent, owner));
                    }
                    Some(edge) if !add => {
                        edges.remove(&mut nodes, edge);
                        plain.retain(|pair| *pair != (dependent, owner));
                    }
                    _ => {}
                }
                prop_assert_eq!(edges.len(), plain.len());
                for node in 0..6 {
                    let owners: Vec<_> = edges.to_owners(nodes[node]).map(|(_, edge)| edge.owner).collect();
                    let expected: Vec<_> = plain.iter().filter(|pair| pair.0 == node).map(|pair| pair.1).collect();
                    prop_assert_eq!(owners, expected);
                    let dependents: Vec<_> = edges.to_dependents(nodes[node]).map(|(_, edge)| edge.dependent).collect();
                    let expected: Vec<_> = plain.iter().filter(|pair| pair.1 == node).map(|pair| pair.0).collect();
                    prop_assert_eq!(dependents, expected);
                }
            }
        }
    }
}
