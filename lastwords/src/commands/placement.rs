//! `lastwords placement import`: who ran where, into the store like everything else.

use std::io;

use anyhow::Context as _;
use jiff::Timestamp;
use lastwords_record::Host;
use lastwords_shipper::{
    Uplink,
    placement::{self, About},
    uplink::send,
};
use serde_json::json;

use crate::{
    args::PlacementImportArgs,
    config::{self, Flags},
    outcome::{Outcome, UsageError, printed},
    output::{self, Format},
    pipeline::{Access, PATIENCE, Pipeline},
};
use lastwords_config::environment;

/// Runs the command.
///
/// # Errors
/// Where a file is not understood, or the store cannot be reached or fails.
pub async fn import(import: &PlacementImportArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&import.place), &environment)?;
    let zone = config::time_zone("--time-zone", import.time_zone.as_deref(), &environment)
        .map_err(|error| UsageError(error.to_string()))?;
    let now = Timestamp::now();
    let since = import.since.as_deref().map_or(Ok(now), |since| {
        since.parse::<Timestamp>().map_err(|_| {
            UsageError(format!("--since: wanted a time such as 2026-11-20T15:00:00Z, found {since:?}"))
        })
    })?;
    let nanoseconds = |time: Timestamp| i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
    let about = About { host: import.host.as_deref(), since_ns: nanoseconds(since), time_zone: &zone };
    let mut all = Vec::new();
    for file in &import.files {
        let text = if file.as_os_str() == "-" {
            io::read_to_string(io::stdin())
        } else {
            std::fs::read_to_string(file)
        };
        let text = text.with_context(|| format!("{} cannot be read", file.display()))?;
        let found = placement::read(&text, &about)
            .map_err(|error| UsageError(format!("{}: {error}", file.display())))?;
        all.extend(found);
    }
    let guests = all.iter().filter(|one| !one.guest.name.is_empty() || !one.guest.uuid.is_empty()).count();
    let batches = placement::batches(&all).map_err(|error| UsageError(error.to_string()))?;
    let host = Host { name: config.host.name.clone(), machine_id: config.host.machine_id.clone() };
    match Access::take(&config, "lastwords placement import", &config.data.ingest_socket(), PATIENCE).await? {
        Access::There => {
            send(Uplink::Unix(config.data.ingest_socket()), host, batches).await?;
        }
        Access::Here(open) => {
            let mut pipeline = Pipeline::start(*open, &config).await?;
            let uplink = Uplink::InProcess(pipeline.deliver());
            let sending = async { Ok(send(uplink, host, batches).await?) };
            let sent = pipeline.while_it_writes(sending).await;
            pipeline.finish().await;
            sent?;
        }
    }
    let object = json!({ "placements": all.len(), "guests": guests, "hosts": all.len() - guests });
    let format = Format::or_default(import.format.format);
    printed(output::print_object(
        &mut output::stdout(),
        format,
        &["placements", "guests", "hosts"],
        &object,
    ))?;
    Ok(Outcome::Done)
}
