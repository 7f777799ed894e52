//! Silence, in words.

use super::numbers::{count, duration, group_digits};
use crate::{
    answer::{SilenceAnswer, Wording},
    language::{MachineKind, Silent},
};

/// Words an answer.
pub(crate) fn word(question: &Silent, answer: &SilenceAnswer) -> Wording {
    let machine = match question.machines {
        MachineKind::Hosts => "host",
        MachineKind::Guests => "guest",
    };
    let length = duration(question.for_ns);
    let sentence = if answer.header.matched == 0 {
        format!("No {machine} was silent for {length} in this range.")
    } else {
        let times = match answer.header.matched {
            1 => "once".to_owned(),
            times => count(times, "time"),
        };
        let now = match answer.figures.still {
            0 => "none of them still is".to_owned(),
            1 => "1 of them still is".to_owned(),
            many => format!("{} of them still are", group_digits(many)),
        };
        format!(
            "{} said nothing for {length} or longer, {times}; {now}.",
            count(answer.figures.machines, machine)
        )
    };
    Wording { sentence, notes: Vec::new() }
}
