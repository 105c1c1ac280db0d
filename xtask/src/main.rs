//! Chores run by hand.
//!
//! `cargo run --manifest-path xtask/Cargo.toml -- schema SWAGGER.json src/objects/schema/fields.txt`
//! writes the field table from Kubernetes' `api/openapi-spec/swagger.json`.
//!
//! `… -- protobuf src/objects/schema/fields.txt src/serve/protobuf/messages.txt PROTO …` writes the table of protobuf messages from
//! upstream's `generated.proto` files.

mod protobuf;
mod schema;

use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str = "usage: xtask schema SWAGGER.json OUTPUT | xtask protobuf FIELDS OUTPUT PROTO …";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["schema", swagger, output] => write_schema(swagger, output),
        ["protobuf", fields, output, protos @ ..] => write_protobuf(fields, output, protos),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn write_schema(swagger: &str, output: &str) -> Result<(), String> {
    let text = fs::read(swagger).map_err(|error| format!("{swagger}: {error}"))?;
    let document = serde_json::from_slice(&text).map_err(|error| format!("{swagger}: {error}"))?;
    let table = schema::table(&document)?;
    fs::write(output, table).map_err(|error| format!("{output}: {error}"))
}

fn write_protobuf(fields: &str, output: &str, protos: &[&str]) -> Result<(), String> {
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    let protos: Vec<String> = protos.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    let table = protobuf::table(&read(fields)?, &protos)?;
    fs::write(output, table).map_err(|error| format!("{output}: {error}"))
}
