//! `[sets]` and `[hosts.NAME]`: what questions may name.

use std::{collections::BTreeMap, sync::Arc};

use lastwords_api::Known;
use lastwords_config::{Invalid, key_within};
use lastwords_detect::RuleFiles;

/// Saved sets, labels and the classes of the user's own rules.
pub(super) fn check(
    sets: &BTreeMap<String, String>,
    hosts: &BTreeMap<String, BTreeMap<String, String>>,
    rules: &RuleFiles,
) -> Result<Known, Invalid> {
    let mut vocabulary = lastwords_query::vocabulary().clone();
    rules.classes().for_each(|class| vocabulary.names.add(class));
    for (name, definition) in sets {
        vocabulary.save(name, definition).map_err(|error| Invalid::new(key_within("sets", name), error))?;
    }
    vocabulary.labels.extend(hosts.values().flat_map(BTreeMap::keys).cloned());
    let labels = Arc::new(hosts.clone().into_iter().collect());
    Ok(Known { vocabulary: Arc::new(vocabulary), labels, memory_bytes_max: None })
}
