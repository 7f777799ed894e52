//! The matches that are listed: what is printed of them and of their partners, and the lines behind the first.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lastwords_store::{Store, select::EventText};

use crate::{
    answer::{Match, Partner},
    context::{Context, compute},
    correlate::{comparison::Side, sweep::nearness},
    error::AskError,
    event::{Row, end_of},
    fetch::{
        details::{Evidence, fetch_evidence, fetch_texts},
        partners,
    },
    language::{Matches, Pick},
    options::AskOptions,
};

/// What is listed of whose matches.
pub(crate) struct Listing<'a> {
    pub store: &'a Store,
    pub context: &'a Arc<Context>,
    pub question: &'a Matches,
    pub options: &'a AskOptions,
    /// The condition that chance is told of; its matches meet all.
    pub main: &'a Arc<Side>,
    /// The other conditions by their place in the question.
    pub others: &'a [(usize, Arc<Side>)],
}

/// Texts by id.
type Texts = HashMap<u64, EventText>;

impl Listing<'_> {
    /// Fetches it.
    pub async fn fetch(&self) -> Result<Vec<Match>, AskError> {
        let Listing { store, question, options, .. } = self;
        let (side, pick) = (Arc::clone(self.main), question.pick);
        let limit = match pick {
            Some(Pick::First(count) | Pick::Last(count)) => {
                usize::try_from(count).unwrap_or(usize::MAX).min(options.rows(usize::MAX))
            }
            _ => options.rows(usize::MAX),
        };
        let latest = matches!(pick, Some(Pick::Last(_)));
        let listed = compute(move || picked_matches(&side, limit, latest)).await?;
        let texts = fetch_texts(store, &question.anchors, listed.iter(), None).await?;
        let partners = self.partners(&listed).await?;
        let shown = listed.get(..options.evidence.min(listed.len())).unwrap_or_default();
        let evidence = fetch_evidence(store, &question.anchors, shown).await?;
        compute(move || put_together(&listed, texts, partners, evidence)).await
    }

    /// The partners of these events under all conditions that are not negated, by the event's id.
    async fn partners(&self, listed: &[Row]) -> Result<HashMap<u64, Vec<Partner>>, AskError> {
        let spans: HashMap<u64, (i64, i64)> =
            listed.iter().map(|row| (row.id, (row.start_ns, row.end_ns))).collect();
        let spans = Arc::new(spans);
        let ids: Arc<HashSet<u64>> = Arc::new(spans.keys().copied().collect());
        let mut partners: HashMap<u64, Vec<Partner>> = HashMap::new();
        let plain = self.question.conditions.iter().enumerate().filter(|(_, near)| !near.negated);
        for (at, near) in plain {
            let other = self.others.iter().find(|(place, _)| *place == at).map(|(_, side)| side);
            let side = other.unwrap_or(self.main);
            let (pairs, seen) = partners::pairs(self.store, self.context, near, side, &ids).await?;
            let of_pairs = pairs.iter().map(|(_, partner)| partner);
            let texts = fetch_texts(self.store, &near.partners, of_pairs, seen.as_ref()).await?;
            let spans = Arc::clone(&spans);
            partners = compute(move || {
                add_partners(&mut partners, pairs, &texts, &spans);
                partners
            })
            .await?;
        }
        Ok(partners)
    }
}

/// The events that meet all conditions, so many of them: in order of time, or the latest first.
fn picked_matches(side: &Side, limit: usize, latest: bool) -> Vec<Row> {
    let mut listed: Vec<Row> =
        side.found.matches.iter().map(|one| side.anchors.row(one.anchor as usize)).collect();
    let by_time = |a: &Row, b: &Row| {
        let order = (a.start_ns, a.unit, a.id).cmp(&(b.start_ns, b.unit, b.id));
        if latest { order.reverse() } else { order }
    };
    if limit < listed.len() {
        listed.select_nth_unstable_by(limit, by_time);
        listed.truncate(limit);
    }
    listed.sort_unstable_by(by_time);
    listed
}

/// Adds partners to those of their events, nearest first. `spans`: starts and ends of the events, by id.
fn add_partners(
    partners: &mut HashMap<u64, Vec<Partner>>,
    pairs: Vec<(u64, Row)>,
    texts: &Texts,
    spans: &HashMap<u64, (i64, i64)>,
) {
    let nearest = |(id, partner): (u64, Row)| {
        let span = spans.get(&id).copied().unwrap_or_default();
        let nearness = nearness(span, (partner.start_ns, partner.end_ns));
        (id, nearness, span.0, partner)
    };
    let mut pairs: Vec<_> = pairs.into_iter().map(nearest).collect();
    pairs.sort_unstable_by_key(|(id, nearness, _, partner)| (*id, *nearness, partner.start_ns, partner.id));
    for (id, _, anchor_start_ns, found) in pairs {
        if let Some(text) = texts.get(&found.id) {
            partners.entry(id).or_default().push(partner(&found, text, anchor_start_ns));
        }
    }
}

fn put_together(
    listed: &[Row],
    mut texts: Texts,
    mut partners: HashMap<u64, Vec<Partner>>,
    mut evidence: HashMap<u64, Evidence>,
) -> Vec<Match> {
    let matches = listed.iter().filter_map(|row| {
        let lines = evidence.remove(&row.id).unwrap_or_default();
        Some(one_match(row, texts.remove(&row.id)?, partners.remove(&row.id).unwrap_or_default(), lines))
    });
    matches.collect()
}

fn one_match(row: &Row, text: EventText, partners: Vec<Partner>, evidence: Evidence) -> Match {
    Match {
        class: text.class,
        start: row.start_ns,
        end: end_of(row.end_ns),
        host: text.host,
        guest: guest(text.guest),
        title: text.title,
        severity: text.severity,
        partners,
        before: evidence.before,
        evidence: evidence.lines,
        after: evidence.after,
    }
}

fn partner(row: &Row, text: &EventText, anchor_start_ns: i64) -> Partner {
    #[allow(clippy::cast_precision_loss, reason = "seconds to a double's precision")]
    let lag_seconds = anchor_start_ns.saturating_sub(row.start_ns) as f64 / 1e9;
    Partner {
        class: text.class.clone(),
        start: row.start_ns,
        end: end_of(row.end_ns),
        host: text.host.clone(),
        guest: guest(text.guest.clone()),
        title: text.title.clone(),
        lag_seconds,
    }
}

/// The host itself is no guest.
fn guest(name: Arc<str>) -> Option<Arc<str>> {
    (!name.is_empty()).then_some(name)
}
