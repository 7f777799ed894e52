mod keys;

use std::collections::HashMap;

use super::*;
use crate::args::Listen;

fn loaded(text: &str, variables: &[(&str, &str)], flags: Flags) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lastwords.toml");
    std::fs::write(&path, text).unwrap();
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&Flags { config: Some(path), ..flags }, &|name| variables.get(name).cloned())
        .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn environment_goes_over_the_file_and_flags_over_both() {
    let text =
        "data = \"/file\"\n[listen]\ngrpc = \"127.0.0.1:1\"\nhttp = \"off\"\n[host]\nname = \"file\"\n";
    let config = loaded(text, &[], Flags::default()).unwrap();
    assert_eq!(config.data.root(), Path::new("/file"));
    assert_eq!(config.listen.grpc.unwrap().port(), 1);
    assert_eq!(config.listen.http, None);
    assert_eq!(config.host.name, "file");

    let variables =
        [("LASTWORDS_DATA", "/env"), ("LASTWORDS_LISTEN", "127.0.0.1:2"), ("LASTWORDS_HOST", "env")];
    let flags = Flags::default().with("--data", Some("/flag")).with("--listen", Some(Listen::Off));
    let config = loaded(text, &variables, flags).unwrap();
    assert_eq!(config.data.root(), Path::new("/flag"));
    assert_eq!(config.listen.grpc, None);
    assert_eq!(config.host.name, "env");
}

