//! `lastwords`: reads the command line, runs the command, tells the shell how it ended.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = lastwords::args::Args::parse();
    let ended = lastwords::outcome::report(lastwords::run(args));
    lastwords_store::prepare_exit();
    ended
}
