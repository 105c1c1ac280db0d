//! Outcomes and latencies: by client, by what answered, by cause, over windows of time.

mod detail;
mod histogram;
mod ledger;
mod report;

pub use detail::{Detail, LATENCY_CLASSES};
pub use histogram::Histogram;
pub(super) use ledger::{ClientLedger, GroupId, Ledger, Settled};
pub use ledger::{Tally, Window};
pub(super) use report::by_node;
pub use report::{ClientReport, RouteReport, Served, TrafficReport};
