//! One module a command.

mod audit;
mod config_check;
mod demo;
mod detect;
mod doctor;
mod engine;
mod import;
mod ingest;
mod kafka;
mod place;
mod placement;
mod quarantine;
mod query;
mod rules;
mod ship;
mod store;
mod up;
mod write;

use std::{future::Future, time::Duration};

use anyhow::Context as _;

use crate::{
    args::{Args, Command, ConfigCommand, KafkaCommand, PlacementCommand, RulesCommand, StoreCommand},
    outcome::Outcome,
    telemetry,
};

/// Runs the command that was asked for.
///
/// # Errors
/// Usage errors and failures, for `outcome::report`.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let default_level = match &args.command {
        Command::Up(_)
        | Command::Ship(_)
        | Command::Ingest(_)
        | Command::Write(_)
        | Command::Store(StoreCommand::Serve(_)) => "info",
        _ => "warn",
    };
    if let Command::Engine(engine) = &args.command {
        // One thread, and nothing opened yet: what is in force from now on is in force for all that follows.
        return engine::run(engine, &args.global);
    }
    lastwords_runtime::private::keep_files_private();
    telemetry::start(&args.global, default_level)?;
    match args.command {
        Command::Up(up) => block_on(up::run(&up)),
        Command::Demo(demo) => block_on(demo::run(&demo)),
        Command::Import(import) => block_on(import::run(&import)),
        Command::Query(query) => block_on(query::run(&query)),
        Command::Placement(PlacementCommand::Import(import)) => block_on(placement::import(&import)),
        Command::Detect(detect) => block_on(detect::run(&detect)),
        Command::Doctor(doctor) => block_on(doctor::run(&doctor)),
        Command::Config(ConfigCommand::Check(check)) => config_check::run(&check),
        Command::Store(StoreCommand::Migrate(migrate)) => block_on(store::migrate(&migrate)),
        Command::Store(StoreCommand::Serve(serve)) => block_on(store::serve(&serve)),
        Command::Store(StoreCommand::Audit(audit)) => block_on(audit::run(&audit)),
        Command::Rules(RulesCommand::Detect(detect)) => rules::run(&detect),
        Command::Ship(ship) => block_on(ship::run(&ship)),
        Command::Ingest(ingest) => block_on(ingest::run(&ingest)),
        Command::Write(write) => block_on(write::run(&write)),
        Command::Quarantine(command) => block_on(quarantine::run(&command)),
        Command::Engine(engine) => engine::run(&engine, &args.global),
        Command::Kafka(KafkaCommand::Init(place)) => block_on(kafka::init(&place)),
        Command::Kafka(KafkaCommand::Check(place)) => block_on(kafka::check(&place)),
    }
}

/// A blocking read that never returns (standard input of a terminal, say) does not hold the process up.
const LEFTOVERS: Duration = Duration::from_millis(100);

fn block_on(work: impl Future<Output = anyhow::Result<Outcome>>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime's threads cannot be started")?;
    let ended = runtime.block_on(work);
    runtime.shutdown_timeout(LEFTOVERS);
    ended
}
