//! How the containers of an image behave: what a simulation has in place of a container runtime and an application.

mod delay;
mod pull;
mod trouble;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::kernel::{Sampler, SimDuration};

use super::serve::Serve;

use super::usage::{CpuUse, Growth, Usage};
pub use delay::Delay;
pub use pull::{Pull, SlowPull};
pub use trouble::{Crash, Deadlock, Dependency, HookFails, ProbeName};

/// How the containers of some images behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From being allowed to start (pod bound, init containers done) to running, the first time in a sandbox.
    pub start: Sampler,
    /// Added to `start`, by the pod's place in the order of binding.
    pub start_stagger: Option<StartStagger>,
    /// From running to answering. Without probes the container is then ready; a startup or readiness probe succeeds from
    /// then on. A regular init container without an `exit` ends well then.
    pub ready: Delay,
    /// From running to answering the liveness probe, which many applications do before they are ready.
    pub alive: Delay,
    /// How long the answer to a probe takes; a probe waits for its timeout.
    pub probe: SimDuration,
    /// How long a postStart hook takes; absent = what its `sleep` says.
    pub post_start: Option<Sampler>,
    /// Whether postStart hooks fail.
    pub post_start_fails: HookFails,
    /// How long a preStop hook takes; absent = what its `sleep` says.
    pub pre_stop: Option<Sampler>,
    /// Whether preStop hooks fail.
    pub pre_stop_fails: HookFails,
    /// From SIGTERM to the end; never: it takes no notice of the signal.
    pub terminate: Delay,
    /// Whether the process ends by itself.
    pub exit: Option<Exit>,
    /// Whether the process crashes by chance.
    pub crash: Option<Crash>,
    /// Whether the process stops answering.
    pub deadlock: Option<Deadlock>,
    /// What the application cannot do without.
    pub depends_on: Option<Dependency>,
    /// Whether the image can be had.
    pub pull: Pull,
    /// What it writes to a volume when it starts.
    pub writes: Option<Writes>,
    /// How it serves requests; absent = as [`Serve`] does by default.
    pub serve: Option<Arc<Serve>>,
    /// What it uses.
    pub usage: Usage,
    /// CPU that it uses on its own account; absent = none.
    pub cpu: Option<CpuUse>,
}

impl Behaviour {
    /// Everything takes no time: for tests of logic.
    #[must_use]
    pub const fn ideal() -> Self {
        Self {
            start: Sampler::constant(SimDuration::ZERO),
            start_stagger: None,
            ready: Delay::ZERO,
            alive: Delay::ZERO,
            probe: SimDuration::ZERO,
            post_start: None,
            post_start_fails: HookFails::Never,
            pre_stop: None,
            pre_stop_fails: HookFails::Never,
            terminate: Delay::ZERO,
            exit: None,
            crash: None,
            deadlock: None,
            depends_on: None,
            pull: Pull::Ok,
            writes: None,
            serve: None,
            usage: Usage::NONE,
            cpu: None,
        }
    }

    /// A healthy node that has the image: started in two seconds (one in a hundred takes more than six), stopped in one.
    #[must_use]
    pub fn realistic() -> Self {
        let start = Sampler::log_normal(SimDuration::from_secs(2), SimDuration::from_secs(6));
        Self { start: start.unwrap_or_default(), terminate: SimDuration::from_secs(1).into(), ..Self::ideal() }
    }
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::realistic()
    }
}

/// The pod bound as the n-th of the run starts `step * (n mod modulo)` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartStagger {
    /// Time between two pods.
    pub step: SimDuration,
    /// After how many pods it begins again.
    pub modulo: NonZeroU32,
}

impl StartStagger {
    pub(super) fn delay(self, ordinal: u64) -> SimDuration {
        self.step * (ordinal % u64::from(self.modulo.get()))
    }
}

/// A process that ends by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Exit code.
    #[serde(default)]
    pub code: u8,
    /// How long it runs.
    #[serde(default)]
    pub after: Sampler,
    /// Only in the container's first life.
    #[serde(default)]
    pub once: bool,
}

/// What a container writes when it starts, if the volume is empty: see [`super::Disks`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writes {
    /// Name of the volume in the pod.
    pub volume: Arc<str>,
    /// What is written; absent = name and uid of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Arc<str>>,
}

