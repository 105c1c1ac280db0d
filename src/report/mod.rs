//! Pure folds from a run to what people read: tables, timelines, the story of a run.

mod around;
mod describe;
mod diff;
mod difference;
mod events;
mod exploration;
mod failure;
mod fields;
mod get;
mod go_value;
mod happened;
mod html;
mod jsonpath;
mod live;
mod lives;
pub mod printers;
mod query;
mod replay;
mod rollout;
mod steps;
mod story;
mod table;
mod timeline;
mod top;
mod trace;
mod traffic;
mod tree;

pub use around::{Nearby, around};
pub use describe::{DescribeOptions, describe, describe_object};
pub use diff::{Diff, DiffOptions, Figure, ObjectChange, Side, diff_instants, diff_runs};
pub use events::{EventsOptions, events, events_watch};
pub use exploration::exploration;
pub use failure::failure;
pub use fields::FieldChange;
pub use get::watch::WatchOptions;
pub use get::{CustomColumn, CustomColumns, FormatError, GetError, GetOptions, Got, OutputFormat, get, get_watch};
pub use happened::story_before;
pub use html::html;
pub use jsonpath::{JsonPath, JsonPathError};
pub use live::LiveStory;
pub use query::{KeptKind, Query, QueryError, ResourceType, Selected, Wanted};
pub use replay::Replay;
pub use rollout::{RolloutOptions, RolloutStatus, rollout_history, rollout_status};
pub use story::story;
pub use table::{Table, age};
pub use timeline::{Sample, Timeline, timelines};
pub use top::{TopOptions, TopOrder, top_nodes, top_pods};
pub use trace::trace;
pub use traffic::{traffic, traffic_json};
pub use tree::tree;

/// `kind/name`, with the namespace in front unless it is the default one.
fn object_name(object: &crate::objects::Object) -> String {
    let meta = object.meta();
    let kind = object.kind_name().to_lowercase();
    match &*meta.namespace {
        "" | "default" => format!("{kind}/{}", meta.name),
        namespace => format!("{namespace}/{kind}/{}", meta.name),
    }
}
