//! Text of logs on a terminal: nothing in it may steer the terminal, or make it show something else than is there.

/// Stands where a character was that a terminal would obey instead of showing it.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Whether a terminal obeys this character instead of showing it, or shows the text around it in another order or not
/// at all: controls (ESC, BEL, CR, backspace, C1 …), directions of writing, separators of lines, invisible tags.
/// Line feed and tab are among them.
#[must_use]
pub fn steers(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{206f}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A text on one line, with as many characters as it has: white space of other kinds becomes a space, what steers
/// becomes [`REPLACEMENT`].
#[must_use]
pub fn on_a_line(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\t' | '\n' | '\r' => ' ',
            letter if steers(letter) => REPLACEMENT,
            letter => letter,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_replaced_and_nothing_else() {
        for (text, expected) in [
            ("\u{1b}[31mred\u{1b}[0m", "\u{fffd}[31mred\u{fffd}[0m"),
            ("\u{1b}]0;title\u{7}", "\u{fffd}]0;title\u{fffd}"),
            ("a\rb\tc\nd\u{8}e\u{7f}", "a b c d\u{fffd}e\u{fffd}"),
            ("\u{9b}2J\u{90}q\u{9c}", "\u{fffd}2J\u{fffd}q\u{fffd}"),
            (
                "user\u{202e}toor\u{202c}\u{2066}x\u{2069}\u{200f}",
                "user\u{fffd}toor\u{fffd}\u{fffd}x\u{fffd}\u{fffd}",
            ),
            ("a\u{2028}b\u{e0041}", "a\u{fffd}b\u{fffd}"),
            (
                "Größe 漢字 \u{1f469}\u{200d}\u{1f4bb} \u{ad}│█",
                "Größe 漢字 \u{1f469}\u{200d}\u{1f4bb} \u{ad}│█",
            ),
        ] {
            assert_eq!(on_a_line(text), expected, "{text:?}");
            assert_eq!(on_a_line(text).chars().count(), text.chars().count());
        }
    }
}
