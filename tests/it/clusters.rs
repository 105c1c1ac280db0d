//! Random clusters with random workloads of every kind, under random acts of users and random faults: every promise holds all
//! the time, and after the last fault the cluster comes to rest.

mod acts;
mod manifests;

use proptest::prelude::*;

use seatrial::api::View;
use seatrial::invariants::Always;
use seatrial::kernel::{Sampler, SimDuration};
use seatrial::objects::{Conditions, Labels, PodDisruptionBudget, PodDisruptionBudgetStatus, Selector};
use seatrial::scheduler::Verdict;
use seatrial::sim::{Delays, FaultPlan, NodeCrash, NodeGroup, NodeTemplate, PodKiller, Simulation, ZONE_LABEL};

use crate::random::{self, play, same_cases};
use acts::{Act, act};
use manifests::{Workload, workload};

/// A machine to be.
#[derive(Clone, Debug)]
struct Machine {
    cores: u8,
    zone: u8,
    is_dedicated: bool,
}

/// What goes wrong again and again, with the minutes from one time to the next.
#[derive(Clone, Debug)]
enum Mishap {
    Crashes { mean_minutes: u64, down_secs: u64, by_zone: bool },
    Kills { every_secs: u64 },
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    realistic: bool,
    machines: Vec<Machine>,
    workloads: Vec<Workload>,
    mishaps: Vec<Mishap>,
    /// Cores of the machines that the autoscaler may make, if there is one.
    pool: Option<u8>,
    acts: Vec<Act>,
}

fn machine() -> impl Strategy<Value = Machine> {
    (prop_oneof![1 => Just(1u8), 3 => Just(2), 3 => Just(4)], 0..3u8, prop::bool::weighted(0.15))
        .prop_map(|(cores, zone, is_dedicated)| Machine { cores, zone, is_dedicated })
}

