//! Chains of conditions in every scope, with guests that move between hosts and data that is still to come: the answer
//! is what a page of brute force says, word by word of the documentation.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::collections::{BTreeSet, HashMap};

use lastwords_query::{
    Attributes,
    chance::{OPEN, Relation},
    correlate::{
        comparison::{self, Comparison},
        conditions::{Evaluation, LATENESS_NS},
        placement::{Placement, Stay},
        scope::Numbered,
    },
    event::{NO_GUEST, Row},
    language::{Matches, Members, Near, Scope, Set},
    names::Names,
};
use proptest::prelude::*;

/// Instants are few, so that ties are frequent, and as far apart as lateness is long.
const TICK: i64 = LATENESS_NS;
const WATERMARK: i64 = 50 * TICK;
const HOSTS: [&str; 3] = ["hv01", "hv02", "hv03"];
const GUESTS: [&str; 3] = ["u1", "u2", "hv01/plain"];
const RACKS: [Option<&str>; 3] = [Some("b7"), Some("b7"), None];

#[derive(Debug, Clone)]
struct Event {
    id: u64,
    host: usize,
    guest: Option<usize>,
    start: i64,
    end: i64,
}

#[derive(Debug, Clone)]
struct Placed {
    guest: usize,
    host: usize,
    start: i64,
    end: i64,
}

fn span() -> impl Strategy<Value = (i64, i64)> {
    let length = prop_oneof![3 => Just(0_i64), 4 => 1..10_i64, 1 => Just(-1_i64)];
    (0..60_i64, length)
        .prop_map(|(start, length)| (start * TICK, if length < 0 { OPEN } else { (start + length) * TICK }))
}

fn events(first_id: u64) -> impl Strategy<Value = Vec<Event>> {
    let one = (0..HOSTS.len(), prop::option::weighted(0.6, 0..GUESTS.len()), span(), 0..30_u64);
    prop::collection::vec(one, 0..14).prop_map(move |found| {
        let mut events: Vec<Event> = found
            .into_iter()
            .map(|(host, guest, (start, end), id)| Event { id: first_id + id, host, guest, start, end })
            .collect();
        events.sort_by_key(|event| event.id);
        events.dedup_by_key(|event| event.id);
        events
    })
}

/// Guests that stay somewhere and move; two stays of one guest may overlap.
fn stays() -> impl Strategy<Value = Vec<Placed>> {
    let one = (0..2_usize, 0..HOSTS.len(), span());
    prop::collection::vec(one, 0..6).prop_map(|found| {
        let mut stays: Vec<Placed> =
            found.into_iter().map(|(guest, host, (start, end))| Placed { guest, host, start, end }).collect();
        // Two that begin together leave open which is the later one.
        stays.sort_by_key(|stay| (stay.guest, stay.start));
        stays.dedup_by_key(|stay| (stay.guest, stay.start));
        stays
    })
}

fn condition() -> impl Strategy<Value = (bool, Relation, i64, Scope)> {
    let relation = prop_oneof![Just(Relation::After), Just(Relation::Before), Just(Relation::Of)];
    let scope = prop_oneof![
        Just(Scope::Host),
        Just(Scope::Guest),
        Just(Scope::Label("rack".to_owned())),
        Just(Scope::Anywhere)
    ];
    (any::<bool>(), relation, 0..6_i64, scope)
        .prop_map(|(negated, relation, within, scope)| (negated, relation, within * TICK, scope))
}

/// The host that an event is on: of the stays of its guest that hold then, one on the host that it came from, else the
/// latest begun; without any, the host that it came from.
fn host_of(event: &Event, stays: &[Placed]) -> usize {
    let holds = |stay: &&Placed| {
        Some(stay.guest) == event.guest && stay.start <= event.start && event.start < stay.end
    };
    let current: Vec<&Placed> = stays.iter().filter(holds).collect();
    let at_home = current.iter().find(|stay| stay.host == event.host);
    at_home.or(current.iter().max_by_key(|stay| stay.start)).map_or(event.host, |stay| stay.host)
}

