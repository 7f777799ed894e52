//! Every key of the schema: taken from everywhere, documented, and with a variable of its own.

use lastwords_config::{Key, Kind};

use super::*;

/// Two values of a key, as they stand in a file and in a variable, that differ from each other and pass the checks.
fn examples(key: &Key) -> [(String, String); 2] {
    let same = |text: &str| (format!("{text:?}"), text.to_owned());
    let plain = |text: &str| (text.to_owned(), text.to_owned());
    match key.name.as_str() {
        "listen.grpc" | "listen.http" | "clickhouse.listen" => [same("127.0.0.1:7"), same("off")],
        "listen.memory_max" => [same("256MiB"), same("1GiB")],
        "collect.saturation_share" => [plain("0.25"), plain("1")],
        "collect.time_zone" => [same("Asia/Tokyo"), same("UTC")],
        "collect.limits.window_bytes" => [same("2MiB"), ("3145728".to_owned(), "3145728".to_owned())],
        "store.url" => [same("http://a:1"), same("http://b:2")],
        "ship.ingester" => [same("http://a:1"), same("http://b:2")],
        "ship.tls.server_name" => [same("a"), same("b")],
        "clickhouse.user" => [same("a"), same("b")],
        // Files that are read when the configuration is.
        name if name.ends_with("password_file") || name == "store.ca_file" || name == "detect.rules" => {
            let file = ["/dev/null", "/proc/version"].map(|path| (format!("{path:?}"), path.to_owned()));
            if name == "detect.rules" {
                file.map(|(file, variable)| (format!("[{file}]"), variable))
            } else {
                file
            }
        }
        _ => match key.kind {
            Kind::Switch => [plain("true"), plain("false")],
            Kind::Number => [plain("3"), plain("5")],
            Kind::Any => [plain("4294967296"), ("\"8GiB\"".to_owned(), "8GiB".to_owned())],
            Kind::List => [
                ("[\"/a\", \"/b\"]".to_owned(), "/a,/b".to_owned()),
                ("[\"/c\"]".to_owned(), "/c".to_owned()),
            ],
            _ => [same("/a"), same("/b")],
        },
    }
}

/// What a key is set to, in the words of `config check`, where nothing but it is said.
fn set_to(
    key: &Key,
    file: Option<&str>,
    variable: Option<(&str, &str)>,
    flag: Option<Flags>,
) -> serde_json::Value {
    let schema = Schema::derive::<Settings>();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lastwords.toml");
    let (table, name) = key.name.rsplit_once('.').unwrap_or(("", &key.name));
    let header = if table.is_empty() { String::new() } else { format!("[{table}]\n") };
    let mut text = file.map(|value| format!("{header}{name} = {value}\n")).unwrap_or_default();
    // Tables that need other keys, too.
    for (table, required) in [
        ("listen.tls", &["certificate_file", "key_file"][..]),
        ("clickhouse.tls", &["certificate_file", "key_file"]),
        ("ship.tls", &["ca_file"]),
    ] {
        if key.name.starts_with(&format!("{table}.")) {
            if text.is_empty() {
                text = format!("[{table}]\n");
            }
            for required in required.iter().filter(|required| **required != name) {
                text += &format!("{required} = \"/x\"\n");
            }
        }
    }
    std::fs::write(&path, text).unwrap();
    let environment =
        |asked: &str| variable.filter(|(name, _)| *name == asked).map(|(_, value)| value.to_owned());
    let mut layers = shipper::open(Some(&path), &environment).unwrap();
    layers.lay_environment(&schema, &[shipper::SHORT_NAMES, SHORT_NAMES], &environment).unwrap();
    flag.unwrap_or_default().lay(&mut layers, &schema).unwrap();
    let settings: Settings = layers.read(&schema).unwrap_or_else(|error| panic!("{}: {error}", key.name));
    let shown = shown::show(&settings, &schema, &layers);
    shown.into_iter().find(|shown| shown.key == key.name).unwrap().value
}

