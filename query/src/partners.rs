//! Fetches the partners of one condition piece by piece, and compares each piece while the next one comes.
//!
//! Pieces are small enough to stay near the processor. Where they are few they are kept for the list of partners. Where
//! they are many nothing is kept but what each gave, and the partners of the events that are listed are fetched once
//! more: memory that is new costs more than reading again. What need not be known is not fetched at all
//! ([`crate::narrow`]).

use std::{collections::HashSet, sync::Arc};

use jiff::tz::TimeZone;
use lastwords_store::Store;

use crate::{
    answer::Range,
    ask::AskError,
    chance::{Input, Windows},
    conditions::{self, Comparison, Numbered, Side},
    correlate::{Events, Row},
    fetch::{Names, Pieces},
    language::{Bounds, Near, Scope},
    machines::Machines,
    matching::held,
    narrow::{Narrow, Needs},
    plan::{self, Fetch, Several},
};

/// Partners of one condition are kept up to so many bytes.
pub(crate) const PARTNERS_BYTES_MAX: usize = 64 << 20;

/// What both sides of a comparison are numbered, placed and compared by.
pub(crate) struct World {
    pub names: Names,
    pub machines: Machines,
    /// Up to here everything has arrived.
    pub watermark_ns: i64,
    pub range: Range,
    /// The asker's.
    pub time_zone: TimeZone,
    /// Of what chance draws.
    pub seed: u64,
    /// See [`AskOptions`](crate::AskOptions).
    pub whole_sets: bool,
}

impl World {
    /// Calls with what numbers everything that was met up to now.
    pub fn numbered<T>(&self, with: impl FnOnce(Numbered<'_>) -> T) -> T {
        let (hosts, guests) = (held(&self.names.hosts), held(&self.names.guests));
        with(Numbered { hosts: &hosts, guests: guests.len(), machines: &self.machines })
    }

    /// Partners under a condition in the range of a question.
    pub fn fetch(&self, near: &Near, bounds: &Bounds, narrow: &Narrow) -> Fetch {
        plan::partners(near, bounds, self.by_guest(near), &self.sql(narrow))
    }

    /// Which partners of these events asked for suffice.
    pub fn narrow(&self, comparison: &Comparison, near: &Near, with_windows: bool) -> Narrow {
        if self.whole_sets {
            return Narrow::default();
        }
        let anchors = comparison.anchors();
        let windows = Windows::default();
        let units = self.numbered(|numbered| comparison.units(numbered));
        let chance = with_windows.then(|| self.chance(near, anchors, &windows, units, false));
        let range_ns = (self.range.from, self.range.to);
        Narrow::of(&Needs { near, anchors, hosts: &held(&self.names.hosts), chance, range_ns })
    }

    /// What chance is told of.
    pub fn chance<'a>(
        &'a self,
        near: &Near,
        anchors: &'a Events,
        windows: &'a Windows,
        units: u32,
        same_events: bool,
    ) -> Input<'a> {
        Input {
            anchors: anchors.intervals(),
            windows,
            relation: near.relation,
            within_ns: near.within_ns,
            from_ns: self.range.from,
            to_ns: self.range.to,
            watermark_ns: self.watermark_ns,
            time_zone: &self.time_zone,
            units,
            seed: self.seed,
            same_events,
        }
    }

    fn sql(&self, narrow: &Narrow) -> String {
        plan::narrowed(narrow, self.machines.moves())
    }

    /// Whether the guests of partners matter: where they move, or are compared on.
    fn by_guest(&self, near: &Near) -> bool {
        self.machines.moves() || near.scope == Scope::Guest
    }

    fn place(&self, rows: &mut [Row]) {
        self.machines.place(rows, &self.names);
    }
}

/// Compares events asked for with the partners under a condition; also gives the bytes that are kept of them, which are
/// taken from the question's memory. `with_windows`: whether chance is to be told of it.
pub(crate) async fn compare(
    store: &Store,
    world: &Arc<World>,
    (near, bounds): (&Near, &Bounds),
    anchors: Vec<Row>,
    with_windows: bool,
) -> Result<(Side, usize), AskError> {
    let (comparison, narrow) = begun(world, near, anchors, with_windows).await?;
    let at_any_time = narrow.buckets_s.is_none();
    let (side, kept) = compared(store, world, &world.fetch(near, bounds, &narrow), comparison).await?;
    if !with_windows || at_any_time || side.any_window() {
        return Ok((side, kept));
    }
    // Whether there is none at all on these hosts is told apart from none where chance looks.
    world.names.release(kept);
    let anchors = (0..side.anchors.len()).map(|at| side.anchors.row(at)).collect();
    let (comparison, _) = begun(world, near, anchors, with_windows).await?;
    let fetch = world.fetch(near, bounds, &narrow.at_any_time());
    let (again, kept) = compared(store, world, &fetch, comparison).await?;
    Ok((Side { without_unit: side.without_unit, ..again }, kept))
}

async fn compared(
    store: &Store,
    world: &Arc<World>,
    fetch: &Fetch,
    mut comparison: Comparison,
) -> Result<(Side, usize), AskError> {
    let mut pieces = Pieces::of(store, fetch, &world.names)?;
    let rows_max = world.names.piece_rows();
    let mut kept = 0;
    let mut piece = if comparison.is_idle() { None } else { pieces.next(rows_max).await? };
    while let Some(mut rows) = piece {
        let of = Arc::clone(world);
        let adding = blocking(move || {
            of.place(&mut rows);
            of.numbered(|numbered| comparison.add(rows, numbered));
            comparison
        });
        let (added, next) = tokio::join!(adding, pieces.next(rows_max));
        (comparison, piece) = (added?, next?);
        world.names.release(kept);
        if comparison.partners_bytes() > PARTNERS_BYTES_MAX {
            comparison.forget_partners();
        }
        if world.names.keep(comparison.bytes()).is_err() {
            comparison.forget_partners();
            world.names.keep(comparison.bytes())?;
        }
        kept = comparison.bytes();
    }
    let of = Arc::clone(world);
    let side = blocking(move || of.numbered(|numbered| comparison.finish(numbered))).await?;
    Ok((side, kept))
}

