//! What a user does to a cluster, in kubectl's verbs.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::{ApiError, DeleteOptions, MetaPatch, Part, PatchType, Request};
use crate::apiserver::Applied;
use crate::controllers::cloud_node_lifecycle::Instance;
use crate::controllers::deployment::kubectl;
use crate::controllers::history::kubectl::Workload;
use crate::objects::reader::{Document, ReaderLimits, read_manifests};
use crate::objects::{DaemonSet, Deployment, Key, Kind, Object, Pod, StatefulSet, Uid};

use super::builder::NodeTemplate;
use super::error::SimError;
use super::simulation::Simulation;

/// A target such as `deployment/web`, in namespace `default` unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Kind.
    pub kind: Kind,
    /// Namespace and name.
    pub key: Key,
}

impl std::str::FromStr for Target {
    type Err = SimError;

    /// Reads `kind/name` or `namespace/kind/name`; the kind as kubectl takes it.
    fn from_str(text: &str) -> Result<Self, SimError> {
        let parts: Vec<&str> = text.split('/').collect();
        let (namespace, kind, name) = match parts[..] {
            [kind, name] => ("default", kind, name),
            [namespace, kind, name] => (namespace, kind, name),
            _ => return Err(SimError::Target(text.to_owned())),
        };
        if name.is_empty() || namespace.is_empty() {
            return Err(SimError::Target(text.to_owned()));
        }
        let kind = Kind::parse(kind).ok_or_else(|| SimError::UnknownKind(kind.to_owned()))?;
        let namespace = if kind.is_namespaced() { namespace } else { "" };
        Ok(Self { kind, key: Key::new(namespace, name) })
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.as_str().to_ascii_lowercase(), self.key.name)
    }
}

impl Simulation {
    /// Applies manifests as `kubectl apply -f` does: all of them, or nothing if one cannot be read.
    ///
    /// # Errors
    /// If a manifest cannot be read, or the API server refuses an object (those before it are applied).
    pub fn apply(&mut self, manifests: &str) -> Result<Vec<(Object, Applied)>, SimError> {
        let documents = read_manifests("manifest", manifests, &ReaderLimits::default()).map_err(SimError::Manifest)?;
        documents.iter().map(|document| Ok(self.apply_document(document)?)).collect()
    }

