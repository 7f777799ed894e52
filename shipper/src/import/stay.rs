//! That a host ran a guest while the guest's records were written.

use lastwords_record::{BatchBuilder, FOUND_BY, Placement};

use super::job::{About, Whose};

/// That the host ran the guest while a batch's records were written. A guest's own log, which comes under its own name as
/// host, says nothing of that.
pub(super) fn stay(about: &About<'_>, whose: &Whose, (first_ns, last_ns): (i64, i64)) -> Option<Placement> {
    let guest = whose.guest.as_ref().filter(|guest| guest.name != about.host.name)?;
    Some(Placement {
        host: about.host.clone(),
        guest: guest.clone(),
        start_ns: first_ns,
        end_ns: Some(last_ns.saturating_add(1)),
        attributes: vec![(FOUND_BY.to_owned(), "import".to_owned())],
    })
}

/// Says so in the batch. One that was formed before there were stays may have no room; it stays as it was.
pub(super) fn place(about: &About<'_>, whose: &Whose, builder: &mut BatchBuilder) {
    if let Some(stay) = builder.span_ns().and_then(|span_ns| stay(about, whose, span_ns)) {
        let _no_room = builder.push_placement(&stay);
    }
}
