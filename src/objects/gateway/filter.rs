//! Filters of HTTPRoutes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::objects::{SharedList, Text, skip};

/// What is done to requests and answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRouteFilter {
    /// Which of the fields is given.
    #[serde(rename = "type")]
    pub kind: Text,
    /// Changes headers of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_header_modifier: Option<HttpHeaderFilter>,
    /// Answers with another address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_redirect: Option<HttpRequestRedirect>,
    /// Changes host and path of requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_rewrite: Option<HttpUrlRewrite>,
    /// What is valid and not simulated (responseHeaderModifier, requestMirror, cors, extensionRef).
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// Changes of headers: those of `set` are replaced, then those of `add` come, those of `remove` go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpHeaderFilter {
    /// Headers that are replaced.
    #[serde(skip_serializing_if = "skip::none")]
    pub set: SharedList<HttpHeader>,
    /// Headers that come in addition.
    #[serde(skip_serializing_if = "skip::none")]
    pub add: SharedList<HttpHeader>,
    /// Names of headers that go.
    #[serde(skip_serializing_if = "skip::none")]
    pub remove: SharedList<Text>,
}

/// A header.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpHeader {
    /// Name.
    pub name: Text,
    /// Value.
    pub value: Text,
}

/// An answer with another address; what is absent stays as requested.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpRequestRedirect {
    /// `http` or `https`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Text>,
    /// Host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text>,
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
    /// Port; absent = that of the scheme if one is given, else that of the listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
    /// Status of the answer.
    pub status_code: i32,
}

impl Default for HttpRequestRedirect {
    fn default() -> Self {
        Self { scheme: None, hostname: None, path: None, port: None, status_code: 302 }
    }
}

/// Changes of host and path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpUrlRewrite {
    /// Host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<Text>,
    /// Path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<HttpPathModifier>,
}

/// A change of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HttpPathModifier {
    /// Which of the fields is given.
    #[serde(rename = "type")]
    pub kind: PathModifierType,
    /// The new path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_full_path: Option<Text>,
    /// What takes the place of the prefix that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace_prefix_match: Option<Text>,
}

/// How a path is changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PathModifierType {
    /// As a whole.
    #[default]
    ReplaceFullPath,
    /// The part that a rule's prefix matched.
    ReplacePrefixMatch,
}
