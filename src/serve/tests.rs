//! What clients of Kubernetes ask for, and what they get. The requests are those that kubectl sends.

use serde_json::{Value, json};

use super::{Answer, Endpoint, HttpRequest, Reply, Watch};
use crate::kernel::SimDuration;
use crate::scenario::{RunOptions, Scenario};
use crate::sim::RecordMode;

const SCENARIO: &str = r#"
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: t}
spec:
  duration: 1m
  metrics: {everything: true}
  nodes: [{name: w, count: 2}]
  containers: [{image: "*", start: 1s}]
"#;

/// Asks a fresh cluster.
fn with_endpoint(test: impl FnOnce(&mut Endpoint<'_>)) {
    let scenario = Scenario::read("t.yaml", SCENARIO).expect("a scenario");
    let options = RunOptions { record: RecordMode::Full, ..RunOptions::default() };
    test(&mut Endpoint::new(scenario.begin(&options).expect("a cluster")));
}

fn whole(endpoint: &mut Endpoint<'_>, request: &HttpRequest) -> Answer {
    match endpoint.answer(request) {
        Reply::Whole(answer) => answer,
        Reply::Watch(_) => panic!("{request:?} is a watch"),
    }
}

/// Code and document of an answer.
fn ask(endpoint: &mut Endpoint<'_>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = whole(endpoint, &HttpRequest::new(method, path, &body));
    (answer.code, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn get(endpoint: &mut Endpoint<'_>, path: &str) -> Value {
    let (code, document) = ask(endpoint, "GET", path, &Value::Null);
    assert_eq!(code, 200, "{path}: {document}");
    document
}

fn patch(endpoint: &mut Endpoint<'_>, kind: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut request = HttpRequest::new("PATCH", path, &body.to_string());
    request.content_type = format!("application/{kind}");
    let answer = whole(endpoint, &request);
    (answer.code, serde_json::from_slice(&answer.body).unwrap_or_default())
}

fn watch(endpoint: &mut Endpoint<'_>, path: &str) -> Watch {
    match endpoint.answer(&HttpRequest::get(path)) {
        Reply::Watch(watch) => watch,
        Reply::Whole(answer) => panic!("{path}: {}", String::from_utf8_lossy(&answer.body)),
    }
}

/// Type and name of every event of a watch.
fn news(watch: &mut Watch, endpoint: &Endpoint<'_>) -> Vec<(String, String)> {
    let text = watch.news(endpoint.simulation());
    let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let name = |event: &Value| event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    events.map(|event| (event["type"].as_str().unwrap_or_default().to_owned(), name(&event))).collect()
}

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    })
}

fn create(endpoint: &mut Endpoint<'_>) {
    assert_eq!(ask(endpoint, "POST", DEPLOYMENTS, &deployment()).0, 201);
    endpoint.advance(SimDuration::from_secs(20));
}

#[test]
fn discovery_names_every_simulated_kind_with_its_subresources() {
    with_endpoint(|endpoint| {
        let groups = get(endpoint, "/apis");
        let names: Vec<&str> =
            groups["groups"].as_array().expect("a list").iter().filter_map(|g| g["name"].as_str()).collect();
        for name in ["apps", "batch", "policy", "networking.k8s.io", "metrics.k8s.io"] {
            assert!(names.contains(&name), "{names:?}");
        }
        let apps = get(endpoint, "/apis/apps/v1");
        let find = |name: &str| apps["resources"].as_array().into_iter().flatten().find(|r| r["name"] == name).cloned();
        assert_eq!(find("deployments").map(|found| found["shortNames"].clone()), Some(json!(["deploy"])));
        assert_eq!(find("deployments/scale").map(|found| found["kind"].clone()), Some(json!("Scale")));
        for kind in crate::objects::Kind::ALL {
            let api_version = kind.api_version();
            let root = if kind.group().is_empty() { "api" } else { "apis" };
            let list = get(endpoint, &format!("/{root}/{api_version}/{}", kind.plural()));
            assert_eq!(list["kind"], format!("{kind}List"), "{list}");
        }
    });
}

