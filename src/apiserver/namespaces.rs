//! Where objects may be created (admission plugin `NamespaceLifecycle`), and how namespaces end.

use std::sync::Arc;

use crate::api::{ApiError, Cause, DeleteOptions, Propagation, Response};
use crate::objects::{Key, Kind, Namespace, ObjectMeta, WallTime};

use super::delete::{FOREGROUND, ORPHAN, check_preconditions};
use super::{ApiServer, errors};

/// Namespaces that may not be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// The key of a cluster-scoped object.
pub(super) fn cluster_key(name: &Arc<str>) -> Key {
    Key { namespace: Arc::default(), name: name.clone() }
}

impl ApiServer {
    /// Refuses new content of a namespace that does not exist or is being terminated.
    pub(super) fn admit_into_namespace(
        &self,
        kind: Kind,
        meta: &ObjectMeta,
        key: impl Fn() -> Key,
    ) -> Result<(), ApiError> {
        if meta.namespace.is_empty() {
            let missing = kind.is_namespaced() && kind != Kind::Opaque;
            let refusal = || errors::bad_request("an empty namespace may not be set during creation");
            return if missing { Err(refusal()) } else { Ok(()) };
        }
        if !kind.is_namespaced() {
            return Err(errors::bad_request(errors::OTHER_NAMESPACE));
        }
        let namespace_key = cluster_key(&meta.namespace);
        let Some(namespace) = self.view().namespaces.get(&namespace_key) else {
            return Err(errors::not_found(Kind::Namespace, &namespace_key));
        };
        if namespace.phase != *"Terminating" {
            return Ok(());
        }
        Err(being_terminated(kind, &key()))
    }

    /// The first deletion of a namespace starts its termination; a later one removes it once its content is finalized
    /// (`pkg/registry/core/namespace/storage`).
    pub(super) fn delete_namespace(&mut self, now: WallTime, key: &Key, options: &DeleteOptions) -> Response {
        if IMMORTAL.contains(&&*key.name) {
            return Err(errors::forbidden(Kind::Namespace, key, "this namespace may not be deleted"));
        }
        let Some(old) = self.view().namespaces.get(key).cloned() else {
            return Err(errors::not_found(Kind::Namespace, key));
        };
        check_preconditions(Kind::Namespace, key, &old.meta, options)?;
        if old.meta.is_deleting() {
            return if old.finalizers.is_empty() {
                self.delete_stored::<Namespace>(now, key, options)
            } else {
                Ok(old.into())
            };
        }
        let mut new = Namespace::clone(&old);
        new.meta.deletion_timestamp = Some(now.timestamp());
        new.phase = "Terminating".into();
        set_policy_finalizers(&mut new.meta, options.propagation);
        Ok(self.replace(old, new))
    }
}

fn set_policy_finalizers(meta: &mut ObjectMeta, policy: Option<Propagation>) {
    let Some(policy) = policy else { return };
    let wanted = match policy {
        Propagation::Orphan => Some(ORPHAN),
        Propagation::Foreground => Some(FOREGROUND),
        Propagation::Background => None,
    };
    let others = meta.finalizers.iter().filter(|finalizer| ![ORPHAN, FOREGROUND].contains(&&***finalizer)).cloned();
    meta.finalizers = others.chain(wanted.map(Arc::from)).collect();
}

fn being_terminated(kind: Kind, key: &Key) -> ApiError {
    let namespace = &key.namespace;
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    let mut error = errors::forbidden(kind, key, why);
    error.causes.push(Cause {
        field: "metadata.namespace".into(),
        kind: "NamespaceTerminating".into(),
        text: format!("namespace {namespace} is being terminated"),
    });
    error
}
