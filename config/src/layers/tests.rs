use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::*;
use crate::{
    schema::Kind,
    values::{FilePath, Size},
};

#[derive(Debug, Deserialize, Default, PartialEq)]
#[serde(default)]
struct Whole {
    data: Option<FilePath>,
    part: Part,
    tls: Option<Tls>,
    sets: Vec<Set>,
    names: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(default)]
struct Part {
    on: bool,
    share: f64,
    days: i32,
    memory_max: Option<Size>,
    address: Address,
    globs: Vec<FilePath>,
}

impl Default for Part {
    fn default() -> Self {
        Part { on: true, share: 0.5, days: 3, memory_max: None, address: Address(1), globs: Vec::new() }
    }
}

#[derive(Debug, Deserialize, PartialEq)]
struct Tls {
    key_file: FilePath,
    name: Option<String>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Set {
    paths: Vec<FilePath>,
    #[serde(default)]
    kind: SetKind,
}

#[derive(Debug, Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SetKind {
    #[default]
    File,
    Console,
}

/// A type that is read in a way of its own.
#[derive(Debug, PartialEq)]
struct Address(u16);

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        let text = String::deserialize(deserializer)?;
        let port = text.strip_prefix(':').and_then(|port| port.parse().ok());
        port.map(Address).ok_or_else(|| serde::de::Error::custom(format!("wanted :PORT, found {text:?}")))
    }
}

const FORMER: FormerNames = &[("old", "part"), ("file", "sets")];
const SHORT: ShortNames = &[("LASTWORDS_ON", "part.on")];

fn layers(text: &str, variables: &[(&str, &str)]) -> Result<Layers, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lw.toml");
    std::fs::write(&path, text).unwrap();
    let mut variables: HashMap<&str, &str> = variables.iter().copied().collect();
    variables.entry("HOME").or_insert("/home/u");
    let environment = |name: &str| variables.get(name).map(|value| (*value).to_owned());
    let mut layers = Layers::open(Some(&path), &environment)?;
    layers.rename(FORMER)?;
    layers.lay_environment(&Schema::derive::<Whole>(), &[SHORT], &environment)?;
    Ok(layers)
}

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Whole, String> {
    let read = layers(text, variables).and_then(|layers| layers.read(&Schema::derive::<Whole>()));
    read.map_err(|error| {
        let text = error.to_string();
        match text.find("/lw.toml") {
            Some(at) => text[at + 1..].to_owned(),
            None => text,
        }
    })
}

#[test]
fn a_schema_has_every_field_of_every_struct_within() {
    let schema = Schema::derive::<Whole>();
    let keys: Vec<(&str, Kind)> = schema.keys().map(|key| (key.name.as_str(), key.kind)).collect();
    let expected = [
        ("data", Kind::Path),
        ("part.on", Kind::Switch),
        ("part.share", Kind::Number),
        ("part.days", Kind::Number),
        ("part.memory_max", Kind::Any),
        ("part.address", Kind::Text),
        ("part.globs", Kind::List),
        ("tls.key_file", Kind::Path),
        ("tls.name", Kind::Text),
        ("sets", Kind::Tables),
        ("sets[].paths", Kind::List),
        ("sets[].kind", Kind::Text),
        ("names", Kind::Map),
        ("names.*", Kind::Text),
    ];
    for key in expected {
        assert!(keys.contains(&key), "{key:?} is missing in {keys:?}");
    }
    assert_eq!(keys.len(), expected.len(), "{keys:?}");
    assert_eq!(schema.key("part.memory_max").unwrap().variable(), "LASTWORDS_PART_MEMORY_MAX");
}

