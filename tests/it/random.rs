//! How random cases are chosen, and how they come to rest.

use proptest::test_runner::{Config, RngSeed};
use seatrial::invariants::Always;
use seatrial::kernel::{SimDuration, SimTime};
use seatrial::sim::Simulation;

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

/// Runs until nothing is left to happen, at most until `end`, watching the promises on the way.
pub(crate) fn rest(sim: &mut Simulation, promises: &mut Always, end: SimTime) -> Result<(), String> {
    while !sim.is_quiescent() {
        // Not in step with heartbeats: for a moment after each something is under way.
        let next = (sim.now() + SimDuration::from_millis(7_351)).min(end);
        promises.run(sim, next).map_err(|violation| violation.to_string())?;
        if sim.now() >= end {
            return Err("the cluster does not come to rest".to_owned());
        }
    }
    Ok(())
}
