//! A kubelet's configuration, most of which is about eviction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::signal::{Observation, Signal};
use crate::kernel::SimDuration;
use crate::kubelet::shutdown::{ShutdownGracePeriod, grace_periods};
use crate::objects::{Format, Quantity};

/// Settings of a kubelet, by the names of upstream's `KubeletConfiguration`. Default: upstream's for Linux.
///
/// ```
/// use seatrial::kubelet::{KubeletConfig, Signal};
///
/// let config: KubeletConfig = serde_json::from_str(r#"{"evictionHard": {"memory.available": "500Mi"}}"#)?;
/// assert_eq!(config.thresholds.len(), 1);
/// assert_eq!(config.thresholds[0].signal, Signal::MemoryAvailable);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct KubeletConfig {
    /// When pods are evicted; hard ones first, each in the order of the signals.
    pub thresholds: Vec<Threshold>,
    /// How long a condition holds after it was last observed.
    pub eviction_pressure_transition_period: SimDuration,
    /// Most grace of a pod that a soft threshold evicts, in seconds.
    pub eviction_max_pod_grace_period: i64,
    /// How long pods have to end when the machine is shut down, from the lowest priority up; none: they get no time. Written as
    /// `shutdownGracePeriod` and `shutdownGracePeriodCriticalPods`, or as `shutdownGracePeriodByPodPriority`.
    pub shutdown_grace_periods: Vec<ShutdownGracePeriod>,
}

impl Default for KubeletConfig {
    fn default() -> Self {
        Self {
            thresholds: default_hard(),
            eviction_pressure_transition_period: DEFAULT_TRANSITION,
            eviction_max_pod_grace_period: 0,
            shutdown_grace_periods: Vec::new(),
        }
    }
}

const DEFAULT_TRANSITION: SimDuration = SimDuration::from_mins(5);

/// Less of something than there should be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// What is measured.
    pub signal: Signal,
    /// Pods are evicted while there is less than this.
    pub amount: ThresholdAmount,
    /// For how long it must be so before pods are evicted; zero = a hard threshold.
    pub grace: SimDuration,
    /// How much more than `amount` must be there before it is over.
    pub min_reclaim: Option<ThresholdAmount>,
}

/// An amount, or a share of what there is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThresholdAmount {
    /// So much.
    Quantity(Quantity),
    /// That part of the capacity, between 0 and 1.
    Share(f32),
}

impl ThresholdAmount {
    /// The amount, where there is that much in all (upstream `GetThresholdQuantity`, floats included: a multiplication is the
    /// same on every machine).
    #[must_use]
    pub fn of(self, capacity: i64) -> Quantity {
        match self {
            Self::Quantity(quantity) => quantity,
            Self::Share(share) => Quantity::from_value((capacity as f64 * f64::from(share)) as i64, Format::BinarySi),
        }
    }
}

impl Threshold {
    /// Whether it is met; with `reclaiming`, whether it is not over yet.
    pub(super) fn is_met(&self, observed: Observation, reclaiming: bool) -> bool {
        let mut least = self.amount.of(observed.capacity).value();
        if let Some(more) = self.min_reclaim.filter(|_| reclaiming) {
            least = least.saturating_add(more.of(observed.capacity).value());
        }
        least > observed.available
    }
}

fn default_hard() -> Vec<Threshold> {
    let hard = |signal, amount| Threshold { signal, amount, grace: SimDuration::ZERO, min_reclaim: None };
    vec![
        hard(Signal::MemoryAvailable, ThresholdAmount::Quantity(Quantity::from_value(100 << 20, Format::BinarySi))),
        hard(Signal::NodeFsAvailable, ThresholdAmount::Share(10.0 / 100.0)),
        hard(Signal::ImageFsAvailable, ThresholdAmount::Share(15.0 / 100.0)),
    ]
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Written {
    eviction_hard: BTreeMap<String, Value>,
    eviction_soft: BTreeMap<String, Value>,
    eviction_soft_grace_period: BTreeMap<String, SimDuration>,
    eviction_minimum_reclaim: BTreeMap<String, Value>,
    eviction_max_pod_grace_period: i64,
    eviction_pressure_transition_period: Option<SimDuration>,
    merge_default_eviction_settings: bool,
    shutdown_grace_period: SimDuration,
    shutdown_grace_period_critical_pods: SimDuration,
    shutdown_grace_period_by_pod_priority: Vec<ShutdownGracePeriod>,
}

impl TryFrom<Written> for KubeletConfig {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut hard = thresholds("evictionHard", &written.eviction_hard)?;
        if written.eviction_hard.is_empty() {
            hard = default_hard();
        } else if written.merge_default_eviction_settings {
            let named: Vec<Signal> = written.eviction_hard.keys().filter_map(|name| Signal::parse(name)).collect();
            hard.extend(default_hard().into_iter().filter(|default| !named.contains(&default.signal)));
            hard.sort_by_key(|threshold| threshold.signal);
        }
        let mut soft = thresholds("evictionSoft", &written.eviction_soft)?;
        for (name, grace) in &written.eviction_soft_grace_period {
            let signal = signal("evictionSoftGracePeriod", name)?;
            soft.iter_mut().filter(|soft| soft.signal == signal).for_each(|soft| soft.grace = *grace);
        }
        if soft.iter().any(|soft| soft.grace.is_zero()) {
            return Err("evictionSoft: each signal needs an evictionSoftGracePeriod greater than 0".to_owned());
        }
        let mut thresholds: Vec<Threshold> = hard.into_iter().chain(soft).collect();
        for (name, value) in &written.eviction_minimum_reclaim {
            let signal = signal("evictionMinimumReclaim", name)?;
            let least = amount("evictionMinimumReclaim", name, value)?;
            thresholds.iter_mut().filter(|known| known.signal == signal).for_each(|known| known.min_reclaim = least);
        }
        let transition = written.eviction_pressure_transition_period.filter(|period| !period.is_zero());
        Ok(Self {
            thresholds,
            eviction_pressure_transition_period: transition.unwrap_or(DEFAULT_TRANSITION),
            eviction_max_pod_grace_period: written.eviction_max_pod_grace_period.max(0),
            shutdown_grace_periods: grace_periods(
                written.shutdown_grace_period,
                written.shutdown_grace_period_critical_pods,
                written.shutdown_grace_period_by_pod_priority,
            )?,
        })
    }
}

