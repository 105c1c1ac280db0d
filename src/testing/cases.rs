//! Which cases are tried.

use std::ops::RangeInclusive;

use proptest::prelude::*;
use proptest::strategy::Union;
use serde_json::Value;

use super::case::Case;
use super::faults::{FaultKind, Mishap};
use super::machines::Machine;
use super::steps::{self, Step};
use super::workloads::{Workload, WorkloadKind};

/// The cases that are tried: how large, of what, and with which faults. By default one to four workloads of every kind on one to six
/// machines in three zones, some with a HorizontalPodAutoscaler, up to thirteen steps, every kind of fault; with and without delays of the
/// control plane.
///
/// ```
/// use seatrial::testing::{Cases, FaultKind, Step, WorkloadKind};
///
/// let cases = Cases::new()
///     .kinds(&[WorkloadKind::Deployment, WorkloadKind::StatefulSet])
///     .workloads(1..=2)
///     .nodes(2..=4)
///     .faults(&[FaultKind::Node, FaultKind::Zone])
///     .also(Step::Verb(serde_json::json!({"label": {"target": "node/node-0", "labels": {"disk": "ssd"}}})))
///     .expect(serde_json::json!({"always": "pods(app=w0) <= 20"}));
/// # let _ = cases.strategy();
/// ```
#[derive(Clone, Debug)]
pub struct Cases {
    kinds: Vec<WorkloadKind>,
    workloads: RangeInclusive<usize>,
    nodes: RangeInclusive<usize>,
    zones: u8,
    steps: RangeInclusive<usize>,
    faults: Vec<FaultKind>,
    has_mishaps: bool,
    has_pools: bool,
    has_autoscalers: bool,
    has_dedicated: bool,
    has_traffic: bool,
    has_users: bool,
    is_realistic: Option<bool>,
    objects: Vec<Value>,
    containers: Vec<Value>,
    own_steps: Vec<BoxedStrategy<Step>>,
    expect: Vec<Value>,
}

impl Default for Cases {
    fn default() -> Self {
        Self {
            kinds: WorkloadKind::ALL.to_vec(),
            workloads: 1..=4,
            nodes: 1..=6,
            zones: 3,
            steps: 1..=13,
            faults: FaultKind::ALL.to_vec(),
            has_mishaps: true,
            has_pools: true,
            has_autoscalers: true,
            has_dedicated: true,
            has_traffic: false,
            has_users: true,
            is_realistic: None,
            objects: Vec::new(),
            containers: Vec::new(),
            own_steps: Vec::new(),
            expect: Vec::new(),
        }
    }
}

impl Cases {
    /// As by default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Workloads of these kinds.
    #[must_use]
    pub fn kinds(mut self, kinds: &[WorkloadKind]) -> Self {
        self.kinds = kinds.to_vec();
        self
    }

    /// So many workloads. With none, [`Cases::objects`] are all there is.
    #[must_use]
    pub const fn workloads(mut self, count: RangeInclusive<usize>) -> Self {
        self.workloads = count;
        self
    }

    /// So many machines at the beginning.
    #[must_use]
    pub const fn nodes(mut self, count: RangeInclusive<usize>) -> Self {
        self.nodes = count;
        self
    }

    /// In so many zones; at least one.
    #[must_use]
    pub const fn zones(mut self, zones: u8) -> Self {
        self.zones = zones;
        self
    }

    /// So many steps, pauses and faults among them.
    #[must_use]
    pub const fn steps(mut self, count: RangeInclusive<usize>) -> Self {
        self.steps = count;
        self
    }

    /// Only these kinds of faults among the steps; `&[]`: none.
    #[must_use]
    pub fn faults(mut self, kinds: &[FaultKind]) -> Self {
        self.faults = kinds.to_vec();
        self
    }

    /// Whether some cases have faults at random times too. Default: yes.
    #[must_use]
    pub const fn mishaps(mut self, some: bool) -> Self {
        self.has_mishaps = some;
        self
    }

    /// Whether some cases have a cluster autoscaler. Default: yes.
    #[must_use]
    pub const fn autoscaler(mut self, some: bool) -> Self {
        self.has_pools = some;
        self
    }

    /// Whether some workloads have a HorizontalPodAutoscaler, by a load from outside. Default: yes.
    #[must_use]
    pub const fn horizontal_pod_autoscaler(mut self, some: bool) -> Self {
        self.has_autoscalers = some;
        self
    }