#[test]
fn errors_name_file_line_and_key() {
    let cases = [
        (
            "\n[collect]\nexlude = [\"/x\"]\n",
            "DIR/lastwords.toml:3: key `collect.exlude`: there is no such key; the nearest is `collect.exclude`. Known",
        ),
        (
            "[collect]\nkmsg = \"yes\"\n",
            "DIR/lastwords.toml:2: key `collect.kmsg`: wanted true or false, found \"yes\"",
        ),
        (
            "[listen]\n\ngrpc = \"4320\"\n",
            "DIR/lastwords.toml:3: key `listen.grpc`: wanted an address and a port",
        ),
        (
            "[listen]\nmemory_max = \"1MiB\"\n",
            "DIR/lastwords.toml:2: key `listen.memory_max`: wanted 64MiB or more, found 1048576 bytes",
        ),
        (
            "[engine]\nmemory_max = \"2 bytes\"\n",
            "DIR/lastwords.toml:2: key `engine.memory_max`: wanted a size",
        ),
        (
            "[collect]\nfiles = [\n  \"/a\",\n  7,\n]\n",
            "DIR/lastwords.toml:4: key `collect.files[1]`: wanted a text in quotes, found 7",
        ),
        (
            "[colect]\nkmsg = true\n",
            "DIR/lastwords.toml:1: key `colect`: there is no such key; the nearest is `collect`.",
        ),
        (
            "[collect]\nconsoles = [\n  \"/a\",\n  \"/b/[c\",\n]\n",
            "DIR/lastwords.toml:4: key `collect.consoles[1]`: '/b/[c'",
        ),
        (
            "data = \"~other/x\"\n",
            "DIR/lastwords.toml:1: key `data`: wanted a path, found \"~other/x\": only ~/ is",
        ),
        (
            "data = \"~/x\"\n",
            "DIR/lastwords.toml:1: key `data`: wanted HOME for the ~ of \"~/x\", found none",
        ),
        (
            "[collect]\nsaturation_share = 1.5\n",
            "DIR/lastwords.toml:2: key `collect.saturation_share`: wanted a share above 0 and up to 1",
        ),
        (
            "[collect]\ntime_zone = \"Mars/Base\"\n",
            "DIR/lastwords.toml:2: key `collect.time_zone`: wanted a name of the time zone database",
        ),
        ("[sets]\ndeploys = \"gremlins\"\n", "DIR/lastwords.toml:2: key `sets.deploys`: Nothing is called"),
        (
            "[hosts.hv01]\nrack = 7\n",
            "DIR/lastwords.toml:2: key `hosts.hv01.rack`: wanted a text in quotes, found 7",
        ),
        (
            "[detect]\nrules = [\"/nowhere\"]\n",
            "DIR/lastwords.toml:2: key `detect.rules`: the rules file /nowhere",
        ),
        (
            "[listen]\ngrpc = \"0.0.0.0:4320\"\n",
            "DIR/lastwords.toml:2: key `listen.grpc`: 0.0.0.0:4320 is not loopback and has no TLS",
        ),
        (
            "[listen]\nhttp = \"0.0.0.0:8640\"\n",
            "DIR/lastwords.toml:2: key `listen.http`: 0.0.0.0:8640 is not loopback, and the HTTP API asks",
        ),
        (
            "[listen]\nhttp_hosts = [\"hv01\", \"http://hv02\"]\n",
            "DIR/lastwords.toml:2: key `listen.http_hosts[1]`: wanted names such as lastwords.example.org or hv01:8640",
        ),
        (
            "[store]\nurl = \"http://u:secret@a:8123\"\n",
            "DIR/lastwords.toml:2: key `store.url`: wanted an address without user, password and parameters, found \"http://…@a:8123\": name the user in store.user",
        ),
        (
            "[kafka]\nbrokers = \"a:9092,u:secret@b:9092\"\n",
            "DIR/lastwords.toml:2: key `kafka.brokers`: wanted an address without user, password and parameters, found \"…@b:9092\"",
        ),
        (
            "[ship]\ningester = \"https://u:secret@a:1\"\n[ship.tls]\nca_file = \"/c\"\n",
            "DIR/lastwords.toml:2: key `ship.ingester`: wanted an address without user, password and parameters, found \"https://…@a:1\"",
        ),
        (
            "[listen.tls]\ncertificate_file = \"/c\"\n",
            "DIR/lastwords.toml:1: key `listen.tls`: wanted the key `key_file` in it",
        ),
        (
            "[ship]\ningester = \"https://a:1\"\n",
            "DIR/lastwords.toml:2: key `ship.ingester`: wanted http://HOST:PORT, as there is no [ship.tls]",
        ),
        (
            "[ship]\ningester = \"http://a:1\"\n[ship.tls]\nca_file = \"/c\"\n",
            "DIR/lastwords.toml:2: key `ship.ingester`: wanted https://HOST:PORT, as there is [ship.tls]",
        ),
        (
            "[ship.tls]\nca_file = \"/c\"\nkey_file = \"/k\"\n",
            "DIR/lastwords.toml:3: key `ship.tls.key_file`: wanted certificate_file, too",
        ),
        (
            "[store]\nurl = \"store:8123\"\n",
            "DIR/lastwords.toml:2: key `store.url`: wanted the address of ClickHouse",
        ),
        ("[store]\nurl = []\n", "DIR/lastwords.toml:2: key `store.url`: wanted the address of ClickHouse"),
        (
            "[store]\nurl = [\"http://a\", \"b\"]\n",
            "DIR/lastwords.toml:2: key `store.url`: wanted the address",
        ),
        (
            "[store]\nurl = \"http://a\"\nca_file = \"/nowhere/ca.pem\"\n",
            "DIR/lastwords.toml:3: key `store.ca_file`: wanted a file of PEM certificates that can be read, found \"/nowhere",
        ),
        (
            "[store]\nurl = \"http://a\"\npassword_file = \"/nowhere/pw\"\n",
            "DIR/lastwords.toml:3: key `store.password_file`: wanted a file that can be read",
        ),
        (
            "[store]\nurl = \"http://a\"\ndatabase = \"a`b\"\n",
            "DIR/lastwords.toml:3: key `store.database`: wanted a name of letters",
        ),
        (
            "[store]\nurl = \"http://a\"\ncluster = \"{c}\"\n",
            "DIR/lastwords.toml:3: key `store.cluster`: wanted a cluster's name",
        ),
        ("[store]\nurl = 7\n", "DIR/lastwords.toml:2: key `store.url`: wanted an address such as"),
        (
            "[kafka]\nbrokers = \"a\"\n[kafka.properties]\n\"enable.idempotence\" = \"false\"\n",
            "DIR/lastwords.toml:4: key `kafka.properties.\"enable.idempotence\"`: cannot be set",
        ),
        (
            "[kafka]\nbrokers = \"a\"\npartitions = 0\n",
            "DIR/lastwords.toml:3: key `kafka.partitions`: wanted 1 or more",
        ),
        (
            "[store]\nurl = \"http://a\"\nanswer_timeout_seconds = 0\n",
            "DIR/lastwords.toml:3: key `store.answer_timeout_seconds`: wanted 1 or more",
        ),
        (
            "[clickhouse]\nuser = \"grafana\"\n",
            "DIR/lastwords.toml:2: key `clickhouse.user`: wanted a password",
        ),
        (
            "[clickhouse]\nuser = \"reader\"\n",
            "DIR/lastwords.toml:2: key `clickhouse.user`: wanted a name other",
        ),
        (
            "[clickhouse]\nreader_password_file = \"/dev/null\"\n",
            "DIR/lastwords.toml:2: key `clickhouse.reader_password_file`: wanted a file whose first line",
        ),
    ];
    for (text, expected) in cases {
        let error = loaded(text, &[], Flags::default()).unwrap_err();
        assert!(error.starts_with(expected), "{text:?}\n  wanted {expected}\n  found  {error}");
    }
    let error = loaded("", &[("LASTWORDS_COLLECT_KMSG", "perhaps")], Flags::default()).unwrap_err();
    assert_eq!(error, "environment variable LASTWORDS_COLLECT_KMSG: wanted true or false, found \"perhaps\"");
}

