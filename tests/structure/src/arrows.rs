//! Each mentioned name is followed through re-exports to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::modules::{Module, Modules};

/// Which file takes which names from which file.
pub type Arrows = BTreeMap<(PathBuf, PathBuf), BTreeSet<String>>;

/// A chain of re-exports is followed so far.
const DEPTH_MAX: usize = 16;

/// All arrows of a crate between different files. A module that only hands names on (`pub use`) takes none itself.
#[must_use]
pub fn draw(modules: &Modules) -> Arrows {
    let mut arrows = Arrows::new();
    for module in modules.values() {
        let imported = module
            .imports
            .iter()
            .filter(|import| !import.is_public || module.words.contains(&import.alias))
            .map(|import| &import.path);
        for path in imported.chain(&module.mentions) {
            if let Some((file, name)) = follow(modules, module, path, 0)
                && file != module.file
            {
                arrows.entry((module.file.clone(), file)).or_default().insert(name);
            }
        }
        for glob in &module.globs {
            if let Some(found) = find(modules, module, glob, 0)
                && found.file != module.file
            {
                arrows.entry((module.file.clone(), found.file.clone())).or_default().insert("*".to_owned());
            }
        }
    }
    arrows
}

/// The file that defines what a path means in a module; none for other crates and for modules themselves.
fn follow(modules: &Modules, from: &Module, path: &[String], depth: usize) -> Option<(PathBuf, String)> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (mut at, rest) = start(modules, from, path, depth)?;
    for word in rest {
        if let Some(child) = child(modules, at, word) {
            at = child;
            continue;
        }
        if at.items.contains(word) {
            return Some((at.file.clone(), word.clone()));
        }
        if let Some(import) = at.imports.iter().find(|import| import.alias == *word) {
            match find(modules, at, &import.path, depth + 1) {
                Some(module) => at = module,
                None => return follow(modules, at, &import.path, depth + 1),
            }
            continue;
        }
        let globbed = at.globs.iter().filter_map(|glob| find(modules, at, glob, depth + 1));
        for module in globbed {
            if module.items.contains(word) {
                return Some((module.file.clone(), word.clone()));
            }
            if let Some(import) = module.imports.iter().find(|import| import.alias == *word) {
                return follow(modules, module, &import.path, depth + 1);
            }
        }
        // Made by a macro, or a part of a type.
        return Some((at.file.clone(), word.clone()));
    }
    None
}

/// The module that a path names.
fn find<'m>(modules: &'m Modules, from: &'m Module, path: &[String], depth: usize) -> Option<&'m Module> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (mut at, rest) = start(modules, from, path, depth)?;
    for word in rest {
        at = match child(modules, at, word) {
            Some(child) => child,
            None => {
                let import = at.imports.iter().find(|import| import.alias == *word)?;
                find(modules, at, &import.path, depth + 1)?
            }
        };
    }
    Some(at)
}

/// Where a path begins, and its words from there on.
fn start<'m, 'p>(
    modules: &'m Modules,
    from: &'m Module,
    path: &'p [String],
    depth: usize,
) -> Option<(&'m Module, &'p [String])> {
    let (first, mut rest) = path.split_first()?;
    let mut at = match first.as_str() {
        "crate" => modules.get(&Vec::new())?,
        "self" => from,
        "super" => parent(modules, from)?,
        word => match child(modules, from, word) {
            Some(child) => child,
            None => {
                let import =
                    from.imports.iter().find(|import| import.alias == word && import.path != path)?;
                find(modules, from, &import.path, depth + 1)?
            }
        },
    };
    while let Some((word, after)) = rest.split_first()
        && word == "super"
    {
        at = parent(modules, at)?;
        rest = after;
    }
    Some((at, rest))
}

fn parent<'m>(modules: &'m Modules, module: &Module) -> Option<&'m Module> {
    modules.get(module.path.split_last()?.1)
}

fn child<'m>(modules: &'m Modules, module: &Module, word: &str) -> Option<&'m Module> {
    let mut path = module.path.clone();
    path.push(word.to_owned());
    modules.get(&path)
}
