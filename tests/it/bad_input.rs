//! What people get wrong, and what they are told: the place, what is wrong, what to do.

mod settings;
mod traffic;

use std::fmt::Write as _;

use assert_cmd::Command;
use proptest::prelude::*;
use seatrial::scenario::{Scenario, ScenarioError};

/// What is told about a scenario: a line per problem, with its help below.
fn told(text: &str) -> String {
    match Scenario::read("bad.yaml", text).and_then(|scenario| scenario.run(&Default::default())) {
        Ok(_) => "nothing is wrong\n".to_owned(),
        Err(ScenarioError::Input(problems)) => problems.iter().fold(String::new(), |mut told, problem| {
            let _ = writeln!(told, "{problem}");
            if let Some(help) = &problem.help {
                let _ = writeln!(told, "  help: {help}");
            }
            told
        }),
        Err(other) => format!("without a place: {other}\n"),
    }
}

/// A scenario with these lines under `spec`.
fn spec(lines: &str) -> String {
    let duration = if lines.contains("duration:") { "" } else { "  duration: 1m\n" };
    let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {{name: bad}}\nspec:\n{duration}{lines}")
}

/// Each case with its text and what is told about it.
fn table(cases: &[(&str, String)]) -> String {
    cases.iter().fold(String::new(), |mut table, (name, text)| {
        let shown = if text.len() > 900 { "(long)\n".to_owned() } else { text.clone() };
        let numbered = shown.lines().enumerate().map(|(n, line)| format!("{:3} | {line}\n", n + 1));
        let _ = writeln!(table, "## {name}\n{}{}", numbered.collect::<String>(), told(text));
        table
    })
}

fn all_are_wrong(table: &str) {
    assert!(!table.contains("nothing is wrong") && !table.contains("without a place"), "{table}");
}

