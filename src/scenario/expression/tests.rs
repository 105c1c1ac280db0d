//! What expressions ask of objects.

use super::*;
use crate::sim::Delays;

const OBJECTS: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {"app.kubernetes.io/name": web}, annotations: {share: "0.25"}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: c, image: "web:v1", resources: {requests: {cpu: 500m, memory: 1Gi}}}
      - {name: side, image: "side:v2"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: default}
data: {a: "1"}
"#;

fn cluster() -> Simulation {
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build().unwrap();
    sim.apply(OBJECTS).unwrap();
    sim.run_until_quiescent(crate::kernel::SimTime::from_secs(600));
    sim
}

fn check(sim: &Simulation, texts: &[&str]) {
    for text in texts {
        let expression: Expression = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(expression.holds(sim), "{text}: {}", expression.explain(sim, true));
        let opposite: Expression = format!("!({text})").parse().unwrap();
        assert!(!opposite.holds(sim), "{text}");
    }
}

#[test]
fn any_field_of_any_object_can_be_asked_for() {
    check(
        &cluster(),
        &[
            "object(deployment/web).spec.replicas == 3",
            "object('deployment/web').spec.template.spec.containers[1].image == \"side:v2\"",
            "object(deployment/web).spec.template.spec.containers[name=c].image.startsWith(\"web:\")",
            "object(deployment/web).metadata.labels[\"app.kubernetes.io/name\"] == 'web'",
            "object(deployment/web).status.conditions[type=Available].status == \"True\"",
            "object(deployment/web).spec.paused == null && object(deployment/web).spec.paused != false",
            "object(node/node-0).metadata.name.endsWith(\"-0\") && object(node/node-0).metadata.name.contains(\"ode\")",
            "object(pod/nobody).status.phase == null && object(pod/nobody).status.phase != \"Running\"",
            "ready(deployment/web) == object(deployment/web).spec.replicas",
            "1 + ready(deployment/web) - 2 == 2 && object(deployment/web).spec.replicas - 3 == 0",
        ],
    );
}

#[test]
fn quantities_are_numbers_where_numbers_are_compared() {
    check(
        &cluster(),
        &[
            "object(deployment/web).spec.template.spec.containers[0].resources.requests.cpu == 0.5",
            "object(deployment/web).spec.template.spec.containers[0].resources.requests.memory >= 1073741824",
            "object(deployment/web).metadata.annotations.share == 25%",
            "object(deployment/web).metadata.name != 3",
        ],
    );
}

#[test]
fn lists_are_asked_with_all_any_count_and_filter() {
    check(
        &cluster(),
        &[
            "objects(pod, app=web).count() == 3 && objects(pod).count() == 3 && objects(shop/pod).count() == 0",
            "objects(pod, app=web).all(p, p.status.phase == \"Running\" && p.spec.nodeName != null)",
            "objects(node).any(n, n.metadata.name == \"node-1\")",
            "objects(pod).filter(p, p.spec.nodeName == 'node-0').filter(p, p.status.phase == 'Running').count() >= 1",
            "objects(pod).filter(p, p.spec.nodeName == 'node-0').count(p, p.status.phase == 'Pending') == 0",
            "objects(pod, app in (web, db)).all(p, p.status.containerStatuses.all(c, c.ready && !c.state.waiting))",
            "objects(pod).all(p, p.spec.containers.filter(c, c.name != 'side').all(c, c.image == 'web:v1'))",
            "object(deployment/web).spec.template.spec.containers.count() == 2",
            "object(deployment/web).status.conditions.any(c, c.type == 'Available' && c.status == 'True')",
            "objects(replicaset).count(r, r.spec.replicas > 0) == 1",
            "objects(service).all(s, s.spec.type == 'LoadBalancer') && !objects(service).any(s, s.spec.type == 'ClusterIP')",
            "objects(pod).all(p, p.spec.containers.any(c, c.image == 'side:v2') || p.metadata.name == 'x')",
        ],
    );
}

