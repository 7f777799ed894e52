//! Answers `SET [not] within D of …`: fetch both sides of each condition, sweep, assess chance, word it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::{Timestamp, tz::TimeZone};
use lastwords_store::Store;

use super::{
    listing::Listing,
    opening::{Opening, Wanted},
};
use crate::{
    answer::{
        Chance, Grounds, Header, Match, MatchesAnswer, Range, Remarks,
        counts::{Counts, Decided, Namers},
    },
    chance::{self, Assessment},
    context::{Asked, Context, compute},
    correlate::{
        comparison::Side,
        conditions::{Evaluated, Evaluation},
    },
    error::AskError,
    event::{Row, end_of},
    fetch::partners,
    language::{Grouping, Matches, Near},
    names::Names,
    options::AskOptions,
};

/// A quarter of an hour.
const QUARTER_NS: i64 = 900_000_000_000;

/// Answers it; also gives what the sentence rests on beside.
pub(crate) async fn answer(
    asked: &Asked<'_>,
    question: &Matches,
) -> Result<(MatchesAnswer, Grounds), AskError> {
    let Some(opening) = open(asked, question).await? else {
        let range = Range { from: asked.now_ns, to: asked.now_ns };
        return Ok(Work::default().answer(asked, question, range, Vec::new()));
    };
    let Opening { context, anchors, earlier, later, clock_uncertainty_ns } = opening;
    let remarks = Remarks { earlier, later, ..Remarks::default() };
    let (store, range) = (asked.store, context.range);
    let task = Arc::new(Task { context, question: question.clone(), options: asked.options.clone() });
    let evaluated = task.evaluate(store, anchors).await?;
    let computing = Arc::clone(&task);
    let work = compute(move || computing.run(evaluated, remarks, clock_uncertainty_ns)).await?;
    let (context, main, others) = (&task.context, &work.main, &work.others);
    let listing = Listing { store: asked.store, context, question, options: asked.options, main, others };
    let matches = listing.fetch().await?;
    Ok(work.answer(asked, question, range, matches))
}

/// The events asked for, at the places that are asked about; none where nothing was ever observed.
pub(crate) async fn open(asked: &Asked<'_>, question: &Matches) -> Result<Option<Opening>, AskError> {
    let wanted = Wanted {
        anchors: &question.anchors,
        partners: question.conditions.iter().map(|near| &near.partners).collect(),
        bounds: &question.bounds,
        by: question.by.as_ref(),
        compares: !question.conditions.is_empty(),
    };
    let Some(opening) = Opening::read(asked, wanted).await? else { return Ok(None) };
    let question = question.clone();
    compute(move || Some(only_asked_for(opening, &question))).await
}

/// Gives each event the key that it is counted by, and keeps those of the places that are asked about.
fn only_asked_for(mut opening: Opening, question: &Matches) -> Opening {
    let Context { names, placement, .. } = &*opening.context;
    if let Some(Grouping::Label(label)) = &question.by {
        for row in &mut opening.anchors {
            let value = placement.label(names.hosts.name(row.host), label, row.start_ns);
            row.key = names.keys.number(value.unwrap_or("(none)"));
        }
    }
    if let Some(by @ (Grouping::Day | Grouping::Week | Grouping::Month)) = &question.by {
        let mut days: HashMap<i64, u32> = HashMap::new();
        for row in &mut opening.anchors {
            // Every zone changes on a quarter of an hour.
            let quarter = row.start_ns.div_euclid(QUARTER_NS);
            row.key = *days.entry(quarter).or_insert_with(|| {
                names.keys.number(&calendar_name(by, row.start_ns, &opening.context.time_zone))
            });
        }
    }
    opening.context.only_at(&question.bounds, &mut opening.anchors);
    opening
}

/// The day, week or month of an instant, so that names sort by time.
fn calendar_name(by: &Grouping, time_ns: i64, zone: &TimeZone) -> String {
    let Ok(time) = Timestamp::from_nanosecond(i128::from(time_ns)) else { return String::new() };
    let local = time.to_zoned_datetime(zone.clone());
    let form = match by {
        Grouping::Week => "%G-W%V",
        Grouping::Month => "%Y-%m",
        _ => "%Y-%m-%d",
    };
    local.strftime(form).to_string()
}

/// A question with what it is answered in.
struct Task {
    context: Arc<Context>,
    question: Matches,
    options: AskOptions,
}

impl Task {
    /// Which of them meet all conditions.
    async fn evaluate(&self, store: &Store, anchors: Vec<Row>) -> Result<Evaluated, AskError> {
        let question = &self.question;
        let mut evaluation = Evaluation::new(question, anchors, self.context.watermark_ns);
        while let Some((at, anchors)) = evaluation.condition() {
            let Some(near) = question.conditions.get(at) else { break };
            let with_windows = self.options.statistics && Some(at) == question.main();
            let condition = (near, &question.bounds);
            let (side, _) = partners::compare(store, &self.context, condition, anchors, with_windows).await?;
            evaluation.take(side);
        }
        Ok(evaluation.finish(self.context.names.hosts.len()))
    }

