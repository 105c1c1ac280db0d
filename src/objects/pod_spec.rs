//! Pod specs and templates: the wire form, and beside it what the simulation decides on.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::SharedList;
use super::affinity::Affinity;
use super::cluster::Taint;
use super::labels::Labels;
use super::object::WireError;
use super::pod_affinity::TopologySpreadConstraint;
use super::pod_resources::{ResourceOptions, pod_requests, qos_class};
use super::resources::Resources;

/// What restarts when a container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum RestartPolicy {
    /// Every ended container is started again.
    #[default]
    Always,
    /// One that failed is.
    OnFailure,
    /// None is.
    Never,
}

/// The desired state of a pod, apart from the node it is bound to. Made by [`PodSpec::from_wire`] and never changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    #[serde(skip)]
    wire: Map<String, Value>,
    /// Regular containers.
    pub containers: Vec<Container>,
    /// Init containers and sidecars, in order.
    pub init_containers: Vec<Container>,
    /// Containers added to the running pod to look into it.
    pub ephemeral_containers: Vec<Container>,
    /// Restart policy of the pod.
    pub restart_policy: RestartPolicy,
    /// Seconds between SIGTERM and SIGKILL.
    pub termination_grace_period_seconds: Option<i64>,
    /// Seconds that the pod may be active on its node.
    pub active_deadline_seconds: Option<i64>,
    /// Labels that the node must have.
    pub node_selector: Labels,
    /// Nodes that the pod must or would like to run on.
    pub affinity: Affinity,
    /// How the pod is to be spread.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Taints that the pod bears.
    pub tolerations: Vec<Toleration>,
    /// Resolved priority.
    pub priority: Option<i32>,
    /// Name of the priority class.
    pub priority_class_name: Arc<str>,
    /// `Never`: the pod does not displace others.
    pub preemption_policy: Arc<str>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Which scheduler binds the pod.
    pub scheduler_name: Arc<str>,
    /// Whether the pod shares its node's network.
    pub host_network: bool,
    /// DNS name of the pod in its subdomain.
    pub hostname: Arc<str>,
    /// Headless service of the pod.
    pub subdomain: Arc<str>,
    /// Gates that hold scheduling back.
    pub scheduling_gates: Vec<SchedulingGate>,
    /// Extra conditions that readiness waits for.
    pub readiness_gates: Vec<ReadinessGate>,
    /// Resources that the sandbox itself takes.
    pub overhead: Resources,
    /// Resources of the pod as a whole, which stand in for those of its containers.
    pub resources: Option<Box<ResourceRequirements>>,
    /// What the scheduler reserves: containers, init containers, sidecars, pod-level resources and overhead resolved.
    #[serde(skip)]
    pub requests: Resources,
    /// QoS class.
    #[serde(skip)]
    pub qos_class: QosClass,
}

/// A container of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Name, unique in the pod.
    pub name: Arc<str>,
    /// Image reference.
    pub image: Arc<str>,
    /// `Always` on an init container makes it a sidecar.
    pub restart_policy: Option<Arc<str>>,
    /// What an end does before the policy is asked: the first rule that matches counts.
    pub restart_policy_rules: Vec<RestartRule>,
    /// Ports.
    pub ports: Vec<ContainerPort>,
    /// Requests and limits.
    pub resources: ResourceRequirements,
    /// Volumes of the pod that it sees as directories.
    pub volume_mounts: Vec<VolumeMount>,
    /// Gates traffic.
    pub readiness_probe: Option<Probe>,
    /// Restarts the container.
    pub liveness_probe: Option<Probe>,
    /// Holds the other probes back.
    pub startup_probe: Option<Probe>,
    /// Hooks after start and before stop.
    pub lifecycle: Option<Lifecycle>,
}

impl Container {
    /// Whether this init container keeps running beside the regular ones.
    #[must_use]
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

/// A volume of a pod. Of its sources only those are read that storage decides on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// Name, unique in the pod.
    pub name: Arc<str>,
    /// A claim in the pod's namespace.
    pub persistent_volume_claim: Option<ClaimSource>,
    /// A directory that lives as long as the pod.
    pub empty_dir: Option<Value>,
    /// A claim that is made for the pod.
    pub ephemeral: Option<Value>,
}