    /// Applies one manifest that was read already.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub fn apply_document(&mut self, document: &Document) -> Result<(Object, Applied), ApiError> {
        self.api_server_answers()?;
        let now = self.wall();
        let applied = self.server.apply_document(now, document.value.clone());
        self.publish();
        applied
    }

    /// Creates an object from one manifest that was read already, as `kubectl create -f` does: cheaper than
    /// [`apply_document`](Self::apply_document), and without its annotation.
    ///
    /// # Errors
    /// If the object exists, or the API server refuses it.
    pub fn create_document(&mut self, document: &Document) -> Result<Object, ApiError> {
        self.create(document.value.clone())
    }

    /// Creates an object from its JSON, as a `POST` does.
    ///
    /// # Errors
    /// If the object exists, or the API server refuses it.
    pub fn create(&mut self, document: Value) -> Result<Object, ApiError> {
        self.api_server_answers()?;
        let now = self.wall();
        let created = self.server.create_document(now, document);
        self.publish();
        created
    }

    /// Replaces an object, or a part of it, by its JSON, as a `PUT` does: `kubectl replace`.
    ///
    /// # Errors
    /// If there is no such object, it is newer than the document's `resourceVersion`, or the API server refuses it.
    pub fn replace(&mut self, document: Value, part: Part) -> Result<Object, ApiError> {
        self.api_server_answers()?;
        let now = self.wall();
        let replaced = self.server.update_document(now, document, part);
        self.publish();
        replaced
    }

    /// The object of a target as the API server has it.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, target: &Target) -> Result<Object, ApiError> {
        let found = self.view().object(target.kind, &target.key);
        found.ok_or_else(|| ApiError::not_found(target.kind, &target.key))
    }

    /// Changes the image of a container (`*` = of all): `kubectl set image`.
    ///
    /// # Errors
    /// If the object or the container does not exist, or the API server refuses.
    pub fn set_image(&mut self, target: &Target, container: &str, image: &str) -> Result<Object, SimError> {
        let wire = self.get(target)?.to_wire();
        let path = if target.kind == Kind::Pod { "/spec/containers" } else { "/spec/template/spec/containers" };
        let containers = wire.pointer(path).and_then(Value::as_array);
        let Some(containers) = containers else {
            return Err(SimError::Verb { verb: "set image", kind: target.kind });
        };
        let names = containers.iter().filter_map(|c| c.get("name")?.as_str());
        let chosen: Vec<Value> = names
            .filter(|name| container == "*" || container == *name)
            .map(|name| json!({"name": name, "image": image}))
            .collect();
        if chosen.is_empty() {
            return Err(SimError::Cluster(format!("error: unable to find container named {container:?}")));
        }
        let spec = json!({"containers": chosen});
        let patch = if target.kind == Kind::Pod {
            json!({"spec": spec})
        } else {
            json!({"spec": {"template": {"spec": spec}}})
        };
        Ok(self.patch(target, PatchType::Strategic, &patch)?)
    }

    /// Sets the number of replicas: `kubectl scale`.
    ///
    /// # Errors
    /// If the object does not exist or cannot be scaled.
    pub fn scale(&mut self, target: &Target, replicas: i32) -> Result<Object, ApiError> {
        self.api_server_answers()?;
        let now = self.wall();
        let response = self.server.scale(now, target.kind, &target.key, replicas);
        self.publish();
        response
    }

    /// Patches an object: `kubectl patch`.
    ///
    /// # Errors
    /// If the object does not exist, the patch is malformed, or its result is invalid.
    pub fn patch(&mut self, target: &Target, patch_type: PatchType, patch: &Value) -> Result<Object, ApiError> {
        self.patch_part(target, patch_type, patch, Part::Main)
    }

    /// Patches a part of an object: `kubectl patch --subresource`.
    ///
    /// # Errors
    /// As [`patch`](Self::patch).
    pub fn patch_part(
        &mut self,
        target: &Target,
        patch_type: PatchType,
        patch: &Value,
        part: Part,
    ) -> Result<Object, ApiError> {
        self.api_server_answers()?;
        let now = self.wall();
        let response = self.server.patch(now, target.kind, &target.key, patch_type, patch, part);
        self.publish();
        response
    }

    /// What a patch makes of an object in a version that is served, such as `autoscaling/v1`, before the API server checks or
    /// completes it. Nothing is changed.
    ///
    /// # Errors
    /// If the object does not exist, or the patch does not apply.
    pub fn patched_document(
        &self,
        target: &Target,
        api_version: &str,
        patch_type: PatchType,
        patch: &Value,
    ) -> Result<Value, ApiError> {
        self.server.patched_document(target.kind, &target.key, api_version, patch_type, patch)
    }

    /// Adds an ephemeral container to a pod: `kubectl debug POD --image=IMAGE`. It starts beside the others, is never
    /// restarted, and cannot be changed or removed.
    ///
    /// Without a `name` it is called `debugger-N`, with the first free number from 1 (kubectl draws letters). Default
    /// settings of kubectl otherwise: standard input and a terminal.
    ///
    /// # Errors
    /// If there is no such pod, or the API server refuses the container.
    pub fn debug(&mut self, target: &Target, debug: &Debug) -> Result<Object, SimError> {
        let Object::Pod(pod) = self.get(target)? else {
            return Err(SimError::Verb { verb: "debug", kind: target.kind });
        };
        let name = debug.name.clone().unwrap_or_else(|| free_debugger_name(&pod));
        let mut container = json!({"name": name, "image": debug.image, "stdin": true, "tty": true});
        if let Some(beside) = &debug.target_container {
            container["targetContainerName"] = beside.as_str().into();
        }
        let patch = json!({"spec": {"ephemeralContainers": [container]}});
        Ok(self.patch_part(target, PatchType::Strategic, &patch, Part::EphemeralContainers)?)
    }

    /// Deletes an object: `kubectl delete`.
    ///
    /// # Errors
    /// If the object does not exist or a precondition fails.
    pub fn delete(&mut self, target: &Target, options: DeleteOptions) -> Result<Object, ApiError> {
        self.execute(&Request::Delete { kind: target.kind, key: target.key.clone(), options })
    }

    /// Sets labels, or removes those that are `None`: `kubectl label --overwrite`.
    ///
    /// # Errors
    /// If the object does not exist.
    pub fn label(&mut self, target: &Target, labels: Changes) -> Result<Object, ApiError> {
        self.patch_meta(target, MetaPatch { labels, ..MetaPatch::default() })
    }

    /// Sets annotations, or removes those that are `None`: `kubectl annotate --overwrite`.
    ///
    /// # Errors
    /// If the object does not exist.
    pub fn annotate(&mut self, target: &Target, annotations: Changes) -> Result<Object, ApiError> {
        self.patch_meta(target, MetaPatch { annotations, ..MetaPatch::default() })
    }

    fn patch_meta(&mut self, target: &Target, patch: MetaPatch) -> Result<Object, ApiError> {
        let request = Request::PatchMeta { kind: target.kind, key: target.key.clone(), uid: Uid::None, patch };
        self.execute(&request)
    }

    /// Undoes the last rollout, or goes back to a revision: `kubectl rollout undo`. Returns kubectl's message.
    ///
    /// # Errors
    /// If there is no such revision.
    pub fn rollout_undo(&mut self, target: &Target, to_revision: Option<i64>) -> Result<String, SimError> {
        let to = to_revision.unwrap_or(0);
        let rollout = match self.rolled(target, "rollout undo")? {
            Rolled::Deployment(deployment) => kubectl::undo(self.view(), &deployment, to),
            Rolled::StatefulSet(set) => Workload::from(&*set).undo(self.view(), to),
            Rolled::DaemonSet(set) => Workload::from(&*set).undo(self.view(), to),
        };
        self.carry_out(rollout)
    }

    /// Pauses a rollout: `kubectl rollout pause`.
    ///
    /// # Errors
    /// If it is paused already, or cannot be paused.
    pub fn rollout_pause(&mut self, target: &Target) -> Result<String, SimError> {
        let rollout = match self.rolled(target, "rollout pause")? {
            Rolled::Deployment(deployment) => kubectl::pause(&deployment),
            Rolled::StatefulSet(set) => Err(Workload::from(&*set).refuse("pausing")),
            Rolled::DaemonSet(set) => Err(Workload::from(&*set).refuse("pausing")),
        };
        self.carry_out(rollout)
    }

    /// Resumes a rollout: `kubectl rollout resume`.
    ///
    /// # Errors
    /// If it is not paused, or cannot be.
    pub fn rollout_resume(&mut self, target: &Target) -> Result<String, SimError> {
        let rollout = match self.rolled(target, "rollout resume")? {
            Rolled::Deployment(deployment) => kubectl::resume(&deployment),
            Rolled::StatefulSet(set) => Err(Workload::from(&*set).refuse("resuming")),
            Rolled::DaemonSet(set) => Err(Workload::from(&*set).refuse("resuming")),
        };
        self.carry_out(rollout)
    }

    /// Replaces all pods: `kubectl rollout restart`.
    ///
    /// # Errors
    /// If the rollout is paused.
    pub fn rollout_restart(&mut self, target: &Target) -> Result<String, SimError> {
        let rollout = match self.rolled(target, "rollout restart")? {
            Rolled::Deployment(deployment) => kubectl::restart(&deployment, self.wall()),
            Rolled::StatefulSet(set) => Workload::from(&*set).restart(self.wall()),
            Rolled::DaemonSet(set) => Workload::from(&*set).restart(self.wall()),
        };
        self.carry_out(rollout)
    }

    /// Makes a Job of a CronJob's template now: `kubectl create job NAME --from=cronjob/…`.
    ///
    /// # Errors
    /// If the object is no CronJob, does not exist, or the API server refuses the Job.
    pub fn create_job_from(&mut self, cron_job: &Target, name: &str) -> Result<Object, SimError> {
        if cron_job.kind != Kind::CronJob {
            return Err(SimError::Verb { verb: "create job --from", kind: cron_job.kind });
        }
        let wire = self.get(cron_job)?.to_wire();
        let (meta, template) = (&wire["metadata"], &wire["spec"]["jobTemplate"]);
        let mut annotations = Map::from_iter([("cronjob.kubernetes.io/instantiate".to_owned(), json!("manual"))]);
        annotations.extend(template["metadata"]["annotations"].as_object().cloned().unwrap_or_default());
        let job = json!({
            "apiVersion": Kind::Job.api_version(),
            "kind": Kind::Job.as_str(),
            "metadata": {
                "name": name,
                "namespace": meta["namespace"],
                "annotations": annotations,
                "labels": template["metadata"]["labels"],
                "ownerReferences": [{
                    "apiVersion": Kind::CronJob.api_version(), "kind": Kind::CronJob.as_str(),
                    "name": meta["name"], "uid": meta["uid"], "controller": true,
                }],
            },
            "spec": template["spec"],
        });
        Ok(self.create(job)?)
    }

    /// The object of a target that `kubectl rollout` knows.
    fn rolled(&self, target: &Target, verb: &'static str) -> Result<Rolled, SimError> {
        match self.get(target)? {
            Object::Deployment(deployment) => Ok(Rolled::Deployment(deployment)),
            Object::StatefulSet(set) => Ok(Rolled::StatefulSet(set)),
            Object::DaemonSet(set) => Ok(Rolled::DaemonSet(set)),
            _ => Err(SimError::Verb { verb, kind: target.kind }),
        }
    }

    fn carry_out(&mut self, rollout: Result<kubectl::Rollout, String>) -> Result<String, SimError> {
        let rollout = rollout.map_err(|refusal| SimError::Cluster(format!("error: {refusal}")))?;
        if let Some(request) = &rollout.request {
            self.execute(request)?;
        }
        Ok(rollout.result)
    }

    /// Marks a node as not to be used for new pods, or takes the mark away: `kubectl cordon`, `kubectl uncordon`.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn cordon(&mut self, node: &str, on: bool) -> Result<Object, ApiError> {
        self.patch(&node_target(node), PatchType::Merge, &json!({"spec": {"unschedulable": on.then_some(true)}}))
    }

    /// Replaces the taints of a node.
    ///
    /// # Errors
    /// If there is no such node or a taint is invalid.
    pub fn taint(&mut self, node: &str, taints: &Value) -> Result<Object, ApiError> {
        self.patch(&node_target(node), PatchType::Merge, &json!({"spec": {"taints": taints}}))
    }

    /// Adds a machine, which registers itself as a Ready node.
    ///
    /// # Errors
    /// If a node of that name exists, or the machine is described wrongly.
    pub fn add_node(&mut self, node: &NodeTemplate) -> Result<(), SimError> {
        self.join(node)
    }

    /// Stops a machine: its processes are gone, and it says nothing any more. What the cluster knows stays as it was.
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn node_down(&mut self, node: &str) -> Result<(), SimError> {
        let number = self.machine(node)?;
        self.stop_machine(number);
        Ok(())
    }

    /// Starts a machine that was stopped. Its kubelet starts the pods anew that are still bound to it.
    ///
    /// # Errors
    /// If there is no such machine, or it was taken away.
    pub fn node_up(&mut self, node: &str) -> Result<(), SimError> {
        let number = self.existing_machine(node)?;
        match self.kubelets.nodes[number as usize].instance() {
            Instance::Stopped => self.boot(number),
            Instance::Running | Instance::Gone => self.start_machine(number),
        }
        Ok(())
    }

    /// Stops a machine and deletes its Node object.
    ///
    /// # Errors
    /// If there is no such machine.
    pub fn delete_node(&mut self, node: &str) -> Result<(), SimError> {
        self.node_down(node)?;
        self.delete(&node_target(node), DeleteOptions::default())?;
        Ok(())
    }

    /// Whether the machine of that name exists and runs.
    #[must_use]
    pub fn machine_is_up(&self, node: &str) -> bool {
        self.machine(node).is_ok_and(|number| self.kubelets.nodes[number as usize].kubelet.is_running())
    }

    pub(super) fn machine(&self, node: &str) -> Result<u32, SimError> {
        self.kubelets.by_name.get(node).copied().ok_or_else(|| SimError::NoNode(node.to_owned()))
    }
}

/// An ephemeral container for [`Simulation::debug`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Debug {
    /// Image.
    pub image: String,
    /// Name; absent = `debugger-N`.
    pub name: Option<String>,
    /// Container whose processes it sees.
    pub target_container: Option<String>,
}

fn free_debugger_name(pod: &Pod) -> String {
    let taken = |name: &str| {
        let spec = &pod.spec;
        let all = spec.init_containers.iter().chain(&spec.containers).chain(&spec.ephemeral_containers);
        all.into_iter().any(|container| *container.name == *name)
    };
    let mut names = (1u32..).map(|number| format!("debugger-{number}"));
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// What `kubectl rollout` knows.
enum Rolled {
    Deployment(Arc<Deployment>),
    StatefulSet(Arc<StatefulSet>),
    DaemonSet(Arc<DaemonSet>),
}

/// Keys with new values; `None` removes.
pub type Changes = Vec<(Arc<str>, Option<Arc<str>>)>;

fn node_target(name: &str) -> Target {
    Target { kind: Kind::Node, key: Key::new("", name) }
}
