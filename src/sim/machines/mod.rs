//! What becomes of machines: they panic and boot again, are shut down, slow down, are taken away by their cloud or by mistake.

mod cloud;
mod reclaim;
mod shutdown;

use serde_json::{Value, json};

use crate::api::{EventKind, EventSpec, Part, Request};
use crate::controllers::cloud_node_lifecycle::Instance;
use crate::kernel::{Purpose, Sampler, SimDuration};
use crate::objects::{Key, Node, ObjectReference, Uid};

use super::builder::NodeTemplate;
use super::error::SimError;
use super::event::{Event, rank};
use super::kubelets::NodeProcess;
use super::simulation::Simulation;

pub(super) use cloud::Cloud;
pub use reclaim::{OnNotice, Reclaim};

const BOOT_IDS: Purpose = Purpose::new(0x5ea_0005);
const STATUS_DELAYS: Purpose = Purpose::new(0x5ea_0006);

/// How long a machine takes to boot unless told otherwise.
pub const DEFAULT_BOOT_TIME: SimDuration = SimDuration::from_secs(60);

/// The slowest that a machine can be, in hundredths of the time that things take on others.
pub const MAX_SLOWNESS_PERCENT: u32 = 100_000;

/// What is special about a machine; most have nothing of it.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) instance: Instance,
    /// Times that it has booted since it joined.
    boots: u64,
    /// Its kubelet has not said so yet.
    booted: bool,
    slowness_percent: u32,
    /// From what the kubelet says to its arrival at the API server, beside what every write takes.
    status_delay: Option<Sampler>,
    /// Its cloud wants it back.
    reclaimed: bool,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            instance: Instance::Running,
            boots: 0,
            booted: false,
            slowness_percent: 100,
            status_delay: None,
            reclaimed: false,
        }
    }
}

impl Machine {
    /// What a template says that is special; `None` if nothing is.
    pub(super) fn of(template: &NodeTemplate) -> Option<Box<Self>> {
        let status_delay = template.status_delay.clone()?;
        Some(Box::new(Self { status_delay: Some(status_delay), ..Self::default() }))
    }
}

/// What happens to a machine after a while.
#[derive(Clone, Debug)]
pub(super) enum MachineEvent {
    /// It has booted; nothing happens if somebody has stopped it since.
    Boot { node: u32, epoch: u32 },
    /// Its kubelet does not hold its shutdown up any longer; nothing happens if it has stopped since.
    PowerOff { node: u32, epoch: u32 },
    /// Its cloud takes it back, with a replacement after that time.
    Vanish { node: u32, replacement: Option<SimDuration> },
    /// A machine joins.
    Join(Box<NodeTemplate>),
    /// The cloud node lifecycle controller looks at its nodes.
    CloudMonitor,
}

impl NodeProcess {
    pub(super) fn machine_mut(&mut self) -> &mut Machine {
        self.machine.get_or_insert_default()
    }

    /// What the cloud says of it.
    pub(super) fn instance(&self) -> Instance {
        self.machine.as_ref().map_or(Instance::Running, |machine| machine.instance)
    }

    pub(super) fn slowness_percent(&self) -> u32 {
        self.machine.as_ref().map_or(100, |machine| machine.slowness_percent)
    }
}

impl Simulation {
    pub(super) fn machine_event(&mut self, event: MachineEvent) {
        match event {
            MachineEvent::Boot { node, epoch } => {
                let process = &self.kubelets.nodes[node as usize];
                if process.epoch == epoch && !process.kubelet.is_running() {
                    self.boot(node);
                }
            }
            MachineEvent::PowerOff { node, epoch } => {
                if self.kubelets.nodes[node as usize].epoch == epoch {
                    self.power_off(node);
                }
            }
            MachineEvent::Vanish { node, replacement } => self.vanish(node, replacement),
            MachineEvent::Join(template) => self.replace_machine(&template),
            MachineEvent::CloudMonitor => self.cloud_monitor(),
        }
    }

    fn push_machine_event(&mut self, delay: SimDuration, event: MachineEvent) {
        self.queue.push(self.now() + delay, rank::USER, Event::Machine(event));
    }

    /// The kernel of a machine panics: everything on it stops at once, and it boots again, which takes `boot`. The processes of
    /// its containers are gone (exit code 255); its kubelet starts them anew in the pods that are still bound to it, and says
    /// that the node was rebooted.
    ///
    /// # Errors
    /// If there is no such machine, or it does not run.
    pub fn kernel_panic(&mut self, node: &str, boot: SimDuration) -> Result<(), SimError> {
        let number = self.running_machine(node)?;
        self.panic_machine(number, boot);
        Ok(())
    }

    pub(super) fn panic_machine(&mut self, node: u32, boot: SimDuration) {
        self.stop_machine(node);
        let epoch = self.kubelets.nodes[node as usize].epoch;
        self.push_machine_event(boot, MachineEvent::Boot { node, epoch });
    }

    /// Starts a machine that stopped, with a new boot id.
    pub(super) fn boot(&mut self, node: u32) {
        if self.kubelets.nodes[node as usize].instance() == Instance::Gone {
            return;
        }
        let machine = self.kubelets.nodes[node as usize].machine_mut();
        machine.instance = Instance::Running;
        machine.boots += 1;
        machine.booted = true;
        self.start_machine(node);
        self.watch_cloud();
    }