#[test]
fn files_that_are_no_scenario() {
    let bomb = (0..12).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let item = format!("*a{n}, ").repeat(9);
        format!("{text}a{}: &a{} [{item}]\n", n + 1, n + 1)
    });
    let cases = [
        ("an empty file", String::new()),
        ("only a comment", "# later\n".to_owned()),
        ("a manifest", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\n".to_owned()),
        ("a list", "- a\n- b\n".to_owned()),
        ("a word", "hello\n".to_owned()),
        ("two documents", format!("{}---\n{}", spec("seed: 1"), spec("seed: 2"))),
        ("a tab", "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata:\n\tname: x\n".to_owned()),
        ("a missing colon", "apiVersion: seatrial.dev/v1\nkind Scenario\nspec: {}\n".to_owned()),
        ("an open bracket", spec("nodes: [{name: w}")),
        ("an anchors bomb", bomb),
        ("deep nesting", format!("spec: {}{}\n", "[".repeat(400), "]".repeat(400))),
        ("an unknown alias", spec("nodes: *nodes")),
        ("a key set twice", spec("seed: 1\nseed: 2")),
        ("another version", spec("seed: 1").replace("/v1", "/v2")),
        ("another kind", spec("seed: 1").replace("Scenario", "Scenery")),
        ("no spec", "apiVersion: seatrial.dev/v1\nkind: Scenario\nmetadata: {name: bad}\n".to_owned()),
        ("no name", spec("seed: 1").replace("name: bad", "")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn clusters_that_cannot_be() {
    let cases = [
        ("an unknown field", spec("noodes: []")),
        ("an unknown field of a node", spec("nodes:\n- name: w\n  cuont: 3")),
        ("no duration", spec("duration: null")),
        ("a duration without a unit", spec("duration: 5")),
        ("a duration that is none", spec("duration: soon")),
        ("no time at all", spec("duration: 0s")),
        ("a negative duration", spec("duration: -5s")),
        ("a seed that is no number", spec("seed: lucky")),
        ("a negative seed", spec("seed: -1")),
        ("an epoch that is no time", spec("epoch: yesterday")),
        ("another Kubernetes", spec("kubernetes: \"1.20\"")),
        ("an unknown profile", spec("profile: optimistic")),
        ("an unknown delay", spec("profile: {wach: 2ms}")),
        ("a delay that is none", spec("profile: {watch: fast}")),
        ("a delay of load balancers that is unknown", spec("profile: {loadBalancers: {make: 30s}}")),
        ("a cloud that is neither there nor not", spec("loadBalancers: sometimes")),
        ("nodes that are no list", spec("nodes: 3")),
        ("a count that is no number", spec("nodes: [{name: w, count: many}]")),
        ("a negative count", spec("nodes: [{name: w, count: -1}]")),
        ("too many nodes", spec("nodes:\n- {name: a, count: 12000}\n- {name: b, count: 12000}")),
        ("two nodes of one name", spec("nodes:\n- {name: w, count: 2}\n- {name: w-1}")),
        ("a name that is a boolean in YAML", spec("nodes: [{name: n}]")),
        ("a node without a name", spec("nodes: [{count: 2}]")),
        ("a node name that the API server refuses", spec("nodes: [{name: My_Node}]")),
        ("a capacity that is no quantity", spec("nodes: [{name: w, capacity: {cpu: four}}]")),
        ("a capacity that is a list", spec("nodes: [{name: w, capacity: {cpu: [4]}}]")),
        ("a taint of an unknown effect", spec("nodes: [{name: w, taints: [{key: a, effect: Maybe}]}]")),
        ("an unknown distribution", spec("containers: [{image: x, start: {distribution: normal, mean: 2s}}]")),
        ("a figure too few", spec("containers: [{image: x, start: {distribution: lognormal, median: 2s}}]")),
        (
            "p99 below the median",
            spec("containers:\n- {image: x, ready: {distribution: lognormal, median: 2s, p99: 1s}}"),
        ),
        ("a container without an image", spec("containers: [{start: 2s}]")),
        ("an unknown pull", spec("containers: [{image: x, pull: maybe}]")),
        ("a manifest file that is not there", spec("manifests: [nowhere/web.yaml]")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn node_groups_that_cannot_be() {
    let group = |fields: &str| spec(&format!("nodeGroups: [{{name: pool, max: 3, {fields}}}]"));
    let autoscaler = |flags: &str| spec(&format!("nodeGroups: [{{name: pool, max: 3}}]\nautoscaler: {{{flags}}}"));
    let cases = [
        ("a group without a bound", spec("nodeGroups: [{name: pool}]")),
        ("a group of nothing", spec("nodeGroups: [{name: pool, max: 0}]")),
        ("more than may be", group("min: 4")),
        ("more than may be at the beginning", group("initial: 4")),
        ("too many machines", spec("nodeGroups: [{name: pool, max: 30000}]")),
        ("two groups of one name", spec("nodeGroups: [{name: pool, max: 3}, {name: pool, max: 2}]")),
        ("a node of a machine's name", spec("nodes: [{name: pool-1}]\nnodeGroups: [{name: pool, max: 3}]")),
        ("a name that the API server refuses", spec("nodeGroups: [{name: My_Pool, max: 3}]")),
        ("a capacity that is no quantity", group("capacity: {cpu: four}")),
        ("a provision that is no time", group("provision: soon")),
        ("an unknown field", group("count: 3")),
        ("an autoscaler without groups", spec("autoscaler: {expander: random}")),
        ("an unknown expander", autoscaler("expander: price")),
        ("an unknown flag", autoscaler("scaleUpEnabled: true")),
        ("a threshold that is no share", autoscaler("scaleDownUtilizationThreshold: 50")),
        ("scans without a pause", autoscaler("scanInterval: 0s")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn machines_that_go_in_no_possible_way() {
    let step = |verb: &str| spec(&format!("nodes: [{{name: w}}]\nsteps: [{{at: 1s, {verb}}}]"));
    let fault = |fields: &str| spec(&format!("nodes: [{{name: w}}]\nfaults: [{{{fields}}}]"));
    let cases = [
        ("a panic of nobody", step("kernelPanic: {boot: 1m}")),
        ("a boot that takes no time that is", step("kernelPanic: {node: w, boot: soon}")),
        ("a node that is faster than others", step("slowNode: {node: w, factor: 0.5}")),
        ("a node that stands still", step("slowNode: {node: w, factor: 1001}")),
        ("a factor that is no number", step("slowNode: {node: w, factor: very}")),
        ("an end of only some faults", step("endFaults: {kind: NodeCrash}")),
        ("a length of peace of something", spec("expect: [{final: \"unchangedFor(node/w) >= 16m\"}]")),
        ("an unknown handler", step("reclaim: {node: w, onNotice: pray}")),
        ("a notice of no length", step("reclaim: {node: w, notice: never}")),
        ("a shutdown of two", step("shutdown: {node: w, zone: a}")),
        ("a deletion of nothing", step("deleteMachine: {}")),
        ("a slow node without a factor", fault("kind: SlowNode, mtbf: 1h, mttr: 1m")),
        ("a factor out of range", fault("kind: SlowNode, mtbf: 1h, mttr: 1m, factor: 0")),
        ("a deletion that is mended", fault("kind: MachineDeletion, mtbf: 1h, mttr: 1m")),
        ("a panic without a boot", fault("kind: KernelPanic, mtbf: 1h")),
        ("a panic with notice", fault("kind: KernelPanic, mtbf: 1h, mttr: 1m, notice: 2m")),
        ("a reclaim of nobody", fault("kind: SpotReclaim, mtbf: 1h, select: {pool: spot}")),
        ("a delay that is none", spec("nodes: [{name: w, statusDelay: late}]")),
        ("a cloud of its own", spec("cloud: aws")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn containers_that_misbehave_in_no_possible_way() {
    let container = |fields: &str| spec(&format!("containers: [{{image: x, {fields}}}]"));
    let cases = [
        ("a crash that never comes", container("crash: {code: 139}")),
        ("a crash at every instant", container("crash: {mtbf: 0s}")),
        ("an exit code that is none", container("crash: {mtbf: 1h, code: 256}")),
        ("a deadlock that never comes", container("deadlock: {once: true}")),
        ("a deadlock by chance and at a time", container("deadlock: {after: 1m, mtbf: 1h}")),
        ("a dependency on nothing", container("dependsOn: {}")),
        ("a dependency that no probe looks at", container("dependsOn: {service: db, probes: []}")),
        ("an unknown probe", container("dependsOn: {service: db, probes: [health]}")),
        ("a hook that fails now and then", container("postStartFails: sometimes")),
        ("a pull without an end", container("pull: {size: 1Gi}")),
        ("a size that is none", container("pull: {takes: 1s, size: big}")),
        ("a signal that is half heard", container("terminate: maybe")),
        ("an answer of any length", container("probe: {distribution: uniform, min: 1s, max: 2s}")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn steps_and_expectations_that_make_no_sense() {
    let cases = [
        ("no time", spec("steps:\n- scale: {target: deployment/web, replicas: 1}")),
        ("two times", spec("steps:\n- {at: 1s, when: quiescent(), scale: {target: deployment/web, replicas: 1}}")),
        ("no verb", spec("steps:\n- at: 1s")),
        ("two verbs", spec("steps:\n- at: 1s\n  nodeDown: {node: w}\n  scale: {target: deployment/web, replicas: 1}")),
        ("an unknown verb", spec("steps: [{at: 1s, setImages: {target: deployment/web, image: x}}]")),
        ("an eviction of nobody", spec("steps: [{at: 1s, evict: {gracePeriod: 3s}}]")),
        ("an eviction of what is no pod", spec("steps: [{at: 1s, evict: {target: deployment/web}}]")),
        ("a drain with an unknown flag", spec("steps: [{at: 1s, drain: {node: w, ignoreDaemonSets: true}}]")),
        ("a target without a kind", spec("steps: [{at: 1s, scale: {target: web, replicas: 1}}]")),
        ("an unknown kind", spec("steps: [{at: 1s, scale: {target: widget/web, replicas: 1}}]")),
        ("negative replicas", spec("steps: [{at: 1s, scale: {target: deployment/web, replicas: -1}}]")),
        ("replicas that are no number", spec("steps: [{at: 1s, scale: {target: deployment/web, replicas: two}}]")),
        ("replicas missing", spec("steps: [{at: 1s, scale: {target: deployment/web}}]")),
        ("an empty image", spec("steps: [{at: 1s, setImage: {target: deployment/web, image: \"\"}}]")),
        ("nothing to delete", spec("steps: [{at: 1s, delete: {cascade: orphan}}]")),
        ("a target and a selector", spec("steps: [{at: 1s, delete: {target: pod/a, selector: a=b}}]")),
        ("a selector that is none", spec("steps: [{at: 1s, delete: {kind: pod, selector: \"a in b\"}}]")),
        ("an unknown cascade", spec("steps: [{at: 1s, delete: {target: pod/a, cascade: all}}]")),
        ("a label that is no string", spec("steps: [{at: 1s, label: {target: node/w, labels: {zone: 3}}}]")),
        ("no labels", spec("steps: [{at: 1s, label: {target: node/w}}]")),
        ("taints that are no list", spec("steps: [{at: 1s, taint: {node: w, taints: {key: a}}}]")),
        ("a taint as kubectl takes it", spec("steps: [{at: 1s, taint: {node: w, taints: [\"a=b:NoSchedule\"]}}]")),
        (
            "a taint of an unknown effect",
            spec("steps: [{at: 1s, taint: {node: w, taints: [{key: a, effect: Never}]}}]"),
        ),
        ("an unknown patch type", spec("steps: [{at: 1s, patch: {target: pod/a, type: yaml, patch: {}}}]")),
        ("a time that is none", spec("steps: [{at: noon, nodeDown: {node: w}}]")),
        ("an apply of nothing", spec("steps:\n- at: 1s\n  apply: {objects: \"\"}")),
        ("an unknown function", spec("expect: [{final: \"availabel(deployment/web) == 3\"}]")),
        ("a function of nobody", spec("expect: [{final: \"sqrt(2) == 3\"}]")),
        ("no comparison", spec("expect: [{final: available(deployment/web)}]")),
        ("a comparison with a word", spec("expect: [{final: available(deployment/web) == many}]")),
        ("an open parenthesis", spec("expect:\n- final: (ready(deployment/web) == 3")),
        ("one sign too few", spec("expect: [{final: quiescent() & settled()}]")),
        ("an argument of the wrong kind", spec("expect: [{always: endpoints(deployment/web) > 0}]")),
        ("no argument", spec("expect: [{always: rolloutComplete()}]")),
        ("an object without a field", spec("expect: [{final: object(deployment/web) == 3}]")),
        ("objects without a question", spec("expect: [{final: objects(pod) == 3}]")),
        ("a bare word among fields", spec("expect: [{final: 'objects(pod).all(p, p.status.phase == Running)'}]")),
        ("a number and a text", spec("expect: [{final: \"ready(deployment/web) == 'three'\"}]")),
        ("a way without a destination", spec("expect: [{final: reachable(pod/client)}]")),
        ("a way from what sends nothing", spec("expect: [{final: 'reachable(service/web, web)'}]")),
        ("a way to what takes no connections", spec("expect: [{final: 'reachable(external, deployment/web)'}]")),
        ("a way to a port that is none", spec("expect: [{final: 'httpStatus(external, web:99999) == 200'}]")),
        ("a promise over time at one instant", spec("expect: [{final: maxSurge(deployment/web)}]")),
        (
            "a promise over time among others",
            spec("expect: [{always: \"maxUnavailable(deployment/web) && quiescent()\"}]"),
        ),
        ("a condition that is wrong", spec("steps:\n- when: ready(deployment/web) >> 2\n  nodeDown: {node: w}")),
        ("nothing expected", spec("expect: [{within: 3s}]")),
        ("two expectations in one", spec("expect:\n- always: quiescent()\n  never: settled()")),
        ("within of a final", spec("expect: [{final: quiescent(), within: 3s}]")),
        ("after of a final", spec("expect: [{final: quiescent(), after: 3s}]")),
        ("an unknown expectation", spec("expect: [{sometimes: quiescent()}]")),
        ("an expression that is a number", spec("expect: [{final: 3}]")),
        ("too deep", spec(&format!("expect: [{{final: \"{}quiescent()\"}}]", "!".repeat(100)))),
        (
            "several at once",
            spec(
                "duration: 0s\nsteps:\n- at: 1s\n- {at: 2s, nodeDown: {node: w}, nodeUp: {node: w}}\nexpect:\n- {final: nope()}",
            ),
        ),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn faults_that_make_no_sense() {
    let faults = |entries: &str| spec(&format!("nodes: [{{name: w, labels: {{zone: a}}}}]\nfaults:\n{entries}"));
    let crash = |rest: &str| faults(&format!("- {{kind: NodeCrash, mtbf: 2h, mttr: 5m{rest}}}"));
    let cases = [
        ("no kind", faults("- {mtbf: 2h, mttr: 5m}")),
        ("an unknown kind", faults("- {kind: NodeCrsh, mtbf: 2h, mttr: 5m}")),
        ("a kind of nobody", faults("- {kind: Flood}")),
        ("an unknown field", crash(", mtbff: 3h")),
        ("no mtbf", faults("- {kind: NodeCrash, mttr: 5m}")),
        ("no mttr", faults("- {kind: NodeCrash, mtbf: 5m}")),
        ("no time to the crash", faults("- {kind: NodeCrash, mtbf: 0s, mttr: 5m}")),
        ("no time to the repair", faults("- {kind: NodeCrash, mtbf: 2h, mttr: 0s}")),
        ("a time without a unit", faults("- {kind: NodeCrash, mtbf: 2, mttr: 5m}")),
        ("an unknown distribution", faults("- {kind: NodeCrash, mtbf: {distribution: normal, mean: 2h}, mttr: 5m}")),
        ("a field of the other kind", crash(", selector: app=web")),
        ("an empty label key", crash(", correlatedBy: \"\"")),
        ("a selection that is a string", crash(", select: zone=a")),
        ("a selection that no node meets", crash(", select: {zone: b}")),
        ("no nodes", spec("faults: [{kind: NodeCrash, mtbf: 2h, mttr: 5m}]")),
        ("no every", faults("- {kind: PodKiller, selector: app=web}")),
        ("an every of nothing", faults("- {kind: PodKiller, every: 0s}")),
        ("a selector that is none", faults("- {kind: PodKiller, every: 5m, selector: \"app in web\"}")),
        ("a field of crashes", faults("- {kind: PodKiller, every: 5m, select: {zone: a}}")),
        ("no list", spec("faults: {kind: PodKiller, every: 5m}")),
        ("a zone without a name", spec("steps: [{at: 1s, zoneDown: {}}]")),
        ("a zone by an unknown field", spec("steps: [{at: 1s, zoneUp: {node: a}}]")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn disturbances_that_make_no_sense() {
    let step = |step: &str| spec(&format!("steps: [{{at: 1s, {step}}}]"));
    let faults = |entries: &str| spec(&format!("nodes: [{{name: w}}]\nfaults:\n{entries}"));
    let cases = [
        ("a partition of nobody", step("partition: {}")),
        ("a partition of a node and a zone", step("partition: {node: w, zone: a}")),
        ("a way that is none", step("partition: {node: w, cut: reads}")),
        ("a partition that lasts no time", step("partition: {node: w, for: 0s}")),
        ("nobody to heal", step("heal: {}")),
        ("an outage by an unknown field", step("apiServerDown: {since: 3s}")),
        ("an end that lasts", step("apiServerUp: {for: 3s}")),
        ("an outage that lasts no time", step("schedulerDown: {for: 0s}")),
        ("a crash of nobody", step("crashLeader: {}")),
        ("a crash of what has no leader", step("crashLeader: {process: kubelet}")),
        ("a watch of nobody", step("slowWatch: {for: 1m}")),
        ("a watch of what does not watch", step("slowWatch: {process: etcd, for: 1m}")),
        ("a watch of two", step("slowWatch: {process: kubelets, node: w, for: 1m}")),
        ("a watch that hangs for ever", step("slowWatch: {process: kubelets}")),
        ("slow writes of any length", step("slowWrites: {for: 1m}")),
        ("slow writes for ever", step("slowWrites: {write: 2s}")),
        ("conflicts for ever", step("conflicts: {percent: 3}")),
        ("more conflicts than updates", step("conflicts: {percent: 101, for: 1m}")),
        ("no conflicts", step("conflicts: {percent: 0, for: 1m}")),
        ("conflicts of an unknown kind", step("conflicts: {kinds: [Pod, Widget], for: 1m}")),
        ("a fault without an mtbf", faults("- {kind: ApiServerOutage, mttr: 1m}")),
        ("an outage without an end", faults("- {kind: ApiServerOutage, mtbf: 1h}")),
        ("a crash all the time", faults("- {kind: SchedulerCrash, mtbf: 0s}")),
        ("a partition of unknown ways", faults("- {kind: NodePartition, mtbf: 1h, mttr: 1m, cut: none}")),
        ("a slow watch of a node that is not there", faults("- {kind: SlowWatch, mtbf: 1h, mttr: 1m, node: v}")),
        ("slow writes that take no time", faults("- {kind: SlowWrites, mtbf: 1h, mttr: 1m, write: 0s}")),
        ("a storm with a foreign field", faults("- {kind: ConflictStorm, mtbf: 1h, mttr: 1m, delay: 3s}")),
        ("no control plane", spec("controlPlane: {replicas: 0}")),
        ("three that all lead", spec("controlPlane: {replicas: 3, leaderElect: false}")),
        ("a lease that is over before its renewal", spec("controlPlane: {leaseDuration: 10s}")),
        ("a deadline without a second try", spec("controlPlane: {renewDeadline: 2s}")),
        ("no time between tries", spec("controlPlane: {retryPeriod: 0s}")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn use_and_pressure_that_make_no_sense() {
    let uses = |fields: &str| spec(&format!("containers: [{{image: w, {fields}}}]"));
    let node = |fields: &str| spec(&format!("nodes: [{{name: w, {fields}}}]"));
    let step = |step: &str| spec(&format!("steps: [{{at: 1s, {step}}}]"));
    let fault = |fields: &str| spec(&format!("nodes: [{{name: w}}]\nfaults: [{{kind: NodePressure, {fields}}}]"));
    let cases = [
        ("an amount that is none", uses("memory: lots")),
        ("an unknown field of an amount", uses("memory: {used: 1Gi}")),
        ("growth without a time", uses("disk: {grow: 1Gi}")),
        ("less than nothing", uses("logs: {use: -1}")),
        ("a maximum below the beginning", uses("processes: {use: 10, max: 5}")),
        ("volumes that are no map", uses("emptyDirs: 1Gi")),
        ("a signal that is none", node("kubelet: {evictionHard: {memory.free: 1Gi}}")),
        ("an unknown setting", node("kubelet: {evictionHart: {}}")),
        ("a soft threshold without grace", node("kubelet: {evictionSoft: {memory.available: 1Gi}}")),
        (
            "a shutdown longer for some than for all",
            node("kubelet: {shutdownGracePeriod: 9s, shutdownGracePeriodCriticalPods: 10s}"),
        ),
        ("a shutdown of less than a second", node("kubelet: {shutdownGracePeriod: 10ms}")),
        ("a shutdown that takes less than no time", node("kubelet: {shutdownGracePeriod: -5s}")),
        (
            "a shutdown by two rules",
            node(
                "kubelet: {shutdownGracePeriod: 9s, shutdownGracePeriodByPodPriority: [{priority: 1, shutdownGracePeriodSeconds: 5}]}",
            ),
        ),
        ("a group of pods without a time", node("kubelet: {shutdownGracePeriodByPodPriority: [{priority: 1}]}")),
        ("no processes", node("processes: 0")),
        ("a static pod without a name", node("staticPods: [{apiVersion: v1, kind: Pod}]")),
        ("a static pod of another kind", node("staticPods: [{apiVersion: apps/v1, kind: Deployment}]")),
        (
            "a static pod without containers",
            node("staticPods: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}]"),
        ),
        (
            "a static pod that refers to the API",
            node(
                "staticPods: [{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {serviceAccountName: me, containers: [{name: c, image: i}]}}]",
            ),
        ),
        ("no node", step("memoryPressure: {use: 1Gi}")),
        ("no amount", step("diskPressure: {node: w}")),
        ("more than all", step("pidPressure: {node: w, use: 101%}")),
        ("no time at all", step("memoryPressure: {node: w, use: 95%, for: 0s}")),
        ("a fault of nothing", fault("use: 95%, mtbf: 1h, mttr: 5m")),
        ("a fault of something unknown", fault("resource: cpu, use: 95%, mtbf: 1h, mttr: 5m")),
        ("a fault without amount", fault("resource: disk, mtbf: 1h, mttr: 5m")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

#[test]
fn manifests_inside_a_scenario_are_wrong_at_their_own_lines() {
    let pod = |container: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n  - {container}\n")
    };
    let block = |header: &str, text: &str| {
        let lines: String = text.lines().map(|line| format!("  {line}\n")).collect();
        spec(&format!("{header}\n{lines}"))
    };
    let apply = |text: &str| {
        let lines: String = text.lines().map(|line| format!("      {line}\n")).collect();
        spec(&format!("steps:\n- at: 1s\n  apply:\n    objects: |\n{lines}"))
    };
    let quoted = serde_json::to_string(&pod("nmae: c")).expect("a string");
    let cases = [
        ("an unknown field", block("objects: |", &pod("{name: c, imagee: x}"))),
        ("an unknown field after an empty line", block("objects: |-", &format!("\n# a pod\n\n{}", pod("nmae: c")))),
        ("an unknown field, folded", block("objects: >", &pod("nmae: c"))),
        ("an unknown field, quoted", spec(&format!("objects: {quoted}"))),
        (
            "in the second document",
            block("objects: |", &format!("{}---\n{}", pod("{name: c, image: x}"), pod("nmae: c"))),
        ),
        ("the API server refuses", block("objects: |", &pod("{name: C_1, image: x}"))),
        (
            "the API server refuses two fields",
            block("objects: |", &pod("{name: C_1, image: x, imagePullPolicy: Often}")),
        ),
        (
            "a namespace that is not there",
            block("objects: |", &pod("{name: c, image: x}").replace("name: web", "name: web, namespace: shop")),
        ),
        ("no YAML", block("objects: |", "kind: Pod\n  x: [\n")),
        ("a key set twice", block("objects: |", "apiVersion: v1\nkind: Pod\nkind: Pod\n")),
        ("no kind", block("objects: |", "apiVersion: v1\nmetadata: {name: x}\n")),
        ("an unknown field of an applied object", apply(&pod("nmae: c"))),
        ("an applied object without a kind", apply("metadata: {name: x}\n")),
    ];
    let table = table(&cases);
    all_are_wrong(&table);
    insta::assert_snapshot!(table);
}

/// What `seatrial check` says of a manifest.
fn checked(text: &str) -> String {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"))
        .args(["check", "-"])
        .write_stdin(text)
        .assert()
        .code(2)
        .get_output()
        .clone();
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).expect("UTF-8")
}

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
      - name: c
        image: web:v1
        ports:
        - containerPort: 80
";

#[test]
fn manifests_that_the_api_server_refuses() {
    let with = |from: &str, to: &str| {
        assert!(DEPLOYMENT.contains(from), "{from}");
        DEPLOYMENT.replacen(from, to, 1)
    };
    let service = |spec: &str| format!("apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec:\n{spec}");
    let cases = [
        ("an unknown field", with("replicas", "replica")),
        ("a string for a number", with("3", "three")),
        ("negative replicas", with("3", "-3")),
        ("a selector that does not match", with("labels: {app: web}", "labels: {app: wbe}")),
        ("no selector", with("  selector:\n    matchLabels: {app: web}\n", "")),
        (
            "no containers",
            with(
                "      - name: c\n        image: web:v1\n        ports:\n        - containerPort: 80\n",
                "        []\n",
            ),
        ),
        ("no image", with("        image: web:v1\n", "")),
        ("a container name in capitals", with("name: c\n", "name: Main\n")),
        ("an object name with a blank", with("name: web\n", "name: \"my web\"\n")),
        ("no name", with("  name: web\n", "  labels: {app: web}\n")),
        ("a port out of range", with("80", "80000")),
        ("two containers of one name", with("      - name: c\n", "      - {name: c, image: x}\n      - name: c\n")),
        ("an unknown strategy", with("  replicas: 3\n", "  strategy: {type: Rolling}\n")),
        (
            "a rollout that cannot move",
            with("  replicas: 3\n", "  strategy: {rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}\n"),
        ),
        ("a percentage that is none", with("  replicas: 3\n", "  strategy: {rollingUpdate: {maxSurge: half}}\n")),
        (
            "a memory that is no quantity",
            with("        ports:", "        resources: {requests: {memory: 1 GB}}\n        ports:"),
        ),
        (
            "a request above its limit",
            with("        ports:", "        resources: {requests: {cpu: 2}, limits: {cpu: 1}}\n        ports:"),
        ),
        ("a probe of no kind", with("        ports:", "        readinessProbe: {periodSeconds: 3}\n        ports:")),
        (
            "a probe with a negative period",
            with("        ports:", "        livenessProbe: {periodSeconds: -1, tcpSocket: {port: 80}}\n        ports:"),
        ),
        ("a label that is none", with("labels: {app: web}", "labels: {app: \"web!\"}")),
        ("a label that is a number", with("labels: {app: web}", "labels: {app: web, tier: 3}")),
        ("another version", with("apps/v1", "extensions/v1beta1")),
        ("a namespace that is not there", with("  name: web\n", "  name: web\n  namespace: shop\n")),
        ("a service without ports", service("  selector: {app: web}\n")),
        ("a service of an unknown type", service("  type: Public\n  ports: [{port: 80}]\n")),
        ("two ports without names", service("  ports:\n  - port: 80\n  - port: 81\n")),
        ("a tab", "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: web\n".to_owned()),
        ("in the second document", format!("{DEPLOYMENT}---\n{}", service("  ports: [{port: 0}]\n"))),
    ];
    let table = cases.iter().fold(String::new(), |mut table, (name, text)| {
        let _ = writeln!(table, "## {name}\n{}", checked(text));
        table
    });
    insta::assert_snapshot!(table);
}

#[test]
fn objects_of_the_gateway_api_that_their_definitions_refuse() {
    let group = "gateway.networking.k8s.io";
    let object =
        |kind: &str, spec: &str| format!("apiVersion: {group}/v1\nkind: {kind}\nmetadata:\n  name: x\nspec:\n{spec}");
    let gateway = |listener: &str| {
        object(
            "Gateway",
            &format!(
                "  gatewayClassName: c\n  listeners:\n  - {{name: http, port: 80, protocol: HTTP}}\n  - {listener}\n"
            ),
        )
    };
    let rule = |rule: &str| object("HTTPRoute", &format!("  parentRefs:\n  - name: gw\n  rules:\n  - {rule}\n"));
    let cases = [
        ("a misspelt field", gateway("{name: b, prot: 81, protocol: HTTP}")),
        (
            "a field of another object",
            object("HTTPRoute", "  parentRefs: [{name: gw}]\n  backendRefs: [{name: web, port: 80}]\n"),
        ),
        ("a string for a port", gateway("{name: b, port: http, protocol: HTTP}")),
        ("a port out of range", gateway("{name: b, port: 70000, protocol: HTTP}")),
        ("a host in capitals", gateway("{name: b, port: 81, protocol: HTTP, hostname: Shop.example.com}")),
        ("HTTPS without a certificate", gateway("{name: b, port: 443, protocol: HTTPS, tls: {}}")),
        ("TLS on plain HTTP", gateway("{name: b, port: 443, protocol: HTTP, tls: {certificateRefs: [{name: c}]}}")),
        ("two listeners of one name", gateway("{name: http, port: 81, protocol: HTTP}")),
        ("no listeners", object("Gateway", "  gatewayClassName: c\n")),
        ("a controller without a domain", object("GatewayClass", "  controllerName: mine\n")),
        ("a type of an Ingress' path", rule("{matches: [{path: {type: Prefix, value: /}}]}")),
        ("a relative path", rule("{matches: [{path: {value: cart}}]}")),
        ("a method in small letters", rule("{matches: [{method: get}]}")),
        ("a backend without a port", rule("{backendRefs: [{name: web}]}")),
        ("a weight below nothing", rule("{backendRefs: [{name: web, port: 80, weight: -1}]}")),
        (
            "a redirect that also forwards",
            rule("{filters: [{type: RequestRedirect, requestRedirect: {}}], backendRefs: [{name: web, port: 80}]}"),
        ),
        ("a filter without its field", rule("{filters: [{type: URLRewrite}]}")),
        ("a timeout without a unit", rule("{timeouts: {request: \"10\"}}")),
        ("a grant to nobody", object("ReferenceGrant", "  from: []\n  to: [{group: \"\", kind: Service}]\n")),
        ("a version that is not served", rule("{}").replace("/v1\n", "/v1alpha2\n")),
    ];
    let table = cases.iter().fold(String::new(), |mut table, (name, text)| {
        let _ = writeln!(table, "## {name}\n{}", checked(text));
        table
    });
    insta::assert_snapshot!(table);
}

const GOOD: &str = include_str!("../../scenarios/rolling-update-node-loss.yaml");
const INLINE: &str = include_str!("../../fuzz/corpus/scenario/every-verb.yaml");

/// Reads a text; what is wrong is inside of it.
fn read(text: &str) {
    if let Err(ScenarioError::Input(problems)) = Scenario::read("any.yaml", text) {
        assert!(!problems.is_empty());
        for problem in problems {
            let line = problem.span.map_or(1, |span| span.start.line);
            assert!(line as usize <= problem.text.lines().count() + 1, "{problem}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        read(&text);
    }

    /// Pieces of scenarios in any order are nearer to scenarios than any text.
    #[test]
    fn no_shuffled_scenario_makes_the_reader_panic(
        lines in proptest::collection::vec((any::<bool>(), any::<proptest::sample::Index>(), 0usize..6), 0..40)
    ) {
        let text: String = lines
            .iter()
            .map(|(which, index, indent)| {
                let lines: Vec<&str> = if *which { GOOD } else { INLINE }.lines().collect();
                format!("{}{}\n", " ".repeat(indent * 2), lines[index.index(lines.len())].trim_start())
            })
            .collect();
        read(&text);
    }

    /// A scenario with some of its bytes taken out or replaced.
    #[test]
    fn no_mutated_scenario_makes_the_reader_panic(
        inline in any::<bool>(),
        cuts in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..12, "[ -~\n]{0,8}"), 1..8)
    ) {
        let mut text: Vec<char> = if inline { INLINE } else { GOOD }.chars().collect();
        for (at, length, instead) in cuts {
            let start = at.index(text.len());
            let end = (start + length).min(text.len());
            text.splice(start..end, instead.chars());
        }
        read(&text.into_iter().collect::<String>());
    }
}
