//! Answers `SET before and after T`: episodes and observed machine-days on both sides, here and elsewhere.

use std::collections::{BTreeMap, HashSet};

use lastwords_store::select::{Machines, read_heard};

use super::opening::{Opening, Wanted};
use crate::{
    answer::{ChangeAnswer, ChangeFigures, ChangeRow, Moment, Range, Where},
    chance::change::{self, EPISODE_NS, Input, Side, Sides, rate},
    context::{Asked, Context, compute},
    error::AskError,
    event::{NO_GUEST, Row},
    language::{Bounds, Change},
    names::Interner,
};

const DAY_NS: i64 = 86_400_000_000_000;

/// Answers it; also says whether days are those of guests.
pub(crate) async fn answer(asked: &Asked<'_>, question: &Change) -> Result<(ChangeAnswer, bool), AskError> {
    let bounds = &question.bounds;
    let wanted =
        Wanted { anchors: &question.anchors, partners: Vec::new(), bounds, by: None, compares: true };
    let opening = Opening::read(asked, wanted).await?;
    let range = opening
        .as_ref()
        .map_or(Range { from: asked.now_ns, to: asked.now_ns }, |opening| opening.context.range);
    let at_ns = question.at_ns;
    let (true, Some(Opening { context, anchors, .. })) = (range.from < at_ns && at_ns < range.to, opening)
    else {
        let time_zone = asked.options.time_zone.clone();
        return Err(AskError::MomentOutside { at_ns, range, time_zone });
    };
    // A guest's events are counted by days of guests; a host's own by days of hosts.
    let of_guests = anchors.iter().any(|row| row.guest != NO_GUEST);
    let machines = heard(asked, range, of_guests).await?;
    let bounds = bounds.clone();
    let change = compute(move || change::change(&input(&context, &bounds, anchors, machines, at_ns)));
    Ok((answer_of(asked, range, at_ns, change.await?), of_guests))
}

/// Machines as events on their hosts: the time in which they were heard of.
struct Heard {
    rows: Vec<Row>,
    hosts: Interner,
    guests: Interner,
}

/// What is compared: the places asked about, and the others as their control.
fn input(context: &Context, bounds: &Bounds, anchors: Vec<Row>, heard: Heard, at_ns: i64) -> Input {
    let Heard { rows: machines, hosts, guests } = heard;
    let mut here = anchors.clone();
    context.only_at(bounds, &mut here);
    let elsewhere = without(anchors, &here);
    let mut machines_here = machines.clone();
    context.placement.only_at(&bounds.places, &mut machines_here, &hosts, &guests);
    let others = without(machines, &machines_here);
    let count_sides = |anchors: &[Row], machines: &[Row]| {
        count((anchors, &context.names.hosts), (machines, &hosts), at_ns, context.range)
    };
    let control = (!bounds.places.is_empty() && !others.is_empty()).then(|| {
        let elsewhere = count_sides(&elsewhere, &others);
        let sum = |pick: fn(&Sides) -> Side| {
            elsewhere.hosts.iter().map(pick).fold(Side::default(), |sum, one| Side {
                episodes: sum.episodes + one.episodes,
                days: sum.days + one.days,
            })
        };
        Sides { before: sum(|sides| sides.before), after: sum(|sides| sides.after) }
    });
    Input { control, ..count_sides(&here, &machines_here) }
}

/// Rows that are not among others, by their ids.
fn without(rows: Vec<Row>, others: &[Row]) -> Vec<Row> {
    let others: HashSet<u64> = others.iter().map(|row| row.id).collect();
    rows.into_iter().filter(|row| !others.contains(&row.id)).collect()
}

async fn heard(asked: &Asked<'_>, range: Range, of_guests: bool) -> Result<Heard, AskError> {
    let which = if of_guests { Machines::Guests } else { Machines::Hosts };
    let found = read_heard(asked.store, which, range.from, range.to).await?;
    let (hosts, guests) = (Interner::default(), Interner::default());
    let rows = (0_u64..)
        .zip(found)
        .map(|(id, heard)| Row {
            unit: 0,
            host: hosts.number(&heard.host),
            guest: if heard.guest.is_empty() { NO_GUEST } else { guests.number(&heard.guest) },
            key: 0,
            start_ns: heard.first_ns,
            end_ns: heard.last_ns,
            id,
        })
        .collect();
    Ok(Heard { rows, hosts, guests })
}

