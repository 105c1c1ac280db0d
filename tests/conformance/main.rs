//! Conformance with recorded and computed behaviour of Kubernetes 1.36.
fn main() {}
