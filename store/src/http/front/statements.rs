//! Statements under way by the id that their client gave them, so that it can end its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::http::failure::Failure;

type Key = (String, String);

/// Statements of users, by user and id.
#[derive(Debug, Default)]
pub(super) struct Statements(Mutex<HashMap<Key, CancellationToken>>);

/// One of them, until its answer has gone out.
#[derive(Debug)]
pub(super) struct UnderWay {
    statements: Arc<Statements>,
    key: Option<Key>,
    pub(super) killed: CancellationToken,
}

impl Statements {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; without an id nobody can end it.
    ///
    /// # Errors
    /// Where one of that user with that id is running.
    pub(super) fn begin(self: &Arc<Self>, user: &str, id: Option<&str>) -> Result<UnderWay, Failure> {
        let killed = CancellationToken::new();
        let key = id.map(|id| (user.to_owned(), id.to_owned()));
        if let Some(key) = &key {
            let mut running = self.lock();
            if running.contains_key(key) {
                return Err(Failure::Statement {
                    code: 216,
                    text: format!(
                        "Code: 216. DB::Exception: Query with id = {} is already running. (QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)",
                        key.1
                    ),
                });
            }
            running.insert(key.clone(), killed.clone());
        }
        Ok(UnderWay { statements: Arc::clone(self), key, killed })
    }

    /// Ends that user's statement with that id; false where there is none.
    pub(super) fn kill(&self, user: &str, id: &str) -> bool {
        let found = self.lock().get(&(user.to_owned(), id.to_owned())).cloned();
        found.is_some_and(|killed| {
            killed.cancel();
            true
        })
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            self.statements.lock().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_end_their_own_statements_and_no_others() {
        let statements = Arc::new(Statements::default());
        let first = statements.begin("reader", Some("a")).unwrap();
        assert!(statements.begin("reader", Some("a")).is_err());
        let others = statements.begin("writer", Some("a")).unwrap();
        let _nameless =
            [statements.begin("reader", None).unwrap(), statements.begin("reader", None).unwrap()];
        assert!(!statements.kill("reader", "b"));
        assert!(statements.kill("reader", "a"));
        assert_eq!((first.killed.is_cancelled(), others.killed.is_cancelled()), (true, false));
        drop(first);
        assert!(!statements.kill("reader", "a"));
        assert!(statements.begin("reader", Some("a")).is_ok());
    }
}
