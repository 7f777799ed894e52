//! Rules as data: which lines are events. A rule's literals find its lines cheaply; only on those its pattern is tried.

use std::{collections::HashSet, sync::Arc};

use lastwords_record::{Severity, Source};
use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use crate::{
    ClassNames, bugchecks,
    fingerprint::plain_function,
    kernel::{blame::Blame, functions::Patterns},
    pattern::{Pattern, PatternError},
};

/// In the order in which they are tried.
const BUILT_IN: &[&str] = &[
    include_str!("../rules/sanitizers.toml"),
    include_str!("../rules/locking.toml"),
    include_str!("../rules/kernel.toml"),
    include_str!("../rules/xen.toml"),
    include_str!("../rules/xapi.toml"),
    include_str!("../rules/xl.toml"),
    include_str!("../rules/pve.toml"),
    include_str!("../rules/cloud.toml"),
    include_str!("../rules/libvirt.toml"),
    include_str!("../rules/qemu.toml"),
    include_str!("../rules/cluster.toml"),
    include_str!("../rules/ceph.toml"),
    include_str!("../rules/storage.toml"),
    include_str!("../rules/network.toml"),
    include_str!("../rules/hardware.toml"),
    include_str!("../rules/host.toml"),
    include_str!("../rules/machine.toml"),
    include_str!("../rules/guests.toml"),
];

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
    programs: Vec<String>,
    #[serde(default)]
    prefix: String,
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
    prelude_of: Vec<String>,
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
    programs: Option<Vec<String>>,
    run: Option<String>,
    #[serde(default)]
    decides: bool,
    #[serde(default)]
    repeats: bool,
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
    /// What the line's own text must be.
    pub(crate) pattern: Option<Pattern>,
    /// What it must not be.
    pub(crate) except: Option<Pattern>,
    /// The event's title, with `{capture}` and `{capture|what stands there where nothing was captured}`.
    pub title: String,
    /// Lines follow that belong to it, and this is how its function is found.
    pub blame: Option<Blame>,
    /// Functions that are not to blame in a report of this kind.
    pub skip: Option<Patterns>,
    /// Belongs to a report just before it, where there is one.
    pub detail: bool,
    /// Stands before a report of its own: it does not end the one before.
    pub prelude: bool,
    /// Rules that say the same better: where a line of theirs follows this one is left out.
    pub prelude_of: Vec<String>,
    /// The first line ends before it says what happened.
    pub truncated: bool,
    /// It follows from another report, which is missing where there is none.
    pub consequence: bool,
    /// Only lines of the kernel's own: its clock or its name stands in front, or a trace behind.
    pub kernel: bool,
    /// Where it may be read; empty: anywhere.
    pub sources: Vec<Source>,
    /// Who may say it, as `name`, `begin*`, `*end` or `*part*`; empty: anybody but programs that repeat what others say.
    pub programs: Vec<String>,
    /// Lines of rules with the same run that stand close to each other are one event.
    pub run: Option<String>,
    /// Within its run it says best what happened.
    pub decides: bool,
    /// The same said again of the same thing within a minute is the same event.
    pub repeats: bool,
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
        if self.except.as_ref().and_then(Pattern::get).is_some_and(|except| except.is_match(own)) {
            return None;
        }
        let Some(pattern) = &self.pattern else { return Some((self.title.clone(), None, Vec::new())) };
        let pattern = pattern.get()?;
        // Captures are allocated, and most lines that are looked at don't fit.
        if !pattern.is_match(own) {
            return None;
        }
        let found = pattern.captures(own)?;
        let (mut captures, mut function): (Vec<(String, String)>, _) = (Vec::new(), None);
        for name in pattern.capture_names().flatten() {
            let value = found.name(name).map_or("", |value| value.as_str()).trim();
            match plain_capture(name) {
                _ if value.is_empty() => {}
                "function" => function = Some(plain_function(value).to_owned()),
                name if captures.iter().any(|(known, _)| known == name) => {}
                name => captures.push((name.to_owned(), value.to_owned())),
            }
        }
        let bugcheck = captures.iter().find(|(name, _)| name == "bugcheck");
        if let Some(name) = bugcheck.and_then(|(_, code)| bugchecks::name_of(code)) {
            captures.push(("bugcheck_name".to_owned(), name.to_owned()));
        }
        Some((self.title_with(&captures), function, captures))
    }

    /// The title with what was captured.
    pub(crate) fn title_with(&self, captures: &[(String, String)]) -> String {
        let mut title = String::with_capacity(self.title.len() + 32);
        let mut rest = self.title.as_str();
        while let Some((before, inner)) = rest.split_once('{') {
            title.push_str(before);
            let Some((capture, behind)) = inner.split_once('}') else { break };
            let (name, otherwise) = capture.split_once('|').unwrap_or((capture, ""));
            let value = captures.iter().find(|(known, _)| known == plain_capture(name));
            title.push_str(value.map_or(otherwise, |(_, value)| value.as_str()));
            rest = behind;
        }
        title.push_str(rest);
        // What was not captured leaves no hole.
        let words: Vec<&str> = title.split_whitespace().collect();
        words.join(" ").replace(" :", ":").trim_end_matches(':').to_owned()
    }
}

