//! What people say around a question: `show me all …`, `how many … per host`, `which guests …`, `did guest X crash`, `last
//! 10 …`, `top 5 guests by …`.

use super::{
    error::SyntaxError,
    lexer::Piece,
    parser::Parser,
    period::period,
    question::{Grouping, MachineKind, Pick, Place},
};

/// Words of requests, so that they are known for what they are.
pub(super) const WORDS: &[&str] = &[
    "please",
    "show",
    "list",
    "display",
    "give",
    "find",
    "get",
    "print",
    "count",
    "many",
    "number",
    "there",
    "which",
    "what",
    "when",
    "where",
    "why",
    "how",
    "did",
    "does",
    "have",
    "last",
    "latest",
    "first",
    "most",
    "recent",
    "common",
    "precede",
    "before",
    "comes",
    "came",
    "happens",
    "happened",
    "leads",
    "causes",
    "caused",
    "follows",
    "often",
    "crash",
    "crashed",
    "died",
    "panicked",
    "panic",
    "reboot",
    "rebooted",
    "restarted",
    "migrated",
    "started",
    "stopped",
    "reporting",
    "logging",
    "without",
    "logs",
    "that",
    "with",
    "machines",
    "newest",
    "increasing",
    "compare",
    "from",
    "around",
    "between",
    "during",
    "while",
    "near",
];

/// Politeness and verbs that change nothing.
const IN_FRONT: &[&[&str]] = &[
    &["how", "many"],
    &["the", "number", "of"],
    &["number", "of"],
    &["are", "there"],
    &["were", "there"],
    &["is", "there"],
    &["was", "there"],
    &["what", "are", "the"],
    &["what", "were", "the"],
    &["any"],
    &["please"],
    &["show"],
    &["list"],
    &["display"],
    &["give"],
    &["find"],
    &["get"],
    &["print"],
    &["count"],
    &["me"],
    &["us"],
    &["all"],
    &["every"],
    &["the"],
];

/// What a machine did, and what such events are called.
const VERBS: &[(&[&str], &str)] = &[
    (&["panicked"], "panics"),
    (&["panic"], "panics"),
    (&["panicking"], "panics"),
    (&["panics"], "panics"),
    (&["crashed"], "crashes"),
    (&["crash"], "crashes"),
    (&["crashing"], "crashes"),
    (&["crashes"], "crashes"),
    (&["died"], "crashes"),
    (&["die"], "crashes"),
    (&["reboot"], "reboots"),
    (&["rebooted"], "reboots"),
    (&["restarted"], "reboots"),
    (&["restart"], "reboots"),
    (&["oom"], "oom kills"),
    (&["oomed"], "oom kills"),
    (&["run", "out", "of", "memory"], "oom kills"),
    (&["ran", "out", "of", "memory"], "oom kills"),
    (&["migrated"], "migrations"),
    (&["migrate"], "migrations"),
    (&["hang"], "hangs"),
    (&["hung"], "hangs"),
    (&["started"], "guest starts"),
    (&["start"], "guest starts"),
    (&["stopped"], "guest stops"),
    (&["stop"], "guest stops"),
];

/// What was said around a set.
#[derive(Debug, Default)]
pub(super) struct Request {
    /// Which are listed.
    pub pick: Option<Pick>,
    /// What they are counted by.
    pub by: Option<Grouping>,
    /// The machine that is asked about.
    pub place: Option<Place>,
    /// A set that a verb stands for.
    pub set: Option<&'static str>,
    /// A set that stands within the words.
    pub named: Option<String>,
    /// What comes before such events is asked.
    pub precedes: bool,
    /// What such machines have in common is asked.
    pub distinguishes: Option<MachineKind>,
}

/// Machines, as they are called.
pub(super) fn machines(word: &str) -> Option<(MachineKind, Grouping)> {
    match word {
        "guests" | "guest" | "vms" | "vm" | "domains" | "machines" | "instances" => {
            Some((MachineKind::Guests, Grouping::Guest))
        }
        "hosts" | "host" | "hypervisors" | "servers" | "nodes" => Some((MachineKind::Hosts, Grouping::Host)),
        _ => None,
    }
}

