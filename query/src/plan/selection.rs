//! The question as selections: each of its sets becomes columns of numbers, and nothing is joined in the store.
//!
//! A set is fetched as (host, start, end, id) by a range of its table's key, latest versions only. 5 million rows of
//! these are some 130 MB and sort themselves into hosts in a counting pass, after which one sweep gives the matches
//! and the very windows that the statistics need; a join in the store would give the matches alone.

use lastwords_store::select::{EventSelection, Hosts, Key, Members as Selected, Times};

use super::narrow::Narrow;
use crate::{
    chance::Relation,
    event::Row,
    language::{Bounds, Grouping, Members, Near, Set},
};

/// What decides how partners are fetched, beside their condition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Partners<'a> {
    /// Whether their guests matter.
    pub guest: bool,
    /// Whether events of guests may be of another host than they name.
    pub moving: bool,
    /// What they are narrowed to.
    pub narrow: &'a Narrow,
}

/// The events asked for: those that start in the range. `by`: what they are counted by.
pub(crate) fn anchors(set: &Set, bounds: &Bounds, by: Option<&Grouping>) -> EventSelection {
    let times = Times { start_from_ns: bounds.from_ns, start_before_ns: bounds.to_ns, end_from_ns: None };
    let key = match by {
        Some(Grouping::Guest) => Some(Key::Guest),
        Some(Grouping::Class) => Some(Key::Class),
        Some(Grouping::Title) => Some(Key::Title),
        // The host comes anyway, and the time makes the others.
        _ => None,
    };
    EventSelection { times, guest: true, key, clock: true, ..EventSelection::new(members(set)) }
}

/// The members of a set, as the store selects them.
pub(crate) fn members(set: &Set) -> Selected {
    match &set.members {
        Members::Class(class) => Selected::Class(class.clone()),
        Members::Classes(classes) => Selected::Classes(classes.clone()),
        Members::Text(text) => Selected::Text(text.clone()),
        Members::Predicate(predicate) => Selected::Predicate(predicate.clone()),
    }
}

/// The partners that anchors of the range, or the windows in which chance looks for them, can have.
pub(crate) fn partners(near: &Near, bounds: &Bounds, how: Partners<'_>) -> EventSelection {
    how.select(members(&near.partners), times_in_range(near, bounds), None)
}

/// The partners that these anchors can have; none without anchors.
pub(crate) fn partners_of(near: &Near, anchors: &[Row], how: Partners<'_>) -> Option<EventSelection> {
    Some(how.select(members(&near.partners), times_around(near, anchors)?, None))
}

impl Partners<'_> {
    fn select(self, members: Selected, times: Times, key: Option<Key>) -> EventSelection {
        let hosts = self.narrow.hosts.clone().map(|names| Hosts { names, or_guests: self.moving });
        let buckets_s = self.narrow.buckets_s.clone();
        EventSelection { times, hosts, buckets_s, guest: self.guest, key, ..EventSelection::new(members) }
    }
}

/// Those begun before the range count while they reach into it.
fn times_in_range(near: &Near, bounds: &Bounds) -> Times {
    let start_before_ns = match near.relation {
        Relation::After => bounds.to_ns,
        // An anchor may last beyond the range and a partner begin during it.
        Relation::Before | Relation::Of => None,
    };
    let end_from_ns = bounds.from_ns.map(|from_ns| from_ns.saturating_sub(near.within_ns));
    Times { start_from_ns: None, start_before_ns, end_from_ns }
}

/// When partners of these anchors can be; none without anchors.
fn times_around(near: &Near, anchors: &[Row]) -> Option<Times> {
    let first_ns = anchors.iter().map(|row| row.start_ns).min()?;
    let last_ns = match near.relation {
        Relation::After => anchors.iter().map(|row| row.start_ns).max()?,
        Relation::Before | Relation::Of => {
            anchors.iter().map(|row| row.end_ns).max()?.saturating_add(near.within_ns)
        }
    };
    Some(Times {
        start_from_ns: None,
        start_before_ns: last_ns.checked_add(1),
        end_from_ns: Some(first_ns.saturating_sub(near.within_ns)),
    })
}

/// Several sets in one selection, each row with the class or template that it is of as its key.
#[derive(Debug, Clone)]
pub(crate) enum Several {
    /// Classes, each with all below it.
    Classes(Vec<String>),
    /// Message templates, by fingerprint.
    Templates(Vec<u64>),
}

impl Several {
    /// Whether a row with this key is of the set at a place.
    pub fn has(&self, at: usize, key: &str) -> bool {
        match self {
            Several::Classes(classes) => classes.get(at).is_some_and(|class| {
                key.strip_prefix(class.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }),
            Several::Templates(templates) => templates.get(at).is_some_and(|one| key.parse() == Ok(*one)),
        }
    }

    /// How many sets.
    pub fn len(&self) -> usize {
        match self {
            Several::Classes(classes) => classes.len(),
            Several::Templates(templates) => templates.len(),
        }
    }

    /// Those at these places.
    pub fn only(&self, places: &[usize]) -> Several {
        match self {
            Several::Classes(all) => {
                Several::Classes(places.iter().filter_map(|at| all.get(*at)).cloned().collect())
            }
            Several::Templates(all) => {
                Several::Templates(places.iter().filter_map(|at| all.get(*at)).copied().collect())
            }
        }
    }

    /// As [`partners`], of each.
    pub fn partners(&self, near: &Near, bounds: &Bounds, how: Partners<'_>) -> EventSelection {
        let (members, key) = match self {
            Several::Classes(classes) => (Selected::Classes(classes.clone()), Key::Class),
            Several::Templates(templates) => (Selected::Templates(templates.clone()), Key::Template),
        };
        how.select(members, times_in_range(near, bounds), Some(key))
    }
}
