//! `-o custom-columns` (upstream `customcolumn.go`).

use serde_json::Value;

use crate::report::go_value::go_value;
use crate::report::jsonpath::{JsonPath, JsonPathError};
use crate::report::table::Table;

/// Columns that a user names: `NAME:.metadata.name,NODE:.spec.nodeName`.
///
/// ```
/// use seatrial::report::CustomColumns;
/// let columns: CustomColumns = "NAME:.metadata.name,IMAGES:.spec.containers[*].image".parse()?;
/// assert_eq!(columns.0.len(), 2);
/// assert!("NAME".parse::<CustomColumns>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CustomColumns(pub Vec<CustomColumn>);

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomColumn {
    /// Its name.
    pub header: String,
    /// What stands in it.
    pub field: JsonPath,
}

fn column(header: &str, field: &str) -> Result<CustomColumn, String> {
    let field = JsonPath::relaxed(field).map_err(|error| format!("the column {header}: {error}"))?;
    Ok(CustomColumn { header: header.to_owned(), field })
}

impl std::str::FromStr for CustomColumns {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        let one = |part: &str| {
            let (header, field) = part
                .split_once(':')
                .ok_or_else(|| format!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>"))?;
            column(header, field)
        };
        text.split(',').map(one).collect::<Result<_, _>>().map(Self)
    }
}

impl CustomColumns {
    /// Reads a file of two lines: the names of the columns, and the fields under them.
    ///
    /// # Errors
    /// If a line is missing, or they do not have the same number of words.
    pub fn from_template(text: &str) -> Result<Self, String> {
        let expected =
            "Expected format is one line of space separated headers, one line of space separated column specs.";
        let mut lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let headers = lines.next().ok_or_else(|| format!("invalid template, missing header line. {expected}"))?;
        let fields = lines.next().ok_or_else(|| format!("invalid template, missing spec line. {expected}"))?;
        if headers.len() != fields.len() {
            let (headers, fields) = (headers.len(), fields.len());
            return Err(format!("number of headers ({headers}) and field specifications ({fields}) don't match"));
        }
        headers.into_iter().zip(fields).map(|(header, field)| column(header, field)).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn writer(&self, no_headers: bool) -> ColumnWriter<'_> {
        let header: Vec<String> = self.0.iter().map(|column| column.header.clone()).collect();
        ColumnWriter { columns: self, table: Table::of(header, no_headers) }
    }
}

/// Writes rows of custom columns.
pub(super) struct ColumnWriter<'a> {
    columns: &'a CustomColumns,
    table: Table,
}

impl ColumnWriter<'_> {
    pub(super) fn row(&mut self, document: &Value) -> Result<(), JsonPathError> {
        let cells: Result<Vec<String>, _> = self.columns.0.iter().map(|column| cell(&column.field, document)).collect();
        self.table.row(cells?);
        Ok(())
    }

    pub(super) fn flush(&mut self) -> String {
        self.table.flush()
    }
}

fn cell(field: &JsonPath, document: &Value) -> Result<String, JsonPathError> {
    let found = field.find(document)?;
    let values: Vec<String> = found.iter().flatten().map(go_value).collect();
    // Upstream looks at the first part only.
    let is_none = found.first().is_none_or(Vec::is_empty);
    let none = is_none.then(|| "<none>".to_owned());
    Ok(none.into_iter().chain(values).collect::<Vec<_>>().join(","))
}
