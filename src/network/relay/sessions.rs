//! Cookies that clients were given, by which they come back to their endpoint.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::kernel::Stream;

use super::super::ids::TargetId;
use super::super::ingress::{Affinity, GroupId, Session};
use super::intern::BackendId;
use super::peers::Peer;

/// Who comes, and when.
#[derive(Clone, Copy, Debug)]
pub(in crate::network) struct Visit {
    pub(in crate::network) client: u16,
    /// Which of the client's users or addresses.
    pub(in crate::network) who: u64,
    /// ns.
    pub(in crate::network) now: u64,
}

#[derive(Clone, Debug)]
struct Kept {
    session: Session,
    /// The peer that it stands for, among these.
    target: TargetId,
    peers: Arc<[Peer]>,
    /// When the cookie was set, ns.
    set: u64,
}

/// The cookies of all clients.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Sessions {
    kept: FxHashMap<(u16, u64), Kept>,
}

impl Sessions {
    /// The backend that the cookie of a visitor is about.
    pub(in crate::network) fn backend(&self, visit: Visit, affinity: &Affinity) -> Option<BackendId> {
        let kept = self.kept.get(&(visit.client, visit.who)).filter(|kept| !kept.is_over(visit.now, affinity))?;
        Some(BackendId(kept.session.group.0))
    }

    /// The peer of a visitor.
    pub(in crate::network) fn pick(
        &mut self,
        (visit, backend): (Visit, BackendId),
        affinity: &Affinity,
        peers: &Arc<[Peer]>,
        failed: &[TargetId],
        luck: &mut Stream,
    ) -> Option<TargetId> {
        let place = (visit.client, visit.who);
        let known = self.kept.get(&place).filter(|kept| !kept.is_over(visit.now, affinity));
        let group = GroupId(backend.0);
        if let Some(kept) = known
            && Arc::ptr_eq(&kept.peers, peers)
            && kept.session.group == group
            && (failed.is_empty() || !affinity.changes_on_failure)
        {
            return Some(kept.target);
        }
        let (before, set) = known.map_or((None, visit.now), |kept| (Some(kept.session), kept.set));
        let (peer, session) = affinity.pick_of(group, before, peers, |peer| failed.contains(&peer.target), luck)?;
        let set = if before == Some(session) { set } else { visit.now };
        self.kept.insert(place, Kept { session, target: peer.target, peers: peers.clone(), set });
        Some(peer.target)
    }

    /// How many there are.
    #[inline]
    pub(in crate::network) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl Kept {
    fn is_over(&self, now: u64, affinity: &Affinity) -> bool {
        affinity.lifetime.is_some_and(|lifetime| now.saturating_sub(self.set) >= lifetime.as_nanos())
    }
}
