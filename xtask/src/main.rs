//! Chores run by hand.
//!
//! `cargo run --manifest-path xtask/Cargo.toml -- schema SWAGGER.json src/objects/schema/fields.txt`
//! writes the field table from Kubernetes' `api/openapi-spec/swagger.json`.
//!
//! `… -- protobuf src/objects/schema/fields.txt src/serve/protobuf/messages.txt PROTO …` writes the table of protobuf messages from
//! upstream's `generated.proto` files.
//!
//! `cargo run --manifest-path xtask/Cargo.toml -- crds DIRECTORY src/objects/schema/custom.txt`
//! writes that of custom resources from the Gateway API's `config/crd/standard`.

mod crds;
mod protobuf;
mod schema;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

const USAGE: &str =
    "usage: xtask schema SWAGGER.json OUTPUT | xtask protobuf FIELDS OUTPUT PROTO … | xtask crds DIRECTORY OUTPUT";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["schema", swagger, output] => write_schema(swagger, output),
        ["protobuf", fields, output, protos @ ..] => write_protobuf(fields, output, protos),
        ["crds", directory, output] => write_crds(directory, output),
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

fn write_crds(directory: &str, output: &str) -> Result<(), String> {
    let mut definitions = Vec::new();
    for file in crds::FILES {
        let text = fs::read(Path::new(directory).join(file)).map_err(|error| format!("{file}: {error}"))?;
        definitions.push(serde_yaml::from_slice(&text).map_err(|error| format!("{file}: {error}"))?);
    }
    let table = crds::table(&definitions)?;
    fs::write(output, table).map_err(|error| format!("{output}: {error}"))
}
