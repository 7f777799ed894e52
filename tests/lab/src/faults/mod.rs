//! Processes killed, paused and cut off at random moments while files grow and rotate; afterwards every line that
//! was written must be stored exactly once, and in order within its file.
//!
//! - `files`: the files that grow; each line carries its identity, so that nothing is inferred from counts alone
//! - `compare`: what is stored against what was written
//! - `direct`: `lastwords up` and `lastwords import`
//! - `engine`: the engine's process under them, alone
//! - `machine`: a machine whose shipper is killed, and which is reverted, cloned, and started without its logs
//! - `kafka`: shippers, ingesters, Kafka, writers and the store

mod compare;
mod direct;
mod engine;
mod files;
mod kafka;
mod machine;
mod rotation;

use crate::figures::Figures;

/// Which faults.
#[derive(clap::Args)]
pub struct Options {
    /// Which way lines take to the store.
    #[arg(long, value_enum, default_value_t = Way::Direct)]
    path: Way,
    /// What is killed on the direct way: the processes, or the engine's process alone.
    #[arg(long, value_enum, default_value_t = Victim::Processes)]
    kill: Victim,
    /// Seed of all that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many faults there are.
    #[arg(long, default_value_t = 200)]
    count: u32,
    /// Keep the folder with data and logs and print where it is.
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Way {
    /// Without Kafka: `up` and `import` are killed.
    Direct,
    /// Through Kafka: every process, connection and disk on the way may fail.
    Kafka,
    /// From `ship` to `up`: the shipper's machine is killed, reverted to a snapshot, cloned, started without its logs.
    Ship,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Victim {
    /// `up` and `import`, with all that they have started.
    Processes,
    /// The process in which they run the engine; they themselves have to go on.
    Engine,
}

/// Breaks, repairs, counts.
///
/// # Errors
/// Where a process cannot be run at all; lost and doubled lines are figures, not errors.
pub fn run(options: &Options) -> anyhow::Result<Figures> {
    let folder = tempfile::Builder::new().prefix("lastwords-faults-").tempdir()?;
    let root = if options.keep { folder.keep() } else { folder.path().to_owned() };
    if options.keep {
        eprintln!("faults: kept in {}", root.display());
    }
    let figures = match options.path {
        Way::Direct if options.kill == Victim::Engine => engine::run(&root, options.seed, options.count),
        Way::Direct => direct::run(&root, options.seed, options.count),
        Way::Kafka => kafka::run(&root, options.seed, options.count),
        Way::Ship => machine::run(&root, options.seed, options.count),
    };
    if !options.keep && !figures.as_ref().is_ok_and(Figures::met) {
        eprintln!(
            "faults: the same with --seed {} --count {} --keep leaves data and logs",
            options.seed, options.count
        );
    }
    figures
}
