//! Random scripts, played by the loop and by the reference.

use proptest::prelude::*;

use super::super::super::clients::{KeepAlive, Load};
use super::super::super::proxy::NetworkConfig;
use super::super::super::servers::{ErrorRate, ProcessChange, ServeModel};
use super::bed::{Bed, open, secs, to_host};
use super::fronts::{FRONT, nginx, to_url};
use super::reference::{Lists, Reference};
use super::shadow::Shadow;
use crate::kernel::{Rate, Sampler, SimDuration, SimTime};
use crate::network::dns::{ClientCaching, DnsConfig};
use crate::network::{AddressPick, Arrivals, ClientSpec, HostName, Origin, Retries};
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
    /// A machine starts that was down.
    NodeUp(usize),
    /// Makes one of [`POLICIES`], or deletes it.
    Policy(usize, bool),
    /// The Service leads to the port that pods listen to, or to another one.
    Retarget(bool),
    Cut(usize),
    /// After so many milliseconds.
    Mend(usize, u64),
}

/// Policies that come and go.
const POLICIES: [&str; 8] = [
    r#"{"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}"#,
    r#"{"podSelector": {"matchLabels": {"pod": "1"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/32"}}]}]}"#,
    r#"{"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "2"}}}], "ports": [{"port": 8080}]}]}"#,
    r#"{"podSelector": {"matchLabels": {"pod": "0"}}, "policyTypes": ["Egress"]}"#,
    r#"{"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"pod": "1"}}}]}]}"#,
    r#"{"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "ingress"}}}]}]}"#,
    r#"{"podSelector": {"matchLabels": {"app": "ingress"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]}"#,
    r#"{"podSelector": {"matchLabels": {"pod": "500"}}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {"matchLabels": {"pod": "0"}}}]}]}"#,
];

/// Where a client's requests go.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Service,
    Url,
    /// By the address of a Service, by those of its pods, by that of one pod, by none.
    Host(u8),
}

#[derive(Clone, Copy, Debug)]
enum Whence {
    Node,
    Pods,
    Outside,
}

#[derive(Clone, Copy, Debug)]
enum Pace {
    Poisson,
    Constant,
    Users,
}

#[derive(Clone, Copy, Debug)]
struct Sends {
    aim: Aim,
    whence: Whence,
    pace: Pace,
    rate: u64,
    retries: u32,
    /// So little that it may try again.
    budget: Option<u32>,
    timeout: SimDuration,
    keeps: bool,
}

fn sends() -> impl Strategy<Value = Sends> {
    let aim = prop_oneof![2 => Just(Aim::Service), 3 => Just(Aim::Url), 2 => (0u8..4).prop_map(Aim::Host)];
    let whence = prop_oneof![2 => Just(Whence::Node), 1 => Just(Whence::Pods), 1 => Just(Whence::Outside)];
    let pace = prop_oneof![Just(Pace::Poisson), Just(Pace::Constant), Just(Pace::Users)];
    let retries = (0u32..3, prop::option::weighted(0.2, 0u32..500));
    let patience = prop_oneof![1 => Just(40), 3 => Just(700), 1 => Just(60_000)].prop_map(SimDuration::from_millis);
    let way = (aim, whence, prop::bool::weighted(0.3));
    (way, pace, 1u64..400, retries, patience).prop_map(|(way, pace, rate, (retries, budget), timeout)| {
        let (aim, whence, keeps) = way;
        // So long that no connection is given up because of a line.
        let timeout = if keeps { secs(60) } else { timeout };
        Sends { aim, whence, pace, rate, retries, budget, timeout, keeps }
    })
}

/// How the ingress controller is configured.
#[derive(Clone, Copy, Debug)]
struct Front {
    /// Microseconds that a pod works on a request, one at a time; nothing = no time.
    micros: Option<u64>,
    /// Of a hundred requests, those for the canary.
    canary: u8,
    /// Cookies keep users at their endpoints.
    is_sticky: bool,
    /// Errors of endpoints are tried again elsewhere.
    retries_errors: bool,
    /// By the address of the Service.
    by_service: bool,
    lists: Lists,
}

