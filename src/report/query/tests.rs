use super::*;
use crate::sim::{Delays, Simulation};

const OBJECTS: &str = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: gold}, value: 5}
---
{apiVersion: example.com/v1, kind: Policy, metadata: {name: mine}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, labels: {app: web}}, spec: {ports: [{port: 80}]}}
";

fn sim() -> Simulation {
    let mut sim = Simulation::builder().delays(Delays::ideal()).nodes(2).build().expect("a cluster");
    sim.apply(OBJECTS).expect("applied");
    sim
}

fn found(arguments: &[&str]) -> Vec<String> {
    let sim = sim();
    let query = Query::parse(sim.view(), arguments).expect("kinds");
    let selected = query.select(sim.view()).expect("a query");
    let name = |(resource, objects): &(ResourceType, Vec<Object>)| {
        let kind = resource.qualified_singular();
        objects.iter().map(|object| format!("{kind}/{}", object.meta().name)).collect::<Vec<_>>()
    };
    selected.groups.iter().flat_map(name).chain(selected.not_found).collect()
}

#[test]
fn kinds_have_many_names() {
    for name in ["cm", "configmap", "ConfigMaps"] {
        assert_eq!(found(&[name]), ["configmap/settings"]);
    }
    assert_eq!(found(&["pc"]), ["priorityclass.scheduling.k8s.io/gold"]);
    for name in ["policies", "policy", "policies.example.com", "policies.v1.example.com"] {
        assert_eq!(found(&[name]), ["policy.example.com/mine"]);
    }
    assert_eq!(found(&["svc,no"]), ["service/web", "node/node-0", "node/node-1"]);
    assert_eq!(found(&["all"]), ["service/web"]);
}

#[test]
fn names_are_given_behind_the_kind_or_after_a_slash() {
    assert_eq!(found(&["node", "node-1", "node-0"]), ["node/node-1", "node/node-0"]);
    assert_eq!(found(&["svc/web", "cm/settings"]), ["service/web", "configmap/settings"]);
    assert_eq!(found(&["svc", "none"]), [r#"Error from server (NotFound): services "none" not found"#]);
    assert_eq!(found(&["policy/none"]), [r#"Error from server (NotFound): policies.example.com "none" not found"#]);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let sim = sim();
    let parse = |arguments: &[&str]| Query::parse(sim.view(), arguments).map(drop).expect_err("wrong").to_string();
    assert_eq!(parse(&["gizmos"]), "the server doesn't have a resource type \"gizmos\"");
    assert_eq!(parse(&["deployments.batch"]), "the server doesn't have a resource type \"deployments.batch\"");
    assert!(parse(&["pods", "svc/web"]).starts_with("there is no need to specify a resource type"));
    assert!(parse(&["svc/web", "pods"]).starts_with("there is no need to specify a resource type"));
    assert!(parse(&["a/b/c"]).contains("more than one slash"));
    assert!(parse(&["svc/"]).contains("expected TYPE/NAME"));
    assert!(parse(&[]).contains("you must specify the type") && parse(&[","]).contains("you must specify the type"));

    let query = |arguments: &[&str]| Query::parse(sim.view(), arguments).expect("kinds");
    let refused = |query: &Query| query.select(sim.view()).map(drop).expect_err("refused").to_string();
    let labelled = Query { selector: "app=web".parse().expect("a selector"), ..query(&["svc/web"]) };
    assert_eq!(refused(&labelled), "name cannot be provided when a selector is specified");
    let everywhere = Query { namespace: None, ..query(&["svc/web"]) };
    assert_eq!(refused(&everywhere), "a resource cannot be retrieved by name across all namespaces");
    let by_field = Query { fields: "spec.priority=1".parse().expect("a selector"), ..query(&["pods"]) };
    assert!(refused(&by_field).ends_with("field label not supported: spec.priority"), "{}", refused(&by_field));
}
