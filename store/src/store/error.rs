//! Why a statement failed, and what that means for whoever sent it.
//!
//! ClickHouse tells errors apart by number. What blames the data itself is refused for good, since the block never
//! gets as far as a part; everything that time or an operator mends is worth another attempt. A number that stands in
//! no list is no certain refusal either.

use clickhouse::error::Error as ClientError;
use hyper::StatusCode;
use thiserror::Error;

use super::codes;
use crate::engine::exception_code;
use crate::native::read::BlockError;

/// What an error of the store's means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Network, replicas, disks: it passes.
    Transient,
    /// The store has too much to do: it passes, and more statements make it worse.
    Overload,
    /// The data is to blame: the same block fails again.
    Data,
    /// The statement, the schema, the user or the settings are to blame: an operator has to mend that.
    Setup,
    /// Not known.
    Unknown,
}

/// Code of a violated constraint.
const VIOLATED_CONSTRAINT: i32 = 469;

impl Class {
    /// Of one of ClickHouse's codes.
    pub fn of_code(code: i32) -> Class {
        let lists = [
            (codes::TRANSIENT, Class::Transient),
            (codes::OVERLOAD, Class::Overload),
            (codes::DATA, Class::Data),
            (codes::SETUP, Class::Setup),
        ];
        let holds = |codes: &[(i32, &str)]| codes.iter().any(|(known, _)| *known == code);
        lists.iter().find(|(codes, _)| holds(codes)).map_or(Class::Unknown, |(_, class)| *class)
    }

    /// Of an answer: the text in front of its code may say more. None where it is no answer of ClickHouse's, but of a
    /// proxy's on the way.
    pub fn of_answer(text: &str) -> Option<(Class, i32)> {
        let code = exception_code(text)?;
        // Files and disks answer with many codes; a full disk passes.
        let full = text.contains("No space left") || text.contains("Cannot reserve");
        Some((if full { Class::Transient } else { Class::of_code(code) }, code))
    }
}

/// Why an insert failed. Whatever the reason, only reading back tells whether rows are stored.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum InsertError {
    #[error(
        "the store refused the block for {table} because it came too late or from before the store's start: {text}"
    )]
    TooLate { table: String, text: String },
    #[error("the store refused the block for {table}, and would again: {text}")]
    Refused { table: String, code: i32, text: String },
    #[error("the store could not take the block for {table} now: {text}")]
    Retryable { table: String, code: i32, class: Class, text: String },
    #[error("no answer from the store to the insert into {table}: {text}")]
    Unanswered { table: String, text: String },
}

impl InsertError {
    pub(super) fn of(table: &str, error: &ClientError) -> InsertError {
        let table = table.to_owned();
        match error {
            ClientError::BadResponse(text) => InsertError::of_answer(table, text.clone()),
            other => InsertError::Unanswered { table, text: explain(other) },
        }
    }

    fn of_answer(table: String, text: String) -> InsertError {
        match Class::of_answer(&text) {
            Some((_, VIOLATED_CONSTRAINT)) if is_late(&text) => InsertError::TooLate { table, text },
            Some((Class::Data, code)) => InsertError::Refused { table, code, text },
            Some((class, code)) => InsertError::Retryable { table, code, class, text },
            None => InsertError::Unanswered { table, text },
        }
    }
}

/// Whether the violated constraint is one of ours. The message goes on with the row's values, which may say anything.
fn is_late(text: &str) -> bool {
    let name = text.split_once("onstraint `").and_then(|(_, rest)| rest.split_once('`'));
    matches!(name, Some(("in_time" | "this_run", _)))
}

/// Why a query failed.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum QueryError {
    #[error("{text}")]
    Statement { code: i32, text: String },
    #[error("the store could not be reached: {0}")]
    Unreachable(String),
    #[error("the store's answer could not be read: {0}")]
    Answer(String),
}

impl QueryError {
    pub(super) fn of(error: &ClientError) -> QueryError {
        match error {
            ClientError::BadResponse(text) => match exception_code(text) {
                Some(code) => QueryError::Statement { code, text: text.clone() },
                // Not ClickHouse's: a proxy in front of it has nobody to ask.
                None if is_unavailable(text) => QueryError::Unreachable(text.clone()),
                None => QueryError::Statement { code: 0, text: text.clone() },
            },
            ClientError::Network(_) => QueryError::Unreachable(explain(error)),
            ClientError::TimedOut => QueryError::Unreachable("no answer in time".to_owned()),
            other => QueryError::Answer(explain(other)),
        }
    }

