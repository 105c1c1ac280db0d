//! The results of an exploration as a Parquet file, which dataframes and databases read: a row for each case.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::scenario::Measured;

use super::case::{CaseOutcome, CaseResult, seconds};
use super::error::ExploreError;

/// Rows that are written together.
const ROWS_PER_GROUP: usize = 64 * 1024;

/// Writes results, one row each, in this order. The columns are `case`, `seed`, `held`, `failed` (the expectation), `at` (when, in
/// seconds), `why` (also of a run that stopped), `param.NAME` for each parameter that varies, and each measure by its name (times in
/// seconds; nothing of what never came).
///
/// # Errors
/// If the file cannot be written.
pub fn write_parquet(path: &Path, results: &[CaseResult]) -> std::result::Result<(), ExploreError> {
    let file = File::create(path).map_err(ExploreError::file(path))?;
    let broken =
        |error: ParquetError| ExploreError::File { path: path.to_owned(), error: std::io::Error::other(error) };
    write(file, results).map_err(broken)
}

fn write(file: File, results: &[CaseResult]) -> Result<()> {
    let columns = columns(results);
    // Whatever libraries there are, so that the same results are the same bytes.
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_created_by(format!("seatrial {}", env!("CARGO_PKG_VERSION")));
    let mut writer = SerializedFileWriter::new(file, schema(&columns)?, Arc::new(properties.build()))?;
    for rows in results.chunks(ROWS_PER_GROUP) {
        let mut group = writer.next_row_group()?;
        for column in &columns {
            column.write(&mut group, rows)?;
        }
        group.close()?;
    }
    writer.close().map(drop)
}

/// A column: its name, and the value of a row if it has one.
struct Column {
    name: String,
    cell: Cell,
}

/// What a row has in a column, if it has something.
type Of<T> = Box<dyn Fn(&CaseResult) -> Option<T>>;

enum Cell {
    Whole(fn(&CaseResult) -> i64),
    Truth(fn(&CaseResult) -> bool),
    Text(Of<String>),
    Number(Of<f64>),
}

fn columns(results: &[CaseResult]) -> Vec<Column> {
    let column = |name: &str, cell| Column { name: name.to_owned(), cell };
    let mut columns = vec![
        column("case", Cell::Whole(|row| i64::try_from(row.case.number).unwrap_or(i64::MAX))),
        column("seed", Cell::Whole(|row| row.case.seed.cast_signed())),
        column("held", Cell::Truth(|row| row.outcome.held())),
        column(
            "failed",
            Cell::Text(Box::new(|row| match &row.outcome {
                CaseOutcome::Failed { expectation, .. } => Some(expectation.clone()),
                CaseOutcome::Held | CaseOutcome::Stopped { .. } => None,
            })),
        ),
        column(
            "at",
            Cell::Number(Box::new(|row| match &row.outcome {
                CaseOutcome::Failed { at, .. } => Some(seconds(at.as_nanos())),
                CaseOutcome::Held | CaseOutcome::Stopped { .. } => None,
            })),
        ),
        column(
            "why",
            Cell::Text(Box::new(|row| match &row.outcome {
                CaseOutcome::Failed { why, .. } | CaseOutcome::Stopped { why } => Some(why.clone()),
                CaseOutcome::Held => None,
            })),
        ),
    ];
    let parameters: BTreeSet<&String> =
        results.iter().flat_map(|row| &row.case.parameters).map(|(name, _)| name).collect();
    for name in parameters {
        let wanted = name.clone();
        let of = move |row: &CaseResult| {
            row.case.parameters.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.clone())
        };
        columns.push(column(&format!("param.{name}"), Cell::Text(Box::new(of))));
    }
    let measured: BTreeSet<&String> = results.iter().flat_map(|row| &row.measured).map(|(name, _)| name).collect();
    for name in measured {
        let wanted = name.clone();
        let of = move |row: &CaseResult| match row
            .measured
            .iter()
            .find(|(name, _)| *name == wanted)
            .and_then(|(_, value)| *value)?
        {
            Measured::Number(number) => Some(number as f64),
            Measured::Time(time) => Some(seconds(time.as_nanos())),
        };
        columns.push(column(name, Cell::Number(Box::new(of))));
    }
    columns
}

fn schema(columns: &[Column]) -> Result<TypePtr> {
    let fields = columns.iter().map(|column| {
        let (kind, converted, repetition) = match column.cell {
            Cell::Whole(_) => (PhysicalType::INT64, ConvertedType::NONE, Repetition::REQUIRED),
            Cell::Truth(_) => (PhysicalType::BOOLEAN, ConvertedType::NONE, Repetition::REQUIRED),
            Cell::Text(_) => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8, Repetition::OPTIONAL),
            Cell::Number(_) => (PhysicalType::DOUBLE, ConvertedType::NONE, Repetition::OPTIONAL),
        };
        let field = Type::primitive_type_builder(&column.name, kind);
        field.with_converted_type(converted).with_repetition(repetition).build().map(Arc::new)
    });
    Type::group_type_builder("case").with_fields(fields.collect::<Result<_>>()?).build().map(Arc::new)
}

impl Column {
    fn write(&self, group: &mut SerializedRowGroupWriter<'_, File>, rows: &[CaseResult]) -> Result<()> {
        match &self.cell {
            Cell::Whole(of) => put::<Int64Type>(group, rows.iter().map(|row| Some(of(row))), false),
            Cell::Truth(of) => put::<BoolType>(group, rows.iter().map(|row| Some(of(row))), false),
            Cell::Text(of) => put::<ByteArrayType>(
                group,
                rows.iter().map(|row| of(row).map(|text| ByteArray::from(text.as_str()))),
                true,
            ),
            Cell::Number(of) => put::<DoubleType>(group, rows.iter().map(of), true),
        }
    }
}

/// Writes the next column of a group.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    cells: impl Iterator<Item = Option<T::T>>,
    is_optional: bool,
) -> Result<()> {
    let cells: Vec<Option<T::T>> = cells.collect();
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
    let values: Vec<T::T> = cells.into_iter().flatten().collect();
    let column = group.next_column()?;
    let mut column = column.ok_or_else(|| ParquetError::General("the schema has fewer columns".to_owned()))?;
    column.typed::<T>().write_batch(&values, is_optional.then_some(&levels), None)?;
    column.close()
}