    /// A kubelet that shows its first sign of life after a boot names the boot id.
    pub(super) fn report_boot(&mut self, node: u32) {
        let machine = self.kubelets.nodes[node as usize].machine_mut();
        let boots = machine.boots;
        if !std::mem::take(&mut machine.booted) {
            return;
        }
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let Some(object) = self.view().nodes.get(&Key::new("", name.clone())) else { return };
        let mut object = Node::clone(object);
        let mut ids = self.streams.stream(BOOT_IDS, &*format!("{name}/{boots}"));
        let boot_id = uuid(ids.next_u64(), ids.next_u64());
        let info = object.status.rest.entry("nodeInfo").or_insert_with(|| json!({}));
        if let Value::Object(info) = info {
            info.insert("bootID".to_owned(), boot_id.as_str().into());
        }
        object.meta.resource_version = 0;
        drop(self.execute(&Request::Update(object.into(), Part::Status)));
        let message = format!("Node {name} has been rebooted, boot id: {boot_id}");
        self.say_of_node(node, EventKind::Warning, "Rebooted", message);
    }

    /// Records an Event of a kubelet about its node, which it names by its name.
    pub(super) fn say_of_node(&mut self, node: u32, kind: EventKind, reason: &'static str, message: String) {
        let name = self.kubelets.nodes[node as usize].kubelet.node_name().clone();
        let about = ObjectReference {
            kind: "Node".into(),
            name: name.clone().into(),
            uid: Uid::Text(name.clone()),
            ..ObjectReference::default()
        };
        let spec = EventSpec { about, kind, reason: reason.into(), message: message.into() };
        self.record_event("kubelet", node + 1, &name, &spec);
    }

    /// Takes a machine away for ever, by mistake or by a failure of its host, without a word to the cluster. Its Node object
    /// stays until the node is known as not ready and the cloud's controller finds that there is no machine behind it.
    ///
    /// # Errors
    /// If there is no such machine, or it is gone already.
    pub fn delete_machine(&mut self, node: &str) -> Result<(), SimError> {
        let number = self.existing_machine(node)?;
        self.take_away(number);
        Ok(())
    }

    pub(super) fn take_away(&mut self, node: u32) {
        self.stop_machine(node);
        self.kubelets.nodes[node as usize].machine_mut().instance = Instance::Gone;
        self.watch_cloud();
    }

    /// Makes everything on a machine take `percent` hundredths of the time: containers start, come up and stop so much later, probes
    /// wait so much longer for their answers, its kubelet shows so much less often that it lives. 100 is as fast as others. What has
    /// begun already keeps its time.
    ///
    /// # Errors
    /// If there is no such machine, or `percent` is less than 100 or more than [`MAX_SLOWNESS_PERCENT`].
    pub fn slow_down(&mut self, node: &str, percent: u32) -> Result<(), SimError> {
        let number = self.existing_machine(node)?;
        if !(100..=MAX_SLOWNESS_PERCENT).contains(&percent) {
            let most = MAX_SLOWNESS_PERCENT / 100;
            return Err(SimError::Cluster(format!("a machine can be 1 to {most} times as slow as others")));
        }
        self.set_slowness(number, percent);
        Ok(())
    }

    pub(super) fn set_slowness(&mut self, node: u32, percent: u32) {
        if self.kubelets.nodes[node as usize].slowness_percent() != percent {
            self.kubelets.nodes[node as usize].machine_mut().slowness_percent = percent;
            self.call_kubelet(node, u64::from(node), |kubelet, cx| kubelet.on_pace(cx));
        }
    }

    /// How much later than other writes a kubelet's reports arrive.
    pub(super) fn status_delay(&self, node: u32) -> SimDuration {
        let own = self.kubelets.nodes[node as usize].machine.as_ref().and_then(|machine| machine.status_delay.as_ref());
        let delay = own.unwrap_or(&self.delays.status);
        delay.as_constant().unwrap_or_else(|| {
            let entity = u64::from(node) ^ self.now().as_nanos().rotate_left(17);
            delay.sample(&mut self.streams.stream(STATUS_DELAYS, entity))
        })
    }

    pub(super) fn existing_machine(&self, node: &str) -> Result<u32, SimError> {
        let number = self.machine(node)?;
        if self.kubelets.nodes[number as usize].instance() == Instance::Gone {
            return Err(SimError::Cluster(format!("the machine of node {node} is gone")));
        }
        Ok(number)
    }

    fn running_machine(&self, node: &str) -> Result<u32, SimError> {
        let number = self.existing_machine(node)?;
        if !self.kubelets.nodes[number as usize].kubelet.is_running() {
            return Err(SimError::Cluster(format!("the machine of node {node} does not run")));
        }
        Ok(number)
    }
}

/// A version 4 UUID of random bits.
fn uuid(high: u64, low: u64) -> String {
    Uid::Uuid { high: high & !0xf000 | 0x4000, low: low & !(0b11 << 62) | (0b10 << 62) }.to_string()
}

#[cfg(test)]
mod tests;
