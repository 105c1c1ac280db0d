use proptest::prelude::*;

use super::super::random::{Purpose, Streams};
use super::*;

fn secs(secs: u64) -> SimDuration {
    SimDuration::from_secs(secs)
}

fn stream(seed: u64) -> Stream {
    Streams::new(seed).stream(Purpose::new(1), 7u64)
}

fn yaml(text: &str) -> Result<Sampler, String> {
    serde_yaml::from_str(text).map_err(|error| error.to_string())
}

fn sorted_samples(sampler: &Sampler, seed: u64, count: usize) -> Vec<f64> {
    let mut stream = stream(seed);
    let mut samples: Vec<_> = (0..count).map(|_| sampler.sample(&mut stream)).collect();
    samples.sort_unstable();
    samples.into_iter().map(SimDuration::as_secs_f64).collect()
}

#[track_caller]
fn check_samples(sampler: Result<Sampler, KernelError>, expected: [u64; 4]) {
    let sampler = sampler.expect("in range");
    let mut stream = stream(42);
    assert_eq!(expected.map(|_| sampler.sample(&mut stream).as_nanos()), expected, "{sampler:?}");
}

/// The expected values were also computed, from the definitions alone, with another language's mathematics library.
#[test]
fn samples_have_known_values_on_every_platform() {
    check_samples(Ok(Sampler::constant(secs(2))), [2_000_000_000; 4]);
    check_samples(Sampler::uniform(secs(1), secs(3)), [1_817_479_448, 1_986_548_847, 2_428_667_310, 1_980_398_839]);
    check_samples(Sampler::exponential(secs(2)), [1_789_353_395, 1_413_379_240, 672_810_245, 1_425_885_985]);
    check_samples(Sampler::log_normal(secs(2), secs(6)), [1_793_480_344, 1_984_139_675, 2_612_955_049, 1_976_928_906]);
    check_samples(Sampler::weibull(1.5, secs(3)), [2_785_471_197, 2_380_164_990, 1_451_096_589, 2_394_185_472]);
    check_samples(
        Sampler::empirical(vec![secs(1), secs(2), secs(3)]),
        [2_000_000_000, 2_000_000_000, 3_000_000_000, 2_000_000_000],
    );
    check_samples(
        Sampler::weighted(vec![secs(1), secs(2), secs(3)], vec![3, 0, 2]),
        [1_000_000_000, 1_000_000_000, 3_000_000_000, 1_000_000_000],
    );
}

/// A long run of samples, folded: one differing bit among them shows.
#[test]
fn long_runs_have_a_known_digest() {
    let digest = |sampler: Result<Sampler, KernelError>| {
        let (sampler, mut stream) = (sampler.expect("in range"), stream(1));
        (0..20_000).fold(0u64, |digest, _| {
            digest.rotate_left(5).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ sampler.sample(&mut stream).as_nanos()
        })
    };
    let hours = SimDuration::from_hours;
    assert_eq!(digest(Sampler::exponential(hours(2))), 4_993_537_941_564_631_628);
    assert_eq!(digest(Sampler::log_normal(hours(1), hours(9))), 6_515_967_820_979_211_777);
    assert_eq!(digest(Sampler::weibull(0.7, hours(3))), 10_395_131_110_107_582_420);
}

#[test]
fn a_constant_takes_nothing_from_the_stream() {
    let (mut used, mut unused) = (stream(1), stream(1));
    assert_eq!(Sampler::constant(secs(1)).sample(&mut used), secs(1));
    assert_eq!(used.next_u64(), unused.next_u64());
    assert_eq!(Sampler::default().as_constant(), Some(SimDuration::ZERO));
}

