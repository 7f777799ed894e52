//! Which host ran a guest when, and what hosts and guests were like: table `placement`, and labels from configuration.
//!
//! A row of `placement` with a guest is a stay of it on a host; one without is the host itself, with its attributes.
//! An event belongs to the host that ran its guest when it began. Where no stay says so, to the host that it came from.
//!
//! What `import --host hv01 --guest web07` of a console tells is a stay, too, but a weaker one: it was seen there while it
//! wrote. It places the guest's own log, whose host is the guest itself, and nothing else; stays that were imported as such
//! go before it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use lastwords_record::FOUND_BY;
pub use lastwords_store::select::Stay;

use crate::{
    event::{NO_GUEST, Row},
    language::{Place, PlaceKind},
    names::{Interner, Names},
};

/// Attributes of a host or guest by name.
pub type Attributes = BTreeMap<String, String>;

/// What is known of hosts and guests: where guests ran, and what hosts were like.
#[derive(Debug, Clone, Default)]
pub struct Placement {
    /// Stays of guests, by guest and start.
    pub guests: Vec<Stay>,
    /// Where guests were seen, by name and start; one stay where they were seen on one host several times in a row.
    pub seen: Vec<Stay>,
    /// Times of hosts, by host and start.
    pub hosts: HashMap<String, Vec<Stay>>,
    /// Labels that hold at any time, by host: from configuration. What `placement` says goes before them.
    pub labels: Arc<HashMap<String, Attributes>>,
    /// Places in `guests` of the stays of guests with a name.
    by_name: HashMap<String, Vec<usize>>,
}

impl Placement {
    /// From rows of `placement` in any order.
    pub fn new(rows: Vec<Stay>, labels: impl Into<Arc<HashMap<String, Attributes>>>) -> Placement {
        let mut placement = Placement { labels: labels.into(), ..Placement::default() };
        for row in rows {
            if row.attributes.contains_key(FOUND_BY) {
                placement.seen.push(row);
            } else if row.guest.is_empty() && row.uuid.is_empty() {
                placement.hosts.entry(row.host.clone()).or_default().push(row);
            } else {
                placement.guests.push(row);
            }
        }
        placement.hosts.values_mut().for_each(|times| times.sort_by_key(|time| time.start_ns));
        placement.guests.sort_by(|a, b| {
            (&a.uuid, &a.guest, a.start_ns, &a.host).cmp(&(&b.uuid, &b.guest, b.start_ns, &b.host))
        });
        placement.seen.sort_by(|a, b| (&a.guest, a.start_ns, &a.host).cmp(&(&b.guest, b.start_ns, &b.host)));
        placement.seen.dedup_by(|next, stay| {
            let same = next.guest == stay.guest && next.host == stay.host;
            if same {
                stay.end_ns = stay.end_ns.max(next.end_ns);
            }
            same
        });
        for (at, stay) in placement.guests.iter().enumerate().filter(|(_, stay)| !stay.guest.is_empty()) {
            placement.by_name.entry(stay.guest.clone()).or_default().push(at);
        }
        placement
    }

    /// Whether events of guests may be of another host than the one that they came from.
    pub fn moves(&self) -> bool {
        !self.guests.is_empty() || !self.seen.is_empty()
    }

    /// Names of all labels of hosts.
    pub fn label_names(&self) -> impl Iterator<Item = &str> {
        let placed = self.hosts.values().flatten().map(|time| &time.attributes);
        placed.chain(self.labels.values()).flat_map(|attributes| attributes.keys().map(String::as_str))
    }

    /// A host's label at an instant.
    pub fn label(&self, host: &str, label: &str, time_ns: i64) -> Option<&str> {
        let placed = self.hosts.get(host).and_then(|times| {
            let current = times.iter().rev().filter(|time| time.start_ns <= time_ns && time_ns < time.end_ns);
            current.filter_map(|time| time.attributes.get(label)).next()
        });
        placed.or_else(|| self.labels.get(host)?.get(label)).map(String::as_str)
    }

    /// A guest's name, given what tells it from others: its UUID, or `host/name`.
    pub fn guest_name<'a>(&'a self, guest: &'a str) -> &'a str {
        if let Some((_, name)) = guest.split_once('/') {
            return name;
        }
        let names = self.with_uuid(guest).map(|stay| stay.guest.as_str());
        names.filter(|name| !name.is_empty()).last().unwrap_or(guest)
    }

    /// The stays of the guest with a UUID.
    fn with_uuid(&self, uuid: &str) -> impl Iterator<Item = &Stay> {
        let at = self.guests.partition_point(|stay| stay.uuid.as_str() < uuid);
        self.guests.get(at..).unwrap_or_default().iter().take_while(move |stay| stay.uuid == uuid)
    }

