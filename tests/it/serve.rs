//! `seatrial serve`: a client of HTTP, a signal, and what is said at the end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The command under way; time stands still unless a speed is given.
struct Served {
    child: Child,
    address: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["serve", "--listen", "127.0.0.1:0"]);
        let speed: &[&str] = if arguments.contains(&"--speed") { &[] } else { &["--speed", "0"] };
        let mut child = command.args(speed).args(arguments).stdout(Stdio::piped()).spawn().expect("the command");
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        let mut first = String::new();
        out.read_line(&mut first).expect("a line");
        let (_, address) = first.trim().split_once("http://").expect("an address");
        Self { address: address.to_owned(), child, out }
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> TcpStream {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n",
            self.address
        );
        stream.write_all((head + &body).as_bytes()).expect("a request");
        stream
    }

    /// Code and document of the answer.
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut text = String::new();
        self.send(method, path, body).read_to_string(&mut text).expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code");
        (code, serde_json::from_str(body).unwrap_or_default())
    }

    /// Interrupts it; exit code, and the rest of what it says.
    fn interrupt(mut self) -> (i32, String) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).expect("the rest");
        (self.child.wait().expect("an end").code().expect("no signal"), rest)
    }
}

impl Drop for Served {
    /// A test that fails leaves nothing behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_client_deploys_into_a_served_cluster_and_time_passes_on_request() {
    let served = Served::start(&[]);
    let deployment = json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
        },
    });
    let path = "/apis/apps/v1/namespaces/default/deployments";
    assert_eq!(served.ask("POST", path, &deployment).0, 201);
    assert_eq!(served.ask("GET", &format!("{path}/web"), &Value::Null).1["status"]["readyReplicas"], Value::Null);
    let (code, status) = served.ask("POST", "/seatrial/advance?by=1m", &Value::Null);
    assert_eq!((code, &status["now"]), (200, &json!("1m0s")));
    assert_eq!(served.ask("GET", &format!("{path}/web"), &Value::Null).1["status"]["readyReplicas"], 3);
    // What a percent sign hides is seen.
    let selected = served.ask("GET", "/api/v1/pods?labelSelector=app%3Dweb&limit=500", &Value::Null).1;
    assert_eq!(selected["items"].as_array().map(Vec::len), Some(3));
    let (exit, told) = served.interrupt();
    assert_eq!(exit, 0);
    assert!(told.contains("deployment/web: rollout complete") && told.contains("request method=POST"), "{told}");
}

#[test]
fn a_watch_streams_what_happens_until_its_timeout() {
    let served = Served::start(&[]);
    let watch = served.send("GET", "/api/v1/namespaces?watch=true&timeoutSeconds=1", &Value::Null);
    let mut lines = BufReader::new(watch).lines().map(|line| line.expect("a line"));
    let mut next = |word: &str| lines.find(|line| line.contains(word));
    assert!(next("kube-system").is_some_and(|line| line.contains("ADDED")));
    assert_eq!(served.ask("POST", "/api/v1/namespaces", &json!({"metadata": {"name": "shop"}})).0, 201);
    assert!(next("\"name\":\"shop\"").is_some_and(|line| line.contains("ADDED")));
    assert_eq!(next("no such thing"), None, "the stream ends");
    served.interrupt();
}

#[test]
fn expectations_that_fail_while_somebody_is_served_are_told_at_the_end() {
    let served = Served::start(&["scenarios/rolling-update-node-loss.yaml", "--keep-epoch"]);
    let (code, _) = served.ask("DELETE", "/apis/apps/v1/namespaces/default/deployments/web", &Value::Null);
    assert_eq!(code, 200);
    served.ask("POST", "/seatrial/advance?by=1m", &Value::Null);
    let (exit, told) = served.interrupt();
    assert_eq!(exit, 1, "{told}");
    assert!(told.contains("2 of 5 expectations were broken."), "{told}");
}

/// What a real kubectl makes of a served cluster.
#[test]
#[ignore = "needs kubectl, and real time: `just kubectl`"]
fn kubectl_deploys_rolls_out_drains_and_explains() {
    let served = Served::start(&["--speed", "20"]);
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("web.yaml");
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: web}}\n  \
                template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: \"web:v1\"}]}\n";
    std::fs::write(&manifest, text).expect("a manifest");
    let manifest = manifest.to_str().expect("a path");
    let cases: [(&[&str], &str); 14] = [
        (&["apply", "-f", manifest], "deployment.apps/web created"),
        (&["apply", "-f", manifest], "deployment.apps/web unchanged"),
        (&["rollout", "status", "deploy/web", "--timeout=60s"], "successfully rolled out"),
        (&["set", "image", "deploy/web", "c=web:v2"], "deployment.apps/web image updated"),
        (&["rollout", "status", "deploy/web", "--timeout=60s"], "successfully rolled out"),
        (&["rollout", "undo", "deploy/web"], "deployment.apps/web rolled back"),
        (&["scale", "deploy/web", "--replicas=4"], "deployment.apps/web scaled"),
        // These send protobuf.
        (&["create", "namespace", "shop"], "namespace/shop created"),
        (&["create", "deployment", "db", "--image=db:1", "--port=80"], "deployment.apps/db created"),
        (&["drain", "worker-0", "--timeout=60s"], "node/worker-0 drained"),
        (&["get", "nodes"], "Ready,SchedulingDisabled"),
        (&["describe", "deployment", "web"], "Scaled up replica set"),
        (&["explain", "deployment.spec.strategy"], "rollingUpdate"),
        (&["delete", "namespace", "shop", "--timeout=60s"], "namespace \"shop\" deleted"),
    ];
    for (arguments, expected) in cases {
        let mut kubectl = Command::new("kubectl");
        let output = kubectl.args(["--server", &format!("http://{}", served.address)]).args(arguments).output();
        let output = output.expect("kubectl");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.contains(expected), "kubectl {arguments:?}: {said}");
    }
}
