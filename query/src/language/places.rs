//! Places: hosts, guests and labels by name, as people say them.

use super::{
    clauses::LIKE,
    error::SyntaxError,
    lexer::Piece,
    names::nearest,
    parser::{AFTER_SET, Parser},
    question::{Place, PlaceKind},
};

/// Names that a pattern may stand for at most.
const PATTERN_NAMES_MAX: usize = 10_000;
/// So many of them are told.
const NAMES_SHOWN: usize = 5;

impl Parser<'_> {
    /// A place and the word or words in front of it.
    pub(super) fn place(&mut self, except: bool) -> Result<Place, SyntaxError> {
        self.at += 1;
        self.place_itself(except)
    }

    /// A place: what it is of, and its names.
    pub(super) fn place_itself(&mut self, except: bool) -> Result<Place, SyntaxError> {
        if let ["the", next, ..] = self.words().as_slice()
            && self.kind(next).is_some()
        {
            self.at += 1;
        }
        if let [name, kind @ ("guests" | "vms" | "hosts" | "hypervisors"), ..] = self.words().as_slice()
            && self.kind(name).is_none()
            && self.vocabulary.has_places()
        {
            let of = self.kind(kind).unwrap_or(PlaceKind::Guest);
            let pattern = format!("{name}*");
            let values = match of {
                PlaceKind::Host => self.vocabulary.hosts_like(&pattern, true),
                _ => self.vocabulary.guests_like(&pattern, true),
            };
            if values.is_empty() {
                self.at += 1;
                return Err(self.no_such_name(Some(&of), &pattern));
            }
            self.note_names(&format!("{name} {kind}"), &values);
            self.at += 2;
            return Ok(Place { of, values, except });
        }
        let said = self.words().first().and_then(|word| self.kind(word));
        if said.is_some() {
            self.at += 1;
            if let Some(&("with" | "that" | "whose" | "having" | "where" | "which")) = self.words().first() {
                return Err(self.wanted("a name, as in on host hv01").suggest(Some(LIKE.to_owned())));
            }
        } else if self.words().first() == Some(&"the") {
            return Err(self.wanted("the same host, the same guest, or a host, guest or label without the"));
        } else if !self.vocabulary.has_places() {
            return Err(self.no_such_label());
        }
        let first = self.at;
        let (mut of, mut values) = self.named(said.as_ref())?;
        loop {
            let comma = self.is_after_comma();
            let words = self.words();
            let skipped = match words.as_slice() {
                ["or" | "and", next, ..] if !AFTER_SET.contains(next) => 1,
                [next, ..] if comma && !AFTER_SET.contains(next) => 0,
                [] if comma && self.at < self.tokens.len() => 0,
                ["or"] if self.at + 1 < self.tokens.len() => 1,
                _ => break,
            };
            self.at += skipped;
            if let Some(again) = self.words().first().and_then(|word| self.kind(word)) {
                if again != of {
                    let message = "Names of one kind may be listed: hosts, guests, or one label.";
                    return Err(self.error(message));
                }
                self.at += 1;
            }
            let (_, more) = self.named(Some(&of))?;
            values.extend(more);
        }
        if said.is_none() && of == PlaceKind::Host {
            let both: Vec<&String> =
                values.iter().filter(|name| self.vocabulary.guest(name).is_some()).collect();
            if let [name, ..] = both.as_slice() {
                let note = format!("{name} is taken as the host; the guest is asked for as on guest {name}.");
                self.notes.push(note);
            }
        }
        if values.is_empty() {
            let place = self.place_of(first..self.at);
            return Err(SyntaxError::new(self.question, place, "There is no such name."));
        }
        values.dedup();
        Ok(Place { of: std::mem::replace(&mut of, PlaceKind::Host), values, except })
    }

    fn kind(&self, word: &str) -> Option<PlaceKind> {
        match word {
            "host" | "hosts" | "hypervisor" | "hypervisors" | "server" | "node" => Some(PlaceKind::Host),
            "guest" | "guests" | "vm" | "vms" | "domain" | "instance" => Some(PlaceKind::Guest),
            label => self.vocabulary.label(label).map(|label| PlaceKind::Label(label.to_owned())),
        }
    }

    /// One name, or those that a pattern stands for.
    fn named(&mut self, kind: Option<&PlaceKind>) -> Result<(PlaceKind, Vec<String>), SyntaxError> {
        let quoted = matches!(self.tokens.get(self.at).map(|token| &token.piece), Some(Piece::Quoted(_)));
        let word = self.value()?;
        let is_pattern = !quoted && word.contains('*');
        let known = self.vocabulary;
        let (of, found) = match kind {
            Some(PlaceKind::Label(_)) => (kind.cloned(), vec![word.clone()]),
            _ if !known.has_places() => (kind.cloned(), vec![word.clone()]),
            Some(PlaceKind::Host) => (kind.cloned(), known.hosts_like(&word, is_pattern)),
            Some(PlaceKind::Guest) if is_uuid(&word) => (kind.cloned(), vec![word.to_ascii_lowercase()]),
            Some(PlaceKind::Guest) => (kind.cloned(), known.guests_like(&word, is_pattern)),
            None => {
                let hosts = known.hosts_like(&word, is_pattern);
                match hosts.is_empty() {
                    false => (Some(PlaceKind::Host), hosts),
                    true => (Some(PlaceKind::Guest), known.guests_like(&word, is_pattern)),
                }
            }
        };
        let of = of.unwrap_or(PlaceKind::Host);
        if found.is_empty() {
            return Err(self.no_such_name(kind, &word));
        }
        if found.len() > PATTERN_NAMES_MAX {
            let message =
                format!("{word} stands for {} names: wanted at most {PATTERN_NAMES_MAX}.", found.len());
            return Err(SyntaxError::new(self.question, self.place_of(self.at - 1..self.at), message));
        }
        if is_pattern {
            self.note_names(&word, &found);
        }
        Ok((of, found))
    }

    fn note_names(&mut self, said: &str, found: &[String]) {
        let shown: Vec<&str> = found.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        let left = found.len().saturating_sub(NAMES_SHOWN);
        let more = if left > 0 { format!(" and {left} more") } else { String::new() };
        self.notes.push(format!("{said}: {}{more}.", shown.join(", ")));
    }

    fn no_such_name(&self, kind: Option<&PlaceKind>, word: &str) -> SyntaxError {
        let (what, near) = match kind {
            Some(PlaceKind::Host) => ("host", self.vocabulary.near_names(word, true, false)),
            Some(PlaceKind::Guest) => ("guest", self.vocabulary.near_names(word, false, true)),
            _ => ("host or guest", self.vocabulary.near_names(word, true, true)),
        };
        let hint = match near.as_slice() {
            [] => "`lastwords query \"SELECT DISTINCT Host, Guest FROM placement\"` lists them.".to_owned(),
            near => format!("The nearest names: {}.", near.join(", ")),
        };
        let place = self.place_of(self.at.saturating_sub(1)..self.at);
        let error = SyntaxError::new(self.question, place, format!("There is no {what} called {word:?}."));
        SyntaxError { unknown_name: true, ..error.suggest(Some(hint)) }
    }

    pub(super) fn no_such_label(&self) -> SyntaxError {
        let labels: Vec<&str> = self.vocabulary.labels.iter().map(String::as_str).collect();
        let known = [["host", "guest"].as_slice(), &labels].concat();
        let how = "Labels of hosts, such as rack, come from [hosts.NAME] in the configuration or from `lastwords placement import`.";
        let found = self.words().first().copied().unwrap_or_default();
        let near = nearest(found, known.iter().copied()).filter(|word| *word != found);
        let suggestion = near.map_or_else(|| how.to_owned(), |word| format!("Did you mean {word}?"));
        self.wanted(&format!("one of {}", known.join(", "))).suggest(Some(suggestion))
    }

    /// A name as it was written.
    fn value(&mut self) -> Result<String, SyntaxError> {
        let value = match self.tokens.get(self.at).map(|token| (&token.piece, token.place.clone())) {
            Some((Piece::Quoted(text), _)) => text.clone(),
            Some((Piece::Word(_), place)) => self.question.get(place).unwrap_or_default().to_owned(),
            _ => return Err(self.wanted("a name, as in on host hv01")),
        };
        self.at += 1;
        Ok(value)
    }
}

fn is_uuid(word: &str) -> bool {
    word.len() == 36 && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
