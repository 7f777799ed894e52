//! Sessions of clients: what `SET` says holds for the later statements of the same `session_id`.
//!
//! A session is settings, checked as those beside a statement are, and nothing else: the database is ours, and there are
//! no temporary tables. It belongs to its user. Sessions have their number and their time; the one that was not used for
//! longest makes room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::http::failure::Failure;
use crate::http::request::SessionAsked;

/// Sessions at the same time.
const SESSIONS_MAX: usize = 1000;
/// Settings of one.
const SETTINGS_MAX: usize = 100;
/// Bytes of an id.
const ID_BYTES_MAX: usize = 256;
/// As ClickHouse: how long a session lives after its last statement, and how long at most.
const TIMEOUT: Duration = Duration::from_secs(60);
const TIMEOUT_MAX: Duration = Duration::from_secs(3600);

type Settings = Vec<(String, String)>;

#[derive(Debug)]
struct Session {
    settings: Settings,
    until: Instant,
}

/// All of them, by user and id.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<(String, String), Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, String), Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of the session that is asked for, which is made where there is none; `added` are kept in it.
    ///
    /// # Errors
    /// Where a session has to be there and is not, or cannot be kept.
    pub(super) fn settings(
        &self,
        user: &str,
        asked: &SessionAsked,
        added: Settings,
    ) -> Result<Settings, Failure> {
        let Some(id) = &asked.id else { return Ok(Vec::new()) };
        if id.len() > ID_BYTES_MAX {
            return Err(refused(
                36,
                "BAD_ARGUMENTS",
                &format!("a session's id has at most {ID_BYTES_MAX} bytes"),
            ));
        }
        let now = Instant::now();
        let timeout = asked.timeout_s.map_or(TIMEOUT, Duration::from_secs).min(TIMEOUT_MAX);
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.until > now);
        let key = (user.to_owned(), id.clone());
        if asked.check && !sessions.contains_key(&key) {
            return Err(refused(
                372,
                "SESSION_NOT_FOUND",
                "there is no such session: session_check=1 wants one",
            ));
        }
        if sessions.len() >= SESSIONS_MAX && !sessions.contains_key(&key) {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.until).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| sessions.remove(&oldest));
        }
        let session = sessions.entry(key).or_insert_with(|| Session { settings: Vec::new(), until: now });
        session.until = now + timeout;
        for (name, value) in added {
            session.settings.retain(|(known, _)| *known != name);
            session.settings.push((name, value));
        }
        if session.settings.len() > SETTINGS_MAX {
            session.settings.truncate(SETTINGS_MAX);
            return Err(refused(
                36,
                "BAD_ARGUMENTS",
                &format!("a session has at most {SETTINGS_MAX} settings"),
            ));
        }
        Ok(session.settings.clone())
    }
}

fn refused(code: i32, name: &str, what: &str) -> Failure {
    Failure::Statement { code, text: format!("Code: {code}. DB::Exception: {what}. ({name})") }
}

/// A statement that is answered without the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    /// `SET name = value, …`
    Set(Settings),
    /// `USE database`
    Use(String),
    /// `KILL QUERY WHERE query_id = '…'`
    Kill(String),
}

impl Command {
    /// Reads one; none where the text is any other statement, or none that is understood here.
    pub(super) fn parse(text: &str) -> Option<Command> {
        let mut words = Words(text.trim().trim_end_matches(';').trim_end());
        match words.name()?.to_ascii_uppercase().as_str() {
            "SET" => {
                let mut settings = Vec::new();
                loop {
                    let name = words.name()?.to_owned();
                    words.sign('=')?;
                    settings.push((name, words.value()?));
                    if words.is_end() {
                        return Some(Command::Set(settings));
                    }
                    words.sign(',')?;
                }
            }
            "USE" => {
                let mut name = words.quoted_name()?;
                if name.eq_ignore_ascii_case("database") && !words.is_end() {
                    name = words.quoted_name()?;
                }
                words.is_end().then_some(Command::Use(name))
            }
            "KILL" => {
                for word in ["query", "where", "query_id"] {
                    words.name().filter(|found| found.eq_ignore_ascii_case(word))?;
                }
                words.sign('=')?;
                let id = words.value()?;
                let how = words
                    .name()
                    .is_none_or(|how| ["SYNC", "ASYNC"].iter().any(|known| how.eq_ignore_ascii_case(known)));
                (how && words.is_end()).then_some(Command::Kill(id))
            }
            _ => None,
        }
    }
}

