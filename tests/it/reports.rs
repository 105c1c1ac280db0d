//! What kubelets say reaches the API server in the order in which they said it.

use serde_json::json;

use seatrial::kernel::{SimDuration, SimTime};
use seatrial::sim::{Delays, Simulation};

/// A container that ends and starts again at once makes for two reports of one instant, each with a delay of its own.
#[test]
fn the_status_of_a_restarted_container_is_the_last_one_said() {
    let behaviour = json!({"image": "*", "start": "1s", "exit": {"code": 1, "after": "3s", "once": true}});
    let behaviour = serde_json::from_value(behaviour).expect("a behaviour");
    let builder = Simulation::builder().delays(Delays::realistic()).behaviour(behaviour).nodes(3);
    let mut sim = builder.build().expect("a cluster");
    let manifest = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 30,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": "web:v1"}]},
            },
        },
    });
    sim.apply(&manifest.to_string()).expect("a valid Deployment");
    sim.run_until(SimTime::ZERO + SimDuration::from_secs(20));
    let restarted =
        |restarts| sim.view().pods.iter().filter(|pod| pod.is_ready() && restarts_of(pod) == restarts).count();
    assert_eq!((restarted(1), sim.view().pods.iter().count()), (30, 30));
}

fn restarts_of(pod: &seatrial::objects::Pod) -> i32 {
    pod.status.container_statuses.iter().map(|status| status.restart_count).sum()
}