/// What an event is compared on.
fn unit(event: &Event, scope: &Scope, stays: &[Placed]) -> Option<String> {
    match scope {
        Scope::Host => Some(HOSTS[host_of(event, stays)].to_owned()),
        Scope::Guest => event.guest.map(|guest| GUESTS[guest].to_owned()),
        Scope::Label(_) => RACKS[host_of(event, stays)].map(str::to_owned),
        Scope::Anywhere => Some(String::new()),
    }
}

/// Whether a condition holds; none where it is too early to tell.
fn holds(near: &Near, anchor: &Event, partners: &[Event], stays: &[Placed]) -> Option<bool> {
    let (a, d) = (anchor, i128::from(near.within_ns));
    let has_partner = partners.iter().any(|p| {
        let (a_start, a_end) = (i128::from(a.start), i128::from(a.end));
        let (p_start, p_end) = (i128::from(p.start), i128::from(p.end));
        let after = p_start <= a_start && a_start <= p_end + d;
        let before = a_start <= p_start && p_start <= a_end + d;
        let near_in_time = match near.relation {
            Relation::After => after,
            Relation::Before => before,
            Relation::Of => after || before,
        };
        let unit_of_anchor = unit(a, &near.scope, stays);
        near_in_time
            && a.id != p.id
            && unit_of_anchor.is_some()
            && unit_of_anchor == unit(p, &near.scope, stays)
    });
    if has_partner {
        return Some(!near.negated);
    }
    let looks_ahead = near.relation != Relation::After;
    let closes = if !looks_ahead {
        i128::from(a.start)
    } else if a.end == OPEN {
        if near.negated { i128::MAX } else { i128::from(WATERMARK.max(a.start)) + d }
    } else {
        i128::from(a.end) + d
    };
    if near.negated {
        // Absence is told when the window has closed and late data had its time.
        (closes <= i128::from(WATERMARK - LATENESS_NS)).then_some(true)
    } else {
        (!looks_ahead || closes <= i128::from(WATERMARK)).then_some(false)
    }
}

fn set() -> Set {
    Set { members: Members::Text(String::new()), words: String::new(), place: 0..0 }
}