/// Lists of addresses: those of pods, and of the nodes by which others come in.
const LISTS: [Lists; 3] = [
    Lists { allow: &[], deny: &[], keeps_addresses: false },
    Lists { allow: &["10.1.0.1", "192.0.2.0", "192.0.2.2"], deny: &[], keeps_addresses: false },
    Lists { allow: &[], deny: &["10.1.0.1", "192.0.2.1"], keeps_addresses: false },
];

fn lists() -> impl Strategy<Value = Lists> {
    let some = (0..LISTS.len(), prop::bool::ANY).prop_map(|(at, keeps)| Lists { keeps_addresses: keeps, ..LISTS[at] });
    prop_oneof![3 => Just(Lists::default()), 2 => some]
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    pods: usize,
    concurrency: Option<u32>,
    queue: u32,
    mean_micros: u64,
    errors: u32,
    min_sync: u64,
    policy_delay: u64,
    clients: Vec<Sends>,
    /// Milliseconds and what happens then.
    acts: Vec<(u64, Act)>,
    front: Front,
}

fn front() -> impl Strategy<Value = Front> {
    let flag = || prop::bool::weighted(0.25);
    (prop::option::of(50u64..5000), 0u8..60, flag(), flag(), flag(), lists()).prop_map(
        |(micros, canary, is_sticky, retries_errors, by_service, lists)| Front {
            micros,
            canary,
            is_sticky,
            retries_errors,
            by_service,
            lists,
        },
    )
}