#[test]
fn lists_are_tables_for_those_who_ask_for_them() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let mut request = HttpRequest::get(DEPLOYMENTS);
        request.accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json".into();
        let table: Value = serde_json::from_slice(&whole(endpoint, &request).body).expect("JSON");
        assert_eq!(table["kind"], "Table");
        assert_eq!(table["columnDefinitions"][2]["name"], "Up-to-date");
        assert_eq!(
            table["rows"][0]["cells"].as_array().expect("cells")[..5].as_texts(),
            ["web", "2/2", "2", "2", "20s"]
        );
        assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    });
}

trait Cells {
    fn as_texts(&self) -> Vec<&str>;
}

impl Cells for [Value] {
    fn as_texts(&self) -> Vec<&str> {
        self.iter().filter_map(Value::as_str).collect()
    }
}

#[test]
fn a_watch_tells_what_changes_and_objects_come_and_go_with_the_selector() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let mut all = watch(endpoint, "/api/v1/namespaces/default/pods?watch=true");
        let found: Vec<String> = news(&mut all, endpoint).into_iter().map(|(event, _)| event).collect();
        assert_eq!(found, ["ADDED", "ADDED"], "what is there comes first");
        assert!(news(&mut all, endpoint).is_empty());
        let version = get(endpoint, DEPLOYMENTS)["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
        let path = format!("{DEPLOYMENTS}?watch=true&labelSelector=tier=front&resourceVersion={version}");
        let mut labelled = watch(endpoint, &path);
        assert!(news(&mut labelled, endpoint).is_empty(), "nothing has changed since");
        let one = format!("{DEPLOYMENTS}/web");
        patch(endpoint, "merge-patch+json", &one, &json!({"metadata": {"labels": {"tier": "front"}}}));
        assert_eq!(news(&mut labelled, endpoint), [("ADDED".to_owned(), "web".to_owned())]);
        patch(endpoint, "merge-patch+json", &one, &json!({"metadata": {"labels": {"tier": null}}}));
        assert_eq!(news(&mut labelled, endpoint), [("DELETED".to_owned(), "web".to_owned())]);
    });
}

#[test]
fn initial_events_end_with_a_bookmark() {
    with_endpoint(|endpoint| {
        let path = "/api/v1/nodes?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        let mut nodes = watch(endpoint, path);
        let told: Vec<String> = news(&mut nodes, endpoint).into_iter().map(|(event, _)| event).collect();
        assert_eq!(told, ["ADDED", "ADDED", "BOOKMARK"]);
    });
}

#[test]
fn what_the_api_server_warns_of_comes_with_what_was_written() {
    with_endpoint(|endpoint| {
        let services = "/api/v1/namespaces/default/services";
        let warnings = |endpoint: &mut Endpoint<'_>, method: &str, path: &str, body: &Value| {
            let mut request = HttpRequest::new(method, path, &body.to_string());
            if method == "PATCH" {
                request.content_type = "application/merge-patch+json".to_owned();
            }
            whole(endpoint, &request).warnings
        };
        let web = json!({"metadata": {"name": "web"}, "spec": {"trafficDistribution": "PreferClose", "ports": [{"port": 80}]}});
        let deprecated = "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"";
        assert_eq!(warnings(endpoint, "POST", &format!("{services}?dryRun=All"), &web), [deprecated]);
        assert_eq!(warnings(endpoint, "POST", services, &web), [deprecated]);
        let one = format!("{services}/web");
        let labelled = json!({"metadata": {"labels": {"a": "b"}}});
        assert_eq!(warnings(endpoint, "PATCH", &one, &labelled), [deprecated], "an update of anything");
        let near = json!({"spec": {"trafficDistribution": "PreferSameZone"}});
        assert_eq!(warnings(endpoint, "PATCH", &one, &near), Vec::<String>::new());
        assert_eq!(warnings(endpoint, "GET", &one, &Value::Null), Vec::<String>::new());
        // Those of odd octets it refuses by now.
        let balanced = json!({"metadata": {"name": "lb"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}});
        assert_eq!(warnings(endpoint, "POST", services, &balanced), Vec::<String>::new());
        let ingress = json!([{"ip": "2001:db8:0:0::7", "ipMode": "VIP"}]);
        let status = json!({"status": {"loadBalancer": {"ingress": ingress}}});
        let odd = "IPv6 address \"2001:db8:0:0::7\" should be in RFC 5952 canonical format (\"2001:db8::7\")";
        let told = warnings(endpoint, "PATCH", &format!("{services}/lb/status"), &status);
        assert_eq!(told, [format!("status.loadBalancer.ingress[0]: {odd}")]);
    });
}

