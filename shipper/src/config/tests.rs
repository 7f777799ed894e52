use std::{collections::HashMap, path::Path, time::Duration};

use lastwords_record::Source;

use super::*;

/// Loads a file's text.
fn load_text(text: &str, variables: &[(&str, &str)], assignments: &[&str]) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipper.toml");
    std::fs::write(&path, text).unwrap();
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    let assignments = assignments.iter().map(|text| (*text).to_owned()).collect();
    load(&Flags { config: Some(path), assignments }, &|name| {
        variables.get(name).map(|value| (*value).to_owned())
    })
    .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
}

fn check(text: &str) -> Result<Loaded, String> {
    load_text(text, &[], &[])
}

#[test]
fn every_error_names_file_line_and_key() {
    let ship = "[ship]\nsocket = \"/s\"\n";
    for (text, expected) in [
        ("".to_owned(), "`ship`: wanted ingester"),
        ("\n[ship]\n".to_owned(), "shipper.toml:2: key `ship`: wanted ingester"),
        (
            "[ship]\ningester = \"10.0.0.1\"\n".to_owned(),
            "shipper.toml:2: key `ship.ingester`: wanted http://",
        ),
        (format!("{ship}ingester = \"http://a:1\"\n"), "shipper.toml:2: key `ship.socket`: wanted either"),
        (
            format!("{ship}sokket = 1\n"),
            "shipper.toml:3: key `ship.sokket`: there is no such key; the nearest is `ship.socket`",
        ),
        (
            format!("{ship}[collect]\nfiles = [\n\"/a\",\n\"a.log\"]\n"),
            "shipper.toml:6: key `collect.files[1]`: 'a.log' is no absolute path",
        ),
        (
            format!("{ship}[[collect.file]]\npaths = [\"a.log\"]\n"),
            "shipper.toml:4: key `collect.file[0].paths[0]`: 'a.log' is no absolute path",
        ),
        (
            format!("{ship}[[collect.file]]\npaths = []\ntime_zone = \"Mars\"\n"),
            "shipper.toml:5: key `collect.file[0].time_zone`: wanted a name",
        ),
        (
            format!("{ship}[[collect.file]]\npaths = []\nsource = \"kmsg\"\n"),
            "shipper.toml:5: key `collect.file[0].source`: wanted file or console, found \"kmsg\"",
        ),
        (
            format!("{ship}[collect.limits]\nwindow_bytes = 5\n"),
            "shipper.toml:4: key `collect.limits.window_bytes`: wanted 1MiB to 1GiB, found 5 bytes",
        ),
        (
            format!("{ship}[collect.limits]\nflush_interval_ms = \"x\"\n"),
            "shipper.toml:4: key `collect.limits.flush_interval_ms`: wanted a whole number",
        ),
        (
            format!("{ship}[collect.limits]\nflush_interval_ms = 0\n"),
            "shipper.toml:4: key `collect.limits.flush_interval_ms`: wanted 1 or more",
        ),
        (
            format!("{ship}[collect.limits]\nrotated_wait_seconds = 18446744073709551\n"),
            "shipper.toml:4: key `collect.limits.rotated_wait_seconds`: wanted 0 or more and at most a day",
        ),
        (format!("{ship}[host]\nname = \"\"\n"), "shipper.toml:4: key `host.name`: wanted 1 to 255 bytes"),
        (
            "[ship]\ningester = \"http://u:hunter2@a:1\"\n".to_owned(),
            "shipper.toml:2: key `ship.ingester`: wanted an address without user, password and parameters, found \"http://…@a:1\"",
        ),
    ] {
        let message = check(&text).expect_err(&text);
        assert!(message.starts_with(expected), "{text:?}\n  wanted {expected}\n  found  {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let error = load_text(ship, &[("TZ", "Mars/Base")], &[]).unwrap_err();
    assert!(error.starts_with("`TZ`: wanted a name of the time zone database"), "{error}");
}

/// A certificate and its key, and another key, in a folder.
fn certificates(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let (key, other) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let certificate = rcgen::CertificateParams::new(["hv01".to_owned()]).unwrap().self_signed(&key).unwrap();
    for (name, text, mode) in [
        ("hv01.pem", certificate.pem(), 0o644),
        ("hv01.key", key.serialize_pem(), 0o600),
        ("open.key", key.serialize_pem(), 0o644),
        ("other.key", other.serialize_pem(), 0o600),
        ("garbage", "garbage".to_owned(), 0o600),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn certificates_are_looked_at_while_the_configuration_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let whole = |lines: &str| {
        let dir = format!("{}/", folder.path().display());
        format!("[ship]\ningester = \"https://a:1\"\n[ship.tls]\n{}", lines.replace('@', &dir))
    };
    let valid = "ca_file = \"@hv01.pem\"\ncertificate_file = \"@hv01.pem\"\nkey_file = \"@hv01.key\"\n";
    assert!(matches!(check(&whole(valid)).unwrap().uplink, Uplink::GrpcTls(..)));
    assert!(matches!(check(&whole("ca_file = \"@hv01.pem\"\n")).unwrap().uplink, Uplink::GrpcTls(..)));
    let cases = [
        (whole("ca_file = \"@none\"\n"), "4: key `ship.tls.ca_file`", "cannot be read"),
        (whole("ca_file = \"@garbage\"\n"), "4: key `ship.tls.ca_file`", "wanted certificates"),
        (whole(&valid.replace("@hv01.key", "@open.key")), "6: key `ship.tls.key_file`", "mode 0644"),
        (whole(&valid.replace("@hv01.key", "@other.key")), "6: key `ship.tls.key_file`", "another one's"),
        (
            whole(&valid.replace("_file = \"@hv01.pem\"\nk", "_file = \"@garbage\"\nk")),
            "5: key `ship.tls.certificate_file`",
            "wanted certificates",
        ),
        (
            whole(&valid.replace("key_file = \"@hv01.key\"", "")),
            "5: key `ship.tls.certificate_file`",
            "wanted key_file, too",
        ),
        (
            whole(&valid.replace("certificate_file = \"@hv01.pem\"", "")),
            "6: key `ship.tls.key_file`",
            "wanted certificate_file, too",
        ),
        (
            whole(&format!("{valid}server_name = \"a b\"\n")),
            "7: key `ship.tls.server_name`",
            "wanted a DNS name",
        ),
        (
            whole(&format!("{valid}server = \"a\"\n")),
            "7: key `ship.tls.server`",
            "the nearest is `ship.tls.server_name`",
        ),
        (whole(valid).replace("https", "http"), "2: key `ship.ingester`", "wanted https://"),
        ("[ship]\ningester = \"https://a:1\"\n".to_owned(), "2: key `ship.ingester`", "[ship.tls]"),
        (
            whole(valid).replace("ingester = \"https://a:1\"", "socket = \"/s\""),
            "3: key `ship.tls`",
            "a socket has no TLS",
        ),
    ];
    for (text, place, what) in cases {
        let message = check(&text).expect_err(&text);
        assert!(
            message.starts_with(&format!("shipper.toml:{place}")) && message.contains(what),
            "{text}\n  wanted {place} … {what}\n  found  {message}"
        );
    }
}

#[test]
fn the_example_in_deploy_is_valid_and_says_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/shipper.toml");
    let loaded = check(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|error| panic!("{error}"));
    let default = load_text("", &[], &["ship.ingester=http://127.0.0.1:4320"]).unwrap();
    assert_eq!(loaded.settings, default.settings);
    assert!(loaded.layers.notices().is_empty());
}

#[test]
fn a_file_with_the_former_names_means_what_it_meant() {
    let former = "state_dir = \"/state\"\n[uplink]\ningester = \"http://a:1\"\n[sources]\nkmsg = false\n\
                  [[file]]\npaths = [\"/c/*.log\"]\nsource = \"console\"\n[[file]]\npaths = [\"/l/*.log\"]\n\
                  [limits]\nflush_interval_ms = 7\nheld_bytes_max = 4096\n";
    let loaded = check(former).unwrap();
    assert!(matches!(&loaded.uplink, Uplink::Grpc(ingester) if ingester == "http://a:1"));
    let shipper = &loaded.shipper;
    assert_eq!((shipper.journald, shipper.kmsg, shipper.samples.is_some()), (true, false, true));
    assert_eq!(shipper.state_dir, Path::new("/state"));
    assert_eq!((shipper.flush_interval, shipper.held_bytes_max), (Duration::from_millis(7), 4096));
    let sources: Vec<Source> = shipper.files.iter().map(|rule| rule.source).collect();
    assert_eq!(sources, [Source::Console, Source::File]);
    let notices: Vec<&str> = loaded.layers.notices().iter().map(|notice| notice.now).collect();
    assert_eq!(notices, ["collect.state_dir", "collect", "collect.file", "collect.limits", "ship"]);
    // Without [[file]] no file was followed.
    assert!(check("[uplink]\nsocket = \"/s\"\n").unwrap().shipper.files.is_empty());
    assert_eq!(check("[ship]\nsocket = \"/s\"\n").unwrap().shipper.files.len(), 2);
    let error = check("[uplink]\nsocket = \"/s\"\n[limits]\nwindow_bytes = 5\n").unwrap_err();
    assert!(error.starts_with("shipper.toml:4: key `collect.limits.window_bytes`"), "{error}");
    let error = check("[uplink]\nsocket = \"/s\"\n[ship]\nsocket = \"/t\"\n").unwrap_err();
    assert!(error.contains("`uplink.socket`, which is its former name"), "{error}");
}

#[test]
fn sets_of_files_go_before_what_is_usual_and_stand_for_it() {
    let ship = "[ship]\nsocket = \"/s\"\n[collect]\ntime_zone = \"Asia/Tokyo\"\n";
    let set = "[[collect.file]]\npaths = [\"/x/*.log\"]\nexclude = [\"/x/a.log\"]\ntime_zone = \"UTC\"\n";
    let rules = check(&format!("{ship}{set}")).unwrap().shipper.files;
    assert_eq!(rules.len(), 1);
    assert!(rules[0].means(Path::new("/x/b.log")) && !rules[0].means(Path::new("/x/a.log")));
    let rules = check(&format!("{ship}files = [\"/x/*\"]\n{set}")).unwrap().shipper.files;
    let zones: Vec<&str> = rules.iter().map(|rule| rule.time_zone.as_str()).collect();
    assert_eq!(zones, ["UTC", "Asia/Tokyo"]);
    let rules = check(ship).unwrap().shipper.files;
    assert!(rules[0].source == Source::Console && rules[1].source == Source::File);
}

#[test]
fn variables_and_assignments_go_over_the_file() {
    let variables = [
        ("LASTWORDS_HOST", "env"),
        ("LASTWORDS_INGESTER", "http://env:1"),
        ("LASTWORDS_COLLECT_FILES", "/e/*.log, ~/f.log"),
        ("LASTWORDS_COLLECT_LIMITS_WINDOW_BYTES", "2MiB"),
        ("HOME", "/home/u"),
    ];
    let text = "[host]\nname = \"file\"\n[ship]\ningester = \"http://file:1\"\n";
    let loaded = load_text(text, &variables, &["host.name=flag"]).unwrap();
    assert_eq!(loaded.shipper.host.name, "flag");
    assert!(matches!(&loaded.uplink, Uplink::Grpc(ingester) if ingester == "http://env:1"));
    assert_eq!(loaded.shipper.window_bytes, 2 << 20);
    let files = loaded.shipper.files.last().unwrap();
    assert!(files.means(Path::new("/home/u/f.log")) && files.means(Path::new("/e/a.log")));
}
