//! `lastwords-shipper`: reads its configuration, ships until it is told to end, waits for acknowledgements.

mod arguments;

use std::process::ExitCode;

use anyhow::Context as _;
use lastwords_config::{Schema, environment, shown};
use lastwords_runtime::{private, shutdown::stop_signal};
use lastwords_shipper::{
    config::{self, Flags, Loaded, ShipperSettings},
    run_with_status, serve_status,
    status::Status,
};

use arguments::{Command, USAGE};

fn main() -> ExitCode {
    let outcome = match arguments::parse(std::env::args().skip(1)) {
        Ok(Command::Version) => {
            println!("lastwords-shipper {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Ok(Command::Help) => {
            println!("{USAGE}");
            Ok(())
        }
        Ok(Command::Check(arguments)) => check(&arguments.into()),
        Ok(Command::Ship(arguments)) => ship(&arguments.into()),
        Err(message) => {
            eprintln!("lastwords-shipper: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lastwords-shipper: {error:#}");
            let usage = error.downcast_ref::<config::ConfigError>().is_some();
            ExitCode::from(if usage { 2 } else { 3 })
        }
    }
}

fn check(flags: &Flags) -> anyhow::Result<()> {
    let Loaded { settings, layers, .. } = config::load(flags, &environment)?;
    for notice in layers.notices() {
        eprintln!("lastwords-shipper: {notice}");
    }
    match layers.path() {
        Some(file) => println!("{} is valid. This would be used:\n", file.display()),
        None => println!("There is no {}. This would be used:\n", config::DEFAULT_FILE),
    }
    let shown = shown::show(&settings, &Schema::derive::<ShipperSettings>(), &layers);
    shown::lines(&shown).iter().for_each(|line| println!("{line}"));
    Ok(())
}

fn ship(flags: &Flags) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LASTWORDS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let mut loaded = config::load(flags, &environment)?;
    for notice in loaded.layers.notices() {
        tracing::warn!("{notice}");
    }
    loaded.shipper.fit_machine();
    private::keep_files_private();
    loaded.shipper.close_state().context("the state folder (collect.state_dir) cannot be used")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let shutdown = async move {
            stop.await;
        };
        let status = Status::default();
        let shipping = run_with_status(loaded.shipper, loaded.uplink, status.clone(), shutdown);
        let Some(address) = loaded.listen else { return shipping.await.map_err(anyhow::Error::from) };
        tokio::select! {
            ended = shipping => ended.map_err(anyhow::Error::from),
            () = serve_status(address, status, std::future::pending()) => Ok(()),
        }
    })
}
