//! What happens to the processes of containers, for whoever sends them requests.

use std::net::IpAddr;

use smallvec::SmallVec;

use crate::kernel::SimDuration;
use crate::objects::{Key, Uid};

use super::driver::PodSync;

/// Something happened to a process, or to the network of its pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessNotice {
    /// Uid of the pod.
    pub pod: Uid,
    /// Namespace and name of the pod.
    pub key: Key,
    /// Address of the pod.
    pub address: Option<IpAddr>,
    /// Place of the container among all of the pod: init containers, then regular ones, then ephemeral ones.
    pub container: u16,
    /// What.
    pub what: ProcessEvent,
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessEvent {
    /// It runs. It does not listen yet.
    Started,
    /// The application answers, perhaps again.
    Listening,
    /// The application does not answer any more.
    Hung,
    /// It is told to stop.
    Stopping {
        /// From now to SIGTERM, after the preStop hook; `None` = as was said before.
        sigterm: Option<SimDuration>,
        /// From now to its end, unless something else happens.
        stops: SimDuration,
    },
    /// It has ended.
    Ended,
    /// Nothing is left of the pod; its address is free.
    PodGone,
}

/// The process of a container as others see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    runs: bool,
    listens: bool,
    hung: bool,
    /// Tells one process of a container from the next.
    restarts: u32,
}

impl PodSync<'_, '_> {
    /// The processes now; none if nobody wants to know.
    pub(super) fn processes(&self) -> SmallVec<[Process; 2]> {
        if self.cx.effects.processes.is_none() {
            return SmallVec::new();
        }
        let containers = self.worker.containers.iter();
        let process = containers.map(|container| Process {
            runs: container.is_running(),
            listens: container.is_running() && container.answering,
            hung: container.hung,
            restarts: container.restarts,
        });
        process.collect()
    }

    /// Tells what happened to the processes since `before`.
    pub(super) fn tell_of_processes(&mut self, before: &[Process]) {
        if self.cx.effects.processes.is_none() {
            return;
        }
        let now = self.processes();
        let none = Process { runs: false, listens: false, hung: false, restarts: 0 };
        for (at, process) in now.iter().enumerate() {
            let mut was = before.get(at).copied().unwrap_or(none);
            let ends = self.done || !process.runs || process.restarts != was.restarts;
            if was.runs && ends {
                self.tell_of(at, ProcessEvent::Ended);
            }
            if self.done || !process.runs {
                continue;
            }
            if ends || !was.runs {
                was = none;
                self.tell_of(at, ProcessEvent::Started);
            }
            if process.hung && !was.hung {
                self.tell_of(at, ProcessEvent::Hung);
            } else if process.listens && !process.hung && (!was.listens || was.hung) {
                self.tell_of(at, ProcessEvent::Listening);
            }
        }
        if self.done {
            self.tell_of(0, ProcessEvent::PodGone);
        }
    }

    /// Tells of a container, if somebody wants to know.
    pub(super) fn tell_of(&mut self, at: usize, what: ProcessEvent) {
        let (pod, key, address) = (self.uid, &self.worker.key, self.worker.address);
        if let Some(notices) = &mut self.cx.effects.processes {
            let container = u16::try_from(at).unwrap_or(u16::MAX);
            notices.push(ProcessNotice { pod: pod.clone(), key: key.clone(), address, container, what });
        }
    }
}
