//! The kubelet in a small world: a store that takes its writes, and a queue of its timers.

mod bench;
mod deletion;
mod ending;
mod machine;
mod preparing;
mod probing;
mod random;
mod starting;
mod trouble;
mod using;
