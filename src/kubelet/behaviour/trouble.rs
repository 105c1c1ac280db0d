//! What goes wrong in a container by itself: crashes, deadlocks, hooks that fail, services that it cannot do without.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::kernel::{KernelError, Sampler, SimDuration};

/// A process that crashes by chance, in each of its lives anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    /// How long it runs; a duration is the mean of an exponential distribution.
    #[serde(deserialize_with = "hazard")]
    pub mtbf: Sampler,
    /// Exit code.
    #[serde(default = "one")]
    pub code: u8,
}

const fn one() -> u8 {
    1
}

/// A process that runs on and answers nothing any more. It can still be stopped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawDeadlock")]
pub struct Deadlock {
    /// How long it works first.
    pub after: Sampler,
    /// Only in the container's first life.
    pub once: bool,
}

/// A deadlock as a scenario has it: at a time, or by chance.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDeadlock {
    after: Option<Sampler>,
    mtbf: Option<Sampler>,
    #[serde(default)]
    once: bool,
}

impl TryFrom<RawDeadlock> for Deadlock {
    type Error = String;

    fn try_from(raw: RawDeadlock) -> Result<Self, String> {
        let after = match (raw.after, raw.mtbf) {
            (Some(after), None) => after,
            (None, Some(mtbf)) => by_chance(mtbf)?,
            _ => return Err("a deadlock has either `after` or `mtbf`".to_owned()),
        };
        Ok(Self { after, once: raw.once })
    }
}

/// A Service that a container cannot do without: while it has no ready endpoint as the node sees it, some of the container's
/// probes fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Name of the Service.
    pub service: Arc<str>,
    /// Its namespace; absent = the pod's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Arc<str>>,
    /// Which probes fail; left out: readiness.
    #[serde(default = "readiness", deserialize_with = "some_probes")]
    pub probes: Vec<ProbeName>,
}

/// A probe of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbeName {
    /// `startupProbe`.
    Startup,
    /// `readinessProbe`.
    Readiness,
    /// `livenessProbe`.
    Liveness,
}

fn readiness() -> Vec<ProbeName> {
    vec![ProbeName::Readiness]
}

fn some_probes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<ProbeName>, D::Error> {
    let probes = Vec::deserialize(deserializer)?;
    if probes.is_empty() {
        return Err(serde::de::Error::custom("a dependency that no probe looks at does nothing"));
    }
    Ok(probes)
}

/// How often a hook fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookFails {
    /// It does not.
    #[default]
    Never,
    /// In the container's first life.
    Once,
    /// Every time.
    Always,
}

impl HookFails {
    pub(in crate::kubelet) const fn in_life(self, restarts: u32) -> bool {
        match self {
            Self::Never => false,
            Self::Once => restarts == 0,
            Self::Always => true,
        }
    }
}

fn hazard<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Sampler, D::Error> {
    by_chance(Sampler::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// A mean time is that of an exponential distribution; a distribution is taken as it is.
fn by_chance(mtbf: Sampler) -> Result<Sampler, String> {
    let told = |error: KernelError| error.to_string();
    mtbf.as_constant().map_or(Ok(mtbf), |mean: SimDuration| Sampler::exponential(mean).map_err(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_time_is_that_of_an_exponential_distribution() {
        let crash: Crash = serde_yaml::from_str("{mtbf: 2h, code: 139}").expect("a crash");
        assert_eq!(crash.mtbf, Sampler::exponential(SimDuration::from_hours(2)).expect("a mean"));
        let again: Crash = serde_yaml::from_str(&serde_yaml::to_string(&crash).expect("text")).expect("a crash");
        assert_eq!(again, crash);
        let weibull = "{mtbf: {distribution: weibull, shape: 1.5, scale: 3h}}";
        let worn: Crash = serde_yaml::from_str(weibull).expect("a crash");
        assert_eq!((worn.code, worn.mtbf.as_constant()), (1, None));
        let deadlock: Deadlock = serde_yaml::from_str("{after: 10m, once: true}").expect("a deadlock");
        assert_eq!(deadlock.after.as_constant(), Some(SimDuration::from_mins(10)));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let error = |text: &str| serde_yaml::from_str::<Deadlock>(text).expect_err(text).to_string();
        assert!(error("{once: true}").contains("either `after` or `mtbf`"));
        assert!(error("{after: 1m, mtbf: 1m}").contains("either `after` or `mtbf`"));
        assert!(error("{mtbf: 0s}").contains("longer than zero"));
        let error = |text: &str| serde_yaml::from_str::<Dependency>(text).expect_err(text).to_string();
        assert!(error("{service: db, probes: []}").contains("does nothing"));
        assert!(error("{service: db, probes: [health]}").contains("health"));
        assert!(error("{name: db}").contains("unknown field `name`"));
    }
}
