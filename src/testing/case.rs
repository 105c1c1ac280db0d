//! A case: a cluster, what is in it, and what is done to it, as a scenario.

use std::fmt;

use serde_json::{Value, json};

use super::faults::{Fault, Mishap};
use super::machines::Machine;
use super::steps::{About, DRAIN_TIMEOUT_SECS, Step, yaml};
use super::workloads::{Workload, classes, containers};
use crate::objects::to_yaml;

/// Without a change for so long a cluster is at rest: longer than the longest timer, a progress deadline of ten minutes. Pods for
/// which there is no room are tried again every five minutes, for ever.
const PATIENCE: &str = "16m";
/// How long the way to rest may take.
const LIMIT_SECS: u64 = 7200;
/// The informers of a partitioned node's kubelet need that long after it to catch up.
const AFTER_PARTITION_SECS: u64 = 30;

/// What holds once a cluster has come to rest.
const AT_REST: &[&str] = &[
    "replicaConservation()",
    "daemonCoverage()",
    "jobCounts()",
    "endpointsReady()",
    "podsScheduled()",
    "budgetStatus()",
    "noOrphan()",
    "noStuckFinalizer()",
    "observedGeneration()",
];

/// Everything that a run depends on. Its `Debug` and [`Case::to_yaml`] are the scenario.
#[derive(Clone, PartialEq)]
pub struct Case {
    /// Seed of the run.
    pub seed: u64,
    /// Whether the control plane has realistic delays, rather than none.
    pub is_realistic: bool,
    /// Machines: `node-0`, `node-1`, …
    pub machines: Vec<Machine>,
    /// Cores of the machines that the cluster autoscaler may make, if there is one.
    pub pool: Option<u8>,
    /// Workloads: `w0`, `w1`, …
    pub workloads: Vec<Workload>,
    /// Objects of your own, applied before them.
    pub objects: Vec<Value>,
    /// How long containers take to start and then to be ready, s.
    pub pace: (u8, u8),
    /// Entries of `containers` of your own.
    pub containers: Vec<Value>,
    /// What goes wrong at random times, until the last step.
    pub mishaps: Vec<Mishap>,
    /// Requests a second to each workload that has a Service, until the last step.
    pub requests: Option<u8>,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
    /// Expectations of your own, as entries of `expect`.
    pub expect: Vec<Value>,
}

