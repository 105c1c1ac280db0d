//! What the conformance data does not reach, and properties that hold for any input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::objects::schema;

fn ty(api_version: &str, kind: &str) -> TypeRef {
    schema::lookup(api_version, kind).unwrap()
}

fn pod_with(spec: Value) -> Value {
    json!({"metadata": {"name": "p"}, "spec": spec})
}

/// Applies a patch to a pod's spec and gives the spec, or the error's text.
fn on_pod_spec(spec: Value, patch: Value) -> Result<Value, String> {
    let patched = strategic_merge(pod_with(spec), json!({"spec": patch}), ty("v1", "Pod"));
    patched.map(|mut pod| pod["spec"].take()).map_err(|error| error.to_string())
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|element| element["name"].as_str().unwrap()).collect()
}

#[test]
fn elements_of_the_patch_keep_its_order_and_others_their_place() {
    let spec = json!({"containers": [{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]});
    let patch = json!({"containers": [{"name": "d", "image": "x"}, {"name": "e"}, {"name": "b", "image": "y"}]});
    let patched = on_pod_spec(spec, patch).unwrap();
    assert_eq!(names(&patched["containers"]), ["a", "c", "d", "e", "b"]);
}

#[test]
fn replace_directive_in_a_list_replaces_it() {
    let spec = json!({"containers": [{"name": "a"}, {"name": "b"}]});
    let patch = json!({"containers": [{"$patch": "replace"}, {"name": "z"}, {"name": "y"}]});
    assert_eq!(names(&on_pod_spec(spec, patch).unwrap()["containers"]), ["z", "y"]);
}

#[test]
fn delete_directive_empties_an_object_and_drops_a_new_one() {
    let deployment = json!({"metadata": {"labels": {"a": "1"}}});
    let patch = json!({"metadata": {"labels": {"$patch": "delete"}, "annotations": {"$patch": "delete"}}});
    let patched = strategic_merge(deployment, patch, ty("apps/v1", "Deployment")).unwrap();
    assert_eq!(patched, json!({"metadata": {"labels": {}}}));
}

#[test]
fn errors_have_upstream_texts() {
    let spec = json!({"containers": [{"name": "a"}], "nodeSelector": {"k": {"x": 1}}, "nope": {"x": 1}, "args": [1]});
    for (patch, expected) in [
        (
            json!({"containers": [{"name": "a", "$patch": "merge"}]}),
            "merging lists cannot yet be specified in the patch",
        ),
        (
            json!({"containers": [{"name": "a", "$patch": 3}]}),
            "unknown patch type: %!s(int64=3) in map: map[$patch:3 name:a]",
        ),
        (json!({"nodeSelector": {"$patch": "merge"}}), "unknown patch type: merge in map: map[$patch:merge]"),
        (json!({"containers": ["a"]}), "list element types are not identical: [[map[name:a]] [a]]"),
        (
            json!({"containers": [{"$patch": "delete"}]}),
            "map: map[$patch:delete] does not contain declared merge key: name",
        ),
        (json!({"containers": [{"name": {}}]}), "runtime error: comparing uncomparable type map[string]interface {}"),
        (
            json!({"nodeSelector": {"k": {"x": 2}}}),
            "merging an object in json but data type is not struct, instead is: map",
        ),
        (json!({"nope": {"x": 2}}), "unable to find api field in struct PodSpec for the json field \"nope\""),
        (
            json!({"$setElementOrder/containers": {}}),
            "expected a []interface {}, but received a map[string]interface {}",
        ),
        (json!({"$setElementOrder": []}), "invalid patch format of setElementOrder list"),
        (json!({"$setElementOrder/containers": ["a"]}), "value for key 0 is not a map"),
        (json!({"$deleteFromPrimitiveList": []}), "invalid patch format of primitive list"),
        (json!({"$retainKeys": "a"}), "invalid patch format of retainKeys"),
        (json!({"$retainKeys": ["containers"], "hostname": "h"}), "invalid patch format of retainKeys"),
    ] {
        let outcome = on_pod_spec(spec.clone(), patch.clone());
        assert_eq!(outcome.err().unwrap_or_default(), expected, "{patch}");
    }
}

#[test]
fn documents_that_are_no_objects_are_refused() {
    let pod = ty("v1", "Pod");
    assert_eq!(strategic_merge(json!([]), json!({}), pod), Err(PatchError::NotAnObject));
    assert_eq!(strategic_merge(json!({"a": 1}), Value::Null, pod), Ok(json!({"a": 1})));
    assert_eq!(json_merge(Value::Null, json!({})), Err(PatchError::BadMergeDocument));
    assert_eq!(json_merge(json!({}), json!(3)), Err(PatchError::BadMergePatch));
    assert_eq!(json_merge(json!({}), json!([{"a": null}])), Ok(json!([{}])));
}

#[test]
fn deep_documents_are_refused() {
    let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({"a": inner}));
    assert!(json_merge(deep(99), json!({})).is_ok());
    assert_eq!(json_merge(deep(100), json!({})), Err(PatchError::TooDeep));
    assert_eq!(strategic_merge(json!({}), deep(100), ty("v1", "Pod")), Err(PatchError::TooDeep));
}

