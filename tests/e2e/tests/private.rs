//! Nobody else reads what is stored, and no password is shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test file helpers assert, too"
)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use lastwords_e2e::{
    program::{binary, command, run},
    up::Up,
};

/// Everything below a folder, the engine's own files included, with its mode.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        // The engine removes files as it goes.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_dir() {
            found.extend(modes(&entry.path()));
        }
        if !metadata.is_symlink() {
            found.push((entry.path().display().to_string(), metadata.mode() & 0o7777));
        }
    }
    found
}

fn import(folder: &Path, data: &Path) {
    let log = folder.join("app.log");
    fs::write(&log, "2026-11-20T10:00:00Z hv01 app[1]: a line\n").unwrap();
    let _ =
        run(["import", "--host", "hv01", "--data", data.to_str().unwrap(), log.to_str().unwrap()]).expect(0);
}

#[test]
fn a_data_folder_is_its_owners_alone_however_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let here = data.to_str().unwrap();
    import(folder.path(), &data);
    let open: Vec<_> = modes(&data).into_iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");

    // As an earlier version, or a careless administrator, has left it.
    for (path, mode) in
        [("", 0o755), ("lock", 0o644), ("import", 0o755), ("intents", 0o775), ("engine", 0o755)]
    {
        fs::set_permissions(data.join(path), Permissions::from_mode(mode)).unwrap();
    }
    let said = run(["doctor", "--data", here]);
    assert!(said.stdout.contains("can be entered by others (mode 0755)"), "{}", said.stdout);
    assert_eq!(fs::metadata(&data).unwrap().mode() & 0o777, 0o755, "doctor changes nothing");
    let up = Up::start(&data, &["--no-collect"]);
    for said in ["others could enter the data folder", "others could read what lies in the data folder"] {
        assert_eq!(up.log().matches(said).count(), 1, "{}", up.log());
    }
    for (path, expected) in
        [("", 0o700), ("lock", 0o600), ("import", 0o700), ("intents", 0o700), ("engine", 0o700)]
    {
        assert_eq!(fs::metadata(data.join(path)).unwrap().mode() & 0o7777, expected, "{path}");
    }
    for socket in ["ingest.sock", "query.sock"] {
        let found = fs::symlink_metadata(data.join(socket)).unwrap();
        assert!(found.file_type().is_socket() && found.mode() & 0o7777 == 0o600, "{:o}", found.mode());
    }
    let said = run(["doctor", "--data", here]);
    assert!(said.stdout.contains("for its owner alone"), "{}", said.stdout);
    assert_eq!(up.terminate(), 0);
    let open: Vec<_> = modes(&data).into_iter().filter(|(_, mode)| mode & 0o077 != 0).collect();
    assert!(open.is_empty(), "{open:?}");
    let again = Up::start(&data, &["--no-collect"]);
    assert!(!again.log().contains("others could"), "{}", again.log());
}

#[test]
fn a_folder_that_others_could_replace_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("shared");
    fs::create_dir(&place).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
    let data = place.join("data");
    let said = run(["up", "--no-collect", "--data", data.to_str().unwrap()]).expect(3);
    assert!(said.stderr.contains("who could put another folder in its place"), "{}", said.stderr);
}

#[test]
fn the_shippers_state_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (state, config) = (folder.path().join("state"), folder.path().join("shipper.toml"));
    fs::create_dir(&state).unwrap();
    fs::write(state.join("plan"), "").unwrap();
    fs::set_permissions(&state, Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(state.join("plan"), Permissions::from_mode(0o644)).unwrap();
    let text = format!(
        "state_dir = \"{}\"\n[uplink]\ningester = \"http://127.0.0.1:1\"\n[sources]\njournald = false\nkmsg = false\nsamples = false\n",
        state.display()
    );
    fs::write(&config, text).unwrap();
    let shipper = binary().with_file_name("lastwords-shipper");
    let mut child = std::process::Command::new(&shipper)
        .arg("--config")
        .arg(&config)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    lastwords_e2e::eventually("the state is closed", std::time::Duration::from_secs(30), || {
        let folder = fs::metadata(&state).ok()?.mode() & 0o7777;
        let lock = fs::metadata(state.join("lock")).ok()?.mode() & 0o7777;
        let open = modes(&state).into_iter().any(|(_, mode)| mode & 0o077 != 0);
        (folder == 0o700 && lock == 0o600 && !open).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_password_in_an_address_is_refused_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("lastwords.toml");
    let file = config.to_str().unwrap();
    for (text, key, way_out) in [
        ("[store]\nurl = \"http://u:hunter2@store:8123\"\n", ":2: key `store.url`", "store.password_file"),
        (
            "[store]\nurl = [\"http://a:8123\", \"http://u:hunter2@b\"]\n",
            "`store.url`",
            "store.password_file",
        ),
        ("[store]\nurl = \"http://store:8123/?password=hunter2\"\n", "`store.url`", "store.password_file"),
        ("[kafka]\nbrokers = \"u:hunter2@a:9092\"\n", ":2: key `kafka.brokers`", "kafka.password_file"),
        ("[ship]\ningester = \"http://u:hunter2@a:4320\"\n", ":2: key `ship.ingester`", "[ship.tls]"),
    ] {
        fs::write(&config, text).unwrap();
        for arguments in [
            &["config", "check", file][..],
            &["doctor", "--config", file],
            &["query", "--config", file, "panics"],
        ] {
            let said = run(arguments).expect(3);
            assert!(said.stderr.contains(key) && said.stderr.contains(way_out), "{}", said.stderr);
            assert!(!format!("{}{}", said.stdout, said.stderr).contains("hunter2"), "{}", said.stderr);
        }
    }
    fs::write(&config, "").unwrap();
    let output = command(["config", "check", file])
        .env("LASTWORDS_STORE_URL", "http://u:hunter2@store:8123")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("store.password_file") && !said.contains("hunter2"), "{said}");
    let said = run(["query", "--server", "http://u:hunter2@127.0.0.1:1", "panics"]).expect(2);
    assert!(
        said.stderr.contains("without user, password") && !said.stderr.contains("hunter2"),
        "{}",
        said.stderr
    );

    fs::write(&config, "[uplink]\ningester = \"http://u:hunter2@a:4320\"\n").unwrap();
    let shipper = binary().with_file_name("lastwords-shipper");
    let output = std::process::Command::new(shipper).args(["config", "check", file]).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains("[ship.tls]") && !said.contains("hunter2"), "{said}");
}

#[test]
fn secrets_of_files_and_variables_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (config, password) = (folder.path().join("lastwords.toml"), folder.path().join("password"));
    fs::write(&password, "hunter2\n").unwrap();
    let text = format!(
        "[store]\nurl = \"http://127.0.0.1:1\"\npassword_file = \"{0}\"\n[kafka]\nbrokers = \"127.0.0.1:1\"\n\
         password_file = \"{0}\"\n[kafka.properties]\n\"ssl.key.password\" = \"hunter2\"\n",
        password.display()
    );
    fs::write(&config, text).unwrap();
    for arguments in [&["config", "check"][..], &["query", "SELECT 1", "--config"]] {
        let output = command(arguments)
            .arg(&config)
            .args(["--log", "debug"])
            .env("LASTWORDS_CLICKHOUSE_PASSWORD", "hunter2")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(!said.is_empty() && !said.contains("hunter2"), "{said}");
    }
}
