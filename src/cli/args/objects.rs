//! Arguments of the commands that look at objects.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{RunOutput, assignment};
use crate::kernel::SimDuration;

pub(super) const GET_EXAMPLES: &str = "\
Examples:
  seatrial get pods -o wide --at 1m30s -f scenario.yaml
  seatrial get deploy,rs,pods -l app=web -f scenario.yaml
  seatrial get pods --sort-by .status.startTime -L app -f scenario.yaml
  seatrial get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName -f scenario.yaml
  seatrial get deploy/web -o jsonpath='{.status.availableReplicas}' -f scenario.yaml
  seatrial get pods --watch --at 30s --output-watch-events -f scenario.yaml

Exit codes: 0 shown, 1 there is no object of that name, 2 the input is wrong, 3 an internal error";

pub(super) const DESCRIBE_EXAMPLES: &str = "\
Examples:
  seatrial describe deployment web --at 45s -f scenario.yaml
  seatrial describe nodes -f scenario.yaml
  seatrial describe pod/web-0 --kubectl -f scenario.yaml

Exit codes: 0 shown, 1 there is no object of that name, 2 the input is wrong, 3 an internal error";

pub(super) const EVENTS_EXAMPLES: &str = "\
Examples:
  seatrial events --at 2m -f scenario.yaml
  seatrial events --for deployment/web --types Warning -A -f scenario.yaml
  seatrial events --watch --at 30s -f scenario.yaml

Exit codes: 0 shown, 2 the input is wrong, 3 an internal error";

pub(super) const DIFF_EXAMPLES: &str = "\
Examples:
  seatrial diff before.yaml after.yaml
  seatrial diff scenario.yaml --seed 1 --with-seed 2
  seatrial diff scenario.yaml --set replicas=3 --with-set replicas=5
  seatrial diff scenario.yaml --at 1m --with-at 2m30s

Exit codes: 0 they are the same, 1 they differ, 2 the input is wrong, 3 an internal error";

const STATUS_EXAMPLES: &str = "\
Examples:
  seatrial rollout status deployment/web --at 30s -f scenario.yaml
  seatrial rollout status sts/db --at 1m --timeout 5m -f scenario.yaml

Exit codes: 0 the rollout was completed, 1 it was not: a deadline passed, the time was up, or the run ended; 2 the input \
is wrong, 3 an internal error";

const HISTORY_EXAMPLES: &str = "\
Examples:
  seatrial rollout history deployment/web -f scenario.yaml
  seatrial rollout history deployment/web --revision 2 -f scenario.yaml

Exit codes: 0 shown, 1 there is no such object or revision, 2 the input is wrong, 3 an internal error";

// A run of a scenario. (Without doc comments, which would become texts of the help; so below.)
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Moment {
    /// The scenario file; - is standard input
    #[arg(short, long = "file", value_name = "SCENARIO")]
    pub(in crate::cli) file: PathBuf,
    /// Virtual time to look at, such as 1m30s; default: the scenario's end
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<SimDuration>,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(in crate::cli) seed: Option<u64>,
    /// Another value of a parameter of the scenario
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) parameters: Vec<(String, String)>,
}

// Which namespaces.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Scope {
    /// Namespace
    #[arg(short, long, default_value = "default")]
    pub(in crate::cli) namespace: String,
    /// All namespaces
    #[arg(short = 'A', long)]
    pub(in crate::cli) all_namespaces: bool,
}

impl Scope {
    /// The namespace; nothing = all.
    pub(in crate::cli) fn namespace(&self) -> Option<String> {
        (!self.all_namespaces).then(|| self.namespace.clone())
    }
}