#[test]
fn plain_text_beyond_loopback_has_to_be_asked_for() {
    let tls = "[listen.tls]\ncertificate_file = \"/c\"\nkey_file = \"/k\"\n";
    for (listen, text, insecure, taken) in [
        ("127.0.0.1:1", "", false, true),
        ("[::1]:1", "", false, true),
        ("10.0.0.5:1", "", false, false),
        ("[::]:1", "", false, false),
        ("10.0.0.5:1", "", true, true),
        ("10.0.0.5:1", "[listen]\ninsecure = true\n", false, true),
        ("10.0.0.5:1", tls, false, true),
    ] {
        let flags =
            Flags::default().with("--listen", Some(listen)).with("--insecure", insecure.then_some(true));
        let config = loaded(text, &[], flags);
        assert_eq!(config.is_ok(), taken, "{listen:?} {text} {insecure}: {config:?}");
    }
    let variables = [("LASTWORDS_INSECURE", "yes"), ("LASTWORDS_LISTEN", "10.0.0.5:1")];
    assert!(loaded("", &variables, Flags::default()).unwrap().listen.security.insecure);
    // What cannot be used is named by its place, when it is read.
    let config = loaded(tls, &[], Flags::default()).unwrap();
    let error = config.listen_tls().unwrap_err().to_string();
    assert!(error.contains("listen.tls.certificate_file") && error.contains("/c: cannot be read"), "{error}");
}

#[test]
fn the_api_beyond_loopback_has_to_be_asked_for_and_health_does_not() {
    let kafka = "[kafka]\nbrokers = \"a:9092\"\n";
    for (listen, text, http_use, insecure, taken) in [
        ("127.0.0.1:1", "", HttpUse::Api, false, true),
        ("[::1]:1", "", HttpUse::Unknown, false, true),
        ("0.0.0.0:1", "", HttpUse::Api, false, false),
        ("[::]:1", "", HttpUse::Api, false, false),
        ("10.0.0.5:1", "", HttpUse::Unknown, false, false),
        ("10.0.0.5:1", kafka, HttpUse::Unknown, false, true),
        ("10.0.0.5:1", kafka, HttpUse::Api, false, false),
        ("10.0.0.5:1", "", HttpUse::Health, false, true),
        ("0.0.0.0:1", "", HttpUse::Api, true, true),
        ("0.0.0.0:1", "[listen]\ninsecure = true\n", HttpUse::Unknown, false, true),
    ] {
        let flags = Flags { http_use, ..Flags::default() }
            .with("--http-listen", Some(listen))
            .with("--insecure", insecure.then_some(true));
        let config = loaded(text, &[], flags);
        assert_eq!(config.is_ok(), taken, "{listen} {text} {http_use:?} {insecure}: {config:?}");
    }
    let names = loaded("", &[("LASTWORDS_HTTP_HOSTS", "hv01, lastwords.example.org:443")], Flags::default());
    let names: Vec<String> = names.unwrap().listen.http_names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["hv01", "lastwords.example.org:443"]);
}

