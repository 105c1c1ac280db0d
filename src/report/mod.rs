//! Pure folds from a run to what people read: tables, timelines, the story of a run.

mod around;
mod describe;
mod difference;
mod exploration;
mod failure;
mod get;
mod happened;
mod html;
mod lives;
pub mod printers;
mod story;
mod table;
mod timeline;
mod trace;
mod traffic;
mod tree;

pub use around::{Nearby, around};
pub use describe::{DESCRIBED, DescribeOptions, describe};
pub use exploration::exploration;
pub use failure::failure;
pub use get::{GetOptions, OutputFormat, get};
pub use html::html;
pub use story::story;
pub use table::{Table, age};
pub use timeline::{Sample, Timeline, timelines};
pub use trace::trace;
pub use traffic::{traffic, traffic_json};
pub use tree::tree;
