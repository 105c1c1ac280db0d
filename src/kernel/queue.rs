//! The future: pending events in the order in which they happen.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::num::NonZeroU64;

use super::slab::Slab;
use super::time::SimTime;

/// Cancelled entries are left for later until there are this many and they outnumber the pending ones.
const STALE_MIN: usize = 64;

/// After more failed tries than this, plus the lane's length, the lane is judged to lie too far ahead.
const LANE_MISSES_MIN: usize = 32;

/// Bits of the sequence number in an [`Order`]; the rank has the 16 above. Enough for 160 days at twenty million events a second.
const SEQUENCE_BITS: u32 = 48;

/// Names one pushed event, in the queue it was pushed to and in that queue's clones. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    order: Order,
    slot: u32,
}

/// The origin's rank above the sequence number: the order among events of one instant. Non-zero, so that an optional id is no
/// larger than an id.
type Order = NonZeroU64;

/// Pending events, popped by time, then by the rank of their origin, then in the order they were pushed.
///
/// An event due in the past (before the last popped event's time) happens now: its time becomes [`EventQueue::now`]. Time
/// therefore never runs backwards. The order holds among events pending together: an event pushed at the current instant with a
/// lower rank than the event being handled comes next, not before it.
///
/// Payloads rest in a slab; what is sorted is 24 bytes. Events pushed in the order they are due (most are) go to a first-in,
/// first-out lane and cost O(1); others go to a binary heap, O(log n). Cancelling is O(1): the entry stays until it surfaces or
/// until such entries outnumber the pending events, so memory is at most proportional to the largest number pending.
/// Cloning forks the future: ids are valid in both copies.
#[derive(Clone, Debug)]
pub struct EventQueue<E> {
    events: Slab<E>,
    /// Strictly ascending.
    lane: VecDeque<Entry>,
    heap: BinaryHeap<Reverse<Entry>>,
    now: SimTime,
    sequence: u64,
    /// Cancelled entries in the lane and the heap. Never at the front of the lane, nor at the front of the heap while the lane is
    /// empty or begins later: the next entry is pending.
    stale: usize,
    /// Pushes to the heap since the last push to the lane.
    lane_misses: usize,
}

/// The place of one event in the order. The derived order is the order in which events happen, as no two share an [`Order`].
#[derive(Clone, Copy, Debug)]
struct Entry {
    time: SimTime,
    order: Order,
    slot: u32,
}

impl Entry {
    /// One wide comparison instead of two that branch.
    #[inline]
    fn key(&self) -> u128 {
        (u128::from(self.time.as_nanos()) << 64) | u128::from(self.order.get())
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }

    #[inline]
    fn lt(&self, other: &Self) -> bool {
        self.key() < other.key()
    }

    #[inline]
    fn le(&self, other: &Self) -> bool {
        self.key() <= other.key()
    }
}

