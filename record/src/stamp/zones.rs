//! Abbreviations of time zones, and what they may mean. An abbreviation that the configured zone uses at the written
//! time means that zone; this table is for all others. Offsets are minutes east of UTC, the most likely one first.
//! Source: the time zone database of 2025, and what programs print that have lists of their own; what is a
//! frequent word as well (`GET`) is left out.

/// In the order of their bytes.
const ZONES: &[(&str, &[i16])] = &[
    ("ACDT", &[630]),
    ("ACST", &[570]),
    ("ADT", &[-180]),
    ("AEDT", &[660]),
    ("AEST", &[600]),
    ("AKDT", &[-480]),
    ("AKST", &[-540]),
    ("ALMT", &[300, 360]),
    ("AMT", &[-240, 240]),
    ("AST", &[-240, 180]),
    ("AWST", &[480]),
    ("AZT", &[240]),
    ("BDT", &[360]),
    ("BRST", &[-120]),
    ("BRT", &[-180]),
    ("BST", &[60, 360]),
    ("CAT", &[120]),
    ("CDT", &[-300, -240]),
    ("CEST", &[120]),
    ("CET", &[60]),
    ("CLST", &[-180]),
    ("CLT", &[-240]),
    ("COT", &[-300]),
    ("CST", &[-360, 480, -300]),
    ("ChST", &[600]),
    ("EAT", &[180]),
    ("EDT", &[-240]),
    ("EEST", &[180]),
    ("EET", &[120]),
    ("EST", &[-300]),
    ("GMT", &[0]),
    ("GST", &[240]),
    ("HDT", &[-540]),
    ("HKT", &[480]),
    ("HST", &[-600]),
    ("ICT", &[420]),
    ("IDT", &[180]),
    ("IRDT", &[270]),
    ("IRKT", &[480]),
    ("IRST", &[210]),
    ("IST", &[330, 120, 60]),
    ("JST", &[540]),
    ("KRAT", &[420]),
    ("KST", &[540]),
    ("MDT", &[-360]),
    ("MEST", &[120]),
    ("MESZ", &[120]),
    ("MET", &[60]),
    ("MEZ", &[60]),
    ("MMT", &[390]),
    ("MSD", &[240]),
    ("MSK", &[180, 240]),
    ("MST", &[-420]),
    ("MYT", &[480]),
    ("NDT", &[-150]),
    ("NPT", &[345]),
    ("NST", &[-210]),
    ("NZDT", &[780]),
    ("NZST", &[720]),
    ("OMST", &[360]),
    ("PDT", &[-420]),
    ("PHT", &[480]),
    ("PKT", &[300]),
    ("PST", &[-480, 480]),
    ("SAMT", &[240]),
    ("SAST", &[120]),
    ("SGT", &[480]),
    ("SST", &[-660]),
    ("TRT", &[180]),
    ("UCT", &[0]),
    ("UTC", &[0]),
    ("UYT", &[-180]),
    ("UZT", &[300]),
    ("VET", &[-240]),
    ("VLAT", &[600]),
    ("WAT", &[60]),
    ("WEST", &[60]),
    ("WET", &[0]),
    ("WIB", &[420]),
    ("WIT", &[540]),
    ("WITA", &[480]),
    ("YEKT", &[300]),
];

/// The number of an abbreviation.
pub(crate) fn find(name: &[u8]) -> Option<u8> {
    let place = ZONES.binary_search_by(|(known, _)| known.as_bytes().cmp(name)).ok()?;
    u8::try_from(place).ok()
}

/// Whether it is another name of UTC.
pub(super) fn is_utc(number: u8) -> bool {
    matches!(name(number), "GMT" | "UCT" | "UTC")
}

/// The abbreviation.
pub(super) fn name(number: u8) -> &'static str {
    ZONES.get(usize::from(number)).map_or("", |(name, _)| name)
}

/// What it may mean.
pub(super) fn offsets(number: u8) -> &'static [i16] {
    ZONES.get(usize::from(number)).map_or(&[], |(_, offsets)| offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_abbreviation_is_found() {
        for (name, offsets) in ZONES {
            assert_eq!(super::offsets(find(name.as_bytes()).unwrap()), *offsets, "{name}");
        }
        assert_eq!(find(b"INFO"), None);
    }
}