#[test]
fn apply_pairs_ports_with_the_same_number_as_upstream_does() {
    let with = |ports: Value| json!({"spec": {"ports": ports}});
    let tcp = json!({"name": "dns-tcp", "port": 53, "protocol": "TCP"});
    let udp = json!({"name": "dns", "port": 53, "protocol": "UDP"});
    let (old, new) = (with(json!([tcp])), with(json!([tcp, udp])));
    let patch = three_way_merge(&old, &new, &old, ty("v1", "Service")).unwrap();
    // The merge key is the port alone, so the new port is taken for a change of the old one.
    let expected = json!({"spec": {
        "$setElementOrder/ports": [{"port": 53}, {"port": 53}],
        "ports": [udp, tcp],
    }});
    assert_eq!(patch, expected);
}

#[test]
fn a_list_of_scalars_that_was_only_reordered_is_left_alone() {
    let with = |finalizers: &[&str]| json!({"metadata": {"finalizers": finalizers}});
    let pod = ty("v1", "Pod");
    let diff = |old: &[&str], new: &[&str]| strategic_diff(&with(old), &with(new), pod).unwrap();
    assert_eq!(diff(&["b", "a"], &["a", "b"]), json!({}));
    assert_eq!(diff(&["a", "b"], &["b", "a"]), json!({"metadata": {"$setElementOrder/finalizers": ["b", "a"]}}));
}

#[test]
fn a_replaced_field_is_sent_even_when_equal() {
    let budget = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}, "minAvailable": 1}});
    let patch = three_way_merge(&budget, &budget, &budget, ty("policy/v1", "PodDisruptionBudget")).unwrap();
    assert_eq!(patch, json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}}));
}

#[test]
fn apply_of_an_opaque_kind_computes_a_json_merge_patch() {
    let last = json!({"kind": "Widget", "spec": {"a": 1, "b": {"x": 1}, "l": [1]}});
    let new = json!({"kind": "Widget", "spec": {"a": 1, "l": [1, 2], "e": {}}});
    let live = json!({"kind": "Widget", "spec": {"a": 5, "b": {"x": 1}, "l": [1], "other": true}});
    let patch = three_way_json_merge(&last, &new, &live).unwrap();
    assert_eq!(patch, json!({"spec": {"a": 1, "b": null, "l": [1, 2], "e": {}}}));
    let renamed = json!({"kind": "Gadget", "spec": {}});
    assert_eq!(three_way_json_merge(&last, &renamed, &live), Err(PatchError::IdentityChanged));
}

