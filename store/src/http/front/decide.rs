//! What becomes of a call: the statement that is sent to the engine, or why none is.
//!
//! Nothing of a client's text reaches the engine as it came: a reader's statement is confined and printed anew, a
//! writer's `INSERT` is printed anew from its parts, and a statement of our own is equal to what this program makes.

use bytes::Bytes;

use super::Role;
use super::confined::{self, Confined};
use super::insert::{self, refused};
use super::own::{Kind, OwnStatements};
use super::{formats, settings};
use crate::http::encoding::Coding;
use crate::http::failure::Failure;
use crate::http::lanes::Lane;
use crate::http::multipart::External;
use crate::http::request::{Call, Data};
use crate::http::words::insert_head;

/// A reader's statement, as it is sent; what is longer than the confinement takes is said by that.
const READERS_BYTES_MAX: usize = 1 << 20;
/// The same of a writer: questions put ids and times into theirs.
const WRITERS_BYTES_MAX: usize = 4 << 20;
/// What a statement may have beside its text, in bytes.
const QUERY_SLACK: usize = 1024;
/// Parameters of one statement, and the bytes of a parameter's name.
const PARAMETERS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 128;
/// Tables that come with one statement.
const EXTERNAL_MAX: usize = 16;
/// What an insert of a writer's own SQL may take, since it runs among our own statements.
const SELECTING_LIMITS: &[(&str, &str)] = &[("max_memory_usage", "536870912"), ("max_execution_time", "300")];
/// Data holds no expressions, whatever its format could.
const NO_EXPRESSIONS: &[(&str, &str)] = &[
    ("input_format_values_interpret_expressions", "0"),
    ("input_format_values_deduce_templates_of_expressions", "0"),
];

/// A statement as it is sent to the engine.
pub(super) struct Sent {
    /// The text; an insert's without its data.
    pub(super) text: String,
    /// An insert's data, and its format.
    pub(super) data: Option<Inserted>,
    pub(super) lane: Lane,
    pub(super) database: String,
    pub(super) format: Option<&'static str>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) query_id: Option<String>,
    pub(super) coding: Coding,
    pub(super) revision: u64,
    pub(super) progress: bool,
    pub(super) buffer_bytes: Option<usize>,
    pub(super) whole: bool,
    /// Where it calls `correlate(…)`: the statement into which the matches are put.
    pub(super) calling: Option<crate::confine::Confined>,
    /// Tables that come with it.
    pub(super) external: Vec<External>,
}

impl Sent {
    /// The text, and that it may be so long.
    pub(super) fn set_text(&mut self, text: String) {
        self.settings.retain(|(name, _)| name != "max_query_size");
        self.settings.push(("max_query_size".to_owned(), (text.len() + QUERY_SLACK).to_string()));
        self.text = text;
    }
}

/// An insert's data.
pub(super) struct Inserted {
    pub(super) format: &'static str,
    /// What came with the text.
    pub(super) beginning: Bytes,
    pub(super) following: Data,
}

/// Decides on a call. `lane` is what a caller says that it is for; a reader has no choice.
///
/// # Errors
/// In ClickHouse's words: what was wanted, and what was found.
pub(super) fn decide(
    role: Role,
    lane: Lane,
    database: &str,
    own: &OwnStatements,
    call: Call,
) -> Result<Sent, Failure> {
    if let Some(named) = &call.database
        && named != database
        && named != "default"
    {
        return Err(unknown_database(named));
    }
    let sent = Sent {
        text: String::new(),
        data: None,
        lane,
        database: database.to_owned(),
        format: call.format.as_deref().map(answer_format).transpose()?,
        settings: settings::accepted(role, &call.settings)?,
        parameters: parameters(call.parameters)?,
        query_id: call.query_id.filter(|id| is_query_id(id)),
        coding: call.coding,
        revision: call.revision,
        progress: call.progress,
        buffer_bytes: call.buffer_bytes,
        whole: call.whole,
        calling: None,
        external: external(role, call.external)?,
    };
    match role {
        Role::Reader => {
            no_data(&call.data)?;
            let text = text(&call.text, READERS_BYTES_MAX)?;
            let tables: Vec<String> = sent.external.iter().map(|table| table.name.clone()).collect();
            let confined = confined::of_reader(text, database, &sent.parameters, &tables)?;
            read(confined, Sent { lane: Lane::Port, ..sent })
        }
        Role::Writer => write(call.text, call.data, call.reads_only, own, sent),
    }
}

/// A statement that reads.
fn read(confined: Confined, mut sent: Sent) -> Result<Sent, Failure> {
    if let Some(format) = &confined.format {
        sent.format = Some(answer_format(format)?);
    }
    for (name, limit) in confined.limits {
        limited(&mut sent.settings, name, limit);
    }
    limited(&mut sent.settings, "readonly", "2".to_owned());
    // The printed text may be longer than the one that was sent.
    sent.set_text(confined.text);
    sent.calling = confined.calling;
    Ok(sent)
}

