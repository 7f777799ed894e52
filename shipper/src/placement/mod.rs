//! Who ran where, from what administrators have at hand: libvirt's domain XML, `xl list -l`, CSV. Pure.

mod about;
mod libvirt;
mod table;
mod xl;

use lastwords_record::{Batch, BatchBuilder, BatchId, Clock, Placement, ShipperId};

pub use about::{About, Unreadable};

/// Reads a file of any of the forms, told apart by its first letter.
///
/// # Errors
/// Where it is none of them, or lacks what has to be known.
pub fn read(text: &str, about: &About<'_>) -> Result<Vec<Placement>, Unreadable> {
    match text.trim_start().chars().next() {
        Some('<') => libvirt::read(text, about),
        Some('[' | '{') => xl::read(text, about),
        Some(_) => table::read(text, about),
        None => Err(Unreadable("the file is empty".to_owned())),
    }
}

/// Batches of these placements. The same ones give the same batches, so that the same file again adds nothing: sealed
/// at the last time that they say, whenever that happens.
///
/// # Errors
/// Where one is larger than a batch may be.
pub fn batches(placements: &[Placement]) -> Result<Vec<Batch>, Unreadable> {
    let times = |placement: &Placement| [Some(placement.start_ns), placement.end_ns];
    let sealed_ns = placements.iter().flat_map(times).flatten().max().unwrap_or_default();
    let mut builder = BatchBuilder::new();
    let mut batches = Vec::new();
    let shipper = shipper(placements);
    for placement in placements {
        placement
            .host
            .check()
            .and_then(|()| placement.guest.check())
            .map_err(|error| Unreadable(error.to_string()))?;
        let mut pushed = builder.push_placement(placement);
        if pushed.is_err() && !builder.is_empty() {
            let id = BatchId { shipper, epoch: 1, sequence: batches.len() as u64 + 1 };
            batches.push(builder.finish(id, sealed_ns, Clock::default()));
            pushed = builder.push_placement(placement);
        }
        if pushed.is_err() {
            return Err(Unreadable(format!("the attributes of {} are too large", placement.guest.name)));
        }
    }
    if !builder.is_empty() {
        let id = BatchId { shipper, epoch: 1, sequence: batches.len() as u64 + 1 };
        batches.push(builder.finish(id, sealed_ns, Clock::default()));
    }
    Ok(batches)
}

/// A shipper of their own, by what they say.
fn shipper(placements: &[Placement]) -> ShipperId {
    let mut said = String::new();
    let mut say = |part: &str| {
        // Lengths keep the parts apart.
        said.push_str(&format!("{} {part}\n", part.len()));
    };
    for placement in placements {
        for part in [&placement.host.name, &placement.guest.name, &placement.guest.uuid] {
            say(part);
        }
        say(&placement.start_ns.to_string());
        say(&placement.end_ns.map_or(String::new(), |end_ns| end_ns.to_string()));
        say(&placement.attributes.len().to_string());
        placement.attributes.iter().for_each(|(name, value)| {
            say(name);
            say(value);
        });
    }
    ShipperId::of("placement import", &said)
}

#[cfg(test)]
mod tests {
    use lastwords_record::Compression;

    use super::*;

    #[test]
    fn guests_without_end_are_cut_into_batches_that_can_be_sent() {
        let mut text = "host,guest,uuid,start,rack\n".to_owned();
        for number in 0..5_000 {
            text += &format!(
                "hv{:03},guest-with-a-long-name-{number},{number:08x}-0000-4000-8000-000000000000,2026-11-20T08:00:00Z,r1\n",
                number % 300
            );
        }
        let about = About { host: None, since_ns: 0, time_zone: &jiff::tz::TimeZone::UTC };
        let placements = read(&text, &about).unwrap();
        let batches = batches(&placements).unwrap();
        assert!(batches.len() > 1);
        let mut opened = Vec::new();
        for (batch, sequence) in batches.iter().zip(1..) {
            assert_eq!(batch.header.id.sequence, sequence);
            let envelope = batch.seal(Compression::DEFAULT).unwrap();
            opened.extend(Batch::open(&envelope).unwrap().placements);
        }
        assert_eq!(opened, placements);
    }
}
