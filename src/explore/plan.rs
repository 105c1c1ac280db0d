//! Which runs an exploration consists of.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::scenario::{Extensions, Parameters, RunOptions, Scenario, ScenarioError};

use super::case::Case;
use super::error::ExploreError;

/// Most values that one parameter may take.
const MAX_VALUES: usize = 100_000;
/// Most cases of a plan.
const MAX_CASES: u64 = 1 << 40;

/// A scenario, its seeds, the values that its parameters take, and which part of all that is to be run here.
///
/// Case `n` has the seed `seeds.start + n % seeds`, and the values number `n / seeds`, of which the last variation changes
/// fastest.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) source: String,
    pub(super) text: String,
    pub(super) folder: PathBuf,
    pub(super) fixed: Parameters,
    pub(super) seeds: Range<u64>,
    pub(super) variations: Vec<Variation>,
    pub(super) shard: Shard,
    pub(super) max_events: u64,
    pub(super) extensions: Extensions,
}

/// The values that a parameter takes: `replicas=3..10` (every integer from 3 to 10), `image=web:v1,web:v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variation {
    /// The parameter.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
}

/// One of several equal parts: those cases of which the number leaves `index` when divided by `count`. Written `index/count`,
/// counted from 0, as an Indexed Job counts its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    /// How many there are.
    pub count: u64,
}

impl Shard {
    /// Everything.
    pub const WHOLE: Self = Self { index: 0, count: 1 };
}

impl FromStr for Shard {
    type Err = ExploreError;

    fn from_str(text: &str) -> Result<Self, ExploreError> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => {
                let message = format!("{text:?} is not a shard such as 0/4 (the first of four) or 3/4 (the last)");
                Err(ExploreError::Argument(message))
            }
        }
    }
}

impl FromStr for Variation {
    type Err = ExploreError;

    fn from_str(text: &str) -> Result<Self, ExploreError> {
        let wrong = |why: &str| {
            let message = format!("{text:?} {why}; write replicas=3..10 for every integer, or image=web:v1,web:v2");
            ExploreError::Argument(message)
        };
        let (name, values) = text.split_once('=').ok_or_else(|| wrong("names no values"))?;
        let range = values.split_once("..").and_then(|(low, high)| Some((low.parse().ok()?, high.parse().ok()?)));
        let values: Vec<String> = match range {
            Some((low, high)) => {
                let (low, high): (i64, i64) = (low, high);
                if low > high {
                    return Err(wrong("is an empty range"));
                }
                if high.abs_diff(low) >= MAX_VALUES as u64 {
                    return Err(wrong("has too many values"));
                }
                (low..=high).map(|value| value.to_string()).collect()
            }
            None => values.split(',').map(str::to_owned).collect(),
        };
        if name.is_empty() || values.iter().any(String::is_empty) {
            return Err(wrong("has an empty name or value"));
        }
        Ok(Self { name: name.to_owned(), values })
    }
}