/// The claim that a volume of a pod stands for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSource {
    /// Name of the claim.
    pub claim_name: Arc<str>,
    /// Whether the pod does not write.
    pub read_only: bool,
}

/// A volume as a container sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMount {
    /// Name of the volume.
    pub name: Arc<str>,
    /// Whether the container does not write.
    pub read_only: bool,
}

/// What happens when a container ends with certain exit codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartRule {
    /// `Restart`: the container is started again. `RestartAllContainers`: the whole pod begins anew.
    pub action: Arc<str>,
    /// Which exit codes.
    pub exit_codes: ExitCodes,
}

/// A set of exit codes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ExitCodes {
    /// `In` or `NotIn`.
    pub operator: Arc<str>,
    /// The codes.
    pub values: Vec<i32>,
}

impl RestartRule {
    /// Whether the rule is about this exit code.
    #[must_use]
    pub fn matches(&self, exit_code: i32) -> bool {
        let is_listed = self.exit_codes.values.contains(&exit_code);
        match &*self.exit_codes.operator {
            "In" => is_listed,
            "NotIn" => !is_listed,
            _ => false,
        }
    }

    /// Whether the whole pod begins anew.
    #[must_use]
    pub fn restarts_all(&self) -> bool {
        *self.action == *"RestartAllContainers"
    }
}

/// A port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// Name by which services may refer to it.
    pub name: Arc<str>,
    /// Port number.
    pub container_port: i32,
    /// Port on the node, 0 = none.
    pub host_port: i32,
    /// Address on the node.
    #[serde(rename = "hostIP")]
    pub host_ip: Arc<str>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Arc<str>,
}

/// Requests and limits of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResourceRequirements {
    /// What is reserved.
    pub requests: Resources,
    /// What must not be exceeded.
    pub limits: Resources,
}

/// When and how often a probe is made. All times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// Wait after the container's start.
    pub initial_delay_seconds: i32,
    /// Time between probes.
    pub period_seconds: i32,
    /// Time after which a probe has failed.
    pub timeout_seconds: i32,
    /// Successes in a row that count as success.
    pub success_threshold: i32,
    /// Failures in a row that count as failure.
    pub failure_threshold: i32,
    /// Grace for the container that failed this probe, instead of the pod's.
    pub termination_grace_period_seconds: Option<i64>,
}

/// Hooks of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Lifecycle {
    /// Runs right after the start.
    pub post_start: Option<Value>,
    /// Runs before SIGTERM.
    pub pre_stop: Option<Value>,
}

/// A taint that a pod bears.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Taint key; empty with `Exists` bears all.
    pub key: Arc<str>,
    /// `Equal` (also if empty) or `Exists`.
    pub operator: Arc<str>,
    /// Taint value, for `Equal`.
    pub value: Arc<str>,
    /// Taint effect; empty bears all effects.
    pub effect: Arc<str>,
    /// How long a `NoExecute` taint is borne; absent = for ever.
    pub toleration_seconds: Option<i64>,
}

impl Toleration {
    /// Whether it bears the taint (upstream `Toleration.ToleratesTaint`).
    ///
    /// ```
    /// use seatrial::objects::{Taint, Toleration};
    /// let gpu = Taint { key: "dedicated".into(), value: "gpu".into(), effect: "NoExecute".into(), time_added: None };
    /// let any = Toleration { operator: "Exists".into(), ..Toleration::default() };
    /// assert!(any.tolerates(&gpu));
    /// assert!(!Toleration { key: "dedicated".into(), ..Toleration::default() }.tolerates(&gpu));
    /// ```
    #[must_use]
    pub fn tolerates(&self, taint: &Taint) -> bool {
        self.bears(&taint.key, &taint.value, &taint.effect)
    }

