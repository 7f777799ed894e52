//! The one sentence, and the notes that a reader must not miss.

use crate::{
    chance::{Assessment, Relation, words},
    language::{Members, Question, Set},
};

/// From so many matches on, an hour that holds at least half of them is told.
const PEAK_MATCHES_MIN: u64 = 5;
/// Uncertainty of clocks above this part of D is told.
const CLOCK_PART: u64 = 10;

/// What the sentence is made of.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Figures<'a> {
    pub question: &'a Question,
    pub anchors: u64,
    pub matched: u64,
    pub hosts: usize,
    pub hour_of_day: &'a [u64; 24],
    pub assessed: Option<&'a Assessment>,
    pub clock_uncertainty_ns: u64,
}

/// The sentence.
pub fn sentence(figures: &Figures<'_>) -> String {
    let anchors = named(&figures.question.anchors);
    let Some(near) = &figures.question.near else {
        if figures.anchors == 0 {
            return format!("There are no {anchors} in this range.");
        }
        let hosts = if figures.hosts == 1 { "1 host".to_owned() } else { format!("{} hosts", grouped(figures.hosts as u64)) };
        return [format!("{} {anchors} on {hosts}.", grouped(figures.anchors)), peak(figures)].join(" ").trim_end().to_owned();
    };
    if figures.anchors == 0 {
        return format!("There are no {anchors} in this range, so nothing can be said about what is near them.");
    }
    let relation = match near.relation {
        Relation::After => "after",
        Relation::Before => "before",
        Relation::Of => "of",
    };
    let count = match figures.matched {
        0 => "None".to_owned(),
        matched => grouped(matched),
    };
    #[allow(clippy::cast_precision_loss, reason = "a share in whole percent")]
    let share = (figures.matched as f64 / figures.anchors as f64 * 100.0).round();
    let share = if figures.matched == 0 { String::new() } else { format!(" ({share} %)") };
    let head = format!(
        "{count} of {} {anchors}{share} came within {} {relation} {} {}",
        grouped(figures.anchors),
        duration(near.within_ns),
        named(&near.partners),
        figures.question.scope.words()
    );
    let chance = figures.assessed.map(words::figures).filter(|words| !words.is_empty());
    let head = match chance {
        Some(chance) => format!("{head}; {chance}."),
        None => format!("{head}."),
    };
    let verdict = figures.assessed.map(words::verdict).unwrap_or_default();
    [head, peak(figures), verdict].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// What else a reader must know.
pub fn notes(figures: &Figures<'_>) -> Vec<String> {
    let mut notes = figures.assessed.map(words::notes).unwrap_or_default();
    if let Some(near) = &figures.question.near {
        let within = near.within_ns.unsigned_abs();
        if figures.clock_uncertainty_ns > 0 && figures.clock_uncertainty_ns.saturating_mul(2 * CLOCK_PART) > within {
            notes.push(format!(
                "Clocks are uncertain by up to ± {}, which is not small against {}: matches near the edge may be wrong.",
                duration(i64::try_from(figures.clock_uncertainty_ns).unwrap_or(i64::MAX)),
                duration(near.within_ns)
            ));
        }
    }
    notes
}

fn peak(figures: &Figures<'_>) -> String {
    let most = (0_u32..).zip(figures.hour_of_day).max_by_key(|(hour, count)| (**count, std::cmp::Reverse(*hour)));
    match most {
        Some((hour, count)) if figures.matched >= PEAK_MATCHES_MIN && count.saturating_mul(2) >= figures.matched => {
            let of = if *count == figures.matched { format!("All {}", grouped(*count)) } else { format!("{} of the {}", grouped(*count), grouped(figures.matched)) };
            format!("{of} fall between {hour:02}:00 and {:02}:00.", hour + 1)
        }
        _ => String::new(),
    }
}

fn named(set: &Set) -> String {
    match &set.members {
        Members::Class(_) if set.words.contains('.') => format!("{} events", set.words),
        Members::Class(_) => set.words.clone(),
        Members::Text(_) | Members::Predicate(_) => format!("records with {}", set.words),
    }
}

/// A length of time in its two largest units.
pub(crate) fn duration(length_ns: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
    ];
    let mut parts = Vec::new();
    let mut rest = length_ns;
    for (unit_ns, unit) in UNITS {
        if rest >= unit_ns && parts.len() < 2 {
            parts.push(format!("{} {unit}", rest / unit_ns));
            rest %= unit_ns;
        } else if !parts.is_empty() {
            break;
        }
    }
    match parts.is_empty() {
        true if length_ns == 0 => "0 s".to_owned(),
        true => "1 ms".to_owned(),
        false => parts.join(" "),
    }
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_worded_shortly() {
        for (length_ns, words) in [
            (0, "0 s"),
            (10, "1 ms"),
            (300_000_000_000, "5 min"),
            (5_400_000_000_000, "1 h 30 min"),
            (90_061_000_000_000, "1 d 1 h"),
            (86_401_000_000_000, "1 d"),
            (1_500_000_000, "1 s 500 ms"),
        ] {
            assert_eq!(duration(length_ns), words);
        }
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