/// A limit goes over what a client states, which can only make it narrower; how an answer is written is the client's.
fn limited(settings: &mut Vec<(String, String)>, name: &str, limit: String) {
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number > 0);
    let stated = || settings.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone());
    let kept = if name.starts_with("output_format_") {
        stated().next_back()
    } else if name.starts_with("max_") {
        let most = number(&limit).unwrap_or(0);
        stated()
            .filter(|value| number(value).is_some_and(|value| value < most))
            .min_by_key(|value| number(value))
    } else {
        None
    };
    settings.retain(|(known, _)| known != name);
    settings.push((name.to_owned(), kept.unwrap_or(limit)));
}

/// A writer's statement.
fn write(
    bytes: Vec<u8>,
    data: Data,
    reads_only: bool,
    own: &OwnStatements,
    mut sent: Sent,
) -> Result<Sent, Failure> {
    if let Some(head) = insert_head(&bytes) {
        let is_own = std::str::from_utf8(&bytes).is_ok_and(|text| own.kind(text).is_some());
        if !is_own {
            allowed_to_change(reads_only)?;
            let (text, format) = insert::canonical(&head, &sent.database)?;
            let beginning = Bytes::from(bytes).slice(head.data_at..);
            sent.settings.extend(owned(NO_EXPRESSIONS));
            sent.data = Some(Inserted { format, beginning, following: data });
            return Ok(Sent { text, lane: Lane::Own, ..sent });
        }
    }
    no_data(&data)?;
    let text = text(&bytes, WRITERS_BYTES_MAX)?;
    match own.kind(text) {
        Some(Kind::Reads) => {
            sent.settings.push(("readonly".to_owned(), "2".to_owned()));
            Ok(Sent { text: text.to_owned(), ..sent })
        }
        Some(Kind::Changes) => {
            allowed_to_change(reads_only)?;
            Ok(Sent { text: text.to_owned(), lane: Lane::Own, ..sent })
        }
        None => match insert::selecting(text, &sent.database)? {
            Some((into, select)) => {
                allowed_to_change(reads_only)?;
                let select = confined::of_reader(select, &sent.database, &sent.parameters, &[])?;
                if select.calling.is_some() {
                    return Err(refused("correlate stands in statements that only read"));
                }
                sent.settings.extend(owned(SELECTING_LIMITS));
                Ok(Sent { text: format!("{into} {}", select.text), lane: Lane::Own, ..sent })
            }
            None => read(confined::of_writer(text, &sent.database)?, sent),
        },
    }
}

fn owned(settings: &[(&str, &str)]) -> impl Iterator<Item = (String, String)> {
    settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
}

fn text(bytes: &[u8], bytes_max: usize) -> Result<&str, Failure> {
    if bytes.len() > bytes_max {
        return Err(Failure::TooLarge { bytes_max });
    }
    std::str::from_utf8(bytes).map_err(|_| Failure::Statement {
        code: 62,
        text: "Code: 62. DB::Exception: Wanted a statement in UTF-8. (SYNTAX_ERROR)".to_owned(),
    })
}

fn no_data(data: &Data) -> Result<(), Failure> {
    let empty = match data {
        Data::None => true,
        Data::Bytes(bytes) => bytes.is_empty(),
        Data::Coming(body) => hyper::body::Body::is_end_stream(body),
    };
    if empty {
        Ok(())
    } else {
        Err(refused("data comes with an INSERT of a writer's, and with nothing else"))
    }
}

fn allowed_to_change(reads_only: bool) -> Result<(), Failure> {
    if reads_only {
        let text = "Code: 164. DB::Exception: GET reads: send a change with POST. (READONLY)".to_owned();
        return Err(Failure::Statement { code: 164, text });
    }
    Ok(())
}

fn answer_format(name: &str) -> Result<&'static str, Failure> {
    formats::answer(name).ok_or_else(|| Failure::Statement {
        code: 73,
        text: format!(
            "Code: 73. DB::Exception: Answers do not come in the format {:?} here. (UNKNOWN_FORMAT)",
            brief(name)
        ),
    })
}

pub(super) fn unknown_database(name: &str) -> Failure {
    Failure::Statement {
        code: 81,
        text: format!(
            "Code: 81. DB::Exception: Database {:?} does not exist. (UNKNOWN_DATABASE)",
            brief(name)
        ),
    }
}

fn brief(text: &str) -> String {
    text.chars().take(64).collect()
}