fn mishap() -> impl Strategy<Value = Mishap> {
    prop_oneof![
        (2..40u64, 20..900u64, prop::bool::weighted(0.3))
            .prop_map(|(mean_minutes, down_secs, by_zone)| Mishap::Crashes { mean_minutes, down_secs, by_zone }),
        (10..300u64).prop_map(|every_secs| Mishap::Kills { every_secs }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let cluster = (any::<u64>(), any::<bool>(), prop::collection::vec(machine(), 1..7));
    let workloads = prop::collection::vec(workload(), 1..5);
    let mishaps = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(mishap(), 1..3)];
    let pool = prop::option::weighted(0.25, 1..5u8);
    (cluster, workloads, mishaps, pool, prop::collection::vec(acts::strategy(), 1..14)).prop_map(
        |((seed, realistic, machines), workloads, mishaps, pool, acts)| Case {
            seed,
            realistic,
            machines,
            workloads,
            mishaps,
            pool,
            acts,
        },
    )
}

impl Machine {
    fn template(&self, number: usize) -> NodeTemplate {
        let node = NodeTemplate::new(random::node(number)).label(ZONE_LABEL, &format!("zone-{}", self.zone));
        let mut node = node.capacity("cpu", &self.cores.to_string()).expect("a quantity");
        if self.is_dedicated {
            node.taints = serde_json::from_str(r#"[{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]"#)
                .expect("a taint");
        }
        node
    }
}

impl Mishap {
    fn plan(&self) -> FaultPlan {
        match *self {
            Self::Crashes { mean_minutes, down_secs, by_zone } => FaultPlan::NodeCrash(NodeCrash {
                mtbf: Sampler::exponential(SimDuration::from_mins(mean_minutes)).expect("a mean"),
                mttr: Sampler::constant(SimDuration::from_secs(down_secs)),
                select: Labels::new(),
                correlated_by: by_zone.then(|| ZONE_LABEL.to_owned()),
            }),
            Self::Kills { every_secs } => FaultPlan::PodKiller(PodKiller {
                every: Sampler::exponential(SimDuration::from_secs(every_secs)).expect("a mean"),
                selector: Selector::default(),
                namespace: "default".to_owned(),
            }),
        }
    }
}

impl random::Case for Case {
    type Action = Act;

    fn cluster(&self) -> Simulation {
        let delays = if self.realistic { Delays::realistic() } else { Delays::ideal() };
        let mut builder = Simulation::builder().seed(self.seed).delays(delays);
        for behaviour in manifests::behaviours() {
            builder = builder.behaviour(behaviour);
        }
        for (number, machine) in self.machines.iter().enumerate() {
            builder = builder.node(machine.template(number));
        }
        if let Some(cores) = self.pool {
            let machine = NodeTemplate::new("pool").capacity("cpu", &cores.to_string()).expect("a quantity");
            builder = builder.node_group(NodeGroup::new(machine.label(ZONE_LABEL, "zone-0"), 0, 3));
        }
        for mishap in &self.mishaps {
            builder = builder.fault(mishap.plan());
        }
        let mut sim = builder.build().expect("a cluster");
        sim.apply(manifests::CLASSES).expect("valid classes");
        for (number, workload) in self.workloads.iter().enumerate() {
            for manifest in workload.manifests(number) {
                sim.apply(&manifest.to_string()).unwrap_or_else(|error| panic!("{error}: {manifest}"));
            }
        }
        sim
    }

    fn actions(&self) -> &[Act] {
        &self.acts
    }

    fn act(&self, sim: &mut Simulation, action: &Act) -> SimDuration {
        act(sim, action, &self.workloads)
    }

    /// Machines are up and free to be used, nobody drains, no new runs are started.
    fn calm(&self, sim: &mut Simulation, promises: &mut Always) -> Result<(), String> {
        sim.end_faults();
        acts::tidy_up(sim, &self.workloads);
        // Drains end by their timeouts.
        let end = sim.now() + acts::DRAIN_TIMEOUT;
        promises.run(sim, end).map_err(|violation| violation.to_string())
    }

    /// Pods for which there is no room are tried again every five minutes, for ever; so it is at rest when nothing comes of
    /// anything for longer than the longest timer, a progress deadline of ten minutes.
    fn patience(&self) -> Option<SimDuration> {
        Some(SimDuration::from_mins(16))
    }

    fn at_rest(&self, sim: &mut Simulation) -> Result<(), String> {
        nobody_waits_for_nothing(sim)?;
        budgets_are_right(sim.view())
    }
}

/// Pods without a node are such that no node would take.
fn nobody_waits_for_nothing(sim: &Simulation) -> Result<(), String> {
    for pod in sim.view().pods.iter().filter(|pod| !pod.is_bound() && pod.is_active()) {
        let found = sim.explain_scheduling(&pod.meta.namespace, &pod.meta.name).ok_or("the pod is there")?;
        if let Some((node, _)) = found.nodes.iter().find(|(_, verdict)| matches!(verdict, Verdict::Feasible { .. })) {
            return Err(format!("pod {} waits, although {node} would take it", pod.meta.name));
        }
    }
    let stuck = sim.view().pods.iter().find(|pod| pod.is_bound() && pod.meta.is_deleting());
    stuck.map_or(Ok(()), |pod| Err(format!("pod {} never ends", pod.meta.name)))
}

/// The budgets know how many pods are healthy, but for those that cannot tell how many there should be.
fn budgets_are_right(view: &View) -> Result<(), String> {
    let counts = |budget: &PodDisruptionBudget| {
        let told = budget.status.conditions.find(PodDisruptionBudgetStatus::DISRUPTION_ALLOWED);
        told.is_none_or(|told| told.reason != *PodDisruptionBudgetStatus::SYNC_FAILED)
    };
    for budget in view.pod_disruption_budgets.iter().filter(|budget| counts(budget)) {
        let pods = view.pods.iter().filter(|pod| budget.covers(pod) && pod.is_ready() && !pod.meta.is_deleting());
        let (healthy, status) = (pods.count(), &budget.status);
        if usize::try_from(status.current_healthy) != Ok(healthy) || !status.disrupted_pods.is_empty() {
            let name = &budget.meta.name;
            return Err(format!("budget {name} tells of {status:?}, but {healthy} are healthy"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(same_cases(250))]

    #[test]
    fn random_clusters_keep_their_promises_and_come_to_rest(case in case()) {
        let outcome = play(&case);
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
