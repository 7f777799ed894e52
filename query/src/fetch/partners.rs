//! Fetches the partners of one condition piece by piece, and compares each piece while the next one comes.
//!
//! Pieces are small enough to stay near the processor. Where they are few they are kept for the list of partners. Where
//! they are many nothing is kept but what each gave, and the partners of the events that are listed are fetched once
//! more: memory that is new costs more than reading again. What need not be known is not fetched at all
//! ([`crate::plan::narrow`]).

use std::{collections::HashSet, sync::Arc};

use lastwords_store::{Store, select::EventSelection};

use super::{details::Seen, pieces::Pieces};
use crate::{
    context::{Context, compute},
    correlate::comparison::{self, Comparison, Side},
    error::AskError,
    event::{Events, Row},
    language::{Bounds, Near},
    plan::{
        narrow::Narrow,
        selection::{self, Several},
    },
};

/// Partners of one condition are kept up to so many bytes.
pub(crate) const PARTNERS_BYTES_MAX: usize = 64 << 20;

/// Compares events asked for with the partners under a condition; also gives the bytes that are kept of them, which are
/// taken from the question's memory. `with_windows`: whether chance is to be told of it.
pub(crate) async fn compare(
    store: &Store,
    context: &Arc<Context>,
    (near, bounds): (&Near, &Bounds),
    anchors: Vec<Row>,
    with_windows: bool,
) -> Result<(Side, usize), AskError> {
    let (comparison, narrow) = prepare(context, near, anchors, with_windows).await?;
    let at_any_time = narrow.buckets_s.is_none();
    let (side, kept) =
        compare_pieces(store, context, &context.select(near, bounds, &narrow), comparison).await?;
    if !with_windows || at_any_time || side.any_window() {
        return Ok((side, kept));
    }
    // Whether there is none at all on these hosts is told apart from none where chance looks.
    context.budget.release(kept);
    let anchors = (0..side.anchors.len()).map(|at| side.anchors.row(at)).collect();
    let (comparison, _) = prepare(context, near, anchors, with_windows).await?;
    let selected = context.select(near, bounds, &narrow.at_any_time());
    let (again, kept) = compare_pieces(store, context, &selected, comparison).await?;
    Ok((Side { without_unit: side.without_unit, ..again }, kept))
}

async fn compare_pieces(
    store: &Store,
    context: &Arc<Context>,
    selection: &EventSelection,
    mut comparison: Comparison,
) -> Result<(Side, usize), AskError> {
    let mut pieces = Pieces::start(store, selection, context)?;
    let rows_max = context.budget.piece_rows();
    let mut kept = 0;
    let mut piece = if comparison.is_idle() { None } else { pieces.next(rows_max).await? };
    while let Some(mut rows) = piece {
        let shared = Arc::clone(context);
        let adding = compute(move || {
            shared.place(&mut rows);
            comparison.add(rows, shared.numbered());
            comparison
        });
        let (added, next) = tokio::join!(adding, pieces.next(rows_max));
        (comparison, piece) = (added?, next?);
        context.budget.release(kept);
        if comparison.partners_bytes() > PARTNERS_BYTES_MAX {
            comparison.forget_partners();
        }
        if context.budget.keep(comparison.bytes()).is_err() {
            comparison.forget_partners();
            context.budget.keep(comparison.bytes())?;
        }
        kept = comparison.bytes();
    }
    let shared = Arc::clone(context);
    let side = compute(move || comparison.finish(shared.numbered())).await?;
    Ok((side, kept))
}

/// Compares events asked for with each of several sets, which come in one statement; nothing is kept of them but what
/// chance looks at. `near` is the condition, whichever its set is.
pub(crate) async fn compare_each(
    store: &Store,
    context: &Arc<Context>,
    (near, bounds): (&Near, &Bounds),
    anchors: Vec<Row>,
    several: &Several,
) -> Result<Vec<Side>, AskError> {
    let (mut base, narrow) = prepare(context, near, anchors, true).await?;
    base.forget_partners();
    let selected = several.partners(near, bounds, context.partners(near, &narrow));
    let mut sides = compare_each_piece(store, context, &selected, base.clone(), several).await?;
    let none: Vec<usize> =
        (0..).zip(&sides).filter(|(_, side)| !side.any_window()).map(|(at, _)| at).collect();
    if narrow.buckets_s.is_some() && !none.is_empty() {
        // As in `compare`: none at all is told apart from none where chance looks.
        let rest = several.only(&none);
        let selected = rest.partners(near, bounds, context.partners(near, &narrow.at_any_time()));
        for (at, side) in
            none.into_iter().zip(compare_each_piece(store, context, &selected, base, &rest).await?)
        {
            if let Some(place) = sides.get_mut(at) {
                *place = side;
            }
        }
    }
    Ok(sides)
}

