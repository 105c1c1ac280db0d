//! Nodes that are cut off from the control plane, and come back.

use std::fmt;
use std::sync::Arc;

use crate::kernel::{SimDuration, SimTime};
use crate::objects::{Pod, Resource};
use crate::sim::error::SimError;
use crate::sim::event::ProcessId;
use crate::sim::kubelets::{Kubelets, is_news};
use crate::sim::simulation::Simulation;
use crate::sim::watch::{Break, Informer};

use super::Recovery;
use super::outage::attempt_after;

/// From the beginning of silence until a client takes its connection for dead: 30 s without a frame, and 15 s without an answer
/// to a ping (`golang.org/x/net/http2`, as apimachinery sets it). A shorter cut is bridged by TCP.
pub(super) const NOTICED_AFTER: SimDuration = SimDuration::from_secs(45);

/// Which way between a node and the control plane is cut.
///
/// Whatever is cut, containers go on running, are probed and restarted. Pods that are deleted meanwhile run on until the kubelet
/// sees that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cut {
    /// Both.
    #[default]
    Both,
    /// What the kubelet writes is lost; it still sees what happens. It sends the latest state when it can again.
    Writes,
    /// The kubelet sees nothing new, but what it writes arrives, heartbeats too.
    Watches,
}

impl Cut {
    const fn cuts_writes(self) -> bool {
        matches!(self, Self::Both | Self::Writes)
    }

    const fn cuts_watches(self) -> bool {
        matches!(self, Self::Both | Self::Watches)
    }

    /// As scenarios have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Writes => "writes",
            Self::Watches => "watches",
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a kubelet that sees again finds of its pods.
struct Found {
    gone: Vec<Arc<Pod>>,
    changed: Vec<Arc<Pod>>,
    new: Vec<Arc<Pod>>,
}

impl Simulation {
    pub(super) fn begin_partition(&mut self, name: &Arc<str>, cut: Cut) -> Result<(), SimError> {
        let node = self.machine(name)?;
        let now = self.now();
        if cut.cuts_writes() {
            self.kubelets.nodes[node as usize].link.get_or_insert_default().mute = Some(now);
        }
        if cut.cuts_watches() {
            self.blind(node, Break::Partition);
            self.cut_off_proxy(name);
        }
        Ok(())
    }

    /// Lets a kubelet see nothing any more.
    pub(super) fn blind(&mut self, node: u32, why: Break) {
        if self.kubelets.nodes[node as usize].own_informer().is_some() {
            return self.break_watch(ProcessId::Node(node), why);
        }
        if self.delays.watch.is_zero() {
            self.catch_up(ProcessId::Kubelets);
        }
        let seen = self.kubelets.informer.seen(self.server.view());
        self.kubelets.nodes[node as usize].link.get_or_insert_default().informer = Some(Informer::broken(seen, why));
    }

    pub(super) fn end_partition(&mut self, name: &Arc<str>, cut: Cut, since: SimTime) {
        if cut.cuts_watches() {
            self.reconnect_proxy(name, since);
        }
        let Ok(node) = self.machine(name) else { return };
        if cut.cuts_writes()
            && let Some(link) = &mut self.kubelets.nodes[node as usize].link
        {
            link.mute = None;
            if !self.disturbances.api_server_down {
                self.resend_soon(node);
            }
        }
        if cut.cuts_watches() {
            self.see_again(node, since);
        }
        self.forget_usual_link(node);
    }

    fn see_again(&mut self, node: u32, since: SimTime) {
        let lasted = self.now().since(since);
        let process = ProcessId::Node(node);
        if lasted > NOTICED_AFTER && !self.delays.watch.is_zero() {
            // The kubelet knows that its connection is dead, and tries now and then to make a new one.
            self.break_watch(process, Break::Disconnected);
            let mut luck = self.luck();
            let delay = attempt_after(since + NOTICED_AFTER, self.now(), &mut luck);
            self.recover_after(delay, Recovery::Reconnect(process));
        } else if self.disturbances.api_server_down {
            self.break_watch(process, Break::Disconnected);
        }
        self.mend_watch(process, Break::Partition, false);
    }

    /// A kubelet sees again what the others see.
    pub(in crate::sim) fn rejoin(&mut self, node: u32) {
        let Kubelets { nodes, informer: shared, .. } = &mut self.kubelets;
        let process = &mut nodes[node as usize];
        let Some(link) = &mut process.link else { return };
        let Some(mut own) = link.informer.take() else { return };
        let store = self.server.view();
        let (before, now) = (own.seen(store), shared.view(store));
        let found = Found::between(&before, now, process.kubelet.node_name());
        if own.is_delayed() {
            own.go_on_from(shared, store);
            link.informer = Some(own);
        }
        if std::mem::take(&mut link.waits_to_start) {
            self.start_machine(node);
        } else {
            self.tell_what_changed(node, &found);
        }
        self.forget_usual_link(node);
    }

    fn tell_what_changed(&mut self, node: u32, found: &Found) {
        for pod in &found.gone {
            self.with_kubelet(node, pod, 1, |kubelet, cx| kubelet.on_pod_deleted(cx, pod));
        }
        for pod in &found.changed {
            self.with_kubelet(node, pod, 3, |kubelet, cx| kubelet.on_pod_updated(cx, pod));
        }
        for pod in &found.new {
            self.tell_of_bound_pod(node, pod);
        }
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let pods = self.kubelets.informer.view(self.server.view()).pods_on(&name);
        let with_claims: Vec<Arc<Pod>> = pods.filter(|pod| pod.claims().next().is_some()).cloned().collect();
        for pod in with_claims {
            self.with_kubelet(node, &pod, 4, |kubelet, cx| kubelet.on_volumes_changed(cx, &pod));
        }
    }
}

impl Found {
    fn between(before: &crate::api::View, now: &crate::api::View, node: &str) -> Self {
        let mut found = Self { gone: Vec::new(), changed: Vec::new(), new: Vec::new() };
        let same = |a: &Pod, b: &Pod| a.meta.uid == b.meta.uid;
        for pod in before.pods_on(node) {
            match now.pods.get(&pod.key()).filter(|now| same(now, pod)) {
                None => found.gone.push(pod.clone()),
                Some(now) if is_news(pod, now) => found.changed.push(now.clone()),
                Some(_) => {}
            }
        }
        let is_new = |pod: &&Arc<Pod>| {
            let known = before.pods.get(&pod.key());
            !known.is_some_and(|known| same(known, pod) && known.is_bound())
        };
        found.new.extend(now.pods_on(node).filter(is_new).cloned());
        found
    }
}