#[test]
fn unknown_and_repeated_fields_are_warned_of_unless_the_client_does_not_care() {
    with_endpoint(|endpoint| {
        let typo = deployment().to_string().replacen(
            "\"replicas\":",
            "\"replicsa\":3,\"paused\":true,\"paused\":false,\"replicas\":",
            1,
        );
        let told = |endpoint: &mut Endpoint<'_>, method: &str, query: &str, body: &str| {
            let path = if method == "POST" { DEPLOYMENTS.to_owned() } else { format!("{DEPLOYMENTS}/web") };
            let mut request = HttpRequest::new(method, &format!("{path}?dryRun=All{query}"), body);
            if method == "PATCH" {
                request.content_type = "application/merge-patch+json".to_owned();
            }
            let answer = whole(endpoint, &request);
            (answer.code, answer.warnings)
        };
        let both = ["unknown field \"spec.replicsa\"", "duplicate field \"spec.paused\""].map(str::to_owned).to_vec();
        assert_eq!(told(endpoint, "POST", "&fieldValidation=Ignore", &typo), (201, vec![]));
        assert_eq!(told(endpoint, "POST", "&fieldValidation=Strict", &typo), (400, vec![]));
        assert_eq!(told(endpoint, "POST", "&fieldValidation=strict", &typo), (422, vec![]));
        for query in ["", "&fieldValidation=Warn"] {
            let (code, mut warnings) = told(endpoint, "POST", query, &typo);
            warnings.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!((code, warnings), (201, both.clone()), "{query}");
        }
        create(endpoint);
        assert_eq!(told(endpoint, "PUT", "", &typo).1.len(), 2);
        assert_eq!(told(endpoint, "PATCH", "", r#"{"spec": {"replicsa": 3}}"#), (200, vec![both[0].clone()]));
        assert_eq!(told(endpoint, "PATCH", "", r#"{"spec": {"replicas": 3}}"#), (200, vec![]));
    });
}

#[test]
fn unknown_fields_are_refused_only_by_strict_validation() {
    with_endpoint(|endpoint| {
        let mut typo = deployment();
        typo["spec"]["replicsa"] = json!(3);
        let (code, refusal) = ask(endpoint, "POST", &format!("{DEPLOYMENTS}?fieldValidation=Strict"), &typo);
        assert_eq!(code, 400);
        assert_eq!(refusal["message"], "strict decoding error: unknown field \"spec.replicsa\"");
        create(endpoint);
        let change = json!({"spec": {"replicsa": 3}});
        let one = format!("{DEPLOYMENTS}/web?fieldValidation=Strict");
        assert_eq!(patch(endpoint, "strategic-merge-patch+json", &one, &change).0, 400);
        assert_eq!(patch(endpoint, "strategic-merge-patch+json", &format!("{DEPLOYMENTS}/web"), &change).0, 200);
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    with_endpoint(|endpoint| {
        assert_eq!(ask(endpoint, "POST", &format!("{DEPLOYMENTS}?dryRun=All"), &deployment()).0, 201);
        assert_eq!(ask(endpoint, "GET", &format!("{DEPLOYMENTS}/web"), &Value::Null).0, 404);
        assert!(endpoint.simulation().view().deployments.is_empty());
    });
}

#[test]
fn refusals_are_statuses_with_causes() {
    with_endpoint(|endpoint| {
        let mut wrong = deployment();
        wrong["spec"]["replicas"] = json!(-1);
        let (code, status) = ask(endpoint, "POST", DEPLOYMENTS, &wrong);
        assert_eq!(
            (code, &status["reason"], &status["details"]["kind"]),
            (422, &json!("Invalid"), &json!("Deployment"))
        );
        let cause = &status["details"]["causes"][0];
        assert_eq!(cause["field"], "spec.replicas");
        assert!(cause["message"].as_str().is_some_and(|message| message.starts_with("Invalid value: -1")), "{cause}");
        let (code, status) = ask(endpoint, "GET", &format!("{DEPLOYMENTS}/none"), &Value::Null);
        assert_eq!((code, &status["message"]), (404, &json!("deployments.apps \"none\" not found")));
        assert_eq!(status["details"]["kind"], "deployments");
        create(endpoint);
        assert_eq!(ask(endpoint, "POST", DEPLOYMENTS, &deployment()).0, 409);
        let other = "/apis/apps/v1/namespaces/other/deployments";
        let mut misplaced = deployment();
        misplaced["metadata"]["namespace"] = json!("default");
        assert_eq!(ask(endpoint, "POST", other, &misplaced).0, 400);
    });
}

#[test]
fn a_scale_is_read_patched_and_replaced_under_its_version() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let path = format!("{DEPLOYMENTS}/web/scale");
        let scale = get(endpoint, &path);
        assert_eq!((&scale["spec"]["replicas"], &scale["status"]["selector"]), (&json!(2), &json!("app=web")));
        let (code, _) = patch(endpoint, "merge-patch+json", &path, &json!({"spec": {"replicas": 4}}));
        assert_eq!(code, 200);
        endpoint.advance(SimDuration::from_secs(10));
        assert_eq!(endpoint.simulation().view().pods.len(), 4);
        assert_eq!(ask(endpoint, "PUT", &path, &scale).0, 409, "it is of an older version");
    });
}

#[test]
fn evictions_keep_to_the_budget() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let budget = json!({"metadata": {"name": "web"}, "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}});
        let (code, _) = ask(endpoint, "POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", &budget);
        assert_eq!(code, 201);
        endpoint.advance(SimDuration::from_secs(5));
        let pods = get(endpoint, "/api/v1/namespaces/default/pods");
        let name = pods["items"][0]["metadata"]["name"].as_str().expect("a name").to_owned();
        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}});
        let (code, status) =
            ask(endpoint, "POST", &format!("/api/v1/namespaces/default/pods/{name}/eviction"), &eviction);
        assert_eq!((code, &status["reason"]), (429, &json!("TooManyRequests")));
    });
}

