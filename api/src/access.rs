//! Who may ask over HTTP, decided from a request's head alone.
//!
//! Any user of this machine reaches a listener on loopback, and so does any page in a browser on it: a page that asks by
//! a name of its own which suddenly means 127.0.0.1 (`Host` tells), or that asks across origins (`Origin`,
//! `Sec-Fetch-Site` and the content type tell; we never say that another origin may). The socket in the data folder is
//! reached by the folder's owner alone.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use hyper::{
    HeaderMap, Request, Version,
    header::{self, HeaderValue},
};

use crate::status::Kind;

/// Longest path and query of a request: completion brings a whole question.
const URI_BYTES_MAX: usize = 16 << 10;
/// All header lines of a request together.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// What is quoted of a header in an error.
const QUOTED_CHARACTERS_MAX: usize = 100;
const HTTP_PORT: u16 = 80;
const HTTPS_PORT: u16 = 443;
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Where a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// The socket in the data folder.
    Socket,
    /// A listener on the network, at this address.
    Tcp(SocketAddr),
}

/// A name or an address, with or without a port, as in `Host` and `Origin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    host: HostName,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum HostName {
    Name(String),
    Address(IpAddr),
}

impl Authority {
    /// Reads `NAME`, `NAME:PORT`, `10.0.0.5:8640`, `[::1]:8640`; none: it is nothing of the kind.
    #[must_use]
    pub fn parse(text: &str) -> Option<Authority> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address = IpAddr::V6(address.parse::<Ipv6Addr>().ok()?).to_canonical();
                let port = if port.is_empty() { None } else { Some(port.strip_prefix(':')?) };
                (HostName::Address(address), port)
            }
            None => {
                let (host, port) =
                    text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
                (HostName::parse(host)?, port)
            }
        };
        let port = match port {
            None => None,
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Authority { host, port })
    }
}

impl HostName {
    fn parse(text: &str) -> Option<HostName> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(HostName::Address(address));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let letters = name.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-._".contains(&letter));
        (letters && !name.is_empty() && name.len() <= 253).then(|| HostName::Name(name.to_ascii_lowercase()))
    }
}

impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            HostName::Name(name) => f.write_str(name)?,
            HostName::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            HostName::Address(address) => write!(f, "{address}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Its path and query are too long.
    #[error("wanted a path and query of at most {URI_BYTES_MAX} bytes, found {0}")]
    UriTooLong(usize),
    /// Its header lines are too long.
    #[error("wanted header lines of at most {HEADER_BYTES_MAX} bytes together, found {0}")]
    HeaderTooLarge(usize),
    /// It has no `Host`, several, or one that is none.
    #[error("wanted one Host header with a name or an address, found {0}")]
    Host(String),
    /// Its `Host` is not ours.
    #[error(
        "wanted a Host by which this server is known, found {found}: ask it by its address, http://{address}, or name \
         the host in listen.http_hosts"
    )]
    ForeignHost {
        /// Whom it asks for.
        found: String,
        /// Where we listen.
        address: SocketAddr,
    },
    /// A page of another origin asks.
    #[error(
        "pages of other origins may not ask: wanted no Origin or this server's own, found {0}; a name by which people \
         reach it belongs into listen.http_hosts"
    )]
    ForeignOrigin(String),
    /// A browser says that another site asks.
    #[error("pages of other sites may not ask: wanted Sec-Fetch-Site: same-origin or none, found {0}")]
    OtherSite(String),
    /// Its body is not declared as JSON.
    #[error("wanted Content-Type: application/json, found {0}")]
    NotJson(String),
    /// Its body is packed.
    #[error("wanted a body without Content-Encoding, found {0}")]
    Encoded(String),
    /// It would change something, or brings rules, over the network.
    #[error(
        "{0} is answered on the socket in the data folder only: use `lastwords quarantine` or `lastwords detect --stored` \
         with --data on this machine, as the folder's owner"
    )]
    SocketOnly(String),
}

impl Denied {
    /// What kind of problem it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Denied::UriTooLong(_) => Kind::UriTooLong,
            Denied::HeaderTooLarge(_) => Kind::HeadTooLarge,
            Denied::Host(_) => Kind::Malformed,
            Denied::ForeignHost { .. } => Kind::Misdirected,
            Denied::ForeignOrigin(_) | Denied::OtherSite(_) | Denied::SocketOnly(_) => Kind::Forbidden,
            Denied::NotJson(_) | Denied::Encoded(_) => Kind::UnsupportedMediaType,
        }
    }
}