    /// The part that computes.
    fn run(&self, evaluated: Evaluated, mut remarks: Remarks, clock_uncertainty_ns: u64) -> Work {
        let started = std::time::Instant::now();
        let Evaluated { main: side, others, unmet, undecided } = evaluated;
        (remarks.unmet, remarks.undecided, remarks.without_unit) = (unmet, undecided, side.without_unit);
        remarks.open = side.open;
        let assessed = match self.question.near() {
            Some(near) if self.options.statistics => Some(self.assess(&side, near)),
            _ => None,
        };
        let assessed_after = started.elapsed();
        let Context { names: Names { hosts, guests, keys }, placement, .. } = &*self.context;
        let counts = Counts::count(
            &self.question,
            &side.anchors,
            &side.found,
            &self.options.time_zone,
            Namers {
                host: |host| hosts.name(host),
                guest: |guest| placement.guest_name(guests.name(guest)),
                key: |key| keys.name(key),
            },
        );
        tracing::debug!(
            anchors = side.anchors.len(), windows = side.windows.len(), whole = side.partners.is_some(),
            assessed = ?assessed_after, counted = ?started.elapsed(), "question computed"
        );
        let decided = Decided::count(&side.anchors, &side.found, &self.options.time_zone, |anchor| {
            self.is_decided(&side, anchor)
        });
        let others = others.into_iter().map(|(at, side)| (at, Arc::new(side))).collect();
        Work { main: Arc::new(side), others, counts, decided, assessed, clock_uncertainty_ns, remarks }
    }

    /// Whether no partner can come any more that an anchor does not have.
    fn is_decided(&self, side: &Side, anchor: usize) -> bool {
        let Some(near) = self.question.near() else { return true };
        let span = side.anchors.start_ns.get(anchor).copied().zip(side.anchors.end_ns.get(anchor).copied());
        let Some(span) = span else { return true };
        if near.negated {
            return side.undecided.binary_search_by_key(&anchor, |row| *row as usize).is_err();
        }
        let end_ns = end_of(span.1).unwrap_or(self.context.watermark_ns).max(span.0);
        !near.relation.is_undecided(end_ns, near.within_ns, self.context.watermark_ns)
    }

    fn assess(&self, side: &Side, near: &Near) -> Assessment {
        let same_events = side.found.same_events;
        chance::assess(&self.context.chance(near, &side.anchors, &side.windows, side.units, same_events))
    }
}

/// What was computed.
#[derive(Default)]
struct Work {
    /// The condition that chance is told of: the first that is not negated.
    main: Arc<Side>,
    /// The other conditions by their place in the question.
    others: Vec<(usize, Arc<Side>)>,
    counts: Counts,
    decided: Decided,
    assessed: Option<Assessment>,
    clock_uncertainty_ns: u64,
    remarks: Remarks,
}

impl Work {
    fn answer(
        self,
        asked: &Asked<'_>,
        question: &Matches,
        range: Range,
        matches: Vec<Match>,
    ) -> (MatchesAnswer, Grounds) {
        let (anchors, matched) = (self.main.anchors.len() as u64, self.main.found.matches.len() as u64);
        let negated = question.near().is_some_and(|near| near.negated);
        let assessed = self.assessed.as_ref();
        let with_p = assessed.filter(|assessed| assessed.p.is_some());
        let expected = with_p.map(|assessed| expected(assessed, negated));
        #[allow(clippy::cast_precision_loss, reason = "counts of events")]
        let lift = |expected: f64| (expected > 0.0).then(|| self.decided.matched as f64 / expected);
        let undecided = anchors.saturating_sub(self.decided.anchors);
        let undecided_matched = matched.saturating_sub(self.decided.matched);
        let truncated = (matches.len() as u64) < matched;
        let answer = MatchesAnswer {
            header: Header { matched, truncated, ..asked.header(range) },
            anchors,
            expected_by_chance: expected,
            lift: if negated { expected.and_then(lift) } else { with_p.and_then(|assessed| assessed.lift) },
            p_value: with_p.filter(|_| !negated).and_then(|assessed| assessed.p),
            chance: Chance::new(assessed.filter(|_| !negated), undecided, undecided_matched),
            matches,
            lag_histogram: if question.near().is_some() && !negated {
                self.counts.lag_histogram
            } else {
                Vec::new()
            },
            hour_of_day: self.counts.hour_of_day,
            day_of_week: self.counts.day_of_week,
            top_hosts: self.counts.top_hosts,
            top_guests: self.counts.top_guests,
            by: self.counts.by,
        };
        let grounds = Grounds {
            hosts: self.main.anchors.host.iter().collect::<HashSet<_>>().len(),
            hour_of_day: self.decided.hour_of_day,
            assessed: self.assessed,
            clock_uncertainty_ns: self.clock_uncertainty_ns,
            remarks: self.remarks,
        };
        (answer, grounds)
    }
}

/// How many of the anchors chance alone would give.
#[allow(clippy::cast_precision_loss, reason = "counts of events")]
fn expected(assessed: &Assessment, negated: bool) -> f64 {
    if negated { (assessed.anchors as f64 - assessed.expected).max(0.0) } else { assessed.expected }
}
