//! Watches that are slow, or hang.

use std::fmt;
use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::sim::error::SimError;
use crate::sim::event::ProcessId;
use crate::sim::simulation::Simulation;
use crate::sim::watch::Break;

use super::Disturbance;

/// Who watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watcher {
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// All kubelets.
    Kubelets,
    /// The kubelet of one node.
    Kubelet(Arc<str>),
    /// kube-proxy on all nodes.
    Proxies,
    /// kube-proxy on one node.
    Proxy(Arc<str>),
}

impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControllerManager => f.write_str("kube-controller-manager"),
            Self::Scheduler => f.write_str("kube-scheduler"),
            Self::Kubelets => f.write_str("the kubelets"),
            Self::Kubelet(node) => write!(f, "the kubelet of {node}"),
            Self::Proxies => f.write_str("all kube-proxies"),
            Self::Proxy(node) => write!(f, "kube-proxy on {node}"),
        }
    }
}

impl Simulation {
    pub(super) fn begin_slow_watch(&mut self, watcher: &Watcher, delay: Option<SimDuration>) -> Result<(), SimError> {
        if let Some(node) = self.proxies_of(watcher)? {
            self.begin_slow_proxies(node.as_ref(), delay);
            return Ok(());
        }
        let process = self.process_of(watcher)?;
        match (process, delay) {
            (ProcessId::Node(node), None) => self.blind(node, Break::Stall),
            (_, None) => {
                self.break_watch(process, Break::Stall);
                if process == ProcessId::Kubelets {
                    // Those that are late anyway are among them.
                    self.kubelets.apart.clone().into_iter().for_each(|node| self.blind(node, Break::Stall));
                }
            }
            (ProcessId::Node(node), Some(_)) => {
                self.set_apart(node);
                self.delay_watch(process, delay);
            }
            (_, Some(_)) => self.delay_watch(process, delay),
        }
        Ok(())
    }

    pub(super) fn end_slow_watch(&mut self, watcher: &Watcher, delay: Option<SimDuration>) {
        if let Ok(Some(node)) = self.proxies_of(watcher) {
            return self.end_slow_proxies(node.as_ref(), delay);
        }
        let Ok(process) = self.process_of(watcher) else { return };
        if delay.is_none() {
            self.mend_watch(process, Break::Stall, false);
            if process == ProcessId::Kubelets {
                self.mend_kubelets();
            }
            return;
        }
        let ProcessId::Node(node) = process else { return self.delay_watch(process, None) };
        self.kubelets.apart.retain(|apart| *apart != node);
        let Some(informer) = self.informer(process) else { return };
        informer.forget_delay();
        if !informer.is_broken() {
            self.rejoin(node);
        }
    }

    /// The watches of all kubelets are back, but of those that hang each for itself.
    fn mend_kubelets(&mut self) {
        for node in 0..self.kubelets.nodes.len() as u32 {
            let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
            let watcher = Watcher::Kubelet(name);
            let hangs = Disturbance::SlowWatch { watcher, delay: None };
            if !self.disturbances.active.iter().any(|active| active.what == hangs) {
                self.mend_watch(ProcessId::Node(node), Break::Stall, false);
            }
        }
    }

    /// The node, or all of them (`None`), whose kube-proxy is meant, if it is.
    fn proxies_of(&self, watcher: &Watcher) -> Result<Option<Option<Arc<str>>>, SimError> {
        Ok(match watcher {
            Watcher::Proxies => Some(None),
            Watcher::Proxy(node) => {
                self.machine(node)?;
                Some(Some(node.clone()))
            }
            _ => None,
        })
    }

    fn process_of(&self, watcher: &Watcher) -> Result<ProcessId, SimError> {
        Ok(match watcher {
            Watcher::ControllerManager => ProcessId::Controllers(0),
            Watcher::Scheduler => ProcessId::Scheduler,
            Watcher::Kubelets | Watcher::Proxies | Watcher::Proxy(_) => ProcessId::Kubelets,
            Watcher::Kubelet(node) => ProcessId::Node(self.machine(node)?),
        })
    }

    /// Gives a kubelet a watch of its own.
    fn set_apart(&mut self, node: u32) {
        self.kubelets.apart.push(node);
        if self.kubelets.nodes[node as usize].own_informer().is_some() {
            return;
        }
        let ideal = self.delays.watch.is_zero();
        if ideal {
            self.catch_up(ProcessId::Kubelets);
        }
        let informer = self.kubelets.informer.split_off(self.server.view());
        self.kubelets.nodes[node as usize].link.get_or_insert_default().informer = Some(informer);
    }
}
