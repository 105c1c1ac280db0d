//! Clients that a cookie keeps at their pod (ingress-nginx `rootfs/etc/nginx/lua/balancer/sticky*.lua`).

use std::net::{IpAddr, SocketAddr};

use crate::kernel::{SimDuration, Stream};

use super::matcher::GroupId;
use super::upstream::Upstream;

/// Keys that are drawn to get around peers that have failed.
const MOST_DRAWS: usize = 20;

/// How a cookie keeps a client at its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affinity {
    /// Name of the cookie.
    pub cookie: String,
    /// Whether a client stays for as long as its pod is there; otherwise a share of the clients moves when pods come and go.
    pub is_persistent: bool,
    /// Whether a client is sent to another pod when its own fails; otherwise the same one is tried again.
    pub changes_on_failure: bool,
    /// Whether the canary keeps its clients too.
    pub sticks_to_canary: bool,
    /// How long the cookie lives; nothing = as long as the browser is open.
    pub lifetime: Option<SimDuration>,
}

impl Default for Affinity {
    fn default() -> Self {
        Self {
            cookie: "INGRESSCOOKIE".to_owned(),
            is_persistent: false,
            changes_on_failure: false,
            sticks_to_canary: true,
            lifetime: None,
        }
    }
}

/// What a client's cookie says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The group that it is about; a cookie of another group decides nothing.
    pub group: GroupId,
    /// A random number that peers are ranked by, or the peer itself if sessions are persistent.
    key: u64,
}

impl Affinity {
    /// The peer of a client, and its cookie afterwards, which is new if there was none, if its peer is gone, or if a peer has
    /// failed and the cookie changes then. `failed` are the peers that were tried for this request.
    pub fn pick<'u>(
        &self,
        group: GroupId,
        session: Option<Session>,
        peers: &'u [Upstream],
        failed: &[SocketAddr],
        stream: &mut Stream,
    ) -> Option<(&'u Upstream, Session)> {
        self.pick_of(group, session, peers, |peer| failed.contains(&peer.address), stream)
    }

    /// The same of peers in any form.
    pub(in crate::network) fn pick_of<'u, P: Ranked>(
        &self,
        group: GroupId,
        session: Option<Session>,
        peers: &'u [P],
        has_failed: impl Fn(&P) -> bool,
        stream: &mut Stream,
    ) -> Option<(&'u P, Session)> {
        let own = session.filter(|session| session.group == group);
        let changes = self.changes_on_failure && peers.iter().any(&has_failed);
        if let Some((session, peer)) = own.and_then(|session| Some((session, self.find(session.key, peers)?)))
            && !changes
        {
            return Some((peer, session));
        }
        let mut picked = None;
        for _ in 0..MOST_DRAWS {
            let key = if self.is_persistent { stream.pick(peers)?.fingerprint() } else { stream.next_u64() };
            let peer = self.find(key, peers)?;
            picked = Some((peer, Session { group, key }));
            if !has_failed(peer) {
                break;
            }
        }
        picked
    }

    fn find<'u, P: Ranked>(&self, key: u64, peers: &'u [P]) -> Option<&'u P> {
        if self.is_persistent {
            return peers.iter().find(|peer| peer.fingerprint() == key);
        }
        // Of every key's ranking of the peers, the first: a peer that goes takes only its own clients along, as with the ring
        // of hashes that nginx keeps.
        peers.iter().max_by_key(|peer| mix(key ^ peer.fingerprint()))
    }
}

/// A peer that keys rank.
pub(in crate::network) trait Ranked {
    /// A number of its own, the same as long as it has its address and port.
    fn fingerprint(&self) -> u64;
}

impl Ranked for Upstream {
    fn fingerprint(&self) -> u64 {
        let bits = match self.address.ip() {
            IpAddr::V4(ip) => u128::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits(),
        };
        mix((bits >> 64) as u64 ^ mix(bits as u64 ^ mix(u64::from(self.address.port()))))
    }
}

/// The finaliser of `SplitMix64`.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ value >> 31
}
