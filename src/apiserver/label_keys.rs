//! `matchLabelKeys` and `mismatchLabelKeys` of new pods: they become part of the selectors beside them.

use std::sync::Arc;

use crate::objects::{DerivedSpecs, Labels, PodSpec, WireError, merge_label_keys};

/// Merged specs by the pod's labels.
#[derive(Clone, Debug, Default)]
pub(super) struct LabelKeys(DerivedSpecs<Labels, Arc<PodSpec>>);

impl LabelKeys {
    /// The spec of a new pod with these labels.
    ///
    /// # Errors
    /// If a selector is none any more.
    pub(super) fn merge(&mut self, spec: &Arc<PodSpec>, labels: &Labels) -> Result<Arc<PodSpec>, WireError> {
        if !spec.affinity.is_about_pods() && spec.topology_spread_constraints.is_empty() {
            return Ok(spec.clone());
        }
        self.0.of(spec, labels.clone(), |labels| {
            let mut wire = spec.wire().clone();
            let changed = merge_label_keys(&mut wire, labels);
            Ok(if changed { Arc::new(PodSpec::from_wire(wire)?) } else { spec.clone() })
        })
    }
}
