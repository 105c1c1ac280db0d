//! What befalls clusters: scripted faults, and mishaps that come again and again at random times.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::machines::Machine;
use crate::sim::{Cut, ZONE_LABEL};

/// Kinds of scripted faults, to choose from. Every promise of the catalogue holds under any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Machines stop and start.
    Node,
    /// All machines of a zone stop and start.
    Zone,
    /// Nodes are cut off from the control plane for a while.
    Partition,
    /// The scheduler that leads crashes, and another one leads.
    SchedulerCrash,
    /// The controller manager that leads crashes, and another one leads.
    ControllerManagerCrash,
    /// The API server does not answer for a while.
    ApiServerOutage,
    /// Kernels panic, and machines boot again.
    KernelPanic,
    /// Machines are deleted by mistake.
    MachineDeletion,
    /// Spot machines are taken back after a notice.
    SpotReclaim,
    /// Machines become slow.
    SlowNode,
}

impl FaultKind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Node,
        Self::Zone,
        Self::Partition,
        Self::SchedulerCrash,
        Self::ControllerManagerCrash,
        Self::ApiServerOutage,
        Self::KernelPanic,
        Self::MachineDeletion,
        Self::SpotReclaim,
        Self::SlowNode,
    ];

    /// Faults of this kind at `nodes` machines in `zones` zones.
    pub(super) fn strategy(self, nodes: usize, zones: u8) -> BoxedStrategy<Fault> {
        let (node, zone) = (0..nodes.max(1), 0..zones.max(1));
        let cut = prop_oneof![Just(Cut::Both), Just(Cut::Writes), Just(Cut::Watches)];
        match self {
            Self::Node => (node, prop::bool::weighted(0.4)).prop_map(|(node, up)| Fault::Node { node, up }).boxed(),
            Self::Zone => (zone, any::<bool>()).prop_map(|(zone, up)| Fault::Zone { zone, up }).boxed(),
            Self::Partition => {
                (node, cut, 5..900u64).prop_map(|(node, cut, secs)| Fault::Partition { node, cut, secs }).boxed()
            }
            Self::SchedulerCrash => Just(Fault::SchedulerCrash).boxed(),
            Self::ControllerManagerCrash => Just(Fault::ControllerManagerCrash).boxed(),
            Self::ApiServerOutage => (5..300u64).prop_map(|secs| Fault::ApiServerOutage { secs }).boxed(),
            Self::KernelPanic => {
                (node, 5..600u64).prop_map(|(node, boot_secs)| Fault::KernelPanic { node, boot_secs }).boxed()
            }
            Self::MachineDeletion => node.prop_map(|node| Fault::MachineDeletion { node }).boxed(),
            Self::SpotReclaim => {
                let notice = prop_oneof![Just("none"), Just("cordon"), Just("drain"), Just("shutdown")];
                (node, 10..240u64, notice)
                    .prop_map(|(node, secs, on_notice)| Fault::SpotReclaim { node, secs, on_notice })
                    .boxed()
            }
            Self::SlowNode => (node, 1..6u8).prop_map(|(node, factor)| Fault::SlowNode { node, factor }).boxed(),
        }
    }
}

/// Something that befalls a cluster once. Machines and zones by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A machine stops, or starts.
    Node {
        /// Which.
        node: usize,
        /// Whether it starts.
        up: bool,
    },
    /// The machines of a zone stop, or start.
    Zone {
        /// Which.
        zone: u8,
        /// Whether they start.
        up: bool,
    },
    /// A node is cut off.
    Partition {
        /// Which.
        node: usize,
        /// Which way.
        cut: Cut,
        /// For how long.
        secs: u64,
    },
    /// The scheduler that leads crashes.
    SchedulerCrash,
    /// The controller manager that leads crashes.
    ControllerManagerCrash,
    /// The API server does not answer.
    ApiServerOutage {
        /// For how long.
        secs: u64,
    },
    /// A kernel panics.
    KernelPanic {
        /// Where.
        node: usize,
        /// How long the machine takes to boot.
        boot_secs: u64,
    },
    /// A machine is deleted for ever.
    MachineDeletion {
        /// Which.
        node: usize,
    },
    /// A machine is taken back.
    SpotReclaim {
        /// Which.
        node: usize,
        /// After so long.
        secs: u64,
        /// `none`, `cordon`, `drain` or `shutdown`.
        on_notice: &'static str,
    },
    /// Everything on a machine takes so many times as long.
    SlowNode {
        /// Where.
        node: usize,
        /// 1 = as fast as others.
        factor: u8,
    },
}

