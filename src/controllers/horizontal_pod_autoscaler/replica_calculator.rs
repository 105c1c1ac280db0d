//! From a metric to replicas (upstream `replica_calculator.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::kernel::SimDuration;
use crate::objects::{ConditionStatus, Conditions, Pod, PodPhase, Resources, WallTime};

use super::HorizontalPodAutoscalerConfig;
use super::metrics_client::{PodMetric, PodMetrics, usage_ratio, utilization_ratio};

/// How far off the target a figure may be without anything being done, as ratios.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tolerances {
    pub(super) scale_down: f64,
    pub(super) scale_up: f64,
}

impl Tolerances {
    fn is_within(self, ratio: f64) -> bool {
        1.0 - self.scale_down <= ratio && ratio <= 1.0 + self.scale_up
    }
}

/// What the replicas of a metric are worked out from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calculator<'a> {
    pub(super) pods: &'a [&'a Arc<Pod>],
    pub(super) config: &'a HorizontalPodAutoscalerConfig,
    pub(super) tolerances: Tolerances,
    pub(super) now: WallTime,
    /// Replicas that the target asks for.
    pub(super) current: i32,
}

/// Replicas that a metric asks for, and what it is on average or in all, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proposal {
    pub(super) replicas: i32,
    /// Per cent of what is requested, where that is measured.
    pub(super) percentage: Option<i32>,
    pub(super) usage: i64,
}

/// Names of pods.
type Names = SmallVec<[Arc<str>; 4]>;

/// The pods of a target by what their metrics are worth (`groupPods`).
#[derive(Debug, Default)]
struct Groups {
    ready: usize,
    unready: Names,
    missing: Names,
    ignored: Names,
}