    /// What the store has against the statement, without its code and version; none where it is not to blame: what passes,
    /// and what takes more than it may.
    pub fn statement_fault(&self) -> Option<String> {
        match self {
            QueryError::Statement { text, .. }
                if !matches!(Class::of_answer(text), Some((Class::Transient | Class::Overload, _))) =>
            {
                let text = text.trim();
                let text = text.split_once("DB::Exception: ").map_or(text, |(_, rest)| rest);
                let text = text.rsplit_once(" (version ").map_or(text, |(rest, _)| rest);
                Some(text.trim().to_owned())
            }
            _ => None,
        }
    }

    /// Whether the statement took more memory or time than it may.
    pub fn exceeds_limits(&self) -> bool {
        matches!(self, QueryError::Statement { code, .. } if codes::LIMITS.iter().any(|(known, _)| known == code))
    }

    /// Whether the same may succeed later without anybody's doing.
    pub fn is_passing(&self) -> bool {
        match self {
            QueryError::Unreachable(_) => true,
            QueryError::Statement { text, .. } => {
                matches!(Class::of_answer(text), Some((Class::Transient | Class::Overload, _)))
            }
            QueryError::Answer(_) => false,
        }
    }
}

/// Whether an answer that is not ClickHouse's is a gateway's word for a server that it cannot reach.
fn is_unavailable(text: &str) -> bool {
    matches!(
        gateway_status(text),
        Some(StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
    )
}

/// The status that a proxy's answer begins with, by its number or its words: the client gives the number where there is no
/// text, and pages have it as their title or heading. What stands elsewhere in a text is no status.
fn gateway_status(text: &str) -> Option<StatusCode> {
    const PHRASES: [(&str, StatusCode); 4] = [
        ("bad gateway", StatusCode::BAD_GATEWAY),
        ("service unavailable", StatusCode::SERVICE_UNAVAILABLE),
        ("gateway timeout", StatusCode::GATEWAY_TIMEOUT),
        ("gateway time-out", StatusCode::GATEWAY_TIMEOUT),
    ];
    let lower = text.to_ascii_lowercase();
    let within = |tag: &str| lower.split_once(tag).map(|(_, rest)| rest);
    let said = [Some(lower.as_str()), within("<title>"), within("<h1>")];
    said.into_iter().flatten().find_map(|said| {
        let said = said.trim_start();
        let said = said.strip_prefix("http ").or_else(|| said.strip_prefix("error ")).unwrap_or(said);
        if let Some((_, status)) = PHRASES.iter().find(|(phrase, _)| said.starts_with(phrase)) {
            return Some(*status);
        }
        let (digits, rest) = said.split_at_checked(3)?;
        let whole = !rest.starts_with(|letter: char| letter.is_alphanumeric());
        whole.then(|| StatusCode::from_bytes(digits.as_bytes()).ok()).flatten()
    })
}

impl From<BlockError> for QueryError {
    fn from(error: BlockError) -> QueryError {
        QueryError::Answer(error.to_string())
    }
}

/// Whether not a byte of the statement has left: there was no connection.
pub(super) fn never_sent(error: &ClientError) -> bool {
    let ClientError::Network(source) = error else { return false };
    source
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

/// Whether the address, and not the statement, failed: another may do better.
pub(super) fn blames_address(error: &ClientError) -> bool {
    match error {
        ClientError::Network(_) | ClientError::TimedOut => true,
        ClientError::BadResponse(text) => match Class::of_answer(text) {
            // A replica without Keeper, a server that is being stopped.
            Some((Class::Transient, _)) => true,
            Some(_) => false,
            None => is_unavailable(text),
        },
        _ => false,
    }
}

/// An error with its causes, each said once.
pub(super) fn explain(error: &ClientError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(error: &InsertError) -> &'static str {
        match error {
            InsertError::TooLate { .. } => "too late",
            InsertError::Refused { .. } => "refused",
            InsertError::Retryable { .. } => "retryable",
            InsertError::Unanswered { .. } => "unanswered",
        }
    }

    #[test]
    fn only_what_blames_the_data_is_refused_for_good() {
        for (answer, expected) in [
            (
                "Code: 469. DB::Exception: Constraint `in_time` for table lastwords.logs is violated",
                "too late",
            ),
            (
                "Code: 469. DB::Exception: Constraint `this_run` for table lastwords.logs is violated",
                "too late",
            ),
            ("Code: 469. DB::Exception: Constraint `sane` for table lastwords.logs is violated", "refused"),
            ("Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA)", "refused"),
            ("Code: 117. DB::Exception: Unexpected data. (INCORRECT_DATA)", "refused"),
            ("Code: 33. DB::Exception: write: No space left on device", "retryable"),
            ("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space", "retryable"),
            ("Code: 252. DB::Exception: Too many parts", "retryable"),
            ("Code: 241. DB::Exception: Memory limit exceeded", "retryable"),
            ("Code: 242. DB::Exception: Table is in readonly mode", "retryable"),
            ("Code: 999. Coordination::Exception: Session expired", "retryable"),
            // An operator's to mend: no batch is thrown out for that.
            ("Code: 516. DB::Exception: Authentication failed", "retryable"),
            ("Code: 60. DB::Exception: Table lastwords.logs does not exist", "retryable"),
            ("Code: 497. DB::Exception: Not enough privileges", "retryable"),
            // In no list.
            ("Code: 49. DB::Exception: Logical error", "retryable"),
            ("Code: 4711. DB::Exception: News", "retryable"),
            // Not ClickHouse's.
            ("<html><h1>502 Bad Gateway</h1></html>", "unanswered"),
            ("413 Request Entity Too Large", "unanswered"),
            ("", "unanswered"),
        ] {
            let error = InsertError::of("logs", &ClientError::BadResponse(answer.to_owned()));
            assert_eq!(kind(&error), expected, "{answer}");
        }
        assert_eq!(kind(&InsertError::of("logs", &ClientError::TimedOut)), "unanswered");
        assert_eq!(kind(&InsertError::of("logs", &ClientError::Network("broken pipe".into()))), "unanswered");
    }

    #[test]
    fn a_code_has_one_class() {
        let mut codes: Vec<i32> = [codes::TRANSIENT, codes::OVERLOAD, codes::DATA, codes::SETUP]
            .concat()
            .iter()
            .map(|(code, _)| *code)
            .collect();
        let all = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn queries_that_may_succeed_later_are_told_from_those_that_do_not() {
        for (answer, expected) in [
            ("Code: 202. DB::Exception: Too many simultaneous queries", true),
            ("Code: 236. DB::Exception: The store is being closed", true),
            ("502 Bad Gateway", true),
            ("Code: 516. DB::Exception: Authentication failed", false),
            ("Code: 62. DB::Exception: Syntax error", false),
        ] {
            let error = QueryError::of(&ClientError::BadResponse(answer.to_owned()));
            assert_eq!(error.is_passing(), expected, "{answer}");
        }
        assert!(QueryError::of(&ClientError::TimedOut).is_passing());
    }

    #[test]
    fn a_proxys_status_is_read_where_it_stands_and_nowhere_else() {
        for (text, expected) in [
            ("502 Bad Gateway", true),
            ("503", true),
            ("Bad Gateway", true),
            ("<html><head><title>Service Unavailable</title></head></html>", true),
            ("HTTP 504 Gateway Timeout", true),
            ("<html>\r\n<head><title>502 Bad Gateway</title></head>", true),
            ("<html><body><h1>503 Service Unavailable</h1>\nNo server is available", true),
            ("413 Request Entity Too Large", false),
            ("<html><head><title>404 Not Found</title></head><body>request 502 503</body></html>", false),
            ("Table 502 is missing", false),
            ("5020 rows were read", false),
            ("the host said: Service Unavailable", false),
            ("", false),
        ] {
            assert_eq!(is_unavailable(text), expected, "{text}");
            let error = QueryError::of(&ClientError::BadResponse(text.to_owned()));
            assert_eq!(matches!(error, QueryError::Unreachable(_)), expected, "{text}: {error:?}");
        }
    }

    #[test]
    fn a_statement_is_to_blame_for_what_neither_passes_nor_is_a_limit() {
        for (answer, fault, limit) in [
            (
                "Code: 62. DB::Exception: Syntax error: x (SYNTAX_ERROR) (version 26.1)",
                Some("Syntax error: x (SYNTAX_ERROR)"),
                false,
            ),
            ("Code: 47. DB::Exception: Unknown identifier y", Some("Unknown identifier y"), false),
            ("Code: 241. DB::Exception: Query memory limit exceeded", None, true),
            ("Code: 159. DB::Exception: Timeout exceeded", None, true),
            ("Code: 202. DB::Exception: Too many simultaneous queries", None, false),
            ("Code: 210. DB::Exception: Connection refused", None, false),
        ] {
            let error = QueryError::of(&ClientError::BadResponse(answer.to_owned()));
            assert_eq!(error.statement_fault().as_deref(), fault, "{answer}");
            assert_eq!(error.exceeds_limits(), limit, "{answer}");
        }
    }
}