#[test]
fn deletions_show_what_is_on_its_way_out_and_say_when_it_is_gone() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let pods = get(endpoint, "/api/v1/namespaces/default/pods");
        let name = pods["items"][0]["metadata"]["name"].as_str().expect("a name").to_owned();
        let path = format!("/api/v1/namespaces/default/pods/{name}");
        let (code, leaving) = ask(endpoint, "DELETE", &path, &Value::Null);
        assert_eq!((code, &leaving["kind"]), (200, &json!("Pod")));
        assert!(leaving["metadata"]["deletionTimestamp"].is_string());
        let options = json!({"propagationPolicy": "Background"});
        let (code, gone) = ask(endpoint, "DELETE", &format!("{DEPLOYMENTS}/web"), &options);
        assert_eq!((code, &gone["status"]), (200, &json!("Success")));
        let (code, _) = ask(endpoint, "DELETE", &format!("{DEPLOYMENTS}/web"), &json!({"propagationPolicy": "Never"}));
        assert_eq!(code, 422, "no such policy");
        endpoint.advance(SimDuration::from_mins(2));
        assert!(endpoint.simulation().view().pods.is_empty());
    });
}

#[test]
fn what_needs_a_process_is_refused_with_the_reason() {
    with_endpoint(|endpoint| {
        create(endpoint);
        for (method, part) in [("GET", "log"), ("POST", "exec"), ("POST", "portforward"), ("GET", "proxy")] {
            let path = format!("/api/v1/namespaces/default/pods/web/{part}");
            let (code, status) = ask(endpoint, method, &path, &Value::Null);
            assert_eq!(code, 501, "{part}");
            assert!(status["message"].as_str().is_some_and(|message| message.contains("simulated")), "{status}");
        }
        let apply = patch(endpoint, "apply-patch+yaml", &format!("{DEPLOYMENTS}/web"), &json!({}));
        assert_eq!((apply.0, &apply.1["message"]), (415, &json!("server-side apply is not simulated")));
    });
}

