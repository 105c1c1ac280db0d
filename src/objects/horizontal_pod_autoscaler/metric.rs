//! What autoscalers measure: targets in the spec, figures in the status.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::CrossVersionObjectReference;
use crate::objects::{LabelSelector, Quantity, Text};

/// A metric and what it is to be. One of the sources is given, the one that `kind` names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricSpec {
    /// `Resource`, `ContainerResource`, `Pods`, `Object` or `External`.
    #[serde(rename = "type")]
    pub kind: Arc<str>,
    /// A figure about another object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectMetricSource>,
    /// A figure of each pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodsMetricSource>,
    /// What each pod uses of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceMetricSource>,
    /// What one container of each pod uses of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_resource: Option<ContainerResourceMetricSource>,
    /// A figure from outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalMetricSource>,
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

/// A figure about another object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMetricSource {
    /// The object.
    pub described_object: CrossVersionObjectReference,
    /// What it is to be.
    pub target: MetricTarget,
    /// The metric.
    pub metric: MetricIdentifier,
}

/// A figure of each pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodsMetricSource {
    /// The metric.
    pub metric: MetricIdentifier,
    /// What it is to be on average.
    pub target: MetricTarget,
}

/// What each pod uses of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceMetricSource {
    /// The resource.
    pub name: Arc<str>,
    /// What it is to be on average.
    pub target: MetricTarget,
}

/// What one container of each pod uses of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerResourceMetricSource {
    /// The resource.
    pub name: Arc<str>,
    /// What it is to be on average.
    pub target: MetricTarget,
    /// Name of the container.
    pub container: Arc<str>,
}

/// A figure from outside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalMetricSource {
    /// The metric; its series are added up.
    pub metric: MetricIdentifier,
    /// What it is to be.
    pub target: MetricTarget,
}

/// What was last read of a metric; all of it is absent if it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricStatus {
    /// `Resource`, `ContainerResource`, `Pods`, `Object` or `External`.
    #[serde(rename = "type")]
    pub kind: Text,
    /// A figure about another object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectMetricStatus>,
    /// A figure of each pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<PodsMetricStatus>,
    /// What each pod uses of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceMetricStatus>,
    /// What one container of each pod uses of a resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_resource: Option<ContainerResourceMetricStatus>,
    /// A figure from outside the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalMetricStatus>,
}

impl MetricStatus {
    /// The figures, if the metric could be read.
    #[must_use]
    pub fn current(&self) -> Option<&MetricValueStatus> {
        let resource = self.resource.as_ref().map(|status| &status.current);
        let container = self.container_resource.as_ref().map(|status| &status.current);
        let pods = self.pods.as_ref().map(|status| &status.current);
        let object = self.object.as_ref().map(|status| &status.current);
        let external = self.external.as_ref().map(|status| &status.current);
        resource.or(container).or(pods).or(object).or(external)
    }
}

/// What was last read about another object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMetricStatus {
    /// The metric.
    pub metric: MetricIdentifier,
    /// What it is.
    pub current: MetricValueStatus,
    /// The object.
    pub described_object: CrossVersionObjectReference,
}

/// What was last read of the pods.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PodsMetricStatus {
    /// The metric.
    pub metric: MetricIdentifier,
    /// What it is on average.
    pub current: MetricValueStatus,
}

/// What the pods last used of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceMetricStatus {
    /// The resource.
    pub name: Arc<str>,
    /// What it is on average.
    pub current: MetricValueStatus,
}

/// What a container of the pods last used of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerResourceMetricStatus {
    /// The resource.
    pub name: Arc<str>,
    /// What it is on average.
    pub current: MetricValueStatus,
    /// Name of the container.
    pub container: Arc<str>,
}

/// What was last read from outside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalMetricStatus {
    /// The metric.
    pub metric: MetricIdentifier,
    /// What it is.
    pub current: MetricValueStatus,
}
