//! Values, and where each was said.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc};

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// Which.
        path: Arc<Path>,
        /// Line, from 1.
        line: usize,
    },
    /// In an environment variable of this name.
    Variable(String),
    /// On the command line, by this flag.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Variable(name) | Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// A value with its origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub value: Value,
    /// None: the whole tree, and tables that nobody wrote.
    pub origin: Option<Origin>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Switch(bool),
    Whole(i64),
    Real(f64),
    Text(String),
    /// Of a variable or a flag: read as whatever is wanted; a list's items are separated by commas.
    Loose(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

/// A step from a node to one within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Name(String),
    Index(usize),
}

impl Node {
    /// A tree in which nothing is said.
    pub fn empty() -> Node {
        Node { value: Value::Table(BTreeMap::new()), origin: None }
    }

    /// The node of a key, if it was said.
    pub fn find(&self, key: &str) -> Option<&Node> {
        steps(key).iter().try_fold(self, |node, step| node.child(step))
    }

    /// Where a key was said; where it was not, where the table is in which it would stand.
    pub fn nearest_origin(&self, key: &str) -> Option<&Origin> {
        let (mut node, mut origin) = (self, None);
        for step in steps(key) {
            let Some(child) = node.child(&step) else { break };
            origin = child.origin.as_ref().or(origin);
            node = child;
        }
        origin
    }

    /// Puts a node under a key, and tables above it where they lack. What is no table stays: reading it says so.
    pub fn put(&mut self, key: &str, node: Node) {
        let names: Vec<&str> = key.split('.').collect();
        let Some((last, above)) = names.split_last() else { return };
        let mut at = self;
        for name in above {
            let Value::Table(entries) = &mut at.value else { return };
            let made = || Node { value: Value::Table(BTreeMap::new()), origin: node.origin.clone() };
            at = entries.entry((*name).to_owned()).or_insert_with(made);
        }
        if let Value::Table(entries) = &mut at.value {
            entries.insert((*last).to_owned(), node);
        }
    }

    /// Takes a top-level entry out.
    pub fn take(&mut self, name: &str) -> Option<Node> {
        match &mut self.value {
            Value::Table(entries) => entries.remove(name),
            _ => None,
        }
    }

    fn child(&self, step: &Step) -> Option<&Node> {
        match (&self.value, step) {
            (Value::Table(entries), Step::Name(name)) => entries.get(name),
            (Value::List(items), Step::Index(index)) => items.get(*index),
            _ => None,
        }
    }
}

/// `kafka.properties."ssl.ca.location"`, `collect.files[1]`.
fn steps(key: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if let Some((name, behind)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            steps.push(Step::Name(name.to_owned()));
            rest = behind;
        } else if let Some((index, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            steps.extend(index.parse().ok().map(Step::Index));
            rest = behind;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, behind) = rest.split_at(end);
            steps.push(Step::Name(name.to_owned()));
            rest = behind;
        }
    }
    steps
}

/// A name as a part of a dotted key.
pub(crate) fn quoted(name: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "_-*".contains(letter);
    if !name.is_empty() && name.chars().all(plain) { name.to_owned() } else { format!("\"{name}\"") }
}

/// A key within a table; `table` is empty for the whole tree. A name with dots in it is put into quotes.
#[must_use]
pub fn within(table: &str, name: &str) -> String {
    if table.is_empty() { quoted(name) } else { format!("{table}.{}", quoted(name)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_apart() {
        let name = |text: &str| Step::Name(text.to_owned());
        assert_eq!(
            steps("kafka.properties.\"ssl.ca.location\""),
            [name("kafka"), name("properties"), name("ssl.ca.location")]
        );
        assert_eq!(
            steps("collect.file[2].paths[0]"),
            [name("collect"), name("file"), Step::Index(2), name("paths"), Step::Index(0)]
        );
    }

    #[test]
    fn what_was_not_said_is_placed_at_its_table() {
        let at = |line| Origin::File { path: Path::new("f").into(), line };
        let mut tree = Node::empty();
        tree.put("a.b", Node { value: Value::Whole(1), origin: Some(at(3)) });
        assert_eq!(tree.nearest_origin("a.b"), Some(&at(3)));
        assert_eq!(tree.nearest_origin("a.c"), Some(&at(3)));
        assert_eq!(tree.nearest_origin("b"), None);
        assert!(tree.find("a.c").is_none() && tree.find("a.b").is_some());
    }
}