#[test]
fn json_patch_operations_behave_as_in_the_api_server() {
    let document = json!({"a": {"b": [1, 2, 3]}, "n": null});
    for (patch, expected) in [
        (json!([{"op": "add", "path": "/a/b/-1", "value": 9}]), Ok(json!({"a": {"b": [1, 2, 3, 9]}, "n": null}))),
        (json!([{"op": "remove", "path": "/a/b/-1"}]), Ok(json!({"a": {"b": [1, 2]}, "n": null}))),
        (json!([{"op": "replace", "path": "", "value": [1]}]), Ok(json!([1]))),
        (
            json!([{"op": "copy", "from": "/zz", "path": "/c"}]),
            Ok(json!({"a": {"b": [1, 2, 3]}, "c": null, "n": null})),
        ),
        (json!([{"op": "test", "path": "/n"}, {"op": "test", "path": "/zz", "value": null}]), Ok(document.clone())),
        (json!(null), Ok(document.clone())),
        (json!([{"op": "test", "path": "/a/b/0", "value": 2}]), Err("testing value /a/b/0 failed: test failed")),
        (
            json!([{"op": "remove", "path": "/a/x"}]),
            Err("error in remove for path: '/a/x': Unable to remove nonexistent key: x: missing value"),
        ),
        (
            json!([{"op": "add", "path": "/a/b/x", "value": 1}]),
            Err("error in add for path: '/a/b/x': value was not a proper array index: 'x': \
                 strconv.Atoi: parsing \"x\": invalid syntax"),
        ),
        (
            json!([{"op": "replace", "path": "/a/b/7", "value": 1}]),
            Err("replace operation does not apply: doc is missing key: /a/b/7: missing value"),
        ),
        (
            json!([{"op": "move", "from": "/a/x", "path": "/y"}]),
            Err("error in move for path: 'x': Unable to remove nonexistent key: x: missing value"),
        ),
        (
            json!([{"op": "move", "path": "/y"}]),
            Err("move operation failed to decode from: operation, missing from field: missing value"),
        ),
        (json!([{"path": "/y"}]), Err("Unexpected kind: unknown")),
        (json!([1]), Err("json: cannot unmarshal number into Go value of type jsonpatch.Operation")),
    ] {
        let outcome = json_patch(document.clone(), &patch).map_err(|error| error.to_string());
        assert_eq!(outcome, expected.map_err(str::to_owned), "{patch}");
    }
}

#[test]
fn json_patch_cannot_grow_a_document_without_bound() {
    let nest = |level: usize| json!({"op": "add", "path": "/a".repeat(level), "value": {}});
    let error = json_patch(json!({}), &(1..=200).map(nest).collect()).unwrap_err();
    assert_eq!(error, PatchError::Operation { index: 99, reason: PatchError::TooDeep.to_string() });
    let double = json!({"op": "copy", "from": "/a", "path": "/a/-"});
    let error = json_patch(json!({"a": ["x"]}), &Value::Array(vec![double; 90])).unwrap_err();
    assert!(matches!(error, PatchError::CopyTooLarge { .. }), "{error}");
    let wide = json!({"op": "copy", "from": "/a/0", "path": "/a/-"});
    let error = json_patch(json!({"a": ["x".repeat(100_000)]}), &Value::Array(vec![wide; 90])).unwrap_err();
    assert!(matches!(error, PatchError::CopyTooLarge { limit: 3_145_728, .. }), "{error}");
    let many = Value::Array(vec![json!({"op": "test", "path": "/n"}); 10_001]);
    assert!(matches!(json_patch(json!({}), &many), Err(PatchError::TooManyOperations { .. })));
}

/// Any JSON, with the names that patches give a meaning to among its keys.
fn any_json() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["a", "b", "delete", "replace", "merge", "name", "80"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..3).prop_map(Value::from),
        Just(json!(1.5)),
        text.prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "metadata",
        "spec",
        "containers",
        "env",
        "ports",
        "name",
        "containerPort",
        "value",
        "volumes",
        "emptyDir",
        "finalizers",
        "labels",
        "nodeSelector",
        "args",
        "$patch",
        "$retainKeys",
        "$setElementOrder/containers",
        "$setElementOrder/finalizers",
        "$deleteFromPrimitiveList/finalizers",
        "$setElementOrder/args",
        "tolerations",
    ]);
    leaf.prop_recursive(6, 64, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}

