//! What the engine's process says of itself: one JSON object a line, on the connection that it shares with the process
//! that started it. Where that connection ends, so does the engine's process.

use serde::{Deserialize, Serialize};

use super::cage::Cage;

/// A line may have so many bytes: a reason with the engine's own text in it.
pub(super) const LINE_BYTES_MAX: u64 = 64 << 10;

/// Something that happened in the engine's process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "snake_case")]
pub(super) enum Report {
    /// The process has given up what it does not need.
    Caged(Cage),
    /// The folder is open; connections are served from now on.
    Ready {
        /// Version that the library states.
        version: String,
    },
    /// The folder could not be opened.
    Failed {
        /// Another process has it: that passes where it is one that is just ending.
        held: bool,
        /// Why.
        text: String,
    },
}

impl Report {
    /// As a line.
    pub(super) fn line(&self) -> String {
        // Plain data under names always has a JSON form.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// From a line; none where it is no report of ours.
    pub(super) fn parse(line: &str) -> Option<Report> {
        serde_json::from_str(line.trim_end()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_survives_its_line() {
        for report in [
            Report::Caged(Cage::default()),
            Report::Ready { version: "26.7".into() },
            Report::Failed { held: true, text: "two\nlines \"quoted\"".into() },
        ] {
            let line = report.line();
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            assert_eq!(Report::parse(&line), Some(report));
        }
        assert_eq!(Report::parse("Segmentation fault\n"), None);
        assert_eq!(Report::parse(""), None);
    }
}
