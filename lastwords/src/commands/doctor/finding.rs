//! What was found about one thing, and what to do about it.

use std::io;

use lastwords_query::terminal::on_a_line;
use serde_json::{Value, json};

use crate::output;

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do; empty where nothing is to be done.
    pub way_out: String,
}

/// How a thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// Works, but something is lost or missing.
    Warn,
    /// Lastwords cannot do its work.
    Fail,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail => "fail",
        }
    }
}

impl Finding {
    pub(super) fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, state: State::Ok, found: found.into(), way_out: String::new() }
    }

    pub(super) fn warn(check: &'static str, found: impl Into<String>, way_out: impl Into<String>) -> Finding {
        Finding { check, state: State::Warn, found: found.into(), way_out: way_out.into() }
    }

    pub(super) fn fail(check: &'static str, found: impl Into<String>, way_out: impl Into<String>) -> Finding {
        Finding { check, state: State::Fail, found: found.into(), way_out: way_out.into() }
    }

    pub(super) fn row(&self) -> Value {
        json!({"state": self.state.as_str(), "check": self.check, "found": self.found, "way_out": self.way_out})
    }

    /// Writes it for people.
    pub(super) fn print(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let state = self.state.as_str();
        let state = match (output::colour(), self.state) {
            (false, _) => format!("{state:4}"),
            (true, State::Ok) => format!("\x1b[32m{state:4}\x1b[0m"),
            (true, State::Warn) => format!("\x1b[33m{state:4}\x1b[0m"),
            (true, State::Fail) => format!("\x1b[31m{state:4}\x1b[0m"),
        };
        writeln!(out, "{state}  {:16} {}", self.check, on_a_line(&self.found))?;
        if !self.way_out.is_empty() {
            writeln!(out, "      {:16} → {}", "", on_a_line(&self.way_out))?;
        }
        Ok(())
    }
}
