//! The commands that look at objects: `get`, `describe`, `events`, `rollout`.

use super::{file, folder, seatrial, stderr, stdout};

/// A Deployment that is rolled out anew at one minute.
const ROLLOUT: &str = "scenarios/rolling-update-node-loss.yaml";
const STATEFUL: &str = "scenarios/stateful-set-in-order.yaml";

fn shown(command: &str, scenario: &str, more: &[&str]) -> String {
    let mut arguments: Vec<&str> = command.split(' ').collect();
    arguments.extend(["-f", scenario]);
    arguments.extend(more);
    let assert = seatrial(&arguments).code(0);
    assert_eq!(stderr(&assert), "", "{arguments:?}");
    stdout(&assert)
}

fn refused(command: &str, code: i32) -> String {
    let mut arguments: Vec<&str> = command.split(' ').collect();
    arguments.extend(["-f", ROLLOUT]);
    stderr(&seatrial(&arguments).code(code))
}

#[test]
fn several_kinds_are_listed_with_their_kind_in_front_of_names() {
    let text = shown("get deploy,nodes", ROLLOUT, &[]);
    let (deployments, nodes) = text.split_once("\n\n").expect("two tables");
    assert!(deployments.contains("\ndeployment.apps/web "), "{text}");
    assert!(nodes.starts_with("NAME ") && nodes.contains("\nnode/worker-0 "), "{text}");
    let both = shown("get node/worker-1 deploy/web -o name", ROLLOUT, &[]);
    assert_eq!(both, "node/worker-1\ndeployment.apps/web\n");
    let all = shown("get all -o name", ROLLOUT, &[]);
    assert!(all.starts_with("pod/web-") && all.contains("\nservice/"), "{all}");
    assert!(all.contains("\nreplicaset.apps/web-"), "{all}");
}

#[test]
fn objects_are_selected_sorted_and_labelled_as_kubectl_does() {
    let names = |more: &[&str]| shown("get nodes --no-headers -o custom-columns=N:.metadata.name", ROLLOUT, more);
    assert_eq!(names(&[]), "worker-0\nworker-1\nworker-2\nworker-3\n");
    assert_eq!(names(&["--field-selector", "metadata.name!=worker-1"]), "worker-0\nworker-2\nworker-3\n");
    assert_eq!(names(&["-l", "kubernetes.io/hostname in (worker-1,worker-2)"]), "worker-1\nworker-2\n");
    let labelled = shown("get nodes -L kubernetes.io/hostname,none --show-labels", ROLLOUT, &[]);
    let header: Vec<&str> = labelled.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(header[5..], ["HOSTNAME", "NONE", "LABELS"], "{labelled}");
    assert!(labelled.contains("   worker-1          ") && labelled.contains("kubernetes.io/os=linux"), "{labelled}");
    let sorted = ["--sort-by", ".status.replicas", "-o", "jsonpath={.items[*].status.replicas}"];
    let revisions = shown("get rs", ROLLOUT, &sorted);
    assert_eq!(revisions, "0 10");
}

#[test]
fn a_watch_shows_each_change_with_the_same_columns() {
    let text = shown("get deployments --watch --at 59s --until 1m5s --output-watch-events", ROLLOUT, &[]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("EVENT   NAME   READY   UP-TO-DATE"), "{text}");
    assert!(lines[1].starts_with("ADDED   web    10/10   10"), "{text}");
    assert!(lines.len() > 4 && lines[2..].iter().all(|line| line.starts_with("MODIFIED   web    ")), "{text}");
    let only = shown("get deployments --watch-only --at 59s --until 1m5s --no-headers", ROLLOUT, &[]);
    assert_eq!(only.lines().count(), lines.len() - 2, "{only}");
    assert!(refused("get deploy,pods -w", 2).contains("you may only specify a single resource type"));
}

