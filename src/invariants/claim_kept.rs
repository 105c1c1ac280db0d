//! A claim keeps its volume, and a volume its content.

use crate::objects::storage::{ReclaimPolicy, claim_phase};
use crate::objects::{Key, Kind, Uid};
use crate::sim::{Content, Simulation};

use super::{Invariant, Violation};

/// A claim that was bound stays bound to the same volume, and what was written to that volume stays there, for as long as
/// nobody deletes the volume. With the policy `Retain` the content stays also when the claim is gone.
#[derive(Debug)]
pub struct ClaimKept {
    claim: Key,
    bound: Option<Bound>,
}

/// What was seen of the volume.
#[derive(Debug)]
struct Bound {
    claim: Uid,
    volume: Key,
    uid: Uid,
    content: Option<Content>,
}

impl ClaimKept {
    /// Of the claim of that name, and any later one.
    #[must_use]
    pub const fn of(claim: Key) -> Self {
        Self { claim, bound: None }
    }

    fn broken(&self, sim: &Simulation, story: String) -> Violation {
        Violation::new(Violation::name("claimKept", Kind::PersistentVolumeClaim, &self.claim), sim, story)
    }

    /// What the volume that was seen has lost.
    fn check_volume(&mut self, sim: &Simulation) -> Result<(), Violation> {
        let Some(bound) = &self.bound else { return Ok(()) };
        let view = sim.view();
        let claim = view.persistent_volume_claims.get(&self.claim).filter(|claim| claim.meta.uid == bound.claim);
        let Some(volume) = view.persistent_volumes.get(&bound.volume).filter(|volume| volume.meta.uid == bound.uid)
        else {
            self.bound = None;
            return Ok(());
        };
        let name = &bound.volume;
        if let Some(claim) = claim {
            if claim.phase() == claim_phase::LOST {
                return Err(self.broken(sim, format!("the claim is lost, although volume {name} is there")));
            }
            if *claim.spec.volume_name != *name.name {
                let now = &claim.spec.volume_name;
                return Err(self.broken(sim, format!("the claim was bound to volume {name} and is now to {now:?}")));
            }
        }
        let content = sim.disks().content(volume).cloned();
        let is_kept = claim.is_some() || volume.spec.persistent_volume_reclaim_policy == ReclaimPolicy::Retain;
        if is_kept && bound.content.is_some() && content != bound.content {
            return Err(self.broken(sim, format!("what was on volume {name} is gone")));
        }
        if let Some(bound) = &mut self.bound {
            bound.content = content;
        }
        Ok(())
    }
}

impl Invariant for ClaimKept {
    fn check(&mut self, sim: &Simulation) -> Result<(), Violation> {
        self.check_volume(sim)?;
        let view = sim.view();
        let Some(claim) = view.persistent_volume_claims.get(&self.claim).filter(|claim| claim.is_bound()) else {
            return Ok(());
        };
        if self.bound.as_ref().is_none_or(|bound| bound.claim != claim.meta.uid) {
            let volume = Key::new("", &*claim.spec.volume_name);
            self.bound = view.persistent_volumes.get(&volume).map(|found| Bound {
                claim: claim.meta.uid.clone(),
                volume,
                uid: found.meta.uid.clone(),
                content: sim.disks().content(found).cloned(),
            });
        }
        Ok(())
    }
}
