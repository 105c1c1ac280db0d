//! What a kubelet remembers from one round to the next: thresholds that are met, and conditions that hold on for a while.

use smallvec::SmallVec;

use super::config::{KubeletConfig, Threshold};
use super::signal::{Observations, PressureConditions, Signal};
use crate::objects::WallTime;

/// Places of thresholds in the configuration.
pub(in super::super) type Places = SmallVec<[usize; 4]>;

#[derive(Clone, Debug, Default)]
pub(in super::super) struct Manager {
    /// When each condition was last observed.
    last_observed: [Option<WallTime>; 3],
    /// Since when thresholds are met.
    first_observed: SmallVec<[(usize, WallTime); 4]>,
    /// Thresholds that were met for as long as they must be.
    met: Places,
    conditions: PressureConditions,
}

impl Manager {
    /// Takes in what was measured. Returns the thresholds that call for an eviction now: memory before all others.
    pub(in super::super) fn observe(&mut self, config: &KubeletConfig, seen: &Observations, now: WallTime) -> Places {
        let met: Places = (0..config.thresholds.len())
            .filter(|place| {
                let threshold = &config.thresholds[*place];
                is_met(threshold, seen, false) || (self.met.contains(place) && is_met(threshold, seen, true))
            })
            .collect();
        let since = |place: usize| {
            let known = self.first_observed.iter().find(|(known, _)| *known == place);
            (place, known.map_or(now, |(_, since)| *since))
        };
        self.first_observed = met.iter().map(|place| since(*place)).collect();
        for place in &met {
            self.last_observed[config.thresholds[*place].signal.condition()] = Some(now);
        }
        let period = config.eviction_pressure_transition_period.as_nanos();
        let holds = |at: &Option<WallTime>| at.is_some_and(|at| now.nanos_since(at).unsigned_abs() < period);
        let [memory, disk, pids] = self.last_observed.each_ref().map(holds);
        self.conditions = PressureConditions { memory, disk, pids };
        let lasts = |(place, since): &&(usize, WallTime)| {
            now.nanos_since(*since).unsigned_abs() >= config.thresholds[*place].grace.as_nanos()
        };
        self.met = self.first_observed.iter().filter(lasts).map(|(place, _)| *place).collect();
        let mut urgent = self.met.clone();
        urgent.sort_by_key(|place| config.thresholds[*place].signal != Signal::MemoryAvailable);
        urgent
    }

    /// The conditions as of the last round.
    pub(in super::super) const fn conditions(&self) -> PressureConditions {
        self.conditions
    }

    /// Whether a threshold waits for its grace or for what must be reclaimed: the next round may find news.
    pub(in super::super) fn is_busy(&self) -> bool {
        !self.first_observed.is_empty()
    }

    /// Whether anything is met by what is measured, or would be.
    pub(in super::super) fn would_act(config: &KubeletConfig, seen: &Observations) -> bool {
        config.thresholds.iter().any(|threshold| is_met(threshold, seen, false))
    }

    /// When the next condition ends unless it is observed again.
    pub(in super::super) fn next_relief(&self, config: &KubeletConfig) -> Option<WallTime> {
        let PressureConditions { memory, disk, pids } = self.conditions;
        let period = i64::try_from(config.eviction_pressure_transition_period.as_nanos()).unwrap_or(i64::MAX);
        let ends = self.last_observed.iter().zip([memory, disk, pids]).filter(|(_, holds)| *holds);
        ends.filter_map(|(at, _)| Some(at.as_ref()?.plus_nanos(period))).min()
    }
}

fn is_met(threshold: &Threshold, seen: &Observations, reclaiming: bool) -> bool {
    seen.of(threshold.signal).is_some_and(|observed| threshold.is_met(observed, reclaiming))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubelet::eviction::signal::Observation;
    use crate::objects::Timestamp;

    fn at(seconds: i64) -> WallTime {
        Timestamp::from_unix_secs(1_000 + seconds).wall()
    }

    fn available(mebibytes: i64) -> Observations {
        let memory = Observation { capacity: 8 << 30, available: mebibytes << 20 };
        Observations { memory, disk: Observation::new(100, 0), processes: Observation::default() }
    }

    /// Upstream `TestMemoryPressure`: soft at 2Gi for two minutes, hard at 1Gi.
    #[test]
    fn soft_thresholds_wait_and_conditions_hold_on() {
        let text = "{evictionHard: {memory.available: 1Gi}, evictionSoft: {memory.available: 2Gi},
            evictionSoftGracePeriod: {memory.available: 2m}}";
        let config: KubeletConfig = serde_yaml::from_str(text).expect("settings");
        let mut manager = Manager::default();
        let mut round = |seconds, mebibytes| {
            let urgent = manager.observe(&config, &available(mebibytes), at(seconds));
            (manager.conditions().memory, urgent.to_vec())
        };
        assert_eq!(round(0, 3000), (false, vec![]));
        assert_eq!(round(10, 1500), (true, vec![]));
        assert_eq!(round(120, 1500), (true, vec![]));
        assert_eq!(round(130, 1500), (true, vec![1]));
        assert_eq!(round(140, 1000), (true, vec![0, 1]));
        assert_eq!(round(150, 3000), (true, vec![]));
        // Five minutes after it was last observed.
        assert_eq!(round(430, 3000), (true, vec![]));
        assert_eq!(round(440, 3000), (false, vec![]));
        // The grace begins anew.
        assert_eq!(round(450, 1500), (true, vec![]));
    }

    #[test]
    fn memory_comes_before_the_disk() {
        let config: KubeletConfig =
            serde_yaml::from_str("{evictionHard: {nodefs.available: 10%, memory.available: 1Gi, pid.available: 5}}")
                .expect("settings");
        let short = Observation::new(100, 96);
        let seen = Observations { memory: short, disk: short, processes: short };
        let urgent = Manager::default().observe(&config, &seen, at(0));
        let signals: Vec<Signal> = urgent.iter().map(|place| config.thresholds[*place].signal).collect();
        assert_eq!(signals, [Signal::MemoryAvailable, Signal::NodeFsAvailable, Signal::PidAvailable]);
    }
}
