//! The processes that answer: what a request finds at a container in each state of its life, and how long the answer takes.

mod fleet;
mod line;
mod meter;
mod model;
mod queue;
mod server;

pub use fleet::{ContainerUp, PodUp, ProcessChange};
pub(super) use fleet::{Fleet, Pod};
pub use model::{ErrorRate, ServeModel, WarmUp};
#[cfg(test)]
pub(super) use queue::Queue;
pub(super) use server::{Admission, NO_PASSAGE, NO_TICKET, Pending, Server, State};
