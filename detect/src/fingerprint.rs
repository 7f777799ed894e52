//! What is equal for equal crashes on different machines: no addresses, offsets, numbers or processes in it.

use xxhash_rust::xxh3::Xxh3;

/// Frames of the trace that count: deeper ones differ by how the path was entered.
const FRAMES_MAX: usize = 4;

/// The fingerprint of a report.
pub fn of(class: &str, what: &str, frames: &[String]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(class.as_bytes());
    hash.update(&[0]);
    hash.update(normalised(what).as_bytes());
    for frame in frames.iter().take(FRAMES_MAX) {
        hash.update(&[0]);
        hash.update(plain_function(frame).as_bytes());
    }
    hash.digest()
}

/// A function's name without what the compiler put behind it: `.cold`, `.isra.0`, `.constprop.3`, `.part.1`.
pub fn plain_function(name: &str) -> &str {
    name.split('.').next().filter(|plain| !plain.is_empty()).unwrap_or(name)
}

/// A text with every number, address and quoted name replaced by one sign.
pub fn normalised(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split(' ') {
        if !plain.is_empty() {
            plain.push(' ');
        }
        if word.bytes().any(|byte| byte.is_ascii_digit()) && !is_name(word) {
            plain.push('#');
        } else {
            plain.push_str(word);
        }
    }
    plain
}

/// Whether a word with digits in it is a name (`kmalloc_64`, `ext4_find`) and not a value.
fn is_name(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_alphabetic()) && word.contains('_') && !word.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_crash_elsewhere_has_the_same_fingerprint() {
        let frames = |suffix: &str| vec![format!("f{suffix}"), "g".to_owned()];
        let one = of(
            "kernel.oops",
            "BUG: unable to handle page fault for address: ffff888012345678",
            &frames(".cold"),
        );
        let other = of(
            "kernel.oops",
            "BUG: unable to handle page fault for address: ffff999912345678",
            &frames(".isra.0"),
        );
        assert_eq!(one, other);
        assert_ne!(
            one,
            of("kernel.oops", "BUG: unable to handle page fault for address: 0", &["h".to_owned()])
        );
    }
}