// How a table is shown, and how long it is watched.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct Listing {
    /// Leave the names of the columns out
    #[arg(long)]
    pub(in crate::cli) no_headers: bool,
    /// Show what there is at the time of --at (default: the start), then each change on the way
    #[arg(short, long)]
    pub(in crate::cli) watch: bool,
    /// Watch until this virtual time; default: the scenario's end
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<SimDuration>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct GetArguments {
    /// TYPE[,TYPE…] [NAME…] or TYPE/NAME…: pods, deploy/web, rs,svc, nodes worker-1, configmaps, all, …
    #[arg(required = true, value_name = "TYPE[/NAME]")]
    pub(in crate::cli) resources: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Only objects with such labels: app=web,tier!=db or 'app in (web,db)'
    #[arg(short = 'l', long)]
    pub(in crate::cli) selector: Option<String>,
    /// Only objects with such fields: status.phase=Running,spec.nodeName!=worker-1
    #[arg(long, value_name = "FIELDS")]
    pub(in crate::cli) field_selector: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) scope: Scope,
    /// wide, name, yaml, json, custom-columns=…, custom-columns-file=…, jsonpath=…, jsonpath-file=… or jsonpath-as-json=…
    #[arg(short, long, value_name = "FORMAT")]
    pub(in crate::cli) output: Option<String>,
    /// Sort by a field, such as .metadata.name or .status.startTime
    #[arg(long, value_name = "JSONPATH")]
    pub(in crate::cli) sort_by: Option<String>,
    /// Show these labels in columns of their own
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    pub(in crate::cli) label_columns: Vec<String>,
    /// Show all labels in a last column
    #[arg(long)]
    pub(in crate::cli) show_labels: bool,
    /// Put the kind in front of names
    #[arg(long)]
    pub(in crate::cli) show_kind: bool,
    #[command(flatten)]
    pub(in crate::cli) listing: Listing,
    /// Watch, but do not show first what there is
    #[arg(long)]
    pub(in crate::cli) watch_only: bool,
    /// Say of each object that is watched whether it was added, modified or deleted
    #[arg(long)]
    pub(in crate::cli) output_watch_events: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DescribeArguments {
    /// TYPE [NAME…] or TYPE/NAME…: pods, deploy/web, node worker-1, pvc, …
    #[arg(required = true, value_name = "TYPE[/NAME]")]
    pub(in crate::cli) resources: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Only objects with such labels
    #[arg(short = 'l', long)]
    pub(in crate::cli) selector: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) scope: Scope,
    /// Only what kubectl tells: without memory settings and resolved environment
    #[arg(long)]
    pub(in crate::cli) kubectl: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct EventsArguments {
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Only events about this object
    #[arg(long = "for", value_name = "TYPE/NAME")]
    pub(in crate::cli) about: Option<String>,
    /// Only events of these types: Normal, Warning
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) types: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) scope: Scope,
    #[command(flatten)]
    pub(in crate::cli) listing: Listing,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RolloutCommand {
    /// Wait from an instant of a scenario on until a rollout is done, and tell how it gets on
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArguments),
    /// Show the revisions of a workload, or the pod template of one of them
    #[command(after_help = HISTORY_EXAMPLES)]
    History(HistoryArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StatusArguments {
    /// TYPE NAME or TYPE/NAME: deployment/web, sts db, ds/agent
    #[arg(required = true, num_args = 1..=2, value_name = "TYPE/NAME")]
    pub(in crate::cli) resource: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Namespace
    #[arg(short, long, default_value = "default")]
    pub(in crate::cli) namespace: String,
    /// Whether to wait until the rollout is done
    #[arg(short, long, default_value_t = true, action = clap::ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(in crate::cli) watch: bool,
    /// How long to wait at most; default: until the run ends
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) timeout: Option<SimDuration>,
    /// The revision that must be the running one
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(in crate::cli) revision: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArguments {
    /// TYPE NAME or TYPE/NAME: deployment/web, sts db, ds/agent
    #[arg(required = true, num_args = 1..=2, value_name = "TYPE/NAME")]
    pub(in crate::cli) resource: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Namespace
    #[arg(short, long, default_value = "default")]
    pub(in crate::cli) namespace: String,
    /// Show the pod template of this revision
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    pub(in crate::cli) revision: u32,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArguments {
    /// The first scenario file
    pub(in crate::cli) first: PathBuf,
    /// The second scenario file; default: the first
    pub(in crate::cli) second: Option<PathBuf>,
    /// Virtual time to look at; default: each scenario's end
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<SimDuration>,
    /// Virtual time to look at in the second run; of one scenario: another instant of the same run
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) with_at: Option<SimDuration>,
    /// Another seed than the scenario's
    #[arg(long)]
    pub(in crate::cli) seed: Option<u64>,
    /// The seed of the second run; default: as the first
    #[arg(long, value_name = "SEED")]
    pub(in crate::cli) with_seed: Option<u64>,
    /// Another value of a parameter, in both runs
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) parameters: Vec<(String, String)>,
    /// Another value of a parameter in the second run
    #[arg(long = "with-set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) with_parameters: Vec<(String, String)>,
    /// Only objects of this namespace
    #[arg(short, long)]
    pub(in crate::cli) namespace: Option<String>,
    /// Compare uids, versions, times and addresses too
    #[arg(long)]
    pub(in crate::cli) exact: bool,
    /// Compare Events and Leases too
    #[arg(long)]
    pub(in crate::cli) every_kind: bool,
    /// text for people, json for programs
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = RunOutput::Text)]
    pub(in crate::cli) output: RunOutput,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TreeArguments {
    /// kind/name of the object at the top; default: every object that has no owner and owns others
    pub(in crate::cli) resource: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    #[command(flatten)]
    pub(in crate::cli) scope: Scope,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArguments {
    /// The client: pod/NAME, NAMESPACE/pod/NAME, node/NAME or external
    #[arg(long, value_name = "CLIENT")]
    pub(in crate::cli) from: String,
    /// Where it wants to go: HOST[:PORT][/PATH], service/NAME:PORT, pod/NAME:PORT or node/NAME:PORT
    #[arg(long, value_name = "DESTINATION")]
    pub(in crate::cli) to: String,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// text for people, json for programs
    #[arg(short, long, value_enum, hide_possible_values = true, default_value_t = RunOutput::Text)]
    pub(in crate::cli) output: RunOutput,
}

const TOP_EXAMPLES: &str = "\
Examples:
  seatrial top pod --at 5m -f scenario.yaml
  seatrial top pod -l app=web --containers --sort-by cpu -f scenario.yaml
  seatrial top node --at 5m -f scenario.yaml

Exit codes: 0 shown, 1 nothing is known of what was asked for, 2 the input is wrong, 3 an internal error";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TopCommand {
    /// CPU and memory of pods
    #[command(visible_aliases = ["pods", "po"], after_help = TOP_EXAMPLES)]
    Pod(TopPodArguments),
    /// CPU and memory of nodes
    #[command(visible_aliases = ["nodes", "no"], after_help = TOP_EXAMPLES)]
    Node(TopArguments),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TopPodArguments {
    #[command(flatten)]
    pub(in crate::cli) common: TopArguments,
    #[command(flatten)]
    pub(in crate::cli) scope: Scope,
    /// A line for each container
    #[arg(long)]
    pub(in crate::cli) containers: bool,
    /// The sums at the end
    #[arg(long)]
    pub(in crate::cli) sum: bool,
}

// What pods and nodes have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct TopArguments {
    /// Name; default: all
    pub(in crate::cli) name: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) moment: Moment,
    /// Only those with such labels
    #[arg(short = 'l', long)]
    pub(in crate::cli) selector: Option<String>,
    /// Most of it first; default: by name
    #[arg(long, value_enum)]
    pub(in crate::cli) sort_by: Option<TopSort>,
    /// No names of columns
    #[arg(long)]
    pub(in crate::cli) no_headers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TopSort {
    Cpu,
    Memory,
}
