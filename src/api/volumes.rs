//! From pods to the volumes behind their claims.

use std::sync::Arc;

use serde_json::Value;

use crate::objects::wire::Wire;
use crate::objects::{Key, PersistentVolume};

use super::View;

/// The volume that a claim is bound to, both ways.
#[must_use]
pub fn bound_volume<'a>(view: &'a View, claim: &Key) -> Option<&'a Arc<PersistentVolume>> {
    let claim = view.persistent_volume_claims.get(claim)?;
    let volume = view.persistent_volumes.get(&Key::new("", &*claim.spec.volume_name))?;
    volume.is_for(claim).then_some(volume)
}

/// The driver of a volume that must be attached to a node before it is mounted there: any CSI driver, unless its CSIDriver
/// object says otherwise.
#[must_use]
pub fn attached_by(view: &View, volume: &PersistentVolume) -> Option<Arc<str>> {
    let driver = volume.spec.rest.get("csi")?.text("driver");
    let known = view.opaque.get(&Key::new("", format!("CSIDriver.storage.k8s.io/{driver}")));
    let attached = known.and_then(|known| known.rest.get("spec")?.flag_some("attachRequired")).unwrap_or(true);
    attached.then(|| driver.into())
}

/// The name of a volume of a CSI driver in the status of nodes.
#[must_use]
pub fn unique_name(volume: &PersistentVolume) -> String {
    let csi = volume.spec.rest.get("csi").unwrap_or(&Value::Null);
    format!("kubernetes.io/csi/{}^{}", csi.text("driver"), csi.text("volumeHandle"))
}
