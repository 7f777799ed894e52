//! Dependencies that no source mentions.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use proc_macro2::{TokenStream, TokenTree};

/// Names of a package's dependencies that none of its files mentions. A package's manifest may name exceptions in
/// `package.metadata.structure.ignored`: those that only turn on a feature of others.
///
/// # Errors
/// Where a file cannot be read.
pub fn find_unused(folder: &Path) -> anyhow::Result<Vec<String>> {
    let file = folder.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let manifest: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is no manifest", file.display()))?;
    let mut words = BTreeSet::new();
    read_words(folder, &mut words)?;
    let ignored: BTreeSet<&str> = manifest
        .get("package")
        .and_then(|package| package.get("metadata")?.get("structure")?.get("ignored")?.as_array())
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_str)
        .collect();
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let names =
        sections.iter().filter_map(|section| manifest.get(*section)?.as_table()).flat_map(|t| t.keys());
    Ok(names
        .filter(|name| !ignored.contains(name.as_str()) && !words.contains(&name.replace('-', "_")))
        .cloned()
        .collect())
}

/// All words of all Rust files below a folder.
fn read_words(folder: &Path, words: &mut BTreeSet<String>) -> anyhow::Result<()> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "target") {
                read_words(&path, words)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("{} cannot be read", path.display()))?;
            let tokens: TokenStream =
                text.parse().map_err(|error| anyhow::anyhow!("{} is no Rust: {error}", path.display()))?;
            add_words(tokens, words);
        }
    }
    Ok(())
}

fn add_words(tokens: TokenStream, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => drop(words.insert(ident.to_string())),
            TokenTree::Group(group) => add_words(group.stream(), words),
            _ => {}
        }
    }
}
