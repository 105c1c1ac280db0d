//! What must be there before a container starts: volumes, environment, and the hooks of those before it. And what a changed
//! spec asks for.

use std::sync::Arc;

use serde_json::Value;

use crate::api::EventKind;
use crate::kernel::SimDuration;
use crate::objects::environment::{ConfigError, container_env, volume_files};
use crate::objects::wire::Wire;
use crate::objects::{Container, Pod};

use super::driver::PodSync;
use super::surroundings::{KnownServices, ViewSurroundings};
use super::termination::EXIT_CODE_KILLED;
use super::worker::{Cause, ContainerWorker, Due, Role, State};

/// Upstream's requeue of a pod whose sync failed.
pub(super) const SYNC_RETRY: SimDuration = SimDuration::from_secs(10);
/// First wait of mounts; doubles (upstream `exponentialbackoff`).
const MOUNT_RETRY_BASE: SimDuration = SimDuration::from_millis(500);
/// Longest wait of mounts.
const MOUNT_RETRY_MAX: SimDuration = SimDuration::from_secs(122);

impl PodSync<'_, '_> {
    /// Starts the ephemeral containers that were not started yet. They wait for no other container.
    pub(super) fn launch_ephemeral(&mut self) {
        let places: Vec<usize> = self.worker.places(Role::Ephemeral).collect();
        for at in places {
            if self.worker.containers[at].state == State::Created {
                self.launch(at, None);
            }
        }
    }

    /// A container whose image was changed is restarted with the new one; an ephemeral container that is new is started.
    pub(super) fn take_spec(&mut self, pod: &Arc<Pod>) {
        if !self.worker.is_changed_by(pod) {
            return;
        }
        let old = std::mem::replace(&mut self.worker.spec, pod.spec.clone());
        if self.worker.is_ending() {
            return;
        }
        self.take_images(&old.init_containers, &old.containers);
        for container in &pod.spec.ephemeral_containers[old.ephemeral_containers.len()..] {
            let behaviour = self.cx.behaviours.index(&container.image);
            self.worker.containers.push(ContainerWorker { behaviour, ..ContainerWorker::default() });
            self.worker.dirty = true;
        }
        self.launch_ephemeral();
    }

    fn take_images(&mut self, init: &[Container], main: &[Container]) {
        for (at, old) in init.iter().chain(main).enumerate() {
            let spec = self.worker.container_spec(at);
            if spec.image == old.image {
                continue;
            }
            let (behaviour, name) = (self.cx.behaviours.index(&spec.image), spec.name.clone());
            if self.worker.containers[at].state == State::Running {
                self.stop_for_restart(at, None, format!("Container {name} definition changed, will be restarted"));
            }
            let container = &mut self.worker.containers[at];
            (container.behaviour, container.back_off, container.failed_pulls) = (behaviour, 0, 0);
        }
    }

    /// A rule makes the pod begin anew in its sandbox: all containers are killed without grace and removed, then started as
    /// in a new pod, the init containers first. There is no back-off.
    pub(super) fn restart_all(&mut self) {
        self.worker.restarts_all = true;
        self.report(false);
        let now = self.cx.now;
        for at in 0..self.worker.containers.len() {
            let container = &self.worker.containers[at];
            let was_started = container.is_running() || container.ended.is_some();
            if self.worker.role(at) == Role::Ephemeral {
                continue;
            }
            if container.is_running() {
                self.container_event(at, EventKind::Normal, "Killing", "killing");
            }
            self.worker.leave_volumes(at, self.cx.behaviours, now);
            let container = &mut self.worker.containers[at];
            if was_started {
                container.end(EXIT_CODE_KILLED, Cause::RestartAll, now);
            }
            container.set_state(State::Created);
        }
        (self.worker.restarts_all, self.worker.initialized, self.worker.dirty) = (false, false, true);
        self.advance(None);
    }

    /// Whether the container has to wait until a postStart hook of a regular container before it returns: the kubelet starts
    /// them one after the other.
    pub(super) fn waits_for_a_hook(&mut self, at: usize) -> bool {
        let is_held = self.worker.role(at) == Role::Main
            && self.worker.places(Role::Main).take_while(|before| *before < at).any(|before| self.is_hooking(before));
        if is_held {
            self.worker.containers[at].set_state(State::Queued);
        }
        is_held
    }

