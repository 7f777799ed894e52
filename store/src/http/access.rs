//! Whose statement it is, and what that user may do.

use base64::Engine as _;
use hyper::http::request::Parts;

use super::response::Failure;

/// Who may use the handler.
#[derive(Debug, Clone)]
pub enum Access {
    /// Our own process: everything.
    Process,
    /// The users named.
    Users(Vec<User>),
}

/// Somebody who may use the handler.
#[derive(Clone)]
pub struct User {
    /// The name; ClickHouse's clients take `default` where none is given.
    pub name: String,
    /// The password; empty: none is asked for.
    pub password: String,
    /// May change data.
    pub writes: bool,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("writes", &self.writes).finish_non_exhaustive()
    }
}

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rights {
    /// Everything that the engine can do.
    All,
    /// Tables of this store: reading and changing.
    Tables,
    /// Tables of this store: reading.
    Read,
}

impl Access {
    /// The caller's rights.
    pub(super) fn check(&self, parts: &Parts) -> Result<Rights, Failure> {
        let users = match self {
            Access::Process => return Ok(Rights::All),
            Access::Users(users) => users,
        };
        let (name, password) = credentials(parts);
        // Every user is compared, whatever the name, so that the time tells nothing.
        let mut rights = None;
        for user in users {
            let right = same(user.name.as_bytes(), name.as_bytes())
                & same(user.password.as_bytes(), password.as_bytes());
            if right {
                rights = Some(if user.writes { Rights::Tables } else { Rights::Read });
            }
        }
        rights.ok_or(Failure::Access { user: name })
    }
}

/// Name and password: from the `X-ClickHouse-` headers, HTTP's basic authentication or the URL.
fn credentials(parts: &Parts) -> (String, String) {
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    if let Some(name) = header("x-clickhouse-user") {
        return (name, header("x-clickhouse-key").unwrap_or_default());
    }
    let basic = header("authorization").and_then(|value| {
        let (scheme, encoded) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (name, password) = text.split_once(':')?;
        Some((name.to_owned(), password.to_owned()))
    });
    if let Some((name, password)) = basic {
        return (if name.is_empty() { "default".to_owned() } else { name }, password);
    }
    let query = parts.uri.query().unwrap_or_default();
    let value = |wanted: &str| {
        form_urlencoded::parse(query.as_bytes())
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.into_owned())
    };
    let name = value("user").or_else(|| header("x-clickhouse-user")).unwrap_or_else(|| "default".to_owned());
    (name, value("password").or_else(|| header("x-clickhouse-key")).unwrap_or_default())
}

/// Compares without telling by its time where two secrets differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    let mut difference = one.len() ^ other.len();
    for place in 0..one.len().max(other.len()) {
        let left = one.get(place).copied().unwrap_or(0);
        let right = other.get(place).copied().unwrap_or(0);
        difference |= usize::from(std::hint::black_box(left ^ right));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, headers: &[(&str, &str)], expected: Option<Rights>) {
        let users = vec![
            User { name: "default".into(), password: String::new(), writes: false },
            User { name: "op".into(), password: "secret".into(), writes: true },
        ];
        let mut request = hyper::Request::builder().uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(Access::Users(users).check(&parts).ok(), expected, "{url} {headers:?}");
    }

    #[test]
    fn users_are_known_by_headers_basic_authentication_or_url() {
        check("/", &[], Some(Rights::Read));
        check("/?user=op&password=secret", &[], Some(Rights::Tables));
        check("/", &[("X-ClickHouse-User", "op"), ("X-ClickHouse-Key", "secret")], Some(Rights::Tables));
        check("/", &[("Authorization", "Basic b3A6c2VjcmV0")], Some(Rights::Tables));
        check("/", &[("Authorization", "basic b3A6c2VjcmV0")], Some(Rights::Tables));
    }

    #[test]
    fn a_wrong_password_or_an_unknown_user_is_turned_away() {
        check("/?user=op&password=secre", &[], None);
        check("/?user=op&password=secrets", &[], None);
        check("/?user=op", &[], None);
        check("/?user=nobody&password=secret", &[], None);
        check("/?user=op&password=secret", &[("X-ClickHouse-User", "op")], None);
        check("/", &[("Authorization", "Basic !!!")], Some(Rights::Read));
        check("/?password=x", &[], None);
    }
}