impl Plan {
    /// The scenario of a text under seed 0; its manifests are looked for in the current folder.
    #[must_use]
    pub fn new(source: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            text: text.into(),
            folder: PathBuf::new(),
            fixed: Parameters::default(),
            seeds: 0..1,
            variations: Vec::new(),
            shard: Shard::WHOLE,
            max_events: crate::scenario::DEFAULT_MAX_EVENTS,
            extensions: Extensions::new(),
        }
    }

    /// Where the scenario's manifest files are.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }

    /// Values of parameters that are the same in all cases.
    #[must_use]
    pub fn parameters(mut self, fixed: Parameters) -> Self {
        self.fixed = fixed;
        self
    }

    /// The seeds.
    #[must_use]
    pub fn seeds(mut self, seeds: Range<u64>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Lets a parameter take several values, each with every value of the others and every seed.
    #[must_use]
    pub fn vary(mut self, variation: Variation) -> Self {
        self.variations.push(variation);
        self
    }

    /// Only a part of the cases.
    #[must_use]
    pub const fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Events of the simulation after which a case is given up.
    #[must_use]
    pub const fn max_events(mut self, events: u64) -> Self {
        self.max_events = events;
        self
    }

    /// Controllers and invariants of your own, in all cases.
    #[must_use]
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.extensions = extensions;
        self
    }

    /// How many cases there are in all shards together.
    ///
    /// # Errors
    /// If there are more than 2^40, or none.
    pub fn total(&self) -> Result<u64, ExploreError> {
        let seeds = self.seeds.end.saturating_sub(self.seeds.start);
        let combinations = self.variations.iter().try_fold(1u64, |n, v| n.checked_mul(v.values.len() as u64));
        match combinations.and_then(|n| n.checked_mul(seeds)) {
            Some(0) => Err(ExploreError::Argument("there is no seed to run".to_owned())),
            Some(total) if total <= MAX_CASES => Ok(total),
            _ => Err(ExploreError::Argument(format!("there are more than {MAX_CASES} cases"))),
        }
    }

    /// Whether it is only one of several shards.
    #[must_use]
    pub fn is_shard(&self) -> bool {
        self.shard != Shard::WHOLE
    }

    /// How many cases there are in this shard.
    ///
    /// # Errors
    /// As for [`Self::total`].
    pub fn cases(&self) -> Result<u64, ExploreError> {
        let Shard { index, count } = self.shard;
        Ok(self.total()?.saturating_sub(index).div_ceil(count.max(1)))
    }

    /// The `nth` case of this shard.
    #[must_use]
    pub fn case(&self, nth: u64) -> Case {
        let number = nth.saturating_mul(self.shard.count).saturating_add(self.shard.index);
        let seeds = self.seeds.end.saturating_sub(self.seeds.start).max(1);
        let mut combination = number / seeds;
        let mut parameters: Vec<(String, String)> = Vec::new();
        for variation in self.variations.iter().rev() {
            let values = variation.values.len().max(1) as u64;
            let value = variation.values.get((combination % values) as usize);
            parameters.extend(value.map(|value| (variation.name.clone(), value.clone())));
            combination /= values;
        }
        parameters.sort_unstable();
        Case { number, seed: self.seeds.start + number % seeds, parameters }
    }

    /// How its cases are run.
    pub(super) fn options(&self) -> RunOptions {
        RunOptions { max_events: Some(self.max_events), extensions: self.extensions.clone(), ..RunOptions::default() }
    }

    /// The scenario with the values of a case.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn scenario(&self, case: &Case) -> Result<Scenario, ScenarioError> {
        let values = case.parameters.iter().fold(self.fixed.clone(), |values, (name, value)| values.set(name, value));
        let scenario = Scenario::read_with(&self.source, &self.text, &self.folder, &values)?;
        Ok(Scenario { seed: case.seed, ..scenario })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(text: &str) -> Variation {
        text.parse().unwrap()
    }

    #[test]
    fn variations_are_ranges_and_lists() {
        assert_eq!(vary("n=3..5").values, ["3", "4", "5"]);
        assert_eq!(vary("image=web:v1,web:v2").values, ["web:v1", "web:v2"]);
        assert_eq!(vary("grace=30s").values, ["30s"]);
        for wrong in
            ["", "n", "=1", "n=", "n=1,,2", "n=5..3", "n=0..99999999999", "n=-9223372036854775808..9223372036854775807"]
        {
            assert!(wrong.parse::<Variation>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn shards_count_from_zero() {
        assert_eq!("3/4".parse::<Shard>().unwrap(), Shard { index: 3, count: 4 });
        for wrong in ["", "4/4", "1", "a/b", "0/0", "-1/2"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_value_meets_every_other_and_every_seed() {
        let plan = Plan::new("", "").seeds(10..12).vary(vary("a=1..2")).vary(vary("b=x,y"));
        assert_eq!(plan.total().unwrap(), 8);
        let cases: Vec<String> = (0..8)
            .map(|n| plan.case(n))
            .map(|case| format!("{}{} {}", case.parameters[0].1, case.parameters[1].1, case.seed))
            .collect();
        assert_eq!(cases, ["1x 10", "1x 11", "1y 10", "1y 11", "2x 10", "2x 11", "2y 10", "2y 11"]);
    }

    #[test]
    fn shards_together_are_the_whole() {
        let plan = Plan::new("", "").seeds(0..10);
        let mut numbers: Vec<u64> = Vec::new();
        for index in 0..4 {
            let part = plan.clone().shard(Shard { index, count: 4 });
            numbers.extend((0..part.cases().unwrap()).map(|n| part.case(n).number));
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        let few = Plan::new("", "").seeds(0..2).shard(Shard { index: 3, count: 4 });
        assert_eq!(few.cases().unwrap(), 0);
    }
}
