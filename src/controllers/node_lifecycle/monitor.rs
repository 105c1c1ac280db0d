//! Runs of the monitor: which nodes are lost, which are back, and what follows for their pods and zones (upstream
//! `monitorNodeHealth`, `doNoExecuteTaintingPass`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::{Context, Part, Request, Response, Step, Then, View};
use crate::objects::{ConditionStatus, Kind, Node, Object, ObjectReference, Pod, WallTime};

use super::super::grid::{plus, until};
use super::taints::{self, TaintWrites, no_execute};
use super::zones::{Census, Turn};
use super::{NodeLifecycleController, Stage, SyncState, node_event, node_key, pod_event, status};

/// How often a node is tried to be written in a row before the next run (upstream `NodeHealthUpdateRetry`).
const ATTEMPTS: u32 = 5;

/// A run of the monitor under way.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    phase: Phase,
    visits: Vec<Visit>,
    /// What the requests under way are for.
    asked: Vec<Asked>,
    failed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Statuses of silent nodes are being written.
    Statuses,
    /// Pods of lost nodes are being marked, and taints swapped.
    Consequences,
    /// The zones are judged; taints may still be written.
    Zones,
}

#[derive(Clone, Debug)]
enum Asked {
    Status(usize),
    Taints(usize),
    Pod(usize, Arc<Pod>),
}

/// One node in a run.
#[derive(Clone, Debug)]
struct Visit {
    writes: TaintWrites,
    /// `Ready` before this run.
    observed: Option<ConditionStatus>,
    /// Gone or not written; left out of the rest of this run.
    skipped: bool,
}

impl Visit {
    fn name(&self) -> &Arc<str> {
        &self.writes.node.meta.name
    }
}

impl NodeLifecycleController {
    pub(super) fn sync_monitor(&mut self, cx: Context<'_>) -> Step<SyncState> {
        self.armed = None;
        let grid = self.grid(cx.now);
        if self.looks.first().is_some_and(|(at, _)| *at <= cx.now) || self.gone.values().any(|(at, _)| *at <= cx.now) {
            self.last_tick = Some(grid.at_or_before(cx.now, self.config.monitor_period));
            return self.start_pass(cx);
        }
        let due = self.zones.take_due(grid, cx.now);
        if due.is_empty() { self.sleep(cx.now, Vec::new(), false) } else { self.taint_no_execute(cx, due) }
    }

    /// The end of a sync of the monitor, until it has something to do again.
    fn sleep(&mut self, now: WallTime, requests: Vec<Request>, failed: bool) -> Step<SyncState> {
        self.failures = if failed { self.failures + 1 } else { 0 };
        if failed && self.failures < ATTEMPTS {
            return Step { requests, then: Then::Retry("some nodes could not be written".into()) };
        }
        let mut wake = self.wake(now);
        if std::mem::take(&mut self.failures) > 0 {
            wake = Some(self.grid(now).after(now, self.config.monitor_period));
        }
        self.armed = wake;
        Step { requests, then: Then::Done { requeue_after: wake.map(|wake| until(wake, now)) } }
    }

    fn start_pass(&mut self, cx: Context<'_>) -> Step<SyncState> {
        let mut pass = Pass { phase: Phase::Statuses, visits: Vec::new(), asked: Vec::new(), failed: false };
        let mut requests = Vec::new();
        let mut statuses = Vec::new();
        for name in self.take_looks(cx.now) {
            let Some(node) = cx.view.nodes.get(&node_key(Arc::clone(&name))) else { continue };
            let mut visit = Visit {
                writes: TaintWrites::new(Arc::clone(node), Vec::new()),
                observed: taints::ready(node),
                skipped: false,
            };
            requests.extend(self.register(&mut visit));
            if self.is_silent(&visit, cx.now)
                && let Some(silent) = status::silent(node, cx.now.timestamp())
            {
                pass.asked.push(Asked::Status(pass.visits.len()));
                statuses.push(Request::Update(silent.into(), Part::Status));
            }
            pass.visits.push(visit);
        }
        requests.extend(self.say_farewell(cx.now));
        requests.extend(statuses);
        if pass.asked.is_empty() {
            return self.proceed(cx, Box::new(pass), requests);
        }
        Step::call(requests, SyncState(Stage::Monitor(Box::new(pass))))
    }