impl Case {
    pub(super) fn about(&self) -> About<'_> {
        About { machines: &self.machines, workloads: &self.workloads }
    }

    /// The scenario, for `seatrial run`: what is done; then the end of all faults and of whatever keeps the cluster from coming to
    /// rest, and time to do so.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        to_yaml(&self.scenario())
    }

    fn scenario(&self) -> Value {
        let (mut steps, end_secs) = self.timed_steps();
        let at = |secs: u64, mut verb: Value| {
            verb["at"] = format!("{secs}s").into();
            verb
        };
        steps.extend(self.remedies().into_iter().map(|verb| at(end_secs, verb)));
        // Drains end by their timeouts; machines that were to be taken back are gone.
        let rests_secs = end_secs + 2 * DRAIN_TIMEOUT_SECS + self.longest_fault_secs();
        let mut objects = self.objects.clone();
        objects.extend(classes());
        objects.extend(self.workloads.iter().enumerate().flat_map(|(number, workload)| workload.manifests(number)));
        let nodes: Vec<Value> = self.machines.iter().enumerate().map(|(at, machine)| machine.entry(at)).collect();
        let images = containers(self.pace.0, self.pace.1).into_iter().chain(self.containers.iter().cloned());
        let mut spec = json!({
            "seed": self.seed, "profile": if self.is_realistic { "realistic" } else { "ideal" },
            "duration": format!("{}s", rests_secs + LIMIT_SECS), "settle": PATIENCE,
            "nodes": nodes, "objects": yaml(&objects), "containers": images.collect::<Vec<_>>(),
            "steps": steps, "expect": self.expectations(),
        });
        if let Some(cores) = self.pool {
            let capacity = json!({"cpu": cores.to_string()});
            let labels = json!({crate::sim::ZONE_LABEL: Machine::zone_name(0)});
            spec["nodeGroups"] = json!([{"name": "pool", "min": 0, "max": 3, "capacity": capacity, "labels": labels}]);
        }
        let loads: Vec<Value> =
            self.workloads.iter().enumerate().filter_map(|(number, workload)| workload.load(number)).collect();
        if !loads.is_empty() {
            spec["metrics"] = json!({"external": loads});
        }
        if !self.mishaps.is_empty() {
            spec["faults"] = self.mishaps.iter().map(Mishap::entry).collect();
        }
        let clients = self.clients(end_secs.max(1));
        if !clients.is_empty() {
            spec["traffic"] = clients.into();
        }
        let metadata = json!({"name": format!("case-{}", self.seed)});
        json!({"apiVersion": "seatrial.dev/v1", "kind": "Scenario", "metadata": metadata, "spec": spec})
    }

    /// The steps with their times, and the time of the last.
    fn timed_steps(&self) -> (Vec<Value>, u64) {
        let (mut steps, mut now, mut cut_off_until) = (Vec::new(), 0, 0);
        for step in &self.steps {
            match step {
                Step::Wait { secs } => now += secs,
                Step::Fault(Fault::Partition { secs, .. }) => cut_off_until = cut_off_until.max(now + secs),
                _ => {}
            }
            let step = match step {
                // Behind a partition it would go on running beside the next one of its name, as it would in reality.
                Step::DeletePod { nth, force: true } if now <= cut_off_until + AFTER_PARTITION_SECS => {
                    Step::DeletePod { nth: *nth, force: false }
                }
                step => step.clone(),
            };
            steps.extend(step.verb(self.about()).map(|mut verb| {
                verb["at"] = format!("{now}s").into();
                verb
            }));
        }
        (steps, now)
    }

    /// What ends everything that would keep the cluster from coming to rest, each thing once; first of all the API server
    /// must answer.
    pub(super) fn remedies(&self) -> Vec<Value> {
        let about = self.about();
        let ends = (!self.mishaps.is_empty()).then(|| json!({"endFaults": {}}));
        let suspend = |(number, workload): (usize, &Workload)| {
            let is_cron = workload.kind == super::WorkloadKind::CronJob;
            let patch = json!({"spec": {"suspend": true}});
            is_cron.then(|| json!({"patch": {"target": workload.target(number), "patch": patch}}))
        };
        let outages = self.steps.iter().filter(|step| matches!(step, Step::Fault(Fault::ApiServerOutage { .. })));
        let all = outages.filter_map(|step| step.remedy(about)).chain(ends);
        let all = all.chain(self.steps.iter().filter_map(|step| step.remedy(about)));
        let all = all.chain(self.workloads.iter().enumerate().filter_map(suspend));
        let mut remedies: Vec<Value> = Vec::new();
        for remedy in all {
            if !remedies.contains(&remedy) {
                remedies.push(remedy);
            }
        }
        remedies
    }

    /// How long faults may go on after the last step.
    fn longest_fault_secs(&self) -> u64 {
        let secs = |step: &Step| match step {
            Step::Fault(
                Fault::Partition { secs, .. }
                | Fault::KernelPanic { boot_secs: secs, .. }
                | Fault::SpotReclaim { secs, .. },
            ) => *secs,
            _ => 0,
        };
        self.steps.iter().map(secs).max().unwrap_or(0)
    }

    fn clients(&self, end_secs: u64) -> Vec<Value> {
        let served = self.workloads.iter().enumerate().filter(|(_, workload)| workload.has_service);
        let client = |(number, rate): (usize, u8)| {
            let name = Workload::name(number);
            let to = format!("service/{name}:80");
            json!({"name": format!("users-of-{name}"), "to": to, "rate": format!("{rate}/s"), "stop": format!("{end_secs}s")})
        };
        let rates = served.filter_map(|(number, _)| Some((number, self.requests?)));
        rates.map(client).collect()
    }

    fn expectations(&self) -> Vec<Value> {
        let at_rest = AT_REST.iter().map(|promise| json!({"final": promise}));
        let rests = json!({"final": format!("unchangedFor() >= {PATIENCE}")});
        at_rest.chain([rests]).chain(self.expect.iter().cloned()).collect()
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Case\n{}", self.to_yaml())
    }
}
