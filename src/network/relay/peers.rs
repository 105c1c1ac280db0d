//! The peers of backends, compiled: targets in place of addresses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::View;
use crate::objects::{Key, Resource as _, Service};

use super::super::clients::PortRef;
use super::super::dns::{ClusterDns, RecordType, ResolvConf, cluster_ips};
use super::super::ids::{PortId, TargetId};
use super::super::ingress::{Attempt, Ranked, Upstream, Upstreams};
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
    /// To an address that nothing has, or of which nothing is known: so each try ends.
    Fails(Attempt),
}

impl Peers {
    /// Whether there is nobody.
    #[inline]
    pub(in crate::network) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// How the pods of a program look names up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolver<'r> {
    pub(super) dns: &'r ClusterDns,
    /// Nothing = they look up none.
    pub(super) conf: Option<&'r ResolvConf>,
}

#[derive(Clone, Debug)]
struct Known {
    version: u64,
    /// What a name stands for may change with anything.
    by_name: bool,
    peers: Peers,
}

/// Compiled peers of the newest version of each backend.
#[derive(Clone, Debug, Default)]
pub(super) struct PeerCache {
    known: FxHashMap<BackendId, Known>,
}

impl PeerCache {
    /// Names may stand for something else to those who ask from now on.
    pub(super) fn forget_names(&mut self) {
        self.known.retain(|_, known| !known.by_name);
    }

    /// The peers of a backend as the store has them.
    pub(super) fn peers(
        &mut self,
        (id, backend): (BackendId, &Backend),
        store: &Store,
        resolver: Resolver<'_>,
        proxies: &mut ProxyTable,
    ) -> Peers {
        let touched = backend.group.service.as_ref().map_or(0, |service| store.touched(service));
        let version = |by_name: bool| if by_name { store.changes() } else { touched };
        if let Some(known) = self.known.get(&id).filter(|known| known.version == version(known.by_name)) {
            return known.peers.clone();
        }
        let upstreams = backend.group.upstreams(store.view());
        let by_name = matches!(upstreams, Upstreams::Name(..));
        let peers = compile(backend, upstreams, store, resolver, proxies);
        self.known.insert(id, Known { version: version(by_name), by_name, peers: peers.clone() });
        peers
    }
}

fn compile(
    backend: &Backend,
    upstreams: Upstreams,
    store: &Store,
    resolver: Resolver<'_>,
    proxies: &mut ProxyTable,
) -> Peers {
    let peer = |upstream: &Upstream, proxies: &mut ProxyTable| Peer {
        target: proxies.target(upstream.address.ip(), upstream.address.port()),
        fingerprint: upstream.fingerprint(),
    };
    match upstreams {
        Upstreams::Endpoints(found) => Peers::Endpoints(found.iter().map(|one| peer(one, proxies)).collect()),
        Upstreams::Service(address) => {
            let service = backend.group.service.as_ref();
            let port = service.and_then(|key| proxies.find_port(key, &PortRef::Number(address.port())).ok());
            port.map_or(Peers::None, Peers::Service)
        }
        Upstreams::Name(name, port) => match look_up(&name, port, store.view(), resolver) {
            Named::Outside => Peers::Fails(Attempt::Refused),
            Named::Nothing => Peers::None,
            Named::Pods(found) => Peers::Endpoints(found.iter().map(|one| peer(one, proxies)).collect()),
            Named::Service(key) => {
                let port = proxies.find_port(&key, &PortRef::Number(port)).ok();
                // There are no rules for a port that the Service does not have.
                port.map_or(Peers::Fails(Attempt::ConnectTimeout), Peers::Service)
            }
        },
        Upstreams::BuiltIn | Upstreams::None(_) => Peers::None,
    }
}

/// What a name stands for.
enum Named {
    /// It is outside of the cluster, or nobody looks it up.
    Outside,
    Nothing,
    /// The address of a Service.
    Service(Key),
    /// Those of the pods of a headless Service.
    Pods(Vec<Upstream>),
}

/// Looks a name up as ingress-nginx does (`rootfs/etc/nginx/lua/util/dns.lua`). It asks anew when what it has kept has expired; here it
/// does whenever anything has changed.
fn look_up(name: &str, port: u16, view: &View, Resolver { dns, conf }: Resolver<'_>) -> Named {
    let Some(conf) = conf else { return Named::Outside };
    let lookup = conf.lookup(name, RecordType::A, |server, name, _| dns.answer_by(server, view, name));
    let Some(answer) = lookup.answer() else {
        let is_outside = lookup.attempts.iter().any(|attempt| attempt.answer.unknown_outside.is_some());
        return if is_outside { Named::Outside } else { Named::Nothing };
    };
    let is_outside = |ip: IpAddr| dns.outside.values().flatten().any(|outside| *outside == ip);
    let ips: Vec<IpAddr> = answer.ips().collect();
    if ips.is_empty() || ips.iter().copied().any(is_outside) {
        return Named::Outside;
    }
    let has_it = |service: &&Arc<Service>| cluster_ips(service).any(|own| own.parse() == Ok(ips[0]));
    match view.services.iter().find(has_it) {
        Some(service) => Named::Service(service.key()),
        None => Named::Pods(
            ips.into_iter().map(|ip| Upstream { address: SocketAddr::new(ip, port), pod: None, node: None }).collect(),
        ),
    }
}
