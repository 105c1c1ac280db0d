//! `seatrial serve`: a client of HTTP, a signal, and what is said at the end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

/// The command under way, with time standing still.
struct Served {
    child: Child,
    address: String,
    out: BufReader<std::process::ChildStdout>,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("seatrial"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).args(["serve", "--listen", "127.0.0.1:0", "--speed", "0"]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().expect("the command");
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
