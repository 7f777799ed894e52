//! Addresses to listen on.

use std::net::SocketAddr;

/// An address to listen on, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Here; port 0 lets the system choose.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl Listen {
    /// Where to listen, if anywhere.
    #[must_use]
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Listen::At(address) => Some(address),
            Listen::Off => None,
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::At(address) => address.fmt(f),
            Listen::Off => f.write_str("off"),
        }
    }
}

/// Reads `ADDR:PORT` or `off`.
///
/// # Errors
/// What was wanted and what was found.
pub fn parse_listen(text: &str) -> Result<Listen, String> {
    if text == "off" {
        return Ok(Listen::Off);
    }
    text.parse()
        .map(Listen::At)
        .map_err(|_| format!("wanted an address and a port such as 127.0.0.1:4320, or `off`; found {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses() {
        let cases = [
            ("127.0.0.1:4320", Some(Listen::At(([127, 0, 0, 1], 4320).into()))),
            ("[::1]:0", Some(Listen::At((std::net::Ipv6Addr::LOCALHOST, 0).into()))),
            ("off", Some(Listen::Off)),
            ("4320", None),
            ("localhost:4320", None),
            ("127.0.0.1", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_listen(text).ok(), expected, "{text}");
        }
    }
}
