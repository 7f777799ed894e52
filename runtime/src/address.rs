//! Addresses of other services, as people write them into files, variables and flags. No password may stand in them: an
//! address is logged, shown and seen by every user of the machine in the list of processes.

/// Whether a user, a password or parameters stand in an address, or in one of several.
#[must_use]
pub fn carries_secrets(text: &str) -> bool {
    text.contains(['@', '?', '#'])
}

/// An address as it may be shown: without user, password and parameters.
#[must_use]
pub fn redacted(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest))
            if scheme.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') =>
        {
            (format!("{scheme}://"), rest)
        }
        _ => (String::new(), text),
    };
    let (hidden, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    let parameters = if rest.contains(['?', '#']) { "?…" } else { "" };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}{hidden}{rest}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown_of_an_address() {
        for (text, shown) in [
            ("http://store:8123", "http://store:8123"),
            ("http://store:8123/clickhouse/", "http://store:8123/clickhouse/"),
            ("[::1]:9092,b:9092", "[::1]:9092,b:9092"),
            ("http://user:hunter2@store:8123", "http://…@store:8123"),
            ("http://user:hun/ter2@store", "http://…@store"),
            ("http://user:hunt@er2@store", "http://…@store"),
            ("user:hunter2@store:8123", "…@store:8123"),
            ("user:hunter2://@store:8123", "…@store:8123"),
            ("http://a:8123,http://user:hunter2@b", "http://…@b"),
            ("SASL_PLAINTEXT://user:hunter2@b:9092", "SASL_PLAINTEXT://…@b:9092"),
            ("http://store:8123/?user=u&password=hunter2", "http://store:8123/?…"),
            ("http://user:hunter2?@store#hunter2", "http://…@store?…"),
        ] {
            assert_eq!(redacted(text), shown);
            assert!(!redacted(text).contains("er2"), "{text}");
            assert_eq!(carries_secrets(text), text.contains("user"), "{text}");
        }
    }
}
