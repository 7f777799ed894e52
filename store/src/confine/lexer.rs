//! Cuts a statement into tokens: words, quoted names, texts, numbers, signs. Comments and white space are left out.
//!
//! Wherever ClickHouse could cut a text otherwise than this does, the text is refused: what follows sees no bytes of
//! the original, only names and values without their quotation marks and escapes.

use super::refusal::{Place, Refusal};

/// Longest name of anything, bytes.
const NAME_BYTES_MAX: usize = 512;
/// Most tokens of a statement.
const TOKENS_MAX: usize = 60_000;

/// Signs of several letters, the longer first.
const SIGNS: &[&str] = &[
    "<=>", "->", "::", "||", "==", "!=", "<>", "<=", ">=", "(", ")", "[", "]", "{", "}", ",", ".", ";", "+",
    "-", "*", "/", "%", "=", "<", ">", "?", ":",
];

/// A part of a statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or keyword without quotation marks.
    Word(String),
    /// A name in backquotes or double quotes, without them.
    Quoted(String),
    /// A string's bytes.
    Text(Vec<u8>),
    /// A number as it was written.
    Number(String),
    /// A sign of [`SIGNS`].
    Sign(&'static str),
    /// Nothing is left.
    End,
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub(super) token: Token,
    pub(super) place: Place,
}

/// Cuts the text; the last token is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed>, Refusal> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    while lexer.skip_blank()? {
        let start = lexer.at;
        let token = lexer.token()?;
        lexer.tokens.push(Placed { token, place: Place::new(start, lexer.at) });
        if lexer.tokens.len() > TOKENS_MAX {
            return Err(Refusal::new(
                format!("Wanted at most {TOKENS_MAX} words and signs in a statement; this one has more."),
                Place::new(start, lexer.at),
            ));
        }
    }
    let end = Place::new(text.len(), text.len());
    lexer.tokens.push(Placed { token: Token::End, place: end });
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Placed>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn refuse<T>(&self, message: impl Into<String>, start: usize) -> Result<T, Refusal> {
        let end = self.peek().map_or(self.at, |letter| self.at + letter.len_utf8());
        Err(Refusal::new(message, Place::new(start, end.max(start))))
    }

    /// Passes white space and comments; false at the end.
    fn skip_blank(&mut self) -> Result<bool, Refusal> {
        loop {
            let rest = self.rest();
            let Some(letter) = rest.chars().next() else { return Ok(false) };
            if matches!(letter, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}') {
                self.at += 1;
            } else if rest.starts_with("--") || rest.starts_with("# ") || rest.starts_with("#!") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if let Some(comment) = rest.strip_prefix("/*") {
                match comment.find("*/") {
                    Some(end) => self.at += end + 4,
                    None => return self.refuse("A comment /* is never closed.", self.at),
                }
            } else {
                return Ok(true);
            }
        }
    }

    fn token(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        let Some(letter) = self.peek() else { return Ok(Token::End) };
        match letter {
            '\'' => Ok(Token::Text(self.quoted('\'')?)),
            '`' | '"' => self.name(letter),
            '$' => self.heredoc(),
            '0'..='9' => self.number(),
            '.' if self.begins_fraction() => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            _ => match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
                Some(sign) => {
                    self.at += sign.len();
                    Ok(Token::Sign(sign))
                }
                None if matches!(letter, '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}') => {
                    self.refuse(format!("{letter} is not a quotation mark of SQL: wanted ' or \"."), start)
                }
                None => self.refuse(
                    format!(
                        "{letter:?} has no meaning here; names with other letters stand in `backquotes`."
                    ),
                    start,
                ),
            },
        }
    }

    /// Whether a point begins a number: not after something that has parts.
    fn begins_fraction(&self) -> bool {
        let parted = match self.tokens.last().map(|placed| &placed.token) {
            Some(Token::Word(_) | Token::Quoted(_) | Token::Number(_) | Token::Text(_)) => true,
            Some(Token::Sign(sign)) => matches!(*sign, ")" | "]" | "."),
            Some(Token::End) | None => false,
        };
        !parted && self.rest().chars().nth(1).is_some_and(|next| next.is_ascii_digit())
    }

    fn word(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        let length = self
            .rest()
            .find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .unwrap_or(self.rest().len());
        let word = self.rest().get(..length).unwrap_or_default();
        self.at += length;
        match self.peek() {
            Some('\'') if word.eq_ignore_ascii_case("x") => return self.digits_text(start, 16),
            Some('\'') if word.eq_ignore_ascii_case("b") => return self.digits_text(start, 2),
            Some(letter) if letter == '$' || (!letter.is_ascii() && letter.is_alphanumeric()) => {
                return self
                    .refuse(format!("A name with {letter} stands in backquotes: `{word}{letter}…`."), start);
            }
            _ => {}
        }
        if word.len() > NAME_BYTES_MAX {
            return self.refuse(format!("Wanted a name of at most {NAME_BYTES_MAX} bytes."), start);
        }
        Ok(Token::Word(word.to_owned()))
    }

    fn name(&mut self, mark: char) -> Result<Token, Refusal> {
        let start = self.at;
        let bytes = self.quoted(mark)?;
        let wanted = format!("Wanted a name of 1 to {NAME_BYTES_MAX} bytes without control characters.");
        match String::from_utf8(bytes) {
            Ok(name)
                if !name.is_empty()
                    && name.len() <= NAME_BYTES_MAX
                    && !name.chars().any(char::is_control) =>
            {
                Ok(Token::Quoted(name))
            }
            _ => self.refuse(wanted, start),
        }
    }

    /// What stands between quotation marks, with its escapes read as ClickHouse reads them.
    fn quoted(&mut self, mark: char) -> Result<Vec<u8>, Refusal> {
        let start = self.at;
        self.at += mark.len_utf8();
        let mut bytes = Vec::new();
        loop {
            let Some(letter) = self.peek() else {
                return self.refuse(format!("A {mark} is never closed."), start);
            };
            self.at += letter.len_utf8();
            if letter == mark {
                if self.peek() != Some(mark) {
                    return Ok(bytes);
                }
                self.at += mark.len_utf8();
                bytes.extend(mark.to_string().bytes());
            } else if letter == '\\' {
                self.escape(&mut bytes, start)?;
            } else {
                let mut buffer = [0; 4];
                bytes.extend(letter.encode_utf8(&mut buffer).bytes());
            }
        }
    }

    /// What a backslash begins. A backslash before a letter that means nothing stays, for LIKE and regular expressions.
    fn escape(&mut self, bytes: &mut Vec<u8>, start: usize) -> Result<(), Refusal> {
        let Some(letter) = self.peek() else {
            return self.refuse("A \\ stands at the end.", start);
        };
        self.at += letter.len_utf8();
        match letter {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'e' => bytes.push(27),
            'f' => bytes.push(12),
            'n' => bytes.push(10),
            'r' => bytes.push(13),
            't' => bytes.push(9),
            'v' => bytes.push(11),
            '0' => bytes.push(0),
            'N' => {}
            'x' => {
                let digits = self.rest().get(..2).unwrap_or_default();
                match u8::from_str_radix(digits, 16) {
                    Ok(byte) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => bytes.push(byte),
                    _ => return self.refuse("Wanted two hexadecimal digits after \\x.", start),
                }
                self.at += 2;
            }
            '\\' | '\'' | '"' | '`' | '/' => bytes.extend(letter.to_string().bytes()),
            other => {
                if !other.is_ascii_control() {
                    bytes.push(b'\\');
                }
                bytes.extend(other.to_string().bytes());
            }
        }
        Ok(())
    }

    /// `x'4142'` and `b'01000001'`: the bytes of a text by their digits.
    fn digits_text(&mut self, start: usize, radix: u32) -> Result<Token, Refusal> {
        let digits = self.quoted('\'')?;
        let width = if radix == 16 { 2 } else { 8 };
        let bytes: Option<Vec<u8>> = digits
            .chunks(width)
            .map(|chunk| {
                let text = std::str::from_utf8(chunk).ok()?;
                let whole = chunk.len() == width && chunk.iter().all(u8::is_ascii_alphanumeric);
                whole.then(|| u8::from_str_radix(text, radix).ok()).flatten()
            })
            .collect();
        match bytes {
            Some(bytes) => Ok(Token::Text(bytes)),
            None => self.refuse(format!("Wanted {width} digits of base {radix} for each byte."), start),
        }
    }

    /// `$tag$ anything $tag$`.
    fn heredoc(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        let rest = self.rest().get(1..).unwrap_or_default();
        let tag = rest.find('$').and_then(|end| rest.get(..end)).filter(|tag| {
            tag.len() <= NAME_BYTES_MAX
                && tag.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        });
        let Some(tag) = tag else {
            return self.refuse("$ has no meaning here; a text stands between ' and '.", start);
        };
        let closing = format!("${tag}$");
        let body = rest.get(tag.len() + 1..).unwrap_or_default();
        let Some(end) = body.find(&closing) else {
            return self.refuse(format!("A {closing} is never closed."), start);
        };
        self.at += 2 * closing.len() + end;
        Ok(Token::Text(body.get(..end).unwrap_or_default().as_bytes().to_vec()))
    }

    fn number(&mut self) -> Result<Token, Refusal> {
        let start = self.at;
        let after_point = matches!(self.tokens.last().map(|placed| &placed.token), Some(Token::Sign(".")));
        let length = number_length(self.rest().as_bytes(), after_point);
        self.at += length;
        let number = self.text.get(start..self.at).unwrap_or_default();
        let follows = self.peek().is_some_and(|next| next.is_alphanumeric() || next == '_' || next == '$');
        if length == 0 || follows || number.len() > 128 {
            return self.refuse("Wanted a number such as 12, 1.5e3 or 0x1F.", start);
        }
        Ok(Token::Number(number.to_owned()))
    }
}

