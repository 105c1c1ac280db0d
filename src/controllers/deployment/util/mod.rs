//! Rules that the parts of the Deployment controller share (upstream `deployment/util`).

pub mod annotations;
pub mod conditions;
pub mod fenceposts;
pub mod sets;
