//! Arguments of the command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::kernel::SimDuration;

/// Replay what Kubernetes 1.36 would do: rollouts, faults, promises. In milliseconds, the same every time.
#[derive(Debug, Parser)]
#[command(name = "seatrial", version, about)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario and say what happened
    #[command(
        after_help = "Exit codes: 0 every expectation held, 1 one failed, 2 the input is wrong, 3 an internal error"
    )]
    Run(RunArguments),
    /// Check manifests as the API server would
    Check(CheckArguments),
    /// Show objects at an instant of a scenario
    Get(GetArguments),
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The scenario file
    pub(super) scenario: PathBuf,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Write every change as a Kubernetes watch event, one JSON object a line; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// How to tell what happened
    #[arg(short, long, value_enum, default_value_t = RunOutput::Text)]
    pub(super) output: RunOutput,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RunOutput {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Manifest or scenario files; - is standard input
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct GetArguments {
    /// Kind, or kind/name: pods, deploy/web, rs, svc, nodes, events, …
    pub(super) resource: String,
    /// Name
    pub(super) name: Option<String>,
    /// The scenario file
    #[arg(short, long = "file", value_name = "SCENARIO")]
    pub(super) file: PathBuf,
    /// Virtual time to look at; default: the scenario's end
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<SimDuration>,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Only objects with such labels
    #[arg(short = 'l', long)]
    pub(super) selector: Option<String>,
    /// Namespace
    #[arg(short, long, default_value = "default")]
    pub(super) namespace: String,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Format
    #[arg(short, long, value_enum)]
    pub(super) output: Option<GetOutput>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GetOutput {
    Wide,
    Name,
    Yaml,
    Json,
}
