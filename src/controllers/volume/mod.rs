//! Controllers of volumes (upstream `pkg/controller/volume`), and what stands for storage drivers.

pub mod attach_detach;
pub mod csi;
pub mod persistent_volume;
mod protection;
pub mod pv_protection;
pub mod pvc_protection;

pub use attach_detach::AttachDetachController;
pub use csi::{CsiAttacher, CsiProvisioner};
pub use persistent_volume::PersistentVolumeController;
pub use pv_protection::PvProtectionController;
pub use pvc_protection::PvcProtectionController;
