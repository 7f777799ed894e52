//! A tree becomes a struct: a serde deserializer whose errors name the key.

use std::{collections::btree_map, fmt, slice};

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::{StrDeserializer, StringDeserializer},
};

use crate::{
    error::Invalid,
    tree::{Node, Value, within},
    values::{FILE_PATH, expand_home},
};

/// Reads the struct; `home` stands for `~` in paths.
pub(crate) fn read<T: DeserializeOwned>(tree: &Node, home: Option<&str>) -> Result<T, Invalid> {
    T::deserialize(Reader { node: tree, home })
        .map_err(|error| Invalid { key: error.key, message: error.message })
}

/// What is wrong; its key grows from the inside out.
#[derive(Debug)]
struct ReadError {
    key: String,
    message: String,
}

impl ReadError {
    fn within(self, name: &str) -> ReadError {
        let key = match self.key.as_str() {
            "" => within("", name),
            rest if rest.starts_with('[') => format!("{}{rest}", within("", name)),
            rest => format!("{}.{rest}", within("", name)),
        };
        ReadError { key, ..self }
    }

    fn at(self, index: usize) -> ReadError {
        let dot = if self.key.is_empty() || self.key.starts_with('[') { "" } else { "." };
        ReadError { key: format!("[{index}]{dot}{}", self.key), ..self }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> ReadError {
        ReadError { key: String::new(), message: message.to_string() }
    }

    fn invalid_type(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> ReadError {
        ReadError::custom(format_args!("wanted {}, found {}", in_words(wanted), found_in_words(found)))
    }

    fn invalid_value(found: de::Unexpected<'_>, wanted: &dyn de::Expected) -> ReadError {
        ReadError::invalid_type(found, wanted)
    }

    fn unknown_variant(found: &str, wanted: &'static [&'static str]) -> ReadError {
        ReadError::custom(format_args!("wanted {}, found {found:?}", wanted.join(" or ")))
    }

    fn missing_field(field: &'static str) -> ReadError {
        ReadError::custom(format_args!("wanted the key `{field}` in it, found none"))
    }
}

/// Rust's names of what is wanted, in the words of those who write configurations.
fn in_words(wanted: &dyn de::Expected) -> String {
    match wanted.to_string().as_str() {
        "a boolean" => "true or false".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number from 0 on".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a string" | "path string" => "a text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other => other.to_owned(),
    }
}

fn found_in_words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Bool(switch) => switch.to_string(),
        de::Unexpected::Unsigned(number) => number.to_string(),
        de::Unexpected::Signed(number) => number.to_string(),
        de::Unexpected::Float(number) => number.to_string(),
        de::Unexpected::Str(text) => format!("{text:?}"),
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    home: Option<&'a str>,
}

impl<'a> Reader<'a> {
    /// The text of a variable or a flag, which is whatever it can be read as.
    fn loose(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Loose(text) => Some(text),
            _ => None,
        }
    }

    fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) | Value::Loose(text) => Some(text),
            _ => None,
        }
    }
}

fn parsed<T: std::str::FromStr>(text: &str, wanted: &str) -> Result<T, ReadError> {
    text.trim().parse().map_err(|_| de::Error::custom(format_args!("wanted {wanted}, found {text:?}")))
}

fn switch(text: &str) -> Result<bool, ReadError> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        other => Err(de::Error::custom(format_args!("wanted true or false, found {other:?}"))),
    }
}

macro_rules! read_numbers {
    ($($method:ident => $visit:ident as $type:ty, $wanted:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
            match self.loose() {
                Some(text) => visitor.$visit(parsed::<$type>(text, $wanted)?),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.node.value {
            Value::Switch(switch) => visitor.visit_bool(*switch),
            Value::Whole(number) => visitor.visit_i64(*number),
            Value::Real(number) => visitor.visit_f64(*number),
            Value::Text(text) | Value::Loose(text) => visitor.visit_str(text),
            Value::List(items) => visitor.visit_seq(Items { items: items.iter(), index: 0, home: self.home }),
            Value::Table(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None, home: self.home })
            }
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.loose() {
            Some(text) => visitor.visit_bool(switch(text)?),
            None => self.deserialize_any(visitor),
        }
    }

    read_numbers! {
        deserialize_u8 => visit_u64 as u64, "a whole number from 0 on";
        deserialize_u16 => visit_u64 as u64, "a whole number from 0 on";
        deserialize_u32 => visit_u64 as u64, "a whole number from 0 on";
        deserialize_u64 => visit_u64 as u64, "a whole number from 0 on";
        deserialize_i8 => visit_i64 as i64, "a whole number";
        deserialize_i16 => visit_i64 as i64, "a whole number";
        deserialize_i32 => visit_i64 as i64, "a whole number";
        deserialize_i64 => visit_i64 as i64, "a whole number";
        deserialize_f32 => visit_f64 as f64, "a number";
        deserialize_f64 => visit_f64 as f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        let Some(text) = self.loose() else { return self.deserialize_any(visitor) };
        // Variables have no lists.
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let node =
            |item: &str| Node { value: Value::Loose(item.to_owned()), origin: self.node.origin.clone() };
        let items: Vec<Node> = items.map(node).collect();
        visitor.visit_seq(Items { items: items.iter(), index: 0, home: self.home })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.text() {
            Some(text) if name == FILE_PATH => {
                let path = expand_home(text, self.home).map_err(de::Error::custom)?;
                let path: StringDeserializer<ReadError> = path.into_deserializer();
                visitor.visit_newtype_struct(path)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match self.text() {
            Some(text) => {
                let name: StrDeserializer<'_, ReadError> = text.into_deserializer();
                visitor.visit_enum(name)
            }
            None => self.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: slice::Iter<'a, Node>,
    index: usize,
    home: Option<&'a str>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        let Some(node) = self.items.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let read = seed.deserialize(Reader { node, home: self.home });
        read.map(Some).map_err(|error| error.at(index))
    }
}

struct Entries<'a> {
    entries: btree_map::Iter<'a, String, Node>,
    value: Option<(&'a str, &'a Node)>,
    home: Option<&'a str>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((name, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some((name, node));
        let name: StrDeserializer<'_, ReadError> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let Some((name, node)) = self.value.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(Reader { node, home: self.home }).map_err(|error| error.within(name))
    }
}
