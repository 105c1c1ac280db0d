//! Who sends requests, and when.

mod arrivals;
mod check;
mod client;
mod host;
mod spec;

pub use check::ClientError;
pub(super) use client::{Client, Connection, Goal, Sender};
pub use host::{AddressPick, HostName};
pub use spec::{Arrivals, ClientSpec, HttpRequest, KeepAlive, Load, Origin, Piece, PortRef, RequestTarget, Retries};