    /// The stays of a guest, which is named by its UUID, or by `host/name` where that is not known.
    fn stays(&self, guest: &str) -> Vec<&Stay> {
        let Some((host, name)) = guest.split_once('/') else { return self.with_uuid(guest).collect() };
        let places = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        let named = || places.iter().filter_map(|at| self.guests.get(*at));
        // One guest of this name in the whole fleet: it is that one, wherever it is said to have written.
        let Some(first) = named().next() else { return Vec::new() };
        if !first.uuid.is_empty() && named().all(|stay| stay.uuid == first.uuid) {
            return named().collect();
        }
        named().filter(|stay| stay.host == host).collect()
    }

    /// Sets the host, and the guest where its name alone was known, of each event of a guest.
    pub fn place(&self, rows: &mut [Row], names: &Names) {
        if !self.moves() {
            return;
        }
        let Names { hosts, guests, .. } = names;
        let mut known: HashMap<u32, Vec<&Stay>> = HashMap::new();
        for row in rows.iter_mut().filter(|row| row.guest != NO_GUEST) {
            let stays = known.entry(row.guest).or_insert_with(|| self.stays(guests.name(row.guest)));
            if let Some(stay) = at(stays, hosts.name(row.host), row.start_ns) {
                if hosts.name(row.host) != stay.host {
                    row.host = hosts.number(&stay.host);
                }
                if !stay.uuid.is_empty() && guests.name(row.guest) != stay.uuid {
                    row.guest = guests.number(&stay.uuid);
                }
            } else if let Some(stay) = self.seen_at(guests.name(row.guest), row.start_ns) {
                row.host = hosts.number(&stay.host);
                row.guest = guests.number(&format!("{}/{}", stay.host, stay.guest));
            }
        }
    }

    /// Where a guest was seen whose own log an event is of: `name/name`. None where it was seen on several hosts then, which
    /// are guests of one name.
    fn seen_at(&self, guest: &str, time_ns: i64) -> Option<&Stay> {
        let (host, name) = guest.split_once('/')?;
        if host != name {
            return None;
        }
        let from = self.seen.partition_point(|stay| stay.guest.as_str() < name);
        let named = self.seen.get(from..)?.iter().take_while(|stay| stay.guest == name);
        let mut then = named.filter(|stay| stay.start_ns <= time_ns && time_ns < stay.end_ns);
        let stay = then.next()?;
        then.all(|other| other.host == stay.host).then_some(stay)
    }

    /// Keeps the events of the places that are asked about.
    pub fn only_at(&self, places: &[Place], rows: &mut Vec<Row>, hosts: &Interner, guests: &Interner) {
        for place in places {
            let values: HashSet<&str> = place.values.iter().map(String::as_str).collect();
            let is = |value: &str| values.contains(value);
            rows.retain(|row| {
                let there = match &place.of {
                    PlaceKind::Host => is(hosts.name(row.host)),
                    PlaceKind::Guest => {
                        let guest = guests.name(row.guest);
                        is(guest) || is(self.guest_name(guest))
                    }
                    PlaceKind::Label(label) => {
                        self.label(hosts.name(row.host), label, row.start_ns).is_some_and(is)
                    }
                };
                there != place.except
            });
        }
    }
}

