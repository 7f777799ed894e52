//! `{name:Identifier}`: the value of a client's parameter as a name in the statement, put there before anything is checked.

use super::lexer::{self, Token};
use super::names::quoted_name;
use super::refusal::Refusal;

/// The statement with quoted names in the place of such parameters. Parameters of other types stay; so does one without
/// a value, which is refused later.
///
/// # Errors
/// Where the text cannot be cut into words.
pub fn put_identifiers(text: &str, parameters: &[(String, String)]) -> Result<String, Refusal> {
    // Most statements have none.
    if parameters.is_empty() || !text.contains("Identifier") {
        return Ok(text.to_owned());
    }
    let tokens = lexer::tokens(text)?;
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for window in tokens.windows(5) {
        let [open, name, colon, kind, close] = window else { continue };
        let (Token::Sign("{"), Token::Word(name), Token::Sign(":"), Token::Word(kind), Token::Sign("}")) =
            (&open.token, &name.token, &colon.token, &kind.token, &close.token)
        else {
            continue;
        };
        let value = parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let Some(value) = value.filter(|_| kind == "Identifier") else { continue };
        let place = open.place.to(close.place);
        out.push_str(text.get(done..place.start()).unwrap_or_default());
        out.push_str(&quoted_name(value));
        done = place.end();
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let parameters = [("t", "logs"), ("odd", "a`b\\"), ("n", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(put_identifiers(text, &parameters).unwrap(), expected);
    }

    #[test]
    fn names_take_the_place_of_their_parameters() {
        check("SELECT 1 FROM {t:Identifier}", "SELECT 1 FROM `logs`");
        check("SELECT { odd : Identifier }, {n:UInt8}", "SELECT `a\\`b\\\\`, {n:UInt8}");
        check("INSERT INTO {t:Identifier} (Body)", "INSERT INTO `logs` (Body)");
    }

    #[test]
    fn what_stands_in_texts_and_comments_and_what_has_no_value_stays() {
        check("SELECT '{t:Identifier}' /* {t:Identifier} */", "SELECT '{t:Identifier}' /* {t:Identifier} */");
        check("SELECT {other:Identifier}", "SELECT {other:Identifier}");
    }
}
