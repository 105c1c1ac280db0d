//! `describe`: one object at length, in kubectl's layout.

mod containers;
mod parts;
mod pod;
mod tabs;
#[cfg(test)]
mod tests;
mod volumes;

use crate::objects::{Event, Kind, ObjectMeta, Uid};
use crate::sim::{Simulation, Target};

/// What a description tells beyond kubectl's, behind the Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DescribeOptions {
    /// The memory settings that the feature `MemoryQoS` computes.
    pub memory_qos: bool,
    /// The environment of each container and the files of volumes, all references resolved.
    pub environment: bool,
}

impl DescribeOptions {
    /// As kubectl, and no more.
    pub const KUBECTL: Self = Self { memory_qos: false, environment: false };
    /// Everything there is to tell.
    pub const ALL: Self = Self { memory_qos: true, environment: true };
}

/// Kinds that can be described.
pub const DESCRIBED: &[Kind] = &[Kind::Pod];

/// Describes an object as `kubectl describe` does; nothing if there is none, or its kind is not in [`DESCRIBED`].
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{DescribeOptions, describe};
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(1).build()?;
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: nginx}]}}")?;
/// sim.run_for(SimDuration::from_secs(5));
/// let text = describe(&sim, &"pod/web".parse()?, DescribeOptions::KUBECTL).unwrap_or_default();
/// assert!(text.contains("QoS Class:"));
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn describe(sim: &Simulation, target: &Target, options: DescribeOptions) -> Option<String> {
    match target.kind {
        Kind::Pod => sim.view().pods.get(&target.key).map(|pod| pod::describe(sim, pod, options)),
        _ => None,
    }
}

/// The Events about an object, by its uid.
fn events_about<'a>(sim: &'a Simulation, meta: &'a ObjectMeta) -> impl Iterator<Item = &'a Event> {
    let events = sim.view().events.in_namespace(&meta.namespace);
    // Kubelets name a static pod by what it was made of.
    let uid = meta.annotations.get("kubernetes.io/config.mirror").map_or_else(|| meta.uid.clone(), Uid::parse);
    events.map(|event| &**event).filter(move |event| {
        let about = &event.involved_object;
        about.uid == uid && *about.name == *meta.name
    })
}
