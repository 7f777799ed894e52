//! The figures in plain words.
//!
//! A sentence never claims a cause, and never more than was compared: following only where both other
//! days and the surroundings have been, the hour of day only where other days have been.

use crate::chance::{Assessment, Basis, Relation, Verdict};

/// What chance would give: `chance would give 3.2 (lift 11.6, p < 0.001)`, the middle of the
/// answer's sentence. Empty where there is nothing to compare.
pub fn figures(assessed: &Assessment) -> String {
    let Some(p) = assessed.p else { return String::new() };
    let expected = format!("chance would give {}", quantity(assessed.expected));
    let probability = probability(p, assessed.p_floor);
    match (assessed.basis, assessed.lift, assessed.lift_at_least) {
        (Basis::None, ..) => expected,
        (_, Some(lift), _) => format!("{expected} (lift {}, {probability})", quantity(lift)),
        (_, None, Some(least)) => format!("{expected} (lift at least {}, {probability})", quantity(least)),
        (_, None, None) => format!("{expected} ({probability})"),
    }
}

/// What may be said about it: one sentence, with a capital and a full stop.
pub fn verdict(assessed: &Assessment) -> String {
    let around = duration(assessed.cell_ns);
    let (follow, following) = match assessed.relation {
        Relation::After => ("follow", "following"),
        Relation::Before => ("precede", "preceding"),
        Relation::Of => ("accompany", "accompanying"),
    };
    match assessed.verdict {
        Verdict::NoAnchors => "There was nothing to compare.".into(),
        Verdict::SameEvents => "The same events may stand on both sides, so chance is not assessed.".into(),
        Verdict::NoneOnTheseHosts => "There was none on these hosts.".into(),
        Verdict::CoversNearlyAll => {
            format!("It covers nearly all the time, {around} around each included: nothing can be told.")
        }
        Verdict::Follows => {
            format!(
                "They {follow} it more often than chance, the hour of day or the {around} around them explain."
            )
        }
        Verdict::SameTimesOfDay => format!(
            "Both happen at the same times of day: {following} cannot be told from a shared schedule."
        ),
        Verdict::SameBadPeriods => {
            format!(
                "Both happen in the same bad periods: closeness within the {around} around them is not shown."
            )
        }
        Verdict::MoreThanOtherHosts => format!(
            "That is more than on other hosts at the same moment; {} cannot separate it from a daily rhythm: {}.",
            days(assessed.days),
            needs(assessed)
        ),
        Verdict::FleetWide => format!(
            "It is fleet-wide: other hosts had it at the same moment as often, and {} cannot separate it from a daily rhythm: {}.",
            days(assessed.days),
            needs(assessed)
        ),
        Verdict::CloserThanSurroundings => format!(
            "They are closer than the {around} around them explain; a shared schedule is not excluded: {}.",
            needs(assessed)
        ),
        Verdict::NotMore => "That is not more than chance.".into(),
        Verdict::TooFew => "There are too few to tell.".into(),
    }
}

/// What else the reader must know, each a sentence of its own.
pub fn notes(assessed: &Assessment) -> Vec<String> {
    let mut notes = Vec::new();
    if assessed.basis != Basis::None && assessed.expected_local > 2.0 * assessed.expected {
        notes.push(format!(
            "The {} around them alone would give {}.",
            duration(assessed.cell_ns),
            quantity(assessed.expected_local)
        ));
    }
    notes
}

/// p as printed: never 0, never below the smallest value that it could have taken.
pub fn probability(p: f64, floor: f64) -> String {
    if p <= floor * (1.0 + 1e-9) && floor >= 0.000_1 {
        format!("p ≤ {}", significant(floor))
    } else if p < 0.001 {
        "p < 0.001".into()
    } else {
        format!("p = {}", significant(p))
    }
}

/// A probability to two significant digits, one where the second is 0.
fn significant(p: f64) -> String {
    let decimals = match p {
        p if p >= 0.1 => 2,
        p if p >= 0.01 => 3,
        p if p >= 0.001 => 4,
        _ => 5,
    };
    let text = format!("{p:.decimals$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "0" { "0.00001".into() } else { text.into() }
}

/// A count that need not be whole: one decimal below 100; two where one would show 0.
fn quantity(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 0.05 {
        format!("{value:.1}")
    } else if value == 0.0 {
        "0".into()
    } else if value >= 0.005 {
        format!("{value:.2}")
    } else {
        "less than 0.01".into()
    }
}

fn days(days: u32) -> String {
    match days {
        0 => "less than a day".into(),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

fn needs(assessed: &Assessment) -> String {
    match assessed.days_needed {
        Some(1) => "needs 1 more day".into(),
        Some(more) => format!("needs {more} more days"),
        None => "more days like these would not help".into(),
    }
}

/// A length of time in its largest whole unit, or with one decimal.
fn duration(length_ns: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
    ];
    for (unit_ns, unit) in UNITS {
        if length_ns >= unit_ns {
            let tenths = length_ns / (unit_ns / 10);
            let (whole, tenth) = (tenths / 10, tenths % 10);
            return if tenth == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenth} {unit}") };
        }
    }
    format!("{length_ns} ns")
}
