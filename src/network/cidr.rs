//! Ranges of addresses.

use std::net::{IpAddr, Ipv4Addr};

/// A range of addresses, `192.0.2.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// Reads a range; nothing if it is none. Bits of the address behind the prefix do not matter.
    ///
    /// ```
    /// use seatrial::network::Cidr;
    /// let range = Cidr::parse("10.1.0.0/16").expect("a range");
    /// assert!(range.contains("10.1.2.3".parse().expect("an address")));
    /// assert!(!range.contains("10.2.2.3".parse().expect("an address")));
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (base, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
        (prefix <= if base.is_ipv4() { 32 } else { 128 }).then_some(Self { base, prefix })
    }

    /// One address.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self { base: address, prefix: if address.is_ipv4() { 32 } else { 128 } }
    }

    /// All addresses of IPv4.
    pub const ANYWHERE: Self = Self { base: IpAddr::V4(Ipv4Addr::UNSPECIFIED), prefix: 0 };

    /// The first of its addresses, as it was written.
    pub(super) const fn base(&self) -> IpAddr {
        self.base
    }

    /// Whether an address is in it; one of the other family never is.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let differ = base.to_bits() ^ ip.to_bits();
                differ.checked_shr(32 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let differ = base.to_bits() ^ ip.to_bits();
                differ.checked_shr(128 - u32::from(self.prefix)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether all addresses of its family are in it.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.prefix == 0
    }

    /// Whether all addresses of another range are in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.prefix <= other.prefix && self.contains(other.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_covers_what_is_within() {
        let covers = |a: &str, b: &str| Cidr::parse(a).unwrap().covers(&Cidr::parse(b).unwrap());
        assert!(covers("10.0.0.0/8", "10.1.0.0/16") && covers("0.0.0.0/0", "0.0.0.0/0"));
        assert!(!covers("10.1.0.0/16", "10.0.0.0/8") && !covers("10.0.0.0/8", "11.0.0.0/16"));
        assert!(!covers("::/0", "10.0.0.0/8"));
    }

    #[test]
    fn a_range_holds_what_its_prefix_says() {
        for (range, ip, expected) in [
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "::1", false),
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.7/32", "10.0.0.7", true),
            ("10.0.0.7/32", "10.0.0.6", false),
            ("fd00::/8", "fdff::1", true),
            ("::/0", "fe80::1", true),
        ] {
            let range = Cidr::parse(range).unwrap();
            assert_eq!(range.contains(ip.parse().unwrap()), expected, "{ip} in {range:?}");
        }
        for wrong in ["10.0.0.0", "10.0.0.0/33", "x/8", "::/129", ""] {
            assert_eq!(Cidr::parse(wrong), None, "{wrong}");
        }
    }
}
