//! Sums by place: for each topology that terms go by, a number per place.

use crate::scheduler::cache::{NodeId, Topologies};

/// A number per place of some topologies.
#[derive(Debug, Default)]
pub(super) struct Counts {
    sums: Vec<Sums>,
    used: usize,
    /// How many numbers are not 0.
    nonzero: usize,
    /// Whether anything was added, if only zeros.
    touched: bool,
}

#[derive(Debug, Default)]
struct Sums {
    topology: usize,
    by_place: Vec<i64>,
}

impl Counts {
    pub(super) fn clear(&mut self) {
        (self.used, self.nonzero, self.touched) = (0, 0, false);
    }

    /// Whether anything was added.
    pub(super) const fn is_touched(&self) -> bool {
        self.touched
    }

    /// Whether all numbers are 0.
    pub(super) const fn is_zero(&self) -> bool {
        self.nonzero == 0
    }

    /// The place in here of a topology, for [`Counts::add`].
    pub(super) fn slot(&mut self, topologies: &Topologies, topology: usize) -> usize {
        if let Some(at) = self.sums[..self.used].iter().position(|sums| sums.topology == topology) {
            return at;
        }
        if self.sums.len() == self.used {
            self.sums.push(Sums::default());
        }
        let sums = &mut self.sums[self.used];
        sums.topology = topology;
        sums.by_place.clear();
        sums.by_place.resize(topologies.at(topology).places(), 0);
        self.used += 1;
        self.used - 1
    }

    /// Adds to the place of a node, if it has one.
    pub(super) fn add(&mut self, topologies: &Topologies, slot: usize, node: NodeId, amount: i64) {
        let sums = &mut self.sums[slot];
        let place = topologies.at(sums.topology).place(node);
        if place != 0 {
            let sum = &mut sums.by_place[place];
            self.nonzero -= usize::from(*sum != 0);
            *sum = sum.saturating_add(amount);
            self.nonzero += usize::from(*sum != 0);
            self.touched = true;
        }
    }

    /// The number of a place; 0 if nothing was added for its topology.
    pub(super) fn of(&self, topology: usize, place: usize) -> i64 {
        self.sums[..self.used].iter().find(|sums| sums.topology == topology).map_or(0, |sums| sums.by_place[place])
    }

    /// The numbers of all places that a node belongs to.
    pub(super) fn at<'a>(&'a self, topologies: &'a Topologies, node: NodeId) -> impl Iterator<Item = i64> + 'a {
        self.sums[..self.used].iter().filter_map(move |sums| {
            let place = topologies.at(sums.topology).place(node);
            (place != 0).then(|| sums.by_place[place])
        })
    }
}
