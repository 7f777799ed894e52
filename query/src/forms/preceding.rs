//! Answers `what precedes SET within D`: every class and every message template is tested as if it had been asked for.

use std::sync::Arc;

use lastwords_detect::template;
use lastwords_store::{
    confine::Predicate,
    select::{ClassCount, count_templates, read_classes, read_templates_near},
};

use super::opening::{Opening, Wanted};
use crate::{
    answer::{Candidate, CandidateKind, PrecedingAnswer, PrecedingFigures, Range},
    chance::{
        Relation, Verdict,
        discover::{self, Tested},
    },
    context::{Asked, Context, compute},
    correlate::comparison::Side,
    error::AskError,
    event::Row,
    fetch::partners,
    language::{Members, Near, Precedes, Scope, Set},
    plan::selection::Several,
    words::numbers::duration,
};

/// Templates looked at at most: those seen before the most anchors.
const TEMPLATES_MAX: u64 = 500;
/// A template with more records than this in the range is nearly everywhere, and nothing can be told of it.
const TEMPLATE_RECORDS_MAX: u64 = 3_000_000;
/// Anchors whose surroundings are searched for templates at most.
const TEMPLATE_ANCHORS_MAX: usize = 2_000;
/// Rows of the sets that are fetched together; a larger set comes alone.
const GROUP_ROWS_MAX: u64 = 4_000_000;

/// What may precede.
struct Source {
    what: String,
    kind: CandidateKind,
    set: Set,
    /// Where it is one.
    template: Option<u64>,
    /// How many rows it has.
    rows: u64,
}

/// What all candidates are tested with.
struct Shared {
    anchors: Vec<Row>,
    context: Arc<Context>,
}

pub(crate) async fn answer(asked: &Asked<'_>, question: &Precedes) -> Result<PrecedingAnswer, AskError> {
    let (store, now_ns) = (asked.store, asked.now_ns);
    let (anchors, bounds) = (&question.anchors, &question.bounds);
    let wanted = Wanted { anchors, partners: Vec::new(), bounds, by: None, compares: true };
    let Some(Opening { context, mut anchors, .. }) = Opening::read(asked, wanted).await? else {
        return Ok(answer_of(asked, Range { from: now_ns, to: now_ns }, 0, Vec::new(), 0));
    };
    context.only_at(bounds, &mut anchors);
    let range = context.range;
    let shared = Arc::new(Shared { anchors, context });
    let count = shared.anchors.len();
    if count == 0 {
        return Ok(answer_of(asked, range, 0, Vec::new(), 0));
    }
    let mut sources = classes(asked, question, range).await?;
    let (templates, seen) = templates(asked, question, &shared).await?;
    sources.extend(templates);
    // Templates that were never seen before an anchor are tests, too: they match none.
    let mut m = sources.len() + seen;
    let mut tested: Vec<(Source, Tested)> = Vec::new();
    let mut drawn = 0;
    for group in groups(sources) {
        let Some(near) = group.first().map(|first| near(first, question)) else { continue };
        let (condition, several) = ((&near, &question.bounds), several(&group));
        let sides =
            partners::compare_each(store, &shared.context, condition, shared.anchors.clone(), &several)
                .await?;
        for (source, side) in group.into_iter().zip(sides) {
            let (testing, near) = (Arc::clone(&shared), near.clone());
            let (one, now_drawn) = compute(move || testing.test(&side, &near, m, drawn)).await?;
            drawn = now_drawn;
            // Without windows where the anchors are it could not have matched.
            if one.assessment.none_on_these_hosts || one.assessment.verdict == Verdict::SameEvents {
                m -= 1;
            } else {
                tested.push((source, one));
            }
        }
    }
    let figures: Vec<Tested> = tested.iter().map(|(_, one)| one.clone()).collect();
    let ranked = discover::rank(&figures, m);
    let candidates: Vec<Candidate> = ranked
        .iter()
        .filter_map(|ranked| {
            let (source, one) = tested.get(ranked.candidate)?;
            let same =
                ranked.same.iter().filter_map(|at| tested.get(*at)).map(|(other, _)| other.what.clone());
            Some(candidate(source, one, ranked.q, same.collect(), question))
        })
        .filter(|candidate| candidate.matched > 0)
        .collect();
    Ok(answer_of(asked, range, count, candidates, m))
}

/// Sets that are fetched together: of one kind, and few enough that what is kept of them fits.
fn groups(sources: Vec<Source>) -> Vec<Vec<Source>> {
    let mut groups: Vec<Vec<Source>> = Vec::new();
    let mut rows = 0_u64;
    for source in sources {
        rows = rows.saturating_add(source.rows);
        let kind = groups.last().and_then(|group| group.first()).map(|first| first.kind);
        match groups.last_mut() {
            Some(group) if kind == Some(source.kind) && rows <= GROUP_ROWS_MAX => group.push(source),
            _ => {
                rows = source.rows;
                groups.push(vec![source]);
            }
        }
    }
    groups
}

fn several(group: &[Source]) -> Several {
    let templates: Vec<u64> = group.iter().filter_map(|source| source.template).collect();
    if templates.is_empty() {
        Several::Classes(group.iter().map(|source| source.what.clone()).collect())
    } else {
        Several::Templates(templates)
    }
}

