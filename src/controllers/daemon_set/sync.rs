//! A sync from its claims to its status: what was planned is carried out in batches (upstream `syncNodes`).

use std::sync::Arc;

use crate::api::{Context, Part, Request, Response, Step, Then};
use crate::controllers::controller_ref::{self, Claim, controller_reference};
use crate::controllers::pod_control::{Batch, PodEvents, PodFactory, delete_pod};
use crate::kernel::SimDuration;
use crate::objects::{ControllerRevision, DaemonSet, Kind, Pod, Resource, Typed};

use super::history::clean_up;
use super::ledger::Ledger;
use super::node::Basis;
use super::plan::{self, Plan};
use super::status::status;
use super::{State, SyncState};

/// A sync that knows the revisions.
#[derive(Clone, Debug)]
pub(super) struct Sync {
    pub(super) set: Arc<DaemonSet>,
    /// Hash of the current revision.
    pub(super) hash: Arc<str>,
    /// The other revisions.
    pub(super) old: Vec<Arc<ControllerRevision>>,
    phase: Phase,
    /// What went wrong so far.
    errors: Vec<String>,
    /// When to sync again in any case.
    again: Option<SimDuration>,
}

/// Whose plan is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Manage,
    Update,
}

/// Which responses a sync waits for.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// Adoptions and releases of these pods.
    Claim(Vec<(Claim, Arc<Pod>)>),
    /// Creations, then deletions.
    Carry(Carrying),
}

/// What is left of a plan.
#[derive(Clone, Debug)]
pub(super) struct Carrying {
    nodes: Vec<Arc<str>>,
    /// Pods whose creation was asked for already.
    asked: usize,
    /// The batch under way; none = the deletions are.
    batch: Option<Batch>,
    pods: Vec<Arc<Pod>>,
    /// How much was done.
    done: usize,
}

impl Sync {
    pub(super) const fn new(set: Arc<DaemonSet>, hash: Arc<str>, old: Vec<Arc<ControllerRevision>>) -> Self {
        Self { set, hash, old, phase: Phase::Manage, errors: Vec::new(), again: None }
    }

    fn waiting(self, stage: Stage) -> SyncState {
        SyncState(State::Sync(self, stage))
    }

    fn basis(&self) -> Basis {
        Basis::of(&self.set, &self.hash)
    }

    /// Adopts and releases pods, if there are any.
    pub(super) fn start(self, cx: Context<'_>, ledger: &mut Ledger) -> Step<SyncState> {
        let meta = &self.set.meta;
        let selector = &self.set.spec.selector.compiled;
        let orphans = cx.view.pods.orphans(&meta.namespace);
        let adopted = orphans
            .filter(|pod| controller_ref::claim(meta, &pod.meta, selector.matches(&pod.meta.labels)) == Claim::Adopt);
        let released = ledger.strays().iter().map(|pod| (Claim::Release, Arc::clone(pod)));
        let claims: Vec<_> = released.chain(adopted.map(|pod| (Claim::Adopt, Arc::clone(pod)))).collect();
        if claims.is_empty() {
            return self.manage(cx, ledger);
        }
        let request = |(claim, pod): &(Claim, Arc<Pod>)| match claim {
            Claim::Release => controller_ref::release(&**pod, meta),
            _ => controller_ref::adopt(&**pod, controller_reference(Kind::DaemonSet, meta)),
        };
        let requests = claims.iter().map(request).collect();
        Step::call(requests, self.waiting(Stage::Claim(claims)))
    }

    /// Goes on with the responses that it waited for.
    pub(super) fn resume(
        self,
        cx: Context<'_>,
        ledger: &mut Ledger,
        stage: Stage,
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        match stage {
            Stage::Claim(claims) => self.claimed(cx, ledger, &claims, responses),
            Stage::Carry(carrying) if carrying.batch.is_some() => self.created(cx, ledger, carrying, responses),
            Stage::Carry(carrying) => self.deleted(cx, ledger, carrying, responses),
        }
    }

    fn claimed(
        self,
        cx: Context<'_>,
        ledger: &mut Ledger,
        claims: &[(Claim, Arc<Pod>)],
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        let mut failures = Vec::new();
        for ((claim, pod), response) in claims.iter().zip(responses) {
            if *claim == Claim::Release {
                match controller_ref::released(response) {
                    Ok(()) => ledger.remove_pod(&pod.meta.uid),
                    Err(failure) => failures.push(failure),
                }
                continue;
            }
            match controller_ref::adopted(response) {
                Ok(object) => object.as_ref().and_then(Pod::unwrap).into_iter().for_each(|pod| ledger.set_pod(pod)),
                Err(failure) => failures.push(failure),
            }
        }
        if failures.is_empty() {
            return self.manage(cx, ledger);
        }
        let (name, why) = (&self.set.meta.name, controller_ref::aggregate(failures));
        Step::retry(format!("couldn't get node to daemon pod mapping for daemon set {name:?}: {why}"))
    }

    fn manage(mut self, cx: Context<'_>, ledger: &mut Ledger) -> Step<SyncState> {
        let basis = self.basis();
        ledger.refresh(&self.set.spec.template, &basis, cx.now);
        let plan = plan::manage(ledger, &self.set, &basis, cx.now);
        self.again = plan.again;
        self.carry_out(cx, ledger, plan)
    }

    /// The update goes on only when nothing else was to be done: after that the picture is another one.
    fn update(mut self, cx: Context<'_>, ledger: &mut Ledger, events: Vec<Request>) -> Step<SyncState> {
        self.phase = Phase::Update;
        match plan::update(ledger, &self.set, &self.basis()) {
            Ok(plan) => self.carry_out(cx, ledger, Plan { events, ..plan }),
            Err(why) => {
                self.errors.push(why);
                self.finish(cx, ledger, events)
            }
        }
    }

