//! The ClickHouse port: its users, whose passwords are made at the first start where nobody chose any.
//!
//! ```text
//! DATA/clickhouse/reader.password    the reader's, for its owner alone (mode 0600)
//! DATA/clickhouse/writer.password    the writer's
//! ```

use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use jiff::tz::TimeZone;
use lastwords_api::Known;
use lastwords_ingester::ServerTls;
use lastwords_query::{AskOptions, Catalog, sql::matches_table};
use lastwords_store::{
    Lane, Port, Store,
    http::{Matches, Matching, PortLimits, Role, TlsNow, User},
    serve_port,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use crate::{
    config::{ClickHouseConfig, READER, WRITER},
    data::DataFolder,
};

/// A password file is not longer.
const FILE_BYTES_MAX: u64 = 4096;
/// How often changed certificate files are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Random bytes of a password that is made.
const RANDOM_BYTES: usize = 24;

/// Everybody who may use the port.
///
/// # Errors
/// Where a password cannot be read or made.
pub fn users(config: &ClickHouseConfig, data: &DataFolder) -> anyhow::Result<Vec<User>> {
    let folder = data.clickhouse();
    let user = |name: &str, password: String, role| User { name: name.to_owned(), password, role };
    let or_made = |chosen: &Option<String>, name: &str| match chosen {
        Some(password) => Ok(password.clone()),
        None => password(&folder, name),
    };
    let mut users = vec![
        user(READER, or_made(&config.reader_password, READER)?, Role::Reader),
        user(WRITER, or_made(&config.writer_password, WRITER)?, Role::Writer),
    ];
    if let Some((name, password)) = &config.named {
        users.push(user(name, password.clone(), Role::Writer));
    }
    Ok(users)
}

/// Serves the port until `shutdown` is ready.
///
/// # Errors
/// Where the socket does not say its address.
pub async fn serve(
    listener: TcpListener,
    store: Store,
    users: Vec<User>,
    known: Known,
    tls: Option<Arc<ServerTls>>,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && tls.is_none() {
        tracing::warn!(
            %address,
            "the ClickHouse port speaks plain text: whoever listens in between reads its passwords; set [clickhouse.tls], or put a proxy with TLS in front of it"
        );
    }
    let questions = Questions { store: store.in_lane(Lane::Question), known, catalog: Arc::default() };
    let matches: Option<Arc<dyn Matches>> = Some(Arc::new(questions));
    let now: Option<TlsNow> = tls.clone().map(|tls| -> TlsNow { Arc::new(move || tls.for_http()) });
    let port = Port { store, users, limits: PortLimits::default(), matches, tls: now };
    tokio::select! {
        () = serve_port(listener, port, shutdown) => {}
        () = renew(tls) => {}
    }
    Ok(())
}

/// Takes changed certificate files, every ten seconds and on SIGHUP. Never ends.
async fn renew(tls: Option<Arc<ServerTls>>) {
    let Some(tls) = tls else { return std::future::pending().await };
    let mut hangup = signal(SignalKind::hangup()).ok();
    loop {
        let asked = async {
            match &mut hangup {
                Some(hangup) => drop(hangup.recv().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = asked => {}
        }
        let tls = Arc::clone(&tls);
        // Reading files may take its time.
        let _ = tokio::task::spawn_blocking(move || tls.refresh()).await;
    }
}

/// Answers `correlate(…)` of readers.
struct Questions {
    store: Store,
    known: Known,
    catalog: Arc<Catalog>,
}

impl Matches for Questions {
    fn table(&self, arguments: Vec<String>) -> Matching {
        let store = self.store.clone();
        let options = AskOptions { catalog: Arc::clone(&self.catalog), ..self.known.options(TimeZone::UTC) };
        Box::pin(async move {
            let table = matches_table(&store, &arguments, &options).await;
            table.map_err(|error| error.to_string())
        })
    }
}

/// The password in a user's file; made where there is none yet.
fn password(folder: &Path, name: &str) -> anyhow::Result<String> {
    let path = password_file(folder, name);
    let failed = || format!("the password file {} cannot be used", path.display());
    match read(&path) {
        Ok(password) if !password.is_empty() => return Ok(password),
        Ok(_) => tracing::warn!(path = %path.display(), "the password file was empty: a password is made"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(failed),
    }
    let password = make(folder, &path).with_context(failed)?;
    tracing::info!(user = name, path = %path.display(), "a password was made");
    Ok(password)
}

/// Where a user's password is.
#[must_use]
pub fn password_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.password"))
}

/// Reads a password; the file is its owner's alone from then on.
fn read(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        file.set_permissions(Permissions::from_mode(0o600))?;
        tracing::warn!(path = %path.display(), "others could read this password file: its mode is 0600 now");
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Makes a password and keeps it. Whoever is killed meanwhile leaves no half of one.
fn make(folder: &Path, path: &Path) -> io::Result<String> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    let mut random = [0; RANDOM_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let new = path.with_extension("new");
    let _ = fs::remove_file(&new);
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(no_follow()).open(&new)?;
    writeln!(file, "{password}")?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()?;
    Ok(password)
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_password_is_made_once_for_its_owner_alone() {
        let root = tempfile::tempdir().unwrap();
        let data = DataFolder::new(root.path().to_owned());
        let config = ClickHouseConfig::default();
        let first = users(&config, &data).unwrap();
        let second = users(&config, &data).unwrap();
        assert_eq!(first.len(), 2);
        for (one, other) in first.iter().zip(&second) {
            assert_eq!((&one.name, &one.password), (&other.name, &other.password));
            assert_eq!(one.password.len(), RANDOM_BYTES * 2);
        }
        assert_ne!(first[0].password, first[1].password);
        assert_eq!(mode(&data.clickhouse()), 0o700);
        assert_eq!(mode(&password_file(&data.clickhouse(), READER)), 0o600);
    }

    #[test]
    fn a_password_that_others_could_read_is_kept_and_closed_to_them() {
        let root = tempfile::tempdir().unwrap();
        let data = DataFolder::new(root.path().to_owned());
        users(&ClickHouseConfig::default(), &data).unwrap();
        let path = password_file(&data.clickhouse(), WRITER);
        fs::write(&path, "sesame\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let users = users(&ClickHouseConfig::default(), &data).unwrap();
        assert_eq!((users[1].password.as_str(), mode(&path)), ("sesame", 0o600));
    }

    #[test]
    fn an_empty_file_is_no_password_and_a_link_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let data = DataFolder::new(root.path().to_owned());
        users(&ClickHouseConfig::default(), &data).unwrap();
        let path = password_file(&data.clickhouse(), READER);
        fs::write(&path, "\n").unwrap();
        assert_eq!(users(&ClickHouseConfig::default(), &data).unwrap()[0].password.len(), RANDOM_BYTES * 2);
        fs::remove_file(&path).unwrap();
        fs::write(root.path().join("other"), "secret\n").unwrap();
        std::os::unix::fs::symlink(root.path().join("other"), &path).unwrap();
        assert!(users(&ClickHouseConfig::default(), &data).is_err());
    }

    #[test]
    fn chosen_passwords_go_before_made_ones_and_a_named_writer_is_one_more() {
        let root = tempfile::tempdir().unwrap();
        let data = DataFolder::new(root.path().to_owned());
        let config = ClickHouseConfig {
            reader_password: Some("r".into()),
            writer_password: Some("w".into()),
            named: Some(("grafana".into(), "g".into())),
            ..ClickHouseConfig::default()
        };
        let found: Vec<(String, String, Role)> = users(&config, &data)
            .unwrap()
            .into_iter()
            .map(|user| (user.name, user.password, user.role))
            .collect();
        let expected = |name: &str, password: &str, role| (name.to_owned(), password.to_owned(), role);
        assert_eq!(
            found,
            [
                expected("reader", "r", Role::Reader),
                expected("writer", "w", Role::Writer),
                expected("grafana", "g", Role::Writer)
            ]
        );
        assert!(!data.clickhouse().exists());
    }
}
