//! How far a rollout may go above and below the desired number of pods.

use crate::objects::{Deployment, DeploymentSpec, DeploymentStrategy, IntOrPercent, IntOrPercentError, Rounding};

/// Bounds of a rollout, in pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fenceposts {
    /// Pods above the desired number.
    pub surge: i32,
    /// Pods below the desired number.
    pub unavailable: i32,
}

impl Fenceposts {
    /// Resolves both bounds against the desired number, so that they are never both 0 (upstream
    /// `ResolveFenceposts`). Absent bounds count as 0.
    ///
    /// # Errors
    /// If a bound is a text and no percentage.
    pub fn resolve(
        max_surge: Option<&IntOrPercent>,
        max_unavailable: Option<&IntOrPercent>,
        desired: i32,
    ) -> Result<Self, IntOrPercentError> {
        let scaled =
            |bound: Option<&IntOrPercent>, rounding| bound.map_or(Ok(0), |bound| bound.scaled_value(desired, rounding));
        let surge = scaled(max_surge, Rounding::Up)?;
        let unavailable = scaled(max_unavailable, Rounding::Down)?;
        // Rounding down may have brought the second one to 0; a rollout must be able to move.
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        Ok(Self { surge, unavailable })
    }

    /// The bounds of a Deployment; none if it does not roll, or if they are invalid, which validation prevents
    /// (upstream `MaxSurge`, `MaxUnavailable`).
    #[must_use]
    pub fn of(spec: &DeploymentSpec) -> Self {
        let DeploymentStrategy::RollingUpdate { max_surge, max_unavailable } = &spec.strategy else {
            return Self::default();
        };
        let resolved = Self::resolve(max_surge.as_ref(), max_unavailable.as_ref(), spec.replicas);
        let Self { surge, unavailable } = resolved.unwrap_or_default();
        Self { surge, unavailable: if spec.replicas == 0 { 0 } else { unavailable.min(spec.replicas) } }
    }
}

/// Most pods that a Deployment may have. Wraps as upstream's 32 bits do.
#[must_use]
pub fn max_replicas(spec: &DeploymentSpec) -> i32 {
    spec.replicas.wrapping_add(Fenceposts::of(spec).surge)
}

/// Fewest available pods that a rollout leaves; 0 if it does not roll (upstream `MinAvailable`).
#[must_use]
pub fn min_available(deployment: &Deployment) -> i32 {
    if !is_rolling_update(&deployment.spec) {
        return 0;
    }
    deployment.spec.replicas.wrapping_sub(Fenceposts::of(&deployment.spec).unavailable)
}

/// Whether old and new pods are exchanged within bounds.
#[must_use]
pub const fn is_rolling_update(spec: &DeploymentSpec) -> bool {
    matches!(spec.strategy, DeploymentStrategy::RollingUpdate { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(surge: Option<&str>, unavailable: Option<&str>, desired: i32) -> Result<(i32, i32), IntOrPercentError> {
        let (surge, unavailable) = (surge.map(IntOrPercent::percent), unavailable.map(IntOrPercent::percent));
        let posts = Fenceposts::resolve(surge.as_ref(), unavailable.as_ref(), desired)?;
        Ok((posts.surge, posts.unavailable))
    }

    #[test]
    fn surge_rounds_up_and_unavailable_rounds_down() {
        assert_eq!(resolve(Some("39%"), Some("39%"), 10), Ok((4, 3)));
        assert_eq!(resolve(None, Some("39%"), 10), Ok((0, 3)));
        assert_eq!(resolve(Some("39%"), None, 10), Ok((4, 0)));
        assert!(resolve(Some("oops"), None, 10).is_err());
    }

    #[test]
    fn a_rollout_can_always_move() {
        assert_eq!(resolve(Some("0%"), Some("0%"), 0), Ok((0, 1)));
        assert_eq!(resolve(None, None, 10), Ok((0, 1)));
        assert_eq!(resolve(Some("0%"), Some("1%"), 2), Ok((0, 1)));
    }

    #[test]
    fn the_default_quarters() {
        let quarter = |desired| resolve(Some("25%"), Some("25%"), desired).unwrap();
        let expected = [(1, 0), (1, 0), (1, 0), (1, 1), (2, 1), (2, 1), (2, 2), (3, 2), (25, 25)];
        assert_eq!([1, 2, 3, 4, 5, 7, 8, 10, 100].map(quarter), expected);
    }
}
