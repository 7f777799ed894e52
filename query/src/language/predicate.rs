//! Conditions between braces: SQL expressions over one record of `logs`, and nothing more.

use lastwords_store::confine::{Audience, Policy, Refusal, confine_predicate};

/// A condition over a record of `logs`, as it was written and as the store is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    text: String,
    sql: String,
}

impl Predicate {
    /// Reads a condition.
    ///
    /// # Errors
    /// Where it is not understood or is more than a condition over one record.
    pub fn parse(text: &str) -> Result<Predicate, Refusal> {
        // Conditions name no table, so no database either.
        let policy = Policy { database: "", audience: Audience::Asker };
        let sql = confine_predicate(text, &policy)?;
        Ok(Predicate { text: text.to_owned(), sql: format!("({sql})") })
    }

    /// Records of one message template.
    pub fn of_template(template: u64) -> Predicate {
        Predicate { text: format!("Template = {template}"), sql: format!("(Template = {template})") }
    }

    /// The asker's words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the store is asked, in brackets.
    pub fn sql(&self) -> &str {
        &self.sql
    }
}
