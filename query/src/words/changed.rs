//! A change, in words.

use jiff::tz::TimeZone;

use super::{
    numbers::{group_digits, local},
    set::name_set,
};
use crate::{
    answer::{ChangeAnswer, Wording},
    chance::{
        ALPHA,
        change::{Sides, rate},
    },
    language::Change,
};

/// Words an answer. `of_guests`: whether days are those of guests, not of hosts.
pub(crate) fn word(
    question: &Change,
    answer: &ChangeAnswer,
    of_guests: bool,
    time_zone: &TimeZone,
) -> Wording {
    let machine = if of_guests { "guest" } else { "host" };
    Wording { sentence: sentence(question, answer, machine, time_zone), notes: notes(answer, machine) }
}

fn sentence(question: &Change, answer: &ChangeAnswer, machine: &str, time_zone: &TimeZone) -> String {
    let what = question
        .bounds
        .places
        .iter()
        .fold(name_set(&question.anchors), |words, place| format!("{words} {place}"));
    let change = &answer.figures.change;
    let Sides { before, after } = change.sides;
    let moment = local(question.at_ns, time_zone);
    if before.episodes + after.episodes == 0 {
        return format!("There were no {what} before or after {moment}: a ratio is undefined.");
    }
    if before.days <= 0.0 || after.days <= 0.0 {
        return format!("Nothing was observed on one side of {moment}: nothing can be compared.");
    }
    let counts = format!(
        "{what}: {} episodes in {:.0} {machine}-days before {moment}, {} in {:.0} after ({:.2} and {:.2} per 100 {machine}-days)",
        group_digits(before.episodes),
        before.days,
        group_digits(after.episodes),
        after.days,
        100.0 * rate(&before),
        100.0 * rate(&after)
    );
    let to = change.ratio_to.map_or("∞".to_owned(), |to| format!("{to:.2}"));
    let ratio = change.ratio.map_or("the ratio is undefined".to_owned(), |ratio| {
        format!("{ratio:.2} times the rate (95 %: {:.2} to {to})", change.ratio_from)
    });
    let p = change.p.unwrap_or(1.0);
    let p_words = if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
    let became = if change.ratio.is_some_and(|ratio| ratio < 1.0) { "rarer" } else { "more frequent" };
    let verdict = match (p <= ALPHA, change.p_control) {
        (false, _) => "that is not more of a change than chance makes.".to_owned(),
        (true, Some(control)) if control > ALPHA => {
            format!(
                "but where nothing was changed it went the same way (p = {control:.2}): no effect is shown."
            )
        }
        (true, Some(_)) => format!("they became {became}, also compared with the rest."),
        (true, None) => format!("they became {became}."),
    };
    format!("{counts}; {ratio}, {p_words}: {verdict}")
}

fn notes(answer: &ChangeAnswer, machine: &str) -> Vec<String> {
    let change = &answer.figures.change;
    let mut notes = Vec::new();
    if let Some(control) = &change.control {
        notes.push(format!(
            "Elsewhere: {} episodes in {:.0} {machine}-days before, {} in {:.0} after.",
            group_digits(control.before.episodes),
            control.before.days,
            group_digits(control.after.episodes),
            control.after.days
        ));
    } else if change.p.is_some_and(|p| p <= ALPHA) {
        notes.push(
            "There is no control: name the places that were changed (on rack b7) to compare with the rest. A moment chosen \
             after a bad spell looks like an improvement by itself."
                .to_owned(),
        );
    }
    if change.dispersion > 1.0 {
        notes.push(format!(
            "Episodes come in clusters ({:.1} times the variance of independent ones), which is allowed for.",
            change.dispersion
        ));
    }
    notes
}