#[test]
fn passwords_of_kafka_are_not_shown() {
    let text = "[kafka]\nbrokers = \"a:9092\"\n[kafka.properties]\n\"ssl.key.password\" = \"hunter2\"\n";
    let config = loaded(text, &[("LASTWORDS_KAFKA_PASSWORD", "hunter2")], Flags::default()).unwrap();
    let shown = format!("{config:?}");
    assert!(shown.contains("sasl.password") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn each_collect_key_has_its_own_default() {
    let config =
        loaded("[collect]\nfiles = [\"/srv/*.log\"]\nkmsg = false\n", &[], Flags::default()).unwrap();
    let means = |path: &str| config.collect.files.iter().any(|rule| rule.means(Path::new(path)));
    assert!(means("/srv/a.log") && !means("/var/log/syslog") && means("/var/log/xen/console/a.log"));
    assert!(!config.collect.kmsg && config.collect.journald && config.collect.samples.is_some());
    let sets = "[[collect.file]]\npaths = [\"/x\"]\n";
    for text in ["", sets] {
        assert!(loaded(text, &[], Flags::default()).unwrap().collect.anything());
        let flags = Flags { no_collect: true, ..Flags::default() };
        assert!(!loaded(text, &[("LASTWORDS_COLLECT_KMSG", "true")], flags).unwrap().collect.anything());
    }
}

#[test]
fn a_file_of_the_shipper_means_the_same_here() {
    let text = "[host]\nname = \"a\"\n[ship]\ningester = \"http://a:1\"\n[collect]\nkmsg = false\n[[collect.file]]\n\
                paths = [\"/x/*\"]\n[collect.limits]\nflush_interval_ms = 7\n";
    let former = "[host]\nname = \"a\"\n[uplink]\ningester = \"http://a:1\"\n[sources]\nkmsg = false\n[[file]]\n\
                  paths = [\"/x/*\"]\n[limits]\nflush_interval_ms = 7\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shipper.toml");
    for text in [text, former] {
        std::fs::write(&path, text).unwrap();
        let flags = shipper::Flags { config: Some(path.clone()), ..shipper::Flags::default() };
        let theirs = shipper::load(&flags, &|_| None).unwrap();
        let ours = loaded(text, &[], Flags::default()).unwrap();
        let state_dir = theirs.shipper.state_dir.clone();
        let shown = |config: &lastwords_shipper::ShipperConfig| format!("{config:?}");
        assert_eq!(shown(&ours.collect.shipper(ours.host.clone(), state_dir)), shown(&theirs.shipper));
        assert_eq!(format!("{:?}", ours.uplink.unwrap()), format!("{:?}", theirs.uplink));
        let told = |layers: &Layers| layers.notices().iter().map(|notice| notice.now).collect::<Vec<_>>();
        assert_eq!(told(&ours.layers), told(&theirs.layers));
    }
}

#[test]
fn the_password_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\nrest\n").unwrap();
    let text = format!(
        "[clickhouse]\nlisten = \"0.0.0.0:8123\"\npassword_file = {:?}\n",
        secret.display().to_string()
    );
    let config = loaded(&text, &[], Flags::default()).unwrap();
    assert_eq!(config.clickhouse.named, Some(("default".to_owned(), "hunter2".to_owned())));
    assert!(!format!("{config:?}").contains("hunter2"));
    let variables =
        [("LASTWORDS_CLICKHOUSE_READER_PASSWORD", "other"), ("LASTWORDS_CLICKHOUSE_WRITER_PASSWORD", "")];
    let config = loaded("", &variables, Flags::default()).unwrap();
    assert_eq!(config.clickhouse.reader_password.as_deref(), Some("other"));
    assert!(config.clickhouse.writer_password.is_none() && config.clickhouse.named.is_none());
    assert!(!format!("{config:?}").contains("other"));
}

#[test]
fn the_documented_configuration_is_valid_and_says_the_defaults() {
    let text = project_file("deploy/lastwords.toml");
    let documented = loaded(&text, &[], Flags::default()).unwrap();
    let default = loaded("", &[], Flags::default()).unwrap();
    assert_eq!(documented.settings, default.settings);
}

fn project_file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_stores_addresses_are_one_or_a_list() {
    let urls = |text: &str, variables: &[(&str, &str)]| {
        loaded(text, variables, Flags::default()).unwrap().store.map(|store| store.urls)
    };
    let both = Some(vec!["http://a:8123".to_owned(), "https://b".to_owned()]);
    assert_eq!(urls("", &[]), None);
    assert_eq!(urls("[store]\nurl = \"http://a:8123\"\n", &[]).unwrap().len(), 1);
    assert_eq!(urls("[store]\nurl = [\"http://a:8123\", \"https://b\"]\n", &[]), both);
    assert_eq!(
        urls("[store]\nurl = \"http://x\"\n", &[("LASTWORDS_STORE_URL", "http://a:8123, https://b")]),
        both
    );
}

#[test]
fn what_outsiders_may_take_follows_the_machine_unless_it_is_said() {
    let plan = |text: &str, variables: &[(&str, &str)]| {
        loaded(text, variables, Flags::default()).unwrap().listen.memory
    };
    let default = plan("", &[]);
    assert!((256 << 20..=2 << 30).contains(&default.memory_bytes_max), "{default:?}");
    let text = "[listen]\nmemory_max = \"512MiB\"\n";
    assert_eq!(plan(text, &[]).memory_bytes_max, 512 << 20);
    assert_eq!(plan(text, &[("LASTWORDS_LISTEN_MEMORY_MAX", "1GiB")]).memory_bytes_max, 1 << 30);
}
