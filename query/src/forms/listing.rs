//! The matches that are listed: what is printed of them and of their partners, and the lines behind the first.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lastwords_store::{Store, select::EventDetail};

use crate::{
    answer::{Match, Partner},
    context::{Context, compute},
    correlate::{comparison::Side, sweep::nearness},
    error::AskError,
    event::{Row, end_of},
    fetch::{
        details::{Evidence, fetch_details, fetch_evidence},
        partners,
    },
    language::Matches,
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

/// Details by id.
type Details = HashMap<u64, EventDetail>;

impl Listing<'_> {
    /// Fetches it.
    pub async fn fetch(&self) -> Result<Vec<Match>, AskError> {
        let Listing { store, question, options, .. } = self;
        let (side, limit) = (Arc::clone(self.main), options.rows(usize::MAX));
        let listed = compute(move || first_matches(&side, limit)).await?;
        let details = Arc::new(fetch_details(store, &question.anchors, listed.iter()).await?);
        let partners = self.partners(&listed, &details).await?;
        let shown: Vec<&EventDetail> =
            listed.iter().take(options.evidence).filter_map(|row| details.get(&row.id)).collect();
        let evidence = fetch_evidence(store, &shown).await?;
        let evidence = shown.iter().map(|detail| detail.id).zip(evidence).collect();
        compute(move || put_together(&listed, &details, partners, evidence)).await
    }

    /// The partners of these events under all conditions that are not negated, by the event's id.
    async fn partners(
        &self,
        listed: &[Row],
        details: &Arc<Details>,
    ) -> Result<HashMap<u64, Vec<Partner>>, AskError> {
        let ids: Arc<HashSet<u64>> = Arc::new(listed.iter().map(|row| row.id).collect());
        let mut partners: HashMap<u64, Vec<Partner>> = HashMap::new();
        let plain = self.question.conditions.iter().enumerate().filter(|(_, near)| !near.negated);
        for (at, near) in plain {
            let other = self.others.iter().find(|(place, _)| *place == at).map(|(_, side)| side);
            let side = other.unwrap_or(self.main);
            let pairs = partners::pairs(self.store, self.context, near, side, &ids).await?;
            let of_pairs = pairs.iter().map(|(_, partner)| partner);
            let of_partners = fetch_details(self.store, &near.partners, of_pairs).await?;
            let of_anchors = Arc::clone(details);
            partners = compute(move || {
                add_partners(&mut partners, pairs, &of_partners, &of_anchors);
                partners
            })
            .await?;
        }
        Ok(partners)
    }
}

/// The events that meet all conditions, in order of time; so many of them.
fn first_matches(side: &Side, limit: usize) -> Vec<Row> {
    let mut listed: Vec<Row> =
        side.found.matches.iter().map(|one| side.anchors.row(one.anchor as usize)).collect();
    let by_time = |row: &Row| (row.start_ns, row.unit, row.id);
    if limit < listed.len() {
        listed.select_nth_unstable_by_key(limit, by_time);
        listed.truncate(limit);
    }
    listed.sort_unstable_by_key(by_time);
    listed
}

/// Adds partners to those of their events, nearest first.
fn add_partners(
    partners: &mut HashMap<u64, Vec<Partner>>,
    mut pairs: Vec<(u64, Row)>,
    of_partners: &Details,
    of_anchors: &Details,
) {
    pairs.sort_by_cached_key(|(id, partner)| {
        let span = of_anchors.get(id).map_or((0, 0), |anchor| (anchor.start_ns, anchor.end_ns));
        let nearness = nearness(span, (partner.start_ns, partner.end_ns));
        (*id, nearness, partner.start_ns, partner.id)
    });
    for (id, found) in pairs {
        if let (Some(detail), Some(anchor)) = (of_partners.get(&found.id), of_anchors.get(&id)) {
            partners.entry(id).or_default().push(partner(detail, anchor.start_ns));
        }
    }
}

fn put_together(
    listed: &[Row],
    details: &Details,
    mut partners: HashMap<u64, Vec<Partner>>,
    mut evidence: HashMap<u64, Evidence>,
) -> Vec<Match> {
    let matches = listed.iter().filter_map(|row| {
        let lines = evidence.remove(&row.id).unwrap_or_default();
        Some(one_match(details.get(&row.id)?, partners.remove(&row.id).unwrap_or_default(), lines))
    });
    matches.collect()
}

fn one_match(detail: &EventDetail, partners: Vec<Partner>, evidence: Evidence) -> Match {
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

fn partner(detail: &EventDetail, anchor_start_ns: i64) -> Partner {
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

fn guest(detail: &EventDetail) -> Option<String> {
    (!detail.guest.is_empty()).then(|| detail.guest.clone())
}
