//! Against theory: shares of endpoints, waits in queues.

use crate::kernel::{Purpose, Rate, Sampler, SimDuration, Streams};
use crate::network::servers::Queue;
use crate::network::{Arrivals, IpvsScheduler, Load, NetworkConfig, ProxyMode, ServeModel};

use super::bed::{Bed, constant, open};

/// The sum of squared deviations over expectations, of counts that should be even.
pub(super) fn chi_square(counts: &[u64]) -> f64 {
    let expected = counts.iter().sum::<u64>() as f64 / counts.len() as f64;
    counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum()
}

fn answered(bed: &Bed) -> Vec<u64> {
    bed.report("users").versions.iter().map(|version| version.answered).collect()
}

#[test]
fn iptables_spreads_connections_evenly() {
    for seed in 0..5 {
        let clients = vec![open("users", constant("10000/s"))];
        let mut bed = Bed::with(clients, 4, 20, ServeModel::default(), NetworkConfig::ideal(), seed);
        bed.run(10);
        let counts = answered(&bed);
        assert_eq!(counts.len(), 20);
        // 19 degrees of freedom: 43.8 is exceeded once in a thousand.
        assert!(chi_square(&counts) < 43.8, "{counts:?}");
    }
}

#[test]
fn ipvs_gives_every_endpoint_its_turn() {
    let config = NetworkConfig {
        proxy_mode: ProxyMode::Ipvs,
        ipvs_scheduler: IpvsScheduler::RoundRobin,
        ..NetworkConfig::ideal()
    };
    let model = ServeModel { time: Sampler::default(), ..ServeModel::default() };
    let mut bed = Bed::with(vec![open("users", constant("1000/s"))], 4, 20, model, config, 1);
    bed.run(10);
    assert!(answered(&bed).iter().all(|count| *count == 500), "{:?}", answered(&bed));
}

#[test]
fn a_canary_gets_the_share_of_its_ready_pods() {
    let mut bed = Bed::new(vec![open("users", constant("10000/s"))], 3, 10);
    bed.set_ready(3, false);
    bed.set_ready(4, false);
    bed.run(10);
    let counts = answered(&bed);
    let canary: u64 = counts[..2].iter().sum();
    let share = canary as f64 / counts.iter().sum::<u64>() as f64;
    // Two of eight; three standard deviations of 100,000 draws are 0.41 %.
    assert!((share - 0.25).abs() < 0.0041, "{share}");
}

/// The mean wait of that many requests, in means of a service.
fn mean_wait(servers: u32, load: f64, requests: u64, seed: u64) -> f64 {
    let mean = SimDuration::from_millis(1);
    let service = Sampler::exponential(mean).expect("a mean");
    let per_second = (load * f64::from(servers) * 1000.0) as u64;
    let arrivals = Rate::per_second(per_second).expect("a rate").poisson().expect("not zero");
    let streams = Streams::new(seed);
    let (mut when, mut how_long) = (streams.stream(Purpose::new(1), 0u32), streams.stream(Purpose::new(2), 0u32));
    let mut queue = Queue::new(Some(servers));
    let (mut now, mut waited) = (0u64, 0u128);
    for _ in 0..requests {
        now += arrivals.gap(&mut when).as_nanos();
        waited += u128::from(queue.start(now) - now);
        queue.admit(now, service.sample(&mut how_long).as_nanos(), usize::MAX);
    }
    waited as f64 / requests as f64 / mean.as_nanos() as f64
}

/// Erlang's C: the share of requests that must wait.
fn erlang_c(servers: u32, load: f64) -> f64 {
    let offered = load * f64::from(servers);
    let (mut term, mut sum) = (1.0, 0.0);
    for k in 0..servers {
        sum += term;
        term *= offered / f64::from(k + 1);
    }
    let waiting = term / (1.0 - load);
    waiting / (sum + waiting)
}

#[test]
#[cfg_attr(debug_assertions, ignore = "ten million requests are for release builds")]
fn mean_waits_are_those_of_queueing_theory() {
    // Of ten million requests the mean differs by 0.14, 0.21, 0.43 and 0.72 % (standard deviations of a simulation elsewhere); of four
    // times as many by half of that. Four times that is exceeded once in ten thousand, 1 % of the last one in two hundred.
    for (servers, load, tolerance) in [(1, 0.5, 0.003), (1, 0.7, 0.0045), (4, 0.7, 0.009), (16, 0.8, 0.01)] {
        let theory = erlang_c(servers, load) / (f64::from(servers) * (1.0 - load));
        let found = (0..4).map(|seed| mean_wait(servers, load, 10_000_000, seed)).sum::<f64>() / 4.0;
        assert!((found / theory - 1.0).abs() < tolerance, "{servers} servers, load {load}: {found} for {theory}");
    }
}

#[test]
fn independent_arrivals_queue_as_theory_says_through_the_whole_path() {
    let rate: Rate = "700/s".parse().expect("a rate");
    let model = ServeModel {
        time: Sampler::exponential(SimDuration::from_millis(1)).expect("a mean"),
        concurrency: Some(1),
        ..ServeModel::default()
    };
    let clients = vec![open("users", Load::Open(Arrivals::poisson(rate)))];
    let mut bed = Bed::with(clients, 1, 1, model, NetworkConfig::ideal(), 5);
    bed.run(600);
    // Time in an M/M/1 system: 1 / (mu - lambda) = 1 / 300 s.
    let mean = bed.report("users").latency.mean().as_secs_f64();
    assert!((mean * 300.0 - 1.0).abs() < 0.05, "{mean}");
}
