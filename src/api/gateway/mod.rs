//! What the Gateway API says of objects that refer to each other: which listeners work, which routes attach to them, and which
//! references count (`gateway-api` `apis/v1`). The controller that writes statuses and the data plane go by the same rules.

mod attach;
mod backend;
mod grants;
mod hostname;
mod listener;

#[cfg(test)]
mod tests;

pub use attach::{Attached, RouteRefusal, attach, names_gateway};
pub use backend::{BackendFault, backend_fault};
pub use grants::is_granted;
pub use hostname::{covers, intersection, specificity};
pub use listener::{ListenerFault, allows_http_routes, listener_fault};
