//! Random scripts, played by the loop and by the reference.

use proptest::prelude::*;

use super::super::super::clients::{KeepAlive, Load};
use super::super::super::proxy::NetworkConfig;
use super::super::super::servers::{ErrorRate, ProcessChange, ServeModel};
use super::bed::{Bed, Shadow, open, secs, to_host};
use super::fronts::{FRONT, nginx, to_url};
use super::reference::Reference;
use crate::kernel::{Rate, Sampler, SimDuration, SimTime};
use crate::network::dns::{ClientCaching, DnsConfig};
use crate::network::{AddressPick, Arrivals, ClientSpec, HostName, Origin};
use crate::objects::{Labels, Selector};

/// Pods of the ingress controller.
const FRONTS: usize = 2;

/// Something that happens to the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    Ready(usize, bool),
    Kill(usize),
    Begin(usize),
    FrontReady(usize, bool),
    Hang(usize),
    Stop(usize, u64, u64),
    NodeDown(usize),
    /// Makes one of [`POLICIES`], or deletes it.
    Policy(usize, bool),
    Cut(usize),
    /// After so many milliseconds.
    Mend(usize, u64),
}

/// Policies that come and go.
const POLICIES: [&str; 5] = [
    r#"{"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}"#,
    r#"{"podSelector": {"matchLabels": {"pod": "1"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/32"}}]}]}"#,
    r#"{"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "2"}}}], "ports": [{"port": 8080}]}]}"#,
    r#"{"podSelector": {"matchLabels": {"pod": "0"}}, "policyTypes": ["Egress"]}"#,
    r#"{"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"pod": "1"}}}]}]}"#,
];

#[derive(Clone, Debug)]
pub(super) struct Script {
    pods: usize,
    concurrency: Option<u32>,
    queue: u32,
    mean_micros: u64,
    errors: u32,
    min_sync: u64,
    policy_delay: u64,
    clients: Vec<(u64, u8, u32)>,
    /// Milliseconds and what happens then.
    acts: Vec<(u64, Act)>,
    /// Microseconds that a pod of the ingress controller works on a request, one at a time; nothing = no time.
    front_micros: Option<u64>,
    /// Of a hundred requests, those for the canary.
    canary: u8,
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let act = (0usize..4, 0u64..400, 0u64..400, 0u8..18).prop_map(|(pod, a, b, kind)| match kind {
        13 | 14 => Act::Policy((a % 5) as usize, true),
        15 => Act::Policy((a % 5) as usize, false),
        16 => Act::Cut(pod % 3),
        17 => Act::Mend(pod % 3, b),
        0 | 1 => Act::Ready(pod, a % 2 == 0),
        2 => Act::Kill(pod),
        3 | 4 => Act::Begin(pod),
        5 => Act::Hang(pod),
        6 => Act::Stop(pod, a, a + b),
        7 => Act::NodeDown(1 + pod % 2),
        8 => Act::FrontReady(pod, a % 2 == 0),
        9 => Act::Kill(FRONT + pod),
        10 => Act::Begin(FRONT + pod),
        11 => Act::Hang(FRONT + pod),
        _ => Act::Stop(FRONT + pod, a, a + b),
    });
    let clients = prop::collection::vec((1u64..400, 0u8..13, 0u32..3), 1..4);
    let acts = prop::collection::vec((0u64..4000, act), 0..20);
    let server = (prop::option::of(1u32..5), 0u32..20, 100u64..30_000, 0u32..300_000);
    let front = (prop::option::of(50u64..5000), 0u8..60);
    let lags = (0u64..1500, 0u64..800);
    (1usize..5, server, lags, clients, acts, front).prop_map(|(pods, server, lags, clients, acts, front)| {
        let (min_sync, policy_delay) = lags;
        // A process begins anew after its end.
        let each = acts.into_iter().flat_map(|(at, act)| match act {
            Act::Begin(pod) => vec![(at, Act::Kill(pod)), (at, act)],
            _ => vec![(at, act)],
        });
        let mut acts: Vec<(u64, Act)> = each.collect();
        if clients.iter().any(|(_, kind, _)| *kind > 8) {
            // The reference's reverse proxies know no policies.
            acts.retain(|(_, act)| !matches!(act, Act::Policy(..)));
        }
        let (front_micros, canary) = front;
        acts.sort_by_key(|(at, _)| *at);
        let (concurrency, queue, mean_micros, errors) = server;
        Script {
            pods,
            concurrency,
            queue,
            mean_micros,
            errors,
            min_sync,
            policy_delay,
            clients,
            acts,
            front_micros,
            canary,
        }
    })
}