impl Fault {
    /// The verb of a scenario.
    #[must_use]
    pub fn verb(&self) -> Value {
        match self {
            Self::Node { node, up } => {
                let verb = if *up { "nodeUp" } else { "nodeDown" };
                json!({verb: {"node": Machine::name(*node)}})
            }
            Self::Zone { zone, up } => {
                let verb = if *up { "zoneUp" } else { "zoneDown" };
                json!({verb: {"zone": Machine::zone_name(*zone)}})
            }
            Self::Partition { node, cut, secs } => {
                json!({"partition": {"node": Machine::name(*node), "cut": cut.as_str(), "for": format!("{secs}s")}})
            }
            Self::SchedulerCrash => json!({"crashLeader": {"process": "kube-scheduler"}}),
            Self::ControllerManagerCrash => json!({"crashLeader": {"process": "kube-controller-manager"}}),
            Self::ApiServerOutage { secs } => json!({"apiServerDown": {"for": format!("{secs}s")}}),
            Self::KernelPanic { node, boot_secs } => {
                json!({"kernelPanic": {"node": Machine::name(*node), "boot": format!("{boot_secs}s")}})
            }
            Self::MachineDeletion { node } => json!({"deleteMachine": {"node": Machine::name(*node)}}),
            Self::SpotReclaim { node, secs, on_notice } => {
                json!({"reclaim": {"node": Machine::name(*node), "notice": format!("{secs}s"), "onNotice": on_notice}})
            }
            Self::SlowNode { node, factor } => json!({"slowNode": {"node": Machine::name(*node), "factor": factor}}),
        }
    }

    /// What ends it, if nothing else does.
    pub(super) fn remedy(&self) -> Option<Value> {
        match self {
            Self::Node { node, up: false } => Some(Self::Node { node: *node, up: true }.verb()),
            Self::ApiServerOutage { .. } => Some(json!({"apiServerUp": {}})),
            Self::Zone { zone, up: false } => Some(Self::Zone { zone: *zone, up: true }.verb()),
            Self::SlowNode { node, factor } if *factor > 1 => Some(Self::SlowNode { node: *node, factor: 1 }.verb()),
            Self::SpotReclaim { node, on_notice: "cordon" | "drain", .. } => {
                Some(json!({"uncordon": {"node": Machine::name(*node)}}))
            }
            _ => None,
        }
    }
}

/// Something that goes wrong again and again at random times, until faults end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// Machines crash, each after so many minutes on average.
    Crashes {
        /// Mean time between failures.
        mean_minutes: u64,
        /// Time to repair.
        down_secs: u64,
        /// All machines of a zone together.
        by_zone: bool,
    },
    /// Somebody deletes a pod every so often.
    Kills {
        /// Mean time.
        every_secs: u64,
    },
    /// Kernels panic.
    Panics {
        /// Mean time between failures.
        mean_minutes: u64,
        /// Time to boot.
        boot_secs: u64,
    },
}

impl Mishap {
    /// Any of them.
    pub fn strategy() -> BoxedStrategy<Self> {
        prop_oneof![
            2 => (2..40u64, 20..900u64, prop::bool::weighted(0.3))
                .prop_map(|(mean_minutes, down_secs, by_zone)| Self::Crashes { mean_minutes, down_secs, by_zone }),
            2 => (10..300u64).prop_map(|every_secs| Self::Kills { every_secs }),
            1 => (5..60u64, 10..300u64).prop_map(|(mean_minutes, boot_secs)| Self::Panics { mean_minutes, boot_secs }),
        ]
        .boxed()
    }

    /// The entry of a scenario's `faults`.
    #[must_use]
    pub fn entry(&self) -> Value {
        match self {
            Self::Crashes { mean_minutes, down_secs, by_zone } => {
                let mut fault = json!({
                    "kind": "NodeCrash", "mtbf": format!("{mean_minutes}m"), "mttr": format!("{down_secs}s"),
                });
                if *by_zone {
                    fault["correlatedBy"] = ZONE_LABEL.into();
                }
                fault
            }
            Self::Kills { every_secs } => {
                let every = json!({"distribution": "exponential", "mean": format!("{every_secs}s")});
                json!({"kind": "PodKiller", "every": every})
            }
            Self::Panics { mean_minutes, boot_secs } => json!({
                "kind": "KernelPanic", "mtbf": format!("{mean_minutes}m"), "mttr": format!("{boot_secs}s"),
            }),
        }
    }
}
