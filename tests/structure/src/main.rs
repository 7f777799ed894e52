//! Prints circles of files and unused dependencies of a workspace: `cargo run -p lastwords-structure [FOLDER]`. Exits
//! with 1 where there are any.

use std::path::PathBuf;
use std::process::ExitCode;

use lastwords_structure::workspace;

fn main() -> anyhow::Result<ExitCode> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let found = [workspace::describe_circles(&folder)?, workspace::describe_unused(&folder)?].concat();
    print!("{found}");
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
