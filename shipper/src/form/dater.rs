//! What a source's lines are read by: their zone, their boots, how their text is written.

use std::sync::Arc;

use jiff::tz::TimeZone;
use lastwords_record::{
    encoding::Encoding,
    stamp::{StampRules, StampState, Stamper},
};

use super::shaping::Shaper;
use crate::plan::Voice;

/// Dates the lines of one voice, and can be put back.
#[derive(Debug, Clone)]
pub struct Dater {
    rules: StampRules,
    pub(super) stamper: Stamper,
    /// How the text is written.
    pub(super) encoding: Encoding,
    /// By which rules lines become rows.
    pub(super) forming: u8,
    /// What is done to lines before they are records.
    pub(super) shaper: Option<Arc<Shaper>>,
}

impl Dater {
    /// For a voice; goes on with what was remembered. A zone that this machine's database does not know any more
    /// counts as UTC.
    pub fn new(voice: &Voice, memory: Option<StampState>) -> Dater {
        Dater::in_zone(voice, time_zone(&voice.time_zone).unwrap_or(TimeZone::UTC), memory)
    }

    /// The same, in a zone that may have no name.
    pub fn in_zone(voice: &Voice, time_zone: TimeZone, memory: Option<StampState>) -> Dater {
        let rules = StampRules {
            time_zone,
            year: voice.year,
            modified_ns: voice.modified_ns,
            boots: voice.boots.clone(),
        };
        let stamper = match memory {
            Some(memory) => Stamper::resume(rules.clone(), memory),
            None => Stamper::new(rules.clone()),
        };
        let shaper = Shaper::of(&voice.shaping);
        Dater { rules, stamper, encoding: voice.encoding, forming: voice.forming, shaper }
    }

    /// What is remembered.
    pub fn memory(&self) -> StampState {
        self.stamper.state()
    }

    /// From now on the text is read as this.
    pub fn read_as(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    pub(super) fn restore(&mut self, memory: StampState) {
        self.stamper = Stamper::resume(self.rules.clone(), memory);
    }
}

/// The zone of a name, in the database's or in POSIX form.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).ok()
}
