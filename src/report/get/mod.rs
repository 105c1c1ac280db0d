//! `get`: objects as kubectl lists them (upstream `kubectl/pkg/cmd/get`).

mod custom_columns;
mod format;
mod rows;
mod sort;
pub(super) mod watch;

use serde_json::{Value, json};

use crate::api::View;
use crate::objects::{Object, WallTime, to_yaml};
use crate::sim::Simulation;

pub use custom_columns::{CustomColumn, CustomColumns};
pub use format::{FormatError, OutputFormat};
pub use watch::get_watch;

use super::jsonpath::JsonPathError;
use super::query::{Query, QueryError, ResourceType, Selected};
use rows::Rows;
use sort::sort;

/// Which objects are printed, and how.
#[derive(Clone, Debug, Default)]
pub struct GetOptions {
    /// Which.
    pub query: Query,
    /// How.
    pub format: OutputFormat,
    /// A field by which they are sorted, such as `.status.startTime`, as kubectl takes it.
    pub sort_by: Option<String>,
    /// Labels that get a column of their own.
    pub label_columns: Vec<String>,
    /// Whether all labels are shown.
    pub show_labels: bool,
    /// Whether the names of the columns are left out.
    pub no_headers: bool,
    /// Whether names have their kind in front, as they do when there are several.
    pub show_kind: bool,
}

impl From<Query> for GetOptions {
    fn from(query: Query) -> Self {
        Self { query, ..Self::default() }
    }
}

/// What `get` printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Got {
    /// The text; empty if there is nothing.
    pub text: String,
    /// Objects that were named and are not there, as kubectl says it.
    pub not_found: Vec<String>,
}

/// Why nothing can be printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GetError {
    /// What was asked for makes no sense here.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An expression does not fit the objects.
    #[error("error executing jsonpath: {0}")]
    JsonPath(#[from] JsonPathError),
    /// No object has the field to sort by.
    #[error("couldn't find any field with path {0:?} in the list of objects")]
    SortField(String),
}

/// Prints objects as `kubectl get` does.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::report::{GetOptions, Query, get};
/// use seatrial::sim::{Delays, Simulation};
///
/// let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build()?;
/// sim.run_for(SimDuration::from_mins(3));
/// let options = GetOptions::from(Query::parse(sim.view(), &["nodes"]).expect("a kind"));
/// let got = get(&sim, &options).expect("nodes");
/// assert!(got.text.starts_with("NAME     STATUS   ROLES    AGE   VERSION\nnode-0   Ready    <none>   3m    v1.36"), "{}", got.text);
///
/// let names = GetOptions { format: "jsonpath={.items[*].metadata.name}".parse().expect("a format"), ..options };
/// assert_eq!(get(&sim, &names).expect("nodes").text, "node-0 node-1");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
///
/// # Errors
/// If the query does not fit the kinds, or an expression does not fit the objects.
pub fn get(sim: &Simulation, options: &GetOptions) -> Result<Got, GetError> {
    get_at(sim.view(), sim.wall(), options)
}

/// The same of any picture of a cluster.
pub(super) fn get_at(view: &View, now: WallTime, options: &GetOptions) -> Result<Got, GetError> {
    let mut selected = options.query.select(view)?;
    if let Some(field) = &options.sort_by {
        sort(&mut selected, field)?;
    }
    let text = if selected.groups.is_empty() { String::new() } else { print(&selected, options, now)? };
    Ok(Got { text, not_found: selected.not_found })
}

fn print(selected: &Selected, options: &GetOptions, now: WallTime) -> Result<String, GetError> {
    let objects = || selected.groups.iter().flat_map(|(_, objects)| objects);
    Ok(match &options.format {
        OutputFormat::Table | OutputFormat::Wide => tables(selected, options, now),
        OutputFormat::Name => {
            let names = selected.groups.iter().flat_map(|(kind, objects)| objects.iter().map(|o| named(kind, o)));
            names.map(|name| format!("{name}\n")).collect()
        }
        OutputFormat::Yaml => to_yaml(&document(objects(), options)),
        OutputFormat::Json => super::jsonpath::indented(&document(objects(), options)) + "\n",
        OutputFormat::CustomColumns(columns) => {
            let mut writer = columns.writer(options.no_headers);
            objects().try_for_each(|object| writer.row(&object.to_wire()))?;
            writer.flush()
        }
        OutputFormat::JsonPath(path) => path.print(&document(objects(), options))?,
        OutputFormat::JsonPathAsJson(path) => path.print_json(&document(objects(), options))?,
    })
}

/// `kind.group/name`.
fn named(kind: &ResourceType, object: &Object) -> String {
    format!("{}/{}", kind.qualified_singular(), object.meta().name)
}

/// A table for each kind, with an empty line between them.
fn tables(selected: &Selected, options: &GetOptions, now: WallTime) -> String {
    let several = selected.groups.iter().any(|(kind, _)| *kind != selected.groups[0].0);
    let tables = selected.groups.iter().map(|(kind, objects)| {
        let mut rows = Rows::new(options, several);
        objects.iter().for_each(|object| rows.add(kind, object, now, None));
        rows.flush()
    });
    tables.collect::<Vec<_>>().join("\n")
}

/// An object, or a list of them.
fn document<'a>(objects: impl Iterator<Item = &'a Object>, options: &GetOptions) -> Value {
    let mut items: Vec<Value> = objects.map(Object::to_wire).collect();
    match items.pop() {
        Some(item) if items.is_empty() && options.query.is_single() => item,
        last => {
            items.extend(last);
            json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}})
        }
    }
}
