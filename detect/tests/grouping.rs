//! What shippers group into one record must begin where the parser of reports wants to begin.

use lastwords_detect::{Detector, kernel::blame::Blame};
use lastwords_record::group::{Grouper, Verdict};

#[test]
fn first_lines_of_reports_open_a_group() {
    let detector = Detector::built_in();
    let mut alone = Vec::new();
    for rule in detector.rules() {
        // A report without a trace needs no group, and of one that is cut off it is not there. A BSD's panic is a line,
        // and its trace is read where a file is read as a whole.
        if rule.blame.is_none_or(|blame| matches!(blame, Blame::Nobody | Blame::Verbatim | Blame::Bsd))
            || rule.truncated
        {
            continue;
        }
        for example in &rule.examples {
            for line in [example.clone(), format!("[   12.345678][ T3615] {example}")] {
                if Grouper::new().push(line.as_bytes()) != Verdict::Begins {
                    alone.push(format!("{}: {line}", rule.id));
                }
            }
        }
    }
    assert!(alone.is_empty(), "{alone:#?}");
}
