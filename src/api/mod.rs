//! The shared vocabulary of components: requests and responses of the API, watch changes, the read-only [`View`] that
//! stands for an informer cache, and the [`Reconciler`] trait of controllers.
//!
//! Components never call each other. They read a view, return requests, and are told of changes; `sim` decides when.

mod error;
pub mod gateway;
mod kind_set;
mod ownership;
mod reconciler;
mod relist;
mod replicas;
mod request;
mod table;
mod view;
mod volumes;

pub use error::{ApiError, Cause, MODIFIED, Reason};
pub use kind_set::KindSet;
pub use ownership::Ownership;
pub use reconciler::{Context, Enqueue, RateLimit, Reconciler, Step, Then};
pub use replicas::PodCounts;
pub use request::{
    DeleteOptions, EventKind, EventSpec, MetaPatch, MetricsQuery, Part, PatchType, Preconditions, Propagation, Request,
    Response,
};
pub use table::{IdSet, Table};
pub use view::{Change, ChangeType, Tabled, View};
pub use volumes::{attached_by, bound_volume, unique_name};