fn rows(events: &[Event], names: &Names) -> Vec<Row> {
    let Names { hosts, guests, .. } = names;
    let one = |event: &Event| Row {
        unit: 0,
        host: hosts.number(HOSTS[event.host]),
        guest: event.guest.map_or(NO_GUEST, |guest| guests.number(GUESTS[guest])),
        key: 0,
        start_ns: event.start,
        end_ns: event.end,
        id: event.id,
    };
    events.iter().map(one).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_chain_is_answered_as_brute_force_answers_it(
        anchors in events(0),
        // Some events stand on both sides.
        partners in prop::collection::vec(prop_oneof![2 => events(1_000), 1 => events(0)], 3),
        stays in stays(),
        conditions in prop::collection::vec(condition(), 0..4),
        // So many partners come at once.
        piece in 1..15_usize,
    ) {
        let conditions: Vec<Near> = conditions
            .into_iter()
            .map(|(negated, relation, within_ns, scope)| {
                Near { negated, relation, within_ns, partners: set(), scope }
            })
            .collect();
        // An event that is on both sides is the same event.
        let same = |event: &Event| anchors.iter().find(|anchor| anchor.id == event.id).unwrap_or(event).clone();
        let partners: Vec<Vec<Event>> =
            partners.iter().map(|events| events.iter().map(same).collect()).collect();
        let labels = HOSTS.iter().zip(RACKS).filter_map(|(host, rack)| {
            Some(((*host).to_owned(), Attributes::from([("rack".to_owned(), rack?.to_owned())])))
        });
        let placed = stays.iter().map(|stay| Stay {
            host: HOSTS[stay.host].to_owned(),
            guest: format!("name of {}", GUESTS[stay.guest]),
            uuid: GUESTS[stay.guest].to_owned(),
            start_ns: stay.start,
            end_ns: stay.end,
            attributes: Attributes::new(),
        });
        let placement = Placement::new(placed.collect(), labels.collect::<HashMap<_, _>>());
        let names = Names::default();
        let mut anchor_rows = rows(&anchors, &names);
        placement.place(&mut anchor_rows, &names);
        let partner_rows: Vec<Vec<Row>> = partners
            .iter()
            .take(conditions.len())
            .map(|events| {
                let mut rows = rows(events, &names);
                placement.place(&mut rows, &names);
                rows
            })
            .collect();
        let question = Matches { anchors: set(), conditions, bounds: Default::default(), by: None, pick: None };
        let numbered = Numbered { hosts: &names.hosts, guests: names.guests.len(), placement: &placement };
        let mut evaluation = Evaluation::new(&question, anchor_rows, WATERMARK);
        while let Some((at, rows)) = evaluation.condition() {
            let near = &question.conditions[at];
            let mut comparison = Comparison::new(near, rows.clone(), numbered, WATERMARK, true);
            partner_rows[at].chunks(piece).for_each(|rows| comparison.add(rows.to_vec(), numbered));
            let side = comparison.finish(numbered);
            let again = &mut Comparison::new(near, rows, numbered, WATERMARK, false);
            let mut pairs: Vec<_> =
                partner_rows[at].chunks(piece).flat_map(|rows| again.pairs(rows.to_vec(), numbered)).collect();
            pairs.sort_by_key(|(id, partner)| (*id, partner.id));
            let counted: u64 = side.found.matches.iter().map(|one| u64::from(one.partners)).sum();
            prop_assert_eq!(pairs.len() as u64, counted);
            let kept = side.partners.iter().flatten();
            let mut kept: Vec<_> =
                kept.flat_map(|piece| comparison::pairs(near, &side.anchors, piece)).collect();
            kept.sort_by_key(|(id, partner)| (*id, partner.id));
            prop_assert_eq!(kept, pairs);
            evaluation.take(side);
        }
        let found = evaluation.finish(names.hosts.len());
        let matched: BTreeSet<u64> =
            found.main.found.matches.iter().map(|one| found.main.anchors.id[one.anchor as usize]).collect();
        prop_assert_eq!(matched.len(), found.main.found.matches.len(), "each is counted once");
        let expected: BTreeSet<u64> = anchors
            .iter()
            .filter(|anchor| {
                let mut all = question.conditions.iter().zip(&partners);
                all.all(|(near, partners)| holds(near, anchor, partners, &stays) == Some(true))
            })
            .map(|anchor| anchor.id)
            .collect();
        // What a scope says nothing of is left out where chance is told of it, and has no partner elsewhere.
        let without_unit = |id: &u64| {
            let anchor = anchors.iter().find(|anchor| anchor.id == *id).unwrap();
            question.near().is_some_and(|near| unit(anchor, &near.scope, &stays).is_none())
        };
        let expected: BTreeSet<u64> = expected.into_iter().filter(|id| !without_unit(id)).collect();
        prop_assert_eq!(matched, expected);

        // Where nothing near was asked for, what may still come is neither counted as near nor as not near.
        let Some(main) = question.main().filter(|at| question.conditions[*at].negated) else { return Ok(()) };
        let undecided: BTreeSet<u64> =
            found.main.undecided.iter().map(|row| found.main.anchors.id[*row as usize]).collect();
        let expected: BTreeSet<u64> = anchors
            .iter()
            .filter(|anchor| {
                (0..question.conditions.len()).all(|at| {
                    let holds = holds(&question.conditions[at], anchor, &partners[at], &stays);
                    holds == (at != main).then_some(true)
                })
            })
            .map(|anchor| anchor.id)
            .filter(|id| !without_unit(id))
            .collect();
        prop_assert_eq!(undecided, expected);
    }
}
