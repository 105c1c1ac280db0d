//! The discrete-event kernel: time, random streams, event queue. No Kubernetes in it.
mod error;
mod time;
pub use error::*;
pub use time::*;
