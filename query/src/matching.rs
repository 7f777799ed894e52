//! Answers `SET [not] within D of …`: fetch both sides of each condition, sweep, assess chance, word it.

use std::collections::{HashMap, HashSet};
use std::sync::{MutexGuard, PoisonError};

use lastwords_store::Store;

use crate::{
    answer::{Answer, Chance, Counts, Decided, Match, Namers, Partner, Range},
    ask::{AskError, AskOptions, Asked},
    chance::{self, Assessment, Input, Windows},
    columns::Interner,
    conditions::{self, Evaluated, Met, Numbered, Side},
    correlate::{self, Events},
    details::{self, Detail, Evidence},
    fetch::{self, Fetched},
    language::{Grouping, Matches, Near, Scope, Set},
    machines::Machines,
    plan, range,
    sentence::{self, Figures, Remarks},
};

/// Answers it.
pub(crate) async fn answer(asked: &Asked<'_>, question: Matches) -> Result<Answer, AskError> {
    let (store, options, now_ns) = (asked.store, asked.options, asked.now_ns);
    let Some(extent) = fetch::extent(store).await? else {
        let range = Range { from: now_ns, to: now_ns };
        return Ok(Work::default().answer(asked, &question, range, Vec::new()));
    };
    let names = asked.names();
    let bounds = &question.bounds;
    let anchors = plan::anchors(&question.anchors, bounds, question.by.as_ref());
    let by_guest = !asked.machines.guests.is_empty();
    let fetches: Vec<plan::Fetch> = question
        .conditions
        .iter()
        .map(|near| plan::partners(near, bounds, by_guest || near.scope == Scope::Guest))
        .collect();
    let (anchors, partners, ()) =
        tokio::try_join!(fetch::set(store, &anchors, &names), sets(store, &fetches, &names), async {
            Ok(fetch::hosts(store, &names).await?)
        },)?;
    let range =
        range::of(store, bounds, &sets_of(&question), !question.conditions.is_empty(), &extent, now_ns)
            .await?;
    // What is dated ahead of now has arrived as well, but a clock of 2099 is not the time.
    let watermark_ns = now_ns.max(extent.last_ns.min(now_ns.saturating_add(range::AHEAD_NS_MAX)));
    let task = Task {
        question,
        range,
        watermark_ns,
        names,
        machines: asked.machines.clone(),
        options: options.clone(),
        seed_text: asked.text.to_owned(),
    };
    let (question, work) = tokio::task::spawn_blocking(move || {
        let work = task.run(anchors, partners);
        (task.question, work)
    })
    .await
    .map_err(|error| AskError::Ended(error.to_string()))?;
    let matches = work.listed(store, &question, options).await?;
    Ok(work.answer(asked, &question, range, matches))
}

async fn sets(
    store: &Store,
    fetches: &[plan::Fetch],
    names: &fetch::Names,
) -> Result<Vec<Fetched>, AskError> {
    let mut sets = Vec::with_capacity(fetches.len());
    for fetch in fetches {
        sets.push(fetch::set(store, fetch, names).await?);
    }
    Ok(sets)
}

fn sets_of(question: &Matches) -> Vec<&Set> {
    std::iter::once(&question.anchors).chain(question.conditions.iter().map(|near| &near.partners)).collect()
}

/// The part that computes.
struct Task {
    question: Matches,
    range: Range,
    /// Up to here everything has arrived.
    watermark_ns: i64,
    names: fetch::Names,
    machines: Machines,
    options: AskOptions,
    seed_text: String,
}

