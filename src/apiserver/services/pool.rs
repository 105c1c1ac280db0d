//! Numbers that are handed out at random, and ranges of addresses made of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::kernel::Stream;

/// Bounds of the band that is left for those who ask for a number (KEP-3070).
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    /// One in so many numbers is in the band…
    pub(super) one_in: u64,
    /// … but never more than this, nor less than 16.
    pub(super) most: u64,
}

const BAND_LEAST: u64 = 16;

impl Band {
    /// How many of the first of `size` numbers are in the band (`calculateRangeOffset`).
    pub(super) fn of(self, size: u64) -> u64 {
        if size <= BAND_LEAST { 0 } else { (size / self.one_in).clamp(BAND_LEAST, self.most) }
    }
}

/// A range of numbers, some of them taken.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    all: Range<u64>,
    reserved: u64,
    taken: BTreeSet<u64>,
}

impl Pool {
    /// The numbers of a range. The first `reserved` ones are given unasked only if no other is free.
    pub(super) const fn new(all: Range<u64>, reserved: u64) -> Self {
        Self { all, reserved, taken: BTreeSet::new() }
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        self.all.contains(&number)
    }

    pub(super) fn is_taken(&self, number: u64) -> bool {
        self.taken.contains(&number)
    }

    pub(super) fn set_taken(&mut self, number: u64, taken: bool) {
        if taken {
            self.taken.insert(number);
        } else {
            self.taken.remove(&number);
        }
    }

    /// A free number: the next one from a random place in the upper band on, or else in the lower one. It is not taken yet.
    pub(super) fn next(&self, also_taken: &BTreeSet<u64>, stream: &mut Stream) -> Option<u64> {
        let Range { start, end } = self.all;
        let middle = start.saturating_add(self.reserved).min(end);
        [middle..end, start..middle].into_iter().find_map(|band| self.next_in(band, also_taken, stream))
    }

    fn next_in(&self, band: Range<u64>, also_taken: &BTreeSet<u64>, stream: &mut Stream) -> Option<u64> {
        if band.is_empty() {
            return None;
        }
        let from = band.start + stream.below(band.end - band.start);
        let mut all = (from..band.end).chain(band.start..from);
        all.find(|number| !self.taken.contains(number) && !also_taken.contains(number))
    }
}

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }

    /// The family of an address that was found to be one.
    pub(super) fn of(address: &str) -> Self {
        if address.contains(':') { Self::V6 } else { Self::V4 }
    }
}

/// The addresses of one family.
#[derive(Clone, Debug)]
pub(super) struct AddressRange {
    pub(super) family: Family,
    network: u128,
    pub(super) pool: Pool,
}

const ADDRESS_BAND: Band = Band { one_in: 16, most: 256 };
/// Longest prefix of a range, so that there are addresses in it.
const HOST_BITS_LEAST: u32 = 2;
const HOST_BITS_MOST: u32 = 64;

impl AddressRange {
    /// The addresses of a network, but for its own one and, of IPv4, the broadcast address; nothing if the prefix leaves less than
    /// 2 or more than 64 bits.
    pub(super) fn new(network: IpAddr, prefix: u8) -> Option<Self> {
        let (family, bits, width) = match network {
            IpAddr::V4(network) => (Family::V4, u128::from(network.to_bits()), 32),
            IpAddr::V6(network) => (Family::V6, network.to_bits(), 128),
        };
        let host_bits = u32::checked_sub(width, u32::from(prefix))?;
        if !(HOST_BITS_LEAST..=HOST_BITS_MOST).contains(&host_bits) {
            return None;
        }
        let size = 1_u64.checked_shl(host_bits).unwrap_or(u64::MAX);
        let end = if family == Family::V4 { size - 1 } else { size };
        let network = bits >> host_bits << host_bits;
        Some(Self { family, network, pool: Pool::new(1..end, ADDRESS_BAND.of(size)) })
    }

    /// The place of an address in the range, if it can be given to a Service.
    pub(super) fn number(&self, address: &str) -> Option<u64> {
        let bits = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) if self.family == Family::V4 => u128::from(address.to_bits()),
            IpAddr::V6(address) if self.family == Family::V6 => address.to_bits(),
            _ => return None,
        };
        u64::try_from(bits.checked_sub(self.network)?).ok().filter(|number| self.pool.contains(*number))
    }

    pub(super) fn address(&self, number: u64) -> IpAddr {
        let bits = self.network.saturating_add(u128::from(number));
        match (self.family, u32::try_from(bits)) {
            (Family::V4, Ok(bits)) => Ipv4Addr::from_bits(bits).into(),
            _ => Ipv6Addr::from_bits(bits).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Purpose, Streams};

    fn stream(seed: u64) -> Stream {
        Streams::new(seed).stream(Purpose::new(1), 0_u64)
    }

    /// `ipallocator.Test_calculateRangeOffset`, `portallocator.Test_calculateRangeOffset`.
    #[test]
    fn a_band_is_a_part_of_the_range_within_bounds() {
        for (host_bits, band) in
            [(0, 0), (2, 0), (4, 0), (5, 16), (6, 16), (8, 16), (10, 64), (12, 256), (16, 256), (24, 256)]
        {
            assert_eq!(ADDRESS_BAND.of(1 << host_bits), band, "{host_bits} bits");
        }
        let ports = Band { one_in: 32, most: 128 };
        for (size, band) in [(2768, 86), (10, 0), (16, 0), (128, 16), (2048, 64), (4096, 128), (8192, 128)] {
            assert_eq!(ports.of(size), band, "{size} ports");
        }
    }

    #[test]
    fn the_upper_band_comes_first_and_all_numbers_are_given_once() {
        for seed in 0..20 {
            let (mut pool, mut stream) = (Pool::new(1..31, 16), stream(seed));
            let given: Vec<u64> = std::iter::from_fn(|| {
                let next = pool.next(&BTreeSet::new(), &mut stream)?;
                pool.set_taken(next, true);
                Some(next)
            })
            .collect();
            assert!(given[..14].iter().all(|number| *number > 16) && given[14..].iter().all(|number| *number <= 16));
            assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 30);
        }
    }

    #[test]
    fn addresses_are_those_of_the_network() {
        let range = AddressRange::new("10.0.0.77".parse().unwrap(), 24).unwrap();
        assert_eq!(range.number("10.0.0.0").or(range.number("10.0.0.255")).or(range.number("fd00::1")), None);
        assert_eq!((range.number("10.0.0.1"), range.number("10.0.0.254")), (Some(1), Some(254)));
        assert_eq!(range.address(77).to_string(), "10.0.0.77");
        let range = AddressRange::new("fd00:10:96::".parse().unwrap(), 64).unwrap();
        assert_eq!(
            (range.number("fd00:10:96::ff"), range.address(10).to_string()),
            (Some(255), "fd00:10:96::a".into())
        );
        for (network, prefix) in [("10.0.0.0", 31), ("10.0.0.0", 33), ("fd00::", 63), ("fd00::", 127)] {
            assert!(AddressRange::new(network.parse().unwrap(), prefix).is_none(), "{network}/{prefix}");
        }
    }
}
