//! The kubelet in a small world: a store that takes its writes, and a queue of its timers.

mod bench;

mod starting;
