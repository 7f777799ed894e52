//! Rules as data: which lines are events. A rule's literals find its lines cheaply; only on those its pattern is tried.

use std::{collections::HashSet, sync::Arc};

use lastwords_record::{Severity, Source};
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    ClassNames,
    fingerprint::plain_function,
    kernel::{blame::Blame, functions::Patterns},
};

/// In the order in which they are tried.
const BUILT_IN: &[&str] = &[
    include_str!("../rules/sanitizers.toml"),
    include_str!("../rules/locking.toml"),
    include_str!("../rules/kernel.toml"),
    include_str!("../rules/machine.toml"),
    include_str!("../rules/guest.toml"),
];

/// Bytes that a compiled pattern may take.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// Bytes of a literal, at least: shorter ones stand in too many ordinary lines.
const LITERAL_BYTES_MIN: usize = 3;

/// Why rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// The text is no rules file.
    #[error(
        "the rules are not as expected: {0}A rules file is TOML with [[rule]] tables; each needs id, class, severity, literals and title"
    )]
    Syntax(#[from] toml::de::Error),
    /// A key of a rule has a value that cannot be used.
    #[error("line {line}, rule {id}, {key}: {problem}")]
    Value {
        /// The line of the file on which the rule begins, from 1.
        line: usize,
        /// The rule.
        id: String,
        /// The key.
        key: &'static str,
        /// What was found and what is wanted.
        problem: String,
    },
    /// Two rules have the same name.
    #[error(
        "line {line}, rule {id}, id: another rule has this name; choose one that none of the built-in or other rules has"
    )]
    Twice {
        /// The line of the file on which one of them begins, from 1.
        line: usize,
        /// Their name.
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
    rule: Vec<Spanned<RawRule>>,
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
    skip: Vec<String>,
    #[serde(default)]
    detail: bool,
    #[serde(default)]
    prelude: bool,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    consequence: bool,
    #[serde(default)]
    kernel: bool,
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
#[derive(Debug)]
pub struct Rule {
    /// Its name, unique among the rules.
    pub id: String,
    /// The line of its file on which it begins, from 1.
    pub line: usize,
    /// The class of its events.
    pub class: Arc<str>,
    /// How bad they are.
    pub severity: Severity,
    /// At least one is in every line of the rule.
    pub literals: Vec<String>,
    /// What a line's own text begins with, as far as its pattern says so plainly.
    pub(crate) begins_with: Option<String>,
    /// All plain texts with which its pattern can begin; none where it can begin in another way.
    pub(crate) beginnings: Vec<String>,
    /// What the line's own text must be.
    pub pattern: Option<Regex>,
    /// What it must not be.
    pub except: Option<Regex>,
    /// The event's title, with `{capture}`.
    pub title: String,
    /// Lines follow that belong to it, and this is how its function is found.
    pub blame: Option<Blame>,
    /// Functions that are not to blame in a report of this kind.
    pub skip: Option<Patterns>,
    /// Belongs to a report just before it, where there is one.
    pub detail: bool,
    /// Stands before a report of its own: it does not end the one before.
    pub prelude: bool,
    /// The first line ends before it says what happened.
    pub truncated: bool,
    /// It follows from another report, which is missing where there is none.
    pub consequence: bool,
    /// Only lines of the kernel's own: its clock or its name stands in front, or a trace behind.
    pub kernel: bool,
    /// Where it may be read; empty: anywhere.
    pub sources: Vec<Source>,
    /// Lines that it must find.
    pub examples: Vec<String>,
    /// Lines that it must not find.
    pub counterexamples: Vec<String>,
}

/// A title, the function that the line names, and what else the pattern captures.
pub(crate) type Matched = (String, Option<String>, Vec<(String, String)>);

impl Rule {
    /// What the rule makes of a line's own text.
    pub(crate) fn matches(&self, own: &str) -> Option<Matched> {
        if self.begins_with.as_ref().is_some_and(|begin| !own.starts_with(begin.as_str())) {
            return None;
        }
        if self.except.as_ref().is_some_and(|except| except.is_match(own)) {
            return None;
        }
        let (mut captures, mut function, mut title) = (Vec::new(), None, String::new());
        if let Some(pattern) = &self.pattern {
            // Captures are allocated, and most lines that are looked at don't fit.
            if !pattern.is_match(own) {
                return None;
            }
            let found = pattern.captures(own)?;
            title.clone_from(&self.title);
            for name in pattern.capture_names().flatten() {
                let value = found.name(name).map_or("", |value| value.as_str());
                title = title.replace(&format!("{{{name}}}"), value);
                match name {
                    _ if value.is_empty() => {}
                    "function" => function = Some(plain_function(value).to_owned()),
                    _ => captures.push((name.to_owned(), value.to_owned())),
                }
            }
        }
        if self.pattern.is_none() {
            title.clone_from(&self.title);
        }
        Some((title, function, captures))
    }
}

/// The rules that come with the program.
pub(crate) fn built_in() -> Result<Vec<Rule>, RulesError> {
    let mut rules = Vec::new();
    for text in BUILT_IN {
        rules.extend(parse(text)?);
    }
    Ok(rules)
}

/// Reads a rules file.
///
/// # Errors
/// Where the text is no rules file or a rule cannot be used: the line, the rule and the key.
pub fn parse(text: &str) -> Result<Vec<Rule>, RulesError> {
    let raw = toml::from_str::<RawFile>(text)?.rule;
    let rules = raw.into_iter().map(|raw| {
        let before = text.get(..raw.span().start).unwrap_or_default();
        rule(memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1, raw.into_inner())
    });
    rules.collect()
}

/// Checks that no two rules have the same name.
pub(crate) fn names_are_unique(rules: &[Rule]) -> Result<(), RulesError> {
    let mut seen = HashSet::new();
    match rules.iter().rev().find(|rule| !seen.insert(rule.id.as_str())) {
        Some(rule) => Err(RulesError::Twice { line: rule.line, id: rule.id.clone() }),
        None => Ok(()),
    }
}

fn rule(line: usize, raw: RawRule) -> Result<Rule, RulesError> {
    let wrong = |key, problem| RulesError::Value { line, id: raw.id.clone(), key, problem };
    if raw.id.is_empty() || !raw.id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
    {
        return Err(wrong("id", format!("{:?} is no name: wanted letters, digits, - _ and .", raw.id)));
    }
    if !ClassNames.holds(&raw.class) {
        return Err(wrong(
            "class",
            format!(
                "{:?} is no class: wanted one below {}, in small letters with dots between",
                raw.class,
                ClassNames.roots().collect::<Vec<_>>().join(", ")
            ),
        ));
    }
    let severity = raw.severity.parse().map_err(|_| {
        wrong("severity", format!("{} is unknown; wanted info, warning, error or critical", raw.severity))
    })?;
    let sources = raw
        .sources
        .iter()
        .map(|source| {
            let known = || Source::ALL.map(Source::as_str).join(", ");
            source
                .parse()
                .map_err(|_| wrong("sources", format!("{source} is unknown; wanted one of {}", known())))
        })
        .collect::<Result<_, _>>()?;
    if raw.literals.is_empty() || raw.literals.iter().any(|literal| literal.len() < LITERAL_BYTES_MIN) {
        return Err(wrong(
            "literals",
            format!(
                "wanted at least one text of at least {LITERAL_BYTES_MIN} bytes each, so that ordinary lines cost nothing; found {:?}",
                raw.literals
            ),
        ));
    }
    let compile = |key, pattern: &Option<String>, anchor: bool| {
        let anchored = |pattern: &String| if anchor { format!("^(?:{pattern})") } else { pattern.clone() };
        pattern
            .as_ref()
            .map(|pattern| RegexBuilder::new(&anchored(pattern)).size_limit(PATTERN_BYTES_MAX).build())
            .transpose()
            .map_err(|error| wrong(key, format!("not a regular expression that can be used: {error}")))
    };
    let pattern = compile("pattern", &raw.pattern, !raw.anywhere)?;
    let except = compile("except", &raw.except, false)?;
    for name in captures_of(&raw.title) {
        let known = || pattern.iter().flat_map(|pattern| pattern.capture_names().flatten());
        if !known().any(|known| known == name) {
            let known: Vec<&str> = known().collect();
            return Err(wrong(
                "title",
                format!(
                    "{{{name}}} is nothing that the pattern captures with (?P<{name}>…); it captures {known:?}"
                ),
            ));
        }
    }
    let skip = (!raw.skip.is_empty())
        .then(|| Patterns::new(raw.skip.iter().map(String::as_str)))
        .transpose()
        .map_err(|problem| wrong("skip", problem))?;
    Ok(Rule {
        line,
        beginnings: raw.pattern.as_deref().filter(|_| !raw.anywhere).map_or_else(Vec::new, beginnings),
        begins_with: raw.pattern.as_deref().filter(|_| !raw.anywhere).map(plain_beginning),
        pattern,
        except,
        class: raw.class.into(),
        severity,
        literals: raw.literals,
        title: raw.title,
        blame: raw.blame,
        skip,
        detail: raw.detail,
        prelude: raw.prelude,
        truncated: raw.truncated,
        consequence: raw.consequence,
        kernel: raw.kernel,
        sources,
        examples: raw.examples,
        counterexamples: raw.counterexamples,
        id: raw.id,
    })
}

/// The plain beginnings of a pattern that begins with one of several texts: `(?:BUG: |\[ BUG: )…`.
fn beginnings(pattern: &str) -> Vec<String> {
    let Some(group) = pattern.strip_prefix("(?:") else { return Vec::new() };
    let (mut texts, mut text, mut is_plain, mut escaped, mut depth) =
        (Vec::new(), String::new(), true, false, 0);
    for (place, c) in group.char_indices() {
        match c {
            _ if escaped => {
                is_plain &= c.is_ascii_punctuation();
                escaped = false;
                if is_plain {
                    text.push(c);
                }
            }
            '\\' => escaped = true,
            '|' if depth == 0 => {
                texts.push(std::mem::take(&mut text));
                is_plain = true;
            }
            ')' if depth == 0 => {
                texts.push(text);
                let is_optional =
                    group.get(place + 1..).is_some_and(|rest| rest.starts_with(['?', '*', '{']));
                return if is_optional || texts.iter().any(String::is_empty) { Vec::new() } else { texts };
            }
            '(' | '[' => (is_plain, depth) = (false, depth + 1),
            ')' | ']' => depth -= 1,
            '?' | '*' | '{' if is_plain => {
                text.pop();
                is_plain = false;
            }
            _ if ".+}^$".contains(c) => is_plain = false,
            _ if is_plain => text.push(c),
            _ => {}
        }
    }
    Vec::new()
}

/// A pattern up to where it is more than plain text. What could still be repeated or be one of several is left out.
fn plain_beginning(pattern: &str) -> String {
    let plain = pattern.find(|c: char| r"\.+*?()|[]{}^$#&-~".contains(c)).unwrap_or(pattern.len());
    let repeated = pattern.get(plain..).is_some_and(|rest| rest.starts_with(['?', '*', '{']));
    let mut begin = pattern.get(..plain).unwrap_or_default().to_owned();
    if repeated {
        begin.pop();
    }
    if pattern.contains('|') && !is_bracketed(pattern) {
        begin.clear();
    }
    begin
}

/// Whether every `|` of a pattern stands in brackets.
fn is_bracketed(pattern: &str) -> bool {
    let mut depth = 0_u32;
    let mut escaped = false;
    for c in pattern.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

/// The names in braces of a title.
fn captures_of(title: &str) -> impl Iterator<Item = &str> {
    title.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
}
