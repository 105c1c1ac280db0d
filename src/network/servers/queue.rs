//! First come, first served, at one or more servers: exactly, and without an event for the end of a service.
//!
//! The recursion of Kiefer and Wolfowitz: who comes is served by the server that is free first, from then on or from now on.

use super::line::Line;

/// The servers of a queue.
///
/// When each of them that was needed so far is free is in one of two places: in a line, if that was later than all in the line, or else
/// in a heap. Where requests take equally long the line has them all, and nothing is ever sorted.
///
/// What every request looks at comes first: it is to lie on one line of the processor's cache.
#[derive(Clone, Debug, Default)]
#[repr(C)]
pub(in crate::network) struct Queue {
    /// How many servers there are; 0 = as many as come.
    servers: usize,
    /// ns; ascending.
    line: Line,
    /// ns; the smallest first.
    heap: Vec<u64>,
    /// When those begin that may still wait, ns; ascending.
    starts: Line,
}

impl Queue {
    /// Idle servers; `None` = as many as come.
    pub(in crate::network) fn new(servers: Option<u32>) -> Self {
        Self { servers: servers.unwrap_or(0) as usize, ..Self::default() }
    }

    /// When the first of the servers that were needed so far is free, ns.
    #[inline(always)]
    fn first(&self) -> Option<u64> {
        match (self.line.front(), self.heap.first()) {
            (Some(line), Some(heap)) => Some(line.min(*heap)),
            (line, heap) => line.or(heap.copied()),
        }
    }

    #[inline(always)]
    fn needed(&self) -> usize {
        self.line.len() + self.heap.len()
    }

    /// When a request that comes now would begin, ns.
    #[inline(always)]
    pub(in crate::network) fn start(&self, now: u64) -> u64 {
        if self.servers == 0 || self.needed() < self.servers {
            now
        } else {
            self.first().map_or(now, |free| now.max(free))
        }
    }

    /// How many wait now.
    #[inline(always)]
    pub(in crate::network) fn waiting(&mut self, now: u64) -> usize {
        while self.starts.front().is_some_and(|start| start <= now) {
            self.starts.pop();
        }
        self.starts.len()
    }

    /// How many wait now, without forgetting those that wait no more.
    pub(in crate::network) fn still_waiting(&self, now: u64) -> usize {
        self.starts.len() - self.starts.waiting().partition_point(|start| *start <= now)
    }

    /// How many servers are busy now.
    pub(in crate::network) fn busy(&self, now: u64) -> usize {
        self.heap.iter().chain(self.line.waiting()).filter(|free| **free > now).count()
    }

    /// Takes a request in that comes now and needs `service` ns, unless it would have to wait and `room` wait already; returns when it
    /// is done, ns.
    #[inline(always)]
    pub(in crate::network) fn admit(&mut self, now: u64, service: u64, room: usize) -> Option<u64> {
        if self.servers == 0 {
            return Some(now.saturating_add(service));
        }
        if !self.heap.is_empty() {
            return self.admit_sorted(now, service, room);
        }
        let start = match self.line.front() {
            Some(free) if free <= now => {
                self.line.pop();
                now
            }
            Some(free) if self.line.len() >= self.servers => {
                if self.waiting(now) >= room {
                    return None;
                }
                self.line.pop();
                self.starts.push(free);
                free
            }
            _ => now,
        };
        let end = start.saturating_add(service);
        self.put(end);
        Some(end)
    }

    /// The same where servers are in the heap, too.
    fn admit_sorted(&mut self, now: u64, service: u64, room: usize) -> Option<u64> {
        let first = self.first().filter(|free| *free <= now || self.needed() >= self.servers);
        let start = first.map_or(now, |free| free.max(now));
        if start > now {
            if self.waiting(now) >= room {
                return None;
            }
            self.starts.push(start);
        }
        let end = start.saturating_add(service);
        if first.is_none() {
            self.put(end);
        } else if self.line.front() == first {
            self.line.pop();
            self.put(end);
        } else if self.line.back().is_none_or(|last| last <= end) {
            self.line.push(end);
            self.pop();
        } else {
            self.heap[0] = end;
            self.sink();
        }
        Some(end)
    }

    /// A server that was not needed before, or was taken out, is free then.
    #[inline(always)]
    fn put(&mut self, end: u64) {
        if self.line.back().is_none_or(|last| last <= end) {
            self.line.push(end);
        } else {
            self.heap.push(end);
            self.rise();
        }
    }

    /// Removes the first entry of the heap.
    fn pop(&mut self) {
        self.heap.swap_remove(0);
        if !self.heap.is_empty() {
            self.sink();
        }
    }

    /// Restores the heap after an entry was added at its end.
    fn rise(&mut self) {
        let mut at = self.heap.len() - 1;
        while at > 0 && self.heap[at] < self.heap[(at - 1) / 2] {
            self.heap.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    /// Restores the heap after its first entry grew.
    fn sink(&mut self) {
        let heap = &mut self.heap[..];
        let (mut at, value) = (0, heap[0]);
        loop {
            let mut child = 2 * at + 1;
            if child >= heap.len() {
                break;
            }
            if child + 1 < heap.len() && heap[child + 1] < heap[child] {
                child += 1;
            }
            if heap[child] >= value {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = value;
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
            room in 0usize..8,
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
                if start > now && waiting >= room {
                    prop_assert_eq!(queue.admit(now, service, room), None);
                    continue;
                }
                prop_assert_eq!(queue.admit(now, service, room), Some(start + service));
                *next = start + service;
                begun.push(start);
            }
        }
    }

    #[test]
    fn nobody_waits_for_one_of_any_number_of_servers() {
        let mut queue = Queue::new(None);
        let mut done = |now, service| queue.admit(now, service, 0);
        assert_eq!([done(5, 10), done(5, 10), done(6, 1)], [Some(15), Some(15), Some(7)]);
        assert_eq!(queue.waiting(6), 0);
    }
}