#[test]
fn distributions_are_written_as_durations_or_maps() {
    let ms = SimDuration::from_millis;
    for (text, expected) in [
        ("2s", Ok(Sampler::constant(secs(2)))),
        ("0", Ok(Sampler::default())),
        ("{distribution: constant, value: 2s}", Ok(Sampler::constant(secs(2)))),
        ("{distribution: uniform, min: 1s, max: 1500ms}", Sampler::uniform(secs(1), ms(1500))),
        ("{mean: 5m, distribution: exponential}", Sampler::exponential(secs(300))),
        ("{distribution: lognormal, median: 2s, p99: 6s}", Sampler::log_normal(secs(2), secs(6))),
        ("{distribution: weibull, shape: 1.5, scale: 3s}", Sampler::weibull(1.5, secs(3))),
        ("{distribution: weibull, shape: 2, scale: 3s}", Sampler::weibull(2.0, secs(3))),
        ("{distribution: empirical, values: [1s, 2ms]}", Sampler::empirical(vec![secs(1), ms(2)])),
        (
            "{distribution: empirical, values: [1s, 2ms], weights: [9, 1]}",
            Sampler::weighted(vec![secs(1), ms(2)], vec![9, 1]),
        ),
    ] {
        let expected = expected.expect("in range");
        assert_eq!(yaml(text).as_ref(), Ok(&expected), "{text}");
        let json = serde_json::to_string(&expected).expect("serialises");
        assert_eq!(serde_json::from_str::<Sampler>(&json).ok(), Some(expected), "{json}");
    }
    let json = serde_json::to_string(&Sampler::log_normal(secs(2), secs(6)).expect("in range")).expect("serialises");
    assert_eq!(json, r#"{"distribution":"lognormal","median":"2s","p99":"6s"}"#);
}

#[test]
fn what_is_wrong_with_a_distribution_is_said() {
    for (text, message) in [
        ("2", "lacks its unit"),
        ("-2s", "must not be negative"),
        ("[2s]", "a duration such as \"2s\" or a map"),
        ("{min: 1s}", "missing field `distribution`"),
        ("{distribution: gamma}", "unknown distribution \"gamma\": expected constant, uniform"),
        ("{distribution: uniform, min: 1s, max: 2s, mode: 1s}", "unknown field `mode`"),
        ("{distribution: uniform, min: 1s, max: 2s, p99: 3s}", "the uniform distribution has no `p99`"),
        ("{distribution: uniform, min: 1s}", "the uniform distribution needs `max`"),
        (
            "{distribution: uniform, min: 2s, max: 1s}",
            "`max` of the uniform distribution must not be shorter than `min`",
        ),
        ("{distribution: exponential, mean: 0s}", "`mean` of the exponential distribution must be longer than zero"),
        ("{distribution: lognormal, median: 0s, p99: 1s}", "`median` of the lognormal distribution must be longer"),
        ("{distribution: lognormal, median: 1s, p99: 1s}", "`p99` of the lognormal distribution must be longer"),
        ("{distribution: weibull, shape: 0, scale: 1s}", "must be positive and finite"),
        ("{distribution: weibull, shape: .inf, scale: 1s}", "must be positive and finite"),
        ("{distribution: weibull, shape: .nan, scale: 1s}", "must be positive and finite"),
        ("{distribution: weibull, shape: 1, scale: 0s}", "`scale` of the weibull"),
        ("{distribution: empirical, values: []}", "must not be empty"),
        ("{distribution: empirical, values: [1s], weights: [1, 2]}", "must be as many as `values`"),
        ("{distribution: empirical, values: [1s], weights: [0]}", "must not all be zero"),
        ("{distribution: empirical, values: [1s, 2s], weights: [18446744073709551615, 1]}", "must not add up"),
    ] {
        let error = yaml(text).expect_err(text);
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn extreme_parameters_saturate() {
    let mut stream = stream(5);
    let huge = Sampler::weibull(1e-300, SimDuration::MAX).expect("in range");
    let wide = Sampler::log_normal(SimDuration::from_nanos(1), SimDuration::MAX).expect("in range");
    let all = Sampler::uniform(SimDuration::ZERO, SimDuration::MAX).expect("in range");
    let samples: Vec<_> = (0..100).map(|_| huge.sample(&mut stream)).collect();
    assert!(samples.iter().all(|sample| sample.is_zero() || *sample == SimDuration::MAX));
    assert!((0..1_000).any(|_| wide.sample(&mut stream) == SimDuration::MAX));
    assert!((0..100).any(|_| all.sample(&mut stream).as_nanos() > u64::MAX / 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_uniform_sample_lies_in_its_range(seed: u64, a in 0u64..1_000_000, b in 0u64..1_000_000) {
        let (min, max) = (SimDuration::from_micros(a.min(b)), SimDuration::from_micros(a.max(b)));
        let samples = sorted_samples(&Sampler::uniform(min, max).expect("in range"), seed, 2_001);
        prop_assert!(min.as_secs_f64() <= samples[0] && samples[2_000] <= max.as_secs_f64());
        let (middle, span) = ((min.as_secs_f64() + max.as_secs_f64()) / 2.0, (max - min).as_secs_f64());
        prop_assert!((samples[1_000] - middle).abs() <= 0.07 * span + 1e-9);
    }

    #[test]
    fn a_lognormal_has_its_median_and_p99(seed: u64, median in 1u64..1_000_000, more in 1.1f64..50.0) {
        let median = SimDuration::from_micros(median);
        let p99 = SimDuration::from_nanos((median.as_nanos() as f64 * more) as u64);
        let samples = sorted_samples(&Sampler::log_normal(median, p99).expect("in range"), seed, 10_001);
        let (low, high) = (median.as_secs_f64(), p99.as_secs_f64());
        prop_assert!((samples[4_600]..samples[5_400]).contains(&low), "{}", samples[5_000]);
        prop_assert!((samples[9_830]..samples[9_970]).contains(&high), "{}", samples[9_900]);
    }

    #[test]
    fn exponential_and_weibull_have_their_quantiles(seed: u64, scale in 1u64..1_000_000, shape in 0.3f64..8.0) {
        let scale = SimDuration::from_micros(scale);
        let range = |samples: &[f64]| samples[5_900]..samples[6_740]; // 1 - 1/e is 63.2 %
        let exponential = sorted_samples(&Sampler::exponential(scale).expect("in range"), seed, 10_000);
        prop_assert!(range(&exponential).contains(&scale.as_secs_f64()));
        let weibull = Sampler::weibull(shape, scale).expect("in range");
        prop_assert!(range(&sorted_samples(&weibull, seed, 10_000)).contains(&scale.as_secs_f64()));
    }

    #[test]
    fn an_empirical_sample_comes_as_often_as_it_weighs(seed: u64, weights in prop::collection::vec(0u64..10, 1..6)) {
        prop_assume!(weights.iter().any(|weight| *weight > 0));
        let values = (0..weights.len() as u64).map(secs).collect();
        let sampler = Sampler::weighted(values, weights.clone()).expect("in range");
        let mut counts = vec![0.0; weights.len()];
        let mut stream = stream(seed);
        for _ in 0..4_000 {
            counts[sampler.sample(&mut stream).as_secs() as usize] += 1.0 / 4_000.0;
        }
        let total: u64 = weights.iter().sum();
        for (count, weight) in counts.iter().zip(&weights) {
            prop_assert!((count - *weight as f64 / total as f64).abs() < 0.05);
            prop_assert!(*weight > 0 || *count == 0.0);
        }
    }
}