#[test]
fn what_cannot_be_shown_is_refused_in_the_words_of_kubectl() {
    assert_eq!(
        refused("get pods -o jsonpath={.items[", 2),
        "error: error parsing jsonpath {.items[, unterminated array\n"
    );
    let unknown = refused("get pods -o wdie", 2);
    assert!(unknown.starts_with("error: unable to match a printer suitable for the output format"), "{unknown}");
    assert!(refused("get pods -o go-template={{.x}}", 2).contains("use jsonpath or custom-columns"));
    assert!(refused("get pods -o custom-columns=NAME", 2).contains("expected <header>:<json-path-expr>"));
    assert!(refused("get pods --sort-by .spec.nothing", 2).contains("couldn't find any field with path"));
    assert!(refused("get pods -l a==b=c", 2).starts_with("error: "));
    let field = refused("get pods --field-selector spec.priority=1", 2);
    assert!(field.contains("field label not supported: spec.priority"), "{field}");
    assert!(refused("get pods --field-selector nonsense", 2).starts_with("error: invalid selector"));
    assert!(refused("get pods web -l a=b", 2).contains("name cannot be provided when a selector is specified"));
    assert!(refused("get pods -o custom-columns-file=nowhere", 2).contains("nowhere: No such file"));
    assert!(refused("get pods --until 5s", 2).contains("--until can only be used with --watch"));
    assert!(refused("get pods --output-watch-events", 2).contains("can only be used with --watch or --watch-only"));
    assert!(refused("events --for web", 2).contains("--for must be in resource/name form"));
    assert!(refused("events --types Odd", 2).contains("valid --types are Normal or Warning"));
    assert!(refused("rollout status web", 2).starts_with("error: "));
    assert!(refused("rollout status deploy/web/x", 2).contains("may not have more than one slash"));
    assert_eq!(
        refused("get node none worker-0 -o name", 1),
        "Error from server (NotFound): nodes \"none\" not found\n"
    );
}

#[test]
fn columns_and_templates_are_read_from_files() {
    let folder = folder();
    let columns = file(&folder, "columns", "NODE            CPUS\nmetadata.name   .status.capacity.cpu\n");
    let text = shown("get nodes", ROLLOUT, &["-o", &format!("custom-columns-file={columns}")]);
    assert!(text.starts_with("NODE       CPUS\nworker-0   4\n"), "{text}");
    let template = file(&folder, "template", "{.items[0].kind}");
    assert_eq!(shown("get nodes", ROLLOUT, &["-o", &format!("jsonpath-file={template}")]), "Node");
    let json = shown("get nodes", ROLLOUT, &["-o", "jsonpath-as-json={.items[0:2].kind}"]);
    assert_eq!(json, "[\n    \"Node\",\n    \"Node\"\n]\n");
}

#[test]
fn the_beginning_of_a_name_describes_all_that_begin_so() {
    let text = shown("describe node worker-", ROLLOUT, &["--at", "55s"]);
    let names: Vec<&str> = text.lines().filter(|line| line.starts_with("Name:")).collect();
    assert_eq!(names.len(), 4, "{text}");
    let exact = shown("describe node worker-1", ROLLOUT, &["--at", "55s"]);
    assert_eq!(exact.lines().filter(|line| line.starts_with("Name:")).count(), 1);
    seatrial(&["describe", "node", "other-", "-f", ROLLOUT]).code(1);
    seatrial(&["describe", "node/worker-", "-f", ROLLOUT]).code(1);
}

#[test]
fn any_kind_is_described() {
    let text = shown("describe deploy/web node/worker-0", ROLLOUT, &["--at", "55s"]);
    assert!(text.starts_with("Name:                   web\n"), "{text}");
    assert!(text.contains("\n\n\nName:               worker-0\n"), "{text}");
    assert!(text.contains("\nNewReplicaSet:   web-") && text.contains("(10/10 replicas created)"), "{text}");
    let missing = seatrial(&["describe", "deploy/none", "-f", ROLLOUT]).code(1);
    assert_eq!(stderr(&missing), "Error from server (NotFound): deployments.apps \"none\" not found\n");
}

#[test]
fn events_are_listed_by_their_time_and_watched() {
    let text = shown("events --for deploy/web", ROLLOUT, &[]);
    assert!(text.starts_with("LAST SEEN "), "{text}");
    assert!(text.lines().skip(1).all(|line| line.contains("ScalingReplicaSet   Deployment/web   ")), "{text}");
    let everywhere = shown("events -A --types warning", ROLLOUT, &[]);
    assert!(everywhere.starts_with("NAMESPACE ") && !everywhere.contains(" Normal "), "{everywhere}");
    let watched = shown("events --watch --for deploy/web --no-headers", ROLLOUT, &[]);
    assert!(watched.starts_with("0s ") && watched.lines().count() >= text.lines().count() - 1, "{watched}");
    let none = seatrial(&["events", "-n", "empty", "-f", ROLLOUT]).code(0);
    assert_eq!((stdout(&none), stderr(&none)), (String::new(), "No events found in empty namespace.\n".to_owned()));
}

