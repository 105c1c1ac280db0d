//! What all clients of a scenario together may ask for, so that no run hangs or eats memory without bound.

use crate::kernel::SimDuration;
use crate::scenario::error::Fault;
use crate::sim::{ClientSpec, Load};

use super::MOST;

/// Most pieces of rates that all clients come by.
const MOST_PASSED: u64 = 100_000_000;

/// What the clients have too much of. Rates that repeat end with the run, as they could be looked through in vain for ever.
pub(in crate::scenario) fn bound(clients: &mut [ClientSpec], duration: SimDuration) -> Vec<Fault> {
    let (mut users, mut connections, mut passed) = (0u64, 0u64, 0u64);
    for client in clients.iter_mut() {
        connections += client.keep_alive.map_or(0, |keep| u64::from(keep.connections));
        match &client.load {
            Load::Closed { users: more, .. } => users += u64::from(*more),
            Load::Open(arrivals) => {
                let Some(cycle) = arrivals.repeats else { continue };
                let end = client.stop.unwrap_or(SimDuration::MAX).min(duration + SimDuration::from_secs(1));
                client.stop = Some(end);
                let cycles = (end - client.start).as_nanos() / cycle.as_nanos().max(1) + 1;
                passed = passed.saturating_add(cycles.saturating_mul(arrivals.pieces.len() as u64));
            }
        }
    }
    let most = u64::from(MOST);
    let sums = [
        ("users", users, most),
        ("connections that they keep", connections, most),
        ("pieces of rates in that time", passed, MOST_PASSED),
    ];
    let too_many = sums.into_iter().filter(|(_, sum, most)| sum > most);
    too_many
        .map(|(what, sum, most)| {
            Fault::new("spec.traffic", format!("all clients together have {sum} {what}; at most {most}"))
        })
        .collect()
}
