use super::*;
use crate::network::{Arrivals, Cause, ClientSpec, Load, Origin, PortRef, RequestTarget, Retries};

fn client(node: &str) -> ClientSpec {
    ClientSpec {
        name: node.into(),
        to: RequestTarget::Service(Key::new("default", "web"), PortRef::Only),
        from: Origin::Node(node.into()),
        load: Load::Open(Arrivals::constant("10/s".parse().expect("a rate"))),
        start: secs(20),
        stop: None,
        timeout: secs(1),
        retries: Retries::default(),
        keep_alive: None,
        addresses: 1,
        network: None,
    }
}

/// Attempts of the clients on both nodes that went to a pod that is gone, after the only pod was replaced in a disturbance.
fn sent_to_the_gone(disturbance: Disturbance, delays: Delays) -> [u64; 2] {
    let clients = ["node-0", "node-1"];
    let builder = Simulation::builder().seed(3).delays(delays).nodes(3);
    let mut sim = clients.into_iter().fold(builder, |builder, node| builder.client(client(node))).build().unwrap();
    sim.apply(
        "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}",
    )
    .unwrap();
    let place = r#""nodeSelector":{"kubernetes.io/hostname":"node-2"},"containers""#;
    sim.apply(&workload("Deployment", "web", 1).replace(r#""containers""#, place)).unwrap();
    sim.run_for(secs(30));
    assert!(clients.iter().all(|name| sim.client(name).expect("the client").total.succeeded > 90));
    sim.disturb(disturbance, Some(secs(60))).unwrap();
    sim.run_for(secs(1));
    sim.rollout_restart(&target("deployment/web")).unwrap();
    sim.run_for(secs(58));
    let found = clients.map(|name| {
        let report = sim.client(name).expect("the client");
        report.cause(Cause::AddressGone) + report.cause(Cause::NoProcess)
    });
    sim.run_for(secs(120));
    let lost = |sim: &Simulation| clients.map(|name| sim.client(name).expect("the client").total.lost);
    let before = lost(&sim);
    sim.run_for(secs(20));
    assert_eq!(lost(&sim), before, "all have caught up");
    found
}

#[test]
fn proxies_that_hear_nothing_send_to_pods_that_are_gone() {
    let cut = |cut| Disturbance::Partition { node: "node-0".into(), cut };
    let slow = |watcher, delay| Disturbance::SlowWatch { watcher, delay };
    let one = || Watcher::Proxy("node-0".into());
    for delays in [Delays::ideal(), Delays::realistic()] {
        for (disturbance, stale) in [
            (cut(Cut::Both), [true, false]),
            (cut(Cut::Watches), [true, false]),
            (cut(Cut::Writes), [false, false]),
            (slow(one(), None), [true, false]),
            (slow(one(), Some(secs(40))), [true, false]),
            (slow(Watcher::Proxies, None), [true, true]),
            (slow(Watcher::Kubelets, Some(secs(5))), [false, false]),
        ] {
            let found = sent_to_the_gone(disturbance.clone(), delays.clone());
            assert_eq!(found.map(|lost| lost > 100), stale, "{disturbance:?}: {found:?}");
        }
    }
}

#[test]
fn a_watch_of_the_proxy_of_no_node_is_refused() {
    let mut sim = realistic(1);
    let slow = Disturbance::SlowWatch { watcher: Watcher::Proxy("nobody".into()), delay: None };
    assert!(sim.disturb(slow, Some(secs(60))).is_err());
}