    /// Whether it bears a taint with that key, value and effect.
    #[must_use]
    pub fn bears(&self, key: &str, value: &str, effect: &str) -> bool {
        (self.effect.is_empty() || *self.effect == *effect)
            && (self.key.is_empty() || *self.key == *key)
            && match &*self.operator {
                "" | "Equal" => *self.value == *value,
                operator => operator == "Exists",
            }
    }
}

/// A named gate that holds scheduling back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SchedulingGate {
    /// Name.
    pub name: Arc<str>,
}

/// A condition that readiness waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReadinessGate {
    /// Type of the condition.
    pub condition_type: Arc<str>,
}

impl QosClass {
    /// As the API writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BestEffort => "BestEffort",
            Self::Burstable => "Burstable",
            Self::Guaranteed => "Guaranteed",
        }
    }
}

/// Quality of service class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub enum QosClass {
    /// Nothing reserved.
    #[default]
    BestEffort,
    /// Something reserved.
    Burstable,
    /// Everything reserved, limits equal to requests.
    Guaranteed,
}

impl PodSpec {
    /// Compiles a defaulted, validated spec in wire form. `nodeName` is left out: it belongs to the pod.
    ///
    /// # Errors
    /// If a field that the simulation reads has another type than the API's.
    pub fn from_wire(mut wire: Map<String, Value>) -> Result<Self, WireError> {
        wire.remove("nodeName");
        let value = Value::Object(wire);
        let mut spec = Self::deserialize(&value).map_err(|e| WireError::new("spec", e))?;
        spec.requests = Resources::from(&pod_requests(&value, ResourceOptions::default()));
        spec.qos_class = qos_class(&value);
        if let Value::Object(wire) = value {
            spec.wire = wire;
        }
        Ok(spec)
    }

    /// The spec in wire form, without `nodeName`.
    #[must_use]
    pub const fn wire(&self) -> &Map<String, Value> {
        &self.wire
    }

    /// Drops the required node affinity from a spec in wire form, and what is empty without it.
    pub fn remove_required_node_affinity(wire: &mut Map<String, Value>) {
        super::pin::remove(wire);
    }

    /// Whether a node of that name and with these labels is what the node selector and the required node affinity ask
    /// for (upstream `nodeaffinity.GetRequiredNodeAffinity`).
    #[must_use]
    pub fn accepts_node(&self, name: &str, labels: &Labels) -> bool {
        let required = self.affinity.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
        labels.contains_all(&self.node_selector) && required.is_none_or(|selector| selector.matches(name, labels))
    }

    /// The spec with another host name.
    #[must_use]
    pub fn with_hostname(&self, hostname: &str) -> Self {
        let mut spec = self.clone();
        spec.wire.insert("hostname".into(), hostname.into());
        spec.hostname = hostname.into();
        spec
    }

    /// The spec with an environment variable in every container that has none of that name, its value taken from a field of
    /// the pod.
    #[must_use]
    pub fn with_env_from_field(&self, variable: &str, field_path: &str) -> Self {
        let mut spec = self.clone();
        for list in ["initContainers", "containers"] {
            let containers = spec.wire.get_mut(list).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
                let env = container.entry("env").or_insert_with(|| Value::Array(Vec::new()));
                let Some(env) = env.as_array_mut() else { continue };
                if !env.iter().any(|given| given.get("name").and_then(Value::as_str) == Some(variable)) {
                    let source = json!({"fieldRef": {"apiVersion": "v1", "fieldPath": field_path}});
                    env.push(json!({"name": variable, "valueFrom": source}));
                }
            }
        }
        spec
    }
}

/// A pod template: what the pods of a workload are made of. Shared by the workload, its ReplicaSets and their pods.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodTemplate {
    metadata: Map<String, Value>,
    /// Labels that each pod gets.
    pub labels: Labels,
    /// Annotations that each pod gets.
    pub annotations: Labels,
    /// Finalizers that each pod gets.
    pub finalizers: SharedList<Arc<str>>,
    /// Spec that each pod gets.
    pub spec: Arc<PodSpec>,
    /// Node that each pod is bound to from the start; empty = a scheduler chooses.
    pub node_name: Arc<str>,
}

