//! What measures and breaks the product: `cargo lab bench …`, `cargo lab faults …`, `cargo lab attack`,
//! `cargo lab bombs`, `cargo lab score`.
//!
//! Everything here drives the real binaries as a user would and reads the operating system's own accounting.
//! Each command prints a table (`--format json`: one object) whose last line is its figure; with `--check` it
//! exits with 1 where the target is missed.

#![allow(clippy::indexing_slicing, reason = "JSON values, whose index gives null where there is nothing")]

mod attack;
mod bench;
mod bombs;
mod faults;
mod figures;
mod fleet;
mod lines;
mod memory;
mod process;
mod proxy;
mod score;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use figures::{Figures, Format};

#[derive(Parser)]
#[command(name = "cargo lab", about = "Measures Lastwords, and breaks it on purpose")]
struct Arguments {
    /// How to print the result.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Exit with 1 where the target is missed.
    #[arg(long, global = true)]
    check: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Times the product on made-up but realistic input.
    #[command(subcommand)]
    Bench(Bench),
    /// Breaks things at random moments while files grow and rotate, then counts every line.
    Faults(faults::Options),
    /// Attacks ingesters as a malicious shipper could, beside honest ones.
    Attack(attack::Options),
    /// Throws statements that want too much at a running `up`, and looks how others fare meanwhile.
    Bombs(bombs::Options),
    /// Scores detection on the corpus of labelled kernel crashes.
    Score(score::Options),
    /// (Used by `bench ship`.) Acknowledges whatever shippers send, and counts it.
    #[command(hide = true)]
    Sink(bench::ship::SinkOptions),
    /// (Used by `bench import`.) The engine without the rest: inserts blocks, or merges and says what is used.
    #[command(hide = true)]
    EngineAlone(bench::import::EngineAlone),
    /// (Used by `bench writer`.) A part of what the writer does, so many times.
    #[command(hide = true)]
    WriterAlone(bench::writer::WriterAlone),
}

#[derive(Subcommand)]
enum Bench {
    /// `lastwords import`, beside the engine's own insert rate for the same rows and schema.
    Import(bench::import::Options),
    /// The way through Kafka beside the direct one: CPU per line.
    Kafka(bench::kafka::Options),
    /// The shipper on a finished file, every batch acknowledged by a sink that discards.
    Ship(bench::ship::Options),
    /// A question over many events, beside the bare time-bucketed join.
    Question(bench::question::Options),
    /// What detection adds to the writer: instructions per record (valgrind), and CPU with the engine in its process.
    Writer(bench::writer::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.command) {
        Ok(figures) => {
            if let Some(figures) = &figures {
                println!("{}", figures.render(arguments.format));
            }
            ExitCode::from(u8::from(arguments.check && figures.is_some_and(|figures| !figures.met())))
        }
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::from(3)
        }
    }
}

fn run(command: &Command) -> anyhow::Result<Option<Figures>> {
    Ok(Some(match command {
        Command::Bench(Bench::Import(options)) => bench::import::run(options)?,
        Command::Bench(Bench::Kafka(options)) => bench::kafka::run(options)?,
        Command::Bench(Bench::Ship(options)) => bench::ship::run(options)?,
        Command::Bench(Bench::Question(options)) => bench::question::run(options)?,
        Command::Bench(Bench::Writer(options)) => bench::writer::run(options)?,
        Command::Faults(options) => faults::run(options)?,
        Command::Attack(options) => attack::run(options)?,
        Command::Bombs(options) => bombs::run(options)?,
        Command::Score(options) => score::run(options)?,
        Command::Sink(options) => {
            bench::ship::sink(options)?;
            return Ok(None);
        }
        Command::EngineAlone(options) => {
            bench::import::alone(options)?;
            return Ok(None);
        }
        Command::WriterAlone(options) => {
            bench::writer::alone(options)?;
            return Ok(None);
        }
    }))
}
