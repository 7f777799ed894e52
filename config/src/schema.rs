//! Which keys a struct has: found by letting it be read from a reader that says yes to everything and takes notes. So a
//! key is written once, as a field.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashSet},
    fmt,
};

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::StrDeserializer,
};

use crate::{
    error::Invalid,
    tree::{Node, Origin, Value, within},
    values::FILE_PATH,
};

/// Every variable begins with it.
pub const PREFIX: &str = "LASTWORDS";

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Switch,
    /// A number.
    Number,
    /// A text.
    Text,
    /// A path.
    Path,
    /// A list of values.
    List,
    /// A list of tables.
    Tables,
    /// One of several kinds.
    Any,
    /// A table of these keys.
    Table,
    /// A table of keys that users choose.
    Map,
}

/// A key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `listen.tls.key_file`; `[]` stands for each item of a list, `*` for a name that users choose.
    pub name: String,
    /// What it takes.
    pub kind: Kind,
}

impl Key {
    /// Whether variables and flags can set it: it is no table, and in no list.
    pub fn is_single(&self) -> bool {
        !matches!(self.kind, Kind::Table | Kind::Tables | Kind::Map) && !self.name.contains(['[', '*'])
    }

    /// The variable that sets it: `LASTWORDS_LISTEN_MEMORY_MAX` sets `listen.memory_max`.
    pub fn variable(&self) -> String {
        format!("{PREFIX}_{}", self.name.replace('.', "_").to_uppercase())
    }
}

/// All keys of a configuration, in the order of their fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    keys: Vec<Key>,
    tables: BTreeSet<String>,
}

impl Schema {
    /// The keys of a struct. Fields whose type is read in a way of its own have to have a default.
    pub fn derive<T: DeserializeOwned>() -> Schema {
        let notes = RefCell::new(Notes::default());
        // A field that does not take a value of its kind is left out in the next round.
        loop {
            let left_out = notes.borrow().left_out.len();
            let read = T::deserialize(Walker { notes: &notes, key: String::new() });
            if read.is_ok() || notes.borrow().left_out.len() == left_out {
                break;
            }
        }
        let mut keys = notes.into_inner().keys;
        let is_table = |key: &&Key| key.kind == Kind::Table;
        let tables: BTreeSet<String> = keys.iter().filter(is_table).map(|key| key.name.clone()).collect();
        for key in &mut keys {
            if key.kind == Kind::List && tables.contains(&format!("{}[]", key.name)) {
                key.kind = Kind::Tables;
            }
        }
        Schema { keys, tables }
    }

    /// Every key that is neither a table nor a list's item.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(|key| key.kind != Kind::Table && !key.name.ends_with("[]"))
    }

    /// The key of this name.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Refuses keys that nobody knows, the first one first.
    pub(crate) fn check(&self, tree: &Node) -> Result<(), Invalid> {
        let mut unknown = Vec::new();
        self.find_unknown(tree, "", "", &mut unknown);
        let line = |origin: &Option<Origin>| match origin {
            Some(Origin::File { line, .. }) => *line,
            _ => usize::MAX,
        };
        match unknown.into_iter().min_by_key(|(_, _, origin)| line(origin)) {
            None => Ok(()),
            Some((key, table, _)) => Err(Invalid::new(key.clone(), self.unknown(&key, &table))),
        }
    }

    /// `shape` is the table's name in the schema, `table` in the tree.
    fn find_unknown(
        &self,
        node: &Node,
        shape: &str,
        table: &str,
        unknown: &mut Vec<(String, String, Option<Origin>)>,
    ) {
        match &node.value {
            Value::Table(entries) if self.tables.contains(shape) => {
                for (name, child) in entries {
                    let (key, child_shape) = (within(table, name), within(shape, name));
                    if self.key(&child_shape).is_some() {
                        self.find_unknown(child, &child_shape, &key, unknown);
                    } else {
                        unknown.push((key, shape.to_owned(), child.origin.clone()));
                    }
                }
            }
            Value::Table(entries) => {
                for (name, child) in entries {
                    self.find_unknown(child, &within(shape, "*"), &within(table, name), unknown);
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.find_unknown(item, &format!("{shape}[]"), &format!("{table}[{index}]"), unknown);
                }
            }
            _ => {}
        }
    }

    fn unknown(&self, key: &str, table: &str) -> String {
        let known: Vec<String> = self
            .keys
            .iter()
            .filter_map(|key| {
                let rest = key.name.strip_prefix(table)?;
                let name = if table.is_empty() { rest } else { rest.strip_prefix('.')? };
                (!name.is_empty() && !name.contains(['.', '['])).then(|| format!("`{name}`"))
            })
            .collect();
        let nearest = self.nearest(key).map(|near| format!("; the nearest is `{near}`")).unwrap_or_default();
        let here = if table.is_empty() { "at the top are" } else { "in this table are" };
        format!("there is no such key{nearest}. Known {here} {}", known.join(", "))
    }

    /// The key whose name is most like this one: by its whole name, or by its last part, which may stand in a wrong
    /// table.
    fn nearest(&self, key: &str) -> Option<&str> {
        const LIKENESS_MIN: f64 = 0.85;
        let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let likeness = |known: &Key| {
            let whole = strsim::jaro_winkler(&known.name, key);
            let part = strsim::jaro_winkler(&last(&known.name), &last(key));
            // The same table counts for more than the same name elsewhere.
            if known.name == key { 1.0 } else { whole.max(part * 0.97) }
        };
        self.keys
            .iter()
            .filter(|known| !known.name.is_empty() && !known.name.contains('*'))
            // The table that it stands in is no advice.
            .filter(|known| !key.starts_with(&format!("{}.", known.name)))
            .map(|known| (likeness(known), known))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, known)| known.name.as_str())
    }
}

