//! What a line says about its time, before any zone or year is decided.

/// What a line says about its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A date and a time of day.
    Calendar {
        /// Up to the minute.
        minute: Written,
        /// Nanoseconds since the start of that minute.
        nanoseconds: i64,
    },
    /// Nanoseconds since 1970.
    Epoch {
        /// Them.
        time_ns: i64,
    },
    /// Nanoseconds of the kernel's clock.
    KernelClock {
        /// Them.
        clock_ns: i64,
    },
    /// Nanoseconds since the line before, as `dmesg --human` writes them.
    SinceBefore {
        /// Them.
        delta_ns: i64,
    },
}

/// A minute as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    // First what differs most often between lines.
    pub(super) minute: i8,
    pub(super) year: Option<i16>,
    pub(super) month: i8,
    pub(super) day: i8,
    pub(super) hour: i8,
    pub(super) zone: Zone,
    /// Day and month may be the other way round (`06/07/2026`).
    pub(super) swappable: bool,
    /// What the zone means is in doubt (`GMT+3`).
    pub(super) doubt: bool,
}

/// The zone of a written time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    /// None is written.
    Local,
    /// Minutes east of UTC.
    Offset(i16),
    /// An abbreviation, as its number in the table.
    Named(u8),
}

impl Form {
    /// Milliseconds that differ between two lines as their times do, for lines whose times are written alike; which
    /// zone and, where none is written, which year are left open.
    pub fn unzoned_ms(&self) -> Option<i64> {
        match *self {
            Form::Calendar { minute, nanoseconds } => {
                // 2000 had a 29th of February.
                let date =
                    jiff::civil::Date::new(minute.year.unwrap_or(2000), minute.month, minute.day).ok()?;
                let days = date.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days();
                let minutes = i64::from(days) * 1440 + i64::from(minute.hour) * 60 + i64::from(minute.minute);
                let offset = if let Zone::Offset(offset) = minute.zone { i64::from(offset) } else { 0 };
                Some((minutes - offset) * 60_000 + nanoseconds / 1_000_000)
            }
            Form::Epoch { time_ns } => Some(time_ns / 1_000_000),
            Form::KernelClock { .. } | Form::SinceBefore { .. } => None,
        }
    }

    /// Whether a year is written.
    pub fn has_year(&self) -> bool {
        !matches!(self, Form::Calendar { minute: Written { year: None, .. }, .. })
    }
}

impl Written {
    /// A minute within a calendar's bounds; which days a month has is seen later, when the year is known.
    #[inline]
    pub(super) fn new(
        year: Option<i64>,
        month: i64,
        day: i64,
        hour: i64,
        minute: i64,
        zone: Zone,
    ) -> Option<Written> {
        Some(Written {
            year: year.map(i16::try_from).transpose().ok()?,
            month: i8::try_from(month).ok().filter(|month| (1..=12).contains(month))?,
            day: i8::try_from(day).ok().filter(|day| (1..=31).contains(day))?,
            hour: i8::try_from(hour).ok()?,
            minute: i8::try_from(minute).ok()?,
            zone,
            swappable: false,
            doubt: false,
        })
    }
}
