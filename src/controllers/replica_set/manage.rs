//! Creating and deleting pods (upstream `manageReplicas`).

use std::sync::Arc;

use crate::api::{ApiError, Context, Part, Request, Response, Step, View};
use crate::controllers::controller_ref::controller_reference;
use crate::controllers::pod_control::{BURST_REPLICAS, Batch, PodEvents, PodFactory, delete_pod};
use crate::controllers::pod_ranking::pods_to_delete;
use crate::objects::{Pod, Resource, WallTime};

use super::{Census, ReplicatedKind, Selection, Stage, SyncState, end, next_status};

/// Brings the number of pods to what is asked for. `adopted` are pods that this sync took over, which the view may
/// not show yet.
pub(super) fn manage<S: ReplicatedKind>(
    cx: Context<'_>,
    set: &Arc<S>,
    census: Census,
    adopted: &[Arc<Pod>],
) -> Step<SyncState<S>> {
    let surplus = i64::from(census.active) - i64::from(set.spec().replicas);
    if surplus == 0 || set.meta().is_deleting() {
        return finish(cx, set, &census, Vec::new(), None);
    }
    let count = usize::try_from(surplus.unsigned_abs()).unwrap_or(usize::MAX).min(BURST_REPLICAS);
    if surplus > 0 { delete(cx, set, census, adopted, count) } else { create(cx, set, census, count) }
}

/// The pods that a set owns, each with whether it selects it.
fn owned<'a, S: ReplicatedKind>(
    view: &'a View,
    set: &'a S,
    adopted: &'a [Arc<Pod>],
) -> impl Iterator<Item = (&'a Arc<Pod>, bool)> {
    let selection = Selection::of(set.spec());
    let shown = move |pod: &Pod| {
        let known = view.pods.get(&pod.key());
        known.is_some_and(|known| known.meta.controller().is_some_and(|owner| owner.uid == set.meta().uid))
    };
    let unseen = adopted.iter().filter(move |pod| !shown(pod));
    view.pods.controlled_by(&set.meta().uid).chain(unseen).map(move |pod| (pod, selection.includes(pod)))
}

/// Counts the pods that a set owns and selects; the others go to `stray`.
pub(super) fn census<S: ReplicatedKind>(
    view: &View,
    set: &S,
    adopted: &[Arc<Pod>],
    now: WallTime,
    mut stray: impl FnMut(&Pod),
) -> Census {
    let known = if adopted.is_empty() { known_census(view, set) } else { None };
    if let (Some(census), false) = (known, cfg!(debug_assertions)) {
        return census;
    }
    let mut census = Census::default();
    for (pod, selected) in owned(view, set, adopted) {
        if !selected {
            stray(pod);
        } else if pod.is_active() {
            census.add_active(pod, set.spec(), now);
        } else if pod.is_terminating() {
            census.terminating += 1;
        }
    }
    debug_assert!(known.is_none_or(|known| known == census), "what the view counted is what is there");
    census
}

/// The same from the counts that the view keeps; nothing if single pods must be looked at, for their time or because the set
/// does not select them.
fn known_census<S: ReplicatedKind>(view: &View, set: &S) -> Option<Census> {
    let (spec, selection) = (set.spec(), Selection::of(set.spec()));
    if spec.min_ready_seconds != 0 {
        return None;
    }
    let mut census = Census::default();
    for (labels, counts) in view.replicas_of(&set.meta().uid) {
        if selection.selects(labels) {
            census.active += counts.active;
            census.ready += counts.ready;
            census.terminating += counts.terminating;
            if labels.contains_all(&spec.template.labels) {
                census.fully_labeled += counts.active;
            }
        } else if counts.active > 0 {
            return None;
        }
    }
    census.available = census.ready;
    Some(census)
}

fn create<S: ReplicatedKind>(cx: Context<'_>, set: &Arc<S>, census: Census, count: usize) -> Step<SyncState<S>> {
    if set.spec().template.labels.is_empty() {
        return finish(cx, set, &census, Vec::new(), Some("unable to create pods, no labels".to_owned()));
    }
    match Batch::first(count) {
        Some(batch) => create_batch(Arc::clone(set), census, batch, Vec::new()),
        None => finish(cx, set, &census, Vec::new(), None),
    }
}

