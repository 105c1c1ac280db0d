//! `-o`.

use crate::report::jsonpath::{JsonPath, JsonPathError};

use super::custom_columns::CustomColumns;

/// How objects are printed.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum OutputFormat {
    /// A table.
    #[default]
    Table,
    /// A table with more columns.
    Wide,
    /// `kind/name` lines.
    Name,
    /// A YAML document.
    Yaml,
    /// A JSON document.
    Json,
    /// A table of fields.
    CustomColumns(CustomColumns),
    /// A template filled in.
    JsonPath(JsonPath),
    /// What a template finds, as JSON.
    JsonPathAsJson(JsonPath),
}

/// Why a text is no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// Another word.
    #[error(
        "unable to match a printer suitable for the output format {0:?}, allowed formats are: custom-columns, \
         custom-columns-file, json, jsonpath, jsonpath-as-json, jsonpath-file, name, wide, yaml"
    )]
    Unknown(String),
    /// A format that kubectl has and this does not.
    #[error("the output format {0:?} is not supported: use jsonpath or custom-columns")]
    GoTemplate(String),
    /// A template that cannot be read.
    #[error("error parsing jsonpath {template}, {error}")]
    JsonPath {
        /// The template.
        template: String,
        /// What is wrong with it.
        error: JsonPathError,
    },
    /// Columns that cannot be read.
    #[error("{0}")]
    Columns(String),
}

impl std::str::FromStr for OutputFormat {
    type Err = FormatError;

    /// Reads what stands behind `-o`. (Those that name a file are for the command to read.)
    fn from_str(text: &str) -> Result<Self, FormatError> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let path = |template: &str| {
            let error = |error| FormatError::JsonPath { template: template.to_owned(), error };
            if template.is_empty() {
                let missing = format!("template format specified but no template given for {name:?}");
                return Err(FormatError::Columns(missing));
            }
            JsonPath::parse(template).map_err(error)
        };
        match name {
            "wide" if value.is_empty() => Ok(Self::Wide),
            "name" if value.is_empty() => Ok(Self::Name),
            "yaml" if value.is_empty() => Ok(Self::Yaml),
            "json" if value.is_empty() => Ok(Self::Json),
            "custom-columns" => value.parse().map(Self::CustomColumns).map_err(FormatError::Columns),
            "jsonpath" => path(value).map(Self::JsonPath),
            "jsonpath-as-json" => path(value).map(Self::JsonPathAsJson),
            "go-template" | "go-template-file" | "template" | "templatefile" => {
                Err(FormatError::GoTemplate(name.to_owned()))
            }
            _ => Err(FormatError::Unknown(text.to_owned())),
        }
    }
}
