//! The command: reads arguments, calls the library, prints.

mod args;
mod check;
mod colours;
mod describe;
mod diagnostics;
mod diff;
mod events;
mod explain;
mod explore;
mod get;
mod input;
mod kubectl;
mod rollout;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod top;
mod tree;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};

/// What a command says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Everything expected came true.
    Held,
    /// An expectation failed.
    Broken,
    /// The input is wrong.
    WrongInput,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Held => 0,
            Exit::Broken => 1,
            Exit::WrongInput => 2,
        })
    }
}

/// Runs the command with the arguments of the process. Exit codes: 0 held, 1 an expectation failed, 2 the input is
/// wrong, 3 an internal error.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    let result = match arguments.command {
        Command::Run(options) => run::run(&options),
        Command::Explore(options) => explore::explore(&options),
        Command::Merge(options) => explore::merge(&options),
        Command::Check(options) => check::check(&options),
        Command::Get(options) => get::get(&options),
        Command::Describe(options) => describe::describe(&options),
        Command::Events(options) => events::events(&options),
        Command::Rollout(command) => rollout::rollout(&command),
        Command::Diff(options) => diff::diff(&options),
        Command::Top(command) => top::top(&command),
        Command::Tree(options) => tree::tree(&options),
        Command::Explain(options) => explain::explain(&options),
        #[cfg(feature = "serve")]
        Command::Serve(options) => serve::serve(&options),
    };
    match result {
        Ok(exit) => exit.into(),
        // Somebody closed the pipe, as `head` does: that is not an error of ours.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(3)
        }
    }
}

/// Prints what is wrong with the arguments, or the help that they ask for.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if let Some(hint) = kubectl::hint(error) {
        let _ = writeln!(std::io::stderr(), "\n  = help: {hint}");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
