//! Rules as data: which lines are events. A rule's literals find its lines cheaply; only on those its pattern is tried.

use std::sync::Arc;

use lastwords_record::{Severity, Source};
use regex::Regex;
use serde::Deserialize;

use crate::kernel::report::Blame;

const BUILT_IN: &[&str] = &[
    include_str!("../rules/kernel.toml"),
    include_str!("../rules/machine.toml"),
    include_str!("../rules/guest.toml"),
];

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The text is no rules file.
    #[error(
        "the rules are not as expected: {0}. A rules file is TOML with [[rule]] tables; each needs id, class, severity, literals and title"
    )]
    Syntax(#[from] toml::de::Error),
    /// A rule's pattern is no regular expression.
    #[error("rule {id}: the pattern is not a regular expression: {error}")]
    Pattern {
        /// The rule.
        id: String,
        /// What is wrong.
        error: Box<regex::Error>,
    },
    /// A rule's severity or source has an unknown name.
    #[error("rule {id}: {what} is unknown; wanted one of {known}")]
    Name {
        /// The rule.
        id: String,
        /// The name found.
        what: String,
        /// Names that exist.
        known: &'static str,
    },
    /// A rule without a usable literal.
    #[error("rule {id}: a rule needs literals of at least 3 bytes each, so that ordinary lines cost nothing")]
    Literals {
        /// The rule.
        id: String,
    },
    /// The literals cannot be searched for.
    #[error("the rules' literals cannot be compiled: {0}")]
    Search(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    class: String,
    severity: String,
    literals: Vec<String>,
    pattern: Option<String>,
    except: Option<String>,
    title: String,
    blame: Option<Blame>,
    #[serde(default)]
    detail: bool,
    #[serde(default)]
    anywhere: bool,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    examples: Vec<String>,
    #[serde(default)]
    counterexamples: Vec<String>,
}

/// One rule.
pub struct Rule {
    /// Its name, unique among the rules.
    pub id: String,
    /// The class of its events.
    pub class: Arc<str>,
    /// How bad they are.
    pub severity: Severity,
    /// At least one is in every line of the rule.
    pub literals: Vec<String>,
    /// What the line's own text must be.
    pub pattern: Option<Regex>,
    /// What it must not be.
    pub except: Option<Regex>,
    /// The event's title, with `{capture}`.
    pub title: String,
    /// Lines follow that belong to it, and this is how its function is found.
    pub blame: Option<Blame>,
    /// Belongs to a report just before it, where there is one.
    pub detail: bool,
    /// Where it may be read; empty: anywhere.
    pub sources: Vec<Source>,
    /// Lines that it must find.
    pub examples: Vec<String>,
    /// Lines that it must not find.
    pub counterexamples: Vec<String>,
}

/// The rules that come with the program.
pub fn built_in() -> Result<Vec<Rule>, RulesError> {
    let mut rules = Vec::new();
    for text in BUILT_IN {
        rules.extend(parse(text)?);
    }
    Ok(rules)
}

/// Reads a rules file.
pub fn parse(text: &str) -> Result<Vec<Rule>, RulesError> {
    toml::from_str::<RawFile>(text)?.rule.into_iter().map(rule).collect()
}

fn rule(raw: RawRule) -> Result<Rule, RulesError> {
    let name = |what: &str, known| RulesError::Name { id: raw.id.clone(), what: what.to_owned(), known };
    let severity = raw.severity.parse().map_err(|_| name(&raw.severity, "info, warning, error, critical"))?;
    let sources = raw
        .sources
        .iter()
        .map(|source| {
            source
                .parse()
                .map_err(|_| name(source, "the sources of records (kmsg, journald, file, console …)"))
        })
        .collect::<Result<_, _>>()?;
    if raw.literals.is_empty() || raw.literals.iter().any(|literal| literal.len() < 3) {
        return Err(RulesError::Literals { id: raw.id });
    }
    let compile = |pattern: &Option<String>, anchor: bool| {
        let anchored = |pattern: &String| if anchor { format!("^(?:{pattern})") } else { pattern.clone() };
        pattern
            .as_ref()
            .map(|pattern| Regex::new(&anchored(pattern)))
            .transpose()
            .map_err(|error| RulesError::Pattern { id: raw.id.clone(), error: Box::new(error) })
    };
    Ok(Rule {
        pattern: compile(&raw.pattern, !raw.anywhere)?,
        except: compile(&raw.except, false)?,
        class: raw.class.into(),
        severity,
        literals: raw.literals,
        title: raw.title,
        blame: raw.blame,
        detail: raw.detail,
        sources,
        examples: raw.examples,
        counterexamples: raw.counterexamples,
        id: raw.id,
    })
}
