//! Results of explorations as Parquet files.

use std::fs;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use seatrial::explore::{CaseResult, Plan, explore};
use seatrial::scenario::Measured;

const TEXT: &str = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: t}
spec:
  parameters: {mtbf: 10m}
  duration: 10m
  nodes: [{name: w}]
  faults: [{kind: NodeCrash, mtbf: $(params.mtbf), mttr: 1m}]
  expect:
  - {always: "nodeReady(node/w)", after: 1m}
  - {eventually: "quiescent()", after: 5m}
  measure: [{name: down, duration: "!nodeReady(node/w)"}]
"#;

/// What comes back from a table: names and types of columns, and the rows as texts.
fn table(path: &Path) -> (Vec<String>, Vec<Vec<String>>) {
    let reader = SerializedFileReader::new(fs::File::open(path).expect("a file")).expect("a table");
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let columns = schema.columns().iter().map(|column| format!("{} {}", column.name(), column.physical_type()));
    let rows = reader
        .get_row_iter(None)
        .expect("rows")
        .map(|row| row.expect("a row").get_column_iter().map(|(_, field)| field.to_string()).collect());
    (columns.collect(), rows.collect())
}

#[test]
fn a_table_of_results_comes_back_as_it_was() {
    let plan = Plan::new("t.yaml", TEXT).seeds(0..20).vary("mtbf=5m,30m".parse().expect("a variation"));
    let mut results: Vec<CaseResult> = Vec::new();
    explore(&plan, NonZeroUsize::MIN, 0, |result| {
        results.push(result);
        ControlFlow::Continue(())
    })
    .expect("a scenario");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("results.parquet");
    seatrial::explore::write_parquet(&path, &results).expect("a table");
    let (columns, rows) = table(&path);
    assert_eq!(
        columns[..6],
        ["case INT64", "seed INT64", "held BOOLEAN", "failed BYTE_ARRAY", "at DOUBLE", "why BYTE_ARRAY"]
    );
    assert_eq!(rows.len(), results.len());
    assert_eq!(columns[6..], ["param.mtbf BYTE_ARRAY", "down DOUBLE", "eventually: quiescent() after 5m0s DOUBLE"]);
    for (row, result) in rows.iter().zip(&results) {
        let line = result.to_json();
        assert_eq!(row[0], line["case"].to_string());
        assert_eq!(row[1], line["seed"].to_string());
        assert_eq!(row[2], line["held"].to_string());
        let failed = line["failed"]["expectation"].as_str().map_or("null".to_owned(), |text| format!("{text:?}"));
        assert_eq!(row[3], failed);
        assert_eq!(row[6], format!("{:?}", result.case.parameters[0].1));
        for (name, value) in &result.measured {
            let cell =
                &row[columns.iter().position(|column| column.starts_with(&format!("{name} "))).expect("a column")];
            match value {
                Some(Measured::Number(number)) => assert_eq!(cell.parse::<f64>().expect("a number"), *number as f64),
                Some(Measured::Time(time)) => assert_eq!(cell.parse::<f64>().expect("a number"), time.as_secs_f64()),
                None => assert_eq!(cell, "null"),
            }
        }
    }
    assert!(rows.iter().any(|row| row[2] == "false") && rows.iter().any(|row| row[2] == "true"));
    let again = folder.path().join("again.parquet");
    seatrial::explore::write_parquet(&again, &results).expect("a table");
    assert_eq!(fs::read(&path).expect("bytes"), fs::read(&again).expect("bytes"), "the same bytes");
}

#[test]
fn the_table_of_merged_shards_is_that_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.yaml"), TEXT).expect("a file");
    let seatrial = |arguments: &[&str]| {
        let mut command = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
        command.current_dir(folder.path()).args(arguments).assert()
    };
    seatrial(&["explore", "t.yaml", "--seeds", "9", "--out", "whole.parquet", "--shrink", "0"]).code(1);
    seatrial(&["explore", "t.yaml", "--seeds", "9", "--shard", "0/2", "--out", "a", "--shrink", "0"]).code(1);
    seatrial(&["explore", "t.yaml", "--seeds", "9", "--shard", "1/2", "--out", "b", "--shrink", "0"]).code(1);
    seatrial(&["explore", "t.yaml", "--seeds", "9", "--shard", "1/2", "--out", "b.parquet"]).code(2);
    seatrial(&["merge", "a", "b", "--out", "merged.parquet"]).code(1);
    let (whole, merged) = (table(&folder.path().join("whole.parquet")), table(&folder.path().join("merged.parquet")));
    assert_eq!(whole, merged);
    assert_eq!(whole.1.len(), 9);
}