impl Calculator<'_> {
    /// Replicas by use as a share of what is requested (`GetResourceReplicas`).
    pub(super) fn resource_replicas(
        &self,
        mut metrics: PodMetrics,
        resource: &str,
        container: &str,
        target: i32,
    ) -> Result<Proposal, String> {
        let groups = self.useful(&mut metrics, resource)?;
        let requests = requests(self.pods, container, resource)?;
        let (ratio, percentage, usage) = utilization_ratio(&metrics, &requests, target)?;
        let fallback = i64::from(target.max(100));
        let missing_usage = |pod: &str| requests.get(pod).map_or(0, |request| request.wrapping_mul(fallback) / 100);
        let replicas = match self.plain_replicas(ratio, &groups) {
            Some(replicas) => replicas,
            None => {
                let again = filled(metrics, &groups, ratio, missing_usage);
                let (ratio_again, ..) = utilization_ratio(&again, &requests, target)?;
                self.replicas_again(ratio, ratio_again, again.len())
            }
        };
        Ok(Proposal { replicas, percentage: Some(percentage), usage })
    }

    /// Replicas by an average (`calcPlainMetricReplicas`). `resource` is empty for custom metrics.
    pub(super) fn average_replicas(
        &self,
        mut metrics: PodMetrics,
        resource: &str,
        target: i64,
    ) -> Result<Proposal, String> {
        let groups = self.useful(&mut metrics, resource)?;
        let (ratio, usage) = usage_ratio(&metrics, target);
        let replicas = match self.plain_replicas(ratio, &groups) {
            Some(replicas) => replicas,
            None => {
                let again = filled(metrics, &groups, ratio, |_| target);
                let (ratio_again, _) = usage_ratio(&again, target);
                self.replicas_again(ratio, ratio_again, again.len())
            }
        };
        Ok(Proposal { replicas, percentage: None, usage })
    }

    /// Replicas by a figure that all pods share (`GetObjectMetricReplicas`, `GetExternalMetricReplicas`).
    pub(super) fn shared_replicas(&self, usage: i64, target: i64) -> Result<Proposal, String> {
        let ratio = usage as f64 / target as f64;
        let replicas = if self.current == 0 {
            int32(libm::ceil(ratio))
        } else if self.tolerances.is_within(ratio) {
            self.current
        } else if self.pods.is_empty() {
            return Err(format!("unable to calculate ready pods: {NO_PODS}"));
        } else {
            let ready = self.pods.iter().filter(|pod| pod.is_running_and_ready()).count();
            let replicas = ratio * ready as f64;
            if replicas > f64::from(i32::MAX) { i32::MAX } else { int32(libm::ceil(replicas)) }
        };
        Ok(Proposal { replicas, percentage: None, usage })
    }

    /// Replicas by a figure that is to be so much by pod (`GetObjectPerPodMetricReplicas`,
    /// `GetExternalPerPodMetricReplicas`). `replicas`: those that the target has.
    pub(super) fn shared_average_replicas(&self, usage: i64, target: i64, replicas: i32, is_capped: bool) -> Proposal {
        let ratio = usage as f64 / (target as f64 * f64::from(replicas));
        let mut proposal = replicas;
        if !self.tolerances.is_within(ratio) {
            let wanted = libm::ceil(usage as f64 / target as f64);
            proposal = if is_capped && wanted > f64::from(i32::MAX) { i32::MAX } else { int32(wanted) };
        }
        let average = if is_capped && usage == i64::MAX {
            i64::MAX
        } else {
            int64(libm::ceil(usage as f64 / f64::from(replicas)))
        };
        Proposal { replicas: proposal, percentage: None, usage: average }
    }

    /// Sorts the pods, and leaves only the metrics that count.
    fn useful(&self, metrics: &mut PodMetrics, resource: &str) -> Result<Groups, String> {
        if self.pods.is_empty() {
            return Err(NO_PODS.to_owned());
        }
        let groups = self.group_pods(metrics, resource);
        for pod in groups.ignored.iter().chain(&groups.unready) {
            metrics.remove(pod);
        }
        if metrics.is_empty() {
            return Err("did not receive metrics for targeted pods (pods might be unready)".to_owned());
        }
        Ok(groups)
    }

    fn group_pods(&self, metrics: &PodMetrics, resource: &str) -> Groups {
        let mut groups = Groups::default();
        for pod in self.pods {
            let name = pod.meta.name.clone();
            if pod.meta.is_deleting() || pod.status.phase == PodPhase::Failed {
                groups.ignored.push(name);
            } else if pod.status.phase == PodPhase::Pending {
                groups.unready.push(name);
            } else {
                match metrics.get(&name) {
                    None => groups.missing.push(name),
                    Some(metric) if resource == "cpu" && self.is_unready(pod, metric) => groups.unready.push(name),
                    Some(_) => groups.ready += 1,
                }
            }
        }
        groups
    }

    /// Whether what a pod used of CPU says nothing of what it will use: it starts, or has never been ready.
    fn is_unready(&self, pod: &Pod, metric: &PodMetric) -> bool {
        let (Some(ready), Some(start)) = (pod.status.conditions.find("Ready"), pod.status.start_time) else {
            return true;
        };
        let since = ready.last_transition_time.map_or_else(WallTime::default, |at| at.wall());
        let is_not_ready = ready.status == ConditionStatus::False;
        if after(start.wall(), self.config.cpu_initialization_period) > self.now {
            is_not_ready || metric.at < after(since, metric.window)
        } else {
            is_not_ready && after(start.wall(), self.config.initial_readiness_delay) > since
        }
    }

    /// The replicas, if nothing stands in the way of taking the ratio as it is.
    fn plain_replicas(&self, ratio: f64, groups: &Groups) -> Option<i32> {
        let scales_up_with_unready = !groups.unready.is_empty() && ratio > 1.0;
        if scales_up_with_unready || !groups.missing.is_empty() {
            return None;
        }
        let within = self.tolerances.is_within(ratio);
        Some(if within { self.current } else { int32(libm::ceil(ratio * groups.ready as f64)) })
    }

    /// The replicas by a ratio that stands in for pods without metrics; the current ones if it does not clearly say to go the
    /// same way as without those.
    fn replicas_again(&self, before: f64, ratio: f64, pods: usize) -> i32 {
        let turned = (before < 1.0 && ratio > 1.0) || (before > 1.0 && ratio < 1.0);
        if self.tolerances.is_within(ratio) || turned {
            return self.current;
        }
        let replicas = int32(libm::ceil(ratio * pods as f64));
        let turns = (ratio < 1.0 && replicas > self.current) || (ratio > 1.0 && replicas < self.current);
        if turns { self.current } else { replicas }
    }
}

