//! One metric of the spec: its question, its proposal, its status (upstream `computeStatusFor*Metric`).

use crate::api::{MetricsQuery, Response};
use crate::objects::{
    CrossVersionObjectReference, Format, HorizontalPodAutoscaler, LabelSelector, MetricIdentifier, MetricSource,
    MetricSpec, MetricTarget, MetricValueStatus, Quantity, Selector,
};

use super::metrics_client::{external_metric, object_metric, pods_metric, resource_metric};
use super::replica_calculator::{Calculator, Proposal};

/// Replicas that a metric asks for.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) replicas: i32,
    /// What it is called in reasons.
    pub(super) name: String,
    pub(super) current: MetricValueStatus,
}

/// Why a metric says nothing.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// Reason of the condition and of the Event.
    pub(super) reason: &'static str,
    /// Message of the Event.
    pub(super) message: String,
    /// What the controller makes of it.
    pub(super) error: String,
}

/// What is asked of the metrics APIs for the sake of a metric.
pub(super) fn query(autoscaler: &HorizontalPodAutoscaler, source: &MetricSource, selector: &Selector) -> MetricsQuery {
    let namespace = autoscaler.meta.namespace.clone();
    let selector = selector.clone();
    match source.clone() {
        MetricSource::Resource { .. } | MetricSource::ContainerResource { .. } => {
            MetricsQuery::PodUsage { namespace, selector }
        }
        MetricSource::Pods { metric } => MetricsQuery::Pods { namespace, selector, metric },
        MetricSource::Object { described_object: object, metric } => MetricsQuery::Object { namespace, object, metric },
        MetricSource::External { metric } => MetricsQuery::External { namespace, metric },
    }
}

/// What a metric asks for. `replicas`: those that the target has.
pub(super) fn measure(
    calculator: &Calculator<'_>,
    namespace: &str,
    replicas: i32,
    MetricSpec { source, target }: &MetricSpec,
    answer: &Response,
) -> Result<Measured, Failure> {
    match source {
        MetricSource::Object { described_object, metric } => {
            measure_object(calculator, namespace, replicas, (described_object, metric), target, answer)
        }
        MetricSource::Pods { metric } => measure_pods(calculator, metric, target, answer),
        MetricSource::Resource { name } => {
            measure_resource(calculator, name, "", target, answer).map_err(|message| Failure {
                reason: "FailedGetResourceMetric",
                error: format!("failed to get {name} resource metric value: {message}"),
                message,
            })
        }
        MetricSource::ContainerResource { name, container } => {
            measure_resource(calculator, name, container, target, answer).map_err(|message| Failure {
                reason: "FailedGetContainerResourceMetric",
                error: format!("failed to get {container} container metric value: {message}"),
                message,
            })
        }
        MetricSource::External { metric } => measure_external(calculator, namespace, replicas, metric, target, answer),
    }
}

fn measure_resource(
    calculator: &Calculator<'_>,
    resource: &str,
    container: &str,
    target: &MetricTarget,
    answer: &Response,
) -> Result<Measured, String> {
    let format = if resource == "memory" { Format::BinarySi } else { Format::DecimalSi };
    let unreadable = |error: String| format!("unable to get metrics for resource {resource}: {error}");
    let metrics = || resource_metric(answer, resource, container).map_err(unreadable);
    let (proposal, name) = match (target.average_value, target.average_utilization) {
        (Some(average), _) => {
            let found =
                metrics().and_then(|metrics| calculator.average_replicas(metrics, resource, average.milli_value()));
            let proposal = found.map_err(|error| format!("failed to get {resource} usage: {error}"))?;
            (proposal, format!("{resource} resource"))
        }
        (None, Some(percentage)) => {
            let found =
                metrics().and_then(|metrics| calculator.resource_replicas(metrics, resource, container, percentage));
            let proposal = found.map_err(|error| format!("failed to get {resource} utilization: {error}"))?;
            let of = if container.is_empty() { "" } else { "container " };
            (proposal, format!("{resource} {of}resource utilization (percentage of request)"))
        }
        (None, None) => {
            let neither = "neither an average utilization target nor an average value (usage) target was set";
            return Err(format!("invalid resource metric source: {neither}"));
        }
    };
    let average_value = Some(Quantity::from_milli(proposal.usage, format));
    let current = MetricValueStatus { value: None, average_value, average_utilization: proposal.percentage };
    Ok(Measured { replicas: proposal.replicas, name, current })
}

fn measure_pods(
    calculator: &Calculator<'_>,
    metric: &MetricIdentifier,
    target: &MetricTarget,
    answer: &Response,
) -> Result<Measured, Failure> {
    let fail = |message: String| Failure {
        reason: "FailedGetPodsMetric",
        error: format!("failed to get pods metric value: {message}"),
        message,
    };
    compiled(metric.selector.as_ref()).map_err(fail)?;
    let name = &metric.name;
    let target = target.average_value.unwrap_or_default().milli_value();
    let metrics = pods_metric(answer).map_err(|error| fail(format!("unable to get metric {name}: {error}")))?;
    let proposal = calculator.average_replicas(metrics, "", target).map_err(fail)?;
    let current = average(&proposal);
    Ok(Measured { replicas: proposal.replicas, name: format!("pods metric {name}"), current })
}

