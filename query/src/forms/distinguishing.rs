//! Answers `what distinguishes guests|hosts with SET`: their attributes as of the event, against those of the others.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::opening::{Opening, Wanted};
use crate::{
    answer::{DistinguishingAnswer, DistinguishingFigures, DistinguishingRow, Range},
    chance::{
        self,
        attributes::{self, Compared, Machine, Trait},
    },
    context::{Asked, compute},
    correlate::placement::{Attributes, Placement, Stay},
    error::AskError,
    event::{NO_GUEST, Row},
    fetch::catalog::fetch_placement_whole,
    language::{Bounds, Distinguishes, MachineKind},
    names::Interner,
};

/// Answers it with all of its rows.
pub(crate) async fn answer(
    asked: &Asked<'_>,
    question: &Distinguishes,
) -> Result<DistinguishingAnswer, AskError> {
    let bounds = &question.bounds;
    let placement = Arc::new(fetch_placement_whole(asked.store, asked.options).await?);
    let asked = &Asked { placement, ..*asked };
    let wanted =
        Wanted { anchors: &question.anchors, partners: Vec::new(), bounds, by: None, compares: true };
    let opening = Opening::read(asked, wanted).await?;
    let never = Range { from: asked.now_ns, to: asked.now_ns };
    let range = opening.as_ref().map_or(never, |opening| opening.context.range);
    let seed = chance::seed(asked.text, range.from, range.to);
    let (placement, bounds, kind) = (Arc::clone(&asked.placement), bounds.clone(), question.machines);
    let (machines, compared) = compute(move || {
        let first = opening.map(|opening| first_events(opening, &bounds, kind)).unwrap_or_default();
        let machines = match kind {
            MachineKind::Guests => guests(&placement, &first, range),
            MachineKind::Hosts => hosts(&placement, &first, range),
        };
        let compared = attributes::distinguish(&machines, seed);
        (machines, compared)
    })
    .await?;
    Ok(answer_of(asked, range, &machines, compared))
}

/// The start of the first event of each machine: of guests by UUID, or by `host/name`.
fn first_events(opening: Opening, bounds: &Bounds, kind: MachineKind) -> HashMap<String, i64> {
    let Opening { context, mut anchors, .. } = opening;
    context.only_at(bounds, &mut anchors);
    let number = |row: &Row| match kind {
        MachineKind::Guests => row.guest,
        MachineKind::Hosts => row.host,
    };
    let mut first: HashMap<u32, i64> = HashMap::new();
    for row in anchors.iter().filter(|row| number(row) != NO_GUEST) {
        let at = first.entry(number(row)).or_insert(row.start_ns);
        *at = (*at).min(row.start_ns);
    }
    let names = match kind {
        MachineKind::Guests => &context.names.guests,
        MachineKind::Hosts => &context.names.hosts,
    };
    first.into_iter().map(|(number, start_ns)| (names.name(number).to_owned(), start_ns)).collect()
}

/// Guests that stayed somewhere in a range, each as it was when it had its event; the others as they were last.
fn guests(placement: &Placement, first: &HashMap<String, i64>, range: Range) -> Vec<Machine> {
    let mut stays: BTreeMap<String, Vec<&Stay>> = BTreeMap::new();
    for stay in placement.guests.iter().filter(|stay| stay.start_ns < range.to && stay.end_ns > range.from) {
        let guest =
            if stay.uuid.is_empty() { format!("{}/{}", stay.host, stay.guest) } else { stay.uuid.clone() };
        stays.entry(guest).or_default().push(stay);
    }
    let (labels, numbers) = (label_names(placement), Interner::default());
    let machine = |(guest, stays): (&String, &Vec<&Stay>)| {
        let at_ns = first.get(guest).copied();
        let then = stays.iter().rev().find(|stay| at_ns.is_none_or(|at_ns| stay.start_ns <= at_ns));
        let stay = then.or(stays.first())?;
        let mut attributes = stay.attributes.clone();
        for (name, value) in host_attributes(placement, &labels, &stay.host, at_ns.unwrap_or(range.to)) {
            attributes.entry(format!("host {name}")).or_insert(value);
        }
        Some(Machine { host: numbers.number(&stay.host), had: at_ns.is_some(), attributes })
    };
    stays.iter().filter_map(machine).collect()
}

/// Hosts that anything is known of, each as it was when it had its event; the others as they were last.
fn hosts(placement: &Placement, first: &HashMap<String, i64>, range: Range) -> Vec<Machine> {
    let all: BTreeSet<&String> = placement.hosts.keys().chain(placement.labels.keys()).collect();
    let (labels, numbers) = (label_names(placement), Interner::default());
    all.into_iter()
        .map(|host| {
            let at_ns = first.get(host).copied();
            let attributes = host_attributes(placement, &labels, host, at_ns.unwrap_or(range.to));
            Machine { host: numbers.number(host), had: at_ns.is_some(), attributes }
        })
        .collect()
}

fn label_names(placement: &Placement) -> BTreeSet<&str> {
    placement.label_names().collect()
}

/// What a host is like just before an instant.
fn host_attributes(placement: &Placement, labels: &BTreeSet<&str>, host: &str, at_ns: i64) -> Attributes {
    let value = |label: &str| placement.label(host, label, at_ns.saturating_sub(1)).map(str::to_owned);
    labels.iter().filter_map(|label| Some(((*label).to_owned(), value(label)?))).collect()
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