fn parameters(parameters: Vec<(String, String)>) -> Result<Vec<(String, String)>, Failure> {
    let is_name = |name: &str| {
        (1..=NAME_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_')
    };
    if parameters.len() > PARAMETERS_MAX || !parameters.iter().all(|(name, _)| is_name(name)) {
        return Err(refused("parameters are called by letters, digits and _, and there are 1,000 at most"));
    }
    Ok(parameters)
}

/// Tables that come with a reader's statement: their names, columns and formats are looked at, their data is data.
fn external(role: Role, tables: Vec<External>) -> Result<Vec<External>, Failure> {
    if tables.is_empty() {
        return Ok(tables);
    }
    if role != Role::Reader || tables.len() > EXTERNAL_MAX {
        return Err(refused("tables come with a reader's statement, and there are 16 at most"));
    }
    let one = |table: External| {
        let is_name = |name: &str| {
            (1..=NAME_BYTES_MAX).contains(&name.len())
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'_')
        };
        // `Values` could hold expressions.
        let format = formats::data(&table.format).filter(|format| *format != "Values");
        match format {
            Some(format) if is_name(&table.name) => Ok(External {
                format: format.to_owned(),
                structure: confined::columns(&table.structure)?,
                ..table
            }),
            Some(_) => Err(refused("a table that comes with a statement is called by letters, digits and _")),
            None => Err(refused(&format!("data in the format {:?} is not taken", brief(&table.format)))),
        }
    };
    tables.into_iter().map(one).collect()
}

fn is_query_id(id: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&id.len())
        && id.bytes().all(|sign| sign.is_ascii_alphanumeric() || b"-_.:".contains(&sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str, settings: &[(&str, &str)]) -> Call {
        Call { settings: owned(settings).collect(), ..Call::of_text(text) }
    }

    fn decided(role: Role, text: &str, settings: &[(&str, &str)]) -> Option<Sent> {
        let own = OwnStatements::of_database("lastwords");
        decide(role, Lane::Question, "lastwords", &own, call(text, settings)).ok()
    }

    fn value<'a>(sent: &'a Sent, name: &str) -> Option<&'a str> {
        sent.settings.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_readers_statement_is_printed_anew_read_only_and_within_its_limits() {
        let wide = [("max_execution_time", "0"), ("max_memory_usage", "99999999999"), ("readonly", "0")];
        let sent = decided(Role::Reader, "SELECT Host -- x\nFROM logs FORMAT JSON", &wide).unwrap();
        assert_eq!((sent.lane, sent.format), (Lane::Port, Some("JSON")));
        assert!(sent.text.contains("`lastwords`.`logs`") && !sent.text.contains("-- x"), "{}", sent.text);
        assert_eq!(value(&sent, "readonly"), Some("2"));
        let limits = crate::confine::limits::settings(crate::confine::Audience::Port);
        for (name, limit) in &limits {
            assert_eq!(value(&sent, name), Some(limit.as_str()), "{name}");
        }
        let narrow = decided(Role::Reader, "SELECT 1", &[("max_execution_time", "3")]).unwrap();
        assert_eq!(value(&narrow, "max_execution_time"), Some("3"));
    }

    #[test]
    fn a_reader_has_one_lane_and_a_writers_changes_have_another() {
        let lane = |role, text| decided(role, text, &[]).map(|sent| sent.lane);
        assert_eq!(lane(Role::Reader, "SELECT 1"), Some(Lane::Port));
        assert_eq!(lane(Role::Writer, "SELECT count() FROM logs"), Some(Lane::Question));
        assert_eq!(lane(Role::Writer, "INSERT INTO logs (Body) FORMAT Native\n"), Some(Lane::Own));
        assert_eq!(lane(Role::Writer, "ALTER TABLE logs REMOVE TTL"), Some(Lane::Own));
        assert_eq!(lane(Role::Reader, "ALTER TABLE logs REMOVE TTL"), None);
        assert_eq!(lane(Role::Reader, "INSERT INTO logs (Body) FORMAT Native\n"), None);
        assert_eq!(lane(Role::Reader, "SELECT max(Number) AS number FROM migrations"), None);
    }

    #[test]
    fn values_are_data_and_not_expressions() {
        let sent =
            decided(Role::Writer, "INSERT INTO logs (Body) VALUES (file('/etc/passwd'))", &[]).unwrap();
        assert_eq!(sent.text, "INSERT INTO `lastwords`.`logs` (`Body`)");
        assert_eq!(
            sent.data.map(|data| data.beginning).as_deref(),
            Some(b" (file('/etc/passwd'))".as_slice())
        );
        let own = OwnStatements::of_database("lastwords");
        let sent = decide(
            Role::Writer,
            Lane::Own,
            "lastwords",
            &own,
            call("INSERT INTO logs (Body) VALUES (1)", &[]),
        );
        let sent = sent.ok().unwrap();
        for (name, expected) in NO_EXPRESSIONS {
            assert_eq!(value(&sent, name), Some(*expected));
        }
    }

    #[test]
    fn an_insert_that_reads_is_confined() {
        let text = "INSERT INTO logs (Body) SELECT Body FROM logs";
        let sent = decided(Role::Writer, text, &[]).unwrap();
        assert!(sent.text.starts_with("INSERT INTO `lastwords`.`logs` (`Body`) "), "{}", sent.text);
        assert!(decided(Role::Writer, "INSERT INTO logs (Body) SELECT file('/etc/passwd')", &[]).is_none());
        assert!(decided(Role::Reader, text, &[]).is_none());
    }
}
