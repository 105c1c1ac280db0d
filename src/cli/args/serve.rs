//! Arguments of `seatrial serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::scenario::DEFAULT_MAX_EVENTS;
use crate::serve::Speed;

pub(super) const EXAMPLES: &str = "Examples:\n  seatrial serve scenarios/rolling-update-node-loss.yaml --speed 10\n  kubectl \
    --server http://127.0.0.1:8001 get pods --watch\n  seatrial serve --speed 0 --kubeconfig sim.kubeconfig &\n  \
    kubectl --kubeconfig sim.kubeconfig apply -f web.yaml\n  curl -X POST \
    'http://127.0.0.1:8001/seatrial/advance?by=30s'\n\nExit codes: 0 every expectation held when it was interrupted, 1 \
    one failed, 2 the input is wrong, 3 an internal error";

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeArguments {
    /// The scenario file; - is standard input. Default: three machines, and nothing else
    pub(in crate::cli) scenario: Option<PathBuf>,
    /// Where to listen; with port 0, any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8001")]
    pub(in crate::cli) listen: SocketAddr,
    /// Virtual seconds that pass in a real one; with 0, time passes only by `POST /seatrial/advance?by=TIME`
    #[arg(long, value_name = "N", default_value = "1")]
    pub(in crate::cli) speed: Speed,
    /// Write a configuration for kubectl that points here
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) kubeconfig: Option<PathBuf>,
    /// Begin at the scenario's epoch. Default: at this machine's time, so that ages are right that clients work out
    #[arg(long)]
    pub(in crate::cli) keep_epoch: bool,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(in crate::cli) seed: Option<u64>,
    /// Another value of a parameter of the scenario
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = super::assignment)]
    pub(in crate::cli) parameters: Vec<(String, String)>,
    /// Stop after that many events of the simulation
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_EVENTS)]
    pub(in crate::cli) max_events: u64,
}
