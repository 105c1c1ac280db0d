//! Workloads of every kind, with a budget and a Service beside them.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sim::ZONE_LABEL;

/// An image whose containers never become ready.
pub const BROKEN_IMAGE: &str = "app:broken";

/// Label of a node with its name.
const HOST_LABEL: &str = "kubernetes.io/hostname";

/// Kinds of workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `batch/v1` Job.
    Job,
    /// `batch/v1` CronJob.
    CronJob,
    /// A pod that no controller owns.
    Pod,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: &[Self] =
        &[Self::Deployment, Self::StatefulSet, Self::DaemonSet, Self::ReplicaSet, Self::Job, Self::CronJob, Self::Pod];

    /// How often it comes among the others: those that roll come more often.
    const fn weight(self) -> u32 {
        match self {
            Self::Deployment => 4,
            Self::StatefulSet => 3,
            Self::DaemonSet | Self::ReplicaSet | Self::Job | Self::CronJob | Self::Pod => 1,
        }
    }

    /// Whether it has replicas that an autoscaler may set.
    pub(super) const fn scales(self) -> bool {
        matches!(self, Self::Deployment | Self::StatefulSet | Self::ReplicaSet)
    }

    const fn type_meta(self) -> (&'static str, &'static str) {
        match self {
            Self::Deployment => ("apps/v1", "Deployment"),
            Self::StatefulSet => ("apps/v1", "StatefulSet"),
            Self::DaemonSet => ("apps/v1", "DaemonSet"),
            Self::ReplicaSet => ("apps/v1", "ReplicaSet"),
            Self::Job => ("batch/v1", "Job"),
            Self::CronJob => ("batch/v1", "CronJob"),
            Self::Pod => ("v1", "Pod"),
        }
    }
}

/// A rule about where pods may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// By zone rather than by host.
    pub by_zone: bool,
    /// Required rather than wished for.
    pub is_hard: bool,
}

impl Rule {
    const fn key(self) -> &'static str {
        if self.by_zone { ZONE_LABEL } else { HOST_LABEL }
    }
}

/// A PodDisruptionBudget; each bound is a number or a percentage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Budget {
    /// `minAvailable`.
    MinAvailable(Value),
    /// `maxUnavailable`.
    MaxUnavailable(Value),
}

/// A HorizontalPodAutoscaler, by a load from outside of which each pod is to have 10.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Autoscaler {
    /// `minReplicas`.
    pub min: u8,
    /// `maxReplicas`.
    pub max: u8,
    /// Without a stabilization window on the way down.
    pub is_hasty: bool,
    /// The load: each value and how long it lasts, s; the last for ever.
    pub load: Vec<(u8, u16)>,
}

impl Autoscaler {
    fn strategy() -> impl Strategy<Value = Self> {
        let load = prop::collection::vec((0..100u8, 10..600u16), 1..4);
        (1..4u8, 0..6u8, any::<bool>(), load).prop_map(|(min, more, is_hasty, load)| Self {
            min,
            max: min + more,
            is_hasty,
            load,
        })
    }

    fn manifest(&self, name: &str, (api_version, kind): (&str, &str)) -> Value {
        let metric =
            json!({"metric": {"name": load_name(name)}, "target": {"type": "AverageValue", "averageValue": "10"}});
        let mut spec = json!({
            "scaleTargetRef": {"apiVersion": api_version, "kind": kind, "name": name},
            "minReplicas": self.min, "maxReplicas": self.max, "metrics": [{"type": "External", "external": metric}],
        });
        if self.is_hasty {
            spec["behavior"] = json!({"scaleDown": {"stabilizationWindowSeconds": 0}});
        }
        json!({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec,
        })
    }

    /// The entry of a scenario's `metrics.external`.
    fn load(&self, name: &str) -> Value {
        let mut at = 0;
        let value = |(value, secs): &(u8, u16)| {
            let entry = json!({"at": format!("{at}s"), "value": value});
            at += u64::from(*secs);
            entry
        };
        json!({"name": load_name(name), "values": self.load.iter().map(value).collect::<Vec<_>>()})
    }
}

fn load_name(workload: &str) -> String {
    format!("load-of-{workload}")
}