/// Compares events asked for with each of several sets, which come in one statement; nothing is kept of them but what
/// chance looks at. `near` is the condition, whichever its set is.
pub(crate) async fn compare_each(
    store: &Store,
    world: &Arc<World>,
    (near, bounds): (&Near, &Bounds),
    anchors: Vec<Row>,
    several: &Several,
) -> Result<Vec<Side>, AskError> {
    let (mut base, narrow) = begun(world, near, anchors, true).await?;
    base.forget_partners();
    let guest = world.by_guest(near);
    let fetch = several.partners(near, bounds, guest, &world.sql(&narrow));
    let mut sides = compared_each(store, world, &fetch, base.clone(), several).await?;
    let none: Vec<usize> =
        (0..).zip(&sides).filter(|(_, side)| !side.any_window()).map(|(at, _)| at).collect();
    if narrow.buckets_s.is_some() && !none.is_empty() {
        // As in `compare`: none at all is told apart from none where chance looks.
        let rest = several.only(&none);
        let fetch = rest.partners(near, bounds, guest, &world.sql(&narrow.at_any_time()));
        for (at, side) in none.into_iter().zip(compared_each(store, world, &fetch, base, &rest).await?) {
            if let Some(place) = sides.get_mut(at) {
                *place = side;
            }
        }
    }
    Ok(sides)
}

async fn compared_each(
    store: &Store,
    world: &Arc<World>,
    fetch: &Fetch,
    base: Comparison,
    several: &Several,
) -> Result<Vec<Side>, AskError> {
    let mut pieces = Pieces::of(store, fetch, &world.names)?;
    let rows_max = world.names.piece_rows();
    let mut comparisons = vec![base; several.len()];
    let mut kept = 0;
    let mut piece = pieces.next(rows_max).await?;
    while let Some(rows) = piece {
        let (of, sets) = (Arc::clone(world), several.clone());
        let adding = blocking(move || {
            add_each(&of, rows, &sets, &mut comparisons);
            comparisons
        });
        let (added, next) = tokio::join!(adding, pieces.next(rows_max));
        (comparisons, piece) = (added?, next?);
        world.names.release(kept);
        kept = comparisons.iter().map(Comparison::pieces_bytes).sum();
        world.names.keep(kept)?;
    }
    world.names.release(kept);
    let of = Arc::clone(world);
    blocking(move || {
        comparisons.into_iter().map(|one| of.numbered(|numbered| one.finish(numbered))).collect()
    })
    .await
}

/// Adds rows to the comparisons of the sets that they are of.
fn add_each(world: &World, mut rows: Vec<Row>, several: &Several, comparisons: &mut [Comparison]) {
    world.place(&mut rows);
    rows.sort_by_key(|row| row.key);
    for of_key in rows.chunk_by(|a, b| a.key == b.key) {
        let Some(key) = of_key.first().map(|row| held(&world.names.keys).name(row.key).to_owned()) else {
            continue;
        };
        for (_, one) in comparisons.iter_mut().enumerate().filter(|(at, _)| several.has(*at, &key)) {
            world.numbered(|numbered| one.add(of_key.to_vec(), numbered));
        }
    }
}

/// The partners of those events asked for that have these ids, each with the id.
pub(crate) async fn pairs(
    store: &Store,
    world: &Arc<World>,
    near: &Near,
    side: &Side,
    ids: &HashSet<u64>,
) -> Result<Vec<(u64, Row)>, AskError> {
    let anchors = side.anchors_of(ids);
    if let Some(partners) = &side.partners {
        let anchors = Events::sorted(anchors, side.units);
        return Ok(partners.iter().flat_map(|piece| conditions::pairs(near, &anchors, piece)).collect());
    }
    let guest = world.by_guest(near);
    let times = plan::times_of_partners(near, &anchors);
    let (mut comparison, narrow) = begun(world, near, anchors, false).await?;
    let Some(times) = times else { return Ok(Vec::new()) };
    let fetch = plan::partners_within(near, times, guest, &world.sql(&narrow));
    let mut pieces = Pieces::of(store, &fetch, &world.names)?;
    let rows_max = world.names.piece_rows();
    let mut found = Vec::new();
    while let Some(mut rows) = pieces.next(rows_max).await? {
        let of = Arc::clone(world);
        let adding = blocking(move || {
            of.place(&mut rows);
            let pairs = of.numbered(|numbered| comparison.pairs(rows, numbered));
            (comparison, pairs)
        });
        let (now, pairs) = adding.await?;
        comparison = now;
        found.extend(pairs);
    }
    Ok(found)
}

/// What events asked for are compared by, and which partners suffice.
pub(crate) async fn begun(
    world: &Arc<World>,
    near: &Near,
    anchors: Vec<Row>,
    with_windows: bool,
) -> Result<(Comparison, Narrow), AskError> {
    let (of, near) = (Arc::clone(world), near.clone());
    let watermark_ns = world.watermark_ns;
    blocking(move || {
        let comparison =
            of.numbered(|numbered| Comparison::new(&near, anchors, numbered, watermark_ns, with_windows));
        let narrow = of.narrow(&comparison, &near, with_windows);
        (comparison, narrow)
    })
    .await
}

/// Computes beside what waits for the store.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AskError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AskError::Ended(error.to_string()))
}
