//! Figures that a scenario gives over time.

use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{CrossVersionObjectReference, Labels, Quantity};

/// A figure over time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the metric.
    pub name: Arc<str>,
    /// Namespace; `None` = whatever is asked for.
    pub namespace: Option<Arc<str>>,
    /// What it is about.
    pub about: SeriesAbout,
    /// Where it comes from.
    pub source: Source,
}

/// What a figure is about.
#[derive(Clone, Debug, PartialEq)]
pub enum SeriesAbout {
    /// An object (metrics of type `Object`); of the reference, kind and name count.
    Object(CrossVersionObjectReference),
    /// Something outside of the cluster (metrics of type `External`), with the labels of this series.
    Outside(Labels),
}

/// Where a figure comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// It is given. Each value holds until the next; before the first there is none.
    Given(Vec<ValueAt>),
    /// Requests that a client sends, per second.
    RequestsOf(Arc<str>),
}

/// A value from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueAt {
    /// From then on, counted from the start.
    pub at: SimDuration,
    /// The value; `None` = there is none any more.
    pub value: Option<Quantity>,
}

/// The value that is given for an instant.
pub(super) fn given(values: &[ValueAt], now: SimTime) -> Option<Quantity> {
    let since = now.as_nanos();
    let after = values.partition_point(|value| value.at.as_nanos() <= since);
    values[..after].last()?.value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_until_the_next() {
        let at = |secs, value: Option<&str>| ValueAt {
            at: SimDuration::from_secs(secs),
            value: value.map(|text| text.parse().unwrap()),
        };
        let values = [at(10, Some("5")), at(20, Some("7")), at(30, None)];
        let found = |secs| given(&values, SimTime::from_secs(secs)).map(|value| value.to_string());
        assert_eq!([found(9), found(30)], [None, None]);
        assert_eq!([found(10), found(19), found(20)].map(Option::unwrap), ["5", "5", "7"]);
    }
}
