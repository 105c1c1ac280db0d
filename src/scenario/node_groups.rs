//! Node groups and the cluster autoscaler, as a scenario has them.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kernel::{Sampler, SimDuration};
use crate::objects::{Labels, Taint};
use crate::sim::{AutoscalerOptions, Expander, NodeGroup};

use super::error::Fault;
use super::schema::RawNode;

/// A node group: machines of one kind, of which there may be more or fewer.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RawNodeGroup {
    pub(super) name: String,
    #[serde(default)]
    min: u32,
    pub(super) max: u32,
    initial: Option<u32>,
    provision: Option<Sampler>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    capacity: Map<String, Value>,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    taints: Vec<Taint>,
}

impl RawNodeGroup {
    /// What one of its machines looks like.
    pub(super) fn machine(&self) -> RawNode {
        let Self { name, capacity, labels, taints, .. } = self.clone();
        RawNode {
            name,
            count: None,
            capacity,
            labels,
            taints,
            status_delay: None,
            processes: None,
            kubelet: None,
            static_pods: Vec::new(),
        }
    }

    /// The group, if its numbers make sense.
    pub(super) fn group(&self) -> Result<NodeGroup, Fault> {
        if self.max == 0 {
            return Err(Fault::new("max", "must be greater than 0"));
        }
        if self.min > self.max {
            return Err(Fault::new("min", format!("{} is more than max, which is {}", self.min, self.max)));
        }
        let initial = self.initial.unwrap_or(self.min);
        if initial > self.max {
            return Err(Fault::new("initial", format!("{initial} is more than max, which is {}", self.max)));
        }
        let template = self.machine().expand()?.into_iter().next().ok_or_else(|| Fault::new("", "no machine"))?;
        let mut group = NodeGroup::new(template, self.min, self.max);
        (group.initial, group.priority) = (initial, self.priority);
        if let Some(provision) = &self.provision {
            group.provision = provision.clone();
        }
        Ok(group)
    }

    /// Whether a machine of the group could have that name.
    pub(super) fn may_make(&self, node: &str) -> bool {
        let number = node.strip_prefix(&*self.name).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }
}

/// Flags of the autoscaler; what is left out is upstream's default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct RawAutoscaler {
    scan_interval: Option<SimDuration>,
    expander: Option<String>,
    scale_down_enabled: Option<bool>,
    scale_down_unneeded_time: Option<SimDuration>,
    scale_down_unready_time: Option<SimDuration>,
    scale_down_delay_after_add: Option<SimDuration>,
    scale_down_delay_after_failure: Option<SimDuration>,
    scale_down_utilization_threshold: Option<f64>,
    max_node_provision_time: Option<SimDuration>,
    max_nodes_total: Option<u32>,
    max_graceful_termination_sec: Option<u32>,
    skip_nodes_with_local_storage: Option<bool>,
    skip_nodes_with_system_pods: Option<bool>,
}

impl RawAutoscaler {
    pub(super) fn options(self) -> Result<AutoscalerOptions, Fault> {
        let mut options = AutoscalerOptions::default();
        let take = |given: Option<SimDuration>, to: &mut SimDuration| *to = given.unwrap_or(*to);
        take(self.scan_interval, &mut options.scan_interval);
        take(self.scale_down_unneeded_time, &mut options.scale_down_unneeded_time);
        take(self.scale_down_unready_time, &mut options.scale_down_unready_time);
        take(self.scale_down_delay_after_add, &mut options.scale_down_delay_after_add);
        take(self.scale_down_delay_after_failure, &mut options.scale_down_delay_after_failure);
        take(self.max_node_provision_time, &mut options.max_node_provision_time);
        if options.scan_interval < SimDuration::from_secs(1) {
            return Err(Fault::new("scanInterval", "must be at least 1s"));
        }
        if let Some(name) = &self.expander {
            let unknown = || Fault::new("expander", format!("there is no expander {name:?}"));
            let known = "one of random, least-waste, most-pods, priority";
            options.expander = Expander::parse(name).ok_or_else(|| unknown().help(known))?;
        }
        if let Some(threshold) = self.scale_down_utilization_threshold {
            if !(0.0..=1.0).contains(&threshold) {
                return Err(Fault::new("scaleDownUtilizationThreshold", "expected a number from 0 to 1"));
            }
            options.utilization_threshold_milli = (threshold * 1000.0).round() as u32;
        }
        options.scale_down_enabled = self.scale_down_enabled.unwrap_or(options.scale_down_enabled);
        options.max_nodes_total = self.max_nodes_total.unwrap_or(options.max_nodes_total);
        let grace = self.max_graceful_termination_sec.map(i64::from);
        options.max_graceful_termination_seconds = grace.unwrap_or(options.max_graceful_termination_seconds);
        let (storage, system) = (self.skip_nodes_with_local_storage, self.skip_nodes_with_system_pods);
        options.skip_nodes_with_local_storage = storage.unwrap_or(options.skip_nodes_with_local_storage);
        options.skip_nodes_with_system_pods = system.unwrap_or(options.skip_nodes_with_system_pods);
        Ok(options)
    }
}