fn measure_object(
    calculator: &Calculator<'_>,
    namespace: &str,
    replicas: i32,
    (object, metric): (&CrossVersionObjectReference, &MetricIdentifier),
    target: &MetricTarget,
    answer: &Response,
) -> Result<Measured, Failure> {
    let fail = |message: String, error: String| Failure {
        reason: "FailedGetObjectMetric",
        error: format!("failed to get object metric value: {error}"),
        message,
    };
    let plain = |message: String| fail(message.clone(), message);
    compiled(metric.selector.as_ref()).map_err(plain)?;
    let name = &metric.name;
    // Upstream has the words of this message in another order than its arguments.
    let usage = object_metric(answer).map_err(|error| {
        format!("unable to get metric {name}: {} on {namespace} {}/{error}", object.kind, object.name)
    });
    let (proposal, current, called) = match (&*target.kind, target.value, target.average_value) {
        ("Value", Some(value), _) => {
            let proposal = usage.and_then(|usage| calculator.shared_replicas(usage, value.milli_value()));
            let proposal = proposal.map_err(plain)?;
            (proposal, whole(&proposal), format!("{} metric {name}", object.kind))
        }
        ("AverageValue", _, Some(value)) => {
            let usage = usage.map_err(|message| {
                let error = format!("failed to get {name} object metric: {message}");
                fail(message, error)
            })?;
            let proposal = calculator.shared_average_replicas(usage, value.milli_value(), replicas, false);
            (proposal, average(&proposal), external_name(name, metric.selector.as_ref()))
        }
        _ => {
            let why = "invalid object metric source: neither a value target nor an average value target was set";
            return Err(plain(why.to_owned()));
        }
    };
    Ok(Measured { replicas: proposal.replicas, name: called, current })
}

fn measure_external(
    calculator: &Calculator<'_>,
    namespace: &str,
    replicas: i32,
    metric: &MetricIdentifier,
    target: &MetricTarget,
    answer: &Response,
) -> Result<Measured, Failure> {
    let (name, selector) = (&metric.name, metric.selector.as_ref());
    let fail = |message: String, error: String| Failure {
        reason: "FailedGetExternalMetric",
        error: format!("failed to get {name} external metric value: {error}"),
        message,
    };
    let series = compiled(selector).and_then(|()| {
        let unreadable = |error| format!("unable to get external metric {namespace}/{name}/{}: {error}", go(selector));
        external_metric(answer).map_err(unreadable)
    });
    let (proposal, current) = match (target.average_value, target.value) {
        (Some(value), _) => {
            let series = series.map_err(|message| {
                let error = format!("failed to get {name} external metric: {message}");
                fail(message, error)
            })?;
            let usage = series.iter().try_fold(0_i64, |sum, value| sum.checked_add(*value)).unwrap_or(i64::MAX);
            let usage = if usage < 0 { i64::MAX } else { usage };
            let proposal = calculator.shared_average_replicas(usage, value.milli_value(), replicas, true);
            (proposal, average(&proposal))
        }
        (None, Some(value)) => {
            let usage = |series: Vec<i64>| series.iter().fold(0_i64, |sum, value| sum.saturating_add(*value));
            let found = series.and_then(|series| calculator.shared_replicas(usage(series), value.milli_value()));
            let proposal = found.map_err(|message| {
                let error = format!("failed to get external metric {name}: {message}");
                fail(message, error)
            })?;
            (proposal, whole(&proposal))
        }
        (None, None) => {
            let why = "invalid external metric source: neither a value target nor an average value target was set";
            return Err(fail(why.to_owned(), why.to_owned()));
        }
    };
    Ok(Measured { replicas: proposal.replicas, name: external_name(name, selector), current })
}

fn compiled(selector: Option<&LabelSelector>) -> Result<(), String> {
    selector.map_or(Ok(()), |selector| selector.compile().map(drop).map_err(|error| error.to_string()))
}

/// Object metrics by pod are called so too.
fn external_name(name: &str, selector: Option<&LabelSelector>) -> String {
    format!("external metric {name}({})", go(selector))
}

fn go(selector: Option<&LabelSelector>) -> String {
    selector.map_or_else(|| "nil".to_owned(), LabelSelector::to_go_string)
}

fn average(proposal: &Proposal) -> MetricValueStatus {
    let average_value = Some(Quantity::from_milli(proposal.usage, Format::DecimalSi));
    MetricValueStatus { average_value, ..MetricValueStatus::default() }
}

fn whole(proposal: &Proposal) -> MetricValueStatus {
    let value = Some(Quantity::from_milli(proposal.usage, Format::DecimalSi));
    MetricValueStatus { value, ..MetricValueStatus::default() }
}
