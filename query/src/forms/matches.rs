//! Answers `SET [not] within D of …`: fetch both sides of each condition, sweep, assess chance, word it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lastwords_store::Store;

use super::opening::{Opening, Wanted};
use crate::{
    answer::{
        Chance, Grounds, Header, Match, MatchesAnswer, Partner, Range, Remarks,
        counts::{Counts, Decided, Namers},
    },
    chance::{self, Assessment},
    context::{Asked, Context, compute},
    correlate::{
        comparison::Side,
        conditions::{Evaluated, Evaluation},
        sweep::nearness,
    },
    error::AskError,
    event::{Row, end_of},
    fetch::{
        details::{self, Detail, Evidence},
        partners,
    },
    language::{Grouping, Matches, Near, Set},
    names::Names,
    options::AskOptions,
};

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
    let matches = work.listed(store, &task).await?;
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
    opening.context.only_at(&question.bounds, &mut opening.anchors);
    opening
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
        let counts = Counts::of(
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
        let decided = Decided::of(&side.anchors, &side.found, &self.options.time_zone, |anchor| {
            self.is_decided(&side, anchor)
        });
        Work { main: side, others, counts, decided, assessed, clock_uncertainty_ns, remarks }
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
    main: Side,
    /// The other conditions by their place in the question.
    others: Vec<(usize, Side)>,
    counts: Counts,
    decided: Decided,
    assessed: Option<Assessment>,
    clock_uncertainty_ns: u64,
    remarks: Remarks,
}

impl Work {
    /// The matches that are listed, in words.
    async fn listed(&self, store: &Store, task: &Task) -> Result<Vec<Match>, AskError> {
        let (question, options) = (&task.question, &task.options);
        let anchors = &self.main.anchors;
        let mut listed: Vec<Row> =
            self.main.found.matches.iter().map(|one| anchors.row(one.anchor as usize)).collect();
        let by_time = |row: &Row| (row.start_ns, row.unit, row.id);
        let limit = options.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        if limit < listed.len() {
            listed.select_nth_unstable_by_key(limit, by_time);
            listed.truncate(limit);
        }
        listed.sort_unstable_by_key(by_time);
        let of_anchors = details_of(store, &question.anchors, listed.iter()).await?;
        let ids: HashSet<u64> = listed.iter().map(|row| row.id).collect();
        let mut partners: HashMap<u64, Vec<Partner>> = HashMap::new();
        for (at, near) in question.conditions.iter().enumerate().filter(|(_, near)| !near.negated) {
            let other = self.others.iter().find(|(place, _)| *place == at).map(|(_, side)| side);
            let pairs =
                partners::pairs(store, &task.context, near, other.unwrap_or(&self.main), &ids).await?;
            for (id, found) in in_words(store, near, &of_anchors, pairs).await? {
                partners.entry(id).or_default().push(found);
            }
        }
        let shown: Vec<&Detail> =
            listed.iter().take(options.evidence).filter_map(|row| of_anchors.get(&row.id)).collect();
        let evidence = details::evidence(store, &shown).await?;
        let mut evidence: HashMap<u64, Evidence> =
            shown.iter().map(|detail| detail.id).zip(evidence).collect();
        let matches = listed.iter().filter_map(|row| {
            let detail = of_anchors.get(&row.id)?;
            let lines = evidence.remove(&detail.id).unwrap_or_default();
            Some(one_match(detail, partners.remove(&detail.id).unwrap_or_default(), lines))
        });
        Ok(matches.collect())
    }

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

/// Partners of events asked for, each with that event's id; those of an event nearest first.
async fn in_words(
    store: &Store,
    near: &Near,
    anchors: &HashMap<u64, Detail>,
    mut pairs: Vec<(u64, Row)>,
) -> Result<Vec<(u64, Partner)>, AskError> {
    let details = details_of(store, &near.partners, pairs.iter().map(|(_, partner)| partner)).await?;
    pairs.sort_by_cached_key(|(id, partner)| {
        let span = anchors.get(id).map_or((0, 0), |anchor| (anchor.start_ns, anchor.end_ns));
        let nearness = nearness(span, (partner.start_ns, partner.end_ns));
        (*id, nearness, partner.start_ns, partner.id)
    });
    let in_words = pairs
        .into_iter()
        .filter_map(|(id, of)| Some((id, partner(details.get(&of.id)?, anchors.get(&id)?.start_ns))));
    Ok(in_words.collect())
}

async fn details_of<'a>(
    store: &Store,
    set: &Set,
    rows: impl Iterator<Item = &'a Row> + Clone,
) -> Result<HashMap<u64, Detail>, AskError> {
    let starts = rows.clone().map(|row| row.start_ns);
    let times = (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0));
    let ids: HashSet<u64> = rows.map(|row| row.id).collect();
    details::details(store, set, &ids, times).await
}

fn one_match(detail: &Detail, partners: Vec<Partner>, evidence: Evidence) -> Match {
    Match {
        class: detail.class.clone(),
        start: detail.start_ns,
        end: end_of(detail.end_ns),
        host: detail.host.clone(),
        guest: guest(detail),
        title: detail.title.clone(),
        severity: detail.severity.clone(),
        partners,
        before: evidence.before,
        evidence: evidence.lines,
        after: evidence.after,
    }
}

fn partner(detail: &Detail, anchor_start_ns: i64) -> Partner {
    #[allow(clippy::cast_precision_loss, reason = "seconds to a double's precision")]
    let lag_seconds = anchor_start_ns.saturating_sub(detail.start_ns) as f64 / 1e9;
    Partner {
        class: detail.class.clone(),
        start: detail.start_ns,
        end: end_of(detail.end_ns),
        host: detail.host.clone(),
        guest: guest(detail),
        title: detail.title.clone(),
        lag_seconds,
    }
}

fn guest(detail: &Detail) -> Option<String> {
    (!detail.guest.is_empty()).then(|| detail.guest.clone())
}
