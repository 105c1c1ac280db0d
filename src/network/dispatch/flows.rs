//! The next arrival of every open client.

/// Clients by their next arrival; those of one instant by their number.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    /// A heap with the first at the front.
    heap: Vec<(u64, u32)>,
}

impl Flows {
    pub(super) fn new(first: Vec<u64>) -> Self {
        let mut heap: Vec<(u64, u32)> = first.into_iter().enumerate().map(|(at, time)| (time, at as u32)).collect();
        // A sorted list is a heap.
        heap.sort_unstable();
        Self { heap }
    }

    /// When the next arrival is, ns; `u64::MAX` if none comes.
    #[inline]
    pub(super) fn next_time(&self) -> u64 {
        self.heap.first().map_or(u64::MAX, |(time, _)| *time)
    }

    /// The next arrival if it is before `limit`: when, and whose.
    #[inline]
    pub(super) fn first_before(&self, limit: u64) -> Option<(u64, usize)> {
        self.heap.first().filter(|(time, _)| *time < limit).map(|(time, client)| (*time, *client as usize))
    }

    /// The client that came first comes again at `time`.
    #[inline]
    pub(super) fn replace_first(&mut self, time: u64) {
        let Some((_, client)) = self.heap.first().copied() else { return };
        let entry = (time, client);
        let heap = &mut self.heap[..];
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child >= heap.len() {
                break;
            }
            if child + 1 < heap.len() && heap[child + 1] < heap[child] {
                child += 1;
            }
            if heap[child] >= entry {
                break;
            }
            heap[at] = heap[child];
            at = child;
        }
        heap[at] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_earliest_comes_first_and_of_one_instant_the_first_client(
            first in prop::collection::vec(0u64..20, 1..20),
            gaps in prop::collection::vec(0u64..9, 1..100),
        ) {
            let mut times = first.clone();
            let mut flows = Flows::new(first);
            for gap in gaps {
                let expected = times.iter().enumerate().map(|(at, time)| (*time, at)).min();
                prop_assert_eq!(flows.first_before(u64::MAX), expected);
                let (time, at) = expected.expect("a client");
                times[at] = time + gap;
                flows.replace_first(time + gap);
            }
        }
    }
}