fn client((number, (rate, kind, retries)): (usize, &(u64, u8, u32))) -> ClientSpec {
    let rate = Rate::per_second(*rate).expect("a rate");
    let load = match kind {
        0 | 1 | 9 | 10 | 12 => Load::Open(Arrivals::poisson(rate)),
        2 | 11 => Load::Open(Arrivals::constant(rate)),
        _ => Load::Closed {
            users: rate.ratio().0 as u32 % 20 + 1,
            think: Sampler::exponential(SimDuration::from_millis(50)).expect("a mean"),
        },
    };
    let name = format!("client-{number}");
    let mut spec = match kind {
        ..5 => open(&name, load),
        9.. => to_url(&name, "http://shop.example/cart", load),
        _ => to_host(&name, host(*kind), load),
    };
    spec.timeout = SimDuration::from_millis(if *kind == 1 { 40 } else { 700 });
    // Of requests that are cut at one instant behind a reverse proxy the order of the draws for their retries is not promised.
    spec.retries.count = if *kind >= 9 { 0 } else { *retries };
    spec.retries.back_off = SimDuration::from_micros(12_345);
    spec.stop = Some(secs(5));
    if *kind == 2 {
        // While no pod runs, nobody sends.
        spec.from = Origin::Pods("default".into(), Selector::from_labels(&Labels::new().with("app", "web")));
        spec.retries.count = 0;
    }
    if matches!(*kind, 4 | 10 | 12) {
        // So long that no connection is given up because of a line.
        spec.timeout = secs(60);
    }
    if matches!(*kind, 4 | 10) {
        spec.keep_alive = Some(KeepAlive { connections: 3, requests: 17, lasts: SimDuration::from_millis(900) });
    }
    spec
}

/// By the address of a Service, by those of its pods, by that of one pod, by none.
fn host(kind: u8) -> HostName {
    let time = SimDuration::from_millis(300);
    let (name, caching, pick) = match kind {
        5 => ("web", ClientCaching::Ttl, AddressPick::First),
        6 => ("pods", ClientCaching::For(time), AddressPick::RoundRobin),
        7 => ("pods.default.svc.cluster.local", ClientCaching::None, AddressPick::First),
        _ => ("web-0.pods", ClientCaching::Ttl, AddressPick::Random),
    };
    HostName { name: name.into(), caching, pick, falls_back: kind != 6 }
}

