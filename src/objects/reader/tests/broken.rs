//! Broken manifests and the exact words about them.

use std::fmt::Write;

use super::*;

/// The texts with their errors, for one snapshot.
fn report(texts: &[&str]) -> String {
    let mut report = String::new();
    for text in texts {
        let errors = read(text).map(|documents| documents.len()).expect_err(text);
        let _ = writeln!(
            report,
            "{}\n{}",
            text.trim_end(),
            render(&errors).lines().map(|line| format!("→ {line}\n")).collect::<String>()
        );
    }
    report
}

macro_rules! check {
    ($texts:expr) => {
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(report($texts)) })
    };
}

macro_rules! pod {
    ($spec:literal) => {
        concat!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\nspec:\n", $spec)
    };
}

macro_rules! deployment {
    ($spec:literal) => {
        concat!("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d\nspec:\n", $spec)
    };
}

#[test]
fn syntax() {
    check!(&[
        pod!("  containers:\n  - name: c\n   image: nginx\n"),
        pod!("\tcontainers: []\n"),
        pod!("  nodeName: a: b\n"),
        pod!("  containers: [{name: c\n  nodeName: x\n"),
        pod!("  nodeName: \"x\n  hostname: y\n"),
        pod!("  containers:\n  - name: c\n  image: x\n"),
        pod!("  nodeName\n  hostname: y\n"),
        pod!("  nodeName: @x\n"),
        pod!("  nodeName: %x\n"),
        pod!("  nodeName: *nobody\n"),
        pod!("  nodeSelector: &me {a: *me}\n"),
        pod!("  ? {a: b}\n  : c\n"),
        pod!("  nodeSelector: {~: x}\n"),
        pod!("  nodeSelector:\n    <<: text\n"),
        pod!("  nodeName: x\u{7}\n"),
        "a: 1\n--- {b: 1}\n",
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\" \"metadata\": {}}",
        "{\"apiVersion\": \"v1\",\n \"kind\": \"Po\nd\"}",
        "{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {\"name\": \"p\"}, \"spec\": {\"nodeName\": \"\\x\"}}",
    ]);
}

#[test]
fn unknown_and_repeated_fields() {
    check!(&[
        pod!("  containers:\n  - name: c\n    imagee: nginx\n"),
        pod!("  containers:\n  - name: c\n    image: a\n    ports: []\n    image: b\n"),
        pod!("  Containers: []\n"),
        pod!("  container: []\n"),
        pod!("  replicas: 3\n"),
        pod!("  labels: {a: b}\n"),
        pod!("  containers:\n  - name: c\n    periodSeconds: 5\n    resources:\n      cpu: 1\n"),
        deployment!("  containers: []\n"),
        deployment!("  template:\n    containers: []\n"),
        deployment!("  template:\n    spec:\n      replicas: 2\n"),
        deployment!("  strategy:\n    maxSurge: 1\n"),
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  label: {}\nmetadata:\n  name: q\nstatuss: {}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a: x, b: y, a: z}}\n",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"c\"},\"data\":{\"k\":\"1\",\"k\":\"2\"}}",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n- apiVersion: v1\n  kind: Pod\n  \
         metadata: {name: p}\n  spec:\n    containers:\n    - name: c\n      img: x\n",
    ]);
}

#[test]
fn wrong_types() {
    check!(&[
        deployment!("  replicas: three\n"),
        deployment!("  replicas: \"3\"\n"),
        deployment!("  replicas: 1.5\n"),
        deployment!("  replicas: 3000000000\n"),
        deployment!("  replicas: [3]\n"),
        deployment!("  paused: \"true\"\n  replicas: on\n"),
        deployment!("  selector:\n  - app: x\n"),
        deployment!("  strategy: Recreate\n"),
        deployment!("  strategy:\n    rollingUpdate:\n      maxSurge: 2.5\n      maxUnavailable: yes\n"),
        pod!("  containers:\n    name: c\n    image: nginx\n"),
        pod!("  containers:\n  - c\n"),
        pod!("  nodeName: on\n  hostname: 0x1F\n  nodeSelector: {a: 1, b: ok, c: no}\n"),
        pod!("  containers:\n  - name: c\n    env:\n    - name: A\n      value: 1.10\n    args: [1, \"2\", yes]\n"),
        pod!("  containers:\n  - name: c\n    resources:\n      limits: {cpu: 1x, memory: [1], pods: .5}\n"),
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, creationTimestamp: yesterday}\ndata: {k: \"a b\", v: aGVsbG8=, w: aGk}\n",
        "apiVersion: v1\nkind: Pod\nmetadata:\n- name: p\n",
        "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: 5\n  labels: {a: 1}\n  annotation: {}\nspec: {any: thing}\n",
    ]);
}

#[test]
fn documents_that_are_no_manifests() {
    check!(&[
        "- a\n- b\n",
        "just text\n",
        "12\n",
        "metadata: {name: p}\n",
        "kind: Deployment\nmetadata: {name: p}\n",
        "apiVersion: 1\nkind: Pod\nmetadata: {name: p}\n",
        "apiVersion: v1\nkind: [Pod]\n",
        "apiVersion: v1\nkind: Pod\n",
        "apiVersion: v1\nkind: Pod\nmetadata:\nspec: {}\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: \"\", labels: {}}\n",
        "apiVersion: v1\nkind: Pod\nmetadata: p\n",
        "apiVersion: v1\nkind: List\nitems: {a: b}\n",
        "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n- 5\n- apiVersion: v1\n  kind: Pod\n  metadata: {}\n",
    ]);
}
