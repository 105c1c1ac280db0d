//! What kubectl says of StatefulSets.

use serde_json::json;

use super::super::kubectl::status;
use super::Cluster;
use crate::controllers::history::kubectl::Workload;

fn told(cluster: &Cluster) -> String {
    match status(cluster.set()) {
        Ok((text, done)) => format!("{text} {done}"),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn the_status_of_a_rollout_is_told_in_kubectls_words() {
    let mut cluster = Cluster::new(json!({}));
    assert_eq!(told(&cluster), "Waiting for 3 pods to be ready... false");
    cluster.finish();
    assert_eq!(told(&cluster), "partitioned roll out complete: 3 new pods have been updated... true");
    cluster.patch(&json!({"updateStrategy": {"rollingUpdate": {"partition": 1}}}));
    cluster.set_image("web:v2");
    let waiting = "Waiting for partitioned roll out to finish: 0 out of 2 new pods have been updated...";
    assert_eq!(told(&cluster), format!("{waiting} false"));
    cluster.finish();
    assert_eq!(told(&cluster), "partitioned roll out complete: 2 new pods have been updated... true");
    cluster.patch(&json!({"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}));
    assert_eq!(told(&cluster), "error: rollout status is only available for RollingUpdate strategy type");
}

#[test]
fn the_status_of_an_update_without_bounds_names_revisions() {
    let mut cluster = Cluster::ready(json!({"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": null}}));
    let done = |cluster: &Cluster| {
        format!(
            "statefulset rolling update complete 3 pods at revision {}... true",
            cluster.set().status.update_revision
        )
    };
    assert_eq!(told(&cluster), done(&cluster));
    cluster.set_image("web:v2");
    let to = cluster.set().status.update_revision.clone();
    let waiting = format!("waiting for statefulset rolling update to complete 0 pods at revision {to}... false");
    assert_eq!(told(&cluster), waiting);
}

#[test]
fn undoing_goes_to_the_last_but_one_revision_or_the_one_that_is_named() {
    let mut cluster = Cluster::ready(json!({}));
    let undo = |cluster: &Cluster, to| Workload::from(&**cluster.set()).undo(&cluster.0.view, to);
    assert_eq!(undo(&cluster, 0).unwrap_err(), "no last revision to roll back to");
    cluster.set_image("web:v2");
    cluster.finish();
    for to in [0, 1] {
        let rollout = undo(&cluster, to).unwrap();
        assert_eq!((&*rollout.result, rollout.request.is_some()), ("rolled back", true));
    }
    let same = undo(&cluster, 2).unwrap();
    assert_eq!(same.result, "skipped rollback (current template already matches revision 2)");
    assert!(same.request.is_none());
    for unknown in [7, -1] {
        let error = undo(&cluster, unknown).unwrap_err();
        assert_eq!(error, format!("unable to find specified revision {unknown} in history"));
    }
}

#[test]
fn the_history_lists_revisions() {
    let mut cluster = Cluster::ready(json!({}));
    cluster.set_image("web:v2");
    let history = Workload::from(&**cluster.set()).history(&cluster.0.view);
    assert_eq!(history, "REVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n");
}

#[test]
fn what_only_deployments_know_is_refused() {
    let cluster = Cluster::ready(json!({}));
    let workload = Workload::from(&**cluster.set());
    assert_eq!(workload.refuse("pausing"), "statefulsets.apps \"web\" pausing is not supported");
}

#[test]
fn a_restart_marks_the_template() {
    let cluster = Cluster::ready(json!({}));
    let rollout = Workload::from(&**cluster.set()).restart(cluster.0.now).unwrap();
    let Some(crate::api::Request::Patch { document, .. }) = rollout.request else { panic!("a patch") };
    assert!(document.pointer("/spec/template/metadata/annotations").is_some() && rollout.result == "restarted");
}
