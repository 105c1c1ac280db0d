//! Documents, lists, places, and reading Rust types.

use serde::Deserialize;
use serde_json::json;

use super::*;

#[test]
fn documents_are_split_and_empty_ones_skipped() {
    let text = "# nothing\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n--- # two\n\n---\n\
                kind: ConfigMap\napiVersion: v1\nmetadata:\n  generateName: b-\n...\n---\n~\n";
    let documents = documents(text);
    let names: Vec<_> =
        documents.iter().map(|d| (d.name.as_deref(), d.generate_name.as_deref(), d.namespace.as_deref())).collect();
    assert_eq!(names, [(Some("a"), None, Some("x")), (None, Some("b-"), None)]);
    assert!(super::documents("").is_empty());
    assert!(super::documents("---\n---\n").is_empty());
}

#[test]
fn json_streams_are_split() {
    let pod = |name: &str| format!(r#"{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}"}}}}"#);
    for separator in ["", "\n", "\n---\n"] {
        let text = format!("{}{separator}{}\n", pod("a"), pod("b"));
        assert_eq!(documents(&text).len(), 2, "{text}");
    }
}

#[test]
fn lists_are_taken_apart() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata: {name: a}\n\
                - apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - metadata: {name: b}\n    data: {k: v}\n";
    let documents = documents(text);
    assert_eq!(documents.len(), 2);
    let expected = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}, "data": {"k": "v"}});
    assert_eq!(documents[1].value, expected);
    assert_eq!(documents[1].locate("data.k").unwrap().start.to_string(), "11:15");
    assert!(super::documents("apiVersion: v1\nkind: PodList\nitems: []\n").is_empty());
}

#[test]
fn unknown_kinds_are_kept_with_a_notice() {
    let text = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: w\nspec: {size: 080, odd: [1, {a: ~}]}\n";
    let widget = &documents(text)[0];
    assert_eq!(widget.value["spec"], json!({"size": 80, "odd": [1, {"a": null}]}));
    let notice = widget.notice.as_ref().unwrap();
    assert_eq!(
        notice.message,
        "the kind Widget of example.com/v1 is not simulated: it is kept as it is and not checked"
    );
    assert_eq!((notice.span.start.to_string(), notice.help.as_deref()), ("2:7".to_owned(), None));

    let notice_of = |text: &str| documents(text)[0].notice.clone().unwrap().help.unwrap();
    let old = "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: d}\n";
    assert_eq!(notice_of(old), "the simulated Deployment has apiVersion apps/v1");
    let typo = "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: d}\n";
    assert_eq!(notice_of(typo), "did you mean \"Deployment\"?");
}

#[test]
fn fields_are_located_or_their_nearest_ancestor() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  labels:\n    app.kubernetes.io/name: x\nspec:\n  \
                containers:\n  - name: c\n    image: i\n    env:\n    - {name: A, value: \"1\"}\n  volumes:\n";
    let pod = &documents(text)[0];
    let at = |path: &str| pod.locate(path).unwrap().start.to_string();
    assert_eq!(at("metadata.name"), "4:9");
    assert_eq!(at("metadata.labels[app.kubernetes.io/name]"), "6:29");
    assert_eq!(at("metadata.labels.app.kubernetes.io/name"), "6:29");
    assert_eq!(at("metadata.labels[absent]"), "5:3");
    assert_eq!(at("spec.containers[0].env[0].value"), "12:24");
    assert_eq!(at("spec.containers[0].ports[2].name"), "9:5");
    assert_eq!(at("spec.containers[7]"), "8:3");
    assert_eq!(at("spec.volumes"), "13:3");
    assert_eq!(at(""), "1:1");
    assert_eq!(at("[[]].."), "1:1");
    assert_eq!(pod.locate("metadata.name").unwrap().end.to_string(), "4:10");
}

