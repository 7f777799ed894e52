//! The work on one content, under way.

use lastwords_record::{BatchBuilder, Clock};
use lastwords_runtime::now_ns;

use super::{
    job::{About, ImportError, Whose},
    known::{FILE, hex},
    link::Link,
    stream::Stream,
};
use crate::{
    plan::{Extent, Planned, Voice},
    shipper::Outbox,
    source::{identity::FileState, trace::Trace},
};

/// The work on one content.
pub(super) struct Work<'a> {
    pub about: &'a About<'a>,
    pub whose: Whose,
    pub outbox: Outbox,
    pub link: Link<'a>,
    pub builder: BatchBuilder,
    pub voice: Voice,
    pub stream: Stream,
    pub state: FileState,
    pub told: &'a dyn Fn(u64),
}

/// Why the work on a content ended early.
pub(super) enum Failed {
    Read(std::io::Error),
    Import(ImportError),
}

impl<E: Into<ImportError>> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed::Import(error.into())
    }
}

impl Work<'_> {
    /// The next batch's plan.
    pub(super) fn planned(&self) -> Planned {
        Planned { voices: vec![self.voice.clone()], ..self.outbox.planned(now_ns(), Clock::default()) }
    }

    /// What was taken since `start`; the state goes on to the stream's position.
    pub(super) fn extent(
        &mut self,
        start: u64,
        hash: u64,
        stamp_before: lastwords_record::stamp::StampState,
        stamp_after: lastwords_record::stamp::StampState,
        observed_ns: i64,
    ) -> Extent {
        self.state.position = self.stream.position();
        self.state.stamp = stamp_after;
        self.state.digest = hex(self.stream.hash());
        Extent {
            file: FILE,
            start,
            end: self.state.position,
            hash,
            voice: 0,
            observed_ns,
            stamp_before,
            stamp_after,
            identity: self.state.identity,
            trace: Trace::default(),
            digest: self.state.digest.clone(),
        }
    }
}
