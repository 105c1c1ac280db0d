//! Random workloads.

use proptest::prelude::*;
use serde_json::{Value, json};

use seatrial::kubelet::BehaviourSpec;

/// An image whose containers never become ready.
pub(super) const BROKEN: &str = "app:broken";

/// Priorities, and volumes that are made where their pod is.
pub(super) const CLASSES: &str = "
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: low}, value: 100}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}, value: 100000}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: zonal}
provisioner: disk.example.com
volumeBindingMode: WaitForFirstConsumer
";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Deployment,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    Naked,
}

/// A rule about where pods may be: by host or by zone, required or wished for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    by_zone: bool,
    hard: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Budget {
    MinAvailable(Value),
    MaxUnavailable(Value),
}

/// A workload, its pods, and what is promised of them.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) form: Form,
    replicas: u8,
    cpu_milli: u16,
    priority: Option<&'static str>,
    apart: Option<Rule>,
    spread: Option<Rule>,
    tolerates: bool,
    volume: bool,
    min_ready: u8,
    /// Pods in parallel, or in one batch.
    at_once: bool,
    budget: Option<Budget>,
    always_allow: bool,
}

fn rule() -> impl Strategy<Value = Option<Rule>> {
    prop::option::weighted(0.3, (any::<bool>(), any::<bool>()).prop_map(|(by_zone, hard)| Rule { by_zone, hard }))
}

fn budget() -> impl Strategy<Value = Option<Budget>> {
    let bound =
        || prop_oneof![(0..5i32).prop_map(Value::from), (0..=100u32).prop_map(|percent| json!(format!("{percent}%")))];
    prop::option::weighted(
        0.6,
        prop_oneof![bound().prop_map(Budget::MinAvailable), bound().prop_map(Budget::MaxUnavailable)],
    )
}

pub(super) fn workload() -> impl Strategy<Value = Workload> {
    let form = prop_oneof![
        4 => Just(Form::Deployment),
        3 => Just(Form::StatefulSet),
        1 => Just(Form::DaemonSet),
        1 => Just(Form::Job),
        1 => Just(Form::CronJob),
        1 => Just(Form::Naked),
    ];
    let size = (form, 1..7u8, prop_oneof![Just(100u16), Just(400), Just(900)]);
    let priority = prop_oneof![3 => Just(None), 1 => Just(Some("low")), 1 => Just(Some("high"))];
    let place = (priority, rule(), rule(), any::<bool>());
    let rest = (any::<bool>(), prop_oneof![3 => Just(0u8), 1 => 1..10u8], any::<bool>(), budget(), any::<bool>());
    (size, place, rest).prop_map(|(size, place, rest)| {
        let (form, replicas, cpu_milli) = size;
        let (priority, apart, spread, tolerates) = place;
        let (volume, min_ready, at_once, budget, always_allow) = rest;
        Workload {
            form,
            replicas,
            cpu_milli,
            priority,
            apart,
            spread,
            tolerates,
            volume,
            min_ready,
            at_once,
            budget,
            always_allow,
        }
    })
}

/// How containers behave: some tasks fail, and what is broken never becomes ready.
pub(super) fn behaviours() -> impl Iterator<Item = BehaviourSpec> {
    let specs = [
        json!({"image": "*", "start": "1s", "ready": "2s", "terminate": "2s"}),
        json!({"image": BROKEN, "start": "1s", "ready": "never", "terminate": "1s"}),
        json!({"image": "task", "start": "1s", "terminate": "1s",
               "exit": {"code": 0, "after": {"distribution": "exponential", "mean": "40s"}}}),
    ];
    specs.into_iter().map(|spec| serde_json::from_value(spec).expect("a behaviour"))
}

impl Rule {
    fn key(self) -> &'static str {
        if self.by_zone { "topology.kubernetes.io/zone" } else { "kubernetes.io/hostname" }
    }
}

/// The name of the workload with that number.
pub(super) fn name(number: usize) -> String {
    format!("w{number}")
}

