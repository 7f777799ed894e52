//! `lastwords store …`

use super::environment;
use crate::{
    args::MigrateArgs,
    config::{self, Flags},
    outcome::Outcome,
    pipeline::OpenStore,
};

/// `lastwords store migrate`: opening the store brings its schema up to date.
///
/// # Errors
/// Where the folder is in use, or the engine or a migration fails.
pub async fn migrate(migrate: &MigrateArgs) -> anyhow::Result<Outcome> {
    let config = config::load(&Flags::from(&migrate.place), &environment)?;
    let lock = config.data.try_lock("lastwords store migrate")?;
    OpenStore::open(&config, lock).await?;
    println!("the schema of {} is up to date", config.data.root().display());
    Ok(Outcome::Done)
}
