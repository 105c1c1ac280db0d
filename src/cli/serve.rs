//! `seatrial serve`.

use std::fs;
use std::io::{self, Write as _};

use crate::report::story;
use crate::scenario::{RunOptions, Scenario, ScenarioError};
use crate::serve::{Endpoint, Server, real_time};
use crate::sim::RecordMode;

use super::args::ServeArguments;
use super::colours::coloured;
use super::{Exit, diagnostics, input};

/// The cluster of those who name no scenario.
const EMPTY: &str = "
apiVersion: seatrial.dev/v1
kind: Scenario
metadata: {name: empty}
spec:
  duration: 1s
  nodes: [{name: worker, count: 3}]
";

pub(super) fn serve(arguments: &ServeArguments) -> io::Result<Exit> {
    let mut scenario = match read(arguments) {
        Ok(scenario) => scenario,
        Err(error) => return wrong(&error),
    };
    scenario.seed = arguments.seed.unwrap_or(scenario.seed);
    // `kubectl top` asks of all pods and nodes.
    scenario.metrics.everything = true;
    let options = RunOptions {
        epoch: (!arguments.keep_epoch).then(real_time),
        record: RecordMode::Full,
        max_events: Some(arguments.max_events),
        ..RunOptions::default()
    };
    let session = match scenario.begin(&options) {
        Ok(session) => session,
        Err(error) => return wrong(&error),
    };
    for notice in session.notices() {
        writeln!(anstream::stderr(), "notice: {notice}")?;
    }
    let server = Server::bind(arguments.listen).map_err(io::Error::other)?;
    let url = format!("http://{}", server.address());
    if let Some(path) = &arguments.kubeconfig
        && let Err(error) = fs::write(path, kubeconfig(&url))
    {
        writeln!(anstream::stderr(), "error: {}: {error}", path.display())?;
        return Ok(Exit::WrongInput);
    }
    let mut out = anstream::stdout();
    writeln!(out, "the cluster of scenario {:?} is at {url}\nkubectl --server {url} get nodes", scenario.name)?;
    out.flush()?;
    let endpoint = server.run(Endpoint::new(session), arguments.speed).map_err(io::Error::other)?;
    let run = endpoint.finish();
    write!(out, "\n{}", coloured(&story(&scenario, &run)))?;
    Ok(if run.held() { Exit::Held } else { Exit::Broken })
}

fn read(arguments: &ServeArguments) -> Result<Scenario, ScenarioError> {
    match &arguments.scenario {
        Some(path) => input::scenario(path, &input::parameters(&arguments.parameters)),
        None => Scenario::read("empty", EMPTY),
    }
}

fn wrong(error: &ScenarioError) -> io::Result<Exit> {
    diagnostics::scenario(error)?;
    Ok(Exit::WrongInput)
}

/// Nobody is asked who they are; a user must be named nevertheless.
fn kubeconfig(url: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: seatrial\n  cluster: {{server: {url:?}}}\nusers:\n- name: \
         anybody\n  user: {{}}\ncontexts:\n- name: seatrial\n  context: {{cluster: seatrial, user: \
         anybody}}\ncurrent-context: seatrial\n"
    )
}
