//! The whole way from a question to its answer.

use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;

use jiff::{Timestamp, tz::TimeZone};
use lastwords_store::{QueryError, Store};
use thiserror::Error;

use crate::{
    answer::{Answer, Chance, Counts, Decided, Match, Partner, Range},
    chance::{self, Assessment, Input, Relation, Windows},
    columns::BlockError,
    correlate::{self, Events, Found},
    details::{self, Detail},
    fetch::{self, Fetched},
    language::{self, Asker, Matches, Members, Near, Question, Scope, SyntaxError},
    plan, range,
    sentence::{self, Figures, Remarks},
    sql,
};

/// How a question is asked.
#[derive(Debug, Clone)]
pub struct AskOptions {
    /// The zone of the asker's days and hours.
    pub time_zone: TimeZone,
    /// Now.
    pub now: Timestamp,
    /// At most so many matches are listed; none: all of them.
    pub limit: Option<u64>,
    /// Whether chance is assessed.
    pub statistics: bool,
    /// Of so many matches, from the first, the lines behind them are fetched.
    pub evidence: usize,
}

impl AskOptions {
    /// Everything, asked now.
    pub fn new(time_zone: TimeZone) -> AskOptions {
        AskOptions { time_zone, now: Timestamp::now(), limit: None, statistics: true, evidence: 3 }
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The question is not understood.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The SQL is not allowed, or the store does not understand it.
    #[error("{0}")]
    Statement(String),
    /// The store failed.
    #[error("the store could not answer: {0}")]
    Store(#[source] QueryError),
    /// The store's answer cannot be read.
    #[error("{0}")]
    Columns(#[from] BlockError),
    /// Our own work was ended.
    #[error("the answer was not finished: {0}")]
    Ended(String),
}

impl AskError {
    /// Whether the asker has to ask otherwise.
    pub fn is_usage(&self) -> bool {
        matches!(self, AskError::Syntax(_) | AskError::Statement(_))
    }
}

impl From<QueryError> for AskError {
    fn from(error: QueryError) -> AskError {
        AskError::Store(error)
    }
}

/// Answers a question.
///
/// # Errors
/// Where it is not understood, or the store fails.
pub async fn ask(store: &Store, text: &str, options: &AskOptions) -> Result<Answer, AskError> {
    let now_ns = i64::try_from(options.now.as_nanosecond()).unwrap_or(i64::MAX);
    let asker = Asker { now_ns, time_zone: options.time_zone.clone() };
    let question = language::parse(text, crate::vocabulary(), &asker)?;
    let Question::Matches(question) = question else {
        return Err(AskError::Statement("this form of question has no answer yet".to_owned()));
    };
    for set in [Some(&question.anchors), question.near().map(|near| &near.partners)].into_iter().flatten() {
        if let Members::Predicate(predicate) = &set.members {
            sql::check_predicate(store, text, set, predicate).await?;
        }
    }
    let Some(extent) = fetch::extent(store).await? else {
        return Ok(Work::default().answer(
            text,
            question,
            options,
            Range { from: now_ns, to: now_ns },
            Vec::new(),
        ));
    };
    let names = fetch::Names::default();
    let scope = question.scope();
    let anchors = plan::anchors(&question);
    let (anchors, partners) = match question.near() {
        None => (fetch::set(store, &anchors, &scope, &names).await?, Fetched::default()),
        Some(near) => {
            let partners = plan::partners(&question, &near.partners, near.within_ns);
            let (anchors, partners, _) = tokio::try_join!(
                fetch::set(store, &anchors, &scope, &names),
                fetch::set(store, &partners, &scope, &names),
                async { Ok(fetch::hosts(store, &names).await?) },
            )?;
            (anchors, partners)
        }
    };
    let range = range::of(store, &question, &extent, now_ns).await?;
    // What is dated ahead of now has arrived as well, but a clock of 2099 is not the time.
    let watermark_ns = now_ns.max(extent.last_ns.min(now_ns.saturating_add(range::AHEAD_NS_MAX)));
    let task =
        Task { question, range, watermark_ns, names, options: options.clone(), seed_text: text.to_owned() };
    let (question, work) = tokio::task::spawn_blocking(move || {
        let work = task.run(anchors, partners);
        (task.question, work)
    })
    .await
    .map_err(|error| AskError::Ended(error.to_string()))?;
    let matches = work.matches(store, &question, options).await?;
    Ok(work.answer(text, question, options, range, matches))
}

/// The part that computes.
struct Task {
    question: Matches,
    range: Range,
    /// Up to here everything has arrived.
    watermark_ns: i64,
    names: fetch::Names,
    options: AskOptions,
    seed_text: String,
}

impl Task {
    fn run(&self, mut anchors: Fetched, partners: Fetched) -> Work {
        let begun = std::time::Instant::now();
        let lock = PoisonError::into_inner;
        let (hosts, keys) =
            (self.names.hosts.lock().unwrap_or_else(lock), self.names.keys.lock().unwrap_or_else(lock));
        let units = match self.question.scope() {
            Scope::Host => hosts.len(),
            Scope::Guest => self.names.guests.lock().unwrap_or_else(lock).len(),
            Scope::Anywhere | Scope::Label(_) => 1,
        };
        let clock_uncertainty_ns = anchors.clock_uncertainty_ns;
        let mut remarks = Remarks::default();
        if self.question.near().is_some() {
            let before = anchors.rows.len();
            anchors.rows.retain(|row| row.start_ns >= self.range.from);
            remarks.earlier = before.saturating_sub(anchors.rows.len()) as u64;
            let before = anchors.rows.len();
            anchors.rows.retain(|row| row.start_ns < self.range.to);
            remarks.later = before.saturating_sub(anchors.rows.len()) as u64;
        }
        let (rows, others) = (anchors.rows.len(), partners.rows.len());
        // The larger set is sorted beside the smaller one.
        let (anchors, partners) = std::thread::scope(|scope| {
            let partners = scope.spawn(|| Events::sorted(partners.rows, units));
            let anchors = Events::sorted(anchors.rows, units);
            (anchors, partners.join().unwrap_or_default())
        });
        let sorted = begun.elapsed();
        let found = match self.question.near() {
            Some(near) => correlate::sweep(&anchors, &partners, near.relation, near.within_ns),
            None => Found { matches: every(&anchors), same_events: false },
        };
        let swept = begun.elapsed();
        let assessed = match self.question.near() {
            Some(near) if self.options.statistics => {
                Some(self.assess(&anchors, &partners, near, units, found.same_events))
            }
            _ => None,
        };
        let assessed_after = begun.elapsed();
        let counts = Counts::of(
            &self.question,
            &anchors,
            &partners,
            &found,
            &self.options.time_zone,
            |host| hosts.name(host),
            |key| keys.name(key),
        );
        tracing::debug!(
            anchors = rows, partners = others, ?sorted, ?swept, assessed = ?assessed_after, counted = ?begun.elapsed(),
            "question computed"
        );
        let decided = Decided::of(&anchors, &found, &self.options.time_zone, |anchor| {
            self.is_decided(&anchors, anchor)
        });
        remarks.see_open(&anchors, &partners, self.watermark_ns);
        Work { anchors, partners, found, counts, decided, assessed, clock_uncertainty_ns, remarks }
    }

    /// Whether no partner can come any more that an anchor does not have.
    fn is_decided(&self, anchors: &Events, anchor: usize) -> bool {
        let Some(near) = self.question.near() else { return true };
        let end_ns =
            anchors.end_ns.get(anchor).copied().and_then(correlate::end_of).unwrap_or(self.watermark_ns);
        let start_ns = anchors.start_ns.get(anchor).copied().unwrap_or(end_ns);
        !near.relation.is_undecided(end_ns.max(start_ns), near.within_ns, self.watermark_ns)
    }

    fn assess(
        &self,
        anchors: &Events,
        partners: &Events,
        near: &Near,
        units: u32,
        same_events: bool,
    ) -> Assessment {
        let windows =
            Windows::around(partners.intervals(), near.relation, near.within_ns, self.watermark_ns, units);
        chance::assess(&Input {
            anchors: anchors.intervals(),
            windows: &windows,
            relation: near.relation,
            within_ns: near.within_ns,
            from_ns: self.range.from,
            to_ns: self.range.to,
            watermark_ns: self.watermark_ns,
            time_zone: &self.options.time_zone,
            units,
            seed: chance::seed(&self.seed_text, self.range.from, self.range.to),
            same_events,
        })
    }
}

/// Without partners every anchor is what was asked for.
fn every(anchors: &Events) -> Vec<correlate::Match> {
    let rows = u32::try_from(anchors.len()).unwrap_or(u32::MAX);
    (0..rows).map(|anchor| correlate::Match { anchor, nearest: u32::MAX, partners: 0 }).collect()
}

/// What was computed.
#[derive(Default)]
struct Work {
    anchors: Events,
    partners: Events,
    found: Found,
    counts: Counts,
    decided: Decided,
    assessed: Option<Assessment>,
    clock_uncertainty_ns: u64,
    remarks: Remarks,
}

impl Work {
    /// The matches that are listed, in words.
    async fn matches(
        &self,
        store: &Store,
        question: &Matches,
        options: &AskOptions,
    ) -> Result<Vec<Match>, AskError> {
        let mut listed: Vec<(i64, usize)> = self
            .found
            .matches
            .iter()
            .filter_map(|one| Some((*self.anchors.start_ns.get(one.anchor as usize)?, one.anchor as usize)))
            .collect();
        listed.sort_unstable();
        let limit = options.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        listed.truncate(limit);
        let near = question.near();
        let (relation, within_ns) = near.map_or((Relation::Of, 0), |near| (near.relation, near.within_ns));
        let partners: Vec<Vec<usize>> = listed
            .iter()
            .map(|(_, anchor)| match near {
                Some(_) => {
                    correlate::partners_of(*anchor, &self.anchors, &self.partners, relation, within_ns)
                }
                None => Vec::new(),
            })
            .collect();
        let of_anchors =
            self.details(store, &question.anchors, &self.anchors, listed.iter().map(|(_, at)| *at)).await?;
        let of_partners = match near {
            Some(near) => {
                self.details(store, &near.partners, &self.partners, partners.iter().flatten().copied())
                    .await?
            }
            None => HashMap::new(),
        };
        let shown: Vec<&Detail> = listed
            .iter()
            .take(options.evidence)
            .filter_map(|(_, at)| of_anchors.get(self.anchors.id.get(*at)?))
            .collect();
        let evidence = details::evidence(store, &shown).await?;
        let mut evidence: HashMap<u64, Vec<String>> =
            shown.iter().map(|detail| detail.id).zip(evidence).collect();
        let matches = listed.iter().zip(&partners).filter_map(|((start, at), partners)| {
            let detail = of_anchors.get(self.anchors.id.get(*at)?)?;
            let partners = partners.iter().filter_map(|row| {
                let detail = of_partners.get(self.partners.id.get(*row)?)?;
                Some(partner(detail, *start))
            });
            let lines = evidence.remove(&detail.id).unwrap_or_default();
            Some(one_match(detail, partners.collect(), lines))
        });
        Ok(matches.collect())
    }

    async fn details(
        &self,
        store: &Store,
        set: &language::Set,
        events: &Events,
        rows: impl Iterator<Item = usize> + Clone,
    ) -> Result<HashMap<u64, Detail>, AskError> {
        let starts = rows.clone().filter_map(|row| events.start_ns.get(row).copied());
        let times = (starts.clone().min().unwrap_or(0), starts.max().unwrap_or(0));
        let ids: HashSet<u64> = rows.filter_map(|row| events.id.get(row).copied()).collect();
        details::of(store, set, &ids, times).await
    }

    fn answer(
        self,
        text: &str,
        question: Matches,
        options: &AskOptions,
        range: Range,
        matches: Vec<Match>,
    ) -> Answer {
        let (anchors, matched) = (self.anchors.len() as u64, self.found.matches.len() as u64);
        let assessed = self.assessed.as_ref();
        let figures = Figures {
            question: &question,
            anchors: self.decided.anchors,
            matched: self.decided.matched,
            undecided: anchors.saturating_sub(self.decided.anchors),
            undecided_matched: matched.saturating_sub(self.decided.matched),
            hosts: self.anchors.host.iter().collect::<HashSet<_>>().len(),
            hour_of_day: &self.decided.hour_of_day,
            assessed,
            clock_uncertainty_ns: self.clock_uncertainty_ns,
            remarks: self.remarks,
            range,
            time_zone: &options.time_zone,
        };
        let with_p = assessed.filter(|assessed| assessed.p.is_some());
        Answer {
            question: text.to_owned(),
            range,
            time_zone: options.time_zone.iana_name().unwrap_or("UTC").to_owned(),
            anchors,
            matched,
            expected_by_chance: with_p.map(|assessed| assessed.expected),
            lift: with_p.and_then(|assessed| assessed.lift),
            p_value: with_p.and_then(|assessed| assessed.p),
            chance: Chance::of(assessed, figures.undecided, figures.undecided_matched),
            sentence: sentence::sentence(&figures),
            notes: sentence::notes(&figures),
            truncated: (matches.len() as u64) < matched,
            matches,
            lag_histogram: if question.near().is_some() { self.counts.lag_histogram } else { Vec::new() },
            hour_of_day: self.counts.hour_of_day,
            day_of_week: self.counts.day_of_week,
            top_hosts: self.counts.top_hosts,
            by: self.counts.by,
        }
    }
}

fn one_match(detail: &Detail, partners: Vec<Partner>, evidence: Vec<String>) -> Match {
    Match {
        class: detail.class.clone(),
        start: detail.start_ns,
        end: correlate::end_of(detail.end_ns),
        host: detail.host.clone(),
        guest: guest(detail),
        title: detail.title.clone(),
        severity: detail.severity.clone(),
        partners,
        evidence,
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
