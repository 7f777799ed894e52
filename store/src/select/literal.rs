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

/// From so many numbers on, they come as one text.
const NUMBERS_MIN: usize = 100;

/// Numbers, as they stand within brackets after IN. A literal costs the store some 50 µs where there are 50,000 of them;
/// one text with all of them costs a tenth of that.
pub(super) fn numbers(values: &[u64]) -> String {
    let list = |between| values.iter().map(u64::to_string).collect::<Vec<_>>().join(between);
    if values.len() < NUMBERS_MIN {
        list(", ")
    } else {
        format!("SELECT toUInt64(arrayJoin(splitByChar(',', '{}')))", list(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_their_text_alone() {
        assert_eq!(pattern(r"100 % of a_b\c"), r"100 \% of a\_b\\c");
    }

    #[test]
    fn few_numbers_are_a_list_and_many_one_text() {
        assert_eq!(numbers(&[3, u64::MAX]), "3, 18446744073709551615");
        let many: Vec<u64> = (0..100).collect();
        assert!(
            numbers(&many).starts_with("SELECT toUInt64(arrayJoin(splitByChar(',', '0,1,2,"),
            "{}",
            numbers(&many)
        );
    }

    #[test]
    fn literals_cannot_be_left() {
        assert_eq!(text(r"it's \ 'x'"), r"'it\'s \\ \'x\''");
    }
}
