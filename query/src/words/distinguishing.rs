//! What distinguishes machines, in words.

use super::{numbers::group_digits, set::name_set};
use crate::{
    answer::{DistinguishingAnswer, DistinguishingRow, Wording},
    language::{Distinguishes, MachineKind},
};

/// Words an answer with all of its rows.
pub(crate) fn word(question: &Distinguishes, answer: &DistinguishingAnswer) -> Wording {
    let kind = match question.machines {
        MachineKind::Guests => "guests",
        MachineKind::Hosts => "hosts",
    };
    let what = name_set(&question.anchors);
    let (machines, had) = (answer.figures.machines, answer.figures.with_events);
    let claimed: Vec<&DistinguishingRow> = answer.rows.iter().filter(|one| one.is_claimed()).collect();
    let mut notes = Vec::new();
    let sentence = match (machines, had, claimed.as_slice()) {
        (0, ..) => {
            notes.push(
                "`lastwords placement import` takes libvirt's XML, `xl list -l` or CSV; labels of hosts may also stand in \
                 the configuration."
                    .to_owned(),
            );
            format!("Nothing is known of what {kind} are like, so nothing distinguishes them.")
        }
        (_, 0, _) => {
            format!("None of the {} {kind} that something is known of had {what}.", group_digits(machines))
        }
        (_, _, []) => format!(
            "Of {} attributes none distinguishes the {} {kind} with {what} from the other {} beyond chance.",
            group_digits(answer.figures.attributes),
            group_digits(had),
            group_digits(machines.saturating_sub(had))
        ),
        (_, _, [one, rest @ ..]) => {
            let more = match rest.len() {
                0 => String::new(),
                1 => "; 1 more below".to_owned(),
                more => format!("; {more} more below"),
            };
            format!("{} {kind} with {what} stand out by {}{more}.", group_digits(had), word_trait(one))
        }
    };
    if had > 0 && answer.rows.iter().any(|one| one.compared.p.is_none()) {
        notes.push(
            "Attributes that all machines of a host share cannot be judged with fewer than 6 hosts."
                .to_owned(),
        );
    }
    Wording { sentence, notes }
}

fn word_trait(DistinguishingRow { compared, words }: &DistinguishingRow) -> String {
    format!(
        "{words} ({} of {} with it had them, {} of {} without)",
        group_digits(compared.with_had),
        group_digits(compared.with_all),
        group_digits(compared.without_had),
        group_digits(compared.without_all)
    )
}
