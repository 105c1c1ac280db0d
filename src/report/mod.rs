//! Pure folds from a run to what people read: tables, timelines, the story of a run.

mod describe;
mod exploration;
mod get;
mod happened;
pub mod printers;
mod story;
mod table;
mod timeline;
mod traffic;
mod tree;

pub use describe::{DESCRIBED, DescribeOptions, describe};
pub use exploration::exploration;
pub use get::{GetOptions, OutputFormat, get};
pub use story::story;
pub use table::{Table, age};
pub use timeline::{Sample, Timeline, timelines};
pub use traffic::{traffic, traffic_json};
pub use tree::tree;
