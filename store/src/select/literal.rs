//! Values as SQL literals.

/// A string.
pub(super) fn text(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for letter in text.chars() {
        match letter {
            '\'' => literal.push_str("\\'"),
            '\\' => literal.push_str("\\\\"),
            other => literal.push(other),
        }
    }
    literal.push('\'');
    literal
}

/// An instant, nanoseconds since the epoch.
pub(super) fn instant(time_ns: i64) -> String {
    format!("fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')")
}

/// A text as a pattern of `LIKE` that matches nothing else.
pub(super) fn pattern(text: &str) -> String {
    text.chars()
        .flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter]))
        .collect()
}

/// A list, as it stands within brackets.
pub(super) fn list<T>(values: &[T], literal: impl Fn(&T) -> String) -> String {
    values.iter().map(literal).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_text_alone() {
        assert_eq!(pattern(r"100 % of a_b\c"), r"100 \% of a\_b\\c");
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(text(r"it's \ 'x'"), r"'it\'s \\ \'x\''");
    }
}
