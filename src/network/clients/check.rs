//! What clients cannot be: such that never send and are asked for ever when they do, or that send without any time passing.

use crate::kernel::SimDuration;

use super::spec::{Arrivals, ClientSpec, Load, Piece};

/// Why a client cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("client {client}: {what}")]
pub struct ClientError {
    client: String,
    what: String,
}

/// Most attempts after the first, users, and connections of a client.
const RETRIES_MAX: u32 = 1000;
const MANY_MAX: u32 = 1_000_000;
/// Most pieces of a rate that are passed for one request on average.
const PIECES_PER_REQUEST_MAX: u64 = 1_000_000;

impl ClientSpec {
    /// Whether it can be simulated: [`Network::new`](crate::network::Network::new) and the builder of a simulation ask.
    ///
    /// ```
    /// use seatrial::kernel::SimDuration;
    /// use seatrial::network::{Arrivals, ClientSpec, Load, Origin, PortRef, RequestTarget, Retries};
    /// use seatrial::objects::Key;
    ///
    /// let mut client = ClientSpec {
    ///     name: "users".into(),
    ///     to: RequestTarget::Service(Key::new("default", "web"), PortRef::Only),
    ///     from: Origin::External,
    ///     load: Load::Open(Arrivals::constant("1/h".parse()?)),
    ///     start: SimDuration::ZERO,
    ///     stop: None,
    ///     timeout: SimDuration::from_secs(1),
    ///     retries: Retries::default(),
    ///     keep_alive: None,
    ///     addresses: 1,
    ///     network: None,
    /// };
    /// assert!(client.check().is_ok());
    /// if let Load::Open(arrivals) = &mut client.load {
    ///     arrivals.repeats = Some(SimDuration::from_secs(1)); // begins anew long before its first request
    /// }
    /// assert!(client.check().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), ClientError> {
        let many = |what: &str, number: u32| {
            if (1..=MANY_MAX).contains(&number) {
                return Ok(());
            }
            Err(format!("{number} {what}; there must be from 1 to {MANY_MAX}"))
        };
        let checked = || {
            if self.timeout.is_zero() {
                return Err("its timeout is zero".to_owned());
            }
            if self.retries.count > RETRIES_MAX {
                return Err(format!("{} retries; at most {RETRIES_MAX}", self.retries.count));
            }
            many("addresses", self.addresses)?;
            self.keep_alive.map_or(Ok(()), |keep| many("connections", keep.connections))?;
            match &self.load {
                Load::Closed { users, .. } => many("users", *users),
                Load::Open(arrivals) => arrivals.check(),
            }
        };
        checked().map_err(|what| ClientError { client: self.name.to_string(), what })
    }
}

impl Arrivals {
    fn check(&self) -> Result<(), String> {
        let pieces = &self.pieces;
        if pieces.first().is_none_or(|first| !first.at.is_zero()) {
            return Err("its rates do not begin at its start".to_owned());
        }
        if pieces.windows(2).any(|pair| pair[0].at >= pair[1].at) {
            return Err("the times of its rates do not rise".to_owned());
        }
        let Some(cycle) = self.repeats else { return Ok(()) };
        if pieces.last().is_some_and(|last| last.at >= cycle) {
            return Err(format!("it begins again after {cycle}, before its last rate does"));
        }
        if pieces.iter().all(|piece| piece.rate.is_zero()) {
            return Ok(());
        }
        let ends = pieces.iter().skip(1).map(|next| next.at).chain([cycle]);
        let lengths = pieces.iter().zip(ends).map(|(piece, end)| (piece, end - piece.at));
        if self.poisson { is_often_enough(lengths, pieces.len()) } else { sends_at_all(lengths, cycle) }
    }
}