#[test]
fn what_is_remembered_is_what_is_asked_anew() {
    let mut sim = cluster();
    let texts = [
        "objects(pod, app=web).all(p, p.status.phase == 'Running' && p.metadata.deletionTimestamp == null)",
        "objects(pod).count(p, p.status.containerStatuses[0].ready == true) == 3",
        "object(deployment/web).status.readyReplicas == 3",
        "objects(pod).any(p, p.spec.containers[0].image == 'web:v2')",
    ];
    let expressions: Vec<Expression> = texts.iter().map(|text| text.parse().unwrap()).collect();
    let mut memories = vec![Memory::default(); texts.len()];
    let mut seen = std::collections::BTreeSet::new();
    sim.set_image(&"deployment/web".parse().unwrap(), "c", "web:v2").unwrap();
    let _ = sim.run_until_with(crate::kernel::SimTime::from_secs(600), |sim| {
        for (at, expression) in expressions.iter().enumerate() {
            let holds = expression.holds(sim);
            seen.insert((at, holds));
            assert_eq!(expression.holds_now(sim, &mut memories[at]), holds, "{expression} at {}", sim.now());
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    assert_eq!(seen.len(), 8, "each was true and false: {seen:?}");
}

#[test]
fn objects_that_break_an_all_are_named() {
    let sim = cluster();
    let told = |text: &str| text.parse::<Expression>().unwrap().explain(&sim, true);
    assert_eq!(
        told("objects(node).all(n, n.metadata.name == 'node-1')"),
        "objects(node).all(n, n.metadata.name == 'node-1') = false (not node-0), want true"
    );
    assert_eq!(
        told("object(deployment/web).spec.replicas >= 5"),
        "object(deployment/web).spec.replicas = 3, want >= 5"
    );
    assert_eq!(told("pods(app=web) + 1 < 4"), "pods(app=web) + 1 = 4 (pods(app=web) = 3), want < 4");
    assert_eq!(
        told("object(deployment/web).spec.template.spec.containers == 2"),
        "object(deployment/web).spec.template.spec.containers = (2 entries), want == 2"
    );
}

#[test]
fn lists_inside_of_lists_end() {
    let mut sim = cluster();
    let many: Vec<String> = (0..2_000).map(|n| format!("\"{n}\"")).collect();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: long}}\nspec: {{containers: [{{name: c, image: x, args: [{}]}}]}}",
        many.join(", ")
    );
    sim.apply(&pod).unwrap();
    let list = |name: &str, inner: &str| format!("p.spec.containers[0].args.all({name}, {inner})");
    let text = format!("objects(pod).any(p, {})", list("a", &list("b", &list("c", "a != b || b != c || a == c"))));
    let expression: Expression = text.parse().unwrap();
    let _ = expression.holds(&sim);
}

#[test]
fn errors_about_objects_name_the_column_and_what_to_write() {
    let error = |text: &str| {
        let error = text.parse::<Expression>().map(drop).unwrap_err();
        format!("{}: {} ({})", error.column, error.message, error.help.unwrap_or_default())
    };
    insta::assert_snapshot!(
        [
            "object(deployment/web) == 3",
            "object(widget/web).spec == 3",
            "object(deployment/web).spec.containers[x].image == 'a'",
            "object(deployment/web).spec. == 3",
            "objects(pod)",
            "objects(pod).first()",
            "objects(pods, a=b).all(p)",
            "objects(pod).all(p, q.status.phase == 'Running')",
            "objects(pod).all(p, p.status.phase == Running)",
            "objects(pod).all(p, p.status.phase == 'Running)",
            "objects(pod).filter(p, p.spec.x) == 3",
            "objects(pod).count()",
            "objects(pod).all(p, p.x) == 3",
            "ready(deployment/web) == 'three'",
            "objects(widget).count() == 1",
        ]
        .map(error)
        .join("\n")
    );
    assert!("objects(pod).any(p, p.x == 1)".parse::<NumberExpression>().is_err());
}

proptest::proptest! {
    /// Whatever is read can be asked, told and asked again with what is remembered, to the same end.
    #[test]
    fn no_fragments_of_expressions_panic(picked in proptest::collection::vec(0..FRAGMENTS.len(), 1..14), spaced: bool) {
        let text = picked.iter().map(|at| FRAGMENTS[*at]).collect::<Vec<_>>().join(if spaced { " " } else { "" });
        let _ = text.parse::<NumberExpression>();
        if let Ok(expression) = text.parse::<Expression>() {
            thread_local!(static CLUSTER: Simulation = cluster());
            CLUSTER.with(|sim| {
                let holds = expression.holds(sim);
                let mut memory = Memory::default();
                for _ in 0..2 {
                    assert_eq!(expression.holds_now(sim, &mut memory), holds, "{text}");
                }
                for wanted in [true, false] {
                    let parts = expression.parts(sim, wanted);
                    assert!(!parts.is_empty(), "{text}");
                    assert_eq!(expression.explain(sim, wanted).is_empty(), holds == wanted, "{text}: {parts:?}");
                }
            });
        }
    }
}

const FRAGMENTS: &[&str] = &[
    "object(deployment/web)",
    "objects(pod)",
    "objects(pod, app=web)",
    "objects(node)",
    ".spec",
    ".replicas",
    ".status",
    "[0]",
    "[type=Ready]",
    "[\"app\"]",
    "['",
    "\"",
    ".all(p, p",
    ".any(q, q",
    ".count()",
    ".count(p, p",
    ".filter(p, p",
    ".metadata",
    ".name",
    ".contains('w')",
    ".startsWith(\"w\")",
    ".conditions",
    ".containers",
    ")",
    "(",
    " && ",
    " || ",
    "!",
    " == ",
    " != ",
    " >= ",
    " < ",
    " + ",
    " - ",
    "-",
    "3",
    "0.5",
    "99.9%",
    "250ms",
    "'web'",
    "true",
    "false",
    "null",
    "ready(deployment/web)",
    "pods(app=web)",
    "exists(pod/x)",
    "noOrphan()",
    "quiescent()",
    "p",
    ".",
    ",",
    "ä",
    "\u{0}",
    "9223372036854775807",
    "traffic(users).lost",
    "reachable(external, web:80)",
];
