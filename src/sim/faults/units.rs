//! Machines that faults strike together.

use rustc_hash::FxHashMap;

use crate::kernel::{Purpose, Sampler, SimDuration, Stream, Streams};
use crate::objects::Labels;

/// Which machines an injector strikes, which of them together, and when for the first time.
pub(super) struct Exposure<'a> {
    pub(super) mtbf: &'a Sampler,
    pub(super) select: &'a Labels,
    pub(super) correlated_by: Option<&'a str>,
}

/// A machine that joined.
pub(super) struct Joined<'a> {
    pub(super) machine: u32,
    pub(super) name: &'a str,
    pub(super) labels: &'a Labels,
    pub(super) streams: Streams,
}

/// The units of an injector that strikes machines. A unit draws from a stream of its own.
///
/// `S` is what is known of a unit that is struck now.
#[derive(Clone)]
pub(super) struct Units<S> {
    purpose: Purpose,
    units: Vec<Unit<S>>,
    by_name: FxHashMap<String, u32>,
    /// The unit of each machine.
    unit_of: FxHashMap<u32, u32>,
}

/// Machines that are struck together: one, or those of a group.
#[derive(Clone)]
pub(super) struct Unit<S> {
    pub(super) luck: Stream,
    /// Machines, in the order in which they joined.
    pub(super) members: Vec<u32>,
    /// While it is struck.
    pub(super) struck: Option<S>,
}

impl Exposure<'_> {
    /// The unit that a machine belongs to by its name and labels.
    fn unit_name(&self, name: &str, labels: &Labels) -> String {
        let group = self.correlated_by.and_then(|key| labels.get(key));
        // A label's value has no slash, and so no node is taken for a group.
        group.map_or_else(|| format!("node/{name}"), |group| format!("group/{group}"))
    }
}

impl<S> Units<S> {
    pub(super) fn new(purpose: Purpose) -> Self {
        Self { purpose, units: Vec::new(), by_name: FxHashMap::default(), unit_of: FxHashMap::default() }
    }

    pub(super) fn get_mut(&mut self, unit: u32) -> &mut Unit<S> {
        &mut self.units[unit as usize]
    }

    /// Those that are struck now.
    pub(super) fn struck(&self) -> Vec<u32> {
        let struck = self.units.iter().zip(0u32..).filter(|(unit, _)| unit.struck.is_some());
        struck.map(|(_, number)| number).collect()
    }

    /// Takes a machine in that joined. Returns a new unit, and the time to its first fault.
    pub(super) fn take_in(&mut self, exposure: &Exposure<'_>, joined: &Joined<'_>) -> Option<(u32, SimDuration)> {
        let &Joined { machine, name, labels, streams } = joined;
        if let Some(unit) = self.unit_of.remove(&machine) {
            self.units[unit as usize].members.retain(|member| *member != machine);
        }
        if !labels.contains_all(exposure.select) {
            return None;
        }
        let name = exposure.unit_name(name, labels);
        if let Some(&unit) = self.by_name.get(&name) {
            self.units[unit as usize].members.push(machine);
            self.unit_of.insert(machine, unit);
            return None;
        }
        let number = self.units.len() as u32;
        let mut luck = streams.stream(self.purpose, &name);
        let delay = exposure.mtbf.sample(&mut luck);
        self.units.push(Unit { luck, members: vec![machine], struck: None });
        self.by_name.insert(name, number);
        self.unit_of.insert(machine, number);
        Some((number, delay))
    }
}
