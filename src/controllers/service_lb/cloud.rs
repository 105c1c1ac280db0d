//! What the cloud has: load balancers and their addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::objects::Key;

/// Load balancers by their Services.
#[derive(Clone, Debug, Default)]
pub(super) struct Cloud {
    balancers: BTreeMap<Key, Place>,
    taken: BTreeSet<u32>,
    next: u32,
}

/// Where a load balancer is reached.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// At an address of the cloud's choice.
    Given(u32),
    /// At the one that was asked for.
    Asked(IpAddr),
}

/// The ranges for documentation, then that for benchmarks (RFC 5737, RFC 2544): nobody's addresses.
const RANGES: [(Ipv4Addr, u32); 4] = [
    (Ipv4Addr::new(203, 0, 113, 0), 254),
    (Ipv4Addr::new(198, 51, 100, 0), 254),
    (Ipv4Addr::new(192, 0, 2, 0), 254),
    (Ipv4Addr::new(198, 18, 0, 0), (1 << 17) - 2),
];
const ADDRESSES: u32 = 3 * 254 + (1 << 17) - 2;

impl Cloud {
    pub(super) fn has(&self, service: &Key) -> bool {
        self.balancers.contains_key(service)
    }

    pub(super) fn forget(&mut self, service: &Key) {
        if let Some(Place::Given(number)) = self.balancers.remove(service) {
            self.taken.remove(&number);
        }
    }

    /// The address of a Service's load balancer, which is made if there is none.
    pub(super) fn address(&mut self, service: &Key, asked: &str) -> IpAddr {
        let place = match (self.balancers.get(service), asked.parse()) {
            (Some(Place::Asked(address)), Ok(asked)) if *address == asked => Place::Asked(asked),
            (Some(place @ Place::Given(_)), Err(_)) => *place,
            (_, asked) => {
                self.forget(service);
                let place = asked.map_or_else(|_| Place::Given(self.take()), Place::Asked);
                self.balancers.insert(service.clone(), place);
                place
            }
        };
        match place {
            Place::Given(number) => address(number).into(),
            Place::Asked(address) => address,
        }
    }

    /// The next free address; one that became free is not given again soon.
    fn take(&mut self) -> u32 {
        let free = (self.next..ADDRESSES).chain(0..self.next).find(|number| !self.taken.contains(number));
        let number = free.unwrap_or(self.next);
        self.taken.insert(number);
        self.next = (number + 1) % ADDRESSES;
        number
    }
}

fn address(number: u32) -> Ipv4Addr {
    let mut left = number;
    for (network, count) in RANGES {
        if left < count {
            return Ipv4Addr::from_bits(network.to_bits() + left + 1);
        }
        left -= count;
    }
    RANGES[0].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_in_turn_and_kept() {
        let mut cloud = Cloud::default();
        let mut address = |name: &str, asked: &str| cloud.address(&Key::new("ns", name), asked).to_string();
        assert_eq!(address("a", ""), "203.0.113.1");
        assert_eq!(address("b", ""), "203.0.113.2");
        assert_eq!(address("a", ""), "203.0.113.1");
        assert_eq!(address("a", "192.0.2.77"), "192.0.2.77");
        assert_eq!(address("c", ""), "203.0.113.3", "the free one is not given again soon");
        assert_eq!(address("a", ""), "203.0.113.4");
    }

    #[test]
    fn every_number_has_an_address_of_its_own() {
        let all: BTreeSet<Ipv4Addr> = (0..ADDRESSES).map(address).collect();
        assert_eq!(all.len(), ADDRESSES as usize);
        assert!(all.contains(&Ipv4Addr::new(198, 19, 255, 254)) && !all.contains(&Ipv4Addr::new(203, 0, 113, 255)));
    }
}
