//! The one integration binary: a module per area.

mod recordings;
mod tidy;
