//! Answers `what distinguishes guests|hosts with SET`: their attributes as of the event, against those of the others.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::opening::{Opening, Wanted};
use crate::{
    answer::{Listing, Range, row},
    chance::{
        self,
        attributes::{self, Compared, Machine, Trait},
        discover::RATE,
    },
    context::Asked,
    correlate::placement::{Placement, Stay},
    error::AskError,
    event::{NO_GUEST, Row},
    fetch::catalog,
    language::{Distinguishes, MachineKind},
    names::{Interner, Names},
    words::{numbers::grouped, set::name_set},
};

/// Rows listed unless told otherwise.
const ROWS: usize = 20;

pub(crate) async fn answer(asked: &Asked<'_>, question: Distinguishes) -> Result<Listing, AskError> {
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
    Ok(told(asked, &question, range, &machines, &compared))
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

fn words(one: &Compared) -> String {
    match &one.is {
        Trait::Equal(value) => format!("{} = {value}", one.attribute),
        Trait::AtLeast(value) => format!("{} ≥ {value}", one.attribute),
    }
}

fn told(
    asked: &Asked<'_>,
    question: &Distinguishes,
    range: Range,
    machines: &[Machine],
    compared: &[Compared],
) -> Listing {
    let kind = match question.machines {
        MachineKind::Guests => "guests",
        MachineKind::Hosts => "hosts",
    };
    let what = name_set(&question.anchors);
    let had = machines.iter().filter(|machine| machine.had).count();
    let claimed: Vec<&Compared> = compared.iter().filter(|one| one.q.is_some_and(|q| q <= RATE)).collect();
    let of = |one: &Compared| {
        format!(
            "{} ({} of {} with it had them, {} of {} without)",
            words(one),
            grouped(one.with_had),
            grouped(one.with_all),
            grouped(one.without_had),
            grouped(one.without_all)
        )
    };
    let mut notes = Vec::new();
    let sentence = if machines.is_empty() {
        notes.push(
            "`lastwords placement import` takes libvirt's XML, `xl list -l` or CSV; labels of hosts may also stand in the \
             configuration."
                .to_owned(),
        );
        format!("Nothing is known of what {kind} are like, so nothing distinguishes them.")
    } else if had == 0 {
        format!(
            "None of the {} {kind} that something is known of had {what}.",
            grouped(machines.len() as u64)
        )
    } else {
        match claimed.as_slice() {
            [] => format!(
                "Of {} attributes none distinguishes the {} {kind} with {what} from the other {} beyond chance.",
                grouped(compared.len() as u64),
                grouped(had as u64),
                grouped((machines.len() - had) as u64)
            ),
            [one, rest @ ..] => {
                let more = match rest.len() {
                    0 => String::new(),
                    1 => "; 1 more below".to_owned(),
                    more => format!("; {more} more below"),
                };
                format!("{} {kind} with {what} stand out by {}{more}.", grouped(had as u64), of(one))
            }
        }
    };
    if compared.iter().any(|one| one.p.is_none()) && had > 0 {
        notes.push(
            "Attributes that all machines of a host share cannot be judged with fewer than 6 hosts."
                .to_owned(),
        );
    }
    let limit = asked.options.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(ROWS);
    Listing {
        question: asked.text.to_owned(),
        range,
        time_zone: asked.options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
        matched: claimed.len() as u64,
        sentence,
        notes,
        figures: row(
            serde_json::json!({ "machines": machines.len(), "with_events": had, "attributes": compared.len() }),
        ),
        columns: vec!["trait", "with_had", "with_all", "without_had", "without_all", "ratio", "p", "q"],
        truncated: compared.len() > limit,
        rows: compared
            .iter()
            .take(limit)
            .map(|one| {
                let mut line = row(one);
                line.insert("trait".to_owned(), words(one).into());
                line
            })
            .collect(),
    }
}
