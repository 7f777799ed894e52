//! The engine, the data folder, and what is in it.

use std::{cmp::Ordering, time::Duration};

use lastwords_api::Server;
use lastwords_runtime::private;
use lastwords_store::{
    Contents,
    engine::{ENGINE_VERSION, find_library},
    schema::SCHEMA_VERSION,
};

use super::finding::Finding;
use crate::{
    config::Config,
    data::{DataError, Holder},
    outcome::explain,
    pipeline::OpenStore,
};

/// How long a running `up` may take to answer.
const UP_TIMEOUT: Duration = Duration::from_secs(10);

pub async fn check(config: &Config) -> Vec<Finding> {
    let engine = engine(config);
    let usable = engine.state != super::finding::State::Fail;
    let mut findings = vec![engine, folder(config)];
    match config.data.holder() {
        Some(holder) => findings.extend(held(config, &holder).await),
        None => {
            findings.push(Finding::ok("up", "not running here; `lastwords up` starts it"));
            if usable && config.data.engine().exists() {
                findings.extend(at_rest(config).await);
            }
        }
    }
    findings
}

fn engine(config: &Config) -> Finding {
    match find_library(config.engine.library.as_deref()) {
        Ok(path) => Finding::ok("engine", format!("{} (made for {ENGINE_VERSION})", path.display())),
        Err(error) => Finding::fail("engine", error.to_string(), "run scripts/setup"),
    }
}

fn folder(config: &Config) -> Finding {
    const CHECK: &str = "data folder";
    let root = config.data.root();
    match std::fs::metadata(root) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok(CHECK, format!("{} will be made at the first start", root.display()))
        }
        Err(error) => Finding::fail(
            CHECK,
            format!("{}: {error}", root.display()),
            "choose another with --data, or correct its owner",
        ),
        Ok(folder) if !folder.is_dir() => {
            Finding::fail(CHECK, format!("{} is not a folder", root.display()), "choose another with --data")
        }
        Ok(_) if rustix::fs::access(root, rustix::fs::Access::WRITE_OK).is_err() => Finding::fail(
            CHECK,
            format!("{} cannot be written by this user", root.display()),
            "run as its owner, or choose another with --data",
        ),
        Ok(_) => match private::look(root) {
            Ok(None) => Finding::ok(CHECK, format!("{}, for its owner alone", root.display())),
            Ok(Some(mode)) => Finding::warn(
                CHECK,
                format!(
                    "{} can be entered by others (mode {mode:04o}): its sockets take batches and questions from them",
                    root.display()
                ),
                format!("the next start closes it, or chmod 700 {}", root.display()),
            ),
            Err(error) => Finding::fail(CHECK, error.to_string(), "choose another with --data"),
        },
    }
}

/// Somebody has the folder: `up` is asked over its socket, anybody else is named.
async fn held(config: &Config, holder: &Holder) -> Vec<Finding> {
    let server = Server::Socket(config.data.query_socket());
    let asked = tokio::time::timeout(UP_TIMEOUT, server.contents()).await;
    match asked {
        Ok(Ok(contents)) => {
            let mut findings = vec![Finding::ok("up", format!("{holder} has the data folder and answers"))];
            findings.extend(super::engine::running(config, holder.pid));
            findings.extend(judge(&contents));
            findings
        }
        Ok(Err(_)) if holder.purpose != "lastwords up" => {
            vec![Finding::ok("up", format!("not running here; {holder} has the data folder"))]
        }
        Ok(Err(error)) => {
            vec![Finding::fail(
                "up",
                format!("{holder} has the data folder and does not answer: {}", error),
                "see its log",
            )]
        }
        Err(_) => vec![Finding::fail(
            "up",
            format!("{holder} has the data folder and does not answer"),
            "see its log",
        )],
    }
}

/// Nobody has the folder: the store is opened as it is, without changing its schema.
async fn at_rest(config: &Config) -> Vec<Finding> {
    let lock = match config.data.try_lock_unchanged("lastwords doctor") {
        Ok(lock) => lock,
        Err(error @ DataError::Held { .. }) => return vec![Finding::ok("store", error.to_string())],
        Err(error) => {
            return vec![Finding::fail("store", error.to_string(), "correct the data folder's owner")];
        }
    };
    let mut findings = Vec::new();
    let contents = match OpenStore::open_as_it_is(config, lock).await {
        Ok(open) => {
            let cage = open.store.process().map(|process| process.cage());
            findings.extend(super::engine::started(cage.as_ref()));
            open.store.contents().await.map_err(anyhow::Error::from)
        }
        Err(error) => Err(error),
    };
    findings.extend(match contents {
        Ok(contents) => judge(&contents),
        Err(error) => vec![Finding::fail(
            "store",
            format!("it cannot be read: {}", explain(&error)),
            "see the message; a damaged store can be moved aside and filled again by `lastwords import`",
        )],
    });
    findings
}

fn judge(contents: &Contents) -> Vec<Finding> {
    vec![schema(contents.schema), quarantine(contents.quarantined), audit(contents)]
}

fn schema(version: u32) -> Finding {
    const CHECK: &str = "schema";
    match version.cmp(&SCHEMA_VERSION) {
        Ordering::Equal => Finding::ok(CHECK, format!("version {version}")),
        Ordering::Less => Finding::warn(
            CHECK,
            format!("version {version}; this lastwords knows {SCHEMA_VERSION}"),
            "`lastwords store migrate` or the next start of `up` brings it up to date",
        ),
        Ordering::Greater => Finding::fail(
            CHECK,
            format!("version {version}, newer than the {SCHEMA_VERSION} that this lastwords knows"),
            "use the newer lastwords that made it",
        ),
    }
}

fn audit(contents: &Contents) -> Finding {
    const CHECK: &str = "audit";
    let Contents { missing_batches, audited_s, broken_parts, .. } = *contents;
    match (missing_batches, broken_parts) {
        (0, 0) if audited_s == 0 => {
            Finding::ok(CHECK, "none yet; `up` and `write` audit soon after their start")
        }
        (0, 0) => Finding::ok(CHECK, "the rows are there that the ledger says are stored"),
        (0, parts) => Finding::warn(
            CHECK,
            format!("the engine has set {parts} parts aside as broken"),
            "`lastwords store audit` says what is missing; is the disk well?",
        ),
        (batches, _) => Finding::warn(
            CHECK,
            format!("records of {batches} batches are gone that were stored"),
            "`lastwords store audit --repair` has them stored again where somebody still has them",
        ),
    }
}

fn quarantine(batches: u64) -> Finding {
    const CHECK: &str = "quarantine";
    match batches {
        0 => Finding::ok(CHECK, "empty"),
        _ => Finding::warn(
            CHECK,
            format!("{batches} batches were set aside"),
            "lastwords query 'SELECT * EXCEPT Envelope FROM quarantine' shows why",
        ),
    }
}