/// Label by which a Deployment tells its ReplicaSets apart.
pub const POD_TEMPLATE_HASH: &str = "pod-template-hash";

impl PodTemplate {
    /// Reads a defaulted, validated template in wire form.
    ///
    /// # Errors
    /// If a field that the simulation reads has another type than the API's.
    pub fn from_wire(template: Option<&Value>) -> Result<Self, WireError> {
        let empty = Map::new();
        let object = |value: Option<&Value>| value.and_then(Value::as_object).unwrap_or(&empty).clone();
        let template = object(template);
        let metadata = object(template.get("metadata"));
        let read = |key: &str| metadata.get(key).cloned().unwrap_or(Value::Null);
        let labels = |key: &str| Labels::deserialize(&read(key)).map_err(|e| WireError::new(key, e));
        Ok(Self {
            labels: labels("labels")?,
            annotations: labels("annotations")?,
            finalizers: SharedList::deserialize(&read("finalizers")).map_err(|e| WireError::new("finalizers", e))?,
            node_name: template.get("spec").and_then(|spec| spec.get("nodeName")?.as_str()).unwrap_or_default().into(),
            spec: Arc::new(PodSpec::from_wire(object(template.get("spec")))?),
            metadata,
        })
    }

    /// The template in wire form.
    #[must_use]
    pub fn to_wire(&self) -> Value {
        let mut template = Map::new();
        template.insert("metadata".into(), Value::Object(self.metadata.clone()));
        template.insert("spec".into(), Value::Object(self.spec_wire().into_owned()));
        Value::Object(template)
    }

    /// The spec in wire form, with the node of its pods if it names one.
    fn spec_wire(&self) -> Cow<'_, Map<String, Value>> {
        if self.node_name.is_empty() {
            return Cow::Borrowed(self.spec.wire());
        }
        let mut spec = self.spec.wire().clone();
        spec.insert("nodeName".into(), Value::String(self.node_name.to_string()));
        Cow::Owned(spec)
    }

    /// Whether it is that document, but for fields of these names.
    #[must_use]
    pub fn is_wire(&self, wire: &Value, ignored: &[&str]) -> bool {
        wire.as_object().is_some_and(|fields| {
            fields.iter().filter(|(key, _)| !ignored.contains(&key.as_str())).count() == 2
                && fields.get("metadata").and_then(Value::as_object) == Some(&self.metadata)
                && fields.get("spec").and_then(Value::as_object) == Some(&*self.spec_wire())
        })
    }

    /// The template with other labels.
    #[must_use]
    pub fn with_labels(&self, labels: Labels) -> Self {
        let mut template = self.clone();
        let wire = serde_json::to_value(&labels).unwrap_or_default();
        if labels.is_empty() {
            template.metadata.remove("labels");
        } else {
            template.metadata.insert("labels".into(), wire);
        }
        template.labels = labels;
        template
    }

    /// Whether two templates make the same pods, the `pod-template-hash` label aside (upstream
    /// `deployment/util.EqualIgnoreHash`). Both must be defaulted, so that equal values have equal texts.
    #[must_use]
    pub fn equal_ignoring_hash(&self, other: &Self) -> bool {
        fn without_hash(labels: &Labels) -> impl Iterator<Item = (&str, &str)> {
            labels.iter().filter(|(key, _)| *key != POD_TEMPLATE_HASH)
        }
        let same_labels =
            self.labels.ptr_eq(&other.labels) || without_hash(&self.labels).eq(without_hash(&other.labels));
        same_labels
            && self.node_name == other.node_name
            && self.rest_of_metadata().eq(other.rest_of_metadata())
            && (Arc::ptr_eq(&self.spec, &other.spec) || self.spec.wire == other.spec.wire)
    }

    fn rest_of_metadata(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.metadata.iter().filter(|(key, _)| *key != "labels")
    }
}
