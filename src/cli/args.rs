//! Arguments of the command.

mod objects;
#[cfg(feature = "serve")]
mod serve;

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::explore::{Shard, Variation};
use crate::scenario::DEFAULT_MAX_EVENTS;

pub(super) use objects::{
    DescribeArguments, DiffArguments, EventsArguments, ExplainArguments, GetArguments, HistoryArguments, Moment,
    RolloutCommand, StatusArguments, TopCommand, TopSort, TreeArguments,
};

#[cfg(feature = "serve")]
pub(super) use serve::ServeArguments;

/// Replays what a Kubernetes 1.36 cluster would do: rollouts, failing nodes and images, promises kept or broken. In
/// milliseconds, and the same every time.
#[derive(Debug, Parser)]
#[command(
    name = "seatrial",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  seatrial run scenarios/rolling-update-node-loss.yaml\n  \
                  seatrial get pods -o wide --at 1m30s -f scenarios/rolling-update-node-loss.yaml\n  \
                  seatrial check my-manifests/*.yaml"
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run a scenario and tell what happened, or several and tell which expectations failed
    #[command(after_help = "Exit codes: 0 every expectation held, 1 one failed or the run could not end, 2 the input \
                            is wrong, 3 an internal error")]
    Run(RunArguments),
    /// Run a scenario under many seeds and values of its parameters, on all cores, and make the first failures small
    #[command(
        after_help = "Exit codes: 0 every expectation held in every case, 1 one failed, 2 the input is wrong, 3 an \
                            internal error\n\nExamples:\n  seatrial explore scenarios/random-node-crashes.yaml --seeds \
                            1000\n  seatrial explore my.yaml --seeds 100 --vary machines=3..6 --out results"
    )]
    Explore(ExploreArguments),
    /// Put the results of all shards of an exploration together
    #[command(
        after_help = "Exit codes: 0 every expectation held in every case, 1 one failed, 2 the input is wrong, 3 an \
                            internal error"
    )]
    Merge(MergeArguments),
    /// Check manifests and scenarios as the API server would
    #[command(after_help = "Exit codes: 0 all are valid, 2 one is not, 3 an internal error")]
    Check(CheckArguments),
    /// Show objects at an instant of a scenario, or as they change, as kubectl does
    #[command(after_help = objects::GET_EXAMPLES)]
    Get(GetArguments),
    /// Describe objects at an instant of a scenario, as kubectl does, and what kubectl cannot know of pods
    #[command(after_help = objects::DESCRIBE_EXAMPLES)]
    Describe(DescribeArguments),
    /// List what components said until an instant of a scenario, or as they say it, as kubectl does
    #[command(after_help = objects::EVENTS_EXAMPLES)]
    Events(EventsArguments),
    /// Show how a rollout gets on, or the revisions of a workload
    #[command(subcommand)]
    Rollout(RolloutCommand),
    /// Compare two runs, or two instants of one: objects field by field, and figures side by side
    #[command(after_help = objects::DIFF_EXAMPLES)]
    Diff(DiffArguments),
    /// Show what pods or nodes use at an instant of a scenario, as it was last measured then
    #[command(subcommand)]
    Top(TopCommand),
    /// Show which objects own which at an instant of a scenario
    #[command(after_help = "Exit codes: 0 shown, 1 there is no object of that name, 2 the input is wrong, 3 an \
                            internal error")]
    Tree(TreeArguments),
    /// Explain how a client reaches a host, a service or a pod at an instant of a scenario, or why it does not
    #[command(
        after_help = "Exit codes: 0 every connection gets through, 1 some or all do not, 2 the input is wrong, 3 an \
                            internal error"
    )]
    Explain(ExplainArguments),
    /// Let a real kubectl, or any client of Kubernetes, talk to a scenario's cluster while time passes
    #[cfg(feature = "serve")]
    #[command(after_help = serve::EXAMPLES)]
    Serve(ServeArguments),
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Scenario files, or folders of such; - is standard input
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Another value of a parameter of the scenario
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) parameters: Vec<(String, String)>,
    /// Write every change as a Kubernetes watch event, one JSON object a line; - is standard output, and nothing else
    /// is written there
    #[arg(long, value_name = "FILE")]
    pub(super) events: Option<PathBuf>,
    /// Tell what happens while it happens, before the whole story
    #[arg(short, long)]
    pub(super) watch: bool,
    /// Write a report as one HTML page that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub(super) report: Option<PathBuf>,
    /// Write a trace for <https://ui.perfetto.dev>
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    /// Write what came of the expectations as JUnit XML, as CI systems read it: a suite for each scenario
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// How to tell what happened: text for people, json for programs, junit for CI systems
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = RunReport::Text)]
    pub(super) output: RunReport,
    /// Stop after that many events of the simulation
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_EVENTS)]
    pub(super) max_events: u64,
}

#[derive(Debug, Args)]
pub(super) struct ExploreArguments {
    /// The scenario file; - is standard input
    pub(super) scenario: PathBuf,
    /// How many seeds: N, or FROM..TO without TO
    #[arg(long, value_name = "SEEDS", default_value = "100", value_parser = seeds)]
    pub(super) seeds: Range<u64>,
    /// Values that a parameter takes, each with all seeds: machines=3..6, or image=web:v1,web:v2
    #[arg(long, value_name = "NAME=VALUES")]
    pub(super) vary: Vec<Variation>,
    /// Another value of a parameter of the scenario
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(super) parameters: Vec<(String, String)>,
    /// Only the cases of one of several equal parts, such as 0/4; the results are put together by `seatrial merge`
    #[arg(long, value_name = "I/N", default_value = "0/1", requires = "out")]
    pub(super) shard: Shard,
    /// Keep the results in this folder; what is there already is gone on with. FILE.parquet is a table instead, written
    /// at the end
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Threads; default: as many as there are cores
    #[arg(short = 'j', long)]
    pub(super) jobs: Option<NonZeroUsize>,
    /// How many failures to make small, of different expectations
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) shrink: usize,
    /// How to tell what was found: text for people, json for programs
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = RunOutput::Text)]
    pub(super) output: RunOutput,
    /// Give a case up after that many events of the simulation
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_EVENTS)]
    pub(super) max_events: u64,
}

#[derive(Debug, Args)]
pub(super) struct MergeArguments {
    /// The folders of all shards
    #[arg(required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// Write the results of the whole to this folder, or as a table to FILE.parquet
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// How to tell what was found: text for people, json for programs
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = RunOutput::Text)]
    pub(super) output: RunOutput,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let range = match text.split_once("..") {
        Some((from, to)) => from.parse().ok().zip(to.parse().ok()).map(|(from, to)| from..to),
        None => text.parse().ok().map(|count| 0..count),
    };
    range
        .filter(|range| !range.is_empty())
        .ok_or_else(|| "expected a number such as 1000, or a range such as 500..1000".to_owned())
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RunOutput {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RunReport {
    Text,
    Json,
    Junit,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// Manifest or scenario files; - is standard input
    #[arg(required = true)]
    pub(super) files: Vec<PathBuf>,
}