/// Sends a batch of creations, and the Events about the one before.
fn create_batch<S: ReplicatedKind>(
    set: Arc<S>,
    census: Census,
    batch: Batch,
    events: Vec<Request>,
) -> Step<SyncState<S>> {
    let reference = controller_reference(S::KIND, set.meta());
    let factory = PodFactory::new(&set.spec().template, set.meta(), reference);
    let mut requests = Vec::with_capacity(batch.size + events.len());
    requests.extend(std::iter::repeat_with(|| factory.create()).take(batch.size));
    requests.extend(events);
    Step::call(requests, SyncState { set, stage: Stage::Create(census, batch) })
}

/// Goes on after a batch of creations: with the next one, unless one failed.
pub(super) fn created<S: ReplicatedKind>(
    cx: Context<'_>,
    set: Arc<S>,
    census: Census,
    batch: Batch,
    responses: Vec<Response>,
) -> Step<SyncState<S>> {
    let about = PodEvents::about(S::KIND, set.meta());
    let (mut events, mut failure) = (Vec::with_capacity(batch.size), None);
    for response in responses.into_iter().take(batch.size) {
        match response {
            Ok(pod) => events.push(about.created(&pod.meta().name)),
            // Nothing can be created any more, and nothing needs to be.
            Err(error) if error.is_namespace_terminating() => {}
            Err(error) => {
                events.push(about.create_failed(&error));
                failure.get_or_insert(error.message);
            }
        }
    }
    match batch.next().filter(|_| failure.is_none()) {
        Some(next) => create_batch(set, census, next, events),
        None => finish(cx, &set, &census, events, failure),
    }
}

fn delete<S: ReplicatedKind>(
    cx: Context<'_>,
    set: &Arc<S>,
    census: Census,
    adopted: &[Arc<Pod>],
    count: usize,
) -> Step<SyncState<S>> {
    let active = owned::<S>(cx.view, set, adopted).filter(|(pod, selected)| *selected && pod.is_active());
    let active: Vec<&Arc<Pod>> = active.map(|(pod, _)| pod).collect();
    let victims = pods_to_delete::<S>(cx.view, set, &active, count, cx.now);
    let names = victims.iter().map(|pod| Arc::clone(&pod.meta.name)).collect();
    let requests = victims.iter().map(|pod| delete_pod(pod)).collect();
    Step::call(requests, SyncState { set: Arc::clone(set), stage: Stage::Delete(census, names) })
}

/// Goes on after deletions.
pub(super) fn deleted<S: ReplicatedKind>(
    cx: Context<'_>,
    set: &Arc<S>,
    census: &Census,
    pods: &[Arc<str>],
    responses: Vec<Response>,
) -> Step<SyncState<S>> {
    let about = PodEvents::about(S::KIND, set.meta());
    let (mut events, mut failure) = (Vec::with_capacity(pods.len()), None);
    for (pod, response) in pods.iter().zip(responses) {
        match response {
            Ok(_) => events.push(about.deleted(pod)),
            Err(error) if error.is_not_found() => {}
            Err(error) => {
                events.push(about.delete_failed(&error));
                failure.get_or_insert_with(|| unable_to_delete(&error));
            }
        }
    }
    finish(cx, set, census, events, failure)
}

fn unable_to_delete(error: &ApiError) -> String {
    format!("unable to delete pods: {error}")
}

/// Reports, whatever came of managing the pods. The status goes onto the newest state that the view shows, as
/// upstream's second attempt after a conflict does.
fn finish<S: ReplicatedKind>(
    cx: Context<'_>,
    set: &Arc<S>,
    census: &Census,
    events: Vec<Request>,
    failure: Option<String>,
) -> Step<SyncState<S>> {
    let mut requests = events;
    if let Some(status) = next_status::<S>(set, census, failure.as_deref(), cx.now) {
        let newest = S::table(cx.view).get(&set.key()).filter(|newest| newest.meta().uid == set.meta().uid);
        let update = newest.unwrap_or(set).with_status(status);
        requests.insert(0, Request::Update(Arc::new(update).wrap(), Part::Status));
    }
    end(requests, failure, census.next_check(set.spec().min_ready_seconds))
}