    /// The nodes whose look is due, by name.
    fn take_looks(&mut self, now: WallTime) -> BTreeSet<Arc<str>> {
        let mut names = BTreeSet::new();
        while self.looks.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, name)) = self.looks.pop_first() else { break };
            if let Some(health) = self.nodes.get_mut(&name) {
                health.look_at = None;
            }
            names.insert(name);
        }
        names
    }

    /// Announces a node that is new and takes it for reachable.
    fn register(&mut self, visit: &mut Visit) -> Option<Request> {
        let node = Arc::clone(&visit.writes.node);
        let health = self.nodes.get_mut(&node.meta.name)?;
        self.zones.meet(&health.zone, &self.config);
        if std::mem::replace(&mut health.registered, true) {
            return None;
        }
        visit.writes.mark_reachable();
        let name = &node.meta.name;
        let message = format!("Node {name} event: Registered Node {name} in Controller");
        Some(node_event(ObjectReference::to(Kind::Node, &node.meta), "RegisteredNode", message))
    }

    fn say_farewell(&mut self, now: WallTime) -> Vec<Request> {
        let due: Vec<_> =
            self.gone.iter().filter(|(_, (at, _))| *at <= now).map(|(name, _)| Arc::clone(name)).collect();
        let gone = due.into_iter().filter_map(|name| self.gone.remove_entry(&name));
        let event = |(name, (_, about)): (Arc<str>, (WallTime, ObjectReference))| {
            node_event(about, "RemovingNode", format!("Node {name} event: Removing Node {name} from Controller"))
        };
        gone.map(event).collect()
    }

    /// When a node's silence becomes too long. Upstream's loop takes a little longer than its period each time, so that
    /// a whole number of periods after a sign of life is already late.
    fn silent_at(&self, name: &str, ready: Option<ConditionStatus>) -> Option<WallTime> {
        let health = self.nodes.get(name)?;
        let sign = health.last_sign(self.config.monitor_period);
        let sign = self.signs_not_before.map_or(sign, |earliest| sign.max(earliest));
        let grace = if ready.is_some() { self.config.monitor_grace_period } else { self.config.startup_grace_period };
        Some(plus(sign, grace))
    }

    fn is_silent(&self, visit: &Visit, now: WallTime) -> bool {
        self.silent_at(visit.name(), visit.observed).is_some_and(|at| at <= now)
    }

    pub(super) fn resume_pass(
        &mut self,
        cx: Context<'_>,
        mut pass: Box<Pass>,
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        let mut requests = Vec::new();
        for (asked, response) in std::mem::take(&mut pass.asked).into_iter().zip(responses) {
            match asked {
                Asked::Status(at) => self.status_written(&mut pass, at, response, cx.now),
                Asked::Taints(at) => pass.visits[at].writes.answered(response),
                Asked::Pod(at, pod) => requests.extend(self.pod_marked(&pass.visits[at], &pod, &response)),
            }
        }
        self.proceed(cx, pass, requests)
    }

    /// Goes through the phases until there is something to wait for.
    fn proceed(&mut self, cx: Context<'_>, mut pass: Box<Pass>, mut requests: Vec<Request>) -> Step<SyncState> {
        loop {
            match pass.phase {
                Phase::Statuses => {
                    pass.phase = Phase::Consequences;
                    for at in 0..pass.visits.len() {
                        self.visit(cx, &mut pass, at, &mut requests);
                    }
                }
                Phase::Consequences => {
                    pass.phase = Phase::Zones;
                    self.judge_zones(cx, &mut pass);
                }
                Phase::Zones => {}
            }
            let Pass { visits, asked, .. } = &mut *pass;
            for (at, visit) in visits.iter_mut().enumerate() {
                if let Some(request) = visit.writes.next_request(cx.now.timestamp()) {
                    requests.push(request);
                    asked.push(Asked::Taints(at));
                }
            }
            if !pass.asked.is_empty() {
                return Step::call(requests, SyncState(Stage::Monitor(pass)));
            }
            if pass.phase == Phase::Zones {
                return self.finish(cx, &pass, requests);
            }
        }
    }

    fn status_written(&mut self, pass: &mut Pass, at: usize, response: Response, now: WallTime) {
        let visit = &mut pass.visits[at];
        let refused = response.as_ref().is_err_and(|error| !error.is_not_found());
        visit.skipped = response.is_err();
        visit.writes.answered(response);
        if refused {
            pass.failed = true;
            let name = Arc::clone(visit.name());
            self.look(&name, now);
        } else {
            self.zones_changed = true;
        }
    }

    /// What the readiness of a node means for its taints and its pods.
    fn visit(&mut self, cx: Context<'_>, pass: &mut Pass, at: usize, requests: &mut Vec<Request>) {
        let visit = &mut pass.visits[at];
        let Some(ready) = taints::ready(&visit.writes.node).filter(|_| !visit.skipped) else { return };
        self.taint_by_readiness(visit, ready, cx.now);
        let just_lost = ready != ConditionStatus::True && visit.observed == Some(ConditionStatus::True);
        if just_lost {
            let node = &visit.writes.node;
            let message = format!("Node {} status is now: NodeNotReady", node.meta.name);
            requests.push(node_event(ObjectReference::to(Kind::Node, &node.meta), "NodeNotReady", message));
        }
        let Some(health) = self.nodes.get_mut(visit.name()) else { return };
        let retried = std::mem::take(&mut health.pods_to_retry) && visit.observed != Some(ConditionStatus::True);
        if !(just_lost || retried) {
            return;
        }
        for pod in cx.view.pods_on(visit.name()) {
            if let Some(pod) = status::not_ready(pod, cx.now.timestamp()).map(Arc::new) {
                requests.push(Request::Update(Object::Pod(Arc::clone(&pod)), Part::Status));
                pass.asked.push(Asked::Pod(at, pod));
            }
        }
    }

    /// Upstream `processTaintBaseEviction`.
    fn taint_by_readiness(&mut self, visit: &mut Visit, ready: ConditionStatus, now: WallTime) {
        let name = Arc::clone(visit.name());
        let Some(health) = self.nodes.get_mut(&name) else { return };
        let Some((taint, opposite)) = no_execute(ready) else {
            visit.writes.mark_reachable();
            self.zones.remove(&health.zone, &name);
            health.marked = false;
            return;
        };
        if opposite.is_on(&visit.writes.node) {
            visit.writes.swap(taint, opposite);
        } else if !health.marked || !(taint.is_on(&visit.writes.node) || self.zones.is_waiting(&health.zone, &name)) {
            health.marked = true;
            self.zones.queue(&health.zone, &name, now);
        }
    }

    /// The Event about a pod whose readiness was written. One that could not be written is tried again by the next
    /// run.
    fn pod_marked(&mut self, visit: &Visit, pod: &Arc<Pod>, response: &Response) -> Option<Request> {
        match response {
            Err(error) if error.is_not_found() => return None,
            Err(_) => {
                let name = Arc::clone(visit.name());
                if let Some(health) = self.nodes.get_mut(&name) {
                    health.pods_to_retry = true;
                }
                let next = self.last_tick.map(|last| plus(last, self.config.monitor_period));
                next.into_iter().for_each(|next| self.look(&name, next));
            }
            Ok(_) => {}
        }
        Some(pod_event(pod))
    }

    fn judge_zones(&mut self, cx: Context<'_>, pass: &mut Pass) {
        if !std::mem::take(&mut self.zones_changed) {
            return;
        }
        let census = self.census(cx.view, pass);
        match self.zones.judge(&census, &self.config, cx.now) {
            Turn::None => {}
            Turn::AllLost => self.stop_evictions(cx, pass),
            Turn::SomeBack => self.signs_not_before = Some(cx.now),
        }
    }

    /// Readiness of the nodes of each zone, as this run knows it.
    fn census(&self, view: &View, pass: &Pass) -> BTreeMap<Arc<str>, Census> {
        let visited: BTreeMap<&str, &Arc<Node>> =
            pass.visits.iter().map(|visit| (&**visit.name(), &visit.writes.node)).collect();
        let mut zones: BTreeMap<Arc<str>, Census> = BTreeMap::new();
        for node in view.nodes.iter() {
            let Some(health) = self.nodes.get(&node.meta.name) else { continue };
            let node = visited.get(&*node.meta.name).copied().unwrap_or(node);
            let census = zones.entry(Arc::clone(&health.zone)).or_default();
            if !health.counts {
                continue;
            }
            if taints::ready(node) == Some(ConditionStatus::True) {
                census.ready += 1;
            } else {
                census.not_ready += 1;
            }
        }
        zones
    }

    /// Nobody is ready: takes all taints back that would evict pods. Nodes that are not ready are queued again by the
    /// next run, for the time when evictions go on.
    fn stop_evictions(&mut self, cx: Context<'_>, pass: &mut Pass) {
        let visited: BTreeSet<Arc<str>> = pass.visits.iter().map(|visit| Arc::clone(visit.name())).collect();
        let others = cx.view.nodes.iter().filter(|node| taints::evicts(node) && !visited.contains(&node.meta.name));
        let new = others.map(|node| Visit {
            writes: TaintWrites::new(Arc::clone(node), Vec::new()),
            observed: taints::ready(node),
            skipped: false,
        });
        pass.visits.extend(new);
        pass.visits.iter_mut().for_each(|visit| visit.writes.mark_reachable());
        self.zones.clear();
        let next = self.next_tick(cx.now);
        for node in cx.view.nodes.iter() {
            if let Some(health) = self.nodes.get_mut(&node.meta.name) {
                health.marked = false;
                self.look(&node.meta.name, next);
            }
        }
    }

    /// Sets the next look at each node of a run.
    fn finish(&mut self, cx: Context<'_>, pass: &Pass, requests: Vec<Request>) -> Step<SyncState> {
        let mut failed = pass.failed;
        for visit in &pass.visits {
            if visit.writes.failed() {
                failed = true;
                self.look(visit.name(), cx.now);
            }
            let ready = taints::ready(&visit.writes.node);
            if visit.skipped || ready == Some(ConditionStatus::Unknown) {
                continue;
            }
            if let Some(at) = self.silent_at(visit.name(), ready) {
                let tick = self.grid(cx.now).at_or_after(at, self.config.monitor_period);
                self.look(visit.name(), tick);
            }
        }
        self.sleep(cx.now, requests, failed)
    }

    /// Taints nodes whose turn in their zone's queue has come.
    fn taint_no_execute(&mut self, cx: Context<'_>, due: Vec<Arc<str>>) -> Step<SyncState> {
        let mut all = Vec::new();
        for name in due {
            let Some(node) = cx.view.nodes.get(&node_key(name)) else { continue };
            if let Some((taint, opposite)) = taints::ready(node).and_then(no_execute) {
                let mut writes = TaintWrites::new(Arc::clone(node), Vec::new());
                writes.swap(taint, opposite);
                all.push(writes);
            }
        }
        self.write_no_execute(cx, all)
    }

    fn write_no_execute(&mut self, cx: Context<'_>, mut all: Vec<TaintWrites>) -> Step<SyncState> {
        let (mut requests, mut asked) = (Vec::new(), Vec::new());
        for (at, writes) in all.iter_mut().enumerate() {
            if let Some(request) = writes.next_request(cx.now.timestamp()) {
                requests.push(request);
                asked.push(at);
            }
        }
        if !requests.is_empty() {
            return Step::call(requests, SyncState(Stage::NoExecute(all, asked)));
        }
        let mut failed = false;
        for writes in all.iter().filter(|writes| writes.failed()) {
            let name = &writes.node.meta.name;
            if let Some(health) = self.nodes.get(name) {
                self.zones.put_back(&health.zone, name, cx.now);
                failed = true;
            }
        }
        self.sleep(cx.now, Vec::new(), failed)
    }

    pub(super) fn resume_no_execute(
        &mut self,
        cx: Context<'_>,
        mut all: Vec<TaintWrites>,
        asked: &[usize],
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        for (at, response) in asked.iter().zip(responses) {
            all[*at].answered(response);
        }
        self.write_no_execute(cx, all)
    }
}
