//! Words, quoted texts and predicates, each with its place in the question.

use std::ops::Range;

use super::error::SyntaxError;

/// A piece of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// A word, in lower case.
    Word(String),
    /// What stands between quotes.
    Quoted(String),
    /// What stands between braces.
    Predicate(String),
}

/// A piece and the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub piece: Piece,
    pub place: Range<usize>,
    /// Whether a comma stands behind it.
    pub comma: bool,
}

/// Cuts a question. Commas, full stops and question marks at a word's end are passed over.
pub(super) fn tokens(question: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = question.char_indices().peekable();
    while let Some(&(start, letter)) = rest.peek() {
        let (piece, end) = match letter {
            letter if letter.is_whitespace() => {
                rest.next();
                continue;
            }
            '"' => quoted(question, start)?,
            '{' => predicate(question, start)?,
            _ => word(question, start),
        };
        if let Some(piece) = piece {
            let length = match &piece {
                Piece::Word(word) => word.len(),
                Piece::Quoted(_) | Piece::Predicate(_) => end - start,
            };
            let behind = question.get(start + length..).unwrap_or_default();
            let comma = behind.trim_start().starts_with(',');
            tokens.push(Token { piece, place: start..start + length, comma });
        }
        while rest.peek().is_some_and(|&(at, _)| at < end) {
            rest.next();
        }
    }
    Ok(tokens)
}

fn word(question: &str, start: usize) -> (Option<Piece>, usize) {
    let rest = question.get(start..).unwrap_or_default();
    let end =
        rest.find(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '{')).unwrap_or(rest.len());
    let found = rest.get(..end).unwrap_or_default().trim_end_matches([',', '.', '?', '!']);
    // Only ASCII is lowered, so that a word keeps its length.
    let piece = (!found.is_empty()).then(|| Piece::Word(found.to_ascii_lowercase()));
    (piece, start + end)
}

fn quoted(question: &str, start: usize) -> Result<(Option<Piece>, usize), SyntaxError> {
    let mut text = String::new();
    let mut letters = question.get(start + 1..).unwrap_or_default().char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' if text.is_empty() => {
                return Err(SyntaxError::new(
                    question,
                    start..start + 2,
                    "There is no text between these quotes.",
                ));
            }
            '"' => return Ok((Some(Piece::Quoted(text)), start + 1 + at + 1)),
            // A backslash keeps a quote or a backslash from its meaning; before any other letter it is itself.
            '\\' => match letters.clone().next() {
                Some((_, next @ ('"' | '\\'))) => {
                    letters.next();
                    text.push(next);
                }
                _ => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    Err(SyntaxError::new(question, start..start + 1, "This quote is never closed: wanted \"text\"."))
}

/// Braces may be nested; those in SQL strings do not count.
fn predicate(question: &str, start: usize) -> Result<(Option<Piece>, usize), SyntaxError> {
    let mut depth = 0_u32;
    let mut string = false;
    let mut escaped = false;
    for (at, letter) in question.get(start..).unwrap_or_default().char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if string => escaped = true,
            '\'' => string = !string,
            '{' if !string => depth += 1,
            '}' if !string => {
                depth -= 1;
                if depth == 0 {
                    let inner = question.get(start + 1..start + at).unwrap_or_default().trim();
                    let end = start + at + 1;
                    if inner.is_empty() {
                        let message = "There is no condition between these braces: wanted one like {Program = 'nginx'}.";
                        return Err(SyntaxError::new(question, start..end, message));
                    }
                    return Ok((Some(Piece::Predicate(inner.to_owned())), end));
                }
            }
            _ => {}
        }
    }
    Err(SyntaxError::new(question, start..start + 1, "This brace is never closed: wanted {SQL condition}."))
}
