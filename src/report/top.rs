//! `top`: what pods and nodes use, as `kubectl top` prints it (upstream `kubectl/pkg/metricsutil`).

use std::cmp::Reverse;

use crate::objects::{Key, Quantity, Selector};
use crate::sim::{PodUsage, Simulation};

use super::table::Table;

/// Which order the rows have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopOrder {
    /// By name.
    #[default]
    Name,
    /// Most CPU first.
    Cpu,
    /// Most memory first.
    Memory,
}

/// Which pods or nodes are shown, and how.
#[derive(Clone, Debug, Default)]
pub struct TopOptions {
    /// Only the one of that name.
    pub name: Option<String>,
    /// Of pods: their namespace; `None` = all.
    pub namespace: Option<String>,
    /// Only those with such labels.
    pub selector: Option<Selector>,
    /// Order.
    pub sort_by: TopOrder,
    /// Of pods: a row for each container.
    pub containers: bool,
    /// Of pods: a row with the sums at the end.
    pub sum: bool,
    /// No names of columns.
    pub no_headers: bool,
}

const MEBI: i64 = 1 << 20;

/// What pods use at this instant, as it was last measured; `None` if nothing is known. Of a pod that has just started nothing is
/// known yet.
///
/// ```
/// use seatrial::kernel::SimTime;
/// use seatrial::kubelet::{BehaviourSpec, CpuUse};
/// use seatrial::report::{TopOptions, top_pods};
/// use seatrial::sim::{MetricsConfig, Simulation};
///
/// let busy = BehaviourSpec { image: "web".into(), cpu: Some(CpuUse::constant(300)), ..BehaviourSpec::default() };
/// let metrics = MetricsConfig { everything: true, ..MetricsConfig::default() };
/// let mut sim = Simulation::builder().nodes(1).behaviour(busy).metrics(metrics).build()?;
/// sim.apply("{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: c, image: web}]}}")?;
/// sim.run_until(SimTime::from_mins(1));
/// let text = top_pods(&sim, &TopOptions::default()).unwrap_or_default();
/// assert_eq!(text, "NAMESPACE   NAME   CPU(cores)   MEMORY(bytes)\ndefault     web    300m         0Mi\n");
/// # Ok::<(), seatrial::sim::SimError>(())
/// ```
#[must_use]
pub fn top_pods(sim: &Simulation, options: &TopOptions) -> Option<String> {
    let chosen = |pod: &&PodUsage| {
        options.namespace.as_ref().is_none_or(|namespace| *pod.key.namespace == **namespace)
            && options.name.as_ref().is_none_or(|name| *pod.key.name == **name)
            && options.selector.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
    };
    let mut pods: Vec<&PodUsage> = sim.pod_usage().iter().filter(chosen).collect();
    if pods.is_empty() {
        return None;
    }
    let used = |pod: &PodUsage| {
        let cpu: u64 = pod.containers.iter().map(|container| container.cpu_nanos).sum();
        (cpu, pod.containers.iter().map(|container| container.memory).fold(0, i64::saturating_add))
    };
    match options.sort_by {
        TopOrder::Name => {}
        TopOrder::Cpu => pods.sort_by_key(|pod| Reverse(used(pod).0)),
        TopOrder::Memory => pods.sort_by_key(|pod| Reverse(used(pod).1)),
    }
    let with_namespace = options.namespace.is_none();
    let mut header: Vec<&str> = if with_namespace { vec!["NAMESPACE"] } else { Vec::new() };
    header.extend(if options.containers { &["POD", "NAME"][..] } else { &["NAME"] });
    header.extend(["CPU(cores)", "MEMORY(bytes)"]);
    let before = header.len() - 2;
    let mut table = Table::of(header.into_iter().map(str::to_owned).collect(), options.no_headers);
    let (mut cpu_total, mut memory_total) = (0, 0_i64);
    for pod in pods {
        let head = |name: Option<&str>| {
            let mut row: Vec<String> = if with_namespace { vec![pod.key.namespace.to_string()] } else { Vec::new() };
            row.push(pod.key.name.to_string());
            row.extend(name.map(str::to_owned));
            row
        };
        let (cpu, memory) = used(pod);
        cpu_total += cpu;
        memory_total = memory_total.saturating_add(memory);
        if options.containers {
            for container in &pod.containers {
                let figures = figures(container.cpu_nanos, container.memory);
                table.row(head(Some(&container.name)).into_iter().chain(figures).collect());
            }
        } else {
            table.row(head(None).into_iter().chain(figures(cpu, memory)).collect());
        }
    }
    if options.sum {
        let blank = || vec![String::new(); before];
        table.row(blank().into_iter().chain(["________".to_owned(), "________".to_owned()]).collect());
        table.row(blank().into_iter().chain(figures(cpu_total, memory_total)).collect());
    }
    Some(table.to_string())
}

/// What nodes use at this instant, as it was last measured, and of what they have for pods; `None` if nothing is known. Nodes that
/// cannot be reached are shown as unknown.
#[must_use]
pub fn top_nodes(sim: &Simulation, options: &TopOptions) -> Option<String> {
    let mut usage = sim.node_usage();
    if usage.is_empty() {
        return None;
    }
    match options.sort_by {
        TopOrder::Name => {}
        TopOrder::Cpu => usage.sort_by_key(|node| Reverse(node.cpu_nanos)),
        TopOrder::Memory => usage.sort_by_key(|node| Reverse(node.memory)),
    }
    let header = ["NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"];
    let mut table = Table::of(header.map(str::to_owned).to_vec(), options.no_headers);
    let mut nodes: Vec<_> = sim.view().nodes.iter().collect();
    nodes.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
    nodes.retain(|node| {
        options.name.as_ref().is_none_or(|name| *node.meta.name == **name)
            && options.selector.as_ref().is_none_or(|selector| selector.matches(&node.meta.labels))
    });
    for node in &usage {
        let Some(known) = sim.view().nodes.get(&Key::new("", node.name.clone())) else { continue };
        if !nodes.iter().any(|chosen| chosen.meta.name == node.name) {
            continue;
        }
        let has = &known.status.allocatable;
        let [cpu, memory] = figures(node.cpu_nanos, node.memory);
        let share =
            |used: i128, all: i64| if all > 0 { format!("{}%", used * 100 / i128::from(all)) } else { "0%".to_owned() };
        let cpu_share = share(i128::from(milli(node.cpu_nanos)), has.cpu_milli);
        table.row(vec![node.name.to_string(), cpu, cpu_share, memory, share(i128::from(node.memory), has.memory)]);
    }
    for node in nodes.iter().filter(|node| !usage.iter().any(|known| known.name == node.meta.name)) {
        let unknown = || "<unknown>".to_owned();
        table.row(vec![node.meta.name.to_string(), unknown(), unknown(), unknown(), unknown()]);
    }
    (!table.is_empty()).then(|| table.to_string())
}

fn milli(cpu_nanos: u64) -> i64 {
    Quantity::from_scaled(i64::try_from(cpu_nanos).unwrap_or(i64::MAX), -9, crate::objects::Format::DecimalSi)
        .milli_value()
}

fn figures(cpu_nanos: u64, memory: i64) -> [String; 2] {
    [format!("{}m", milli(cpu_nanos)), format!("{}Mi", memory / MEBI)]
}