pub(super) fn script() -> impl Strategy<Value = Script> {
    let act = (0usize..4, 0u64..400, 0u64..400, 0u8..20).prop_map(|(pod, a, b, kind)| match kind {
        13 | 14 => Act::Policy(a as usize % POLICIES.len(), true),
        15 => Act::Policy(a as usize % POLICIES.len(), false),
        16 => Act::Cut(pod % 3),
        17 => Act::Mend(pod % 3, b),
        18 => Act::NodeUp(1 + pod % 2),
        19 => Act::Retarget(a % 3 > 0),
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
    let clients = prop::collection::vec(sends(), 1..4);
    let acts = prop::collection::vec((0u64..4000, act), 0..20);
    let server = (prop::option::of(1u32..5), 0u32..20, 100u64..30_000, 0u32..300_000);
    let lags = (0u64..1500, 0u64..800);
    (1usize..5, server, lags, clients, acts, front()).prop_map(|(pods, server, lags, clients, acts, front)| {
        let (min_sync, policy_delay) = lags;
        // A process begins anew after its end.
        let each = acts.into_iter().flat_map(|(at, act)| match act {
            Act::Begin(pod) => vec![(at, Act::Kill(pod)), (at, act)],
            Act::NodeUp(node) => vec![(at, Act::NodeDown(node)), (at, act)],
            _ => vec![(at, act)],
        });
        let mut acts: Vec<(u64, Act)> = each.collect();
        acts.sort_by_key(|(at, _)| *at);
        let (concurrency, queue, mean_micros, errors) = server;
        Script { pods, concurrency, queue, mean_micros, errors, min_sync, policy_delay, clients, acts, front }
    })
}

fn client((number, sends): (usize, &Sends)) -> ClientSpec {
    let rate = Rate::per_second(sends.rate).expect("a rate");
    let load = match sends.pace {
        Pace::Poisson => Load::Open(Arrivals::poisson(rate)),
        Pace::Constant => Load::Open(Arrivals::constant(rate)),
        Pace::Users => Load::Closed {
            users: sends.rate as u32 % 20 + 1,
            think: Sampler::exponential(SimDuration::from_millis(50)).expect("a mean"),
        },
    };
    let name = format!("client-{number}");
    let mut spec = match sends.aim {
        Aim::Service => open(&name, load),
        Aim::Url => to_url(&name, "http://shop.example/cart", load),
        Aim::Host(kind) => to_host(&name, host(kind), load),
    };
    spec.timeout = sends.timeout;
    spec.retries = Retries { count: sends.retries, budget: sends.budget, ..Retries::default() };
    spec.retries.back_off = SimDuration::from_micros(12_345);
    spec.stop = Some(secs(5));
    match sends.whence {
        _ if matches!(sends.aim, Aim::Host(_)) => {}
        Whence::Node => {}
        // While no pod runs, nobody sends.
        Whence::Pods => {
            spec.from = Origin::Pods("default".into(), Selector::from_labels(&Labels::new().with("app", "web")));
        }
        Whence::Outside => (spec.from, spec.addresses) = (Origin::External, 5),
    }
    if sends.keeps {
        spec.keep_alive = Some(KeepAlive { connections: 3, requests: 17, lasts: SimDuration::from_millis(900) });
    }
    spec
}

fn host(kind: u8) -> HostName {
    let time = SimDuration::from_millis(300);
    let (name, caching, pick) = match kind {
        0 => ("web", ClientCaching::Ttl, AddressPick::First),
        1 => ("pods", ClientCaching::For(time), AddressPick::RoundRobin),
        2 => ("pods.default.svc.cluster.local", ClientCaching::None, AddressPick::First),
        _ => ("web-0.pods", ClientCaching::Ttl, AddressPick::Random),
    };
    HostName { name: name.into(), caching, pick, falls_back: kind != 1 }
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
        outside: SimDuration::from_micros(1234),
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
    if let Some(micros) = script.front.micros {
        let time = Sampler::exponential(SimDuration::from_micros(micros)).expect("a mean");
        let busy = ServeModel { time, concurrency: Some(1), ..ServeModel::default() };
        bed.network.fleet.models = vec![bed.network.fleet.models[0].clone(), busy].into();
    }
    let Front { canary, is_sticky, retries_errors, by_service, lists, .. } = script.front;
    let (allow, deny) = (lists.allow.join(","), lists.deny.join(","));
    let mut pairs = vec![("proxy-connect-timeout", "1"), ("proxy-read-timeout", "1")];
    pairs.extend(is_sticky.then_some(("affinity", "cookie")));
    pairs.extend(retries_errors.then_some(("proxy-next-upstream", "error timeout http_500 http_503")));
    pairs.extend(by_service.then_some(("service-upstream", "true")));
    pairs.extend((!allow.is_empty()).then_some(("whitelist-source-range", &*allow)));
    pairs.extend((!deny.is_empty()).then_some(("denylist-source-range", &*deny)));
    let mut bed = bed.headless().behind_ingress(FRONTS, &nginx(&pairs));
    if lists.keeps_addresses {
        bed.keep_addresses();
    }
    if canary > 0 {
        bed.canary(&[0], &[("canary-weight", &canary.to_string())]);
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
        Act::NodeUp(node) => bed.node_up(node),
        Act::Policy(at, true) => bed.policy(&format!("p{at}"), serde_json::from_str(POLICIES[at]).ok()),
        Act::Policy(at, false) => bed.policy(&format!("p{at}"), None),
        Act::Retarget(well) => bed.retarget(if well { 8080 } else { 8081 }),
        Act::Cut(node) => bed.cut(node),
        Act::Mend(node, wait) => bed.mend(node, SimDuration::from_millis(wait)),
    }
}

/// The end of a script.
const END: SimTime = SimTime::from_secs(5);

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

/// So many cases, or as many as `PROPTEST_CASES` asks for.
fn cases() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(if cfg!(debug_assertions) { 40 } else { 2000 }))
}

proptest! {
    #![proptest_config(cases())]

    /// The loop counts what an event for every arrival, start, end and timeout counts.
    #[test]
    fn the_loop_does_what_events_would_do(script in script(), seed in 0u64..1000) {
        let mut bed = bed(&script, seed);
        let mut plain = bed.clone();
        plain.shadow = Some(Shadow::new(SimDuration::from_millis(script.policy_delay), 3));
        let mut reference = Reference::new(plain);
        reference.lists = script.front.lists;
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