impl Ord for Entry {
    #[inline]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl<E: Clone> Default for EventQueue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone> EventQueue<E> {
    /// An empty queue at time zero.
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// An empty queue with room for `capacity` pending events.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            events: Slab::with_capacity(capacity),
            lane: VecDeque::with_capacity(capacity),
            heap: BinaryHeap::with_capacity(capacity),
            now: SimTime::ZERO,
            sequence: 0,
            stale: 0,
            lane_misses: 0,
        }
    }

    /// The time of the last popped event; zero before the first.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many events are pending. Cancelled ones are not.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes `event` due at `time`, or now if that is past. Among events of one instant the lower `rank` comes first, then the
    /// one pushed first.
    #[inline]
    pub fn push(&mut self, time: SimTime, rank: u16, event: E) -> EventId {
        let order = self.next_order(rank);
        let slot = self.events.insert(order.get(), event);
        self.enqueue(Entry { time: time.max(self.now), order, slot });
        EventId { order, slot }
    }

    /// Takes `id`'s event out of the future, or returns `None` if it was popped or cancelled before.
    pub fn cancel(&mut self, id: EventId) -> Option<E> {
        let event = self.events.remove(id.slot, id.order.get())?;
        self.stale += 1;
        if self.stale > STALE_MIN.max(self.events.len()) {
            self.drop_stale();
        } else {
            self.drop_stale_fronts();
        }
        Some(event)
    }

    /// Takes the next event and its time; [`EventQueue::now`] becomes that time.
    #[inline]
    pub fn pop(&mut self) -> Option<(SimTime, E)> {
        self.pop_until(SimTime::MAX)
    }

    /// Takes the next event if it is due at `limit` or before.
    #[inline]
    pub fn pop_until(&mut self, limit: SimTime) -> Option<(SimTime, E)> {
        let entry = self.dequeue(limit)?;
        let event = self.events.remove(entry.slot, entry.order.get()).expect("the next entry is pending");
        debug_assert!(self.now <= entry.time, "time runs forwards");
        self.now = entry.time;
        if self.stale != 0 {
            self.drop_stale_fronts();
        }
        Some((entry.time, event))
    }

    /// Moves [`EventQueue::now`] on to `time` where nothing is due until then; never back.
    ///
    /// Events that are due at `time` or before stay pending, and time stops at the first of them.
    pub fn advance_to(&mut self, time: SimTime) {
        let time = self.peek_time().map_or(time, |next| next.min(time));
        self.now = self.now.max(time);
    }

    /// When the next event is due.
    #[inline]
    pub fn peek_time(&self) -> Option<SimTime> {
        match (self.lane.front(), self.heap.peek()) {
            (Some(in_lane), Some(Reverse(in_heap))) => Some(in_lane.time.min(in_heap.time)),
            (Some(entry), None) | (None, Some(Reverse(entry))) => Some(entry.time),
            (None, None) => None,
        }
    }

    #[inline]
    fn next_order(&mut self, rank: u16) -> Order {
        self.sequence += 1;
        debug_assert!(self.sequence >> SEQUENCE_BITS == 0, "the sequence number fits its bits");
        NonZeroU64::MIN.saturating_add(self.sequence - 1) | (u64::from(rank) << SEQUENCE_BITS)
    }

    #[inline]
    fn enqueue(&mut self, entry: Entry) {
        match self.lane.back() {
            Some(last) if entry < *last => self.enqueue_out_of_order(entry, *last),
            _ => {
                self.lane_misses = 0;
                self.lane.push_back(entry);
            }
        }
    }

    /// Either way one entry goes to the heap. If `last` alone is in the way of `entry`, it is the one: a timer far ahead must not
    /// keep all that happens before it out of the lane.
    fn enqueue_out_of_order(&mut self, entry: Entry, last: Entry) {
        let before_last = self.lane.len().checked_sub(2).map(|index| self.lane[index]);
        if before_last.is_none_or(|before_last| before_last < entry) {
            self.lane.pop_back();
            self.lane.push_back(entry);
            self.heap.push(Reverse(last));
            return;
        }
        self.heap.push(Reverse(entry));
        self.lane_misses += 1;
        if self.lane_misses > LANE_MISSES_MIN + self.lane.len() {
            self.abandon_lane();
        }
    }

    /// Moves the lane to the heap, so that a nearer run of events can use it. Paid for by the misses before.
    #[cold]
    fn abandon_lane(&mut self) {
        self.lane_misses = 0;
        self.heap.extend(self.lane.drain(..).map(Reverse));
        self.drop_stale_fronts();
    }

    #[inline]
    fn dequeue(&mut self, limit: SimTime) -> Option<Entry> {
        let from_lane = match (self.lane.front(), self.heap.peek()) {
            (Some(in_lane), Some(Reverse(in_heap))) => in_lane < in_heap,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if from_lane {
            self.lane.pop_front_if(|entry| entry.time <= limit)
        } else {
            self.heap
                .peek()
                .is_some_and(|Reverse(entry)| entry.time <= limit)
                .then(|| self.heap.pop())?
                .map(|top| top.0)
        }
    }

    #[inline]
    fn is_pending(&self, entry: &Entry) -> bool {
        self.events.contains(entry.slot, entry.order.get())
    }

    fn drop_stale_fronts(&mut self) {
        while let Some(entry) = self.lane.front()
            && !self.is_pending(entry)
        {
            self.lane.pop_front();
            self.stale -= 1;
        }
        while let Some(Reverse(entry)) = self.heap.peek()
            && !self.is_pending(entry)
        {
            self.heap.pop();
            self.stale -= 1;
        }
    }

    #[cold]
    fn drop_stale(&mut self) {
        let events = &self.events;
        self.lane.retain(|entry| events.contains(entry.slot, entry.order.get()));
        self.heap.retain(|Reverse(entry)| events.contains(entry.slot, entry.order.get()));
        self.stale = 0;
        debug_assert_eq!(self.lane.len() + self.heap.len(), self.events.len(), "one entry per pending event");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(nanos: u64) -> SimTime {
        SimTime::from_nanos(nanos)
    }

    fn drain<E: Clone>(queue: &mut EventQueue<E>) -> Vec<(u64, E)> {
        std::iter::from_fn(|| queue.pop()).map(|(time, event)| (time.as_nanos(), event)).collect()
    }

    #[test]
    fn one_instant_is_ordered_by_rank_then_by_insertion() {
        let mut queue = EventQueue::new();
        for (rank, name) in [(2, "c1"), (0, "a1"), (1, "b1"), (2, "c2"), (0, "a2"), (u16::MAX, "z"), (1, "b2")] {
            queue.push(at(5), rank, name);
        }
        let names: Vec<_> = drain(&mut queue).into_iter().map(|(_, name)| name).collect();
        assert_eq!(names, ["a1", "a2", "b1", "b2", "c1", "c2", "z"]);
    }

    #[test]
    fn an_event_due_in_the_past_happens_now() {
        let mut queue = EventQueue::new();
        queue.push(at(10), 5, "first");
        assert_eq!(queue.pop(), Some((at(10), "first")));
        queue.push(at(10), 1, "on time");
        queue.push(at(3), 1, "late");
        queue.push(at(3), 0, "late, low rank");
        assert_eq!(queue.now(), at(10));
        assert_eq!(drain(&mut queue), [(10, "late, low rank"), (10, "on time"), (10, "late")]);
    }

    #[test]
    fn pop_until_leaves_what_is_later() {
        let mut queue = EventQueue::new();
        for time in [30, 10, 20] {
            queue.push(at(time), 0, time);
        }
        assert_eq!(queue.pop_until(at(9)), None);
        assert_eq!(queue.pop_until(at(20)), Some((at(10), 10)));
        assert_eq!(queue.pop_until(at(20)), Some((at(20), 20)));
        assert_eq!(queue.pop_until(at(20)), None);
        assert_eq!((queue.now(), queue.peek_time(), queue.len()), (at(20), Some(at(30)), 1));
    }

    #[test]
    fn an_event_is_cancelled_once_and_not_after_it_happened() {
        let mut queue = EventQueue::new();
        let (a, b) = (queue.push(at(1), 0, 'a'), queue.push(at(2), 0, 'b'));
        assert_eq!(queue.cancel(a), Some('a'));
        assert_eq!(queue.cancel(a), None);
        let c = queue.push(at(3), 0, 'c');
        assert_eq!(queue.cancel(a), None, "its slot is now another event's");
        assert_eq!(queue.peek_time(), Some(at(2)));
        assert_eq!(queue.pop(), Some((at(2), 'b')));
        assert_eq!(queue.cancel(b), None);
        assert_eq!(queue.cancel(c), Some('c'));
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn a_clone_runs_on_by_itself() {
        let mut queue = EventQueue::new();
        let id = queue.push(at(1), 0, 'a');
        queue.push(at(2), 0, 'b');
        let mut fork = queue.clone();
        assert_eq!(fork.cancel(id), Some('a'));
        fork.push(at(1), 0, 'c');
        assert_eq!(drain(&mut fork), [(1, 'c'), (2, 'b')]);
        assert_eq!(drain(&mut queue), [(1, 'a'), (2, 'b')]);
    }

    #[test]
    fn rescheduling_a_timer_for_ever_takes_no_more_memory() {
        let mut queue = EventQueue::new();
        queue.push(at(0), 0, 0);
        let mut timer = queue.push(at(1_000), 0, 0);
        for step in 1..100_000u64 {
            queue.cancel(timer);
            timer = queue.push(at(1_000 + step * 7 % 1_000), 0, step);
            assert!(queue.lane.len() + queue.heap.len() <= 2 * STALE_MIN + 4);
        }
        assert_eq!(queue.len(), 2);
        assert!(queue.lane.capacity() + queue.heap.capacity() < 1_000);
    }

    #[test]
    fn far_timers_do_not_keep_nearer_events_out_of_the_lane() {
        let mut queue = EventQueue::new();
        for hour in 1..=3 {
            queue.push(SimTime::from_hours(hour), 0, 0);
        }
        for step in 0..1_000 {
            queue.push(at(step), 0, step);
        }
        assert!(queue.lane.len() > 900, "{} in the lane", queue.lane.len());
        assert_eq!(drain(&mut queue).len(), 1_003);
    }

    #[test]
    fn an_optional_id_is_no_larger_than_an_id() {
        assert_eq!(size_of::<Option<EventId>>(), size_of::<EventId>());
        assert_eq!(size_of::<Entry>(), 24);
    }

    #[derive(Clone, Debug)]
    enum Action {
        Push { time: u64, rank: u16 },
        Cancel { index: usize },
        Pop,
        PopUntil { ahead: u64 },
        Fork,
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            5 => (0u64..60, 0u16..3).prop_map(|(time, rank)| Action::Push { time, rank }),
            2 => (1_000u64..1_003, Just(0)).prop_map(|(time, rank)| Action::Push { time, rank }),
            3 => any::<usize>().prop_map(|index| Action::Cancel { index }),
            2 => Just(Action::Pop),
            1 => (0u64..20).prop_map(|ahead| Action::PopUntil { ahead }),
            1 => Just(Action::Fork),
        ]
    }

    /// The same queue as a sorted list of (time, rank, sequence).
    #[derive(Default)]
    struct Naive {
        pending: Vec<(u64, u16, u64)>,
        pushed: u64,
        now: u64,
    }

    impl Naive {
        fn push(&mut self, time: u64, rank: u16) -> u64 {
            self.pushed += 1;
            self.pending.push((time.max(self.now), rank, self.pushed));
            self.pending.sort_unstable();
            self.pushed
        }

        fn pop_until(&mut self, limit: u64) -> Option<(SimTime, u64)> {
            let &(time, _, event) = self.pending.first().filter(|first| first.0 <= limit)?;
            self.pending.remove(0);
            self.now = time;
            Some((at(time), event))
        }

        fn cancel(&mut self, event: u64) -> Option<u64> {
            let index = self.pending.iter().position(|pending| pending.2 == event)?;
            Some(self.pending.remove(index).2)
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn it_behaves_as_a_sorted_list(actions in prop::collection::vec(action(), 0..400)) {
            let (mut queue, mut naive, mut ids) = (EventQueue::new(), Naive::default(), Vec::new());
            for action in actions {
                match action {
                    Action::Push { time, rank } => {
                        let event = naive.push(time, rank);
                        ids.push((queue.push(at(time), rank, event), event));
                    }
                    Action::Cancel { index } if !ids.is_empty() => {
                        let (id, event) = ids[index % ids.len()];
                        prop_assert_eq!(queue.cancel(id), naive.cancel(event));
                    }
                    Action::Cancel { .. } => {}
                    Action::Pop => prop_assert_eq!(queue.pop(), naive.pop_until(u64::MAX)),
                    Action::PopUntil { ahead } => {
                        let limit = naive.now + ahead;
                        prop_assert_eq!(queue.pop_until(at(limit)), naive.pop_until(limit));
                    }
                    Action::Fork => queue = queue.clone(),
                }
                prop_assert_eq!(queue.len(), naive.pending.len());
                prop_assert_eq!(queue.now(), at(naive.now));
                prop_assert_eq!(queue.peek_time(), naive.pending.first().map(|first| at(first.0)));
                prop_assert!(queue.stale <= STALE_MIN.max(queue.len()));
                prop_assert_eq!(queue.lane.len() + queue.heap.len(), queue.len() + queue.stale);
            }
            let rest: Vec<_> = naive.pending.iter().map(|&(time, _, event)| (time, event)).collect();
            prop_assert_eq!(drain(&mut queue), rest);
        }
    }
}