/// Whether a request may be looked at. `names` are those by which the server is known beside its address.
///
/// # Errors
/// Why not.
pub fn admit<B>(door: Door, names: &[Authority], request: &Request<B>) -> Result<(), Denied> {
    let uri_bytes = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    if uri_bytes > URI_BYTES_MAX {
        return Err(Denied::UriTooLong(uri_bytes));
    }
    let headers = request.headers();
    let header_bytes = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if header_bytes > HEADER_BYTES_MAX {
        return Err(Denied::HeaderTooLarge(header_bytes));
    }
    if let Door::Tcp(address) = door {
        asked_for(address, names, request)?;
    }
    origin(door, names, headers)?;
    for site in headers.get_all(SEC_FETCH_SITE) {
        if site != "same-origin" && site != "none" {
            return Err(Denied::OtherSite(quoted(site)));
        }
    }
    Ok(())
}

/// Whether a body is declared as JSON, which a page of another origin cannot do without asking first.
///
/// # Errors
/// As what it is declared.
pub fn declares_json(headers: &HeaderMap) -> Result<(), Denied> {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    match (kinds.next(), kinds.next()) {
        (Some(kind), None) if is_json(kind) => {}
        (Some(kind), _) => return Err(Denied::NotJson(quoted(kind))),
        (None, _) => return Err(Denied::NotJson("none".to_owned())),
    }
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Denied::Encoded(quoted(encoding))),
        _ => Ok(()),
    }
}

fn is_json(kind: &HeaderValue) -> bool {
    let kind = kind.to_str().unwrap_or_default();
    let (essence, _) = kind.split_once(';').unwrap_or((kind, ""));
    essence.trim().eq_ignore_ascii_case("application/json")
}

/// Looks at `Host`, and at the target where it names a server, too.
fn asked_for<B>(address: SocketAddr, names: &[Authority], request: &Request<B>) -> Result<(), Denied> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host),
        // Load balancers look after health so; no browser does.
        (None, _) if request.version() == Version::HTTP_10 => None,
        (None, _) => return Err(Denied::Host("none".to_owned())),
        (Some(_), Some(_)) => return Err(Denied::Host("several".to_owned())),
    };
    let target = request.uri().authority().map(|authority| authority.as_str());
    let host = host.map(|host| host.to_str().map_err(|_| Denied::Host(quoted(host)))).transpose()?;
    for text in [host, target].into_iter().flatten() {
        let asked = Authority::parse(text).ok_or_else(|| Denied::Host(quote(text)))?;
        if !is_known(address, names, &asked, HTTP_PORT) {
            return Err(Denied::ForeignHost { found: quote(text), address });
        }
    }
    Ok(())
}

/// Looks at `Origin`: none, or a page of our own.
fn origin(door: Door, names: &[Authority], headers: &HeaderMap) -> Result<(), Denied> {
    for origin in headers.get_all(header::ORIGIN) {
        let text = origin.to_str().unwrap_or_default();
        let known = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(plain), _) => Authority::parse(plain).is_some_and(|asked| match door {
                Door::Tcp(address) => is_known(address, names, &asked, HTTP_PORT),
                Door::Socket => is_named(names, &asked, HTTP_PORT),
            }),
            // Something before us speaks TLS, under a name that we have been told.
            (None, Some(secured)) => {
                Authority::parse(secured).is_some_and(|asked| is_named(names, &asked, HTTPS_PORT))
            }
            (None, None) => false,
        };
        if !known {
            return Err(Denied::ForeignOrigin(quoted(origin)));
        }
    }
    Ok(())
}

/// A name of loopback, or the address that is listened on; or a name that was configured. Addresses cannot be made to
/// mean another machine, names can.
fn is_known(listening: SocketAddr, names: &[Authority], asked: &Authority, default_port: u16) -> bool {
    let port = asked.port.unwrap_or(default_port);
    let ours = match &asked.host {
        HostName::Name(name) => name == "localhost",
        HostName::Address(address) => {
            address.is_loopback()
                || *address == listening.ip().to_canonical()
                || listening.ip().is_unspecified()
        }
    };
    (ours && port == listening.port()) || is_named(names, asked, default_port)
}

fn is_named(names: &[Authority], asked: &Authority, default_port: u16) -> bool {
    let port = asked.port.unwrap_or(default_port);
    names.iter().any(|name| name.host == asked.host && name.port.is_none_or(|wanted| wanted == port))
}

fn quoted(value: &HeaderValue) -> String {
    quote(&String::from_utf8_lossy(value.as_bytes()))
}

fn quote(text: &str) -> String {
    format!("{:?}", text.chars().take(QUOTED_CHARACTERS_MAX).collect::<String>())
}

#[cfg(test)]
mod tests;
