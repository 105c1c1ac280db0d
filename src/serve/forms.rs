//! The forms in which clients take objects: whole, as rows of a table, or their metadata only.

use serde_json::{Map, Value, json};

use crate::objects::{Object, WallTime, versions};
use crate::report::printers::{cells, columns_of};

use super::answer::Answer;
use super::request::HttpRequest;

/// How objects are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Form {
    shape: Shape,
    /// Group and version.
    api_version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Whole,
    /// `meta.k8s.io/v1` `Table`, as `kubectl get` prints it.
    Table(RowObject),
    /// `PartialObjectMetadata`.
    Metadata,
}

/// What comes with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RowObject {
    Nothing,
    Metadata,
    Whole,
}

const META: &str = "meta.k8s.io/v1";

impl Shape {
    /// The first one of the header `Accept` that there is.
    fn asked(request: &HttpRequest) -> Result<Self, Answer> {
        if request.accept.trim().is_empty() {
            return Ok(Self::Whole);
        }
        let ranges = request.accept.split(',');
        let found = ranges.filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_json = matches!(parts.next()?, "application/json" | "application/*" | "*/*");
            let mut kind = None;
            let mut is_v1 = true;
            for part in parts {
                match part.split_once('=') {
                    Some(("as", asked)) => kind = Some(asked),
                    Some(("v", version)) => is_v1 = version == "v1",
                    Some(("stream", _)) => return None,
                    _ => {}
                }
            }
            match kind {
                _ if !is_json => None,
                None => Some(Self::Whole),
                Some("Table") if is_v1 => Some(Self::Table(RowObject::asked(request))),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if is_v1 => Some(Self::Metadata),
                Some(_) => None,
            }
        });
        let mut found: Vec<Self> = found.collect();
        if found.is_empty() {
            let message = "only the following media types are accepted: application/json";
            return Err(Answer::failure(406, "NotAcceptable", message));
        }
        Ok(found.swap_remove(0))
    }
}

impl Form {
    /// What a client takes of objects in a version.
    pub(super) fn asked(request: &HttpRequest, api_version: String) -> Result<Self, Answer> {
        Ok(Self { shape: Shape::asked(request)?, api_version })
    }

    /// One object.
    pub(super) fn one(&self, object: &Object, now: WallTime) -> Value {
        match self.shape {
            Shape::Whole => self.wire(object),
            Shape::Metadata => self.metadata_of(object),
            Shape::Table(with) => {
                self.table(std::slice::from_ref(object), with, now, &object.meta().resource_version.to_string())
            }
        }
    }

    fn wire(&self, object: &Object) -> Value {
        versions::wire_in(object, &self.api_version)
    }

    fn metadata_of(&self, object: &Object) -> Value {
        json!({"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": self.wire(object)["metadata"].take()})
    }

    /// A list of `KindList`.
    pub(super) fn list(&self, kind: &str, objects: &[Object], now: WallTime, version: u64) -> Value {
        let version = version.to_string();
        let (api_version, kind, items): (_, _, Vec<Value>) = match self.shape {
            Shape::Table(with) => return self.table(objects, with, now, &version),
            Shape::Whole => {
                (&*self.api_version, format!("{kind}List"), objects.iter().map(|object| self.wire(object)).collect())
            }
            Shape::Metadata => {
                let all = objects.iter().map(|object| self.metadata_of(object)).collect();
                (META, "PartialObjectMetadataList".to_owned(), all)
            }
        };
        json!({"kind": kind, "apiVersion": api_version, "metadata": {"resourceVersion": version}, "items": items})
    }

    fn table(&self, objects: &[Object], with: RowObject, now: WallTime, version: &str) -> Value {
        let columns = objects.first().map(columns_of).unwrap_or_default();
        let definitions = columns.iter().map(|column| {
            let (name, format) = (capitalised(column.name), if column.name == "name" { "name" } else { "" });
            json!({"name": name, "type": "string", "format": format, "description": "", "priority": i32::from(column.is_wide)})
        });
        let rows = objects.iter().map(|object| {
            let mut row = Map::from_iter([("cells".to_owned(), Value::from(cells(object, now)))]);
            match with {
                RowObject::Nothing => {}
                RowObject::Metadata => drop(row.insert("object".to_owned(), self.metadata_of(object))),
                RowObject::Whole => drop(row.insert("object".to_owned(), self.wire(object))),
            }
            Value::Object(row)
        });
        json!({
            "kind": "Table", "apiVersion": META, "metadata": {"resourceVersion": version},
            "columnDefinitions": definitions.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>(),
        })
    }
}

impl RowObject {
    fn asked(request: &HttpRequest) -> Self {
        match request.value("includeObject") {
            Some("None") => Self::Nothing,
            Some("Object") => Self::Whole,
            _ => Self::Metadata,
        }
    }
}

/// Column names are kept in lower case; the first letter of each word was a capital.
fn capitalised(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
    };
    name.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