pub(crate) fn held(names: &std::sync::Mutex<Interner>) -> MutexGuard<'_, Interner> {
    names.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Task {
    fn run(&self, mut anchors: Fetched, mut partners: Vec<Fetched>) -> Work {
        let begun = std::time::Instant::now();
        let mut remarks = Remarks::default();
        if !self.question.conditions.is_empty() {
            let before = anchors.rows.len();
            anchors.rows.retain(|row| row.start_ns >= self.range.from);
            remarks.earlier = before.saturating_sub(anchors.rows.len()) as u64;
            let before = anchors.rows.len();
            anchors.rows.retain(|row| row.start_ns < self.range.to);
            remarks.later = before.saturating_sub(anchors.rows.len()) as u64;
        }
        self.machines.place(&mut anchors.rows, &self.names);
        partners.iter_mut().for_each(|set| self.machines.place(&mut set.rows, &self.names));
        let (hosts, guests) = (held(&self.names.hosts), held(&self.names.guests));
        let mut keys = held(&self.names.keys);
        if let Some(Grouping::Label(label)) = &self.question.by {
            for row in &mut anchors.rows {
                let value = self.machines.label(hosts.name(row.host), label, row.start_ns);
                row.key = keys.number(value.unwrap_or("(none)"));
            }
        }
        let numbered = Numbered { hosts: &hosts, guests: guests.len(), machines: &self.machines };
        self.machines.only_at(&self.question.bounds.places, &mut anchors.rows, &hosts, &guests);
        let partners = partners.into_iter().map(|set| set.rows).collect();
        let Evaluated { main: side, others, unmet, undecided } =
            conditions::evaluate(&self.question, anchors.rows, partners, numbered, self.watermark_ns);
        (remarks.unmet, remarks.undecided, remarks.without_unit) = (unmet, undecided, side.without_unit);
        let near = self.question.near();
        let swept = begun.elapsed();
        let assessed = match near {
            Some(near) if self.options.statistics => Some(self.assess(&side, near)),
            _ => None,
        };
        let assessed_after = begun.elapsed();
        let counts = Counts::of(
            &self.question,
            &side.anchors,
            &side.partners,
            &side.found,
            &self.options.time_zone,
            Namers {
                host: |host| hosts.name(host),
                guest: |guest| self.machines.guest_name(guests.name(guest)),
                key: |key| keys.name(key),
            },
        );
        tracing::debug!(
            anchors = side.anchors.len(), partners = side.partners.len(), ?swept, assessed = ?assessed_after,
            counted = ?begun.elapsed(), "question computed"
        );
        let with_partner: HashSet<u32> = side.found.matches.iter().map(|one| one.anchor).collect();
        let decided = Decided::of(&side.anchors, &side.found, &self.options.time_zone, |anchor| {
            self.is_decided(&side, anchor, &with_partner)
        });
        if near.is_some() {
            remarks.see_open(&side.anchors, &side.partners, self.watermark_ns);
        }
        let clock_uncertainty_ns = anchors.clock_uncertainty_ns;
        Work { main: side, others, counts, decided, assessed, clock_uncertainty_ns, remarks }
    }

    /// Whether no partner can come any more that an anchor does not have.
    fn is_decided(&self, side: &Side, anchor: usize, matched: &HashSet<u32>) -> bool {
        let Some(near) = self.question.near() else { return true };
        let span = side.anchors.start_ns.get(anchor).copied().zip(side.anchors.end_ns.get(anchor).copied());
        let Some(span) = span else { return true };
        if near.negated {
            let matches = u32::try_from(anchor).is_ok_and(|anchor| matched.contains(&anchor));
            return conditions::met(near, !matches, span, self.watermark_ns) != Met::Undecided;
        }
        let end_ns = correlate::end_of(span.1).unwrap_or(self.watermark_ns).max(span.0);
        !near.relation.is_undecided(end_ns, near.within_ns, self.watermark_ns)
    }

    fn assess(&self, side: &Side, near: &Near) -> Assessment {
        let windows = Windows::around(
            side.partners.intervals(),
            near.relation,
            near.within_ns,
            self.watermark_ns,
            side.units,
        );
        chance::assess(&Input {
            anchors: side.anchors.intervals(),
            windows: &windows,
            relation: near.relation,
            within_ns: near.within_ns,
            from_ns: self.range.from,
            to_ns: self.range.to,
            watermark_ns: self.watermark_ns,
            time_zone: &self.options.time_zone,
            units: side.units,
            seed: chance::seed(&self.seed_text, self.range.from, self.range.to),
            same_events: side.found.same_events,
        })
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
    async fn listed(
        &self,
        store: &Store,
        question: &Matches,
        options: &AskOptions,
    ) -> Result<Vec<Match>, AskError> {
        let anchors = &self.main.anchors;
        let found = self.main.found.matches.iter().map(|one| one.anchor as usize);
        let mut listed: Vec<(i64, usize)> =
            found.filter_map(|row| Some((*anchors.start_ns.get(row)?, row))).collect();
        listed.sort_unstable();
        let limit = options.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        listed.truncate(limit);
        let of_anchors =
            details_of(store, &question.anchors, anchors, listed.iter().map(|(_, row)| *row)).await?;
        let ids: HashSet<u64> = listed.iter().filter_map(|(_, row)| anchors.id.get(*row).copied()).collect();
        let mut partners: HashMap<u64, Vec<Partner>> = HashMap::new();
        for (at, near) in question.conditions.iter().enumerate().filter(|(_, near)| !near.negated) {
            let other = self.others.iter().find(|(place, _)| *place == at).map(|(_, side)| side);
            let side = other.unwrap_or(&self.main);
            for (id, found) in partners_in(store, near, side, &ids).await? {
                partners.entry(id).or_default().extend(found);
            }
        }
        let shown: Vec<&Detail> = listed
            .iter()
            .take(options.evidence)
            .filter_map(|(_, row)| of_anchors.get(anchors.id.get(*row)?))
            .collect();
        let evidence = details::evidence(store, &shown).await?;
        let mut evidence: HashMap<u64, Evidence> =
            shown.iter().map(|detail| detail.id).zip(evidence).collect();
        let matches = listed.iter().filter_map(|(_, row)| {
            let detail = of_anchors.get(anchors.id.get(*row)?)?;
            let lines = evidence.remove(&detail.id).unwrap_or_default();
            Some(one_match(detail, partners.remove(&detail.id).unwrap_or_default(), lines))
        });
        Ok(matches.collect())
    }

    fn answer(self, asked: &Asked<'_>, question: &Matches, range: Range, matches: Vec<Match>) -> Answer {
        let (anchors, matched) = (self.main.anchors.len() as u64, self.main.found.matches.len() as u64);
        let options = asked.options;
        let assessed = self.assessed.as_ref();
        let figures = Figures {
            question,
            anchors: self.decided.anchors,
            matched: self.decided.matched,
            undecided: anchors.saturating_sub(self.decided.anchors),
            undecided_matched: matched.saturating_sub(self.decided.matched),
            hosts: self.main.anchors.host.iter().collect::<HashSet<_>>().len(),
            hour_of_day: &self.decided.hour_of_day,
            assessed,
            clock_uncertainty_ns: self.clock_uncertainty_ns,
            remarks: self.remarks,
            range,
            time_zone: &options.time_zone,
        };
        let negated = question.near().is_some_and(|near| near.negated);
        let with_p = assessed.filter(|assessed| assessed.p.is_some());
        let expected = with_p.map(|assessed| figures.expected(assessed));
        #[allow(clippy::cast_precision_loss, reason = "counts of events")]
        let left = |expected: f64| (expected > 0.0).then(|| figures.matched as f64 / expected);
        Answer {
            question: asked.text.to_owned(),
            range,
            time_zone: options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
            anchors,
            matched,
            expected_by_chance: expected,
            lift: if negated { expected.and_then(left) } else { with_p.and_then(|assessed| assessed.lift) },
            p_value: with_p.filter(|_| !negated).and_then(|assessed| assessed.p),
            chance: Chance::of(assessed.filter(|_| !negated), figures.undecided, figures.undecided_matched),
            sentence: sentence::sentence(&figures),
            notes: sentence::notes(&figures),
            truncated: (matches.len() as u64) < matched,
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
        }
    }
}

/// The partners under one condition of these events asked for, nearest first.
async fn partners_in(
    store: &Store,
    near: &Near,
    side: &Side,
    ids: &HashSet<u64>,
) -> Result<Vec<(u64, Vec<Partner>)>, AskError> {
    let rows: Vec<(u64, usize, Vec<usize>)> = side
        .rows_of(ids)
        .into_iter()
        .map(|(id, row)| {
            (
                id,
                row,
                correlate::partners_of(row, &side.anchors, &side.partners, near.relation, near.within_ns),
            )
        })
        .collect();
    let all = rows.iter().flat_map(|(.., partners)| partners.iter().copied());
    let details = details_of(store, &near.partners, &side.partners, all).await?;
    Ok(rows
        .into_iter()
        .map(|(id, row, partners)| {
            let start_ns = side.anchors.start_ns.get(row).copied().unwrap_or_default();
            let partners = partners
                .iter()
                .filter_map(|row| Some(partner(details.get(side.partners.id.get(*row)?)?, start_ns)));
            (id, partners.collect())
        })
        .collect())
}

async fn details_of(
    store: &Store,
    set: &Set,
    events: &Events,
    rows: impl Iterator<Item = usize> + Clone,
) -> Result<HashMap<u64, Detail>, AskError> {
    let starts = rows.clone().filter_map(|row| events.start_ns.get(row).copied());
    let times = (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0));
    let ids: HashSet<u64> = rows.filter_map(|row| events.id.get(row).copied()).collect();
    details::of(store, set, &ids, times).await
}

fn one_match(detail: &Detail, partners: Vec<Partner>, evidence: Evidence) -> Match {
    Match {
        class: detail.class.clone(),
        start: detail.start_ns,
        end: correlate::end_of(detail.end_ns),
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
        end: correlate::end_of(detail.end_ns),
        host: detail.host.clone(),
        guest: guest(detail),
        title: detail.title.clone(),
        lag_seconds,
    }
}

fn guest(detail: &Detail) -> Option<String> {
    (!detail.guest.is_empty()).then(|| detail.guest.clone())
}