#[test]
fn every_key_is_taken_from_the_file_the_environment_and_flags() {
    let schema = Schema::derive::<Settings>();
    let keys: Vec<&Key> = schema.keys().filter(|key| key.is_single()).collect();
    assert!(keys.len() >= 60, "{}", keys.len());
    for key in keys {
        let [first, second] = examples(key);
        let from_file = [&first, &second].map(|(file, _)| set_to(key, Some(file), None, None));
        assert_ne!(from_file[0], from_file[1], "{}", key.name);
        let variable = key.variable();
        let shorts = [shipper::SHORT_NAMES, SHORT_NAMES].concat();
        let shorts = shorts.iter().filter(|(_, sets)| *sets == key.name).map(|(name, _)| *name);
        for name in shorts.chain([variable.as_str()]) {
            let set = set_to(key, Some(&first.0), Some((name, &second.1)), None);
            assert_eq!(set, from_file[1], "{name}");
        }
        let assigned = Flags { assignments: vec![format!("{}={}", key.name, second.1)], ..Flags::default() };
        let first_variable = Some((variable.as_str(), first.1.as_str()));
        assert_eq!(set_to(key, None, first_variable, Some(assigned)), from_file[1], "--set {}", key.name);
        for (flag, _) in FLAGS.iter().filter(|(_, sets)| *sets == key.name) {
            let flags = Flags::default().with(flag, Some(&second.1));
            assert_eq!(set_to(key, None, first_variable, Some(flags)), from_file[1], "{flag}");
        }
    }
    // Every flag and every short name is one of a key that there is.
    for (name, key) in FLAGS.iter().chain(SHORT_NAMES).chain(shipper::SHORT_NAMES) {
        assert!(schema.key(key).is_some_and(Key::is_single), "{name}: {key}");
    }
}

#[test]
fn no_two_keys_have_one_variable() {
    let schema = Schema::derive::<Settings>();
    let derived = schema.keys().filter(|key| key.is_single()).map(Key::variable);
    let short = SHORT_NAMES.iter().chain(shipper::SHORT_NAMES).map(|(name, _)| (*name).to_owned());
    let all: Vec<String> = derived.chain(short).chain(variables_without_keys().map(str::to_owned)).collect();
    let mut once = all.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), all.len(), "{all:?}");
}

#[test]
fn every_flag_is_one_of_the_command_line() {
    use clap::CommandFactory as _;
    fn flags(command: &clap::Command, found: &mut Vec<String>) {
        found.extend(command.get_arguments().filter_map(clap::Arg::get_long).map(|name| format!("--{name}")));
        command.get_subcommands().for_each(|command| flags(command, found));
    }
    let mut found = Vec::new();
    flags(&crate::args::Args::command(), &mut found);
    for (flag, _) in FLAGS {
        assert!(found.iter().any(|name| name == flag), "{flag}");
    }
}

/// The first cells of a table's lines, taken apart at code marks.
fn documented_names(page: &str) -> Vec<String> {
    let rows = page.lines().filter_map(|line| line.strip_prefix('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[test]
fn every_key_and_every_variable_is_documented() {
    let schema = Schema::derive::<Settings>();
    let page = project_file("docs/configuration.md");
    let names = documented_names(&page);
    let has = |name: &str| names.iter().any(|found| found == name);
    for key in schema.keys() {
        let name = key.name.replace("[]", "");
        let documented = match key.kind {
            Kind::Tables => has(&format!("[[{name}]]")),
            Kind::Map => has(&format!("[{name}]").replace("*", "NAME")) || has(&format!("[{name}.NAME]")),
            _ if key.name.contains('*') => continue,
            _ => has(&name),
        };
        assert!(documented, "{} is not in docs/configuration.md", key.name);
    }
    for (name, _) in SHORT_NAMES.iter().chain(shipper::SHORT_NAMES).chain(FLAGS) {
        assert!(has(name), "{name} is not in docs/configuration.md");
    }
    for name in variables_without_keys() {
        assert!(has(name), "{name} is not in docs/configuration.md");
    }
    // And nothing is documented that there is not.
    let tables =
        ["host", "listen", "clickhouse", "engine", "collect", "detect", "query", "ship", "kafka", "store"];
    for name in names.iter().filter(|name| tables.iter().any(|table| name.starts_with(&format!("{table}."))))
    {
        let there = schema.keys().any(|key| key.name.replace("[]", "") == *name);
        assert!(there, "docs/configuration.md has {name}, which is no key");
    }
    // Every key of the shipper's stands in its example, set or commented out.
    let example = project_file("deploy/shipper.toml") + &project_file("docs/shipper.md");
    for key in Schema::derive::<lastwords_shipper::config::ShipperSettings>().keys() {
        let name = key.name.rsplit('.').next().unwrap();
        assert!(example.contains(name), "{} is in neither deploy/shipper.toml nor docs/shipper.md", key.name);
    }
    for file in ["deploy/lastwords.toml"] {
        let example = project_file(file);
        for key in schema.keys().filter(|key| key.is_single()) {
            let name = key.name.rsplit('.').next().unwrap();
            assert!(example.contains(&format!("{name} = ")), "{} is not in {file}", key.name);
        }
    }
}