#[test]
fn a_rollout_is_waited_for_through_virtual_time() {
    let text = shown("rollout status deployment/web --at 1m1s", ROLLOUT, &[]);
    assert!(text.starts_with("Waiting for deployment \"web\" rollout to finish: "), "{text}");
    assert!(text.ends_with("\ndeployment \"web\" successfully rolled out\n"), "{text}");
    let once = shown("rollout status deploy web --at 1m1s --watch=false", ROLLOUT, &[]);
    assert_eq!(once.lines().count(), 1);
    let timeout = refused("rollout status deploy/web --at 1m1s --timeout 1s", 1);
    assert_eq!(timeout, "error: timed out waiting for the condition\n");
    let other = refused("rollout status deploy/web --revision 7", 1);
    assert_eq!(other, "error: desired revision (7) is different from the running revision (2)\n");
    assert!(refused("rollout status ds/web", 1).contains("NotFound"));
    let stuck = "scenarios/bad-image-rolled-back.yaml";
    let stuck = seatrial(&["rollout", "status", "deploy/web", "-f", stuck, "--at", "1m6s"]).code(1);
    assert_eq!(stderr(&stuck), "error: deployment \"web\" exceeded its progress deadline\n");
    let set = shown("rollout status sts/db --at 1s", STATEFUL, &[]);
    assert!(set.contains("Waiting for ") && set.contains(" pods to be ready..."), "{set}");
}

#[test]
fn the_history_of_a_rollout_is_told() {
    let text = shown("rollout history deploy/web", ROLLOUT, &[]);
    assert_eq!(text, "deployment.apps/web \nREVISION  CHANGE-CAUSE\n1         <none>\n2         <none>\n\n");
    let template = shown("rollout history deploy/web --revision 1", ROLLOUT, &[]);
    let head = "deployment.apps/web with revision #1\nPod Template:\n  Labels:\tapp=web\n\tpod-template-hash=";
    assert!(template.starts_with(head), "{template}");
    let set = shown("rollout history sts db --revision 1", STATEFUL, &[]);
    assert!(set.starts_with("statefulset.apps/db with revision #1\nPod Template:\n"), "{set}");
    let missing = refused("rollout history deploy/web --revision 9", 1);
    assert_eq!(missing, "error: unable to find the specified revision\n");
    let node = refused("rollout history node/worker-0", 1);
    assert!(node.contains("no history viewer has been implemented for \"Node\""), "{node}");
}

#[test]
fn runs_and_instants_are_compared() {
    let recreate = "scenarios/recreate-has-a-gap.yaml";
    assert_eq!(stdout(&seatrial(&["diff", recreate, recreate]).code(0)), "");
    let seeds = stdout(&seatrial(&["diff", recreate, "--seed", "1", "--with-seed", "2"]).code(1));
    assert!(seeds.contains("rollouts of deployment/db-proxy") && seeds.contains("\n~ pod/db-proxy-"), "{seeds}");
    assert!(seeds.contains("\nObjects held for the same although their names differ: "), "{seeds}");
    let instants = stdout(&seatrial(&["diff", recreate, "--at", "20s", "--with-at", "50s"]).code(1));
    assert!(instants.starts_with("~ deployment/db-proxy\n"), "{instants}");
    assert!(instants.contains("\n    spec.template.spec.containers[c].image: proxy:v1 → proxy:v2\n"), "{instants}");
    let json = stdout(&seatrial(&["diff", recreate, "--at", "20s", "--with-at", "50s", "-o", "json"]).code(1));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["equal"], &json["objects"][0]["first"]), (&false.into(), &"deployment/db-proxy".into()));
    assert!(stderr(&seatrial(&["diff", recreate]).code(2)).contains("nothing to compare with"));
    assert!(stderr(&seatrial(&["diff", recreate, "nowhere.yaml"]).code(2)).contains("nowhere.yaml: No such file"));
}

#[test]
fn a_run_is_told_while_it_happens() {
    let text = stdout(&seatrial(&["run", "--watch", "scenarios/recreate-has-a-gap.yaml"]).code(0));
    let (live, story) = text.split_once("\n\nrecreate-has-a-gap: ").expect("the story comes behind");
    assert!(live.contains("      30s  deployment/db-proxy: ready 0/4, up-to-date 0, available 0\n"), "{live}");
    assert!(story.contains("What happened"), "{story}");
}
