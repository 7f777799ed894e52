//! `lastwords config check`: says what is wrong with the configuration, or what would be used.

use std::io::Write as _;

use lastwords_config::{Shown, shown};

use crate::{
    args::ConfigCheckArgs,
    config::{self, DEFAULT_FILE, Flags},
    outcome::{Outcome, printed},
    output::{self, Format},
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// The configuration's error, with file, line and key.
pub fn run(check: &ConfigCheckArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(check), &environment)?;
    config.check_ship_files()?;
    for notice in config.notices() {
        output::tell(format_args!("lastwords: {notice}"));
    }
    let shown = config.shown();
    let mut out = output::stdout();
    let format = Format::or_default(check.format.format);
    if format != Format::Table {
        let columns: Vec<&str> = shown.iter().map(|shown| shown.key.as_str()).collect();
        let object = shown.iter().map(|Shown { key, value, .. }| (key.clone(), value.clone())).collect();
        let object = serde_json::Value::Object(object);
        printed(output::print_object(&mut out, format, &columns, &object))?;
        return Ok(Outcome::Done);
    }
    let told = match config.file() {
        Some(file) => format!("{} is valid. This would be used:", file.display()),
        None => format!("There is no {DEFAULT_FILE}. This would be used:"),
    };
    printed(writeln!(out, "{told}\n"))?;
    shown::lines(&shown).iter().try_for_each(|line| printed(writeln!(out, "{line}")))?;
    Ok(Outcome::Done)
}
