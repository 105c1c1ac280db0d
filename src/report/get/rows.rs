//! Rows of a table of objects (upstream `printers.HumanReadablePrinter`).

use crate::api::ChangeType;
use crate::objects::{Object, WallTime};
use crate::report::printers::{cells_for, columns_of};
use crate::report::query::ResourceType;
use crate::report::table::Table;

use super::{GetOptions, OutputFormat, named};

/// Collects rows. What is written in parts keeps the widths of its columns, and has its header once.
pub(super) struct Rows<'a> {
    options: &'a GetOptions,
    with_kind: bool,
    table: Option<Table>,
}

impl<'a> Rows<'a> {
    /// `several`: whether there are objects of several kinds, so that names have the kind in front.
    pub(super) const fn new(options: &'a GetOptions, several: bool) -> Self {
        Self { options, with_kind: several || options.show_kind, table: None }
    }

    /// Adds a row; `event`: with a column for what happened.
    pub(super) fn add(&mut self, kind: &ResourceType, object: &Object, now: WallTime, event: Option<ChangeType>) {
        let options = self.options;
        let wide = options.format == OutputFormat::Wide;
        let columns = columns_of(object);
        let shown = |at: usize| columns.get(at).is_some_and(|column| wide || !column.is_wide);
        let with_namespace = options.query.namespace.is_none() && kind.is_namespaced();
        let mut row: Vec<String> = event.map(|event| event.as_str().to_owned()).into_iter().collect();
        if with_namespace {
            row.push(object.meta().namespace.to_string());
        }
        let first = row.len();
        let cells = cells_for(object, now, wide).into_iter().enumerate();
        row.extend(cells.filter(|(at, _)| shown(*at)).map(|(_, cell)| one_line(cell)));
        // Events begin with a time, not with a name.
        if self.with_kind && columns.first().is_some_and(|column| column.name == "name") {
            row[first] = row[first].replacen(&*object.meta().name, &named(kind, object), 1);
        }
        let labels = &object.meta().labels;
        let label = |key: &String| labels.get(key).unwrap_or_default().to_owned();
        row.extend(options.label_columns.iter().map(label));
        if options.show_labels {
            let all: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            row.push(if all.is_empty() { "<none>".to_owned() } else { all.join(",") });
        }
        let header = || {
            let mut header: Vec<String> = event.map(|_| "EVENT".to_owned()).into_iter().collect();
            header.extend(with_namespace.then(|| "NAMESPACE".to_owned()));
            let names = columns.iter().enumerate().filter(|(at, _)| shown(*at));
            header.extend(names.map(|(_, column)| column.name.to_uppercase()));
            let last_part = |key: &String| key.rsplit('/').next().unwrap_or(key).to_uppercase();
            header.extend(options.label_columns.iter().map(last_part));
            header.extend(options.show_labels.then(|| "LABELS".to_owned()));
            header
        };
        let table = self.table.get_or_insert_with(|| Table::of(header(), options.no_headers));
        table.row(row);
    }

    /// The rows that were added since.
    pub(super) fn flush(&mut self) -> String {
        self.table.as_mut().map(Table::flush).unwrap_or_default()
    }
}

/// Cells are cut at the end of their first line.
fn one_line(cell: String) -> String {
    match cell.find(['\n', '\r', '\u{c}']) {
        Some(end) => format!("{}...", &cell[..end]),
        None => cell,
    }
}