/// A workload, its pods, and what is promised of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Which kind.
    pub kind: WorkloadKind,
    /// Pods; completions of Jobs. Nothing to DaemonSets and bare pods.
    pub replicas: u8,
    /// What each pod requests, in thousandths of a core.
    pub cpu_milli: u16,
    /// `minReadySeconds`.
    pub min_ready_secs: u8,
    /// `Recreate`, `Parallel`, surge instead of unavailability, or `Forbid`: by kind, the ways that are less usual.
    pub at_once: bool,
    /// `maxSurge` of Deployments and DaemonSets.
    pub surge: Value,
    /// `maxUnavailable` of Deployments and DaemonSets.
    pub unavailable: Value,
    /// `low` or `high`.
    pub priority: Option<&'static str>,
    /// Anti-affinity to pods of its own.
    pub apart: Option<Rule>,
    /// A topology spread constraint of its own pods.
    pub spread: Option<Rule>,
    /// Tolerates dedicated machines, and for 20 s ones that are busy.
    pub tolerates: bool,
    /// A claim for each pod, of StatefulSets.
    pub has_volume: bool,
    /// A PodDisruptionBudget.
    pub budget: Option<Budget>,
    /// `unhealthyPodEvictionPolicy: AlwaysAllow` of the budget.
    pub always_allow: bool,
    /// A Service that leads to its pods.
    pub has_service: bool,
    /// A HorizontalPodAutoscaler, of what can be scaled.
    pub autoscaler: Option<Autoscaler>,
}

/// A number up to five, or a percentage.
pub(super) fn bound() -> impl Strategy<Value = Value> {
    prop_oneof![(0..5i32).prop_map(Value::from), (0..=100u32).prop_map(|percent| json!(format!("{percent}%")))]
}

fn is_zero(bound: &Value) -> bool {
    *bound == json!(0) || *bound == json!("0%")
}

/// Bounds of a rolling update that the API server takes: not both 0.
pub(super) fn rolling() -> impl Strategy<Value = (Value, Value)> {
    (bound(), bound()).prop_map(|(surge, unavailable)| {
        if is_zero(&surge) && is_zero(&unavailable) { (json!(1), unavailable) } else { (surge, unavailable) }
    })
}

fn rule() -> impl Strategy<Value = Option<Rule>> {
    let rule = (any::<bool>(), any::<bool>()).prop_map(|(by_zone, is_hard)| Rule { by_zone, is_hard });
    prop::option::weighted(0.3, rule)
}

fn budget() -> impl Strategy<Value = Option<Budget>> {
    let budget = prop_oneof![bound().prop_map(Budget::MinAvailable), bound().prop_map(Budget::MaxUnavailable)];
    prop::option::weighted(0.6, budget)
}

impl Workload {
    /// Workloads of these kinds, some of them with an autoscaler if there may be any.
    pub fn strategy(kinds: &[WorkloadKind], has_autoscalers: bool) -> BoxedStrategy<Self> {
        let kinds: Vec<_> = kinds.iter().map(|kind| (kind.weight(), Just(*kind))).collect();
        let kind = prop::strategy::Union::new_weighted(kinds);
        let size = (kind, 1..7u8, prop_oneof![Just(100u16), Just(400), Just(900)]);
        let priority = prop_oneof![3 => Just(None), 1 => Just(Some("low")), 1 => Just(Some("high"))];
        let place = (priority, rule(), rule(), any::<bool>());
        let pace = (prop_oneof![3 => Just(0u8), 1 => 1..10u8], any::<bool>(), rolling());
        let rest = (any::<bool>(), budget(), any::<bool>(), any::<bool>());
        let autoscaler = match has_autoscalers {
            true => prop::option::weighted(0.25, Autoscaler::strategy()).boxed(),
            false => Just(None).boxed(),
        };
        (size, place, pace, rest, autoscaler)
            .prop_map(|(size, place, pace, rest, autoscaler)| {
                let (kind, replicas, cpu_milli) = size;
                let (priority, apart, spread, tolerates) = place;
                let (min_ready_secs, at_once, (surge, unavailable)) = pace;
                let (has_volume, budget, always_allow, has_service) = rest;
                Self {
                    kind,
                    replicas,
                    cpu_milli,
                    min_ready_secs,
                    at_once,
                    surge,
                    unavailable,
                    priority,
                    apart,
                    spread,
                    tolerates,
                    has_volume,
                    budget,
                    always_allow,
                    has_service,
                    autoscaler: autoscaler.filter(|_| kind.scales()),
                }
            })
            .boxed()
    }

    /// Name of the workload with that number, and of what is beside it.
    #[must_use]
    pub fn name(number: usize) -> String {
        format!("w{number}")
    }

    /// `deployment/w0`, of the workload with that number.
    #[must_use]
    pub fn target(&self, number: usize) -> String {
        format!("{}/{}", self.kind.type_meta().1.to_ascii_lowercase(), Self::name(number))
    }

