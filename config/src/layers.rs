//! The file, with variables over it and flags over both.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;

use crate::{
    error::{ConfigError, Invalid},
    file, read,
    rename::{self, FormerNames, Notice},
    schema::Schema,
    tree::{Node, Origin, Value},
};

/// Variables with names of their own, beside those that follow from the keys: each with its key.
pub type ShortNames = &'static [(&'static str, &'static str)];

/// What was said, wherever.
#[derive(Clone)]
pub struct Layers {
    tree: Node,
    path: Option<PathBuf>,
    home: Option<String>,
    notices: Vec<Notice>,
}

/// Shows nothing: values may be secrets.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}

impl Layers {
    /// What the file at `path` says; nothing where there is none. `environment` looks a variable up.
    ///
    /// # Errors
    /// Where the file cannot be read or is no TOML.
    pub fn open(
        path: Option<&Path>,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Layers, ConfigError> {
        let tree = path.map_or_else(|| Ok(Node::empty()), file::read)?;
        Ok(Layers { tree, path: path.map(Path::to_owned), home: environment("HOME"), notices: Vec::new() })
    }

    /// Layers in which nothing is said.
    pub fn empty() -> Layers {
        Layers { tree: Node::empty(), path: None, home: None, notices: Vec::new() }
    }

    /// The file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Takes former names for what they are called now; belongs before variables and flags.
    ///
    /// # Errors
    /// Where something is said under both names.
    pub fn rename(&mut self, names: FormerNames) -> Result<(), ConfigError> {
        self.notices.extend(rename::rename(&mut self.tree, names)?);
        Ok(())
    }

    /// Former names that were used.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// Lays every variable that is set over the file: `LASTWORDS_TABLE_KEY`, and the short names.
    ///
    /// # Errors
    /// Where two variables say the same key.
    pub fn lay_environment(
        &mut self,
        schema: &Schema,
        short: &[ShortNames],
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), ConfigError> {
        for key in schema.keys().filter(|key| key.is_single()) {
            let shorts = short.iter().copied().flatten().filter(|(_, sets)| *sets == key.name);
            let mut given = shorts
                .map(|(name, _)| (*name).to_owned())
                .chain([key.variable()])
                .filter_map(|name| environment(&name).map(|value| (name, value)));
            let Some((name, value)) = given.next() else { continue };
            if let Some((other, _)) = given.next() {
                let message = format!("wanted one variable for `{}`, found {other}, too: keep one", key.name);
                return Err(ConfigError::Invalid {
                    origin: Some(Origin::Variable(name)),
                    invalid: Invalid::new(&key.name, message),
                });
            }
            self.tree
                .put(&key.name, Node { value: Value::Loose(value), origin: Some(Origin::Variable(name)) });
        }
        Ok(())
    }

    /// Lays a flag's value over everything.
    pub fn lay_flag(&mut self, flag: &str, key: &str, value: String) {
        let origin = Some(Origin::Flag(flag.to_owned()));
        self.tree.put(key, Node { value: Value::Loose(value), origin });
    }

    /// Lays `KEY=VALUE` over everything, as a flag such as `--set` gives it.
    ///
    /// # Errors
    /// Where there is no such key, or it takes no single value.
    pub fn lay_assignment(&mut self, schema: &Schema, flag: &str, text: &str) -> Result<(), ConfigError> {
        let wrong = |message: String| ConfigError::Invalid {
            origin: Some(Origin::Flag(flag.to_owned())),
            invalid: Invalid::new(flag, message),
        };
        let Some((key, value)) = text.split_once('=') else {
            return Err(wrong(format!("wanted KEY=VALUE such as host.name=hv01, found {text:?}")));
        };
        let key = key.trim();
        match schema.key(key) {
            Some(known) if known.is_single() => {
                self.lay_flag(&format!("{flag} {key}"), key, value.to_owned());
                Ok(())
            }
            Some(_) => Err(wrong(format!("`{key}` is a table or in one of many: it belongs into the file"))),
            None => {
                let mut tree = Node::empty();
                tree.put(key, Node { value: Value::Loose(String::new()), origin: None });
                let unknown = schema.check(&tree).err().map(|invalid| invalid.message).unwrap_or_default();
                Err(wrong(format!("`{key}`: {unknown}")))
            }
        }
    }

    /// Says a list to be empty where nobody says anything.
    pub fn default_to_none(&mut self, key: &str) {
        if self.tree.find(key).is_none() {
            self.tree.put(key, Node { value: Value::List(Vec::new()), origin: None });
        }
    }

    /// Whether anyone says anything of a key.
    pub fn says(&self, key: &str) -> bool {
        self.tree.find(key).is_some()
    }

    /// Where a key's value comes from; none: nobody says it.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.tree.find(key).and_then(|node| node.origin.as_ref())
    }

    /// Reads the struct whose schema this is.
    ///
    /// # Errors
    /// The key that is not known or does not take its value, and where that was said.
    pub fn read<T: DeserializeOwned>(&self, schema: &Schema) -> Result<T, ConfigError> {
        schema
            .check(&self.tree)
            .and_then(|()| read::read(&self.tree, self.home.as_deref()))
            .map_err(|invalid| self.place(invalid))
    }

    /// Says where it was said what cannot be used.
    pub fn place(&self, invalid: Invalid) -> ConfigError {
        ConfigError::Invalid { origin: self.tree.nearest_origin(&invalid.key).cloned(), invalid }
    }
}

#[cfg(test)]
mod tests;