/// An entry of a scenario's `containers`: how the images that a pattern matches behave. What is absent is the default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BehaviourSpec {
    /// Image reference as the pod has it; `*` stands for any characters.
    pub image: Arc<str>,
    /// See [`Behaviour::start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Sampler>,
    /// See [`Behaviour::start_stagger`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_stagger: Option<StartStagger>,
    /// See [`Behaviour::ready`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Delay>,
    /// See [`Behaviour::alive`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Delay>,
    /// See [`Behaviour::probe`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<SimDuration>,
    /// See [`Behaviour::post_start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_start: Option<Sampler>,
    /// See [`Behaviour::post_start_fails`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_start_fails: Option<HookFails>,
    /// See [`Behaviour::pre_stop`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Sampler>,
    /// See [`Behaviour::pre_stop_fails`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop_fails: Option<HookFails>,
    /// See [`Behaviour::terminate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<Delay>,
    /// See [`Behaviour::exit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// See [`Behaviour::crash`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
    /// See [`Behaviour::deadlock`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlock: Option<Deadlock>,
    /// See [`Behaviour::depends_on`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depends_on: Option<Dependency>,
    /// See [`Behaviour::pull`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
    /// See [`Behaviour::writes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Writes>,
    /// See [`Behaviour::serve`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serve: Option<Arc<Serve>>,
    /// See [`Behaviour::cpu`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<CpuUse>,
    /// See [`Usage::memory`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Growth>,
    /// See [`Usage::disk`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<Growth>,
    /// See [`Usage::logs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Growth>,
    /// See [`Usage::empty_dirs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_dirs: Option<BTreeMap<Arc<str>, Growth>>,
    /// See [`Usage::processes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Growth>,
}

impl BehaviourSpec {
    fn complete(self, defaults: &Behaviour) -> Behaviour {
        let defaults = defaults.clone();
        Behaviour {
            start: self.start.unwrap_or(defaults.start),
            start_stagger: self.start_stagger.or(defaults.start_stagger),
            ready: self.ready.unwrap_or(defaults.ready),
            alive: self.alive.unwrap_or(defaults.alive),
            probe: self.probe.unwrap_or(defaults.probe),
            post_start: self.post_start.or(defaults.post_start),
            post_start_fails: self.post_start_fails.unwrap_or(defaults.post_start_fails),
            pre_stop: self.pre_stop.or(defaults.pre_stop),
            pre_stop_fails: self.pre_stop_fails.unwrap_or(defaults.pre_stop_fails),
            terminate: self.terminate.unwrap_or(defaults.terminate),
            exit: self.exit.or(defaults.exit),
            crash: self.crash.or(defaults.crash),
            deadlock: self.deadlock.or(defaults.deadlock),
            depends_on: self.depends_on.or(defaults.depends_on),
            pull: self.pull.unwrap_or(defaults.pull),
            writes: self.writes.or(defaults.writes),
            serve: self.serve.or(defaults.serve),
            cpu: self.cpu.or(defaults.cpu),
            usage: Usage {
                memory: self.memory.or(defaults.usage.memory),
                disk: self.disk.or(defaults.usage.disk),
                logs: self.logs.or(defaults.usage.logs),
                empty_dirs: self.empty_dirs.map(Arc::new).or(defaults.usage.empty_dirs),
                processes: self.processes.or(defaults.usage.processes),
            },
        }
    }
}

/// How all images behave. Of the patterns that match an image the one with the most literal characters wins, then the one
/// with the longest literal beginning, then the one written last.
#[derive(Clone, Debug)]
pub struct Behaviours {
    /// The first is the default.
    behaviours: Arc<[Behaviour]>,
    literal: Arc<FxHashMap<Arc<str>, u32>>,
    /// Patterns with a `*`, most specific first.
    globs: Arc<[(Arc<str>, u32)]>,
    model_use: bool,
}

impl Default for Behaviours {
    fn default() -> Self {
        Self::new(Behaviour::default(), [])
    }
}

impl Behaviours {
    /// Behaviours by pattern. What an entry leaves out, and images that no entry matches, follow `defaults`.
    #[must_use]
    pub fn new(defaults: Behaviour, entries: impl IntoIterator<Item = BehaviourSpec>) -> Self {
        let mut behaviours = vec![defaults];
        let (mut literal, mut globs) = (FxHashMap::default(), Vec::new());
        for entry in entries {
            let index = u32::try_from(behaviours.len()).unwrap_or(u32::MAX);
            let pattern = entry.image.clone();
            behaviours.push(entry.complete(&behaviours[0]));
            if pattern.contains('*') {
                globs.push((pattern, index));
            } else {
                literal.insert(pattern, index);
            }
        }
        globs.sort_by_cached_key(|(pattern, index)| std::cmp::Reverse((specificity(pattern), *index)));
        let model_use = behaviours.iter().any(|behaviour| behaviour.usage.is_modelled());
        Self { behaviours: behaviours.into(), model_use, literal: Arc::new(literal), globs: globs.into() }
    }

    /// Whether anything is said of what containers use.
    #[must_use]
    pub const fn model_use(&self) -> bool {
        self.model_use
    }

    /// The behaviour of an image.
    #[must_use]
    pub fn resolve(&self, image: &str) -> &Behaviour {
        self.get(self.index(image))
    }

    /// All of them, the default first.
    #[must_use]
    pub fn all(&self) -> &[Behaviour] {
        &self.behaviours
    }

    /// Place of the behaviour of an image among [`Self::all`].
    #[must_use]
    pub fn index(&self, image: &str) -> u32 {
        let exact = self.literal.get(image).copied();
        exact.or_else(|| self.globs.iter().find(|(glob, _)| matches(glob, image)).map(|(_, index)| *index)).unwrap_or(0)
    }

