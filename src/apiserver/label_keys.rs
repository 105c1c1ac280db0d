//! `matchLabelKeys` and `mismatchLabelKeys` of new pods: they become part of the selectors beside them.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::objects::{Labels, PodSpec, WireError, merge_label_keys};

/// How many specs are remembered.
const SPECS_MAX: usize = 1024;

/// Merged specs by the identity of the spec they were made from and the pod's labels, so that pods of one template share
/// one.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelKeys(FxHashMap<(usize, Labels), Merged>);

#[derive(Clone, Debug)]
struct Merged {
    /// Kept so that no other spec comes to the same address.
    _from: Arc<PodSpec>,
    to: Arc<PodSpec>,
}

impl LabelKeys {
    /// The spec of a new pod with these labels.
    ///
    /// # Errors
    /// If a selector is none any more.
    pub(super) fn merge(&mut self, spec: &Arc<PodSpec>, labels: &Labels) -> Result<Arc<PodSpec>, WireError> {
        if !spec.affinity.is_about_pods() && spec.topology_spread_constraints.is_empty() {
            return Ok(spec.clone());
        }
        let key = (Arc::as_ptr(spec).addr(), labels.clone());
        if let Some(known) = self.0.get(&key) {
            return Ok(known.to.clone());
        }
        let mut wire = spec.wire().clone();
        let changed = merge_label_keys(&mut wire, labels);
        let to = if changed { Arc::new(PodSpec::from_wire(wire)?) } else { spec.clone() };
        if self.0.len() >= SPECS_MAX {
            self.0.clear();
        }
        self.0.insert(key, Merged { _from: spec.clone(), to: to.clone() });
        Ok(to)
    }
}