#[test]
fn places_of_merged_and_repeated_values_are_where_they_are_written() {
    let text =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: &d\n  a: x\nbinaryData:\n  <<: *d\n  b: QQ==\n";
    let errors = read(text).unwrap_err();
    assert_eq!(render(&errors), "m.yaml:5:6: binaryData.a: not base64: byte 1 of \"x\"");
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Plan {
    seed: u64,
    #[serde(default)]
    steps: Vec<Step>,
    limit: Option<f64>,
    #[serde(default)]
    by_zone: std::collections::BTreeMap<u8, String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
enum Step {
    Pause,
    Scale { replicas: i32 },
    Image(String),
}

fn plan(text: &str) -> Result<Plan, Box<ReadError>> {
    let file = parse_spanned("p.yaml", text, &ReaderLimits::default()).unwrap();
    from_spanned(file.roots().next().unwrap())
}

#[test]
fn rust_types_are_read_from_spanned_trees() {
    let text = "seed: 7\nsteps:\n- pause\n- scale: {replicas: -1}\n- image: web:v2\nlimit: 2\nbyZone: {1: a}\n";
    let expected = Plan {
        seed: 7,
        steps: vec![Step::Pause, Step::Scale { replicas: -1 }, Step::Image("web:v2".to_owned())],
        limit: Some(2.0),
        by_zone: [(1, "a".to_owned())].into(),
    };
    assert_eq!(plan(text).unwrap(), expected);
    assert_eq!(plan("seed: 7\nlimit: ~\n").unwrap().limit, None);
}

#[test]
fn errors_of_rust_types_carry_place_path_and_help() {
    let cases = [
        ("seed: 1\nlimt: 2\n", "p.yaml:2:1: limt: unknown field \"limt\"\n  help: did you mean \"limit\"?"),
        ("seed: many\n", "p.yaml:1:7: seed: expected an integer from 0, got the string \"many\""),
        ("seed: -1\n", "p.yaml:1:7: seed: expected an integer from 0, got the number -1"),
        ("limit: 1\n", "p.yaml:1:1: seed is missing"),
        (
            "seed: 1\nsteps:\n- scale: {replicas: 1.5}\n",
            "p.yaml:3:21: steps[0].scale.replicas: expected an integer, got the number 1.5",
        ),
        ("seed: 1\nsteps:\n- pase\n", "p.yaml:3:3: steps[0]: unknown value \"pase\"\n  help: did you mean \"pause\"?"),
        ("seed: 1\nsteps:\n- image\n", "p.yaml:3:3: steps[0]: image needs a value: write `image: …`"),
        ("seed: 1\nsteps:\n- [1]\n", "p.yaml:3:3: steps[0]: expected a string or a mapping with one key, got a list"),
        ("seed: 1\nsteps: 3\n", "p.yaml:2:8: steps: expected a list, got the number 3"),
        ("- 1\n- 2\n", "p.yaml:1:1: expected a mapping, got a list"),
    ];
    for (text, expected) in cases {
        assert_eq!(render(&[*plan(text).unwrap_err()]), expected, "{text}");
    }
}

#[test]
fn nodes_are_walked_with_their_places() {
    let file = parse_spanned("a.yaml", "a: {b: [1, x]}\nc: ~\n", &ReaderLimits::default()).unwrap();
    let root = file.roots().next().unwrap();
    let item = match root.get("a").and_then(|a| a.get("b")).unwrap().value() {
        Value::List(mut items) => items.nth(1).unwrap(),
        _ => panic!("b is a list"),
    };
    assert!(matches!(item.value(), Value::Str("x")));
    assert_eq!((item.path().as_str(), item.span().start.to_string()), ("a.b[1]", "1:12".to_owned()));
    let Value::Map(entries) = root.value() else { panic!("the root is a map") };
    let keys: Vec<_> = entries.map(|(key, span, _)| format!("{key} {}", span.start)).collect();
    assert_eq!(keys, ["a 1:1", "c 2:1"]);
    assert!(root.get("nothing").is_none());
}