    /// The workload with that number, its budget, its Service and its autoscaler if it has them.
    #[must_use]
    pub fn manifests(&self, number: usize) -> Vec<Value> {
        let name = Self::name(number);
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
        if self.has_service {
            manifests.push(json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
            }));
        }
        let autoscaler = self.autoscaler.as_ref();
        manifests.extend(autoscaler.map(|autoscaler| autoscaler.manifest(&name, self.kind.type_meta())));
        manifests
    }

    /// What its autoscaler goes by, as the entry of a scenario's `metrics.external`.
    pub(super) fn load(&self, number: usize) -> Option<Value> {
        self.autoscaler.as_ref().map(|autoscaler| autoscaler.load(&Self::name(number)))
    }

    fn object(&self, name: &str) -> Value {
        let (api_version, kind) = self.kind.type_meta();
        let mut object = json!({
            "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": {"app": name}},
            "spec": self.spec(name),
        });
        if self.kind == WorkloadKind::StatefulSet && self.has_volume {
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
        match self.kind {
            WorkloadKind::Deployment => json!({
                "replicas": self.replicas, "minReadySeconds": self.min_ready_secs, "selector": selector,
                "strategy": self.strategy_of_deployment(), "template": template,
            }),
            WorkloadKind::StatefulSet => json!({
                "replicas": self.replicas, "minReadySeconds": self.min_ready_secs, "selector": selector,
                "podManagementPolicy": if self.at_once { "Parallel" } else { "OrderedReady" }, "template": template,
            }),
            WorkloadKind::DaemonSet => json!({
                "selector": selector, "minReadySeconds": self.min_ready_secs,
                "updateStrategy": {"rollingUpdate": self.rolling_of_daemons()}, "template": template,
            }),
            WorkloadKind::ReplicaSet => json!({
                "replicas": self.replicas, "minReadySeconds": self.min_ready_secs, "selector": selector,
                "template": template,
            }),
            WorkloadKind::Job => self.job(template),
            WorkloadKind::CronJob => json!({
                "schedule": "*/2 * * * *", "concurrencyPolicy": if self.at_once { "Forbid" } else { "Replace" },
                "jobTemplate": {"spec": self.job(template)},
            }),
            WorkloadKind::Pod => template["spec"].clone(),
        }
    }

    fn strategy_of_deployment(&self) -> Value {
        if self.at_once && self.priority.is_none() {
            return json!({"type": "Recreate"});
        }
        let rolling = json!({"maxSurge": self.surge, "maxUnavailable": self.unavailable});
        json!({"type": "RollingUpdate", "rollingUpdate": rolling})
    }

    /// Of a DaemonSet one of the bounds must be 0, and the other not.
    fn rolling_of_daemons(&self) -> Value {
        let more_than_zero = |bound: &Value| if is_zero(bound) { json!(1) } else { bound.clone() };
        if self.at_once {
            json!({"maxSurge": more_than_zero(&self.surge), "maxUnavailable": 0})
        } else {
            json!({"maxSurge": 0, "maxUnavailable": more_than_zero(&self.unavailable)})
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
            pod["affinity"]["podAntiAffinity"] = if rule.is_hard {
                json!({"requiredDuringSchedulingIgnoredDuringExecution": [term]})
            } else {
                let wish = json!([{"weight": 10, "podAffinityTerm": term}]);
                json!({"preferredDuringSchedulingIgnoredDuringExecution": wish})
            };
        }
        if let Some(rule) = self.spread {
            let when = if rule.is_hard { "DoNotSchedule" } else { "ScheduleAnyway" };
            let constraint = json!({
                "maxSkew": 1, "topologyKey": rule.key(), "whenUnsatisfiable": when, "labelSelector": selector,
            });
            pod["topologySpreadConstraints"] = json!([constraint]);
        }
        pod
    }
}

/// Classes that workloads name: priorities, and volumes that are made where their pod is.
pub(super) fn classes() -> [Value; 3] {
    let priority = |name: &str, value: i32| json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value});
    let zonal = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "zonal"},
        "provisioner": "disk.example.com", "volumeBindingMode": "WaitForFirstConsumer",
    });
    [priority("low", 100), priority("high", 100_000), zonal]
}

/// How containers behave: tasks end after a while, and what is broken never becomes ready.
pub(super) fn containers(start_secs: u8, ready_secs: u8) -> [Value; 3] {
    let [start, ready] = [start_secs, ready_secs].map(|secs| format!("{secs}s"));
    [
        json!({"image": "*", "start": start, "ready": ready, "terminate": "2s"}),
        json!({"image": BROKEN_IMAGE, "start": start, "ready": "never", "terminate": "1s"}),
        json!({"image": "task", "start": start, "terminate": "1s",
               "exit": {"code": 0, "after": {"distribution": "exponential", "mean": "40s"}}}),
    ]
}
