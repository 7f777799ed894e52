//! Answers `what distinguishes guests|hosts with SET`: their attributes as of the event, against those of the others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::opening::{Opening, Wanted};
use crate::{
    answer::{DistinguishingAnswer, DistinguishingFigures, DistinguishingRow, Range},
    chance::{
        self,
        attributes::{self, Compared, Machine, Trait},
    },
    context::Asked,
    correlate::placement::{Placement, Stay},
    error::AskError,
    event::{NO_GUEST, Row},
    fetch::catalog,
    language::{Distinguishes, MachineKind},
    names::{Interner, Names},
};

pub(crate) async fn answer(
    asked: &Asked<'_>,
    question: &Distinguishes,
) -> Result<DistinguishingAnswer, AskError> {
    let bounds = &question.bounds;
    let with_attributes = true;
    let known = Arc::new(catalog::placement(asked.store, &asked.options.labels, with_attributes).await?);
    let asked = &Asked { placement: Arc::clone(&known), ..*asked };
    let wanted =
        Wanted { anchors: &question.anchors, partners: Vec::new(), bounds, by: None, compares: true };
    let none = Names::default();
    let opening = Opening::read(asked, wanted).await?;
    let (range, anchors, Names { hosts, guests, .. }) = match &opening {
        Some(Opening { context, anchors, .. }) => {
            let mut anchors = anchors.clone();
            context.only_at(bounds, &mut anchors);
            (context.range, anchors, &context.names)
        }
        None => (Range { from: asked.now_ns, to: asked.now_ns }, Vec::new(), &none),
    };
    let numbers = Interner::default();
    let machines: Vec<Machine> = match question.machines {
        MachineKind::Guests => {
            let first = first_of(anchors.iter().filter(|row| row.guest != NO_GUEST), |row| {
                guests.name(row.guest).to_owned()
            });
            let mut stays: HashMap<String, Vec<&Stay>> = HashMap::new();
            for stay in
                known.guests.iter().filter(|stay| stay.start_ns < range.to && stay.end_ns > range.from)
            {
                let guest = if stay.uuid.is_empty() {
                    format!("{}/{}", stay.host, stay.guest)
                } else {
                    stay.uuid.clone()
                };
                stays.entry(guest).or_default().push(stay);
            }
            let mut order: Vec<(&String, &Vec<&Stay>)> = stays.iter().collect();
            order.sort_by_key(|(guest, _)| *guest);
            let of = |(guest, stays): (&String, &Vec<&Stay>)| {
                let at_ns = first.get(guest).copied();
                // As it was when it happened; for the others, as it was last.
                let then = stays.iter().rev().find(|stay| at_ns.is_none_or(|at_ns| stay.start_ns <= at_ns));
                let stay = then.or(stays.first())?;
                let mut attributes = stay.attributes.clone();
                for (name, value) in of_host(&known, &stay.host, at_ns.unwrap_or(range.to)) {
                    attributes.entry(format!("host {name}")).or_insert(value);
                }
                Some((stay.host.clone(), Machine { host: 0, had: at_ns.is_some(), attributes }))
            };
            order
                .into_iter()
                .filter_map(of)
                .map(|(host, machine)| Machine { host: numbers.number(&host), ..machine })
                .collect()
        }
        MachineKind::Hosts => {
            let first = first_of(anchors.iter(), |row| hosts.name(row.host).to_owned());
            let placed = known.hosts.keys().chain(known.labels.keys()).cloned();
            let mut all: Vec<String> = placed.collect::<HashSet<String>>().into_iter().collect();
            all.sort();
            all.into_iter()
                .map(|host| {
                    let at_ns = first.get(&host).copied();
                    let attributes = of_host(&known, &host, at_ns.unwrap_or(range.to)).into_iter().collect();
                    Machine { host: numbers.number(&host), had: at_ns.is_some(), attributes }
                })
                .collect()
        }
    };
    let seed = chance::seed(asked.text, range.from, range.to);
    let compared = attributes::distinguish(&machines, seed);
    Ok(answer_of(asked, range, &machines, compared))
}

/// The first event of each machine.
fn first_of<'a>(rows: impl Iterator<Item = &'a Row>, name: impl Fn(&Row) -> String) -> HashMap<String, i64> {
    let mut first: HashMap<String, i64> = HashMap::new();
    for row in rows {
        let at = first.entry(name(row)).or_insert(row.start_ns);
        *at = (*at).min(row.start_ns);
    }
    first
}

/// What a host is like at an instant.
fn of_host(known: &Placement, host: &str, at_ns: i64) -> Vec<(String, String)> {
    let mut names: Vec<&str> = known.label_names().collect();
    names.sort_unstable();
    names.dedup();
    let label = |name: &str| known.label(host, name, at_ns.saturating_sub(1)).map(str::to_owned);
    names.into_iter().filter_map(|name| Some((name.to_owned(), label(name)?))).collect()
}

/// Such as `memory_mib ≥ 4096`.
fn name_trait(one: &Compared) -> String {
    match &one.is {
        Trait::Equal(value) => format!("{} = {value}", one.attribute),
        Trait::AtLeast(value) => format!("{} ≥ {value}", one.attribute),
    }
}

/// The answer with all of its rows.
fn answer_of(
    asked: &Asked<'_>,
    range: Range,
    machines: &[Machine],
    compared: Vec<Compared>,
) -> DistinguishingAnswer {
    let rows: Vec<DistinguishingRow> = compared
        .into_iter()
        .map(|compared| DistinguishingRow { words: name_trait(&compared), compared })
        .collect();
    let figures = DistinguishingFigures {
        machines: machines.len() as u64,
        with_events: machines.iter().filter(|machine| machine.had).count() as u64,
        attributes: rows.len() as u64,
    };
    let mut header = asked.header(range);
    header.matched = rows.iter().filter(|row| row.is_claimed()).count() as u64;
    let columns = ["trait", "with_had", "with_all", "without_had", "without_all", "ratio", "p", "q"];
    DistinguishingAnswer { header, figures, columns: columns.map(str::to_owned).to_vec(), rows }
}