/// A pod as the API server would hold it: keyed lists without duplicates, no nulls.
fn valid_pod() -> impl Strategy<Value = Value> {
    let env = prop::collection::btree_map("[A-C]", "[xy]", 0..3)
        .prop_map(|env| env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>());
    let container = (prop::sample::select(vec!["i:1", "i:2"]), prop::collection::vec("[pq]", 0..3), env.prop_shuffle());
    let containers = prop::collection::btree_map("[a-e]", container, 0..5).prop_map(|containers| {
        let object = |(name, (image, args, env))| json!({"name": name, "image": image, "args": args, "env": env});
        containers.into_iter().map(object).collect::<Vec<Value>>()
    });
    let volume = prop::sample::select(vec!["emptyDir", "hostPath", "configMap"]);
    let volumes = prop::collection::btree_map("[vw]", volume, 0..3).prop_map(|volumes| {
        volumes.into_iter().map(|(name, source)| json!({"name": name, source: {"k": name}})).collect::<Vec<Value>>()
    });
    let labels = prop::collection::btree_map("[kl]", "[12]", 0..3);
    let finalizers = prop::collection::btree_set("[fgh]", 0..4);
    (containers.prop_shuffle(), volumes.prop_shuffle(), labels, finalizers).prop_map(|(c, v, labels, finalizers)| {
        let metadata = json!({"name": "p", "labels": labels, "finalizers": finalizers});
        json!({"metadata": metadata, "spec": {"containers": c, "volumes": v}})
    })
}

proptest! {
    #[test]
    fn no_input_panics(a in any_json(), b in any_json(), c in any_json()) {
        let pod = ty("v1", "Pod");
        let _ = strategic_merge(a.clone(), b.clone(), pod);
        let _ = strategic_diff(&a, &b, pod);
        let _ = three_way_merge(&a, &b, &c, pod);
        let _ = three_way_json_merge(&a, &b, &c);
        let _ = json_merge(a.clone(), b.clone());
        let _ = json_patch(a, &b);
    }

    #[test]
    fn no_operation_panics(
        document in any_json(),
        operations in prop::collection::vec((
            prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test", "x"]),
            "(/(metadata|spec|containers|name|a|-|-1|0|1|~1)){0,4}",
            "(/(metadata|spec|containers|name|0)){0,3}",
            any_json(),
        ), 0..6),
    ) {
        let operations: Value = operations
            .into_iter()
            .map(|(op, path, from, value)| json!({"op": op, "path": path, "from": from, "value": value}))
            .collect();
        let _ = json_patch(document, &operations);
    }

    #[test]
    fn the_empty_patch_changes_nothing(inner in any_json()) {
        let document = json!({"spec": inner});
        prop_assert_eq!(strategic_merge(document.clone(), json!({}), ty("v1", "Pod")).unwrap(), document.clone());
        prop_assert_eq!(json_merge(document.clone(), json!({})).unwrap(), document.clone());
        prop_assert_eq!(json_patch(document.clone(), &json!([])).unwrap(), document);
    }

    #[test]
    fn a_strategic_diff_reproduces_the_modified_object(old in valid_pod(), new in valid_pod()) {
        let pod = ty("v1", "Pod");
        let patch = strategic_diff(&old, &new, pod).unwrap();
        prop_assert_eq!(strategic_merge(old, patch, pod).unwrap(), new);
    }

    #[test]
    fn applying_what_is_live_already_patches_nothing(pod in valid_pod()) {
        prop_assert_eq!(three_way_merge(&pod, &pod, &pod, ty("v1", "Pod")).unwrap(), json!({}));
    }

    #[test]
    fn a_three_way_patch_leads_to_the_modified_object_when_nobody_else_wrote(old in valid_pod(), new in valid_pod()) {
        let pod = ty("v1", "Pod");
        let patch = three_way_merge(&old, &new, &old, pod).unwrap();
        prop_assert_eq!(strategic_merge(old, patch, pod).unwrap(), new);
    }

    #[test]
    fn a_json_merge_diff_reproduces_the_modified_object(old in valid_pod(), new in valid_pod()) {
        let patch = json_merge_diff(&old, &new).unwrap();
        prop_assert_eq!(json_merge(old, patch).unwrap(), new);
    }
}
