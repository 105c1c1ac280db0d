//! First come, first served, at one or more servers: exactly, and without an event for the end of a service.
//!
//! The recursion of Kiefer and Wolfowitz: who comes is served by the server that is free first, from then on or from now on.

use std::collections::VecDeque;

/// The servers of a queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::network) struct Queue {
    /// How many servers there are; 0 = as many as come.
    servers: usize,
    /// When each server that was needed so far is free, ns: a heap with the smallest first.
    free: Vec<u64>,
    /// When those begin that may still wait, ns; ascending.
    starts: VecDeque<u64>,
}

impl Queue {
    /// Idle servers; `None` = as many as come.
    pub(in crate::network) fn new(servers: Option<u32>) -> Self {
        Self { servers: servers.unwrap_or(0) as usize, ..Self::default() }
    }

    /// When a request that comes now would begin, ns.
    #[inline]
    pub(in crate::network) fn start(&self, now: u64) -> u64 {
        if self.free.len() < self.servers { now } else { self.free.first().map_or(now, |free| now.max(*free)) }
    }

    /// How many wait now.
    #[inline]
    pub(in crate::network) fn waiting(&mut self, now: u64) -> usize {
        while self.starts.front().is_some_and(|start| *start <= now) {
            self.starts.pop_front();
        }
        self.starts.len()
    }

    /// How many wait now, without forgetting those that wait no more.
    pub(in crate::network) fn still_waiting(&self, now: u64) -> usize {
        self.starts.len() - self.starts.partition_point(|start| *start <= now)
    }

    /// How many servers are busy now.
    pub(in crate::network) fn busy(&self, now: u64) -> usize {
        self.free.iter().filter(|free| **free > now).count()
    }

    /// Takes a request in that comes now and needs `service` ns; returns when it is done, ns.
    #[inline]
    pub(in crate::network) fn admit(&mut self, now: u64, service: u64) -> u64 {
        let start = self.start(now);
        let end = start.saturating_add(service);
        if start > now {
            self.starts.push_back(start);
        }
        let all_busy = self.free.first().is_none_or(|free| *free > now);
        if all_busy && self.free.len() < self.servers {
            self.free.push(end);
            self.rise();
        } else if self.servers > 0 {
            self.free[0] = end;
            self.sink();
        }
        end
    }

    /// Restores the heap after an entry was added at its end.
    fn rise(&mut self) {
        let mut at = self.free.len() - 1;
        while at > 0 && self.free[at] < self.free[(at - 1) / 2] {
            self.free.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    /// Restores the heap after its first entry grew.
    #[inline]
    fn sink(&mut self) {
        let free = &mut self.free[..];
        let (mut at, value) = (0, free[0]);
        loop {
            let mut child = 2 * at + 1;
            if child >= free.len() {
                break;
            }
            if child + 1 < free.len() && free[child + 1] < free[child] {
                child += 1;
            }
            if free[child] >= value {
                break;
            }
            free[at] = free[child];
            at = child;
        }
        free[at] = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against servers that are looked at one by one, and a line in which people stand.
        #[test]
        fn everybody_is_served_in_turn(
            servers in 1u32..6,
            requests in prop::collection::vec((0u64..20, 0u64..60), 1..120),
        ) {
            let mut queue = Queue::new(Some(servers));
            let mut free = vec![0u64; servers as usize];
            let (mut now, mut begun) = (0, Vec::new());
            for (gap, service) in requests {
                now += gap;
                let waiting = begun.iter().filter(|start| **start > now).count();
                prop_assert_eq!(queue.still_waiting(now), waiting);
                prop_assert_eq!(queue.waiting(now), waiting);
                prop_assert_eq!(queue.busy(now), free.iter().filter(|free| **free > now).count());
                let next = free.iter_mut().min().expect("a server");
                let start = now.max(*next);
                *next = start + service;
                prop_assert_eq!(queue.admit(now, service), start + service);
                begun.push(start);
            }
        }
    }

    #[test]
    fn nobody_waits_for_one_of_any_number_of_servers() {
        let mut queue = Queue::new(None);
        assert_eq!([queue.admit(5, 10), queue.admit(5, 10), queue.admit(6, 1)], [15, 15, 7]);
        assert_eq!(queue.waiting(6), 0);
    }
}