#[derive(Default)]
struct Notes {
    keys: Vec<Key>,
    seen: HashSet<String>,
    left_out: HashSet<String>,
}

/// A field did not take what it was given; the innermost one that may be left out is noted already.
#[derive(Debug)]
struct Refused {
    noted: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a value of its kind")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Refused {
        Refused { noted: false }
    }
}

struct Walker<'a> {
    notes: &'a RefCell<Notes>,
    key: String,
}

impl Walker<'_> {
    fn note(&self, kind: Kind) {
        let notes = &mut *self.notes.borrow_mut();
        if notes.seen.insert(self.key.clone()) {
            notes.keys.push(Key { name: self.key.clone(), kind });
        }
    }
}

macro_rules! note_values {
    ($($method:ident => $visit:ident($value:expr), $kind:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            self.note(Kind::$kind);
            visitor.$visit($value)
        }
    )*};
}

impl<'de> Deserializer<'de> for Walker<'_> {
    type Error = Refused;

    note_values! {
        deserialize_any => visit_u64(1), Any;
        deserialize_bool => visit_bool(false), Switch;
        deserialize_u8 => visit_u64(1), Number;
        deserialize_u16 => visit_u64(1), Number;
        deserialize_u32 => visit_u64(1), Number;
        deserialize_u64 => visit_u64(1), Number;
        deserialize_i8 => visit_i64(1), Number;
        deserialize_i16 => visit_i64(1), Number;
        deserialize_i32 => visit_i64(1), Number;
        deserialize_i64 => visit_i64(1), Number;
        deserialize_f32 => visit_f64(0.5), Number;
        deserialize_f64 => visit_f64(0.5), Number;
        deserialize_str => visit_str(""), Text;
        deserialize_string => visit_str(""), Text;
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name == FILE_PATH {
            self.note(Kind::Path);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(Kind::Text);
        let first = variants.first().copied().unwrap_or_default();
        let first: StrDeserializer<'_, Refused> = first.into_deserializer();
        visitor.visit_enum(first)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note(Kind::List);
        visitor.visit_seq(One { notes: self.notes, key: Some(format!("{}[]", self.key)) })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.note(Kind::Map);
        visitor.visit_map(Fields { notes: self.notes, table: self.key, fields: ["*"].iter(), field: "" })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.note(Kind::Table);
        visitor.visit_map(Fields { notes: self.notes, table: self.key, fields: fields.iter(), field: "" })
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct One<'a> {
    notes: &'a RefCell<Notes>,
    key: Option<String>,
}

impl<'de> SeqAccess<'de> for One<'_> {
    type Error = Refused;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refused> {
        let Some(key) = self.key.take() else { return Ok(None) };
        seed.deserialize(Walker { notes: self.notes, key }).map(Some)
    }
}

struct Fields<'a> {
    notes: &'a RefCell<Notes>,
    table: String,
    fields: std::slice::Iter<'a, &'static str>,
    field: &'static str,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        for field in self.fields.by_ref() {
            if !self.notes.borrow().left_out.contains(&within(&self.table, field)) {
                self.field = field;
                let name: StrDeserializer<'_, Refused> = (*field).into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refused> {
        let key = within(&self.table, self.field);
        seed.deserialize(Walker { notes: self.notes, key: key.clone() }).map_err(|refused| {
            if !refused.noted {
                self.notes.borrow_mut().left_out.insert(key);
            }
            Refused { noted: true }
        })
    }
}
