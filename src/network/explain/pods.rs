//! Pods as ends of a way: whether one can send, why one is not ready, whether one answers.

use std::sync::Arc;

use crate::kernel::SimDuration;
use crate::objects::{
    ConditionStatus, Conditions as _, ContainerState, ContainerStatus, Key, Pod, PodPhase, PolicyType,
};

use super::super::policy::{self, Connection, Gate, OUTSIDE, Peer};
use super::super::{Cause, Network, Source};
use super::near::{count, nearest};
use super::{Link, Verdict, Walk, Walked};

/// Waits from here on are worth a note.
const LONG_WAIT: SimDuration = SimDuration::from_millis(500);

/// An endpoint that was chosen, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) ip: std::net::IpAddr,
    pub(super) port: u16,
    pub(super) pod: Option<Key>,
    pub(super) node: Option<Arc<str>>,
}

impl Walk<'_> {
    /// Whether anything can leave where the way begins.
    pub(super) fn leave(&mut self) -> Walked<()> {
        let view = self.world.view;
        let node = match self.source {
            Source::External => return Ok(()),
            Source::Node(name) => {
                if view.nodes.get(&Key::new("", name.clone())).is_none() {
                    let names = view.nodes.iter().map(|node| &*node.meta.name);
                    let hints =
                        nearest(name, names).map(|name| format!("there is a node {name}")).into_iter().collect();
                    return self.broken("Client", Cause::NoSuchName, format!("there is no node {name}"), hints);
                }
                name.clone()
            }
            Source::Pod(key) => {
                let Some(pod) = view.pods.get(key) else {
                    let names = view.pods.in_namespace(&key.namespace).map(|pod| &*pod.meta.name);
                    let hint = nearest(&key.name, names).map(|name| format!("there is a pod {name}"));
                    return self.broken(
                        "Client",
                        Cause::NoProcess,
                        format!("there is no pod {key}"),
                        hint.into_iter().collect(),
                    );
                };
                if let Some(why) = why_not_running(pod) {
                    return self.broken(
                        "Client",
                        Cause::NoProcess,
                        format!("pod {key} sends nothing: {why}"),
                        Vec::new(),
                    );
                }
                pod.node_name.clone()
            }
        };
        if !self.world.node_is_up(&node) {
            return self.broken(
                "Client",
                Cause::EntryNodeDown,
                format!("the client's node {node} is down"),
                Vec::new(),
            );
        }
        Ok(())
    }

    /// The node where connections of the client meet a proxy; nothing from outside.
    pub(super) fn client_node(&self) -> Option<Arc<str>> {
        match self.source {
            Source::External => None,
            Source::Node(name) => Some(name.clone()),
            Source::Pod(key) => self.world.view.pods.get(key).map(|pod| pod.node_name.clone()),
        }
    }

    pub(super) fn reach_pod(&mut self, key: &Key, port: Option<u16>) -> Walked<Verdict> {
        let view = self.world.view;
        let Some(pod) = view.pods.get(key) else {
            let names = view.pods.in_namespace(&key.namespace).map(|pod| &*pod.meta.name);
            let hints = nearest(&key.name, names).map(|name| format!("there is a pod {name}")).into_iter().collect();
            return self.broken("Pod", Cause::NoSuchName, format!("there is no pod {key}"), hints);
        };
        let listed = pod.spec.containers.iter().flat_map(|container| &container.ports).next();
        let first = listed.and_then(|port| u16::try_from(port.container_port).ok());
        let Some(ip) = pod.status.pod_ip else {
            let why = why_not_running(pod).unwrap_or_else(|| "it was not started".to_owned());
            return self.broken("Pod", Cause::AddressGone, format!("pod {key} has no address: {why}"), Vec::new());
        };
        if matches!(self.source, Source::External) && !pod.spec.host_network {
            let text = format!("addresses of pods, here {ip}, are not reached from outside the cluster");
            return self.broken(
                "Pod",
                Cause::AddressGone,
                text,
                vec!["a Service of type LoadBalancer or NodePort, or an Ingress, leads in".into()],
            );
        }
        let target = Target {
            ip,
            port: port.or(first).unwrap_or(80),
            pod: Some(key.clone()),
            node: Some(pod.node_name.clone()),
        };
        self.reach_targets(&[target], None)
    }

    /// Tries every target. `through` is the pod that opens the connections instead of the client.
    pub(super) fn reach_targets(&mut self, targets: &[Target], through: Option<&Key>) -> Walked<Verdict> {
        let results: Vec<Result<(), Obstacle>> = targets.iter().map(|target| self.check(target, through)).collect();
        let good = results.iter().filter(|result| result.is_ok()).count();
        let names: Vec<String> = targets
            .iter()
            .zip(&results)
            .filter(|(_, result)| result.is_ok())
            .map(|(target, _)| target.name())
            .collect();
        if good > 0 {
            let text = match (good, good == targets.len()) {
                (1, _) => format!("{} answers", names[0]),
                (_, true) => "each of them answers".to_owned(),
                (_, false) => format!("{} answer", super::near::first_few(&names)),
            };
            self.holds("Pod", text);
            self.note_waits(
                targets.iter().zip(&results).filter(|(_, result)| result.is_ok()).map(|(target, _)| target),
            );
        }
        // Equal reasons are told once.
        let mut obstacles: Vec<(Obstacle, usize)> = Vec::new();
        for obstacle in results.into_iter().filter_map(Result::err) {
            match obstacles.iter_mut().find(|(known, _)| known.is_like(&obstacle)) {
                Some((_, more)) => *more += 1,
                None => obstacles.push((obstacle, 0)),
            }
        }
        let Some((first, _)) = obstacles.first() else { return Ok(Verdict::Reachable) };
        let first = first.cause;
        if good == 0 && obstacles.iter().all(|(obstacle, _)| obstacle.cause == Cause::OutsideCluster) {
            for (obstacle, _) in obstacles {
                self.shaky(obstacle.stage, obstacle.text);
            }
            return Ok(Verdict::Unknown);
        }
        let sometimes = obstacles.iter().find(|(obstacle, _)| !obstacle.always).map(|(obstacle, _)| obstacle.cause);
        for (obstacle, more) in obstacles {
            let gets_through = good > 0 || sometimes.is_some();
            let link = if gets_through { Link::Shaky } else { Link::Broken(obstacle.cause) };
            let hints = self.step(obstacle.stage, link, obstacle.text);
            if more > 0 {
                hints.push(format!("the same holds for {} more", count(more, "endpoint")));
            }
        }
        match (sometimes, good) {
            (Some(cause), _) => Ok(Verdict::Sometimes(cause)),
            (None, 0) => Ok(self.verdict_of(first)),
            (None, _) => Ok(Verdict::Partly { good, all: targets.len(), cause: first }),
        }
    }

    /// Says how long requests wait for their turn at targets, if that is long.
    fn note_waits<'t>(&mut self, targets: impl Iterator<Item = &'t Target>) {
        let Some(world) = self.world.network else { return };
        let waits = targets.map(|target| (Network::wait_for(world, target.ip, target.port), target));
        let Some((longest, target)) = waits.max_by_key(|(wait, _)| *wait) else { return };
        if longest >= LONG_WAIT {
            let whole = SimDuration::from_millis(longest.as_nanos() / 1_000_000);
            let text = format!("{} is busy: a request that comes now waits {whole} for its turn", target.name());
            self.shaky("Pod", text);
        }
    }

    /// Whether a target answers.
    fn check(&self, target: &Target, through: Option<&Key>) -> Result<(), Obstacle> {
        let view = self.world.view;
        let name = target.name();
        let stop = |cause, stage, text| Err(Obstacle { cause, stage, text, always: true });
        if let Some(node) = target.node.as_deref().filter(|node| !self.world.node_is_up(node)) {
            return stop(Cause::NodeDown, "Node", format!("node {node} of {name} is down: nothing answers"));
        }
        let pod = match &target.pod {
            None => view.pods.iter().find(|pod| pod.status.pod_ip == Some(target.ip) && !pod.is_terminal()),
            Some(key) => match view.pods.get(key) {
                Some(pod) if pod.status.pod_ip == Some(target.ip) => Some(pod),
                _ => {
                    let text = format!("{name} is gone: nothing has address {}", target.ip);
                    return stop(Cause::AddressGone, "Pod", text);
                }
            },
        };
        let to = pod.map_or(Peer::Address(target.ip), |pod| Peer::Pod(pod));
        self.policies(target, to, through)?;
        let Some(pod) = pod else {
            let text = format!("{name} is no pod of this cluster: what answers there is not simulated");
            return stop(Cause::OutsideCluster, "Outside", text);
        };
        if let Some(why) = why_not_running(pod) {
            return stop(Cause::NoProcess, "Pod", format!("{name} does not answer: {why}"));
        }
        let ports: Vec<i32> = listed_ports(pod);
        if !ports.is_empty() && !ports.contains(&i32::from(target.port)) {
            let listed = ports.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let text = format!("{name} refuses: its containers list no port {}, only {listed}", target.port);
            return stop(Cause::PortClosed, "Port", text);
        }
        // What the process does is known where somebody sends requests.
        let known = self.world.network.and_then(|(network, now)| network.obstacle_at((target.ip, target.port), now));
        let does = match known {
            Some(Cause::Stopping) => "refuses: its process was told to stop, and takes no new connections",
            Some(Cause::NotListening) => "refuses: its process runs, and does not listen yet",
            Some(Cause::NoProcess) => "refuses: its process has ended",
            Some(Cause::Hung) => "takes connections and never answers: its process hangs",
            Some(Cause::QueueFull) => "answers with 503: as many requests wait there as may",
            _ => return Ok(()),
        };
        stop(known.unwrap_or(Cause::NoProcess), "Pod", format!("{name} {does}"))
    }

    /// Whether network policies let a connection to a target pass.
    fn policies(&self, target: &Target, to: Peer<'_>, through: Option<&Key>) -> Result<(), Obstacle> {
        let client = through.map_or_else(|| self.source.to_string(), |key| format!("pod/{key}"));
        let own = self.opens(through);
        self.gate(target, to, PolicyType::Egress, own, &client)?;
        let entries = self.entries(target, through);
        if entries.is_empty() {
            let taken_for = matches!((through, self.source), (None, Source::External));
            let client = if taken_for { format!("{client} ({OUTSIDE})") } else { client };
            return self.gate(target, to, PolicyType::Ingress, own, &client);
        }
        // Packets are filtered before their source is replaced: by the node of the pod itself they come with the client's address.
        let judge = |node: &Arc<str>| match target.node.as_ref() == Some(node) {
            true => self.gate(target, to, PolicyType::Ingress, own, &client),
            false => {
                let name = format!("node/{node}, whose address stands in place of the client's,");
                self.gate(target, to, PolicyType::Ingress, self.host(node), &name)
            }
        };
        let mut failed = entries.iter().filter_map(|node| judge(node).err());
        let Some(first) = failed.next() else { return Ok(()) };
        if failed.count() + 1 == entries.len() {
            return Err(first);
        }
        let text = format!("{}; by other nodes connections get through", first.text);
        Err(Obstacle { text, always: false, ..first })
    }

    /// Who opens a connection to a target.
    fn opens(&self, through: Option<&Key>) -> Peer<'_> {
        match (through, self.source) {
            (Some(key), _) => self.pod_or_outside(key),
            (None, Source::Pod(key)) => self.pod_or_outside(key),
            (None, Source::Node(name)) => self.host(name),
            (None, Source::External) => Peer::Address(OUTSIDE),
        }
    }

    fn pod_or_outside(&self, key: &Key) -> Peer<'_> {
        self.world.view.pods.get(key).map_or(Peer::Address(OUTSIDE), |pod| Peer::Pod(pod))
    }

    /// The nodes by which a connection to a target may come in and whose address it may have there; none = it keeps its own.
    fn entries(&self, target: &Target, through: Option<&Key>) -> Vec<Arc<str>> {
        if !self.masquerades || through.is_some() || target.pod.is_none() {
            return Vec::new();
        }
        let all = self.world.view.nodes.iter().map(|node| node.meta.name.clone());
        self.entry_node().map_or_else(|| all.filter(|node| self.world.node_is_up(node)).collect(), |node| vec![node])
    }

    /// Whether the policies about one end of a connection let it pass.
    fn gate(
        &self,
        target: &Target,
        to: Peer<'_>,
        direction: PolicyType,
        from: Peer<'_>,
        client: &str,
    ) -> Result<(), Obstacle> {
        let connection = Connection { from, to, port: target.port, protocol: &self.protocol };
        let verdict = policy::verdict(self.world.view, &connection);
        let (gate, side, word) = match direction {
            PolicyType::Egress => (&verdict.egress, client.to_owned(), "egress"),
            PolicyType::Ingress => (&verdict.ingress, target.name(), "ingress"),
        };
        let Gate::Denied(policies) = gate else { return Ok(()) };
        let names = policies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let plural = if policies.len() == 1 { "NetworkPolicy" } else { "NetworkPolicies" };
        let allow = if policies.len() == 1 { "does not allow" } else { "do not allow" };
        let text = format!(
            "{side} is isolated for {word} by {plural} {names}, which {allow} {client} to {} on port {}: packets are dropped",
            target.name(),
            target.port
        );
        Err(Obstacle { cause: Cause::PolicyDenied, stage: "Policy", text, always: true })
    }
}