/// A capture's name without the number that tells it from others of the same meaning: `device_2` is a `device`.
fn plain_capture(name: &str) -> &str {
    let plain = name.trim_end_matches(|last: char| last.is_ascii_digit());
    plain.strip_suffix('_').filter(|plain| !plain.is_empty()).unwrap_or(name)
}

/// The rules that come with the program.
pub(crate) fn built_in() -> Result<Vec<Rule>, RulesError> {
    let mut rules = Vec::new();
    for text in BUILT_IN {
        // Their patterns are checked by this crate's tests.
        rules.extend(read(text, false)?);
    }
    Ok(rules)
}

/// Reads a rules file.
///
/// # Errors
/// Where the text is no rules file or a rule cannot be used: the line, the rule and the key.
pub fn parse(text: &str) -> Result<Vec<Rule>, RulesError> {
    read(text, true)
}

fn read(text: &str, checked: bool) -> Result<Vec<Rule>, RulesError> {
    let RawFile { programs, prefix, rule: raw } = toml::from_str(text)?;
    let file = OfFile { programs, prefix, checked };
    let rules = raw.into_iter().map(|raw| {
        let before = text.get(..raw.span().start).unwrap_or_default();
        rule(memchr::memchr_iter(b'\n', before.as_bytes()).count() + 1, raw.into_inner(), &file)
    });
    rules.collect()
}

/// What holds for all rules of a file.
struct OfFile {
    programs: Vec<String>,
    /// What patterns begin with.
    prefix: String,
    /// Patterns are compiled at once.
    checked: bool,
}

/// Checks that no two rules have the same name.
pub(crate) fn names_are_unique(rules: &[Rule]) -> Result<(), RulesError> {
    let mut seen = HashSet::new();
    match rules.iter().rev().find(|rule| !seen.insert(rule.id.as_str())) {
        Some(rule) => Err(RulesError::Twice { line: rule.line, id: rule.id.clone() }),
        None => Ok(()),
    }
}

fn rule(line: usize, raw: RawRule, file: &OfFile) -> Result<Rule, RulesError> {
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
    let checked = |key, pattern: Option<Pattern>| -> Result<Option<Pattern>, RulesError> {
        let problem =
            |error: PatternError| wrong(key, format!("not a regular expression that can be used: {error}"));
        match &pattern {
            Some(pattern) if file.checked => pattern.check().map_err(problem)?,
            _ => {}
        }
        Ok(pattern)
    };
    let bound = |text: String| Pattern::at_beginning(&file.prefix, text);
    let pattern =
        raw.pattern.clone().map(|text| if raw.anywhere { Pattern::anywhere(text) } else { bound(text) });
    let pattern = checked("pattern", pattern)?;
    let except = checked("except", raw.except.clone().map(Pattern::anywhere))?;
    for name in captures_of(&raw.title) {
        if !file.checked {
            break;
        }
        let names = pattern.as_ref().and_then(Pattern::get).map(Regex::capture_names);
        let known = || names.clone().into_iter().flatten().flatten().map(plain_capture);
        if !known().any(|known| known == plain_capture(name)) {
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
        prelude_of: raw.prelude_of,
        truncated: raw.truncated,
        consequence: raw.consequence,
        kernel: raw.kernel,
        sources,
        programs: raw.programs.unwrap_or_else(|| file.programs.clone()),
        run: raw.run,
        decides: raw.decides,
        repeats: raw.repeats,
        examples: raw.examples,
        counterexamples: raw.counterexamples,
        id: raw.id,
    })
}

/// The names in braces of a title that the pattern must capture: those without a bar, behind which stands what is said
/// where nothing was captured.
fn captures_of(title: &str) -> impl Iterator<Item = &str> {
    let names = title.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name);
    names.filter(|name| !name.contains('|'))
}