pub(super) fn bed(script: &Script, seed: u64) -> Bed {
    let time = Sampler::exponential(SimDuration::from_micros(script.mean_micros)).expect("a mean");
    let model = ServeModel {
        time,
        concurrency: script.concurrency,
        queue: script.queue,
        error_rate: ErrorRate { of: 1_000_000, failing: script.errors },
        ..ServeModel::default()
    };
    let config = NetworkConfig {
        min_sync_period: Some(SimDuration::from_millis(script.min_sync)),
        sync_base: SimDuration::from_millis(3),
        node_jitter: SimDuration::from_millis(5),
        hop: SimDuration::from_micros(77),
        dns: DnsConfig {
            query: SimDuration::from_micros(333),
            lag: Some(SimDuration::from_millis(20)),
            ttl: SimDuration::from_millis(500),
            ..DnsConfig::default()
        },
        ingress_sync: Some(SimDuration::from_millis(777)),
        ingress_poll: SimDuration::from_millis(222),
        ingress_reload: SimDuration::from_millis(55),
        policy_delay: SimDuration::from_millis(script.policy_delay),
        ..NetworkConfig::ideal()
    };
    let clients = script.clients.iter().enumerate().map(client).collect();
    let mut bed = Bed::with(clients, 3, script.pods, model, config, seed);
    if let Some(micros) = script.front_micros {
        let time = Sampler::exponential(SimDuration::from_micros(micros)).expect("a mean");
        let busy = ServeModel { time, concurrency: Some(1), ..ServeModel::default() };
        bed.network.fleet.models = vec![bed.network.fleet.models[0].clone(), busy].into();
    }
    let annotations = nginx(&[("proxy-connect-timeout", "1"), ("proxy-read-timeout", "1")]);
    let mut bed = bed.headless().behind_ingress(FRONTS, &annotations);
    if script.canary > 0 {
        bed.canary(&[0], &[("canary-weight", &script.canary.to_string())]);
    }
    bed
}

fn act(bed: &mut Bed, script: &Script, act: Act) {
    let pod = |pod: usize| if pod < FRONT { pod % script.pods } else { FRONT + pod % FRONTS };
    match act {
        Act::Ready(at, ready) => bed.set_ready(pod(at), ready),
        Act::Kill(at) => bed.kill(pod(at)),
        Act::FrontReady(at, ready) => bed.set_front_ready(at % FRONTS, ready),
        Act::Begin(at) => {
            bed.process(pod(at), ProcessChange::Started);
            bed.process(pod(at), ProcessChange::Listening);
        }
        Act::Hang(at) => bed.process(pod(at), ProcessChange::Hung),
        Act::Stop(at, sigterm, stops) => bed.stop(pod(at), sigterm, stops),
        Act::NodeDown(node) => bed.node_down(node),
        Act::Policy(at, true) => bed.policy(&format!("p{at}"), serde_json::from_str(POLICIES[at]).ok()),
        Act::Policy(at, false) => bed.policy(&format!("p{at}"), None),
        Act::Cut(node) => bed.cut(node),
        Act::Mend(node, wait) => bed.mend(node, SimDuration::from_millis(wait)),
    }
}

/// The end of a script. At a round time a timeout might end too, and whether that still counts is nobody's promise.
const END: SimTime = SimTime::from_nanos(5_000_000_123);

/// Plays a script to its end.
pub(super) fn play(
    bed: &mut Bed,
    script: &Script,
    mut look: impl FnMut(&Bed) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    for (at, what) in &script.acts {
        bed.run_until(SimTime::from_millis(*at));
        look(bed)?;
        act(bed, script, *what);
    }
    bed.run_until(END);
    look(bed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 40 } else { 2000 }))]

    /// The loop counts what an event for every arrival, start, end and timeout counts.
    #[test]
    fn the_loop_does_what_events_would_do(script in script(), seed in 0u64..1000) {
        let mut bed = bed(&script, seed);
        let mut plain = bed.clone();
        plain.shadow = Some(Shadow::new(SimDuration::from_millis(script.policy_delay), 3));
        let mut reference = Reference::new(plain);
        play(&mut bed, &script, |_| Ok(()))?;
        for (at, what) in &script.acts {
            reference.run_until(SimTime::from_millis(*at));
            reference.control(|bed| act(bed, &script, *what));
        }
        reference.run_until(END);
        let (fast, slow) = (bed.network.report(), reference.report());
        for (fast, slow) in fast.clients.iter().zip(&slow.clients) {
            prop_assert_eq!(&fast.total, &slow.total);
            prop_assert_eq!(&fast.windows, &slow.windows);
        }
        prop_assert!(fast == slow, "{:?} for {:?}", fast.nodes, slow.nodes);
        // Who asks of one client is told the same, without windows.
        for mut client in fast.clients {
            client.windows.clear();
            prop_assert!(bed.report(&client.name) == client, "{}", client.name);
        }
    }
}
