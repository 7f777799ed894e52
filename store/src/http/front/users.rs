//! Who somebody is, and with which rights.

use base64::Engine as _;
use hyper::http::request::Parts;

use crate::http::failure::Failure;

/// What a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Reads our tables, by confined SQL.
    Reader,
    /// Inserts into our tables, and sends what this program sends to a store. Nothing else.
    Writer,
}

/// Somebody who may use the port.
#[derive(Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password. With an empty one nobody comes in.
    pub password: String,
    /// The rights.
    pub role: Role,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// A user's name is not longer.
const NAME_BYTES_MAX: usize = 256;

/// What somebody calls himself.
pub(super) fn name(parts: &Parts) -> String {
    credentials(parts).0
}

/// The users' names and what is kept of their passwords.
pub(super) struct Users(Vec<Known>);

struct Known {
    name: blake3::Hash,
    password: blake3::Hash,
    role: Role,
}

impl Users {
    pub(super) fn new(users: &[User]) -> Users {
        let known = |user: &User| Known {
            name: blake3::hash(user.name.as_bytes()),
            password: blake3::hash(user.password.as_bytes()),
            role: user.role,
        };
        Users(users.iter().filter(|user| !user.password.is_empty()).map(known).collect())
    }

    /// The caller's rights.
    ///
    /// # Errors
    /// Where there is no such user with that password.
    pub(super) fn check(&self, parts: &Parts) -> Result<Role, Failure> {
        let (name, password) = credentials(parts);
        let (name_hash, password_hash) = (blake3::hash(name.as_bytes()), blake3::hash(password.as_bytes()));
        // Hashes are compared in constant time, and every user is, so that the time tells nothing.
        let mut role = None;
        for known in &self.0 {
            let right = (known.name == name_hash) & (known.password == password_hash);
            if right {
                role = Some(known.role);
            }
        }
        role.ok_or_else(|| Failure::Access { user: name.chars().take(NAME_BYTES_MAX).collect() })
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
    let name = value("user").unwrap_or_else(|| "default".to_owned());
    (name, value("password").or_else(|| header("x-clickhouse-key")).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, headers: &[(&str, &str)], expected: Option<Role>) {
        let user =
            |name: &str, password: &str, role| User { name: name.into(), password: password.into(), role };
        let users = [
            user("reader", "only", Role::Reader),
            user("op", "secret", Role::Writer),
            // Nobody comes in without a password, whatever the configuration says.
            user("default", "", Role::Writer),
        ];
        let mut request = hyper::Request::builder().uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        assert_eq!(Users::new(&users).check(&parts).ok(), expected, "{url} {headers:?}");
    }

    #[test]
    fn users_are_known_by_headers_basic_authentication_or_url() {
        check("/?user=reader&password=only", &[], Some(Role::Reader));
        check("/?user=op&password=secret", &[], Some(Role::Writer));
        check("/", &[("X-ClickHouse-User", "op"), ("X-ClickHouse-Key", "secret")], Some(Role::Writer));
        check("/", &[("Authorization", "Basic b3A6c2VjcmV0")], Some(Role::Writer));
        check("/", &[("Authorization", "basic b3A6c2VjcmV0")], Some(Role::Writer));
        check("/?user=op", &[("X-ClickHouse-Key", "secret")], Some(Role::Writer));
    }

    #[test]
    fn a_wrong_password_an_unknown_user_and_nobody_are_turned_away() {
        check("/", &[], None);
        check("/?user=op&password=secre", &[], None);
        check("/?user=op&password=secrets", &[], None);
        check("/?user=op&password=only", &[], None);
        check("/?user=op", &[], None);
        check("/?user=nobody&password=secret", &[], None);
        check("/?user=op&password=secret", &[("X-ClickHouse-User", "op")], None);
        check("/", &[("Authorization", "Basic !!!")], None);
        check("/?password=x", &[], None);
        for empty in ["/?user=default", "/?user=default&password=", "/?password="] {
            check(empty, &[], None);
        }
    }

    #[test]
    fn a_password_is_not_printed() {
        let user = User { name: "op".into(), password: "sesame".into(), role: Role::Writer };
        assert!(!format!("{user:?}").contains("sesame"));
    }
}
