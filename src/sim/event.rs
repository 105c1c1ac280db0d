//! What can happen.

use crate::api::Request;
use crate::kernel::SimTime;
use crate::kubelet::{NodeTimer, PodTimer};
use crate::objects::Key;

use super::disturbances::Recovery;
use super::machines::MachineEvent;

/// A process of the control plane that watches the API server on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProcessId {
    /// A controller manager: the built-in one, or one with a user's controllers.
    Controllers(u16),
    Scheduler,
    /// All kubelets; each sees the pods bound to its node.
    Kubelets,
    /// One kubelet, while it does not see what the others see.
    Node(u32),
}

/// The closed set of events of the simulation.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// Watch changes reach a process; without `news` they are heartbeats.
    Deliver { process: ProcessId, news: bool },
    /// A controller's workers look at their queue.
    Work { process: u16, controller: u16 },
    /// Requests of a sync reach the API server, and the answers the sync.
    Execute { process: u16, controller: u16, flight: u32, epoch: u32, requests: Vec<Request> },
    /// A delayed key is due.
    Due { process: u16, controller: u16, epoch: u32, key: Key },
    /// The scheduler tries the next pod.
    Schedule { epoch: u32 },
    /// A back-off of the scheduler's queue may have ended.
    WakeScheduler(SimTime),
    /// The scheduler's binding, or its note that no node fits, reaches the API server.
    Bind(Box<Binding>),
    /// A timer of a kubelet.
    Pod { node: u32, timer: PodTimer },
    /// A timer of a kubelet about its node.
    Node { node: u32, timer: NodeTimer },
    /// Something outside the pods no longer uses a machine.
    Relief { node: u32, number: u64 },
    /// Requests of a kubelet reach the API server.
    Report { node: u32, requests: Vec<Request> },
    /// A kubelet shows that it lives.
    Heartbeat { node: u32, epoch: u32 },
    /// A `kubectl drain` looks at its pods.
    Drain(u32),
    /// Something happens to a machine.
    Machine(MachineEvent),
    /// An injector of faults strikes, or what it struck comes back.
    Fault { injector: u32, unit: u32 },
    /// Something goes on around the cluster autoscaler.
    Autoscaler(super::autoscaler::Task),
    /// Pods and nodes are measured, or what was measured becomes known.
    Metrics(super::metrics::Task),
    /// Something goes on in a disturbance of the control plane, or after it.
    Recovery(Recovery),
}

/// Requests of one scheduling attempt.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) epoch: u32,
    pub(super) attempt: crate::scheduler::AttemptId,
    pub(super) requests: Vec<Request>,
    pub(super) displaced: Vec<Vec<Request>>,
}

/// Order of events at one instant: what the user does, then watches, kubelets, the scheduler, controllers; within a rank, in
/// the order in which they were scheduled. Controllers come last, so that one sync sees all that an instant brought.
pub(super) mod rank {
    pub(in super::super) const USER: u16 = 0;
    pub(in super::super) const WATCH: u16 = 1;
    pub(in super::super) const KUBELET: u16 = 2;
    pub(in super::super) const SCHEDULER: u16 = 3;
    pub(in super::super) const CONTROLLERS: u16 = 4;
    pub(in super::super) const BACKGROUND: u16 = 5;
}
