//! API objects: what a manifest says, typed and shared.
//!
//! An object exists in two forms. The **wire form** is a JSON document, complete, as manifests, patches and the
//! event log have it. The **snapshot** is a typed struct that holds what the simulation decides on, with the rest of
//! the wire form kept beside it, so that what went in comes out whole.

pub mod labels;
pub mod schema;

pub use labels::{Annotations, Labels, SharedList};