/// Why a target does not answer.
struct Obstacle {
    cause: Cause,
    stage: &'static str,
    text: String,
    /// Whichever way a connection comes.
    always: bool,
}

impl Obstacle {
    fn is_like(&self, other: &Self) -> bool {
        (self.cause, self.stage, self.always) == (other.cause, other.stage, other.always)
    }
}

impl Target {
    pub(super) fn name(&self) -> String {
        match &self.pod {
            Some(key) => format!("pod {key}"),
            None => format!("endpoint {}", self.ip),
        }
    }
}

/// The ports that the containers of a pod list.
pub(super) fn listed_ports(pod: &Pod) -> Vec<i32> {
    let sidecars = pod.spec.init_containers.iter().filter(|container| container.is_sidecar());
    let ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    ports.map(|port| port.container_port).collect()
}

/// Why nothing runs in a pod.
pub(super) fn why_not_running(pod: &Pod) -> Option<String> {
    let states = &pod.status.container_statuses;
    let runs = |status: &ContainerStatus| matches!(status.state, ContainerState::Running { .. });
    match pod.status.phase {
        PodPhase::Running if states.iter().any(runs) => None,
        PodPhase::Pending | PodPhase::Running | PodPhase::Unknown => Some(why_not_ready(pod)),
        PodPhase::Succeeded | PodPhase::Failed => {
            let reason = Some(&*pod.status.reason).filter(|reason| !reason.is_empty());
            Some(format!("it has ended ({})", reason.unwrap_or(pod.status.phase.as_str())))
        }
    }
}

