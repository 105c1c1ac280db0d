//! How long a pod bears the taints of its node.

use crate::kernel::SimDuration;
use crate::objects::{Taint, Toleration};

/// How long a pod bears taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tolerance {
    /// Not at all.
    None,
    /// For so long.
    For(SimDuration),
    /// For ever.
    Forever,
}

/// The shortest time of the tolerations that bear the taints. For each taint the first one that bears it counts
/// (upstream `GetMatchingTolerations`, `getMinTolerationTime`).
pub(super) fn tolerance(taints: &[Taint], tolerations: &[Toleration]) -> Tolerance {
    let mut shortest: Option<i64> = None;
    for taint in taints {
        let Some(bearing) = tolerations.iter().find(|toleration| toleration.tolerates(taint)) else {
            return Tolerance::None;
        };
        shortest = [shortest, bearing.toleration_seconds].into_iter().flatten().min();
    }
    match shortest.map(|seconds| u64::try_from(seconds).unwrap_or(0)) {
        None => Tolerance::Forever,
        Some(seconds) => Tolerance::For(SimDuration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str) -> Taint {
        Taint { key: key.into(), effect: "NoExecute".into(), ..Taint::default() }
    }

    fn bears(key: &str, toleration_seconds: Option<i64>) -> Toleration {
        Toleration { key: key.into(), operator: "Exists".into(), toleration_seconds, ..Toleration::default() }
    }

    fn check(taints: &[&str], tolerations: &[(&str, Option<i64>)], expected: Tolerance) {
        let taints: Vec<_> = taints.iter().map(|key| taint(key)).collect();
        let tolerations: Vec<_> = tolerations.iter().map(|(key, seconds)| bears(key, *seconds)).collect();
        assert_eq!(tolerance(&taints, &tolerations), expected, "{taints:?} {tolerations:?}");
    }

    #[test]
    fn the_shortest_time_counts_and_every_taint_must_be_borne() {
        let seconds = |seconds| Tolerance::For(SimDuration::from_secs(seconds));
        check(&["a"], &[], Tolerance::None);
        check(&["a", "b"], &[("a", Some(100))], Tolerance::None);
        check(&["a"], &[("a", None)], Tolerance::Forever);
        check(&["a", "b"], &[("a", Some(1)), ("b", Some(100))], seconds(1));
        check(&["a", "b"], &[("a", Some(1)), ("b", None)], seconds(1));
        check(&["a"], &[("a", Some(-7))], seconds(0));
        check(&["a"], &[("a", None), ("a", Some(3))], Tolerance::Forever);
        check(&["a"], &[("", Some(3))], seconds(3));
    }
}
