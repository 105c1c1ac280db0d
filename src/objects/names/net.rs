//! IP addresses and address ranges, as upstream's strict and sloppy parsers take them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Complaints, one_complaint_unless, quoted};

/// An address of an older API field: one of the usual spellings, with no leading zeros and not an IPv4 address
/// mapped to IPv6 (`IsValidIPForLegacyField` with strict validation, the default since 1.36).
///
/// ```
/// use seatrial::objects::names;
/// assert!(names::ip("FE80:0::abc").is_empty());
/// assert_eq!(names::ip("010.0.0.1"), ["must not have leading 0s"]);
/// ```
#[must_use]
pub fn ip(value: &str) -> Complaints {
    if parse_ip(value).is_none() {
        return vec!["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)".into()];
    }
    match value.parse::<IpAddr>() {
        Err(_) => vec!["must not have leading 0s".into()],
        Ok(address) => one_complaint_unless(!is_mapped(address), "must not be an IPv4-mapped IPv6 address"),
    }
}

/// An address in canonical form (`IsValidIP`).
#[must_use]
pub fn ip_strict(value: &str) -> Complaints {
    let complaints = ip(value);
    let Some(address) = parse_ip(value).filter(|_| complaints.is_empty()) else { return complaints };
    canonical(value, &address.to_string())
}

/// A range of an older API field (`IsValidCIDRForLegacyField` with strict validation, the default since 1.36).
#[must_use]
pub fn cidr(value: &str) -> Complaints {
    let Some(range) = parse_cidr(value) else {
        return vec!["must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)".into()];
    };
    if !range.spelled_strictly {
        return vec!["must not have leading 0s in IP or prefix length".into()];
    }
    if is_mapped(range.written) {
        return vec!["must not have an IPv4-mapped IPv6 address".into()];
    }
    one_complaint_unless(
        masked(range.address, range.prefix) == range.address,
        "must not have bits set beyond the prefix length",
    )
}

/// A range in canonical form (`IsValidCIDR`).
#[must_use]
pub fn cidr_strict(value: &str) -> Complaints {
    let complaints = cidr(value);
    let Some(range) = parse_cidr(value).filter(|_| complaints.is_empty()) else { return complaints };
    canonical(value, &format!("{}/{}", range.address, range.prefix))
}

/// An address with the length of its network's prefix, in canonical form (`IsValidInterfaceAddress`).
#[must_use]
pub fn interface_address(value: &str) -> Complaints {
    let Some(range) = parse_cidr(value) else {
        return vec!["must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)".into()];
    };
    canonical(value, &format!("{}/{}", range.address, range.prefix))
}

fn canonical(value: &str, canonical: &str) -> Complaints {
    if value == canonical {
        return Complaints::new();
    }
    vec![format!("must be in canonical form ({})", quoted(canonical)).into()]
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

struct Range {
    /// The address, an IPv4 one if it was written as mapped to IPv6.
    address: IpAddr,
    written: IpAddr,
    prefix: u8,
    /// Without the leading zeros that strict parsers refuse.
    spelled_strictly: bool,
}

fn parse_cidr(value: &str) -> Option<Range> {
    let (address, length) = value.split_once('/')?;
    let written = parse_address(address)?;
    let bits = if written.is_ipv4() { 32 } else { 128 };
    let prefix = decimal(length).filter(|&length| length <= bits)? as u8;
    let spelled_strictly = address.parse::<IpAddr>().is_ok() && (length == "0" || !length.starts_with('0'));
    let (address, prefix) = match unmapped(written) {
        address @ IpAddr::V4(_) if bits == 128 && prefix >= 96 => (address, prefix - 96),
        address if bits == 128 && address.is_ipv4() => (written, prefix),
        address => (address, prefix),
    };
    Some(Range { address, written, prefix, spelled_strictly })
}

fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// `netutils.ParseIPSloppy`: leading zeros are skipped, IPv4 addresses mapped to IPv6 are IPv4.
pub(super) fn parse_ip(value: &str) -> Option<IpAddr> {
    parse_address(value).map(unmapped)
}

fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn parse_address(value: &str) -> Option<IpAddr> {
    match value.bytes().find(|byte| matches!(byte, b'.' | b':'))? {
        b'.' => parse_v4(value).map(IpAddr::V4),
        _ => parse_v6(value).map(IpAddr::V6),
    }
}

/// A number without a sign; upstream's parser gives up above this bound.
fn decimal(digits: &str) -> Option<u32> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.trim_start_matches('0'))?;
    match (digits.is_empty(), number.is_empty()) {
        (true, _) => None,
        (false, true) => Some(0),
        _ => number.parse().ok().filter(|&number| number < 0x00ff_ffff),
    }
}

fn parse_v4(value: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = value.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(decimal(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

fn parse_v6(value: &str) -> Option<Ipv6Addr> {
    let (head, tail) = match value.split_once("::") {
        Some((head, tail)) => (head, Some(tail)),
        None => (value, None),
    };
    let mut groups = [0_u16; 8];
    let head_length = parse_groups(head, tail.is_none(), &mut groups)?;
    let Some(tail) = tail else { return (head_length == 8).then(|| groups.into()) };
    let mut after = [0_u16; 8];
    let tail_length = parse_groups(tail, true, &mut after)?;
    // The ellipsis stands for at least one group.
    let free = 8_usize.checked_sub(head_length + tail_length).filter(|&free| free > 0)?;
    groups[head_length + free..].copy_from_slice(&after[..tail_length]);
    Some(groups.into())
}

/// Reads groups separated by colons, the last of which may be an IPv4 address; how many there were.
fn parse_groups(text: &str, may_end_in_v4: bool, groups: &mut [u16; 8]) -> Option<usize> {
    if text.is_empty() {
        return Some(0);
    }
    let mut count = 0;
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        if may_end_in_v4 && parts.peek().is_none() && part.contains('.') {
            let [a, b, c, d] = parse_v4(part)?.octets();
            *groups.get_mut(count)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(count + 1)? = u16::from_be_bytes([c, d]);
            return Some(count + 2);
        }
        *groups.get_mut(count)? = hexadecimal(part)?;
        count += 1;
    }
    Some(count)
}

fn hexadecimal(digits: &str) -> Option<u16> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    match digits.trim_start_matches('0') {
        "" => Some(0),
        number => u16::from_str_radix(number, 16).ok(),
    }
}
