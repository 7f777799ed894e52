//! The one sentence, and the notes that a reader must not miss.

use jiff::tz::TimeZone;

use super::{
    chance,
    numbers::{duration, group_digits, local},
    set::name_set,
};
use crate::{
    answer::{Grounds, MatchesAnswer, Range, Wording},
    chance::{Assessment, Relation},
    fetch::range,
    language::{Matches, Near},
};

/// From so many matches on, an hour that holds at least two fifths of them is told.
const PEAK_MATCHES_MIN: u64 = 5;
/// Uncertainty of clocks above this part of D is told.
const CLOCK_PART: u64 = 10;

/// Words an answer.
pub(crate) fn word(
    question: &Matches,
    answer: &MatchesAnswer,
    grounds: &Grounds,
    time_zone: &TimeZone,
) -> Wording {
    let MatchesAnswer { header, chance, .. } = answer;
    let figures = Figures {
        question,
        anchors: answer.anchors.saturating_sub(chance.undecided),
        matched: header.matched.saturating_sub(chance.undecided_matched),
        undecided: chance.undecided,
        undecided_matched: chance.undecided_matched,
        expected: answer.expected_by_chance,
        grounds,
        range: header.range,
        time_zone,
    };
    Wording { sentence: sentence(&figures), notes: notes(&figures) }
}

/// What the sentence is made of. Anchors and matches are those that are decided.
#[derive(Debug, Clone, Copy)]
struct Figures<'a> {
    question: &'a Matches,
    anchors: u64,
    matched: u64,
    undecided: u64,
    undecided_matched: u64,
    /// How many of the anchors chance alone would give.
    expected: Option<f64>,
    grounds: &'a Grounds,
    range: Range,
    time_zone: &'a TimeZone,
}

impl Figures<'_> {
    /// What came of comparing with chance, where it was done.
    fn assessed(&self) -> Option<&Assessment> {
        self.grounds.assessed.as_ref()
    }
}