#[test]
fn variables_go_over_the_file_and_are_read_as_what_is_wanted() {
    let text =
        "data = '~/d'\n[part]\non = true\nshare = 1\ndays = -2\nmemory_max = 5\nglobs = ['/a', '~/b']\n";
    let read_file = read(text, &[]).unwrap();
    assert_eq!(read_file.data, Some(FilePath("/home/u/d".into())));
    assert_eq!((read_file.part.share, read_file.part.days), (1.0, -2));
    assert_eq!(read_file.part.globs, ["/a", "/home/u/b"].map(|path| FilePath(path.into())));
    let variables = [
        ("LASTWORDS_DATA", "~/e"),
        ("LASTWORDS_ON", "no"),
        ("LASTWORDS_PART_SHARE", "0.25"),
        ("LASTWORDS_PART_DAYS", "7"),
        ("LASTWORDS_PART_MEMORY_MAX", "1KiB"),
        ("LASTWORDS_PART_ADDRESS", ":9"),
        ("LASTWORDS_PART_GLOBS", "/x, ~/y,"),
        ("LASTWORDS_TLS_KEY_FILE", "/k"),
        ("LASTWORDS_NAMES", "ignored: a table has no variable"),
    ];
    let whole = read(text, &variables).unwrap();
    assert_eq!(whole.data, Some(FilePath("/home/u/e".into())));
    let part = &whole.part;
    assert_eq!((part.on, part.share, part.days, part.memory_max), (false, 0.25, 7, Some(Size(1024))));
    assert_eq!((&part.address, part.globs.len()), (&Address(9), 2));
    assert_eq!(part.globs[1], FilePath("/home/u/y".into()));
    assert_eq!(whole.tls.unwrap().key_file, FilePath("/k".into()));
}

#[test]
fn errors_name_where_what_is_wrong_was_said() {
    for (text, variables, expected) in [
        ("[part]\non = 'x'\n", &[][..], "lw.toml:2: key `part.on`: wanted true or false, found \"x\""),
        ("[part]\ndays = 'x'\n", &[], "lw.toml:2: key `part.days`: wanted a whole number, found \"x\""),
        ("[part]\ndays = 3000000000\n", &[], "lw.toml:2: key `part.days`: wanted a whole number"),
        ("[part]\nmemory_max = -1\n", &[], "lw.toml:2: key `part.memory_max`: wanted a number of bytes"),
        ("[part]\nmemory_max = '1GB'\n", &[], "lw.toml:2: key `part.memory_max`: wanted a size such as"),
        (
            "[part]\nglobs = [\n'/a',\n7]\n",
            &[],
            "lw.toml:4: key `part.globs[1]`: wanted a text in quotes, found 7",
        ),
        ("part = 7\n", &[], "lw.toml:1: key `part`: wanted a table, found 7"),
        ("[tls]\nname = 'a'\n", &[], "lw.toml:1: key `tls`: wanted the key `key_file` in it"),
        (
            "[[sets]]\npaths = []\nkind = 'kmsg'\n",
            &[],
            "lw.toml:3: key `sets[0].kind`: wanted file or console",
        ),
        ("[[sets]]\npaths = []\n[[sets]]\n", &[], "lw.toml:3: key `sets[1]`: wanted the key `paths`"),
        ("[names]\na = 1\n", &[], "lw.toml:2: key `names.a`: wanted a text in quotes, found 1"),
        ("[names]\n'a.b' = 1\n", &[], "lw.toml:2: key `names.\"a.b\"`: wanted a text in quotes"),
        ("data = '~root/x'\n", &[], "lw.toml:1: key `data`: wanted a path, found \"~root/x\""),
        ("", &[("LASTWORDS_DATA", "~/x"), ("HOME", "")], "environment variable LASTWORDS_DATA: wanted HOME"),
        (
            "",
            &[("LASTWORDS_PART_DAYS", "x")],
            "environment variable LASTWORDS_PART_DAYS: wanted a whole number, found \"x\"",
        ),
        (
            "",
            &[("LASTWORDS_PART_ON", "perhaps")],
            "environment variable LASTWORDS_PART_ON: wanted true or false",
        ),
        (
            "",
            &[("LASTWORDS_PART_ADDRESS", "9")],
            "environment variable LASTWORDS_PART_ADDRESS: wanted :PORT, found \"9\"",
        ),
        (
            "",
            &[("LASTWORDS_PART_ON", "no"), ("LASTWORDS_ON", "no")],
            "environment variable LASTWORDS_ON: wanted one variable",
        ),
    ] {
        let found = read(text, variables).unwrap_err();
        assert!(found.starts_with(expected), "{text:?} {variables:?}\n  wanted {expected}\n  found  {found}");
    }
}