impl Parser<'_> {
    /// Whether machines that say nothing are asked for in other words, and how many of the words that is.
    pub(super) fn silence(&self) -> Option<(MachineKind, usize)> {
        let words = self.words();
        let (kind, _) = machines(words.first()?)?;
        let rest = words.get(1..)?;
        let taken = match rest {
            ["with" | "having", "no" | "without", "logs" | "messages" | "lines" | "output", ..] => 3,
            ["not", "reporting" | "logging" | "talking" | "responding", ..] => 2,
            ["without", "logs" | "messages" | "output", ..] => 2,
            ["that" | "which", "stopped", "logging" | "reporting" | "talking", ..] => 3,
            ["that" | "which", "are", "silent", ..] => 3,
            ["that" | "which", "went", "silent" | "quiet", ..] => 3,
            ["silent" | "quiet"] => 1,
            _ => return None,
        };
        Some((kind, taken + 1))
    }

    /// Whether messages are asked for in other words, and how many of the words that is.
    pub(super) fn common_messages(&self) -> Option<usize> {
        match self.words().as_slice() {
            ["most", "common" | "frequent", "messages", ..] => Some(3),
            ["common" | "frequent" | "top", "messages", ..] => Some(2),
            _ => None,
        }
    }

    /// Whether new errors are asked for, and how many of the words that is.
    pub(super) fn new_errors(&mut self) -> Option<usize> {
        let taken = match self.words().as_slice() {
            ["new", "error" | "warning", "messages", ..] => 3,
            ["new", "errors" | "warnings", ..] => 2,
            _ => return None,
        };
        self.notes.push(
            "All new messages are listed, with the severity of each: errors have 17 or more, warnings 13 to 16."
                .to_owned(),
        );
        Some(taken)
    }

    /// Takes what stands in front of a set, if there is a set behind it.
    pub(super) fn request(&mut self) -> Result<Request, SyntaxError> {
        let mut request = Request::default();
        self.pass_over();
        if self.in_common(&mut request)
            || self.what_happened(&mut request)
            || self.before_what(&mut request)
            || self.trend(&mut request)
            || self.about_one(&mut request)?
        {
            return Ok(request);
        }
        self.picked(&mut request);
        self.whose(&mut request);
        Ok(request)
    }

    /// Passes over politeness, but never over the last word.
    pub(super) fn pass_over(&mut self) {
        loop {
            let words = self.words();
            let left = self.tokens.len().saturating_sub(self.at);
            let taken = IN_FRONT.iter().find(|front| words.starts_with(front) && front.len() < left);
            match taken {
                Some(front) => self.at += front.len(),
                None => return,
            }
        }
    }

    pub(super) fn verb(&self) -> Option<(&'static str, usize)> {
        let words = self.words();
        let found = VERBS.iter().find(|(verb, _)| words.starts_with(verb))?;
        Some((found.1, found.0.len()))
    }

    /// `first`, `last 10`, `top 5 guests by`.
    fn picked(&mut self, request: &mut Request) {
        let words = self.words();
        let number = |word: Option<&&str>| word.and_then(|word| word.parse::<u64>().ok()).filter(|n| *n > 0);
        let (taken, count) = match words.as_slice() {
            ["most", "recent", rest @ ..] => (2, number(rest.first())),
            ["first" | "earliest" | "oldest" | "last" | "latest" | "newest" | "top", rest @ ..] => {
                (1, number(rest.first()))
            }
            _ => return,
        };
        let behind = taken + usize::from(count.is_some());
        // "last night" is a time, and "the first" of nothing is nothing.
        if period(&words, self.asker).is_some() || self.at + behind >= self.tokens.len() {
            return;
        }
        let first = words.first().copied().unwrap_or_default();
        if first == "top" {
            let Some(by) = words.get(behind).and_then(|word| self.grouped_by(word)) else { return };
            if !matches!(words.get(behind + 1), Some(&("by" | "with" | "for"))) {
                return;
            }
            request.by = Some(by);
            request.pick = Some(Pick::Top(count.unwrap_or(10)));
            self.at += behind + 2;
            self.pass_over();
            return;
        }
        let count = count.unwrap_or(1);
        let earliest = matches!(first, "first" | "earliest" | "oldest");
        request.pick = Some(if earliest { Pick::First(count) } else { Pick::Last(count) });
        self.at += behind;
    }

    fn grouped_by(&self, word: &str) -> Option<Grouping> {
        let label = |word: &str| self.vocabulary.label(word).map(|label| Grouping::Label(label.to_owned()));
        machines(word)
            .map(|(_, by)| by)
            .or(match word {
                "classes" | "class" => Some(Grouping::Class),
                "titles" | "title" => Some(Grouping::Title),
                "days" | "day" => Some(Grouping::Day),
                "weeks" | "week" => Some(Grouping::Week),
                "months" | "month" => Some(Grouping::Month),
                "hours" | "hour" => Some(Grouping::HourOfDay),
                _ => None,
            })
            .or_else(|| label(word))
            .or_else(|| label(word.strip_suffix('s')?))
    }

    /// `which guests panicked`, `guests that had oom kills`, `hosts with the most panics`.
    fn whose(&mut self, request: &mut Request) {
        let start = self.at;
        let words = self.words();
        let skipped = usize::from(matches!(words.first(), Some(&("which" | "what" | "whose"))));
        let Some(by) = words.get(skipped).and_then(|word| machines(word)).map(|(_, by)| by) else { return };
        let mut at = skipped + 1;
        let mut relative = skipped > 0;
        while let Some(word) = words.get(at) {
            match *word {
                "that" | "which" | "who" | "have" | "has" | "had" | "with" | "saw" | "see" | "seen"
                | "having" => {
                    relative = true;
                    at += 1;
                }
                "the" | "a" | "an" | "any" if relative => at += 1,
                "most" if relative => at += 1,
                _ => break,
            }
        }
        let verbs =
            !matches!(words.get(at.saturating_sub(1)), Some(&("with" | "had" | "have" | "has" | "having")));
        let does =
            verbs && VERBS.iter().any(|(verb, _)| words.get(at..).is_some_and(|rest| rest.starts_with(verb)));
        if !(relative || does) {
            return;
        }
        self.at += at;
        if let Some((set, taken)) = self.verb().filter(|_| verbs) {
            self.at += taken;
            request.set = Some(set);
        } else if self.at >= self.tokens.len()
            || !matches!(
                self.tokens.get(self.at).map(|token| &token.piece),
                Some(Piece::Word(_) | Piece::Quoted(_))
            )
        {
            self.at = start;
            return;
        }
        request.by = request.by.take().or(Some(by));
    }
}