#[test]
fn time_passes_on_request_and_machines_stop() {
    with_endpoint(|endpoint| {
        create(endpoint);
        let (_, status) = ask(endpoint, "POST", "/seatrial/advance?by=90s", &Value::Null);
        assert_eq!(status["now"], "1m50s");
        for bad in ["", "?by=soon", "?by=1000000h"] {
            assert_eq!(ask(endpoint, "POST", &format!("/seatrial/advance{bad}"), &Value::Null).0, 400, "{bad}");
        }
        assert_eq!(ask(endpoint, "POST", "/seatrial/nodes/w-0/down", &Value::Null).0, 200);
        assert_eq!(ask(endpoint, "POST", "/seatrial/nodes/none/down", &Value::Null).0, 404);
        endpoint.advance(SimDuration::from_mins(1));
        let node = get(endpoint, "/api/v1/nodes/w-0");
        let conditions = node["status"]["conditions"].as_array().expect("conditions").clone();
        assert!(conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "Unknown"), "{conditions:?}");
    });
}

#[test]
fn custom_resources_are_served_as_their_definition_says() {
    with_endpoint(|endpoint| {
        let definition = json!({
            "metadata": {"name": "boats.sea.example"},
            "spec": {"group": "sea.example", "scope": "Namespaced", "names": {"kind": "Boat", "plural": "boats", "shortNames": ["bt"]},
                "versions": [{"name": "v1", "served": true, "storage": true}]},
        });
        let (code, answer) =
            ask(endpoint, "POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition);
        assert_eq!(code, 201, "{answer}");
        let path = "/apis/sea.example/v1/namespaces/default/boats";
        let boat = json!({"metadata": {"name": "ann"}, "spec": {"sails": 3}});
        assert_eq!(ask(endpoint, "POST", path, &boat).0, 201);
        assert_eq!(get(endpoint, &format!("{path}/ann"))["spec"]["sails"], 3);
        let change = json!({"spec": {"sails": 4}});
        assert_eq!(patch(endpoint, "merge-patch+json", &format!("{path}/ann"), &change).0, 200);
        assert_eq!(get(endpoint, path)["items"][0]["spec"]["sails"], 4);
        let resources = get(endpoint, "/apis/sea.example/v1");
        assert_eq!(resources["resources"][0]["shortNames"], json!(["bt"]));
    });
}

#[test]
fn metrics_are_there_after_two_measurements() {
    with_endpoint(|endpoint| {
        create(endpoint);
        endpoint.advance(SimDuration::from_mins(1));
        assert_eq!(get(endpoint, "/apis/metrics.k8s.io/v1beta1/nodes")["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(get(endpoint, "/apis/metrics.k8s.io/v1beta1/nodes/w-1")["kind"], "NodeMetrics");
        let pods = get(endpoint, "/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app=web");
        assert_eq!(pods["items"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn the_openapi_document_has_the_shape_of_every_kind() {
    with_endpoint(|endpoint| {
        let paths = get(endpoint, "/openapi/v3")["paths"].clone();
        let url = paths["apis/apps/v1"]["serverRelativeURL"].as_str().expect("a path").to_owned();
        let document = get(endpoint, &url);
        let operation = &document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"];
        assert!(
            operation["parameters"].as_array().is_some_and(|all| all.iter().any(|p| p["name"] == "fieldValidation"))
        );
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        // Everything that is referred to is there.
        let text = document.to_string();
        let mut references = text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
        assert!(references.all(|name| schemas.contains_key(name)));
        let strategy = schemas.iter().find(|(name, _)| name.ends_with("DeploymentStrategy")).expect("a schema").1;
        assert_eq!(strategy["properties"]["type"]["type"], "string");
    });
}

#[test]
fn nothing_that_is_asked_panics() {
    use proptest::prelude::*;
    let words = prop::sample::select(vec![
        "api",
        "apis",
        "v1",
        "apps",
        "namespaces",
        "default",
        "pods",
        "deployments",
        "web",
        "scale",
        "status",
        "eviction",
        "binding",
        "openapi",
        "v3",
        "seatrial",
        "advance",
        "nodes",
        "",
        "%",
        "log",
        "metrics.k8s.io",
        "v1beta1",
        "finalize",
    ]);
    let request = (
        prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "X"]),
        prop::collection::vec(words, 0..8),
        prop::sample::select(vec![
            "",
            "?watch=1",
            "?dryRun=All",
            "?fieldSelector=a",
            "?labelSelector=!",
            "?by=1s",
            "?fieldValidation=Strict",
        ]),
        prop::sample::select(vec![
            "",
            "null",
            "[]",
            "{}",
            "{\"metadata\": 1}",
            "{\"spec\": null}",
            "{",
            "{\"metadata\": {\"name\": \"web\"}}",
        ]),
        prop::sample::select(vec!["json", "merge-patch+json", "json-patch+json", "strategic-merge-patch+json", "yaml"]),
    );
    with_endpoint(|endpoint| {
        create(endpoint);
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(2000));
        let endpoint = std::cell::RefCell::new(endpoint);
        let ran = runner.run(&request, |(method, parts, query, body, kind)| {
            let mut request = HttpRequest::new(method, &format!("/{}{query}", parts.join("/")), body);
            request.content_type = format!("application/{kind}");
            match endpoint.borrow_mut().answer(&request) {
                Reply::Whole(answer) => prop_assert!((200..600).contains(&answer.code)),
                Reply::Watch(_) => prop_assert_eq!(method, "GET"),
            }
            Ok(())
        });
        ran.expect("an answer to everything");
    });
}

#[test]
fn autoscalers_are_served_in_their_first_version_too() {
    const V1: &str = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
    const V2: &str = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
    let metadata = json!({"name": "web"});
    let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"});
    with_endpoint(|endpoint| {
        let mut changes = watch(endpoint, &format!("{V1}?watch=true"));
        let spec =
            json!({"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60});
        let (code, created) = ask(endpoint, "POST", V1, &json!({"metadata": metadata, "spec": spec}));
        assert_eq!((code, &created["apiVersion"], &created["spec"]), (201, &json!("autoscaling/v1"), &spec));
        let percentage = |endpoint: &mut Endpoint<'_>| {
            let present = get(endpoint, &format!("{V2}/web"));
            assert_eq!(present["apiVersion"], "autoscaling/v2");
            present["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"].clone()
        };
        assert_eq!(percentage(endpoint), 60);
        for (kind, body) in [
            ("merge-patch+json", json!({"spec": {"targetCPUUtilizationPercentage": 70}})),
            ("strategic-merge-patch+json", json!({"spec": {"targetCPUUtilizationPercentage": 71}})),
            (
                "json-patch+json",
                json!([{"op": "replace", "path": "/spec/targetCPUUtilizationPercentage", "value": 72}]),
            ),
        ] {
            let (code, patched) = patch(endpoint, kind, &format!("{V1}/web"), &body);
            assert_eq!((code, &patched["apiVersion"]), (200, &json!("autoscaling/v1")), "{patched}");
            assert_eq!(percentage(endpoint), patched["spec"]["targetCPUUtilizationPercentage"]);
        }
        let (code, refusal) =
            patch(endpoint, "merge-patch+json", &format!("{V1}/web"), &json!({"apiVersion": "autoscaling/v2"}));
        assert_eq!(code, 400, "{refusal}");
        let list = get(endpoint, V1);
        assert_eq!(
            (&list["apiVersion"], &list["items"][0]["apiVersion"]),
            (&json!("autoscaling/v1"), &json!("autoscaling/v1"))
        );
        let told = changes.news(endpoint.simulation());
        assert_eq!(told.matches("\"apiVersion\":\"autoscaling/v1\"").count(), told.lines().count(), "{told}");
        assert!(told.lines().count() >= 4 && !told.contains("autoscaling/v2"), "{told}");
        let group = get(endpoint, "/apis/autoscaling");
        assert_eq!(group["preferredVersion"]["version"], "v2", "{group}");
        assert_eq!(get(endpoint, "/apis/autoscaling/v1")["resources"][0]["name"], "horizontalpodautoscalers");
    });
}

#[test]
fn kinds_of_definitions_are_found_whatever_their_definition_is_called() {
    let definition = |name: &str, plural: &str| {
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": name}, "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"kind": "Thing", "plural": plural, "shortNames": ["th"]},
            "versions": [{"name": "v1", "served": true, "storage": true}, {"name": "v2", "served": true}]}})
    };
    with_endpoint(|endpoint| {
        for (name, plural) in [("things.example.com", "things"), ("odd", "others")] {
            let path = format!("/apis/example.com/v2/namespaces/default/{plural}");
            assert_eq!(ask(endpoint, "GET", &path, &Value::Null).0, 404);
            let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
            let (code, created) = ask(endpoint, "POST", definitions, &definition(name, plural));
            assert_eq!(code, 201, "{created}");
            assert_eq!(get(endpoint, &path)["kind"], "ThingList");
        }
    });
}
