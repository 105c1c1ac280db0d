//! Pods whose documents are like an earlier one in all but the name, as those of a trace or a loop are: what was worked out
//! for the earlier one holds for them too, and they share its spec.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde_json::Value;

use crate::api::Response;
use crate::objects::{Kind, Pod, Resource, WallTime, names};

use super::super::ApiServer;
use super::metadata;

/// How many documents are remembered.
const DOCUMENTS_MAX: usize = 256;

/// Documents of pods without their names, and the pods that they were made into: completed, admitted and validated, not
/// stored.
#[derive(Clone, Debug, Default)]
pub(in crate::apiserver) struct Repeated(FxHashMap<Arc<Value>, Arc<Pod>>);

impl Repeated {
    /// Forgets all: what documents are completed from changed.
    pub(in crate::apiserver) fn forget(&mut self) {
        self.0.clear();
    }

    /// Remembers what a document was made into, unless that depends on the instant.
    pub(super) fn remember(&mut self, document: Nameless, pod: &Arc<Pod>) {
        if pod.spec.scheduling_gates.is_empty() {
            if self.0.len() >= DOCUMENTS_MAX {
                self.0.clear();
            }
            self.0.insert(Arc::new(document.0), pod.clone());
        }
    }
}

/// The document of a pod without its name.
pub(super) struct Nameless(Value);

impl ApiServer {
    /// Creates a pod as an earlier one was, if there was one. Refusals are left to the long way, which has the words for
    /// them.
    pub(super) fn create_like_earlier(
        &mut self,
        now: WallTime,
        document: &mut Value,
    ) -> Result<Response, Option<Nameless>> {
        let is_pod = document.get("kind").and_then(Value::as_str) == Some(Kind::Pod.as_str());
        if !is_pod || self.pod_presets.enabled {
            return Err(None);
        }
        let Ok(metadata) = metadata(document) else { return Err(None) };
        let Some(name) = metadata.get_mut("name").filter(|name| name.is_string()).map(Value::take) else {
            return Err(None);
        };
        let found = self.repeated.0.get(&*document).map(|earlier| Pod::clone(earlier));
        let created = found.and_then(|pod| self.create_named(now, pod, name.as_str().unwrap_or_default()));
        created.ok_or_else(|| {
            let nameless = Nameless(document.clone());
            if let Some(place) = document.pointer_mut("/metadata/name") {
                *place = name;
            }
            Some(nameless)
        })
    }

    fn create_named(&mut self, now: WallTime, mut pod: Pod, name: &str) -> Option<Response> {
        pod.meta.name = name.into();
        let key = pod.key();
        let is_fine = names::name_is_dns_subdomain(name, false).is_empty()
            && self.view().pods.get(&key).is_none()
            && self.admit_into_namespace(Kind::Pod, &pod.meta, || key.clone()).is_ok();
        if !is_fine {
            return None;
        }
        let uid = self.identity.uid(Kind::Pod, &key.namespace, &key.name);
        Some(self.create_prepared(now, Arc::new(pod), uid))
    }
}