/// The question that a candidate is tested by.
fn near(source: &Source, question: &Precedes) -> Near {
    Near {
        negated: false,
        relation: Relation::After,
        within_ns: question.within_ns,
        partners: source.set.clone(),
        scope: question.scope.clone(),
    }
}

fn candidate(
    source: &Source,
    one: &Tested,
    q: Option<f64>,
    same: Vec<String>,
    question: &Precedes,
) -> Candidate {
    let assessment = &one.assessment;
    let more = matches!(
        assessment.verdict,
        Verdict::Follows | Verdict::MoreThanOtherHosts | Verdict::CloserThanSurroundings
    );
    Candidate {
        what: source.what.clone(),
        kind: source.kind,
        matched: assessment.matched,
        anchors: assessment.anchors,
        expected: assessment.expected,
        lift: assessment.lift,
        p: assessment.p,
        q,
        basis: assessment.basis,
        verdict: assessment.verdict,
        claimed: more && q.is_some_and(|q| q <= discover::RATE),
        same_anchors: same,
        ask: format!(
            "{} within {} after {}{}",
            question.anchors.words,
            duration(question.within_ns),
            source.set,
            if question.scope == Scope::Host { String::new() } else { format!(" {}", question.scope) }
        ),
    }
}

impl Shared {
    fn test(&self, side: &Side, near: &Near, m: usize, mut drawn: usize) -> (Tested, usize) {
        let same_events = side.found.same_events;
        let input = self.context.chance(near, &side.anchors, &side.windows, side.units, same_events);
        let assessment = discover::test(&input, m, &mut drawn);
        let mut matched: Vec<u64> = side.with_partner().into_iter().collect();
        matched.sort_unstable();
        (Tested { assessment, matched }, drawn)
    }
}

/// Every class in the range but that of the anchors, those above it and those below.
async fn classes(asked: &Asked<'_>, question: &Precedes, range: Range) -> Result<Vec<Source>, AskError> {
    let from_ns = range.from.saturating_sub(question.within_ns);
    let found = read_classes(asked.store, from_ns, range.to).await?;
    let own = match &question.anchors.members {
        Members::Class(class) => std::slice::from_ref(class),
        Members::Classes(classes) => classes,
        Members::Text(_) | Members::Predicate(_) => &[],
    };
    let below = |class: &str, above: &str| {
        class == above || class.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
    };
    Ok(found
        .into_iter()
        .filter(|ClassCount { class, .. }| !own.iter().any(|own| below(class, own) || below(own, class)))
        .map(|ClassCount { class, events }| Source {
            what: class.clone(),
            kind: CandidateKind::Class,
            set: Set { words: class.clone(), members: Members::Class(class), place: 0..0 },
            template: None,
            rows: events,
        })
        .collect())
}

/// Templates of records in which nothing was recognised, seen before anchors; and how many other templates there are.
async fn templates(
    asked: &Asked<'_>,
    question: &Precedes,
    shared: &Shared,
) -> Result<(Vec<Source>, usize), AskError> {
    let mut ends: Vec<i64> = shared.anchors.iter().map(|row| row.start_ns).collect();
    ends.sort_unstable();
    // Where there are very many anchors, evenly chosen ones show which templates to test.
    let step = ends.len().div_ceil(TEMPLATE_ANCHORS_MAX).max(1);
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for end in ends.into_iter().step_by(step) {
        let start = end.saturating_sub(question.within_ns);
        match spans.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => spans.push((start, end)),
        }
    }
    let Range { from, to } = shared.context.range;
    let found =
        read_templates_near(asked.store, &spans, (from, to), TEMPLATES_MAX, TEMPLATE_RECORDS_MAX).await?;
    let all = usize::try_from(count_templates(asked.store, from, to).await?).unwrap_or(usize::MAX);
    let others = all.saturating_sub(found.len());
    let sources = found.into_iter().filter(|found| found.records > 0).map(|found| Source {
        what: template::text_of_record(found.body.as_bytes(), &found.program),
        kind: CandidateKind::Template,
        set: Set {
            words: format!("{{Template = {}}}", found.template),
            members: Members::Predicate(Predicate::of_template(found.template)),
            place: 0..0,
        },
        template: Some(found.template),
        rows: found.records,
    });
    Ok((sources.collect(), others))
}

/// The answer with all of its rows.
fn answer_of(
    asked: &Asked<'_>,
    range: Range,
    anchors: usize,
    rows: Vec<Candidate>,
    candidates: usize,
) -> PrecedingAnswer {
    let figures = PrecedingFigures {
        anchors: anchors as u64,
        candidates: candidates as u64,
        false_discovery_rate: discover::RATE,
    };
    let columns = ["matched", "anchors", "expected", "lift", "p", "q", "what"].map(str::to_owned).to_vec();
    let mut answer = PrecedingAnswer { header: asked.header(range), figures, columns, rows };
    let counts = |one: &&Candidate| one.claimed || !answer.is_by_days();
    answer.header.matched = answer.rows.iter().filter(counts).count() as u64;
    answer
}
