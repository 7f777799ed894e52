//! Why there is no answer.

use jiff::tz::TimeZone;
use lastwords_store::{QueryError, native::read::BlockError};
use thiserror::Error;

use crate::{
    answer::Range,
    language::SyntaxError,
    words::numbers::{local, size},
};

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum AskError {
    /// The question is not understood.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The SQL is not allowed, or the store does not understand it.
    #[error("{0}")]
    Refused(String),
    /// The events do not fit into the memory that they may take; sizes in bytes.
    #[error(
        "The events that this question asks for do not fit into its memory: they need at least {}, and may take {}. Ask \
         about a shorter time (since 7 days ago) or fewer machines (on host hv01), or raise query.memory_max.",
        size(*needed), size(*limit)
    )]
    TooLarge {
        /// What they need at least.
        needed: u64,
        /// What they may take.
        limit: u64,
    },
    /// The matches do not fit into a statement; sizes in bytes.
    #[error(
        "The matches of correlate(…) do not fit into the statement: they need at least {}, and may take {}. Narrow the \
         question's range.",
        size(*needed), size(*limit)
    )]
    TableTooLarge {
        /// What they need at least.
        needed: u64,
        /// What they may take.
        limit: u64,
    },
    /// Nothing was observed on one side of the moment asked about.
    #[error(
        "There is nothing to compare: {} has to lie within what was observed, from {} to {}.",
        local(*at_ns, time_zone), local(range.from, time_zone), local(range.to, time_zone)
    )]
    MomentOutside {
        /// The moment, nanoseconds since the epoch.
        at_ns: i64,
        /// What was observed.
        range: Range,
        /// The asker's.
        time_zone: TimeZone,
    },
    /// The store failed.
    #[error("the store could not answer: {0}")]
    Store(#[from] QueryError),
    /// Our own work was ended before it was done.
    #[error("the answer was not finished: {0}")]
    Cancelled(String),
}

/// What kind of error an asker meets. HTTP status, gRPC code and exit code follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The question or the SQL is wrong: it has to be asked otherwise.
    Usage,
    /// It is understood, but there is nothing that it could be answered from.
    Unanswerable,
    /// It takes more memory or time than it may: less has to be asked for, or more to be allowed.
    TooLarge,
    /// The store cannot answer now; the same may succeed later.
    Unavailable,
    /// Something is broken.
    Failed,
    /// It was ended before it was answered.
    Cancelled,
}

impl AskError {
    /// Its kind.
    pub fn class(&self) -> ErrorClass {
        match self {
            AskError::Syntax(_) | AskError::Refused(_) => ErrorClass::Usage,
            AskError::MomentOutside { .. } => ErrorClass::Unanswerable,
            AskError::TooLarge { .. } | AskError::TableTooLarge { .. } => ErrorClass::TooLarge,
            AskError::Store(error) if error.exceeds_limits() => ErrorClass::TooLarge,
            AskError::Store(error) if error.is_passing() => ErrorClass::Unavailable,
            AskError::Store(_) => ErrorClass::Failed,
            AskError::Cancelled(_) => ErrorClass::Cancelled,
        }
    }
}

impl From<BlockError> for AskError {
    fn from(error: BlockError) -> AskError {
        AskError::Store(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_the_class_that_its_asker_can_act_on() {
        let statement = |text: &str, code| QueryError::Statement { code, text: text.to_owned() };
        let range = Range { from: 0, to: 1 };
        for (error, class) in [
            (AskError::Refused("no".into()), ErrorClass::Usage),
            (AskError::TooLarge { needed: 2, limit: 1 }, ErrorClass::TooLarge),
            (AskError::TableTooLarge { needed: 2, limit: 1 }, ErrorClass::TooLarge),
            (AskError::MomentOutside { at_ns: 5, range, time_zone: TimeZone::UTC }, ErrorClass::Unanswerable),
            (
                AskError::Store(statement("Code: 241. DB::Exception: Memory limit exceeded", 241)),
                ErrorClass::TooLarge,
            ),
            (
                AskError::Store(statement("Code: 202. DB::Exception: Too many simultaneous queries", 202)),
                ErrorClass::Unavailable,
            ),
            (AskError::Store(QueryError::Unreachable("cut".into())), ErrorClass::Unavailable),
            (AskError::Store(QueryError::Answer("half".into())), ErrorClass::Failed),
            (AskError::from(BlockError::Damaged("it breaks off")), ErrorClass::Failed),
            (AskError::Cancelled("panicked".into()), ErrorClass::Cancelled),
        ] {
            assert_eq!(error.class(), class, "{error}");
        }
    }

    #[test]
    fn what_is_too_large_says_by_how_much() {
        let text = AskError::TooLarge { needed: 6 << 20, limit: 4 << 20 }.to_string();
        assert!(text.contains("need at least 6.0 MiB, and may take 4.0 MiB"), "{text}");
        assert!(text.contains("raise query.memory_max"), "{text}");
    }
}
