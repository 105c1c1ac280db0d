//! What daemon pods look like (upstream `daemon/util/daemonset_util.go`), and which nodes such pods belong on.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controllers::controller_ref::controller_reference;
use crate::controllers::history::POD_REVISION_LABEL;
use crate::controllers::pod_control::PodFactory;
use crate::objects::{DaemonSet, Kind, Labels, Node, Pod, PodSpec, PodTemplate, Taint, Toleration};

/// Label of a daemon pod with the version of the template that it was made from.
pub const GENERATION_LABEL: &str = "pod-template-generation";

/// Taints, with their effect, that every daemon pod bears for ever.
const BORNE: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
/// One more for pods that use their node's network.
const BORNE_ON_HOST_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// Whether a DaemonSet has business on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eligibility {
    /// A pod is to be created if there is none.
    pub should_run: bool,
    /// A pod that is there may stay.
    pub should_continue: bool,
}

/// Which nodes the pods of a template belong on.
#[derive(Clone, Debug)]
pub struct Placement {
    template: Arc<PodTemplate>,
    tolerations: Vec<Toleration>,
}

impl Placement {
    /// The placement of a template's pods.
    #[must_use]
    pub fn new(template: &Arc<PodTemplate>) -> Self {
        let mut tolerations = template.spec.tolerations.clone();
        for (key, effect) in borne(&template.spec) {
            let toleration = forever(key, effect);
            let same =
                |known: &&mut Toleration| Toleration { toleration_seconds: None, ..(**known).clone() } == toleration;
            match tolerations.iter_mut().find(same) {
                Some(known) => *known = toleration,
                None => tolerations.push(toleration),
            }
        }
        Self { template: Arc::clone(template), tolerations }
    }

    /// The template.
    #[must_use]
    pub const fn template(&self) -> &Arc<PodTemplate> {
        &self.template
    }

    /// Whether the pods belong on a node (upstream `NodeShouldRunDaemonPod`). Resources, host ports and the node's
    /// conditions are the scheduler's business; a cordon shows as a taint that daemon pods bear.
    #[must_use]
    pub fn on(&self, node: &Node) -> Eligibility {
        let (name, labels) = (&node.meta.name, &node.meta.labels);
        let template = &self.template;
        let elsewhere = !template.node_name.is_empty() && template.node_name != *name;
        if elsewhere || !template.spec.accepts_node(name, labels) {
            return Eligibility::default();
        }
        let refused = |effect: &str| node.spec.taints.iter().any(|taint| taint.effect == *effect && !self.bears(taint));
        let evicted = refused("NoExecute");
        Eligibility { should_run: !evicted && !refused("NoSchedule"), should_continue: !evicted }
    }

    fn bears(&self, taint: &Taint) -> bool {
        self.tolerations.iter().any(|toleration| toleration.tolerates(taint))
    }
}

fn borne(spec: &PodSpec) -> impl Iterator<Item = (&'static str, &'static str)> {
    BORNE.into_iter().chain(spec.host_network.then_some(BORNE_ON_HOST_NETWORK))
}

fn forever(key: &str, effect: &str) -> Toleration {
    let (key, effect) = (key.into(), effect.into());
    Toleration { key, effect, operator: "Exists".into(), ..Toleration::default() }
}

/// Makes the pods of one revision of a DaemonSet. They share labels and spec.
///
/// # Errors
/// If the template holds what a pod cannot.
pub(super) fn factory(set: &DaemonSet, hash: &str) -> Result<PodFactory, String> {
    let template = &set.spec.template;
    let mut labels = template.labels.clone();
    if let Some(generation) = set.template_generation() {
        labels = labels.with(GENERATION_LABEL, &generation.to_string());
    }
    if !hash.is_empty() {
        labels = labels.with(POD_REVISION_LABEL, hash);
    }
    let mut wire = template.spec.wire().clone();
    add_tolerations(&mut wire, &template.spec);
    PodSpec::remove_required_node_affinity(&mut wire);
    let spec = PodSpec::from_wire(wire).map_err(|error| error.to_string())?;
    let mut pods: PodTemplate = template.with_labels(labels);
    pods.spec = Arc::new(spec);
    Ok(PodFactory::new(&pods, &set.meta, controller_reference(Kind::DaemonSet, &set.meta)))
}

/// The tolerations of [`Placement`], in wire form (upstream `AddOrUpdateDaemonPodTolerations`).
fn add_tolerations(wire: &mut serde_json::Map<String, Value>, spec: &PodSpec) {
    let tolerations = wire.entry("tolerations").or_insert(Value::Null);
    if !tolerations.is_array() {
        *tolerations = Value::Array(Vec::new());
    }
    let Value::Array(tolerations) = tolerations else { return };
    for (key, effect) in borne(spec) {
        let toleration = json!({"key": key, "operator": "Exists", "effect": effect});
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or("").to_owned();
        let same = |known: &&mut Value| {
            ["key", "operator", "effect", "value"].iter().all(|field| text(known, field) == text(&toleration, field))
        };
        match tolerations.iter_mut().find(same) {
            Some(known) => *known = toleration,
            None => tolerations.push(toleration),
        }
    }
}

/// Whether pods of that revision and version of the template carry such labels (upstream `IsPodUpdated`).
#[must_use]
pub fn is_updated(labels: &Labels, hash: &str, generation: Option<&str>) -> bool {
    let generation_matches = generation.is_some_and(|wanted| labels.get(GENERATION_LABEL) == Some(wanted));
    generation_matches || (!hash.is_empty() && labels.get(POD_REVISION_LABEL) == Some(hash))
}

/// The node that a daemon pod is on or meant for, if it says so (upstream `GetTargetNodeName`).
#[must_use]
pub fn target(pod: &Pod) -> Option<Arc<str>> {
    if pod.is_bound() {
        return Some(Arc::clone(&pod.node_name));
    }
    if !pod.pinned_to.is_empty() {
        return Some(Arc::clone(&pod.pinned_to));
    }
    let required = pod.spec.affinity.node_affinity.as_ref()?.required.as_ref()?;
    let fields = required.node_selector_terms.iter().flat_map(|term| &term.match_fields);
    let mut named = fields.filter(|field| &*field.key == "metadata.name" && &*field.operator == "In");
    match named.next()?.values.as_slice() {
        [only] => Some(Arc::clone(only)),
        _ => None,
    }
}
