//! How random cases are chosen.

use proptest::test_runner::{Config, RngSeed};

/// The same `cases` every time, so that a run can be repeated; another `PROPTEST_RNG_SEED` and more `PROPTEST_CASES` look
/// further.
pub(crate) fn same_cases(cases: u32) -> Config {
    let rng_seed = match Config::default().rng_seed {
        RngSeed::Random => RngSeed::Fixed(1),
        fixed => fixed,
    };
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok());
    Config { cases: asked.unwrap_or(cases), max_shrink_iters: 2000, rng_seed, ..Config::default() }
}
