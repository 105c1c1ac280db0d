//! `get`: objects as kubectl lists them.

use serde_json::{Value, json};

use crate::objects::{Kind, Object, Selector, WallTime};
use crate::sim::Simulation;

use super::printers::{cells_for, columns};
use super::table::Table;

/// How objects are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputFormat {
    /// A table.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// `kind/name` lines.
    Name,
    /// YAML documents.
    Yaml,
    /// JSON.
    Json,
}

/// Which objects are printed, and how.
#[derive(Clone, Debug)]
pub struct GetOptions {
    /// Kind.
    pub kind: Kind,
    /// Only the object of that name.
    pub name: Option<String>,
    /// Namespace; `None` = all.
    pub namespace: Option<String>,
    /// Only objects with such labels.
    pub selector: Option<Selector>,
    /// Format.
    pub format: OutputFormat,
}

/// Prints objects as `kubectl get` does; `None` if there are none.
#[must_use]
pub fn get(sim: &Simulation, options: &GetOptions) -> Option<String> {
    let mut objects = sim.view().list(options.kind);
    objects.retain(|object| {
        let meta = object.meta();
        let here = !options.kind.is_namespaced()
            || options.namespace.as_ref().is_none_or(|namespace| *meta.namespace == **namespace);
        here && options.name.as_ref().is_none_or(|name| *meta.name == **name)
            && options.selector.as_ref().is_none_or(|selector| selector.matches(&meta.labels))
    });
    if objects.is_empty() {
        return None;
    }
    Some(match options.format {
        OutputFormat::Table => table(&objects, options, false, sim.wall()),
        OutputFormat::Wide => table(&objects, options, true, sim.wall()),
        OutputFormat::Name => objects.iter().map(|object| format!("{}\n", qualified_name(object))).collect(),
        OutputFormat::Yaml => yaml(&objects, options),
        OutputFormat::Json => format!("{:#}\n", document(&objects, options)),
    })
}

fn qualified_name(object: &Object) -> String {
    let kind = object.kind();
    let group = kind.group();
    let dot = if group.is_empty() { "" } else { "." };
    format!("{}{dot}{group}/{}", object.kind_name().to_lowercase(), object.meta().name)
}

fn document(objects: &[Object], options: &GetOptions) -> Value {
    match (objects, &options.name) {
        ([object], Some(_)) => object.to_wire(),
        _ => {
            let items: Vec<Value> = objects.iter().map(Object::to_wire).collect();
            json!({"apiVersion": "v1", "kind": "List", "items": items, "metadata": {"resourceVersion": ""}})
        }
    }
}

fn yaml(objects: &[Object], options: &GetOptions) -> String {
    serde_yaml::to_string(&document(objects, options)).unwrap_or_default()
}

fn table(objects: &[Object], options: &GetOptions, wide: bool, now: WallTime) -> String {
    let columns = columns(options.kind);
    let shown = |at: &usize| columns.get(*at).is_some_and(|column| wide || !column.is_wide);
    let with_namespace = options.namespace.is_none() && options.kind.is_namespaced();
    let mut header: Vec<&str> = if with_namespace { vec!["namespace"] } else { Vec::new() };
    header.extend((0..columns.len()).filter(shown).map(|at| columns[at].name));
    let mut table = Table::new(&header);
    for object in objects {
        let mut row = if with_namespace { vec![object.meta().namespace.to_string()] } else { Vec::new() };
        let cells = cells_for(object, now, wide).into_iter().enumerate().filter(|(at, _)| shown(at));
        row.extend(cells.map(|(_, cell)| cell));
        table.row(row);
    }
    table.to_string()
}
