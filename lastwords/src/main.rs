//! `lastwords`: reads the command line, runs the command, tells the shell how it ended.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // Files and connections are bounded by plans of our own; the system's default of 1,024 is too few for either.
    let _ = lastwords_runtime::descriptors::raise();
    let args = lastwords::args::Args::parse();
    let ended = lastwords::outcome::report(lastwords::run(args));
    lastwords_store::prepare_exit();
    ended
}
