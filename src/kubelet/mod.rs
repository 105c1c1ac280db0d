//! The kubelet: the life of the pods of one node.
//!
//! A [`Kubelet`] is a state machine. It is told what happens to its pods and when its timers are due, and answers with
//! [`Effects`]: requests to the API server and new timers. It keeps no clock and no random source; how the containers of an
//! image behave (how long they take to start, whether they exit) comes from [`Behaviours`].
//!
//! ```
//! use std::sync::Arc;
//! use seatrial::kernel::SimDuration;
//! use seatrial::kubelet::{Behaviour, BehaviourSpec, Behaviours, Delay};
//!
//! let slow: BehaviourSpec = serde_json::from_str(r#"{"image": "web:*", "ready": "90s"}"#)?;
//! let behaviours = Behaviours::new(Behaviour::ideal(), [slow]);
//! assert_eq!(behaviours.resolve("web:v2").ready, Delay::After(SimDuration::from_secs(90).into()));
//! assert_eq!(behaviours.resolve("db:v1").ready, Behaviour::ideal().ready);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod address;
mod admission;
mod behaviour;
mod disks;
mod driver;
mod events;
mod eviction;
mod hooks;
mod images;
mod lifecycle;
mod load;
mod mounts;
mod node;
mod oom;
mod preparation;
mod pressure;
mod probes;
mod processes;
mod serve;
mod shutdown;
mod static_pods;
mod status;
mod surroundings;
mod termination;
#[cfg(test)]
mod tests;
mod troubles;
mod usage;
mod worker;

pub use address::PodCidr;
pub use behaviour::{
    Behaviour, BehaviourSpec, Behaviours, Crash, Deadlock, Delay, Dependency, Exit, HookFails, ProbeName, Pull,
    SlowPull, StartStagger, Writes,
};
pub use disks::{Content, Disks};
pub use driver::{Effects, Kubelet, KubeletContext, slowed};
pub use eviction::{KubeletConfig, PressureConditions, Signal, Threshold, ThresholdAmount};
pub use load::Load;
pub use node::{
    LEASE_DURATION_SECONDS, LEASE_RENEW_INTERVAL, NODE_LEASE_NAMESPACE, NODE_STATUS_REPORT_INTERVAL, NodeHealth,
    health_events, heartbeat, is_news, lease, node_labels, register_node, renew_lease,
};
pub use pressure::{Eaten, Machine, MachineResource, NodeTimer};
pub use processes::{ProcessEvent, ProcessNotice};
pub use serve::{OnSigterm, ProbesAnswered, Serve, Share, Slow};
pub use shutdown::ShutdownGracePeriod;
pub use static_pods::static_pod;
pub use surroundings::{KnownServices, ViewSurroundings};
pub use troubles::{has_ready_endpoint, service_of};
pub use usage::{ContainerCount, CpuUse, Growth, Usage};
pub use worker::PodTimer;
