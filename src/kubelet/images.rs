//! Images: which are there, which are being pulled, and what comes of one that cannot be had.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::api::EventKind;
use crate::kernel::SimDuration;
use crate::objects::wire::Wire;
use crate::objects::{Uid, WallTime};

use super::behaviour::{Pull, SlowPull};
use super::driver::PodSync;
use super::lifecycle::back_off;
use super::preparation::SYNC_RETRY;
use super::worker::{Due, State, after, until};

/// After a failed pull the next look at the pod, one relist of the runtime later, finds it backing off.
const PULL_SHOWN_AS_FAILED: SimDuration = SimDuration::from_secs(1);

/// Images of a machine that had to be pulled.
#[derive(Clone, Debug, Default)]
pub(super) struct Images {
    /// When the pull of each ends, and whether it has.
    pulls: FxHashMap<Arc<str>, (WallTime, bool)>,
    /// When the last pull under way ends: they wait for each other.
    idle_at: WallTime,
    waiting: Vec<Waiting>,
}

/// A container that waits for its image.
#[derive(Clone, Debug)]
struct Waiting {
    pod: Uid,
    container: usize,
    since: WallTime,
    /// How long the pull itself takes.
    takes: SimDuration,
}

impl Images {
    fn has(&self, image: &str) -> bool {
        self.pulls.get(image).is_some_and(|(_, is_done)| *is_done)
    }

    /// Pulls an image behind the others; one that is there by then takes no time. Returns when it is done.
    fn pull(&mut self, image: &Arc<str>, pod: &Uid, container: usize, takes: SimDuration, now: WallTime) -> WallTime {
        let takes = if self.pulls.contains_key(image) { SimDuration::ZERO } else { takes };
        let end = after(self.idle_at.max(now), takes);
        self.idle_at = end;
        self.pulls.entry(image.clone()).or_insert((end, false));
        self.waiting.push(Waiting { pod: pod.clone(), container, since: now, takes });
        end
    }

    /// A pull has ended. Returns how long it took, and with the waiting.
    fn done(&mut self, image: &Arc<str>, pod: &Uid, container: usize, now: WallTime) -> (SimDuration, SimDuration) {
        self.pulls.insert(image.clone(), (now, true));
        let place = self.waiting.iter().position(|waiting| waiting.pod == *pod && waiting.container == container);
        let waiting = place.map(|place| self.waiting.swap_remove(place));
        waiting.map_or_else(Default::default, |waiting| (waiting.takes, until(waiting.since, now)))
    }

    /// The machine stops; images that are there stay.
    pub(super) fn interrupt(&mut self) {
        self.pulls.retain(|_, (_, is_done)| *is_done);
        self.waiting.clear();
        self.idle_at = WallTime::default();
    }

    /// A pod is gone. What is being pulled for it is pulled to the end.
    pub(super) fn forget(&mut self, pod: &Uid) {
        self.waiting.retain(|waiting| waiting.pod != *pod);
    }
}

impl<'c> PodSync<'_, 'c> {
    /// Sees to it that the container's image is there.
    pub(super) fn ensure_image(&mut self, at: usize) -> bool {
        let pull = &self.cx.behaviours.get(self.worker.containers[at].behaviour).pull;
        if *pull == Pull::Ok || self.worker.containers[at].pulled {
            return true;
        }
        let policy = self.container_wire(at).map(|container| container.text("imagePullPolicy")).unwrap_or_default();
        let image = &self.worker.container_spec(at).image;
        let is_there = self.images.as_ref().is_some_and(|images| images.has(image));
        match (pull, policy) {
            (_, "Never") if !is_there => self.refuse_to_pull(at),
            (Pull::Slow(_), "IfNotPresent" | "Never") if is_there => return true,
            (Pull::Slow(slow), _) => self.pull(at, slow),
            (Pull::Ok | Pull::Error, _) => self.fail_pull(at),
        }
        false
    }

    fn pull(&mut self, at: usize, slow: &'c SlowPull) {
        let image = self.worker.container_spec(at).image.clone();
        self.container_event(at, EventKind::Normal, "Pulling", format!("Pulling image \"{image}\""));
        let takes = slow.takes.sample_lazily(self.cx.bad_luck);
        let takes = self.cx.slowed(takes);
        let now = self.cx.now;
        let end = self.images.get_or_insert_default().pull(&image, self.uid, at, takes, now);
        self.schedule(until(now, end), at, Due::Pulled);
    }

    pub(super) fn image_is_pulled(&mut self, at: usize) {
        let image = self.worker.container_spec(at).image.clone();
        let (took, waited) = self.images.get_or_insert_default().done(&image, self.uid, at, self.cx.now);
        if self.worker.is_ending() {
            return;
        }
        let size = match &self.cx.behaviours.get(self.worker.containers[at].behaviour).pull {
            Pull::Slow(slow) => slow.size.value(),
            Pull::Ok | Pull::Error => 0,
        };
        let whole = |time: SimDuration| SimDuration::from_millis(time.as_millis());
        let message = format!(
            "Successfully pulled image \"{image}\" in {} ({} including waiting). Image size: {size} bytes.",
            whole(took),
            whole(waited)
        );
        self.container_event(at, EventKind::Normal, "Pulled", message);
        self.worker.containers[at].pulled = true;
        self.start_container(at);
    }

    fn refuse_to_pull(&mut self, at: usize) {
        self.worker.dirty |= self.worker.containers[at].state != State::NeverPull;
        self.worker.containers[at].set_state(State::NeverPull);
        let message = self.not_present(at);
        self.container_event(at, EventKind::Warning, "ErrImageNeverPull", message);
        self.container_event(at, EventKind::Warning, "Failed", "Error: ErrImageNeverPull");
        self.schedule(SYNC_RETRY, at, Due::Start);
    }

    pub(super) fn not_present(&self, at: usize) -> String {
        let image = &self.worker.container_spec(at).image;
        format!("Container image \"{image}\" is not present with pull policy of Never")
    }

    fn fail_pull(&mut self, at: usize) {
        let container = &mut self.worker.containers[at];
        container.failed_pulls = container.failed_pulls.saturating_add(1);
        let wait = back_off(container.failed_pulls);
        container.set_state(State::ErrImagePull);
        self.worker.dirty = true;
        self.say_pull_failed(at);
        self.schedule(PULL_SHOWN_AS_FAILED.min(wait), at, Due::PullBackOff);
    }

    pub(super) fn back_off_pulling(&mut self, at: usize) {
        if self.worker.is_ending() {
            return;
        }
        let container = &mut self.worker.containers[at];
        let wait = back_off(container.failed_pulls);
        container.set_state(State::ImagePullBackOff);
        self.worker.dirty = true;
        self.say_pull_backs_off(at);
        self.schedule(wait - PULL_SHOWN_AS_FAILED, at, Due::Start);
    }
}
