//! The simulation: wires the API server, the controllers, the scheduler and the kubelets together and decides when
//! anything happens.
//!
//! - [`Simulation`] holds a cluster and its event queue; [`Simulation::builder`] makes one.
//! - Control-plane processes see the store through informers that lag by [`Delays::watch`]; without delay they see
//!   the store itself.
//! - A controller's sync is a chain of steps. The requests of a step reach the API server after one delay, drawn from
//!   [`Delays::write`] in the stream of that process.
//! - Faults ([`NodeCrash`], [`PodKiller`]) strike at random times, as the user might.
//! - At one instant, things happen in this order: what the user and faults do, watch deliveries, kubelets, the scheduler,
//!   controllers, heartbeats; within each, in the order in which they were scheduled.

mod autoscaler;
mod builder;
mod controller;
mod delays;
mod dependants;
mod disturbances;
mod drain;
mod error;
mod event;
mod faults;
mod inspect;
mod kubelets;
mod kubernetes_service;
mod livelock;
mod machines;
mod managers;
mod metrics;
mod operations;
mod pressure;
mod recorder;
mod scheduling;
mod simulation;
mod traffic;
mod watch;
mod work_queue;

pub use crate::apiserver::{Applied, LAST_APPLIED};
pub use crate::autoscaler::{AutoscalerOptions, Expander};
pub use crate::kubelet::{Content, Disks};
pub use crate::metrics::{MetricsConfig, NodeUsage, PodUsage, Series, SeriesAbout, Source, ValueAt};
pub use crate::network::dns::{ClientCaching, DnsConfig};
pub use crate::network::{
    AddressPick, Arrivals, Cause, ClientReport, ClientSpec, Detail, Histogram, HostName, HttpRequest, Intermediary,
    IpvsScheduler, KeepAlive, LATENCY_CLASSES, Load, NetworkConfig, Origin, Outcome, Piece, PortRef, ProxyMode,
    RequestTarget, Retries, RouteReport, Served, Tally, TrafficReport, Window,
};
pub use crate::scheduler::Verdict;
pub use autoscaler::NodeGroup;
pub use builder::{DEFAULT_EPOCH, NodeTemplate, SimulationBuilder};
pub use delays::{Delays, LoadBalancerDelays, VolumeDelays};
pub use disturbances::{
    ConflictStorm, ControlPlane, Cut, Disturbance, Incident, Leader, LeaderElection, Place, Watcher,
};
pub use drain::{DrainOptions, eviction_answer};
pub use error::SimError;
pub use faults::{
    ControlPlaneFault, FaultPlan, KernelPanic, MachineDeletion, NodeCrash, NodePartition, NodePressure, PodKiller,
    SlowNode, SpotReclaim, Trouble, ZONE_LABEL,
};
pub use livelock::Livelock;
pub use machines::{DEFAULT_BOOT_TIME, MAX_SLOWNESS_PERCENT, OnNotice, Reclaim};
pub use operations::{Changes, Debug, Target};
pub use recorder::{Digest, Record, RecordMode, Recording, StepRecord, TrafficRecord};
pub use simulation::Simulation;

#[cfg(test)]
mod tests;