async fn compare_each_piece(
    store: &Store,
    context: &Arc<Context>,
    selection: &EventSelection,
    base: Comparison,
    several: &Several,
) -> Result<Vec<Side>, AskError> {
    let mut pieces = Pieces::start(store, selection, context)?;
    let rows_max = context.budget.piece_rows();
    let mut comparisons = vec![base; several.len()];
    let mut kept = 0;
    let mut piece = pieces.next(rows_max).await?;
    while let Some(rows) = piece {
        let (shared, sets) = (Arc::clone(context), several.clone());
        let adding = compute(move || {
            add_each(&shared, rows, &sets, &mut comparisons);
            comparisons
        });
        let (added, next) = tokio::join!(adding, pieces.next(rows_max));
        (comparisons, piece) = (added?, next?);
        context.budget.release(kept);
        kept = comparisons.iter().map(Comparison::pieces_bytes).sum();
        context.budget.keep(kept)?;
    }
    context.budget.release(kept);
    let shared = Arc::clone(context);
    compute(move || comparisons.into_iter().map(|one| one.finish(shared.numbered())).collect()).await
}

/// Adds rows to the comparisons of the sets that they are of.
fn add_each(context: &Context, mut rows: Vec<Row>, several: &Several, comparisons: &mut [Comparison]) {
    context.place(&mut rows);
    rows.sort_by_key(|row| row.key);
    for of_key in rows.chunk_by(|a, b| a.key == b.key) {
        let Some(key) = of_key.first().map(|row| context.names.keys.name(row.key).to_owned()) else {
            continue;
        };
        for (_, one) in comparisons.iter_mut().enumerate().filter(|(at, _)| several.has(*at, &key)) {
            one.add(of_key.to_vec(), context.numbered());
        }
    }
}

/// The partners of those events asked for that have these ids, each with the id; and what they were seen among, where
/// they were fetched for it.
pub(crate) async fn pairs(
    store: &Store,
    context: &Arc<Context>,
    near: &Near,
    side: &Arc<Side>,
    ids: &Arc<HashSet<u64>>,
) -> Result<(Vec<(u64, Row)>, Option<Seen>), AskError> {
    if side.partners.is_some() {
        let (side, near, ids) = (Arc::clone(side), near.clone(), Arc::clone(ids));
        let pairs = compute(move || {
            let anchors = Events::sorted(side.anchors_of(&ids), side.units);
            let pieces = side.partners.iter().flatten();
            pieces.flat_map(|piece| comparison::pairs(&near, &anchors, piece)).collect()
        });
        return Ok((pairs.await?, None));
    }
    let anchors = side.anchors_of(ids);
    let (mut comparison, narrow) = prepare(context, near, anchors.clone(), false).await?;
    let how = context.partners(near, &narrow);
    let Some(selected) = selection::partners_of(near, &anchors, how) else { return Ok((Vec::new(), None)) };
    let mut pieces = Pieces::start(store, &selected, context)?;
    let rows_max = context.budget.piece_rows();
    let (mut found, mut events) = (Vec::new(), 0);
    while let Some(mut rows) = pieces.next(rows_max).await? {
        events += rows.len();
        let shared = Arc::clone(context);
        let adding = compute(move || {
            shared.place(&mut rows);
            let pairs = comparison.pairs(rows, shared.numbered());
            (comparison, pairs)
        });
        let (now, pairs) = adding.await?;
        comparison = now;
        found.extend(pairs);
    }
    drop(pieces);
    Ok((found, Some(Seen { selection: selected, events })))
}

/// What events asked for are compared by, and which partners suffice.
pub(crate) async fn prepare(
    context: &Arc<Context>,
    near: &Near,
    anchors: Vec<Row>,
    with_windows: bool,
) -> Result<(Comparison, Narrow), AskError> {
    let (shared, near) = (Arc::clone(context), near.clone());
    let watermark_ns = context.watermark_ns;
    compute(move || {
        let comparison = Comparison::new(&near, anchors, shared.numbered(), watermark_ns, with_windows);
        let narrow = shared.narrow(&comparison, &near, with_windows);
        (comparison, narrow)
    })
    .await
}
