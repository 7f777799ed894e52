//! How every question about a set of events begins: the time it speaks of, its events, and the hosts that they were on.

use std::sync::Arc;

use crate::{
    answer::Range,
    budget::Budget,
    chance,
    context::{Asked, Context, compute},
    error::AskError,
    event::Row,
    fetch::{
        extent::{fetch_extent, number_hosts},
        pieces::fetch_whole,
        range::{AHEAD_NS_MAX, find_range},
    },
    language::{Bounds, Grouping, Set},
    names::Names,
    plan::selection,
};

/// What a question says of the events that it asks about.
pub(crate) struct Wanted<'q> {
    /// The events.
    pub anchors: &'q Set,
    /// What they are compared with.
    pub partners: Vec<&'q Set>,
    /// Where and when.
    pub bounds: &'q Bounds,
    /// What they are counted by.
    pub by: Option<&'q Grouping>,
    /// Whether they are compared with chance, which needs whole days.
    pub compares: bool,
}

/// The events asked about, and what they are compared in.
pub(crate) struct Opening {
    pub context: Arc<Context>,
    /// Those of the range, on the hosts that they were on; anywhere.
    pub anchors: Vec<Row>,
    /// How many were before the range, though the question names no beginning.
    pub earlier: u64,
    /// How many were after it, though the question names no end.
    pub later: u64,
    /// Half the width of the interval of each corrected time, largest of all.
    pub clock_uncertainty_ns: u64,
}

impl Opening {
    /// None where nothing was ever observed.
    pub async fn read(asked: &Asked<'_>, wanted: Wanted<'_>) -> Result<Option<Opening>, AskError> {
        let (store, options, now_ns) = (asked.store, asked.options, asked.now_ns);
        let Some(extent) = fetch_extent(store).await? else { return Ok(None) };
        let (names, budget) = (Names::default(), Budget::new(options.memory_bytes_max));
        let Wanted { anchors, partners, bounds, by, compares } = wanted;
        let selected = selection::anchors(anchors, bounds, by);
        let sets: Vec<&Set> = std::iter::once(anchors).chain(partners).collect();
        number_hosts(store, &names).await?;
        let (found, range) = tokio::try_join!(fetch_whole(store, &selected, &names, &budget), async {
            Ok(find_range(store, bounds, &sets, compares, &extent, now_ns).await?)
        })?;
        // What is dated ahead of now has arrived as well, but a clock of 2099 is not the time.
        let watermark_ns = now_ns.max(extent.last_ns.min(now_ns.saturating_add(AHEAD_NS_MAX)));
        let context = Arc::new(Context {
            names,
            budget,
            placement: Arc::clone(&asked.placement),
            watermark_ns,
            range,
            time_zone: options.time_zone.clone(),
            seed: chance::seed(asked.text, range.from, range.to),
            whole_sets: options.whole_sets,
        });
        let clock_uncertainty_ns = found.clock_uncertainty_ns;
        let opening = Opening { context, anchors: found.rows, earlier: 0, later: 0, clock_uncertainty_ns };
        compute(move || opening.place(compares.then_some(range))).await.map(Some)
    }

    /// Drops events out of a range, and puts the others on the hosts that they were on.
    fn place(mut self, range: Option<Range>) -> Opening {
        let mut drop_unless = |keeps: &dyn Fn(i64) -> bool| {
            let before = self.anchors.len();
            self.anchors.retain(|row| keeps(row.start_ns));
            before.saturating_sub(self.anchors.len()) as u64
        };
        if let Some(range) = range {
            self.earlier = drop_unless(&|start_ns| start_ns >= range.from);
            self.later = drop_unless(&|start_ns| start_ns < range.to);
        }
        self.context.place(&mut self.anchors);
        self
    }
}

impl Context {
    /// Keeps the events of the places, hours and days of the week that a question asks about.
    pub fn only_at(&self, bounds: &Bounds, rows: &mut Vec<Row>) {
        self.placement.only_at(&bounds.places, rows, &self.names.hosts, &self.names.guests);
        if let Some(clock) = &bounds.clock {
            rows.retain(|row| clock.holds(row.start_ns, &self.time_zone));
        }
    }
}