/// Counts episodes and days of each host and of each day. Hosts of both sides are joined by their names.
fn count(
    (anchors, anchor_hosts): (&[Row], &Interner),
    (machines, machine_hosts): (&[Row], &Interner),
    at_ns: i64,
    range: Range,
) -> Input {
    // In order of names, so that sums are the same each time.
    let mut hosts: BTreeMap<&str, Sides> = BTreeMap::new();
    let days_of = |from_ns: i64, to_ns: i64| {
        usize::try_from(to_ns.saturating_sub(from_ns).div_euclid(DAY_NS) + 1).unwrap_or(1)
    };
    let mut days = (
        vec![Side::default(); days_of(range.from, at_ns.saturating_sub(1))],
        vec![Side::default(); days_of(at_ns, range.to.saturating_sub(1))],
    );
    #[allow(clippy::cast_precision_loss, reason = "days to a double's precision")]
    let overlap = |machine: &Row, from_ns: i64, to_ns: i64| {
        // The last instant was heard of.
        let to_ns = to_ns.min(machine.end_ns.saturating_add(1));
        to_ns.saturating_sub(from_ns.max(machine.start_ns)).max(0) as f64 / DAY_NS as f64
    };
    for machine in machines {
        let sides = hosts.entry(machine_hosts.name(machine.host)).or_default();
        sides.before.days += overlap(machine, range.from, at_ns);
        sides.after.days += overlap(machine, at_ns, range.to);
        for (start_ns, end_ns, days) in [(range.from, at_ns, &mut days.0), (at_ns, range.to, &mut days.1)] {
            for (number, day) in (0_i64..).zip(days.iter_mut()) {
                let from_ns = start_ns.saturating_add(number.saturating_mul(DAY_NS));
                day.days += overlap(machine, from_ns, from_ns.saturating_add(DAY_NS).min(end_ns));
            }
        }
    }
    let mut sorted: Vec<(u32, i64)> = anchors.iter().map(|row| (row.host, row.start_ns)).collect();
    sorted.sort_unstable();
    let mut last: Option<(u32, i64)> = None;
    for (host, start_ns) in sorted {
        let same =
            last.is_some_and(|(of, before)| of == host && start_ns.saturating_sub(before) <= EPISODE_NS);
        last = Some((host, start_ns));
        if same {
            continue;
        }
        let sides = hosts.entry(anchor_hosts.name(host)).or_default();
        let (side, days, from_ns) = if start_ns < at_ns {
            (&mut sides.before, &mut days.0, range.from)
        } else {
            (&mut sides.after, &mut days.1, at_ns)
        };
        side.episodes += 1;
        let number = usize::try_from(start_ns.saturating_sub(from_ns).div_euclid(DAY_NS)).unwrap_or(0);
        days.get_mut(number).into_iter().for_each(|day| day.episodes += 1);
    }
    Input { hosts: hosts.into_values().collect(), days, control: None }
}

fn answer_of(asked: &Asked<'_>, range: Range, at_ns: i64, change: change::Change) -> ChangeAnswer {
    let row = |place: Where, side: Moment, counted: &Side| ChangeRow {
        place,
        side,
        episodes: counted.episodes,
        days: counted.days,
        per_100_days: 100.0 * rate(counted),
    };
    let rows_of = |place: Where, sides: &Sides| {
        [row(place, Moment::Before, &sides.before), row(place, Moment::After, &sides.after)]
    };
    let mut rows = rows_of(Where::Here, &change.sides).to_vec();
    rows.extend(change.control.iter().flat_map(|control| rows_of(Where::Elsewhere, control)));
    let mut header = asked.header(range);
    header.matched = change.sides.before.episodes + change.sides.after.episodes;
    let columns = ["where", "side", "episodes", "days", "per_100_days"].map(str::to_owned).to_vec();
    ChangeAnswer { header, figures: ChangeFigures { change, at: at_ns }, columns, rows }
}
