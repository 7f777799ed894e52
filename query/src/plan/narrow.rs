//! Which partners of a condition are fetched. The answer is the same; what is chosen by counts is how much is read.
//!
//! - Everything that the range can have: where there are many events asked for.
//! - What is on the hosts of the events asked for: where those are few of the hosts, and chance compares none with others.
//! - Of log records, what lies in the five minutes of the store's key in which the events asked for, or chance, look for
//!   partners: where those are few of the range. Events last, and are few beside records; they are not cut by time.

use std::collections::BTreeSet;

use crate::{
    chance::{Input, LookedAt, Relation, looked_at},
    event::{Events, end_of},
    language::{Members, Near, Scope},
    names::Interner,
};

/// Seconds of a bucket, by which records are sorted in the store.
const BUCKET_S: i64 = 300;
/// Hosts are named in a statement up to so many.
const HOSTS_MAX: usize = 1_000;
/// Hosts are named where they are at most so large a part of all: 1 of …
const HOSTS_PART: usize = 2;
/// Buckets are named in a statement up to so many.
const BUCKETS_MAX: usize = 10_000;
/// Buckets are named where they are at most so large a part of the range: 1 of …
const BUCKETS_PART: usize = 3;
/// Spans of which buckets are made at most; more would take longer than they save.
const SPANS_MAX: usize = 1_000_000;
const BUCKET_NS: i64 = BUCKET_S * 1_000_000_000;

/// What a statement is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Narrow {
    /// To these hosts; and to what happened to guests, which may have been elsewhere, where that is known.
    pub hosts: Option<Vec<String>>,
    /// To records in these buckets, by the second in which they begin.
    pub buckets_s: Option<Vec<i64>>,
}

/// What decides what is needed.
pub(crate) struct Needs<'a> {
    /// The condition.
    pub near: &'a Near,
    /// The events asked for, in its units.
    pub anchors: &'a Events,
    /// Names of hosts.
    pub hosts: &'a Interner,
    /// What chance is told of; none where it is not.
    pub chance: Option<Input<'a>>,
    /// Start and end of what is observed.
    pub range_ns: (i64, i64),
}

impl Narrow {
    /// What suffices.
    pub fn choose(needs: &Needs<'_>) -> Narrow {
        let looked = match &needs.chance {
            Some(chance) => match looked_at(chance, SPANS_MAX) {
                Some(looked) => looked,
                None => return Narrow::default(),
            },
            None => LookedAt::default(),
        };
        let is_records = matches!(needs.near.partners.members, Members::Text(_) | Members::Predicate(_));
        Narrow {
            hosts: (needs.near.scope == Scope::Host && !looked.other_units).then(|| hosts(needs)).flatten(),
            buckets_s: is_records.then(|| buckets(needs, &looked.spans)).flatten(),
        }
    }

    /// As it is, but for all of the time.
    pub fn at_any_time(self) -> Narrow {
        Narrow { buckets_s: None, ..self }
    }
}

fn hosts(needs: &Needs<'_>) -> Option<Vec<String>> {
    let numbers: BTreeSet<u32> = needs.anchors.host.iter().copied().collect();
    let few = numbers.len() <= HOSTS_MAX && numbers.len() * HOSTS_PART <= needs.hosts.len() as usize;
    few.then(|| numbers.into_iter().map(|number| needs.hosts.name(number).to_owned()).collect())
}

/// Of what chance looks at, and of the events asked for themselves.
fn buckets(needs: &Needs<'_>, looked: &[(i64, i64)]) -> Option<Vec<i64>> {
    let (from_ns, to_ns) = needs.range_ns;
    let all = usize::try_from((to_ns.saturating_sub(from_ns)) / BUCKET_NS).unwrap_or(usize::MAX);
    let most = BUCKETS_MAX.min(all / BUCKETS_PART);
    let after = needs.near.relation == Relation::After;
    let own = needs.anchors.start_ns.iter().zip(&needs.anchors.end_ns);
    // What looks ahead from something that has not ended yet may find anything.
    let is_open = |end_ns: &i64| !after && end_of(*end_ns).is_none();
    if needs.anchors.len() > SPANS_MAX || needs.anchors.end_ns.iter().any(is_open) {
        return None;
    }
    let own =
        own.map(|(start_ns, end_ns)| (*start_ns, if after { *start_ns } else { *end_ns }.max(*start_ns)));
    let mut buckets = BTreeSet::new();
    for span in own.chain(looked.iter().copied()) {
        let (first_ns, last_ns) = needs.near.relation.partners_of(span, needs.near.within_ns);
        let (first, last) = (first_ns.div_euclid(BUCKET_NS), last_ns.div_euclid(BUCKET_NS));
        if usize::try_from(last.saturating_sub(first)).is_ok_and(|count| count > most) {
            return None;
        }
        buckets.extend(first..=last);
        if buckets.len() > most {
            return None;
        }
    }
    Some(buckets.into_iter().map(|bucket| bucket * BUCKET_S).collect())
}