impl Workload {
    /// The workload, and its budget if it has one.
    pub(super) fn manifests(&self, number: usize) -> Vec<Value> {
        let name = name(number);
        let mut manifests = vec![self.object(&name)];
        if let Some(budget) = &self.budget {
            let policy = if self.always_allow { "AlwaysAllow" } else { "IfHealthyBudget" };
            let mut spec = json!({"selector": {"matchLabels": {"app": name}}, "unhealthyPodEvictionPolicy": policy});
            match budget {
                Budget::MinAvailable(bound) => spec["minAvailable"] = bound.clone(),
                Budget::MaxUnavailable(bound) => spec["maxUnavailable"] = bound.clone(),
            }
            manifests.push(json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": spec,
            }));
        }
        manifests
    }

    fn object(&self, name: &str) -> Value {
        let (api_version, kind) = match self.form {
            Form::Deployment => ("apps/v1", "Deployment"),
            Form::StatefulSet => ("apps/v1", "StatefulSet"),
            Form::DaemonSet => ("apps/v1", "DaemonSet"),
            Form::Job => ("batch/v1", "Job"),
            Form::CronJob => ("batch/v1", "CronJob"),
            Form::Naked => ("v1", "Pod"),
        };
        let mut object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": {"app": name}},
            "spec": self.spec(name),
        });
        if self.form == Form::StatefulSet && self.volume {
            object["spec"]["volumeClaimTemplates"] = json!([{
                "metadata": {"name": "data"},
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "zonal",
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }]);
        }
        object
    }

    fn spec(&self, name: &str) -> Value {
        let template = json!({"metadata": {"labels": {"app": name}}, "spec": self.pod(name)});
        let selector = json!({"matchLabels": {"app": name}});
        match self.form {
            Form::Deployment => {
                let strategy = if self.at_once && self.priority.is_none() { "Recreate" } else { "RollingUpdate" };
                json!({
                    "replicas": self.replicas, "minReadySeconds": self.min_ready, "selector": selector,
                    "strategy": {"type": strategy}, "template": template,
                })
            }
            Form::StatefulSet => json!({
                "replicas": self.replicas, "minReadySeconds": self.min_ready, "selector": selector,
                "podManagementPolicy": if self.at_once { "Parallel" } else { "OrderedReady" }, "template": template,
            }),
            Form::DaemonSet => json!({"selector": selector, "template": template}),
            Form::Job => self.job(template),
            Form::CronJob => json!({
                "schedule": "*/2 * * * *", "concurrencyPolicy": if self.at_once { "Forbid" } else { "Replace" },
                "jobTemplate": {"spec": self.job(template)},
            }),
            Form::Naked => template["spec"].clone(),
        }
    }

    fn job(&self, mut template: Value) -> Value {
        template["spec"]["restartPolicy"] = "Never".into();
        template["spec"]["containers"][0]["image"] = "task".into();
        json!({"completions": self.replicas, "parallelism": self.replicas.min(3), "template": template})
    }

    fn pod(&self, name: &str) -> Value {
        let requests = json!({"cpu": format!("{}m", self.cpu_milli)});
        let mut pod = json!({"containers": [{"name": "c", "image": "app:v0", "resources": {"requests": requests}}]});
        if let Some(priority) = self.priority {
            pod["priorityClassName"] = priority.into();
        }
        if self.tolerates {
            let short = json!({"key": "busy", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 20});
            pod["tolerations"] = json!([{"key": "dedicated", "operator": "Exists"}, short]);
        }
        let selector = json!({"matchLabels": {"app": name}});
        if let Some(rule) = self.apart {
            let term = json!({"labelSelector": selector, "topologyKey": rule.key()});
            pod["affinity"]["podAntiAffinity"] = if rule.hard {
                json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
            } else {
                let wish = json!([{"weight": 10, "podAffinityTerm": term}]);
                json!({"preferredDuringSchedulingIgnoredDuringExecution": wish})
            };
        }
        if let Some(rule) = self.spread {
            let when = if rule.hard { "DoNotSchedule" } else { "ScheduleAnyway" };
            let constraint = json!({
                "maxSkew": 1, "topologyKey": rule.key(), "whenUnsatisfiable": when, "labelSelector": selector,
            });
            pod["topologySpreadConstraints"] = json!([constraint]);
        }
        pod
    }
}
