//! What is collected from this machine: globs that lead nowhere, files that cannot be read, and what the shipper itself has
//! found in its way.

use std::path::PathBuf;

use lastwords_shipper::{status::read_notices, survey::Survey};

use super::finding::Finding;
use crate::{collect, config::Config};

/// Names that are given of each kind.
const NAMED_MAX: usize = 5;

pub fn check(config: &Config) -> Vec<Finding> {
    let shipper = collect::unfitted(config);
    let mut findings = Vec::new();
    let survey = Survey::of(&shipper);
    if survey.unmatched.is_empty() && survey.refused.is_empty() {
        findings.push(Finding::ok("log files", format!("{} files are meant and can be read", survey.files)));
    }
    if !survey.unmatched.is_empty() {
        let found = format!("globs that lead to no file: {}", named(&survey.unmatched));
        let way_out = "check collect.files and collect.file, or create the files";
        findings.push(Finding::warn("log files", found, way_out));
    }
    if !survey.refused.is_empty() {
        let refused: Vec<String> = survey
            .refused
            .iter()
            .map(|refused| format!("{} ({})", refused.path.display(), refused.why))
            .collect();
        let found = format!("cannot be read by this user: {}", named(&refused));
        let way_out = "run doctor as the shipper does; give its user the right to read them (setfacl, a group), or exclude them";
        findings.push(Finding::warn("log files", found, way_out));
    }
    findings.extend(notices(shipper.state_dir));
    findings
}

/// What a shipper has written down, of what is not found out by looking.
fn notices(folder: PathBuf) -> Vec<Finding> {
    match read_notices(&folder) {
        Err(error) => vec![Finding::warn(
            "shipper",
            error.to_string(),
            "is it another user's? run doctor as the shipper does",
        )],
        Ok(notices) => {
            let unseen = notices.into_iter().filter(|(kind, _)| kind != "no_match" && kind != "unreadable");
            let told = unseen.map(|(_, notice)| {
                let since = jiff::Timestamp::from_nanosecond(notice.since_ns.into()).unwrap_or_default();
                Finding::warn("shipper", format!("since {since:.0}: {}", notice.found), notice.way_out)
            });
            told.collect()
        }
    }
}

fn named(names: &[String]) -> String {
    let mut text = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", names.len() - NAMED_MAX));
    }
    text
}
