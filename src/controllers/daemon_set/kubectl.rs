//! What `kubectl rollout` computes on its side for DaemonSets (upstream `kubectl/pkg/polymorphichelpers`).

use crate::objects::DaemonSet;

/// Where an update is (`kubectl rollout status`), and whether it is done.
///
/// # Errors
/// kubectl's words where it cannot tell.
pub fn status(set: &DaemonSet) -> Result<(String, bool), String> {
    let (name, status) = (&*set.meta.name, &set.status);
    if set.spec.update_strategy.on_delete {
        return Err("rollout status is only available for RollingUpdate strategy type".to_owned());
    }
    if set.meta.generation > status.observed_generation {
        return Ok(("Waiting for daemon set spec update to be observed...".to_owned(), false));
    }
    let desired = status.desired_number_scheduled;
    let waiting = if status.updated_number_scheduled < desired {
        format!("{} out of {desired} new pods have been updated...", status.updated_number_scheduled)
    } else if status.number_available < desired {
        format!("{} of {desired} updated pods are available...", status.number_available)
    } else {
        return Ok((format!("daemon set {name:?} successfully rolled out"), true));
    };
    Ok((format!("Waiting for daemon set {name:?} rollout to finish: {waiting}"), false))
}
