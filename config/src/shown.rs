//! What would be used, for people: every key with its value and where it was said.

use serde::Serialize;
use serde_json::Value;

use crate::{layers::Layers, schema::Schema, tree::Origin};

/// A key with the value that is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Dotted.
    pub key: String,
    /// Its value; null: none.
    pub value: Value,
    /// Where it was said; none: it is a default.
    pub origin: Option<Origin>,
}

impl Shown {
    /// The value without quotes; nothing where there is none.
    pub fn plain(&self) -> String {
        match &self.value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

/// Every key of the settings, in the schema's order.
pub fn show<T: Serialize>(settings: &T, schema: &Schema, layers: &Layers) -> Vec<Shown> {
    // What is no JSON (there is none) would be shown as nothing.
    let whole = serde_json::to_value(settings).unwrap_or_default();
    let keys = schema.keys().filter(|key| !key.name.contains(['[', '*']));
    keys.map(|key| Shown {
        key: key.name.clone(),
        value: key
            .name
            .split('.')
            .try_fold(&whole, |value, name| value.get(name))
            .cloned()
            .unwrap_or_default(),
        origin: layers.origin(&key.name).cloned(),
    })
    .collect()
}

/// Lines of `key  value  (where it was said)`; a default says nothing of where.
pub fn lines(shown: &[Shown]) -> Vec<String> {
    let width = shown.iter().map(|shown| shown.key.chars().count()).max().unwrap_or(0);
    let line = |shown: &Shown| {
        let origin = shown.origin.as_ref().map(|origin| format!("  ({origin})")).unwrap_or_default();
        format!("{:width$}  {}{origin}", shown.key, shown.plain()).trim_end().to_owned()
    };
    shown.iter().map(line).collect()
}