/// Bytes of the number that a text begins with. After a point (`t.1.2`) a number is a row of digits.
fn number_length(bytes: &[u8], digits_only: bool) -> usize {
    let is = |at: usize, wanted: fn(&u8) -> bool| bytes.get(at).is_some_and(wanted);
    let run = |mut at: usize, wanted: fn(&u8) -> bool| {
        // A line under stands between digits only.
        while is(at, wanted) || (is(at, |byte| *byte == b'_') && is(at + 1, wanted) && at > 0) {
            at += 1;
        }
        at
    };
    let digit: fn(&u8) -> bool = u8::is_ascii_digit;
    if digits_only {
        return bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    let (wanted, begin, exponent): (fn(&u8) -> bool, usize, u8) = match bytes {
        [b'0', b'x' | b'X', ..] => (u8::is_ascii_hexdigit, 2, b'p'),
        [b'0', b'b' | b'B', b'0' | b'1', ..] => {
            return run(2, |byte| matches!(byte, b'0' | b'1'));
        }
        _ => (digit, 0, b'e'),
    };
    let mut at = run(begin, wanted);
    if begin == 2 && at == 2 {
        return 0;
    }
    if is(at, |byte| *byte == b'.') {
        at = run(at + 1, wanted);
    }
    if bytes.get(at).is_some_and(|byte| byte.to_ascii_lowercase() == exponent) {
        let signed = at + 1 + usize::from(is(at + 1, |byte| matches!(byte, b'+' | b'-')));
        if is(signed, digit) {
            at = run(signed, digit);
        }
    }
    at
}