/// The sentence.
fn sentence(figures: &Figures<'_>) -> String {
    let anchors = subject(figures.question);
    let Some(near) = figures.question.near() else {
        if figures.anchors == 0 {
            return format!("There are no {anchors} in this range.");
        }
        let hosts = if figures.grounds.hosts == 1 {
            "1 host".to_owned()
        } else {
            format!("{} hosts", group_digits(figures.grounds.hosts as u64))
        };
        let counted = match figures.anchors {
            1 => format!("{anchors}: 1, on {hosts}."),
            many => format!("{} {anchors} on {hosts}.", group_digits(many)),
        };
        return [counted, peak(figures)].join(" ").trim_end().to_owned();
    };
    if figures.anchors == 0 && figures.undecided > 0 {
        return format!(
            "All {anchors} in this range are too recent to be decided: {}.",
            group_digits(figures.undecided)
        );
    }
    if figures.anchors == 0 {
        return format!(
            "There are no {anchors} in this range, so nothing can be said about what is near them."
        );
    }
    let count = match figures.matched {
        0 => "None".to_owned(),
        matched => group_digits(matched),
    };
    #[allow(clippy::cast_precision_loss, reason = "a share in whole percent")]
    let share = (figures.matched as f64 / figures.anchors as f64 * 100.0).round();
    let share = if figures.matched == 0 { String::new() } else { format!(" ({share} %)") };
    let head = format!("{count} of {} {anchors}{share} {}", group_digits(figures.anchors), condition(near));
    if near.negated {
        let left = figures.expected.map(|expected| format!("; chance would leave {expected:.1}"));
        return [format!("{head}{}.", left.unwrap_or_default()), peak(figures)]
            .join(" ")
            .trim_end()
            .to_owned();
    }
    let chance = figures.assessed().map(chance::figures).filter(|words| !words.is_empty());
    let head = match chance {
        Some(chance) => format!("{head}; {chance}."),
        None => format!("{head}."),
    };
    let verdict = figures.assessed().map(chance::verdict).unwrap_or_default();
    [head, peak(figures), verdict].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The anchors with their places and the conditions that chance is not told of.
fn subject(question: &Matches) -> String {
    let mut words = name_set(&question.anchors);
    for place in &question.bounds.places {
        words += &format!(" {place}");
    }
    if let Some(clock) = &question.bounds.clock {
        words += &format!(" {clock}");
    }
    let main = question.main();
    let others = question.conditions.iter().enumerate().filter(|(at, _)| Some(*at) != main);
    for (number, (_, near)) in others.enumerate() {
        words += if number == 0 { " that " } else { " and " };
        words += &condition(near);
    }
    words
}

/// What a condition says of the anchors.
fn condition(near: &Near) -> String {
    let relation = match near.relation {
        Relation::After => "after",
        Relation::Before => "before",
        Relation::Of => "of",
    };
    let came = if near.negated { "did not come" } else { "came" };
    let (within, partners) = (duration(near.within_ns), name_set(&near.partners));
    format!("{came} within {within} {relation} {partners} {}", near.scope.words())
}

/// What else a reader must know.
fn notes(figures: &Figures<'_>) -> Vec<String> {
    let negated = figures.question.near().is_some_and(|near| near.negated);
    let mut notes = figures.assessed().filter(|_| !negated).map(chance::notes).unwrap_or_default();
    notes.extend(undecided(figures));
    notes.extend(left_out(figures));
    if let Some(near) = figures.question.near() {
        let within = near.within_ns.unsigned_abs();
        if figures.grounds.clock_uncertainty_ns > 0
            && figures.grounds.clock_uncertainty_ns.saturating_mul(2 * CLOCK_PART) > within
        {
            notes.push(format!(
                "Clocks are uncertain by up to ± {}, which is not small against {}: matches near the edge may be wrong.",
                duration(i64::try_from(figures.grounds.clock_uncertainty_ns).unwrap_or(i64::MAX)),
                duration(near.within_ns)
            ));
        }
        let remarks = figures.grounds.remarks;
        if remarks.open.count > 0 {
            notes.push(format!(
                "{}: {} open for more than a day, the first since {}, counted as going on until now.",
                name_set(&near.partners),
                group_digits(remarks.open.count),
                local(remarks.open.since_ns, figures.time_zone)
            ));
        }
    }
    notes
}

fn undecided(figures: &Figures<'_>) -> Option<String> {
    let partner = match figures.undecided_matched {
        0 => String::new(),
        1 => "; 1 of them has a partner already".to_owned(),
        many => format!("; {} of them have a partner already", group_digits(many)),
    };
    match (figures.anchors, figures.undecided) {
        (_, 0) => None,
        (0, _) if partner.is_empty() => None,
        (_, 1) if figures.undecided_matched == 1 => {
            Some("1 more is too recent to be decided; it has a partner already.".to_owned())
        }
        (_, 1) => Some("1 more is too recent to be decided.".to_owned()),
        (_, many) => Some(format!("{} more are too recent to be decided{partner}.", group_digits(many))),
    }
}

fn left_out(figures: &Figures<'_>) -> Vec<String> {
    let zone = figures.time_zone;
    let mut notes = Vec::new();
    let remarks = figures.grounds.remarks;
    if remarks.unmet > 0 {
        notes.push(format!(
            "Left out as they do not meet the other conditions: {}.",
            group_digits(remarks.unmet)
        ));
    }
    if remarks.undecided > 0 {
        notes
            .push(format!("Too early to tell of the other conditions: {}.", group_digits(remarks.undecided)));
    }
    if let (1.., Some(near)) = (remarks.without_unit, figures.question.near()) {
        let scope = near.scope.words();
        let lacks = scope.rsplit(' ').next().unwrap_or_default();
        notes.push(format!(
            "Left out as no {lacks} is known of them: {}.",
            group_digits(remarks.without_unit)
        ));
    }
    if figures.grounds.remarks.earlier > 0 {
        notes.push(format!(
            "Left out as older than {}, from which on days are compared (at most {}): {}. Say since when to include them.",
            local(figures.range.from, zone),
            group_digits(range::DAYS_MAX.unsigned_abs()),
            group_digits(figures.grounds.remarks.earlier)
        ));
    }
    if figures.grounds.remarks.later > 0 {
        notes.push(format!(
            "Left out as dated after {}, in the future: {}.",
            local(figures.range.to, zone),
            group_digits(figures.grounds.remarks.later)
        ));
    }
    notes
}

fn peak(figures: &Figures<'_>) -> String {
    let most = (0_u32..)
        .zip(&figures.grounds.hour_of_day)
        .max_by_key(|(hour, count)| (**count, std::cmp::Reverse(*hour)));
    match most {
        Some((hour, count))
            if figures.matched >= PEAK_MATCHES_MIN
                && count.saturating_mul(5) >= figures.matched.saturating_mul(2) =>
        {
            let of = if *count == figures.matched {
                format!("All {}", group_digits(*count))
            } else {
                format!("{} of the {}", group_digits(*count), group_digits(figures.matched))
            };
            format!("{of} fall between {hour:02}:00 and {:02}:00.", hour + 1)
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        answer::Remarks,
        chance::{Basis, Verdict},
        correlate::comparison::Open,
        language::{Asker, Names, Question, parse},
    };

    static UTC: TimeZone = TimeZone::UTC;

    struct Case {
        question: Matches,
        grounds: Grounds,
        matched: u64,
    }

    impl Case {
        fn panics(matched: u64, of_three: u64) -> Case {
            let names =
                Names::new([("panics", "kernel.panic"), ("network saturation", "network.saturation")]);
            let asker = Asker { now_ns: 0, time_zone: TimeZone::UTC };
            let question =
                parse("panics within 5 minutes of network saturation", &names.into(), &asker).unwrap();
            let Question::Matches(question) = question else { unreachable!("it is one") };
            let mut hour_of_day = [0; 24];
            hour_of_day[15] = of_three;
            hour_of_day[3] = (matched - of_three) / 2;
            hour_of_day[4] = matched - of_three - hour_of_day[3];
            let assessed = Assessment {
                basis: Basis::Day,
                verdict: Verdict::Follows,
                p: Some(0.000_2),
                p_day: Some(0.000_2),
                p_host: None,
                p_local: Some(0.000_01),
                p_floor: 0.000_1,
                expected: 3.2,
                expected_local: 4.0,
                lift: Some(11.5625),
                lift_at_least: None,
                matched,
                anchors: 41,
                heads_matched: matched,
                heads: 41,
                undecided: 0,
                days: 14,
                floor_day: 0.000_1,
                floor_host: 1.0,
                days_needed: None,
                cell_ns: 1_800_000_000_000,
                relation: Relation::Of,
                fleet_wide: false,
                covers_nearly_all: false,
                none_on_these_hosts: false,
                too_few: false,
            };
            let grounds = Grounds { hosts: 3, hour_of_day, assessed: Some(assessed), ..Grounds::default() };
            Case { question, grounds, matched }
        }

        fn figures(&self) -> Figures<'_> {
            Figures {
                question: &self.question,
                anchors: 41,
                matched: self.matched,
                undecided: 0,
                undecided_matched: 0,
                expected: Some(3.2),
                grounds: &self.grounds,
                range: Range { from: 0, to: 86_400_000_000_000 },
                time_zone: &UTC,
            }
        }
    }

    #[test]
    fn the_sentence_says_how_many_how_many_by_chance_and_when() {
        let case = Case::panics(37, 31);
        assert_eq!(
            sentence(&case.figures()),
            "37 of 41 panics (90 %) came within 5 min of network saturation on the same host; chance would give 3.2 \
             (lift 11.6, p < 0.001). 31 of the 37 fall between 15:00 and 16:00. They accompany it more often than \
             chance, the hour of day or the 30 min around them explain."
        );
        assert_eq!(notes(&case.figures()), Vec::<String>::new());
        let grounds = Grounds { assessed: None, ..case.grounds.clone() };
        assert_eq!(
            sentence(&Figures { grounds: &grounds, ..case.figures() }),
            "37 of 41 panics (90 %) came within 5 min of network saturation on the same host. \
             31 of the 37 fall between 15:00 and 16:00."
        );
    }

    #[test]
    fn the_busiest_hour_is_named_where_it_holds_two_fifths_of_at_least_five() {
        for (matched, of_three, said) in [
            (37, 31, "31 of the 37 fall"),
            (10, 4, "4 of the 10 fall"),
            (10, 10, "All 10 fall"),
            (11, 4, ""),
            (4, 4, ""),
        ] {
            let case = Case::panics(matched, of_three);
            let sentence = sentence(&case.figures());
            match said {
                "" => assert!(!sentence.contains(" fall "), "{sentence}"),
                said => {
                    assert!(sentence.contains(&format!(" {said} between 15:00 and 16:00.")), "{sentence}")
                }
            }
        }
    }

    #[test]
    fn what_is_undecided_left_out_or_open_is_told_apart() {
        let case = Case::panics(37, 31);
        let undecided = |undecided, undecided_matched| {
            notes(&Figures { undecided, undecided_matched, ..case.figures() }).join(" ")
        };
        assert_eq!(undecided(1, 0), "1 more is too recent to be decided.");
        assert_eq!(undecided(1, 1), "1 more is too recent to be decided; it has a partner already.");
        assert_eq!(undecided(3, 1), "3 more are too recent to be decided; 1 of them has a partner already.");
        let none = Figures { anchors: 0, matched: 0, undecided: 2, ..case.figures() };
        assert_eq!(sentence(&none), "All panics in this range are too recent to be decided: 2.");
        assert_eq!(notes(&none), Vec::<String>::new());
        let remarks = Remarks {
            earlier: 2,
            later: 1,
            open: Open { count: 1, since_ns: 3_600_000_000_000 },
            ..Remarks::default()
        };
        assert_eq!(
            notes(&Figures { grounds: &Grounds { remarks, ..case.grounds.clone() }, ..case.figures() }),
            [
                "Left out as older than 1970-01-01 00:00, from which on days are compared (at most 1,100): 2. \
                 Say since when to include them.",
                "Left out as dated after 1970-01-02 00:00, in the future: 1.",
                "network saturation: 1 open for more than a day, the first since 1970-01-01 01:00, \
                 counted as going on until now.",
            ]
        );
    }
}
