//! Field errors in upstream's words.

use std::fmt::{self, Write as _};

use serde_json::Value;

use crate::objects::Quantity;
use crate::objects::names;

/// What is wrong with a field, beyond the kind of error.
pub type Detail = std::borrow::Cow<'static, str>;

/// The kind of a [`FieldError`], with the name that `metav1.CauseType` has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorKind {
    /// A reference to something that does not exist.
    NotFound,
    /// A value is missing.
    Required,
    /// A value that must be unique is not.
    Duplicate,
    /// A malformed value, or one out of bounds.
    Invalid,
    /// A value that an enumeration does not have.
    NotSupported,
    /// A value that may not be given here.
    Forbidden,
    /// Too many bytes.
    TooLong,
    /// Too many elements.
    TooMany,
    /// Not of the field's type.
    TypeInvalid,
    /// The API server itself is at fault.
    Internal,
}

impl ErrorKind {
    /// The cause's type in an API Status, such as `FieldValueInvalid`.
    pub fn cause_type(self) -> &'static str {
        match self {
            Self::NotFound => "FieldValueNotFound",
            Self::Required => "FieldValueRequired",
            Self::Duplicate => "FieldValueDuplicate",
            Self::Invalid => "FieldValueInvalid",
            Self::NotSupported => "FieldValueNotSupported",
            Self::Forbidden => "FieldValueForbidden",
            Self::TooLong => "FieldValueTooLong",
            Self::TooMany => "FieldValueTooMany",
            Self::TypeInvalid => "FieldValueTypeInvalid",
            Self::Internal => "InternalError",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::NotFound => "Not found",
            Self::Required => "Required value",
            Self::Duplicate => "Duplicate value",
            Self::Invalid | Self::TypeInvalid => "Invalid value",
            Self::NotSupported => "Unsupported value",
            Self::Forbidden => "Forbidden",
            Self::TooLong => "Too long",
            Self::TooMany => "Too many",
            Self::Internal => "Internal error",
        }
    }
}

/// One fault of an object. Its text is `<field>: <kind>[: <value>][: <detail>]`, as the API server writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldError {
    /// What kind of fault.
    pub kind: ErrorKind,
    /// The path of the field.
    pub field: String,
    /// The offending value as Go prints it, for the kinds that show it.
    pub value: Option<String>,
    /// More words; may be empty.
    pub detail: Detail,
}

impl FieldError {
    /// The same error with other words.
    pub(crate) fn with_detail(mut self, detail: impl Into<Detail>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The text without the field.
    pub fn body(&self) -> String {
        let mut text = self.kind.words().to_owned();
        for part in self.value.as_deref().into_iter().chain(Some(&*self.detail).filter(|detail| !detail.is_empty())) {
            text.push_str(": ");
            text.push_str(part);
        }
        text
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// The message of the Status that refuses an invalid object (`errors.NewInvalid`).
///
/// `group_kind` is `Deployment.apps`, or `Pod` for the core group. Equal texts are named once.
pub fn invalid_message(group_kind: &str, name: &str, errors: &[FieldError]) -> String {
    let mut texts: Vec<String> = Vec::new();
    for error in errors {
        let text = error.to_string();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    let causes = match texts.as_slice() {
        [only] => only.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    format!("{group_kind} {} is invalid: {causes}", names::quoted(name))
}

/// A value as Go prints it in an error.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for str {
    fn shown(&self) -> String {
        names::quoted(self)
    }
}

impl Shown for String {
    fn shown(&self) -> String {
        names::quoted(self)
    }
}

impl Shown for i64 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for Quantity {
    fn shown(&self) -> String {
        names::quoted(&self.to_string())
    }
}

/// API objects whose fields are not in byte order in Go.
impl Shown for Value {
    fn shown(&self) -> String {
        let mut text = String::new();
        write_json(self, &mut text);
        text
    }
}

impl Shown for Vec<&str> {
    fn shown(&self) -> String {
        let items: Vec<String> = self.iter().map(|item| item.shown()).collect();
        format!("[{}]", items.join(","))
    }
}

/// Text that is shown as it is.
#[derive(Debug)]
pub(crate) struct Verbatim(pub(crate) String);

impl Shown for Verbatim {
    fn shown(&self) -> String {
        self.0.clone()
    }
}

impl<T: Shown + ?Sized> Shown for &T {
    fn shown(&self) -> String {
        (**self).shown()
    }
}

/// Fields that Go writes before the others, in its order.
const LEADING_FIELDS: [&str; 9] = [
    "apiVersion",
    "kind",
    "name",
    "uid",
    "controller",
    "blockOwnerDeletion",
    "type",
    "matchLabels",
    "matchExpressions",
];

fn write_json(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => text.push_str(&names::quoted(string)),
        Value::Array(items) => write_list(items.iter(), '[', ']', text, write_json),
        Value::Object(members) => {
            let leading = LEADING_FIELDS.iter().filter_map(|name| members.get_key_value(*name));
            let others = members.iter().filter(|(name, _)| !LEADING_FIELDS.contains(&name.as_str()));
            write_list(leading.chain(others), '{', '}', text, |(name, value), text| {
                let _ = write!(text, "{}:", names::quoted(name));
                write_json(value, text);
            });
        }
        scalar => {
            let _ = write!(text, "{scalar}");
        }
    }
}

fn write_list<T>(
    items: impl Iterator<Item = T>,
    open: char,
    close: char,
    text: &mut String,
    write: impl Fn(T, &mut String),
) {
    text.push(open);
    for (index, item) in items.enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(item, text);
    }
    text.push(close);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::validation::Path;

    #[test]
    fn texts_are_those_of_the_api_server() {
        let port = Path::root("spec");
        assert_eq!(port.invalid(0, "must be positive").to_string(), "spec: Invalid value: 0: must be positive");
        assert_eq!(port.required("").to_string(), "spec: Required value");
        assert_eq!(
            port.not_supported("b", &["a", "c"]).to_string(),
            r#"spec: Unsupported value: "b": supported values: "a", "c""#
        );
        assert_eq!(port.too_long(63).to_string(), "spec: Too long: may not be more than 63 bytes");
    }

    #[test]
    fn equal_causes_are_named_once() {
        let error = Path::root("a").required("");
        let twice = [error.clone(), error.clone()];
        assert_eq!(invalid_message("Pod", "p", &twice), r#"Pod "p" is invalid: a: Required value"#);
        let two = [error, Path::root("b").required("")];
        assert_eq!(invalid_message("Pod", "p", &two), r#"Pod "p" is invalid: [a: Required value, b: Required value]"#);
    }
}