    /// Whether some machines have the taint `dedicated=gpu:NoSchedule`. Default: yes.
    #[must_use]
    pub const fn dedicated(mut self, some: bool) -> Self {
        self.has_dedicated = some;
        self
    }

    /// Whether some cases have clients that send requests to the Services of workloads. Default: no.
    #[must_use]
    pub const fn traffic(mut self, some: bool) -> Self {
        self.has_traffic = some;
        self
    }

    /// Whether users roll, scale, drain and delete what is there. Default: yes; otherwise the steps are pauses, faults and those of
    /// [`Cases::also`].
    #[must_use]
    pub const fn users(mut self, some: bool) -> Self {
        self.has_users = some;
        self
    }

    /// Realistic delays of the control plane in every case, or in none. Default: in half of them.
    #[must_use]
    pub const fn realistic(mut self, always: bool) -> Self {
        self.is_realistic = Some(always);
        self
    }

    /// Objects of your own in every case, applied first.
    #[must_use]
    pub fn objects(mut self, objects: impl IntoIterator<Item = Value>) -> Self {
        self.objects.extend(objects);
        self
    }

    /// How images of your own behave: an entry of a scenario's `containers`.
    #[must_use]
    pub fn container(mut self, behaviour: Value) -> Self {
        self.containers.push(behaviour);
        self
    }

    /// A step of your own among the others.
    #[must_use]
    pub fn also(self, step: Step) -> Self {
        self.also_any(Just(step))
    }

    /// Steps of your own among the others.
    #[must_use]
    pub fn also_any(mut self, steps: impl Strategy<Value = Step> + 'static) -> Self {
        self.own_steps.push(steps.boxed());
        self
    }

    /// An expectation of your own: an entry of a scenario's `expect`.
    #[must_use]
    pub fn expect(mut self, expectation: Value) -> Self {
        self.expect.push(expectation);
        self
    }

    pub(super) fn step(&self) -> BoxedStrategy<Step> {
        // Two machines more than there are at first may join.
        let nodes = self.nodes.end() + 2;
        let mut kinds = vec![(3, steps::pauses())];
        if self.has_users {
            kinds.push((5, steps::voluntary(nodes, self.zones)));
        }
        if !self.faults.is_empty() {
            let faults = self.faults.iter().map(|kind| kind.strategy(nodes, self.zones));
            kinds.push((2, Union::new(faults).prop_map(Step::Fault).boxed()));
        }
        kinds.extend(self.own_steps.iter().map(|steps| (4, steps.clone())));
        Union::new_weighted(kinds).boxed()
    }

    /// The strategy, for [`proptest!`](::proptest::proptest).
    pub fn strategy(&self) -> BoxedStrategy<Case> {
        let Self { objects, containers, expect, is_realistic, .. } = self.clone();
        let workloads = if self.kinds.is_empty() {
            Just(Vec::new()).boxed()
        } else {
            prop::collection::vec(Workload::strategy(&self.kinds, self.has_autoscalers), self.workloads.clone()).boxed()
        };
        let mishaps = if self.has_mishaps {
            prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(Mishap::strategy(), 1..3)].boxed()
        } else {
            Just(Vec::new()).boxed()
        };
        let pool = some(self.has_pools, 0.25, 1..5);
        let requests = some(self.has_traffic, 0.5, 1..20);
        let machine = Machine::strategy(self.zones, if self.has_dedicated { 0.15 } else { 0.0 });
        let cluster = (any::<u64>(), any::<bool>(), prop::collection::vec(machine, self.nodes.clone()), pool);
        let pace = (0..4u8, 0..8u8);
        let script = prop::collection::vec(self.step(), self.steps.clone());
        (cluster, workloads, pace, mishaps, requests, script)
            .prop_map(move |(cluster, workloads, pace, mishaps, requests, steps)| {
                let (seed, realistic, machines, pool) = cluster;
                Case {
                    seed,
                    is_realistic: is_realistic.unwrap_or(realistic),
                    machines,
                    pool,
                    workloads,
                    objects: objects.clone(),
                    pace,
                    containers: containers.clone(),
                    mishaps,
                    requests,
                    steps,
                    expect: expect.clone(),
                }
            })
            .boxed()
    }
}

/// A number in a share of the cases, if it is wanted at all.
fn some(wanted: bool, share: f64, range: std::ops::Range<u8>) -> BoxedStrategy<Option<u8>> {
    if wanted { prop::option::weighted(share, range).boxed() } else { Just(None).boxed() }
}
