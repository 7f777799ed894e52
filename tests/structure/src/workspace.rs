//! All crates of a workspace at once.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::{arrows, circles, dependencies, modules};

/// The folders of a workspace's members.
///
/// # Errors
/// Where its manifest cannot be read.
pub fn members(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let file = folder.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let manifest: toml::Table =
        toml::from_str(&text).with_context(|| format!("{} is no manifest", file.display()))?;
    let members = manifest.get("workspace").and_then(|workspace| workspace.get("members")?.as_array());
    let members = members.with_context(|| format!("{} names no workspace.members", file.display()))?;
    Ok(members.iter().filter_map(|member| Some(folder.join(member.as_str()?))).collect())
}

/// Each crate's circles of files, for people; empty where there are none.
///
/// # Errors
/// Where a file cannot be read.
pub fn describe_circles(folder: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for member in members(folder)? {
        for root in ["src/lib.rs", "src/main.rs"].map(|file| member.join(file)) {
            if root.exists() {
                let arrows = arrows::draw(&modules::read(&root)?);
                for circle in circles::find(&arrows) {
                    text.push_str(&circles::describe(&circle, &arrows));
                }
            }
        }
    }
    Ok(text.replace(&format!("{}/", folder.display()), ""))
}

/// Dependencies that nothing uses, a line a crate; empty where there are none.
///
/// # Errors
/// Where a file cannot be read.
pub fn describe_unused(folder: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    for member in members(folder)? {
        let unused = dependencies::find_unused(&member)?;
        if !unused.is_empty() {
            let name = member.strip_prefix(folder).unwrap_or(&member);
            text.push_str(&format!("{}: nothing uses {}\n", name.display(), unused.join(", ")));
        }
    }
    Ok(text)
}