    /// Whether any image depends on a Service.
    #[must_use]
    pub fn have_dependencies(&self) -> bool {
        self.behaviours.iter().any(|behaviour| behaviour.depends_on.is_some())
    }

    pub(super) fn get(&self, index: u32) -> &Behaviour {
        self.behaviours.get(index as usize).unwrap_or(&self.behaviours[0])
    }
}

impl BehaviourSpec {
    /// Whether the pattern is one for this image. Of several the most specific holds.
    #[must_use]
    pub fn is_for(&self, image: &str) -> bool {
        matches(&self.image, image)
    }
}

/// Literal characters, and those before the first `*`.
fn specificity(glob: &str) -> (usize, usize) {
    (glob.chars().filter(|c| *c != '*').count(), glob.chars().take_while(|c| *c != '*').count())
}

/// Whether `text` matches `glob`: literal pieces in order, the first and last anchored. Each piece is found as early as
/// possible, which never spoils a match, so that no step is taken back.
fn matches(glob: &str, text: &str) -> bool {
    let Some((prefix, rest)) = glob.split_once('*') else { return glob == text };
    let Some(mut text) = text.strip_prefix(prefix) else { return false };
    let (middle, suffix) = rest.rsplit_once('*').unwrap_or(("", rest));
    for piece in middle.split('*') {
        let Some(at) = text.find(piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(image: &str) -> BehaviourSpec {
        // The length of the pattern tells the tests which entry won.
        let start = Sampler::constant(SimDuration::from_secs(image.len() as u64));
        BehaviourSpec { image: image.into(), start: Some(start), ..BehaviourSpec::default() }
    }

    #[test]
    fn a_star_matches_any_characters() {
        for (glob, image, expected) in [
            ("*", "", true),
            ("*", "web:v1", true),
            ("web:*", "web:v1", true),
            ("web:*", "webs:v1", false),
            ("*:neverready", "shop/web:neverready", true),
            ("*:neverready", "web:neverready-not", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("**x**", "x", true),
            ("web:v1", "web:v1", true),
            ("web:v1", "web:v10", false),
        ] {
            assert_eq!(matches(glob, image), expected, "{glob} on {image}");
        }
    }

    #[test]
    fn the_most_specific_pattern_wins_and_then_the_last() {
        let behaviours = Behaviours::new(
            Behaviour::ideal(),
            ["web:v1", "*", "web:*", "*:neverready", "w*b:v2", "we*:v2"].map(entry),
        );
        let winner = |image| behaviours.resolve(image).start.as_constant().map_or(0, SimDuration::as_secs);
        assert_eq!(winner("web:v1"), 6);
        assert_eq!(winner("web:neverready"), 12);
        assert_eq!(winner("web:v3"), 5);
        assert_eq!(winner("db:v1"), 1);
        let tie = Behaviours::new(Behaviour::ideal(), [entry("w*b:v2"), entry("we*:v2"), entry("w**b:v2")]);
        assert_eq!(tie.resolve("web:v2").start.as_constant(), Some(SimDuration::from_secs(6)));
        let same = Behaviours::new(
            Behaviour::ideal(),
            [entry("x"), BehaviourSpec { image: "x".into(), ready: Some(Delay::Never), ..BehaviourSpec::default() }],
        );
        assert_eq!(same.resolve("x").ready, Delay::Never);
    }

    #[test]
    fn entries_read_as_scenarios_write_them() {
        let text = r#"
- {image: "*", start: 1s, startStagger: {step: 300ms, modulo: 10}, ready: 0, terminate: 1s}
- {image: "task:*", exit: {code: 1, after: 2s, once: true}, ready: {distribution: uniform, min: 1s, max: 2s}}
- {image: "*:neverready", ready: never}
- {image: "*:pullerr", pull: error}
"#;
        let entries: Vec<BehaviourSpec> = serde_yaml::from_str(text).expect("entries");
        let again = serde_yaml::from_str::<Vec<BehaviourSpec>>(&serde_yaml::to_string(&entries).expect("text"));
        assert_eq!(again.expect("entries"), entries);
        assert_eq!(entries[0].start_stagger.map(|stagger| stagger.delay(13)), Some(SimDuration::from_millis(900)));
        let behaviours = Behaviours::new(Behaviour::ideal(), entries);
        assert_eq!(behaviours.resolve("x:neverready").ready, Delay::Never);
        assert_eq!(behaviours.resolve("x:pullerr").pull, Pull::Error);
        assert_eq!(behaviours.resolve("task:1").exit.as_ref().map(|exit| (exit.code, exit.once)), Some((1, true)));
        for (wrong, complaint) in [
            ("{image: x, ready: soon}", "soon"),
            ("{image: x, stat: 1s}", "unknown field `stat`"),
            ("{image: x, startStagger: {step: 1s, modulo: 0}}", "nonzero"),
            ("{image: x, exit: {code: 256}}", "256"),
            ("{start: 1s}", "missing field `image`"),
        ] {
            let error = serde_yaml::from_str::<BehaviourSpec>(wrong).expect_err(wrong).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
