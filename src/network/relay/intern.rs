//! Dense numbers of backends, of policies of forwarding, and of ways through reverse proxies. They stay when configurations change, so
//! that what is under way goes on by them.

use std::sync::Arc;

use crate::kernel::SimDuration;

use super::super::accounting::RouteReport;
use super::super::ingress::{Affinity, Group, NextUpstream, Settings};

/// A backend of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::network) struct BackendId(pub(in crate::network) u32);

/// How requests are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct PolicyId(pub(in crate::network) u32);

/// A way through a reverse proxy, for the accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::network) struct WayId(pub(in crate::network) u32);

/// Where a program sends requests.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Backend {
    pub(super) program: u32,
    /// The Service and its port.
    pub(super) group: Group,
}

/// How requests are forwarded.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::network) struct Policy {
    pub(in crate::network) next: NextUpstream,
    /// ns.
    pub(in crate::network) connect_timeout: u64,
    /// ns.
    pub(in crate::network) read_timeout: u64,
    /// Whether a cookie keeps clients at their endpoint.
    pub(in crate::network) affinity: Option<Affinity>,
}

impl Policy {
    pub(super) fn of(settings: &Settings, affinity: Option<&Affinity>) -> Self {
        Self {
            next: settings.next_upstream.clone(),
            connect_timeout: settings.connect_timeout.as_nanos().max(1),
            read_timeout: settings.read_timeout.as_nanos().max(1),
            affinity: affinity.cloned(),
        }
    }

    /// Of a Gateway: one try, and no timeouts but that of the rule and those of the client.
    pub(super) fn plain(timeout: Option<SimDuration>) -> Self {
        let next = NextUpstream { tries: 1, ..NextUpstream::default() };
        let connect_timeout = SimDuration::from_secs(10).as_nanos();
        Self { next, connect_timeout, read_timeout: timeout.map_or(u64::MAX, SimDuration::as_nanos), affinity: None }
    }
}

/// All that has a number.
#[derive(Clone, Debug, Default)]
pub(in crate::network) struct Interned {
    backends: Vec<Backend>,
    policies: Vec<Arc<Policy>>,
    ways: Vec<RouteReport>,
}

fn number<T: PartialEq>(known: &mut Vec<T>, one: T) -> u32 {
    let at = known.iter().position(|other| *other == one).unwrap_or_else(|| {
        known.push(one);
        known.len() - 1
    });
    at as u32
}

impl Interned {
    pub(super) fn backend(&mut self, program: u32, group: &Group) -> BackendId {
        // What else a group says belongs to the rule that leads to it.
        let group = Group { canary: None, is_canary: false, affinity: None, ..group.clone() };
        BackendId(number(&mut self.backends, Backend { program, group }))
    }

    pub(super) fn add_policy(&mut self, policy: Policy) -> PolicyId {
        PolicyId(number(&mut self.policies, Arc::new(policy)))
    }

    pub(super) fn way(&mut self, way: RouteReport) -> WayId {
        WayId(number(&mut self.ways, way))
    }

    pub(super) fn backends(&self) -> impl Iterator<Item = (BackendId, &Backend)> {
        self.backends.iter().enumerate().map(|(at, backend)| (BackendId(at as u32), backend))
    }

    #[inline]
    pub(in crate::network) fn policy(&self, id: PolicyId) -> &Policy {
        &self.policies[id.0 as usize]
    }

    pub(super) fn ways(&self) -> &[RouteReport] {
        &self.ways
    }
}
