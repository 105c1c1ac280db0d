//! The one integration binary: a module per area.

mod determinism;
mod recordings;
mod reports;
mod rollouts;
mod scenarios;
mod tidy;
