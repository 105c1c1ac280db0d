//! The discrete-event kernel: virtual time, an ordered event queue, independent random streams, and distributions.
//!
//! There is no Kubernetes in here. Everything is a plain value: cloning a queue and its streams forks the simulation, and the
//! same seed gives the same run, bit for bit, on every platform.
//!
//! ```
//! use seatrial::kernel::{EventQueue, Purpose, Sampler, SimDuration, SimTime, Streams};
//!
//! const STARTS: Purpose = Purpose::new(1);
//! let start_delay = Sampler::log_normal(SimDuration::from_secs(2), SimDuration::from_secs(6))?;
//! let streams = Streams::new(42);
//!
//! let mut queue = EventQueue::new();
//! for pod in ["web-a", "web-b"] {
//!     let mut luck = streams.stream(STARTS, pod);
//!     queue.push(SimTime::ZERO + start_delay.sample(&mut luck), 0, pod);
//! }
//! let timeout = queue.push(SimTime::from_secs(600), 0, "timeout");
//!
//! let (first, _) = queue.pop().expect("two pods start");
//! let (second, _) = queue.pop().expect("one more");
//! assert!(first < second);
//! assert_eq!(queue.cancel(timeout), Some("timeout"));
//! assert!(queue.is_empty());
//! # Ok::<(), seatrial::kernel::KernelError>(())
//! ```

mod error;
mod queue;
mod random;
mod rate;
mod sampler;
mod slab;
mod time;

pub use error::{DurationFault, KernelError, RateFault};
pub use queue::{EventId, EventQueue};
pub use random::{Entity, LazyStream, Purpose, Stream, Streams};
pub use rate::{Poisson, Rate};
pub use sampler::Sampler;
pub use time::{SimDuration, SimTime};