/// Evenly spaced requests begin half a gap after each change of the rate.
fn sends_at_all<'a>(
    mut pieces: impl Iterator<Item = (&'a Piece, SimDuration)>,
    cycle: SimDuration,
) -> Result<(), String> {
    let sends = |(piece, length): (&Piece, SimDuration)| {
        let (events, period) = piece.rate.ratio();
        events > 0 && period.as_nanos() / events / 2 < length.as_nanos()
    };
    if pieces.any(sends) {
        return Ok(());
    }
    Err(format!(
        "it never sends: its rates begin again every {cycle}, and none of them lasts for half of the time between two requests"
    ))
}

fn is_often_enough<'a>(pieces: impl Iterator<Item = (&'a Piece, SimDuration)>, number: usize) -> Result<(), String> {
    // Thousandths of a millionth of a request in a cycle.
    let expected = pieces.map(|(piece, length)| {
        let (events, period) = piece.rate.ratio();
        u128::from(length.as_nanos()) * u128::from(events) * 1_000_000_000 / u128::from(period.as_nanos().max(1))
    });
    let expected = expected.fold(0u128, u128::saturating_add);
    if expected.saturating_mul(u128::from(PIECES_PER_REQUEST_MAX)) >= number as u128 * 1_000_000_000 {
        return Ok(());
    }
    Err(format!("its rates begin again more than {PIECES_PER_REQUEST_MAX} times between two requests"))
}

#[cfg(test)]
mod tests {
    use super::super::arrivals::ArrivalClock;
    use super::*;
    use crate::kernel::{Purpose, Rate, Streams};
    use proptest::prelude::*;

    fn arrivals(pieces: &[(u64, u64, u64)], repeats: Option<u64>, poisson: bool) -> Arrivals {
        let piece = |(at, events, period): &(u64, u64, u64)| Piece {
            at: SimDuration::from_nanos(*at),
            rate: Rate::new(*events, SimDuration::from_nanos(*period)).expect("a rate"),
        };
        let repeats = repeats.map(SimDuration::from_nanos);
        Arrivals { pieces: pieces.iter().map(piece).collect(), repeats, poisson }
    }

    #[test]
    fn rates_that_never_send_are_refused() {
        let hour = 3_600_000_000_000;
        for (poisson, repeats, expected) in [
            (false, None, Ok(())),
            (false, Some(hour), Ok(())),
            (false, Some(hour / 2), Err("it never sends")),
            (true, Some(hour / 2), Ok(())),
            (true, Some(1000), Err("its rates begin again more than")),
        ] {
            let found = arrivals(&[(0, 1, hour)], repeats, poisson).check();
            match (&found, expected) {
                (Ok(()), Ok(())) => {}
                (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
                _ => panic!("{found:?} for {expected:?}"),
            }
        }
        assert!(arrivals(&[(0, 0, hour)], Some(10), false).check().is_ok(), "silence is simply silent");
        assert!(arrivals(&[(5, 1, hour)], None, false).check().is_err());
        assert!(arrivals(&[(0, 1, hour), (7, 1, hour)], Some(7), false).check().is_err());
        assert!(arrivals(&[], None, false).check().is_err());
    }

    proptest! {
        /// Whatever rates are let pass, the next request is found.
        #[test]
        fn what_passes_sends(
            steps in prop::collection::vec((1u64..2000, 0u64..4, 4u64..5000), 1..6),
            repeats in prop::option::of(0u64..3000),
            poisson: bool,
            seed: u64,
        ) {
            let mut at = 0;
            let pieces: Vec<_> = steps.iter().map(|(length, events, period)| {
                let piece = (at, *events, *period);
                at += length;
                piece
            }).collect();
            let last = pieces[pieces.len() - 1].0;
            let arrivals = arrivals(&pieces, repeats.map(|more| last + more), poisson);
            if arrivals.check().is_ok() {
                let mut luck = Streams::new(seed).stream(Purpose::new(9), 0u32);
                let mut clock = ArrivalClock::new(&arrivals, SimDuration::ZERO, None);
                let mut before = 0;
                for _ in 0..50 {
                    let next = clock.next(&mut luck);
                    prop_assert!(next >= before);
                    before = next;
                }
            }
        }
    }
}
