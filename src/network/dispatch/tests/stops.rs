//! Containers of one pod that stop one after the other: a sidecar serves until the others have stopped.

use super::super::super::clients::RequestTarget;
use super::super::super::outcome::Cause;
use super::bed::{Bed, constant, secs, to_host};
use super::fronts::millis;
use crate::kernel::Sampler;
use crate::network::{ClientSpec, ContainerUp, HostName, NetworkConfig, PodUp, PortRef, ProcessChange, ServeModel};

/// The place of each container, in the order of the manifest: sidecars come first.
const SIDECAR: u16 = 0;
const MAIN: u16 = 1;

/// A pod with a sidecar on port 9090, requests to both containers, each of which takes a second.
fn pod_with_sidecar() -> Bed {
    let to = |name: &str, port: u16| {
        let host = HostName::new("web-0.pods");
        let to = RequestTarget::Host(host.clone(), PortRef::Number(port));
        ClientSpec { to, ..to_host(name, host, constant("10/s")) }
    };
    let model = ServeModel { time: Sampler::constant(secs(1)), ..ServeModel::default() };
    let clients = vec![to("main", 8080), to("sidecar", 9090)];
    let mut bed = Bed::with(clients, 1, 1, model, NetworkConfig::ideal(), 7).headless();
    let container = |place, port| {
        let version = format!("container{place}").into();
        ContainerUp { place, ports: vec![port], version, model: 0, cpu_limit: 0 }
    };
    let up = PodUp { containers: vec![container(MAIN, 8080), container(SIDECAR, 9090)], ..bed.pod(0) };
    bed.network.add_pod(&up, bed.now);
    for place in [SIDECAR, MAIN] {
        bed.process_of((0, place), ProcessChange::Started);
        bed.process_of((0, place), ProcessChange::Listening);
    }
    bed.run(10);
    assert_eq!(["main", "sidecar"].map(|name| bed.report(name).total.succeeded), [90, 90]);
    bed
}

fn stop(sigterm: u64, stops: u64) -> ProcessChange {
    ProcessChange::Stopping { sigterm: Some(millis(sigterm)), stops: millis(stops) }
}

#[test]
fn a_sidecar_that_is_started_again_cuts_its_own_requests_and_none_of_the_container_beside_it() {
    let mut bed = pod_with_sidecar();
    bed.process_of((0, SIDECAR), ProcessChange::Ended);
    bed.process_of((0, SIDECAR), ProcessChange::Started);
    bed.process_of((0, SIDECAR), ProcessChange::Listening);
    bed.run(20);
    let (main, sidecar) = (bed.report("main"), bed.report("sidecar"));
    assert_eq!((main.total.succeeded, main.total.lost), (190, 0));
    // The answer that would have come at that very instant does not.
    assert_eq!((sidecar.total.succeeded, sidecar.cause(Cause::Killed)), (180, 10));
}

#[test]
fn a_sidecar_serves_until_the_main_container_has_stopped() {
    let mut bed = pod_with_sidecar();
    bed.process_of((0, MAIN), stop(0, 2000));
    bed.process_of((0, SIDECAR), stop(2000, 2500));
    bed.run(15);
    let (main, sidecar) = (bed.report("main"), bed.report("sidecar"));
    // What was under way is answered; what comes then is refused.
    assert_eq!((main.total.succeeded, main.cause(Cause::Killed)), (100, 0));
    assert_eq!((main.cause(Cause::Stopping), main.cause(Cause::NoProcess)), (20, 30));
    // Half a second after SIGTERM it is killed, with what it has not answered by then.
    assert_eq!((sidecar.total.succeeded, sidecar.cause(Cause::Killed)), (115, 5));
    assert_eq!((sidecar.cause(Cause::Stopping), sidecar.cause(Cause::NoProcess)), (5, 25));
}
