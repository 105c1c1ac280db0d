//! Controllers of volumes (upstream `pkg/controller/volume`).

pub mod persistent_volume;
mod protection;
pub mod pv_protection;
pub mod pvc_protection;

pub use persistent_volume::PersistentVolumeController;
pub use pv_protection::PvProtectionController;
pub use pvc_protection::PvcProtectionController;
