//! Which pods of a node a drain deletes (upstream `kubectl/pkg/drain/filters.go`).

use std::sync::Arc;

use crate::api::View;
use crate::objects::{Key, Kind, OwnerReference, Pod};

use super::DrainOptions;

/// Annotation of a pod that a kubelet runs from a file of its own.
const MIRROR: &str = "kubernetes.io/config.mirror";

const DAEMON_SET_ERROR: &str = "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)";
const LOCAL_STORAGE_ERROR: &str = "cannot delete Pods with local storage (use --delete-emptydir-data to override)";
const UNMANAGED_ERROR: &str = "cannot delete Pods that declare no controller (use --force to override)";
const DAEMON_SET_WARNING: &str = "ignoring DaemonSet-managed Pods";
const LOCAL_STORAGE_WARNING: &str = "deleting Pods with local storage";
const UNMANAGED_WARNING: &str = "deleting Pods that declare no controller";

/// The pods that go, and what kubectl says.
#[derive(Debug, Default)]
pub(super) struct Filtered {
    pub(super) pods: Vec<Arc<Pod>>,
    pub(super) warnings: Vec<String>,
    pub(super) errors: Vec<String>,
}

/// What one filter makes of a pod.
enum Verdict {
    Delete,
    Warn(&'static str),
    Skip(Option<&'static str>),
    Error(String),
}

pub(super) fn filter(view: &View, node: &str, options: &DrainOptions) -> Filtered {
    let mut pods: Vec<&Arc<Pod>> = view.pods_on(node).collect();
    pods.sort_by_key(|pod| (pod.meta.namespace.clone(), pod.meta.name.clone()));
    let mut filtered = Filtered::default();
    let (mut warned, mut refused) = (Groups::default(), Groups::default());
    for pod in pods {
        match verdict(view, pod, options) {
            Verdict::Delete => filtered.pods.push(pod.clone()),
            Verdict::Warn(why) => {
                warned.add(why.to_owned(), pod);
                filtered.pods.push(pod.clone());
            }
            Verdict::Skip(why) => {
                if let Some(why) = why {
                    warned.add(why.to_owned(), pod);
                }
            }
            Verdict::Error(why) => refused.add(why, pod),
        }
    }
    filtered.warnings = warned.texts();
    filtered.errors = refused.texts();
    filtered
}

/// The filters in upstream's order. The first that keeps the pod decides; of several warnings the last is told.
fn verdict(view: &View, pod: &Pod, options: &DrainOptions) -> Verdict {
    let filters = [daemon_set(view, pod, options), mirror(pod), local_storage(pod, options), unmanaged(pod, options)];
    let mut verdict = Verdict::Delete;
    for filter in filters {
        match filter {
            Verdict::Delete => {}
            warning @ Verdict::Warn(_) => verdict = warning,
            decided @ (Verdict::Skip(_) | Verdict::Error(_)) => return decided,
        }
    }
    verdict
}

fn daemon_set(view: &View, pod: &Pod, options: &DrainOptions) -> Verdict {
    let Some(owner) = pod.meta.controller().filter(|owner| &*owner.kind == "DaemonSet") else { return Verdict::Delete };
    if pod.is_terminal() {
        return Verdict::Delete;
    }
    if !owner_exists(view, pod, owner) {
        return if options.force {
            Verdict::Warn(UNMANAGED_WARNING)
        } else {
            Verdict::Error(format!("cannot delete daemonsets.apps {:?} not found", &*owner.name))
        };
    }
    if options.ignore_daemonsets {
        Verdict::Skip(Some(DAEMON_SET_WARNING))
    } else {
        Verdict::Error(DAEMON_SET_ERROR.to_owned())
    }
}

fn mirror(pod: &Pod) -> Verdict {
    if pod.meta.annotations.get(MIRROR).is_some() { Verdict::Skip(None) } else { Verdict::Delete }
}

fn local_storage(pod: &Pod, options: &DrainOptions) -> Verdict {
    let has_empty_dir = pod.spec.volumes.iter().any(|volume| volume.empty_dir.is_some());
    if !has_empty_dir || pod.is_terminal() {
        Verdict::Delete
    } else if options.delete_emptydir_data {
        Verdict::Warn(LOCAL_STORAGE_WARNING)
    } else {
        Verdict::Error(LOCAL_STORAGE_ERROR.to_owned())
    }
}

fn unmanaged(pod: &Pod, options: &DrainOptions) -> Verdict {
    if pod.is_terminal() || pod.meta.controller().is_some() {
        Verdict::Delete
    } else if options.force {
        Verdict::Warn(UNMANAGED_WARNING)
    } else {
        Verdict::Error(UNMANAGED_ERROR.to_owned())
    }
}

fn owner_exists(view: &View, pod: &Pod, owner: &OwnerReference) -> bool {
    let kind = Kind::of(&owner.api_version, &owner.kind);
    kind.is_some_and(|kind| view.object(kind, &Key::new(pod.meta.namespace.clone(), owner.name.clone())).is_some())
}

/// Pods by what is said of them, in the order in which it first came up.
#[derive(Default)]
struct Groups(Vec<(String, Vec<String>)>);

impl Groups {
    fn add(&mut self, why: String, pod: &Pod) {
        let name = format!("{}/{}", pod.meta.namespace, pod.meta.name);
        match self.0.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(name),
            None => self.0.push((why, vec![name])),
        }
    }

    /// `why: namespace/pod, …`, sorted as kubectl does.
    fn texts(mut self) -> Vec<String> {
        self.0.sort();
        self.0.into_iter().map(|(why, names)| format!("{why}: {}", names.join(", "))).collect()
    }
}
