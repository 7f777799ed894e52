//! `lastwords-shipper`: reads its configuration, ships until it is told to end, waits for acknowledgements.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use lastwords_runtime::{private, shutdown::stop_signal};
use lastwords_shipper::{config, run};

const USAGE: &str = "\
Ships the logs of this machine to a Lastwords ingester.

Usage: lastwords-shipper [--config FILE]
       lastwords-shipper config check [FILE]
       lastwords-shipper --version

FILE defaults to /etc/lastwords/shipper.toml. LASTWORDS_LOG sets what is logged (info, debug, …).";
const DEFAULT_CONFIG: &str = "/etc/lastwords/shipper.toml";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments.as_slice() {
        ["--version" | "-V"] => {
            println!("lastwords-shipper {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        ["--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        ["config", "check"] => check(DEFAULT_CONFIG.into()),
        ["config", "check", file] => check(file.into()),
        [] => ship(DEFAULT_CONFIG.into()),
        ["--config", file] => ship(file.into()),
        _ => {
            eprintln!("{USAGE}");
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

fn check(file: PathBuf) -> anyhow::Result<()> {
    let loaded = config::load(&file)?;
    println!("{}: valid; host {}, to {:?}", file.display(), loaded.shipper.host.name, loaded.uplink);
    Ok(())
}

/// Lets nobody else into the folder that holds what has been read and not been acknowledged yet.
fn close_state(folder: &Path) -> anyhow::Result<()> {
    private::keep_files_private();
    let mode = private::make_private(folder).context("the state folder (state_dir) cannot be used")?;
    let entries = private::close_contents(folder, &[]);
    if mode.is_some() || entries > 0 {
        let mode = mode.map(|mode| format!("{mode:04o}"));
        tracing::warn!(folder = %folder.display(), mode, entries, "others could read the state folder; it is closed to them now");
    }
    Ok(())
}

fn ship(file: PathBuf) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LASTWORDS_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let loaded = config::load(&file)?;
    close_state(&loaded.shipper.state_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let stop = stop_signal()?;
        let shutdown = async move {
            stop.await;
        };
        run(loaded.shipper, loaded.uplink, shutdown).await.map_err(anyhow::Error::from)
    })
}