/// Why a pod is not ready, the nearest cause.
pub(super) fn why_not_ready(pod: &Pod) -> String {
    if pod.is_terminal() {
        return format!("it has ended ({})", pod.status.phase.as_str());
    }
    if !pod.is_bound() {
        let scheduled = pod.status.conditions.find("PodScheduled");
        let message = scheduled.map(|condition| condition.message.to_string()).filter(|message| !message.is_empty());
        return message.map_or_else(|| "it has no node yet".to_owned(), |message| format!("it has no node: {message}"));
    }
    if pod.meta.deletion_timestamp.is_some() {
        return "it is being deleted".to_owned();
    }
    let of = |statuses: &[ContainerStatus], what: &str| statuses.iter().find_map(|status| stuck(status, what));
    if let Some(why) = of(&pod.status.init_container_statuses, "init container") {
        return why;
    }
    if let Some(why) = of(&pod.status.container_statuses, "container") {
        return why;
    }
    let unready = pod.status.container_statuses.iter().find(|status| !status.ready);
    if let Some(status) = unready {
        let container = pod.spec.containers.iter().find(|container| container.name == status.name);
        let has = |probe: fn(&crate::objects::Container) -> bool| container.is_some_and(probe);
        let name = &status.name;
        return if has(|container| container.startup_probe.is_some()) && status.started != Some(true) {
            format!("the startup probe of container {name} has not passed")
        } else if has(|container| container.readiness_probe.is_some()) {
            format!("the readiness probe of container {name} does not pass")
        } else {
            format!("container {name} is not ready")
        };
    }
    let missing = |gate: &&crate::objects::ReadinessGate| !pod.status.conditions.is_true(&gate.condition_type);
    if let Some(gate) = pod.spec.readiness_gates.iter().find(missing) {
        return format!("its readiness gate {} is not true", gate.condition_type);
    }
    if pod.status.conditions.find("Ready").is_some_and(|condition| condition.status == ConditionStatus::False) {
        return format!("its condition Ready is false, as node {} is not ready", pod.node_name);
    }
    if pod.status.container_statuses.is_empty() {
        "its containers were not started yet".to_owned()
    } else {
        "it is not ready yet".to_owned()
    }
}

/// What a container that does not run is at.
fn stuck(status: &ContainerStatus, what: &str) -> Option<String> {
    let name = &status.name;
    match &status.state {
        ContainerState::Waiting { reason, .. } => Some(format!("{what} {name} waits ({reason})")),
        ContainerState::Terminated(end) if end.exit_code != 0 => {
            Some(format!("{what} {name} has ended with exit code {}", end.exit_code))
        }
        ContainerState::Terminated(_) if what == "container" => Some(format!("{what} {name} has ended")),
        ContainerState::Running { .. } if what == "init container" && status.started != Some(true) => {
            Some(format!("{what} {name} still runs"))
        }
        ContainerState::None | ContainerState::Running { .. } | ContainerState::Terminated(_) => None,
    }
}
