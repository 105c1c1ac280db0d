//! The kernel's speed, in events a second.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use seatrial::kernel::{EventQueue, Purpose, SimDuration, SimTime, Streams};

const EVENTS: u64 = 100_000;
const DELAYS: Purpose = Purpose::new(1);

/// About the size of an event that carries a kind and a few dense ids.
type Event = [u64; 4];

/// Pushes `pending` events ahead, then pops one and pushes one later than all others, as constant delays do.
fn in_order(pending: u64) -> u64 {
    let mut queue = EventQueue::<Event>::new();
    for time in 0..pending {
        queue.push(SimTime::from_nanos(time), 0, [time; 4]);
    }
    let mut sum = 0u64;
    for _ in 0..EVENTS {
        if let Some((time, event)) = queue.pop() {
            sum = sum.wrapping_add(event[3]);
            queue.push(time + SimDuration::from_nanos(pending), 0, [time.as_nanos(); 4]);
        }
    }
    sum
}

/// Each process does its step and reschedules itself after a random delay.
fn random_delays(queue: &mut EventQueue<Event>, draws: &mut seatrial::kernel::Stream) -> u64 {
    let mut sum = 0u64;
    for _ in 0..EVENTS {
        if let Some((time, event)) = queue.pop() {
            sum = sum.wrapping_add(event[3]);
            queue.push(time + SimDuration::from_nanos(draws.below(1_000_000)), (event[0] % 4) as u16, event);
        }
    }
    sum
}

fn processes(count: u64) -> (EventQueue<Event>, seatrial::kernel::Stream) {
    let mut draws = Streams::new(1).stream(DELAYS, 0u64);
    let mut queue = EventQueue::new();
    for process in 0..count {
        queue.push(SimTime::from_nanos(draws.below(1_000_000)), (process % 4) as u16, [process; 4]);
    }
    (queue, draws)
}

/// Every event sets a timeout far ahead and cancels the one before, as retries and leases do.
fn timeouts() -> u64 {
    let mut queue = EventQueue::<Event>::new();
    let mut timeout = queue.push(SimTime::from_secs(30), 0, [0; 4]);
    queue.push(SimTime::ZERO, 0, [1; 4]);
    let mut cancelled = 0u64;
    for step in 0..EVENTS {
        if let Some((time, event)) = queue.pop() {
            cancelled += u64::from(queue.cancel(timeout).is_some());
            timeout = queue.push(time + SimDuration::from_secs(30), 0, event);
            queue.push(time + SimDuration::from_millis(1), 0, [step; 4]);
        }
    }
    cancelled
}

fn kernel(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernel");
    group.throughput(Throughput::Elements(EVENTS)).sample_size(30);
    for pending in [1, 1_000] {
        group
            .bench_function(format!("in_order/{pending}_pending"), |bench| bench.iter(|| in_order(black_box(pending))));
    }
    for count in [1_000, 100_000] {
        group.bench_function(format!("random_delays/{count}_processes"), |bench| {
            let setup = || processes(black_box(count));
            bench.iter_batched_ref(setup, |(queue, draws)| random_delays(queue, draws), BatchSize::LargeInput);
        });
    }
    group.bench_function("timeouts_cancelled", |bench| bench.iter(timeouts));
    group.finish();
}

criterion_group!(benches, kernel);
criterion_main!(benches);
