//! Node-pressure eviction (upstream `pkg/kubelet/eviction`): which thresholds are met, what the node says of it, and which pod
//! goes. When the rounds of it take place, and on which pods, stands in `pressure`.

mod config;
mod limits;
mod manager;
mod message;
mod rank;
mod signal;

pub use config::{KubeletConfig, Threshold, ThresholdAmount};
pub use signal::{PressureConditions, Signal};

pub(super) use limits::StorageLimits;
pub(super) use manager::{Manager, Places};
pub(super) use message::{for_shortage, resource_name};
pub(super) use rank::{Candidate, kubelet_request, rank};
pub(super) use signal::{Observation, Observations};