#[test]
fn unknown_keys_are_refused_the_first_one_first_and_the_nearest_is_named() {
    for (text, expected) in [
        (
            "[part]\nshares = 1\nonn = 1\n",
            "lw.toml:2: key `part.shares`: there is no such key; the nearest is `part.share`.",
        ),
        ("[prat]\n", "lw.toml:1: key `prat`: there is no such key; the nearest is `part`."),
        (
            "\nkey_file = 'x'\n",
            "lw.toml:2: key `key_file`: there is no such key; the nearest is `tls.key_file`.",
        ),
        (
            "[tls]\nkey_file = 'k'\nxyz = 1\n",
            "lw.toml:3: key `tls.xyz`: there is no such key. Known in this table are `key_file`, `name`",
        ),
        (
            "[[sets]]\npath = []\n",
            "lw.toml:2: key `sets[0].path`: there is no such key; the nearest is `sets[].paths`.",
        ),
        (
            "zzz = 1\n",
            "lw.toml:1: key `zzz`: there is no such key. Known at the top are `data`, `part`, `tls`, `sets`, `names`",
        ),
    ] {
        let found = read(text, &[]).unwrap_err();
        assert!(found.starts_with(expected), "{text:?}\n  wanted {expected}\n  found  {found}");
    }
}

#[test]
fn former_names_go_on_working_and_are_told() {
    let text = "[old]\ndays = 9\n[[file]]\npaths = ['/a']\n[part]\non = false\n";
    let layers = layers(text, &[]).unwrap();
    let whole: Whole = layers.read(&Schema::derive::<Whole>()).unwrap();
    assert_eq!((whole.part.days, whole.part.on, whole.sets.len()), (9, false, 1));
    let notices: Vec<String> = layers.notices().iter().map(ToString::to_string).collect();
    assert_eq!(notices.len(), 2);
    assert!(notices[0].contains("lw.toml:1: `old` is called `part` now"), "{notices:?}");
    let found = read("[part]\ndays = 1\n[old]\ndays = 2\n", &[]).unwrap_err();
    assert!(
        found.starts_with("lw.toml:4: key `part.days`: wanted it once, found it again as `old.days`"),
        "{found}"
    );
    let found = read("[old]\ndays = 'x'\n", &[]).unwrap_err();
    assert!(found.starts_with("lw.toml:2: key `part.days`: wanted a whole number"), "{found}");
}

#[test]
fn flags_go_over_variables() {
    let schema = Schema::derive::<Whole>();
    let mut layers = layers("[part]\ndays = 1\n", &[("LASTWORDS_PART_DAYS", "2")]).unwrap();
    assert_eq!(layers.origin("part.days"), Some(&Origin::Variable("LASTWORDS_PART_DAYS".to_owned())));
    layers.lay_flag("--days", "part.days", "3".to_owned());
    layers.lay_assignment(&schema, "--set", "part.on=off").unwrap();
    let whole: Whole = layers.read(&schema).unwrap();
    assert_eq!((whole.part.days, whole.part.on), (3, false));
    let mut refused = |text: &str| layers.lay_assignment(&schema, "--set", text).unwrap_err().to_string();
    assert!(refused("part.on").starts_with("--set: wanted KEY=VALUE"));
    assert!(
        refused("part.om=1").starts_with("--set: `part.om`: there is no such key; the nearest is `part.on`")
    );
    assert!(refused("sets=1").starts_with("--set: `sets` is a table or in one of many"));
    layers.lay_assignment(&schema, "--set", "part.days=x").unwrap();
    let found = layers.read::<Whole>(&schema).unwrap_err().to_string();
    assert_eq!(found, "--set part.days: wanted a whole number, found \"x\"");
}
