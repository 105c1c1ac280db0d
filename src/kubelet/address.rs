//! Addresses of pods, out of the node's range.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fixedbitset::FixedBitSet;

/// A node's range of pod addresses: the address of the network and the number of bits that all addresses share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodCidr {
    base: IpAddr,
    prefix: u8,
}

/// Large ranges are used in part, so that the set of used addresses stays small.
const MOST_ADDRESSES: u32 = 1 << 16;

impl PodCidr {
    /// The range of `prefix` bits around `base`; the other bits of `base` do not matter. A longer prefix than the address is one
    /// of the whole address.
    #[must_use]
    pub fn new(base: IpAddr, prefix: u8) -> Self {
        match base {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
                Self { base: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), prefix: prefix.min(32) }
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
                Self { base: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), prefix: prefix.min(128) }
            }
        }
    }

    fn host_bits(self) -> u32 {
        let bits: u32 = if self.base.is_ipv4() { 32 } else { 128 };
        bits - u32::from(self.prefix)
    }

    /// Offsets of addresses that pods may have: not the network's own, the gateway's (the first) or the broadcast address.
    fn offsets(self) -> std::ops::Range<u32> {
        let size = 1u32.checked_shl(self.host_bits()).unwrap_or(MOST_ADDRESSES).min(MOST_ADDRESSES);
        2..size.saturating_sub(1)
    }

    fn address(self, offset: u32) -> IpAddr {
        match self.base {
            IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits().saturating_add(offset)).into(),
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits().saturating_add(u128::from(offset))).into(),
        }
    }

    fn offset(self, address: IpAddr) -> Option<u32> {
        let offset = match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(v4)) => u128::from(v4.to_bits().checked_sub(base.to_bits())?),
            (IpAddr::V6(base), IpAddr::V6(v6)) => v6.to_bits().checked_sub(base.to_bits())?,
            _ => return None,
        };
        u32::try_from(offset).ok().filter(|offset| self.offsets().contains(offset))
    }
}

/// Gives addresses out in turn, as the `host-local` plugin does, so that one that was given back is not used again soon.
#[derive(Clone, Debug)]
pub(super) struct AddressPool {
    range: PodCidr,
    used: FixedBitSet,
    next: u32,
}

impl AddressPool {
    pub(super) fn new(range: PodCidr) -> Self {
        Self { range, used: FixedBitSet::new(), next: 0 }
    }

    /// A free address, if there is one.
    pub(super) fn take(&mut self) -> Option<IpAddr> {
        let offsets = self.range.offsets();
        let first = self.next.clamp(offsets.start, offsets.end.max(offsets.start));
        let free = (first..offsets.end).chain(offsets.start..first).find(|at| !self.used.contains(*at as usize))?;
        self.next = free + 1;
        self.mark(free);
        Some(self.range.address(free))
    }

    pub(super) fn give_back(&mut self, address: IpAddr) {
        if let Some(offset) = self.range.offset(address)
            && self.used.contains(offset as usize)
        {
            self.used.remove(offset as usize);
        }
    }

    /// Nothing is used any more; the turn goes on.
    pub(super) fn clear(&mut self) {
        self.used = FixedBitSet::new();
    }

    /// First and last address, for messages.
    pub(super) fn bounds(&self) -> (IpAddr, IpAddr) {
        let offsets = self.range.offsets();
        (self.range.address(offsets.start), self.range.address(offsets.end.saturating_sub(1)))
    }

    fn mark(&mut self, offset: u32) {
        self.used.grow((offset as usize + 1).next_multiple_of(256));
        self.used.insert(offset as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(base: &str, prefix: u8) -> AddressPool {
        AddressPool::new(PodCidr::new(base.parse().expect("address"), prefix))
    }

    #[test]
    fn addresses_go_round_and_are_used_once() {
        let mut pool = pool("10.244.1.77", 29);
        let all: Vec<_> = std::iter::from_fn(|| pool.take()).map(|ip| ip.to_string()).collect();
        assert_eq!(all, ["10.244.1.74", "10.244.1.75", "10.244.1.76", "10.244.1.77", "10.244.1.78"]);
        pool.give_back("10.244.1.75".parse().expect("address"));
        pool.give_back("10.0.0.1".parse().expect("address"));
        assert_eq!(pool.take().map(|ip| ip.to_string()).as_deref(), Some("10.244.1.75"));
        assert_eq!(pool.take(), None);
    }

    #[test]
    fn odd_ranges_do_no_harm() {
        for (base, prefix, first) in [
            ("10.0.0.1", 32, None),
            ("10.0.0.0", 31, None),
            ("10.0.0.0", 30, Some("10.0.0.2")),
            ("10.0.0.0", 200, None),
            ("0.0.0.0", 0, Some("0.0.0.2")),
            ("fd00:10::", 64, Some("fd00:10::2")),
            ("fd00::", 0, Some("::2")),
        ] {
            let mut pool = pool(base, prefix);
            assert_eq!(pool.take().map(|ip| ip.to_string()).as_deref(), first, "{base}/{prefix}");
        }
    }
}
