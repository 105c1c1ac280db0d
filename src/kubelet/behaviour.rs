//! How the containers of an image behave: what a simulation has in place of a container runtime and an application.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::kernel::{Sampler, SimDuration};

/// How the containers of some images behave.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// From being allowed to start (pod bound, init containers done) to running, the first time in a sandbox.
    pub start: Sampler,
    /// Added to `start`, by the pod's place in the order of binding.
    pub start_stagger: Option<StartStagger>,
    /// From running to answering.
    pub ready: Ready,
    /// How long a postStart hook takes; absent = what its `sleep` says.
    pub post_start: Option<Sampler>,
    /// How long a preStop hook takes; absent = what its `sleep` says.
    pub pre_stop: Option<Sampler>,
    /// From SIGTERM to the end.
    pub terminate: Sampler,
    /// Whether the process ends by itself.
    pub exit: Option<Exit>,
    /// Whether the image can be had.
    pub pull: Pull,
    /// What it writes to a volume when it starts.
    pub writes: Option<Writes>,
}

impl Behaviour {
    /// Everything takes no time: for tests of logic.
    #[must_use]
    pub const fn ideal() -> Self {
        Self {
            start: Sampler::constant(SimDuration::ZERO),
            start_stagger: None,
            ready: Ready::After(Sampler::constant(SimDuration::ZERO)),
            post_start: None,
            pre_stop: None,
            terminate: Sampler::constant(SimDuration::ZERO),
            exit: None,
            pull: Pull::Ok,
            writes: None,
        }
    }

    /// A healthy node that has the image: started in two seconds (one in a hundred takes more than six), stopped in one.
    #[must_use]
    pub fn realistic() -> Self {
        let start = Sampler::log_normal(SimDuration::from_secs(2), SimDuration::from_secs(6));
        Self {
            start: start.unwrap_or_default(),
            terminate: Sampler::constant(SimDuration::from_secs(1)),
            ..Self::ideal()
        }
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

/// From running to answering. Written as a duration, a distribution, or `never`.
#[derive(Clone, Debug, PartialEq)]
pub enum Ready {
    /// After a while. Without probes the container is then ready; a startup or readiness probe succeeds from then on. A
    /// regular init container without an `exit` ends well then.
    After(Sampler),
    /// Never.
    Never,
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

/// Whether an image can be had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pull {
    /// It is there.
    #[default]
    Ok,
    /// The registry does not have it.
    Error,
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
    pub ready: Option<Ready>,
    /// See [`Behaviour::post_start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_start: Option<Sampler>,
    /// See [`Behaviour::pre_stop`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Sampler>,
    /// See [`Behaviour::terminate`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminate: Option<Sampler>,
    /// See [`Behaviour::exit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// See [`Behaviour::pull`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<Pull>,
    /// See [`Behaviour::writes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Writes>,
}

impl BehaviourSpec {
    fn complete(self, defaults: &Behaviour) -> Behaviour {
        let defaults = defaults.clone();
        Behaviour {
            start: self.start.unwrap_or(defaults.start),
            start_stagger: self.start_stagger.or(defaults.start_stagger),
            ready: self.ready.unwrap_or(defaults.ready),
            post_start: self.post_start.or(defaults.post_start),
            pre_stop: self.pre_stop.or(defaults.pre_stop),
            terminate: self.terminate.unwrap_or(defaults.terminate),
            exit: self.exit.or(defaults.exit),
            pull: self.pull.unwrap_or(defaults.pull),
            writes: self.writes.or(defaults.writes),
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
        Self { behaviours: behaviours.into(), literal: Arc::new(literal), globs: globs.into() }
    }

    /// The behaviour of an image.
    #[must_use]
    pub fn resolve(&self, image: &str) -> &Behaviour {
        self.get(self.index(image))
    }

    /// A number by which [`Self::get`] finds the behaviour of an image.
    pub(super) fn index(&self, image: &str) -> u32 {
        let exact = self.literal.get(image).copied();
        exact.or_else(|| self.globs.iter().find(|(glob, _)| matches(glob, image)).map(|(_, index)| *index)).unwrap_or(0)
    }

    pub(super) fn get(&self, index: u32) -> &Behaviour {
        self.behaviours.get(index as usize).unwrap_or(&self.behaviours[0])
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

impl Serialize for Ready {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After(delay) => delay.serialize(serializer),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

impl<'de> Deserialize<'de> for Ready {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadyVisitor)
    }
}

struct ReadyVisitor;

impl<'de> Visitor<'de> for ReadyVisitor {
    type Value = Ready;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration, a distribution or \"never\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Ready, E> {
        if text == "never" {
            return Ok(Ready::Never);
        }
        Sampler::deserialize(text.into_deserializer()).map(Ready::After)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Ready, E> {
        Sampler::deserialize(number.into_deserializer()).map(Ready::After)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Ready, E> {
        Sampler::deserialize(number.into_deserializer()).map(Ready::After)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Ready, E> {
        Sampler::deserialize(number.into_deserializer()).map(Ready::After)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ready, A::Error> {
        Sampler::deserialize(MapAccessDeserializer::new(map)).map(Ready::After)
    }
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
            [entry("x"), BehaviourSpec { image: "x".into(), ready: Some(Ready::Never), ..BehaviourSpec::default() }],
        );
        assert_eq!(same.resolve("x").ready, Ready::Never);
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
        assert_eq!(behaviours.resolve("x:neverready").ready, Ready::Never);
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
