//! How a load balancer outside of the cluster learns which nodes to send to: by asking them, again and again.
//!
//! With `externalTrafficPolicy: Local` it asks the Service's `healthCheckNodePort`, which tells of ready endpoints on the node
//! (upstream `pkg/proxy/healthcheck`); otherwise whether the node's proxy is there (`:10256/healthz`).

use serde::{Deserialize, Serialize};

use crate::kernel::{SimDuration, SimTime};

/// How a load balancer asks. The default is every 5 seconds, two successes, two failures; an assumption, as each cloud has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthCheck {
    /// Time from one question to the next; zero = it knows at once.
    pub interval: SimDuration,
    /// Time after which no answer is a failure.
    pub timeout: SimDuration,
    /// Successes in a row that bring a node in.
    pub healthy_threshold: u64,
    /// Failures in a row that take it out.
    pub unhealthy_threshold: u64,
    /// Time from that finding to the last new connection, and to the first.
    pub propagation: SimDuration,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            interval: SimDuration::from_secs(5),
            timeout: SimDuration::from_secs(1),
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            propagation: SimDuration::ZERO,
        }
    }
}

impl HealthCheck {
    /// That of GCE's load balancers: every 8 seconds, one success, three failures.
    #[must_use]
    pub const fn gce() -> Self {
        Self {
            interval: SimDuration::from_secs(8),
            timeout: SimDuration::from_secs(1),
            healthy_threshold: 1,
            unhealthy_threshold: 3,
            propagation: SimDuration::ZERO,
        }
    }

    /// It knows everything at once.
    #[must_use]
    pub const fn ideal() -> Self {
        Self { interval: SimDuration::ZERO, timeout: SimDuration::ZERO, ..Self::gce() }
    }

    /// How long it may take until it knows of a change.
    #[must_use]
    pub fn slowest_finding(&self) -> SimDuration {
        let questions = self.healthy_threshold.max(self.unhealthy_threshold).max(1);
        let asked = self.interval.checked_mul(questions).unwrap_or(SimDuration::MAX);
        let late = if self.interval.is_zero() { SimDuration::ZERO } else { self.timeout };
        SimDuration::from_nanos(
            asked.as_nanos().saturating_add(late.as_nanos()).saturating_add(self.propagation.as_nanos()),
        )
    }
}

/// What a node says when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeAnswer {
    /// It takes traffic.
    Healthy,
    /// It answers that it does not.
    Unhealthy,
    /// It does not answer.
    Silent,
}

/// What a load balancer holds of one node, over time. Constant work for every change, however long nothing changes.
#[derive(Clone, Debug)]
pub struct NodeHealth {
    check: HealthCheck,
    /// When the first question of every interval is asked.
    phase: SimDuration,
    answer: NodeAnswer,
    /// Questions before that instant are counted.
    counted: SimTime,
    in_row: u64,
    /// From when on it is sent to, or not; the last two findings.
    findings: [(SimTime, bool); 2],
}

impl NodeHealth {
    /// A node that has just been added: it gets nothing until enough questions were answered well.
    #[must_use]
    pub const fn new(check: HealthCheck, phase: SimDuration, answer: NodeAnswer, now: SimTime) -> Self {
        Self {
            check,
            phase,
            answer,
            counted: now,
            in_row: 0,
            findings: [(SimTime::ZERO, false), (SimTime::ZERO, false)],
        }
    }

    /// A node that the load balancer has known for long.
    #[must_use]
    pub const fn known(check: HealthCheck, phase: SimDuration, answer: NodeAnswer, now: SimTime) -> Self {
        let found = (SimTime::ZERO, matches!(answer, NodeAnswer::Healthy));
        Self { findings: [found, found], ..Self::new(check, phase, answer, now) }
    }

    /// What the node answers.
    pub(super) const fn answer(&self) -> NodeAnswer {
        self.answer
    }

    /// When [`NodeHealth::receives`] changes if the node goes on answering as it does; nothing = never.
    pub(super) fn next_change(&self) -> Option<SimTime> {
        let [_, (from, found)] = self.findings;
        if from > self.counted {
            return Some(from);
        }
        let is_good = self.answer == NodeAnswer::Healthy;
        (is_good != found && !self.check.interval.is_zero()).then(|| self.found_at(self.questions(self.counted)))
    }

