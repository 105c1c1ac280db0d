//! The `seatrial` command.

fn main() -> std::process::ExitCode {
    seatrial::cli::main()
}
