//! How containers serve requests, as a scenario writes it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::kernel::{Sampler, SimDuration};

/// How the containers of an image serve requests. What is absent is the default: a millisecond for each, however many come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Serve {
    /// How long it works on a request, CPU time apart. Default 1 ms, or nothing if `cpu` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Sampler>,
    /// CPU time of a request; under a CPU limit it takes longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Sampler>,
    /// Requests that it works on at a time, at most 100,000; absent = all that come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<NonZeroU32>,
    /// Requests that may wait for their turn, at most 100,000; one more is answered with 503. Default 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<u32>,
    /// Requests that it answers with a server error, such as `1/1000` or `0.1%`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_rate: Option<Share>,
    /// It is slow after its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Slow>,
    /// How much longer a request takes where all of `concurrency`, at most 1000 then, is busy, such as `50%`; in between in proportion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_with_load: Option<Share>,
    /// What it does with new connections after SIGTERM. Default `stop`.
    #[serde(default)]
    pub on_sigterm: OnSigterm,
    /// Where HTTP and gRPC probes are answered. Default `apart`.
    #[serde(default)]
    pub probes: ProbesAnswered,
}

impl Serve {
    /// Most that `concurrency` and `queue` may be.
    pub const MOST: u32 = 100_000;
    /// Most that `concurrency` may be with `slowWithLoad`: each request looks at all that are being worked on.
    const MOST_LOAD: u32 = 1000;

    /// What is wrong with it, if anything: the field and the rule.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        let most = format!("must be at most {}", Self::MOST);
        if self.concurrency.is_some_and(|count| count.get() > Self::MOST) {
            return Some(("concurrency", most));
        }
        if self.queue.is_some_and(|count| count > Self::MOST) {
            return Some(("queue", most));
        }
        if self.queue.is_some() && self.concurrency.is_none() {
            return Some(("queue", "nobody waits without `concurrency`".to_owned()));
        }
        if self.probes == ProbesAnswered::Queue && self.concurrency.is_none() {
            return Some(("probes", "nobody waits without `concurrency`".to_owned()));
        }
        if self.slow_with_load.is_some() && self.concurrency.is_none() {
            return Some(("slowWithLoad", "the load is known only with `concurrency`".to_owned()));
        }
        if self.slow_with_load.is_some() && self.concurrency.is_some_and(|count| count.get() > Self::MOST_LOAD) {
            return Some(("slowWithLoad", format!("needs a `concurrency` of at most {}", Self::MOST_LOAD)));
        }
        if self.error_rate.is_some_and(|share| share.millionths() > 1_000_000) {
            return Some(("errorRate", "must be at most 1".to_owned()));
        }
        None
    }
}

/// What a process does with new connections after SIGTERM; those that are open it serves until its end in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnSigterm {
    /// It refuses them.
    #[default]
    Stop,
    /// It takes them until it ends.
    Serve,
}

/// Who answers probes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProbesAnswered {
    /// Somebody who has nothing else to do: load does not delay them.
    #[default]
    Apart,
    /// Those who work on requests: HTTP and gRPC probes wait in line with them, and are turned away with 503 where too many wait.
    Queue,
}

/// A process that is slow at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slow {
    /// How long that lasts; it gets evenly better.
    pub takes: SimDuration,
    /// How much longer a request takes at the beginning, such as `200%` for three times as long.
    pub slower: Share,
}

/// A share in millionths: `1/1000`, `0.1%`, or `0.001`. May be more than one, at most 1000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    millionths: u32,
}

impl Share {
    /// The share in millionths.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.millionths
    }

    /// The share of that many millionths.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Self {
        Self { millionths }
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a share such as \"1/1000\", \"0.1%\" or 0.001");
        let large = || format!("{text:?} is more than 1000 (100000%)");
        let millionths = match (text.split_once('/'), text.strip_suffix('%')) {
            (Some((part, whole)), _) => {
                let (part, whole): (u64, u64) =
                    (part.trim().parse().map_err(|_| wrong())?, whole.trim().parse().map_err(|_| wrong())?);
                let millionths = (u128::from(part) * 1_000_000).checked_div(u128::from(whole)).ok_or_else(wrong)?;
                if part > 0 && millionths == 0 {
                    return Err(format!("{text:?} is less than a millionth"));
                }
                millionths
            }
            (None, Some(percent)) => decimal(percent.trim(), 4).ok_or_else(wrong)?,
            (None, None) => decimal(text.trim(), 6).ok_or_else(wrong)?,
        };
        let millionths = u32::try_from(millionths).ok().filter(|millionths| *millionths <= 1_000_000_000);
        Ok(Self { millionths: millionths.ok_or_else(large)? })
    }
}

/// A decimal number times ten to the power of `digits`, if it is a whole number then.
fn decimal(text: &str, digits: usize) -> Option<u128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits_only = |text: &str| !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits_only(whole) || !digits_only(fraction) || fraction.trim_end_matches('0').len() > digits {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let scaled: u128 = format!("{whole}{fraction:0<digits$}").parse().ok()?;
    Some(scaled)
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.millionths / 10_000, self.millionths % 10_000);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let fraction = format!("{rest:04}");
        write!(f, "{whole}.{}%", fraction.trim_end_matches('0'))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShareVisitor)
    }
}

struct ShareVisitor;

impl de::Visitor<'_> for ShareVisitor {
    type Value = Share;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a share such as \"1/1000\", \"0.1%\" or 0.001")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Share, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Share, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Share, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_people_write_them() {
        for (text, millionths) in [
            ("1/1000", 1000),
            ("0.1%", 1000),
            ("0.001", 1000),
            ("50%", 500_000),
            ("2", 2_000_000),
            ("0", 0),
            ("1/3", 333_333),
        ] {
            assert_eq!(text.parse::<Share>().map(Share::millionths), Ok(millionths), "{text}");
        }
        for text in ["", "x", "-1", "1/0", "1/10000000", "0.00001%", "1e3", "2000", "%", ".5", "1/2/3"] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        assert_eq!(Share::from_millionths(1500).to_string(), "0.15%");
        assert_eq!(serde_yaml::from_str::<Share>("0.5").expect("a share").to_string(), "50%");
    }

    #[test]
    fn what_is_left_out_is_the_default() {
        let serve: Serve = serde_yaml::from_str("{time: 5ms, concurrency: 4, errorRate: 1/1000}").expect("serve");
        assert_eq!(serve.concurrency.map(NonZeroU32::get), Some(4));
        assert_eq!((serve.queue, serve.on_sigterm), (None, OnSigterm::Stop));
        assert!(serde_yaml::from_str::<Serve>("{concurrency: 0}").is_err());
    }
}
