//! The peers of backends, compiled: targets in place of addresses.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::super::clients::PortRef;
use super::super::ids::{PortId, TargetId};
use super::super::ingress::{Ranked, Upstream, Upstreams};
use super::super::proxy::ProxyTable;
use super::intern::{Backend, BackendId};
use super::store::Store;

/// An endpoint of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct Peer {
    pub(in crate::network) target: TargetId,
    /// What session cookies rank it by.
    pub(in crate::network) fingerprint: u64,
}

impl Ranked for Peer {
    #[inline]
    fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

/// Where the requests of a backend go.
#[derive(Clone, Debug, Default)]
pub(in crate::network) enum Peers {
    /// Nowhere: 503.
    #[default]
    None,
    /// To one of these endpoints, of which there is at least one.
    Endpoints(Arc<[Peer]>),
    /// To the address of a Service, by the rules of the node.
    Service(PortId),
    /// To a name outside, of which nothing is known.
    Outside,
}

impl Peers {
    /// Whether there is nobody.
    #[inline]
    pub(in crate::network) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// Compiled peers of the newest version of each backend.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerCache {
    known: FxHashMap<BackendId, (u64, Peers)>,
}

impl PeerCache {
    /// The peers of a backend as the store has them.
    pub(super) fn peers(&mut self, id: BackendId, backend: &Backend, store: &Store, proxies: &mut ProxyTable) -> Peers {
        let version = backend.group.service.as_ref().map_or(0, |service| store.touched(service));
        if let Some((_, peers)) = self.known.get(&id).filter(|(known, _)| *known == version) {
            return peers.clone();
        }
        let peers = compile(backend, store, proxies);
        self.known.insert(id, (version, peers.clone()));
        peers
    }
}

fn compile(backend: &Backend, store: &Store, proxies: &mut ProxyTable) -> Peers {
    let peer = |upstream: &Upstream, proxies: &mut ProxyTable| Peer {
        target: proxies.target(upstream.address.ip(), upstream.address.port()),
        fingerprint: upstream.fingerprint(),
    };
    match backend.group.upstreams(store.view()) {
        Upstreams::Endpoints(found) => Peers::Endpoints(found.iter().map(|one| peer(one, proxies)).collect()),
        Upstreams::Service(address) => {
            let service = backend.group.service.as_ref();
            let port = service.and_then(|key| proxies.find_port(key, &PortRef::Number(address.port())).ok());
            port.map_or(Peers::None, Peers::Service)
        }
        Upstreams::Outside(..) => Peers::Outside,
        Upstreams::BuiltIn | Upstreams::None(_) => Peers::None,
    }
}
