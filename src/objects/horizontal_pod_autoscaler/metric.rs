//! What autoscalers measure: targets in the spec, figures in the status.

use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::CrossVersionObjectReference;
use crate::objects::wire::{Wire, WireMut};
use crate::objects::{LabelSelector, Quantity};

/// A metric and what it is to be. On the wire both are in a field that is named after the kind of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricSpec {
    /// The metric.
    pub source: MetricSource,
    /// What it is to be; a figure of each pod or of its containers on average.
    pub target: MetricTarget,
}

/// What was last read of a metric.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricStatus {
    /// The metric; absent if it could not be read.
    pub source: Option<MetricSource>,
    /// What it is.
    pub current: MetricValueStatus,
}

impl MetricStatus {
    /// The figures, if they are of a metric of that kind.
    #[must_use]
    pub fn figures_of(&self, spec: &MetricSpec) -> Option<&MetricValueStatus> {
        let kind = self.source.as_ref().map(MetricSource::kind);
        (kind == Some(spec.source.kind())).then_some(&self.current)
    }
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all_fields = "camelCase")]
pub enum MetricSource {
    /// What each pod uses of a resource.
    Resource {
        /// The resource.
        name: Arc<str>,
    },
    /// What one container of each pod uses of a resource.
    ContainerResource {
        /// The resource.
        name: Arc<str>,
        /// Name of the container.
        container: Arc<str>,
    },
    /// A figure of each pod.
    Pods {
        /// The metric.
        metric: MetricIdentifier,
    },
    /// A figure about another object.
    Object {
        /// The object.
        described_object: CrossVersionObjectReference,
        /// The metric.
        metric: MetricIdentifier,
    },
    /// A figure from outside the cluster.
    External {
        /// The metric; its series are added up.
        metric: MetricIdentifier,
    },
}

impl MetricSource {
    /// As the API writes it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Resource { .. } => "Resource",
            Self::ContainerResource { .. } => "ContainerResource",
            Self::Pods { .. } => "Pods",
            Self::Object { .. } => "Object",
            Self::External { .. } => "External",
        }
    }

    /// The field in which it is.
    pub(super) fn field(&self) -> String {
        field(self.kind())
    }

    /// With figures, which are called so in the API.
    fn to_wire(&self, called: &str, figures: &impl Serialize) -> Value {
        let mut source = serde_json::to_value(self).unwrap_or_default().take_field(self.kind()).unwrap_or_default();
        source.set(called, serde_json::to_value(figures).unwrap_or_default());
        let fields = [("type".to_owned(), self.kind().into()), (self.field(), source)];
        Value::Object(fields.into_iter().collect())
    }

    /// A source and its figures, if the document names a kind of source.
    fn from_wire<T: DeserializeOwned + Default>(wire: &Value, called: &str) -> serde_json::Result<Option<(Self, T)>> {
        let kind = wire.text("type");
        if kind.is_empty() {
            return Ok(None);
        }
        let mut source = wire.at(&field(kind)).clone();
        let figures = source.take_field(called).filter(|figures| !figures.is_null());
        let figures = figures.map(serde_json::from_value).transpose()?.unwrap_or_default();
        let source = Map::from_iter([(kind.to_owned(), source)]);
        Ok(Some((serde_json::from_value(Value::Object(source))?, figures)))
    }
}

/// The field in which a source of that kind is.
fn field(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

impl Serialize for MetricSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.to_wire("target", &self.target).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetricSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = MetricSource::from_wire(&Value::deserialize(deserializer)?, "target").map_err(D::Error::custom)?;
        let (source, target) = read.ok_or_else(|| D::Error::missing_field("type"))?;
        Ok(Self { source, target })
    }
}

impl Serialize for MetricStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unread = || serde_json::json!({"type": ""});
        self.source
            .as_ref()
            .map_or_else(unread, |source| source.to_wire("current", &self.current))
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MetricStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = MetricSource::from_wire(&Value::deserialize(deserializer)?, "current").map_err(D::Error::custom)?;
        Ok(read.map_or_else(Self::default, |(source, current)| Self { source: Some(source), current }))
    }
}

/// Which metric.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricIdentifier {
    /// Its name.
    pub name: Arc<str>,
    /// Which of its series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// What a metric is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricTarget {
    /// `Utilization`, `Value` or `AverageValue`.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// The figure itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Quantity>,
    /// The figure by pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_value: Option<Quantity>,
    /// Per cent of what the pods request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_utilization: Option<i32>,
}

/// What a metric is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricValueStatus {
    /// The figure itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Quantity>,
    /// The figure by pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_value: Option<Quantity>,
    /// Per cent of what the pods request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_utilization: Option<i32>,
}
