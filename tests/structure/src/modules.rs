//! A crate's files become modules: what they define, import and mention. Tests (`#[cfg(test)]`) are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Item, UseTree};

/// A name that stands for something elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// What it is called here.
    pub alias: String,
    /// Where it comes from.
    pub path: Vec<String>,
    /// Whether others may take it from here (`pub use`).
    pub is_public: bool,
}

/// A module: a file, or a block of one.
#[derive(Debug, Default)]
pub struct Module {
    /// Its file.
    pub file: PathBuf,
    /// Its name, from the crate's root: empty for the root.
    pub path: Vec<String>,
    /// Functions, types, constants and so on.
    pub items: BTreeSet<String>,
    /// Names from elsewhere.
    pub imports: Vec<Import>,
    /// `use path::*`.
    pub globs: Vec<Vec<String>>,
    /// Paths of two or more words in the code.
    pub mentions: BTreeSet<Vec<String>>,
    /// Words in the code.
    pub words: BTreeSet<String>,
}

/// All modules of a crate, by name.
pub type Modules = BTreeMap<Vec<String>, Module>;

/// Reads a crate from its root file.
///
/// # Errors
/// Where a file cannot be read or is no Rust.
pub fn read(root: &Path) -> anyhow::Result<Modules> {
    let mut modules = Modules::new();
    let folder = root.parent().unwrap_or(Path::new("")).to_owned();
    read_file(root, &folder, Vec::new(), &mut modules)?;
    Ok(modules)
}

/// Reads a module out of a text; for crates made up in tests, `file` names it.
///
/// # Errors
/// Where it is no Rust.
pub fn read_text(
    file: &Path,
    text: &str,
    path: Vec<String>,
    modules: &mut Modules,
) -> anyhow::Result<Vec<String>> {
    let parsed = syn::parse_file(text).with_context(|| format!("{} is no Rust", file.display()))?;
    let mut children = Vec::new();
    add(file, parsed.items, path, modules, &mut |name| children.push(name));
    Ok(children)
}

fn read_file(file: &Path, folder: &Path, path: Vec<String>, modules: &mut Modules) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    for name in read_text(file, &text, path.clone(), modules)? {
        let flat = folder.join(format!("{name}.rs"));
        let deep = folder.join(&name).join("mod.rs");
        let child = if flat.exists() { flat } else { deep };
        let mut path = path.clone();
        path.push(name.clone());
        read_file(&child, &folder.join(name), path, modules)?;
    }
    Ok(())
}

fn add(
    file: &Path,
    items: Vec<Item>,
    path: Vec<String>,
    modules: &mut Modules,
    child: &mut dyn FnMut(String),
) {
    let mut module = Module { file: file.to_owned(), path: path.clone(), ..Module::default() };
    for item in items {
        match item {
            item if attributes(&item).iter().any(is_test) => {}
            Item::Use(item) => {
                let is_public = !matches!(item.vis, syn::Visibility::Inherited);
                import(item.tree, Vec::new(), is_public, &mut module);
            }
            Item::Mod(item) => match item.content {
                None => child(item.ident.to_string()),
                Some((_, items)) => {
                    let mut path = path.clone();
                    path.push(item.ident.to_string());
                    add(file, items, path, modules, &mut |_| {});
                }
            },
            item => {
                module.items.extend(name(&item));
                mention(item.to_token_stream(), &mut module);
            }
        }
    }
    modules.insert(path, module);
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attribute: &Attribute) -> bool {
    let text = attribute.meta.to_token_stream().to_string();
    text == "test" || (text.starts_with("cfg") && text.contains("(test)"))
}

fn name(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        Item::Union(item) => item.ident.to_string(),
        _ => return None,
    })
}

fn import(tree: UseTree, mut before: Vec<String>, is_public: bool, module: &mut Module) {
    let (alias, path) = match tree {
        UseTree::Path(path) => {
            before.push(path.ident.to_string());
            return import(*path.tree, before, is_public, module);
        }
        UseTree::Group(group) => {
            return group.items.into_iter().for_each(|tree| import(tree, before.clone(), is_public, module));
        }
        UseTree::Glob(_) => return module.globs.push(before),
        UseTree::Name(name) if name.ident == "self" => (before.last().cloned(), before),
        UseTree::Name(name) => {
            before.push(name.ident.to_string());
            (Some(name.ident.to_string()), before)
        }
        UseTree::Rename(rename) => {
            if rename.ident != "self" {
                before.push(rename.ident.to_string());
            }
            (Some(rename.rename.to_string()), before)
        }
    };
    module.imports.extend(alias.map(|alias| Import { alias, path, is_public }));
}

/// Words, and words with `::` between them; also inside macros.
fn mention(tokens: TokenStream, module: &mut Module) {
    let mut path: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => {
                if colons != 2 {
                    end(&mut path, module);
                }
                path.push(ident.to_string());
                module.words.insert(ident.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                end(&mut path, module);
                colons = 0;
                mention(group.stream(), module);
            }
            _ => {
                end(&mut path, module);
                colons = 0;
            }
        }
    }
    end(&mut path, module);
}

fn end(path: &mut Vec<String>, module: &mut Module) {
    let path = std::mem::take(path);
    if path.len() > 1 {
        module.mentions.insert(path);
    }
}
