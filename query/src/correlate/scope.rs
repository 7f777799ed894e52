//! On which unit a question compares: each event's host, its guest, a label's value, or everything.

use std::collections::HashMap;

use super::placement::Placement;
use crate::{
    event::{NO_GUEST, Row},
    language::Scope,
    names::Interner,
};

/// What units are numbered by.
#[derive(Clone, Copy)]
pub struct Numbered<'a> {
    /// Names of hosts.
    pub hosts: &'a Interner,
    /// How many guests there are.
    pub guests: u32,
    /// Labels.
    pub placement: &'a Placement,
}

/// Numbers for values of a label.
#[derive(Debug, Default, Clone)]
pub struct LabelUnits {
    values: HashMap<String, u32>,
}

impl LabelUnits {
    /// The unit of a host at an instant; none where it has no such label.
    fn number(&mut self, placement: &Placement, host: &str, label: &str, time_ns: i64) -> Option<u32> {
        let value = placement.label(host, label, time_ns)?;
        if let Some(number) = self.values.get(value) {
            return Some(*number);
        }
        let number = self.count();
        self.values.insert(value.to_owned(), number);
        Some(number)
    }

    /// How many values were met.
    fn count(&self) -> u32 {
        u32::try_from(self.values.len()).unwrap_or(u32::MAX)
    }
}

/// Units are numbered below this.
pub(crate) fn count_units(scope: &Scope, numbered: Numbered<'_>, labels: &LabelUnits) -> u32 {
    match scope {
        Scope::Host => numbered.hosts.len(),
        Scope::Guest => numbered.guests,
        Scope::Label(_) => labels.count(),
        Scope::Anywhere => 1,
    }
}

/// Sets the unit of each event; those without one go.
pub(crate) fn set_units(
    mut rows: Vec<Row>,
    scope: &Scope,
    numbered: Numbered<'_>,
    labels: &mut LabelUnits,
) -> Vec<Row> {
    match scope {
        Scope::Host => rows.iter_mut().for_each(|row| row.unit = row.host),
        Scope::Anywhere => rows.iter_mut().for_each(|row| row.unit = 0),
        Scope::Guest => {
            // What happened to a host itself happened on no guest.
            rows.retain_mut(|row| {
                row.unit = row.guest;
                row.guest != NO_GUEST
            });
        }
        Scope::Label(label) => rows.retain_mut(|row| {
            let host = numbered.hosts.name(row.host);
            let unit = labels.number(numbered.placement, host, label, row.start_ns);
            row.unit = unit.unwrap_or_default();
            unit.is_some()
        }),
    }
    rows
}