const NO_PODS: &str = "no pods returned by selector while calculating replica count";

/// Stand-ins for pods without metrics: of those that are missing `missing` where fewer replicas are wanted and nothing where
/// more are; of those that are not ready nothing where more are.
fn filled(mut metrics: PodMetrics, groups: &Groups, ratio: f64, missing: impl Fn(&str) -> i64) -> PodMetrics {
    let stand_in = |value| PodMetric { value, ..PodMetric::default() };
    for pod in &groups.missing {
        if ratio < 1.0 {
            metrics.insert(pod.clone(), stand_in(missing(pod)));
        } else if ratio > 1.0 {
            metrics.insert(pod.clone(), stand_in(0));
        }
    }
    if ratio > 1.0 {
        metrics.extend(groups.unready.iter().map(|pod| (pod.clone(), stand_in(0))));
    }
    metrics
}

/// What each pod requests, or one container of it, in thousandths (`calculateRequests`).
fn requests(pods: &[&Arc<Pod>], container: &str, resource: &str) -> Result<BTreeMap<Arc<str>, i64>, String> {
    pods.iter().map(|pod| Ok((pod.meta.name.clone(), request(pod, container, resource)?))).collect()
}

fn request(pod: &Pod, container: &str, resource: &str) -> Result<i64, String> {
    let name = &pod.meta.name;
    let pod_level = pod.spec.resources.as_ref().filter(|level| level.requests != Resources::default());
    if container.is_empty() && pod_level.is_some() {
        let request = milli(&pod.spec.requests, resource);
        return request.ok_or_else(|| format!("missing pod-level request for {resource} in Pod {name}"));
    }
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    let mut total = 0_i64;
    for each in pod.spec.containers.iter().chain(sidecars) {
        if container.is_empty() || *each.name == *container {
            let request = milli(&each.resources.requests, resource);
            total =
                total.wrapping_add(request.ok_or_else(|| {
                    format!("missing request for {resource} in container {} of Pod {name}", each.name)
                })?);
        }
        if *each.name == *container {
            return Ok(total);
        }
    }
    if container.is_empty() { Ok(total) } else { Err(format!("container {container} not found in Pod {name}")) }
}

/// The amount of a resource in thousandths, if it is named.
fn milli(amounts: &Resources, resource: &str) -> Option<i64> {
    let (bit, amount) = match resource {
        "cpu" => return (amounts.named & 1 != 0).then_some(amounts.cpu_milli),
        "memory" => (2, amounts.memory),
        "ephemeral-storage" => (4, amounts.ephemeral_storage),
        _ => {
            let found = amounts.extended.iter().find(|(name, _)| **name == *resource);
            return found.map(|(_, amount)| amount.wrapping_mul(1000));
        }
    };
    (amounts.named & bit != 0).then(|| amount.wrapping_mul(1000))
}

fn after(instant: WallTime, duration: SimDuration) -> WallTime {
    instant.plus_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// As Go converts a float on the usual machines: what does not fit becomes the least number.
fn int32(value: f64) -> i32 {
    if value > f64::from(i32::MIN) - 1.0 && value < f64::from(i32::MAX) + 1.0 { value as i32 } else { i32::MIN }
}

fn int64(value: f64) -> i64 {
    if value >= i64::MIN as f64 && value < i64::MAX as f64 { value as i64 } else { i64::MIN }
}