    // ---- creations and deletions ----

    fn carry_out(self, cx: Context<'_>, ledger: &mut Ledger, plan: Plan) -> Step<SyncState> {
        let Plan { nodes, pods, events, .. } = plan;
        let batch = Batch::first(nodes.len());
        self.carry_on(cx, ledger, Carrying { nodes, asked: 0, batch, pods, done: 0 }, events)
    }

    /// The next batch of creations, or the deletions if there is none.
    fn carry_on(
        mut self,
        cx: Context<'_>,
        ledger: &mut Ledger,
        carrying: Carrying,
        events: Vec<Request>,
    ) -> Step<SyncState> {
        if carrying.batch.is_none() {
            return self.delete(cx, ledger, carrying, events);
        }
        match ledger.factory(&self.set, &self.hash) {
            Ok(factory) => self.create(&factory, carrying, events),
            Err(why) => {
                self.errors.push(why);
                self.finish(cx, ledger, events)
            }
        }
    }

    fn create(self, factory: &PodFactory, mut carrying: Carrying, events: Vec<Request>) -> Step<SyncState> {
        let size = carrying.batch.map_or(0, |batch| batch.size);
        let nodes = carrying.nodes.iter().skip(carrying.asked).take(size);
        let requests = nodes.map(|node| factory.create_for(node)).chain(events).collect();
        carrying.asked += size;
        Step::call(requests, self.waiting(Stage::Carry(carrying)))
    }

    fn created(
        mut self,
        cx: Context<'_>,
        ledger: &mut Ledger,
        mut carrying: Carrying,
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        let about = PodEvents::about(Kind::DaemonSet, &self.set.meta);
        let (mut events, mut failed) = (Vec::with_capacity(responses.len()), false);
        for response in responses {
            match response {
                Ok(pod) => {
                    events.push(about.created(&pod.meta().name));
                    carrying.done += 1;
                }
                // Nothing can be created any more, and nothing needs to be.
                Err(error) if error.is_namespace_terminating() => carrying.done += 1,
                Err(error) => {
                    events.push(about.create_failed(&error));
                    self.errors.push(error.message);
                    failed = true;
                }
            }
        }
        carrying.batch = carrying.batch.and_then(Batch::next).filter(|_| !failed);
        self.carry_on(cx, ledger, carrying, events)
    }

    fn delete(self, cx: Context<'_>, ledger: &mut Ledger, carrying: Carrying, events: Vec<Request>) -> Step<SyncState> {
        if carrying.pods.is_empty() {
            return self.carried_out(cx, ledger, carrying.done, events);
        }
        let requests = carrying.pods.iter().map(|pod| delete_pod(pod)).chain(events).collect();
        Step::call(requests, self.waiting(Stage::Carry(carrying)))
    }

    fn deleted(
        mut self,
        cx: Context<'_>,
        ledger: &mut Ledger,
        mut carrying: Carrying,
        responses: Vec<Response>,
    ) -> Step<SyncState> {
        let about = PodEvents::about(Kind::DaemonSet, &self.set.meta);
        let mut events = Vec::with_capacity(responses.len());
        for (pod, response) in carrying.pods.iter().zip(responses) {
            match response {
                Ok(_) => {
                    events.push(about.deleted(&pod.meta.name));
                    carrying.done += 1;
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    events.push(about.delete_failed(&error));
                    self.errors.push(format!("unable to delete pods: {error}"));
                }
            }
        }
        self.carried_out(cx, ledger, carrying.done, events)
    }

    fn carried_out(self, cx: Context<'_>, ledger: &mut Ledger, done: usize, events: Vec<Request>) -> Step<SyncState> {
        if self.phase == Phase::Manage && self.errors.is_empty() && done == 0 {
            return self.update(cx, ledger, events);
        }
        self.finish(cx, ledger, events)
    }

    // ---- the end ----

    /// Deletes old revisions if all went well, and reports in any case. The status goes onto the newest state that the
    /// view shows, as upstream's second attempt after a conflict does.
    fn finish(mut self, cx: Context<'_>, ledger: &mut Ledger, events: Vec<Request>) -> Step<SyncState> {
        let set = &self.set;
        let mut requests = Vec::new();
        if self.errors.is_empty() {
            // The API server's default; upstream takes it for granted.
            let limit = set.spec.revision_history_limit.unwrap_or(10);
            requests = clean_up(&self.old, limit, |revision| ledger.lives(revision));
        }
        ledger.refresh(&set.spec.template, &self.basis(), cx.now);
        let tally = ledger.tally();
        let newest = cx.view.daemon_sets.get(&set.key()).filter(|newest| newest.meta.uid == set.meta.uid);
        let newest = newest.unwrap_or(set);
        if let Some(status) = status(set, &newest.status, tally) {
            let reported = DaemonSet { meta: newest.meta.clone(), spec: newest.spec.clone(), status };
            requests.push(Request::Update(reported.into(), Part::Status));
        }
        requests.extend(events);
        let min_ready = u64::try_from(set.spec.min_ready_seconds).unwrap_or(0);
        if min_ready > 0 && tally.ready != tally.available {
            let later = SimDuration::from_secs(min_ready);
            self.again = Some(self.again.map_or(later, |earlier| earlier.min(later)));
        }
        let then = match self.errors.is_empty() {
            true => Then::Done { requeue_after: self.again },
            false => Then::Retry(controller_ref::aggregate(self.errors)),
        };
        Step { requests, then }
    }
}