    fn is_hooking(&self, at: usize) -> bool {
        self.worker.containers[at].is_hooking()
    }

    pub(super) fn post_started(&mut self, at: usize) {
        if self.worker.is_ending() || !self.is_hooking(at) {
            return;
        }
        if self.post_start_fails(at) {
            return self.fail_post_start(at);
        }
        self.container_runs(at);
        self.start_queued();
    }

    /// No hook holds the containers behind it any more.
    pub(super) fn start_queued(&mut self) {
        let queued: Vec<usize> =
            self.worker.places(Role::Main).filter(|at| self.worker.containers[*at].state == State::Queued).collect();
        queued.into_iter().for_each(|at| self.start_container(at));
    }

    /// Sees to it that the volumes that are made of the API's own data can be mounted, once for the pod's sandbox.
    pub(super) fn ensure_volumes(&mut self, at: usize) -> bool {
        if self.worker.sandboxed {
            return true;
        }
        let Some((volume, why)) = self.missing_volume() else {
            self.worker.failed_mounts = 0;
            return true;
        };
        let first = self.worker.containers.iter().position(|container| container.state == State::Starting);
        if first == Some(at) {
            self.worker.failed_mounts = self.worker.failed_mounts.saturating_add(1);
            self.say_not_mounted(&volume, &why);
        }
        let step = u64::from(self.worker.failed_mounts.saturating_sub(1).min(10));
        self.schedule((MOUNT_RETRY_BASE * (1 << step)).min(MOUNT_RETRY_MAX), at, Due::Start);
        false
    }

    fn missing_volume(&self) -> Option<(String, ConfigError)> {
        let volumes = self.worker.spec.wire().get("volumes").and_then(Value::as_array)?;
        let made_of_data = |volume: &&Value| {
            ["configMap", "secret", "projected", "downwardAPI"].iter().any(|kind| volume.get(*kind).is_some())
        };
        let mut sources = volumes.iter().filter(made_of_data).peekable();
        sources.peek()?;
        let pod = self.pod()?;
        let around = self.around();
        sources.find_map(|volume| {
            let error = volume_files(pod, volume, &around).err()?;
            Some((volume.text("name").to_owned(), error))
        })
    }

    /// Sees to it that what the container's environment refers to is there.
    pub(super) fn ensure_environment(&mut self, at: usize) -> bool {
        let known = self.worker.config_errors.as_mut().and_then(|errors| {
            let place = errors.iter().position(|(place, _)| *place == at)?;
            Some(errors.swap_remove(place).1)
        });
        let Some(error) = self.environment_error(at) else { return true };
        self.say_cannot_be_configured(at, &error);
        self.worker.dirty |= known.as_ref() != Some(&error);
        self.worker.config_errors.get_or_insert_default().push((at, error));
        self.worker.containers[at].set_state(State::ConfigError);
        self.schedule(SYNC_RETRY, at, Due::Start);
        false
    }

    fn environment_error(&self, at: usize) -> Option<ConfigError> {
        let container = self.container_wire(at)?;
        if !container.has("env") && !container.has("envFrom") {
            return None;
        }
        container_env(self.pod()?, container, &self.around()).err()
    }

    /// What keeps a container from being configured.
    pub(super) fn config_error(&self, at: usize) -> String {
        let mut errors = self.worker.config_errors.iter().flat_map(|errors| errors.iter());
        let found = errors.find(|(place, _)| *place == at);
        found.map(|(_, error)| error.to_string()).unwrap_or_default()
    }

    fn pod(&self) -> Option<&Arc<Pod>> {
        self.object()
    }

    fn around(&self) -> ViewSurroundings<'_> {
        ViewSurroundings { view: self.cx.view, services: KnownServices::Now }
    }

    /// A container of the spec in wire form, by its place.
    pub(super) fn container_wire(&self, at: usize) -> Option<&Value> {
        let (init, main) = (self.worker.init_count(), self.worker.spec.containers.len());
        let (list, place) = match at {
            at if at < init => ("initContainers", at),
            at if at < init + main => ("containers", at - init),
            at => ("ephemeralContainers", at - init - main),
        };
        self.worker.spec.wire().get(list)?.get(place)
    }
}
