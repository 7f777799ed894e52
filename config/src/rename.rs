//! Former names of keys: what was written with them goes on meaning the same.

use crate::{
    error::{ConfigError, Invalid},
    tree::{Node, Origin, Value, within},
};

/// Top-level keys and tables by their former names, and what they are called now, dotted.
pub type FormerNames = &'static [(&'static str, &'static str)];

/// A former name was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What was written.
    pub former: &'static str,
    /// What it is called now.
    pub now: &'static str,
    /// Where.
    pub origin: Option<Origin>,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "`{}` is called `{}` now; the former name goes on working", self.former, self.now)
    }
}

/// Moves what stands under former names to where it belongs.
pub(crate) fn rename(tree: &mut Node, names: FormerNames) -> Result<Vec<Notice>, ConfigError> {
    let mut notices = Vec::new();
    for (former, now) in names {
        let Some(node) = tree.take(former) else { continue };
        notices.push(Notice { former, now, origin: node.origin.clone() });
        lay(tree, now, node, former)?;
    }
    Ok(notices)
}

/// Puts a node under a key, entry by entry where there is a table already.
fn lay(tree: &mut Node, key: &str, node: Node, former: &str) -> Result<(), ConfigError> {
    match (tree.find(key).map(|there| &there.value), node.value) {
        (None, value) => tree.put(key, Node { value, origin: node.origin }),
        (Some(Value::Table(_)), Value::Table(entries)) => {
            for (name, child) in entries {
                lay(tree, &within(key, &name), child, &within(former, &name))?;
            }
        }
        _ => {
            let message =
                format!("wanted it once, found it again as `{former}`, which is its former name: keep one");
            return Err(ConfigError::Invalid { origin: node.origin, invalid: Invalid::new(key, message) });
        }
    }
    Ok(())
}
