//! What `kubectl rollout status` says of a StatefulSet (upstream `kubectl/pkg/polymorphichelpers`).

use crate::objects::{StatefulSet, StatefulSetUpdateStrategy};

/// Where a rollout is, and whether it is done.
///
/// # Errors
/// kubectl's words where nothing can be said.
pub fn status(set: &StatefulSet) -> Result<(String, bool), String> {
    let (spec, status) = (&set.spec, &set.status);
    let StatefulSetUpdateStrategy::RollingUpdate(rolling) = &spec.update_strategy else {
        return Err("rollout status is only available for RollingUpdate strategy type".to_owned());
    };
    if status.observed_generation == 0 || set.meta.generation > status.observed_generation {
        return Ok(("Waiting for statefulset spec update to be observed...".to_owned(), false));
    }
    if status.ready_replicas < spec.replicas {
        let missing = spec.replicas - status.ready_replicas;
        return Ok((format!("Waiting for {missing} pods to be ready..."), false));
    }
    let updated = status.updated_replicas;
    if let Some(rolling) = rolling {
        let wanted = i64::from(spec.replicas) - i64::from(rolling.partition);
        if i64::from(updated) < wanted {
            let what = format!("{updated} out of {wanted} new pods have been updated");
            return Ok((format!("Waiting for partitioned roll out to finish: {what}..."), false));
        }
        return Ok((format!("partitioned roll out complete: {updated} new pods have been updated..."), true));
    }
    if status.update_revision != status.current_revision {
        let what = format!("{updated} pods at revision {}", status.update_revision);
        return Ok((format!("waiting for statefulset rolling update to complete {what}..."), false));
    }
    let what = format!("{} pods at revision {}", status.current_replicas, status.current_revision);
    Ok((format!("statefulset rolling update complete {what}..."), true))
}
