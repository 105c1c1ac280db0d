//! What storage drivers run beside the cluster: a provisioner that makes and deletes volumes, and an attacher. They stand for
//! the sidecars of CSI drivers (`kubernetes-csi/external-provisioner` and `external-attacher`), and for the drivers
//! themselves, of which only the time remains that they take.

mod attacher;
mod provisioner;
mod topology;

pub use attacher::CsiAttacher;
pub use provisioner::CsiProvisioner;

use rustc_hash::FxHashMap;

use crate::kernel::SimDuration;
use crate::objects::{Uid, WallTime};

/// Work of a driver that takes time, by the uid of the object that it is about.
#[derive(Clone, Debug, Default)]
struct Jobs(FxHashMap<Uid, WallTime>);

/// Where a piece of work is.
enum Progress {
    /// It has just begun, and takes that long.
    Begun(SimDuration),
    /// It goes on that long.
    Running(SimDuration),
    /// It is done.
    Done,
}

impl Jobs {
    /// Begins the work, or looks how far it is; done work is forgotten.
    fn progress(&mut self, uid: &Uid, takes: SimDuration, now: WallTime) -> Progress {
        let Some(end) = self.0.get(uid) else {
            let end = now.plus_nanos(i64::try_from(takes.as_nanos()).unwrap_or(i64::MAX));
            self.0.insert(uid.clone(), end);
            return Progress::Begun(takes);
        };
        match u64::try_from(end.nanos_since(now)) {
            Ok(left) if left > 0 => Progress::Running(SimDuration::from_nanos(left)),
            _ => {
                self.0.remove(uid);
                Progress::Done
            }
        }
    }

    fn forget(&mut self, uid: &Uid) {
        self.0.remove(uid);
    }
}