/// What is left of a command.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn is_end(&self) -> bool {
        self.0.trim_start().is_empty()
    }

    /// A run of letters, digits and `_`.
    fn name(&mut self) -> Option<&'a str> {
        let text = self.0.trim_start();
        let end = text.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        self.0 = rest;
        (!name.is_empty()).then_some(name)
    }

    fn quoted_name(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let Some(quote) = text.chars().next().filter(|first| "`\"".contains(*first)) else {
            return self.name().map(str::to_owned);
        };
        let (name, rest) = text.get(1..)?.split_once(quote)?;
        self.0 = rest;
        (!name.contains('\\')).then(|| name.to_owned())
    }

    fn sign(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(wanted)?;
        Some(())
    }

    /// A number, a word, or a text in quotation marks.
    fn value(&mut self) -> Option<String> {
        let text = self.0.trim_start();
        let Some(quoted) = text.strip_prefix('\'') else {
            let end = text
                .find(|sign: char| !sign.is_ascii_alphanumeric() && !"_.-+".contains(sign))
                .unwrap_or(text.len());
            let (value, rest) = text.split_at(end);
            self.0 = rest;
            return (!value.is_empty()).then(|| value.to_owned());
        };
        let mut value = String::new();
        let mut signs = quoted.char_indices();
        while let Some((at, sign)) = signs.next() {
            match sign {
                '\'' => {
                    self.0 = quoted.get(at + 1..)?;
                    return Some(value);
                }
                // Only what cannot be read in two ways.
                '\\' => value.push(signs.next().map(|(_, sign)| sign).filter(|sign| "\\'".contains(*sign))?),
                sign => value.push(sign),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    fn check(text: &str, expected: Option<Command>) {
        assert_eq!(Command::parse(text), expected, "{text}");
    }

    #[test]
    fn commands_of_sessions_are_told_from_other_statements() {
        check("SET max_threads = 2", Some(Command::Set(vec![pair("max_threads", "2")])));
        let two = vec![pair("a", "it's \\"), pair("b", "-1.5")];
        check(" set a='it\\'s \\\\' , b = -1.5 ; ", Some(Command::Set(two)));
        check("USE lastwords", Some(Command::Use("lastwords".into())));
        check("use database `default`", Some(Command::Use("default".into())));
        check("KILL QUERY WHERE query_id = 'a-1' SYNC", Some(Command::Kill("a-1".into())));
        check("kill query where query_id='a-1'", Some(Command::Kill("a-1".into())));
        for other in [
            "",
            "SELECT 1",
            "SETTINGS a = 1",
            "SET a",
            "SET a = ",
            "SET a = 'x",
            "SET a = 'x' 'y'",
            "SET a = 'x\\n'",
            "SET ROLE x",
            "SET a = 1; DROP TABLE logs",
            "USE a.b",
            "USE",
            "KILL QUERY WHERE 1",
            "KILL QUERY WHERE user = 'x'",
            "KILL QUERY WHERE query_id = 'a' OR 1",
            "KILL MUTATION WHERE query_id = 'a'",
        ] {
            check(other, None);
        }
    }

    fn asked(id: &str, check: bool) -> SessionAsked {
        SessionAsked { id: Some(id.to_owned()), timeout_s: Some(10), check }
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_keeps_settings_for_its_user_and_its_time() {
        let sessions = Sessions::default();
        let threads = |count: &str| vec![pair("max_threads", count)];
        assert!(sessions.settings("reader", &asked("s", true), Vec::new()).is_err());
        sessions.settings("reader", &asked("s", false), threads("1")).unwrap();
        assert_eq!(sessions.settings("reader", &asked("s", true), threads("2")).unwrap(), threads("2"));
        assert_eq!(sessions.settings("writer", &asked("s", false), Vec::new()).unwrap(), []);
        assert_eq!(sessions.settings("reader", &SessionAsked::default(), Vec::new()).unwrap(), []);
        tokio::time::advance(Duration::from_secs(9)).await;
        assert_eq!(sessions.settings("reader", &asked("s", true), Vec::new()).unwrap(), threads("2"));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(sessions.settings("reader", &asked("s", true), Vec::new()).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_and_their_settings_are_bounded() {
        let sessions = Sessions::default();
        for number in 0..SESSIONS_MAX + 10 {
            sessions.settings("reader", &asked(&number.to_string(), false), vec![pair("a", "1")]).unwrap();
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        let many = (0..=SETTINGS_MAX).map(|number| pair(&format!("s{number}"), "1")).collect();
        assert!(sessions.settings("reader", &asked("x", false), many).is_err());
        assert!(sessions.settings("reader", &asked(&"x".repeat(300), false), Vec::new()).is_err());
    }
}
