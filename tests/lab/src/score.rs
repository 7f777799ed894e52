//! The detector against labelled logs of crashing kernels, by the rules of the corpus's own `score.py`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, ensure};

use crate::{figures::Figures, process};

/// Which corpus.
#[derive(clap::Args)]
pub struct Options {
    /// The corpora's folder.
    #[arg(long, env = "LASTWORDS_CORPORA", default_value = "../shared/corpora")]
    corpora: PathBuf,
    /// Print each file that was judged wrong.
    #[arg(long)]
    failures: bool,
}

/// Scores `lastwords detect`.
///
/// # Errors
/// Where the corpus or Python is missing.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let script = options.corpora.join("score.py");
    ensure!(
        script.exists(),
        "{} is missing: set LASTWORDS_CORPORA to the corpora's folder",
        script.display()
    );
    let output = Command::new("python3")
        .arg(&script)
        .args(["--format", "json"])
        .args(options.failures.then_some("--failures"))
        .arg("--")
        .arg(process::binary("lastwords")?)
        .args(["detect", "--format", "jsonl", "-"])
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("cannot run python3")?;
    ensure!(output.status.success(), "{} failed", script.display());
    let score: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let number = |name: &str| score[name].as_f64().with_context(|| format!("no {name} in {score}"));

    let mut figures = Figures::default();
    figures.push("crashes", number("crashes")?, "");
    figures.push("negatives", number("negatives")?, "");
    figures.push("class", number("class_percent")?, "%");
    figures.push("function", number("function_percent")?, "%");
    figures.at_most("false alarms", number("alarms")?, "", 0.0);
    figures.at_least("found", number("found_percent")?, "%", 95.0);
    Ok(figures)
}
