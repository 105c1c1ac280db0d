//! The examples do what they say, at whatever the tests are built with.

#[path = "../../examples/fork.rs"]
mod fork;
#[path = "../../examples/rollout.rs"]
mod rollout;
#[path = "../../examples/traffic.rs"]
mod traffic;

#[test]
fn a_rollout_is_watched() {
    rollout::main().expect("it is kept");
}

#[test]
fn a_cluster_is_forked() {
    fork::main().expect("its futures come");
}

#[test]
fn users_send_requests() {
    traffic::main().expect("they are answered");
}
