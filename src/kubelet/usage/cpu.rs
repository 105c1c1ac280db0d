//! CPU that a container uses on its own account, requests apart.

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

use crate::kernel::SimDuration;
use crate::objects::{Format, Quantity};

/// CPU that a container uses while it runs, beside what requests need of it ([`Serve::cpu`](crate::kubelet::Serve)). Written as
/// a quantity of cores (`100m`), or as `{use: 100m, starting: 900m, for: 30s}` for one that needs another amount at first.
///
/// ```
/// use seatrial::kernel::SimDuration;
/// use seatrial::kubelet::CpuUse;
///
/// let app: CpuUse = serde_json::from_str(r#"{"use": "100m", "starting": "1", "for": "20s"}"#)?;
/// assert_eq!(app.nanos_after(SimDuration::from_secs(30)), 21_000_000_000);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CpuUse {
    /// Thousandths of a core in the long run.
    #[serde(rename = "use", serialize_with = "cores")]
    milli: u32,
    /// Thousandths of a core at first.
    #[serde(serialize_with = "cores")]
    starting: u32,
    /// How long the beginning lasts.
    r#for: SimDuration,
}

/// Most that may be said of it, in thousandths of a core.
const MOST: i64 = 1_000_000;

impl CpuUse {
    /// Always the same, in thousandths of a core.
    #[must_use]
    pub const fn constant(milli: u32) -> Self {
        Self { milli, starting: milli, r#for: SimDuration::ZERO }
    }

    /// CPU time that was used that long after the start, ns.
    #[must_use]
    pub fn nanos_after(&self, elapsed: SimDuration) -> u64 {
        let first = elapsed.min(self.r#for).as_nanos();
        let then = elapsed.as_nanos() - first;
        let part = |nanos: u64, milli: u32| u128::from(nanos) * u128::from(milli) / 1000;
        u64::try_from(part(first, self.starting) + part(then, self.milli)).unwrap_or(u64::MAX)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn cores<S: serde::Serializer>(milli: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    Quantity::from_milli(i64::from(*milli), Format::DecimalSi).serialize(serializer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "use")]
    cores: Quantity,
    starting: Option<Quantity>,
    r#for: Option<SimDuration>,
}

fn milli(quantity: Quantity) -> Result<u32, String> {
    let milli = quantity.milli_value();
    let in_range = (0..=MOST).contains(&milli) && quantity.sign() >= 0;
    u32::try_from(milli).ok().filter(|_| in_range).ok_or_else(|| format!("{quantity} is not between 0 and 1000 cores"))
}

impl Written {
    fn read(self) -> Result<CpuUse, String> {
        if self.starting.is_some() != self.r#for.is_some() {
            return Err("`starting` and `for` go together".to_owned());
        }
        let long = milli(self.cores)?;
        let starting = self.starting.map_or(Ok(long), milli)?;
        Ok(CpuUse { milli: long, starting, r#for: self.r#for.unwrap_or_default() })
    }
}

impl<'de> Deserialize<'de> for CpuUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CpuVisitor)
    }
}

struct CpuVisitor;

impl<'de> Visitor<'de> for CpuVisitor {
    type Value = CpuUse;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity of cores such as 100m, or {use, starting, for}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<CpuUse, E> {
        let quantity: Quantity = text.parse().map_err(|error| E::custom(format!("{text:?}: {error}")))?;
        milli(quantity).map(CpuUse::constant).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, cores: u64) -> Result<CpuUse, E> {
        self.visit_str(&cores.to_string())
    }

    fn visit_i64<E: de::Error>(self, cores: i64) -> Result<CpuUse, E> {
        self.visit_str(&cores.to_string())
    }

    fn visit_f64<E: de::Error>(self, cores: f64) -> Result<CpuUse, E> {
        self.visit_str(&cores.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CpuUse, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map))?.read().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_reads_as_it_is_written() {
        for text in ["250m", "2", "{use: 100m, starting: '1', for: 30s}"] {
            let cpu: CpuUse = serde_yaml::from_str(text).expect(text);
            let again: CpuUse = serde_yaml::from_str(&serde_yaml::to_string(&cpu).expect(text)).expect(text);
            assert_eq!(again, cpu);
        }
        for (text, complaint) in [
            ("-1", "between 0 and 1000 cores"),
            ("2000", "between 0 and 1000 cores"),
            ("much", "much"),
            ("{use: 1, for: 3s}", "go together"),
            ("{use: 1, start: 3s}", "unknown field"),
        ] {
            let error = serde_yaml::from_str::<CpuUse>(text).expect_err(text).to_string();
            assert!(error.contains(complaint), "{error}");
        }
    }
}
