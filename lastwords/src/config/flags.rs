//! What the command line says of the configuration.

use std::path::PathBuf;

use lastwords_config::{ConfigError, Invalid, Layers, Schema};

use super::HttpUse;
use crate::args::{ConfigCheckArgs, PlaceArgs, ServiceArgs, ShipArgs, UpArgs};

/// Every flag that goes over a key. `--set KEY=VALUE` goes over any.
pub const FLAGS: &[(&str, &str)] = &[
    ("--data", "data"),
    ("--host", "host.name"),
    ("--listen", "listen.grpc"),
    ("--http-listen", "listen.http"),
    ("--insecure", "listen.insecure"),
    ("--clickhouse-listen", "clickhouse.listen"),
    ("--clickhouse-user", "clickhouse.user"),
    ("--clickhouse-password-file", "clickhouse.password_file"),
    ("--ingester", "ship.ingester"),
];

/// What `--no-collect` says.
const NO_COLLECT: &[(&str, &str)] = &[
    ("collect.journald", "false"),
    ("collect.kmsg", "false"),
    ("collect.samples", "false"),
    ("collect.file", ""),
    ("collect.files", ""),
    ("collect.consoles", ""),
];

/// What the flags say, whichever command they were given to.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`
    pub config: Option<PathBuf>,
    /// What `--http-listen` and `listen.http` are for.
    pub http_use: HttpUse,
    /// `--no-collect`
    pub no_collect: bool,
    /// `--set KEY=VALUE`
    pub assignments: Vec<String>,
    pub(super) values: Vec<(&'static str, String)>,
    /// A value that cannot stand in a configuration.
    pub(super) refused: Option<Invalid>,
}

impl Flags {
    /// These flags and one more of [`FLAGS`], if it was given.
    #[must_use]
    pub fn with(mut self, flag: &'static str, value: Option<impl ToString>) -> Flags {
        self.values.extend(value.map(|value| (flag, value.to_string())));
        self
    }

    /// These flags and one more with a path.
    #[must_use]
    pub fn with_path(mut self, flag: &'static str, path: Option<&PathBuf>) -> Flags {
        let Some(path) = path else { return self };
        match path.to_str() {
            Some(text) => self.with(flag, Some(text)),
            None => {
                let found = path.to_string_lossy();
                self.refused = Some(Invalid::wanted(flag, "a path in UTF-8", &found));
                self
            }
        }
    }

    /// Lays what was said over the file and the environment.
    pub(super) fn lay(&self, layers: &mut Layers, schema: &Schema) -> Result<(), ConfigError> {
        if let Some(refused) = &self.refused {
            return Err(refused.clone().into());
        }
        // What is more general first: the flags of their own go over it.
        for assignment in &self.assignments {
            layers.lay_assignment(schema, "--set", assignment)?;
        }
        if self.no_collect {
            for (key, value) in NO_COLLECT {
                layers.lay_flag("--no-collect", key, (*value).to_owned());
            }
        }
        for (flag, value) in &self.values {
            if let Some((_, key)) = FLAGS.iter().find(|(known, _)| known == flag) {
                layers.lay_flag(flag, key, value.clone());
            }
        }
        Ok(())
    }
}

/// A flag without a value, where it was given.
fn given(switch: bool) -> Option<bool> {
    switch.then_some(true)
}

impl From<&PlaceArgs> for Flags {
    fn from(place: &PlaceArgs) -> Flags {
        Flags { config: place.config.clone(), assignments: place.set.clone(), ..Flags::default() }
            .with_path("--data", place.data.as_ref())
    }
}

impl From<&ConfigCheckArgs> for Flags {
    fn from(check: &ConfigCheckArgs) -> Flags {
        Flags { config: check.file.clone(), assignments: check.set.clone(), ..Flags::default() }
    }
}

impl From<&UpArgs> for Flags {
    fn from(up: &UpArgs) -> Flags {
        Flags { http_use: HttpUse::Api, no_collect: up.no_collect, ..Flags::from(&up.place) }
            .with("--listen", up.listen)
            .with("--http-listen", up.http_listen)
            .with("--insecure", given(up.insecure))
            .with("--clickhouse-listen", up.clickhouse_listen)
            .with("--clickhouse-user", up.clickhouse_user.as_ref())
            .with_path("--clickhouse-password-file", up.clickhouse_password_file.as_ref())
            .with("--host", up.host.as_ref())
    }
}

impl From<&ServiceArgs> for Flags {
    fn from(service: &ServiceArgs) -> Flags {
        Flags { http_use: HttpUse::Health, ..Flags::from(&service.place) }
            .with("--listen", service.listen)
            .with("--http-listen", service.http_listen)
            .with("--insecure", given(service.insecure))
    }
}

impl From<&ShipArgs> for Flags {
    fn from(ship: &ShipArgs) -> Flags {
        Flags::from(&ship.place).with("--ingester", ship.ingester.as_ref()).with("--host", ship.host.as_ref())
    }
}
