//! What is known of hosts and guests, kept between questions until the store says otherwise.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use lastwords_store::select::{PlacementVersion, Stay};

use crate::{
    correlate::placement::{Attributes, Placement},
    language::Vocabulary,
};

/// While somebody types, what is so old may be looked at without asking the store.
const FRESH: Duration = Duration::from_secs(2);

/// What the questions of one store share. Those who ask of several stores need one for each.
#[derive(Debug, Default)]
pub struct Catalog {
    kept: Mutex<Option<Kept>>,
    /// Taken by whoever fetches, so that the others wait and do not fetch the same.
    pub(crate) fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Kept {
    known: Known,
    configured: Configured,
    version: PlacementVersion,
    checked: Instant,
}

/// What is known of hosts and guests.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// Where guests ran, and what hosts were like; without attributes of guests, which are most of it.
    pub placement: Arc<Placement>,
    /// Everything that a question may name.
    pub vocabulary: Arc<Vocabulary>,
}

/// What is known without asking the store.
#[derive(Debug, Clone)]
pub(crate) struct Configured {
    /// Labels by host.
    pub labels: Arc<HashMap<String, Attributes>>,
    /// Names of classes, and saved sets.
    pub vocabulary: Arc<Vocabulary>,
}

impl Known {
    /// With stays in any order, and hosts that are known beside them.
    pub fn new(configured: &Configured, stays: Vec<Stay>, hosts: Vec<String>) -> Known {
        let named = |guest: &String| !guest.is_empty();
        let of_stays: BTreeSet<String> = stays.iter().map(|stay| stay.host.clone()).collect();
        let guests = stays.iter().map(|stay| stay.guest.clone()).filter(named).collect();
        let placement = Placement::new(stays, Arc::clone(&configured.labels));
        let mut vocabulary = Vocabulary::clone(&configured.vocabulary);
        for label in placement.label_names() {
            if !vocabulary.labels.contains(label) {
                vocabulary.labels.insert(label.to_owned());
            }
        }
        vocabulary.guests = guests;
        vocabulary.hosts = of_stays;
        vocabulary.hosts.extend(hosts);
        vocabulary.hosts.extend(configured.labels.keys().cloned());
        Known { placement: Arc::new(placement), vocabulary: Arc::new(vocabulary) }
    }
}

impl Configured {
    fn is(&self, other: &Configured) -> bool {
        Arc::ptr_eq(&self.labels, &other.labels) && Arc::ptr_eq(&self.vocabulary, &other.vocabulary)
    }
}

impl Catalog {
    /// What is kept, if it is of this version.
    pub(crate) fn at_version(&self, configured: &Configured, version: &PlacementVersion) -> Option<Known> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_mut().filter(|kept| kept.configured.is(configured) && kept.version == *version)?;
        kept.checked = Instant::now();
        Some(kept.known.clone())
    }

    /// What is kept, whatever its version; and whether it has been compared with the store's a moment ago.
    pub(crate) fn latest(&self, configured: &Configured) -> Option<(Known, bool)> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = kept.as_ref().filter(|kept| kept.configured.is(configured))?;
        Some((kept.known.clone(), kept.checked.elapsed() < FRESH))
    }

    /// Keeps what has been fetched. `version`: of before it was fetched, so that what changed meanwhile is fetched again.
    pub(crate) fn keep(&self, configured: Configured, version: PlacementVersion, known: Known) {
        let kept = Kept { known, configured, version, checked: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    }
}