    /// When enough questions in a row, the next of which is that number, have told the load balancer of the present answer.
    fn found_at(&self, first: u64) -> SimTime {
        let late = if self.answer == NodeAnswer::Silent { self.check.timeout } else { SimDuration::ZERO };
        self.time_of(first + self.missing() - 1) + late + self.check.propagation
    }

    /// How many more answers like the present one are needed.
    fn missing(&self) -> u64 {
        let is_good = self.answer == NodeAnswer::Healthy;
        let needed = if is_good { self.check.healthy_threshold } else { self.check.unhealthy_threshold }.max(1);
        needed.saturating_sub(self.in_row).max(1)
    }

    /// The node answers otherwise from now on. Must be told in order.
    pub fn set(&mut self, answer: NodeAnswer, now: SimTime) {
        self.count(now);
        self.answer = answer;
    }

    /// Whether new connections are sent to the node at an instant that is not before the last change.
    pub fn receives(&mut self, now: SimTime) -> bool {
        if self.check.interval.is_zero() {
            return self.answer == NodeAnswer::Healthy;
        }
        self.count(now);
        let [before, last] = self.findings;
        if now >= last.0 { last.1 } else { before.1 }
    }

    /// Counts the questions that were asked before `now`.
    fn count(&mut self, now: SimTime) {
        let (first, asked) =
            (self.questions(self.counted), self.questions(now).saturating_sub(self.questions(self.counted)));
        self.counted = now;
        let (is_good, found) = (self.answer == NodeAnswer::Healthy, self.findings[1].1);
        if is_good == found {
            if asked > 0 {
                self.in_row = 0;
            }
            return;
        }
        if asked < self.missing() {
            self.in_row += asked;
            return;
        }
        let at = self.found_at(first);
        self.findings = [self.findings[1], (at, is_good)];
        self.in_row = 0;
    }

    /// How many questions are asked before an instant.
    fn questions(&self, at: SimTime) -> u64 {
        let interval = self.check.interval.as_nanos().max(1);
        at.as_nanos().saturating_sub(self.phase.as_nanos()).div_ceil(interval)
    }

    fn time_of(&self, number: u64) -> SimTime {
        SimTime::ZERO + self.phase + self.check.interval.checked_mul(number).unwrap_or(SimDuration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> SimTime {
        SimTime::from_secs(secs)
    }

    #[test]
    fn a_node_goes_after_three_failures_and_comes_back_after_one_success() {
        let mut node = NodeHealth::new(HealthCheck::gce(), SimDuration::from_secs(2), NodeAnswer::Healthy, at(0));
        // Asked at 2, 10, 18, 26, …
        assert_eq!([1, 2, 3].map(|secs| node.receives(at(secs))), [false, false, true]);
        node.set(NodeAnswer::Unhealthy, at(11));
        assert_eq!([18, 26, 33].map(|secs| node.receives(at(secs))), [true; 3]);
        assert!(!node.receives(at(35)), "18, 26 and 34 failed");
        node.set(NodeAnswer::Healthy, at(40));
        assert_eq!([41, 43].map(|secs| node.receives(at(secs))), [false, true]);
        // A short failure between two questions is not noticed, nor are two failures in a row.
        node.set(NodeAnswer::Unhealthy, at(51));
        node.set(NodeAnswer::Healthy, at(65));
        assert_eq!([70, 80, 200].map(|secs| node.receives(at(secs))), [true; 3]);
    }

    #[test]
    fn silence_and_propagation_take_their_time() {
        let check = HealthCheck { propagation: SimDuration::from_secs(5), ..HealthCheck::gce() };
        let mut node = NodeHealth::new(check, SimDuration::ZERO, NodeAnswer::Healthy, at(0));
        assert!(node.receives(at(20)));
        node.set(NodeAnswer::Silent, at(20));
        // Asked at 24, 32 and 40; known at 41; out at 46.
        assert_eq!([41, 45, 46].map(|secs| node.receives(at(secs))), [true, true, false]);
    }
}