fn signal(field: &str, name: &str) -> Result<Signal, String> {
    let unknown = || {
        format!(
            "{field}: there is no signal {name:?}, but memory.available, nodefs.available, nodefs.inodesFree, \
             imagefs.available, imagefs.inodesFree and pid.available"
        )
    };
    Signal::parse(name).ok_or_else(unknown)
}

/// Thresholds in the order of their signals. One of 0 % or 100 % is none.
fn thresholds(field: &str, entries: &BTreeMap<String, Value>) -> Result<Vec<Threshold>, String> {
    let mut thresholds = Vec::new();
    for (name, value) in entries {
        let signal = signal(field, name)?;
        let Some(amount) = amount(field, name, value)? else { continue };
        thresholds.push(Threshold { signal, amount, grace: SimDuration::ZERO, min_reclaim: None });
    }
    thresholds.sort_by_key(|threshold| threshold.signal);
    Ok(thresholds)
}

fn amount(field: &str, name: &str, value: &Value) -> Result<Option<ThresholdAmount>, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let wrong = |why: &str| format!("{field}.{name}: {text:?} {why}");
    if let Some(percent) = text.strip_suffix('%') {
        let percent: f32 = percent.parse().map_err(|_| wrong("is no percentage"))?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(wrong("must lie between 0% and 100%"));
        }
        let is_none = percent == 0.0 || percent == 100.0;
        return Ok(Some(ThresholdAmount::Share(percent / 100.0)).filter(|_| !is_none));
    }
    let quantity: Quantity = text.parse().map_err(|_| wrong("is no quantity or percentage"))?;
    if quantity.sign() <= 0 {
        return Err(wrong("must be positive"));
    }
    Ok(Some(ThresholdAmount::Quantity(quantity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Result<KubeletConfig, String> {
        serde_yaml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn thresholds_are_met_strictly_below_their_amount() {
        let defaults = KubeletConfig::default();
        let is_met =
            |place: usize, capacity, used| defaults.thresholds[place].is_met(Observation::new(capacity, used), false);
        assert!(!is_met(0, 8 << 30, (8 << 30) - (100 << 20)));
        assert!(is_met(0, 8 << 30, (8 << 30) - (100 << 20) + 1));
        assert!(!is_met(1, 1000, 900) && is_met(1, 1000, 901));
        assert!(!is_met(2, 1000, 850) && is_met(2, 1000, 851));
    }

    #[test]
    fn what_must_be_reclaimed_counts_until_it_is_over() {
        let text = "{evictionHard: {memory.available: 1Gi}, evictionMinimumReclaim: {memory.available: 500Mi}}";
        let threshold = config(text).expect("settings").thresholds[0];
        let available = |mebibytes: i64| Observation { capacity: 8 << 30, available: mebibytes << 20 };
        assert!(threshold.is_met(available(1023), false) && !threshold.is_met(available(1024), false));
        assert!(threshold.is_met(available(1523), true) && !threshold.is_met(available(1524), true));
    }

    #[test]
    fn hard_thresholds_replace_all_defaults_unless_they_are_merged() {
        let signals = |text: &str| -> Vec<Signal> {
            config(text).expect("settings").thresholds.iter().map(|threshold| threshold.signal).collect()
        };
        use Signal::{ImageFsAvailable, MemoryAvailable, NodeFsAvailable, PidAvailable};
        assert_eq!(signals("{}"), [MemoryAvailable, NodeFsAvailable, ImageFsAvailable]);
        assert_eq!(signals("{evictionHard: {pid.available: 1000}}"), [PidAvailable]);
        let merged = "{evictionHard: {pid.available: 10%, imagefs.available: 0%}, mergeDefaultEvictionSettings: true}";
        assert_eq!(signals(merged), [MemoryAvailable, NodeFsAvailable, PidAvailable]);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for (wrong, complaint) in [
            ("{evictionHard: {memory.free: 1Gi}}", "there is no signal \"memory.free\""),
            ("{evictionHard: {memory.available: lots}}", "evictionHard.memory.available: \"lots\" is no quantity"),
            ("{evictionHard: {memory.available: 101%}}", "must lie between 0% and 100%"),
            ("{evictionHard: {memory.available: -1}}", "must be positive"),
            ("{evictionSoft: {memory.available: 1Gi}}", "needs an evictionSoftGracePeriod"),
            ("{evictionFirm: {}}", "unknown field"),
        ] {
            let error = config(wrong).expect_err(wrong);
            assert!(error.contains(complaint), "{wrong}: {error}");
        }
    }
}