/// The stay at an instant: where there are several, as in a migration, the one on the host that the event came from,
/// else the latest begun.
fn at<'a>(stays: &[&'a Stay], host: &str, time_ns: i64) -> Option<&'a Stay> {
    let current = || stays.iter().filter(|stay| stay.start_ns <= time_ns && time_ns < stay.end_ns).copied();
    current().find(|stay| stay.host == host).or_else(|| current().max_by_key(|stay| stay.start_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::OPEN;

    fn stay(host: &str, guest: &str, uuid: &str, start_ns: i64, end_ns: i64) -> Stay {
        let (host, guest, uuid) = (host.to_owned(), guest.to_owned(), uuid.to_owned());
        Stay { host, guest, uuid, start_ns, end_ns, attributes: Attributes::new() }
    }

    /// The host and guest that an event at a time is placed on.
    fn placed(stays: Vec<Stay>, host: &str, guest: &str, start_ns: i64) -> (String, String) {
        let names = Names::default();
        let (host, guest) = (names.hosts.number(host), names.guests.number(guest));
        let mut rows = [Row { unit: 0, host, guest, key: 0, start_ns, end_ns: start_ns, id: 1 }];
        Placement::new(stays, HashMap::new()).place(&mut rows, &names);
        (names.hosts.name(rows[0].host).to_owned(), names.guests.name(rows[0].guest).to_owned())
    }

    #[test]
    fn an_event_belongs_to_the_host_that_ran_its_guest_then() {
        let moved = vec![
            stay("hv01", "web", "u1", 0, 100),
            stay("hv02", "web", "u1", 100, OPEN),
            stay("hv01", "db", "u2", 0, OPEN),
        ];
        for (host, guest, time, expected) in [
            ("web", "u1", 0, ("hv01", "u1")),
            ("web", "u1", 99, ("hv01", "u1")),
            ("web", "u1", 100, ("hv02", "u1")),
            ("web", "u1", -1, ("web", "u1")),
            ("hv01", "hv01/web", 5, ("hv01", "u1")),
            ("web", "web/web", 500, ("hv02", "u1")),
            ("hv09", "hv09/other", 5, ("hv09", "hv09/other")),
        ] {
            let (found_host, found_guest) = placed(moved.clone(), host, guest, time);
            assert_eq!((found_host.as_str(), found_guest.as_str()), expected, "{host} {guest} {time}");
        }
    }

    #[test]
    fn during_a_migration_the_host_that_has_the_console_counts_and_equal_names_stay_apart() {
        let both = vec![stay("hv01", "web", "u1", 0, 120), stay("hv02", "web", "u1", 100, OPEN)];
        assert_eq!(placed(both.clone(), "hv01", "u1", 110).0, "hv01");
        assert_eq!(placed(both.clone(), "hv02", "u1", 110).0, "hv02");
        assert_eq!(placed(both, "web", "u1", 110).0, "hv02");
        let twins = vec![stay("hv01", "web", "u1", 0, OPEN), stay("hv02", "web", "u2", 0, OPEN)];
        assert_eq!(placed(twins.clone(), "hv02", "hv02/web", 5), ("hv02".into(), "u2".into()));
        assert_eq!(placed(twins, "web", "web/web", 5), ("web".into(), "web/web".into()));
    }

    #[test]
    fn a_guests_own_log_is_of_the_host_on_which_the_guest_was_seen() {
        let seen = |host: &str, guest: &str, start_ns, end_ns| {
            let mut stay = stay(host, guest, "", start_ns, end_ns);
            stay.attributes.insert(FOUND_BY.to_owned(), "import".to_owned());
            stay
        };
        // Twice on hv01, with a pause, then on hv02; and two guests of one name.
        let stays = vec![
            seen("hv01", "web", 0, 10),
            seen("hv01", "web", 50, 100),
            seen("hv02", "web", 150, 200),
            seen("hv01", "db", 0, 100),
            seen("hv02", "db", 50, 100),
            seen("hv03", "mail", 0, 100),
            stay("hv04", "mail", "u9", 0, 60),
        ];
        for (host, guest, time, expected) in [
            ("web", "web/web", 30, ("hv01", "hv01/web")),
            ("web", "web/web", 99, ("hv01", "hv01/web")),
            ("web", "web/web", 120, ("web", "web/web")),
            ("web", "web/web", 150, ("hv02", "hv02/web")),
            ("hv09", "hv09/web", 30, ("hv09", "hv09/web")),
            ("db", "db/db", 30, ("hv01", "hv01/db")),
            ("db", "db/db", 70, ("db", "db/db")),
            ("mail", "mail/mail", 30, ("hv04", "u9")),
            ("mail", "mail/mail", 70, ("hv03", "hv03/mail")),
        ] {
            let (found_host, found_guest) = placed(stays.clone(), host, guest, time);
            assert_eq!((found_host.as_str(), found_guest.as_str()), expected, "{guest} {time}");
        }
    }

    #[test]
    fn labels_are_those_of_the_time_and_else_the_configured() {
        let mut host = stay("hv01", "", "", 100, 200);
        host.attributes.insert("rack".into(), "b7".into());
        let configured = HashMap::from([(
            "hv01".to_owned(),
            Attributes::from([("rack".into(), "a1".into()), ("zone".into(), "north".into())]),
        )]);
        let placement = Placement::new(vec![host], configured);
        for (label, time, expected) in [
            ("rack", 100, Some("b7")),
            ("rack", 199, Some("b7")),
            ("rack", 200, Some("a1")),
            ("zone", 150, Some("north")),
            ("row", 150, None),
        ] {
            assert_eq!(placement.label("hv01", label, time), expected, "{label} {time}");
        }
        assert_eq!(placement.label("hv02", "rack", 0), None);
        let mut names: Vec<&str> = placement.label_names().collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names, ["rack", "zone"]);
    }
}
