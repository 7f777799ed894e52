//! A server, or several addresses of the same store, and which of them is asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clickhouse::Client;
use hyper::Uri;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect;
use super::options::{RemoteError, RemoteOptions};

/// An idle connection is kept so long; ClickHouse closes its end after 3 s.
const IDLE: Duration = Duration::from_secs(2);

/// One address.
pub(super) struct Endpoint {
    pub(super) url: String,
    /// The client on our database.
    pub(super) client: Client,
    /// The client without one.
    pub(super) outside: Client,
    down_until: Arc<Mutex<Option<Instant>>>,
}

impl Endpoint {
    pub(super) fn new(url: String, outside: Client, database: &str) -> Endpoint {
        Endpoint { url, client: outside.clone().with_database(database), outside, down_until: Arc::default() }
    }

    fn down_until(&self) -> Option<Instant> {
        *self.down_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All addresses of the store.
pub(super) struct Endpoints {
    pub(super) list: Vec<Endpoint>,
    pub(super) answer_timeout: Option<Duration>,
    return_after: Duration,
}

impl Endpoints {
    /// The engine in this process: one, which is not given up on.
    pub(super) fn embedded(endpoint: Endpoint) -> Endpoints {
        Endpoints { list: vec![endpoint], answer_timeout: None, return_after: Duration::ZERO }
    }

    /// Servers.
    pub(super) fn remote(options: &RemoteOptions) -> Result<Endpoints, RemoteError> {
        if options.urls.is_empty() {
            return Err(RemoteError::NoUrl);
        }
        let mut secure = false;
        for url in &options.urls {
            let uri: Uri = url.parse().map_err(|_| RemoteError::Url(url.clone()))?;
            match (uri.scheme_str(), uri.host()) {
                (Some("http"), Some(_)) => {}
                (Some("https"), Some(_)) => secure = true,
                _ => return Err(RemoteError::Url(url.clone())),
            }
        }
        let tls = if secure { Some(connect::trust(options.ca_file.as_deref())?) } else { None };
        let connector = connect::Connector { tls, timeout: options.connect_timeout };
        let list = options.urls.iter().map(|url| {
            let http = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector.clone());
            let outside = Client::with_http_client(http)
                .with_url(url)
                .with_user(&options.user)
                .with_password(&options.password);
            Endpoint::new(url.clone(), outside, &options.database)
        });
        Ok(Endpoints {
            list: list.collect(),
            answer_timeout: Some(options.answer_timeout),
            return_after: options.return_after,
        })
    }

    /// The same addresses, asked with a further header.
    pub(super) fn with_header(&self, name: &str, value: &str) -> Endpoints {
        let list = self.list.iter().map(|endpoint| Endpoint {
            url: endpoint.url.clone(),
            client: endpoint.client.clone().with_header(name, value),
            outside: endpoint.outside.clone().with_header(name, value),
            down_until: Arc::clone(&endpoint.down_until),
        });
        Endpoints {
            list: list.collect(),
            answer_timeout: self.answer_timeout,
            return_after: self.return_after,
        }
    }

    /// The addresses in the order in which they are to be tried.
    pub(super) fn order(&self) -> Vec<usize> {
        let now = Instant::now();
        let down: Vec<Option<Instant>> = self.list.iter().map(Endpoint::down_until).collect();
        order(&down, now)
    }

    /// Notes that an address does not do its service.
    pub(super) fn failed(&self, place: usize, reason: &str) {
        let Some(endpoint) = self.list.get(place) else { return };
        let mut down = endpoint.down_until.lock().unwrap_or_else(PoisonError::into_inner);
        if down.is_none() && self.list.len() > 1 {
            tracing::warn!(url = endpoint.url, reason, "the store is asked elsewhere");
        }
        *down = Some(Instant::now() + self.return_after);
    }

    /// Notes that an address answers.
    pub(super) fn answered(&self, place: usize) {
        let Some(endpoint) = self.list.get(place) else { return };
        let mut down = endpoint.down_until.lock().unwrap_or_else(PoisonError::into_inner);
        if down.take().is_some() && self.list.len() > 1 {
            tracing::info!(url = endpoint.url, "the store answers again");
        }
    }
}

/// Whoever is not down in the order of preference, then the others, who comes back first first.
fn order(down_until: &[Option<Instant>], now: Instant) -> Vec<usize> {
    let mut places: Vec<(Option<Instant>, usize)> =
        down_until.iter().map(|until| until.filter(|until| *until > now)).zip(0..).collect();
    places.sort();
    places.into_iter().map(|(_, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_that_is_up_is_asked_first_and_again_after_a_while() {
        let now = Instant::now();
        let ahead = |seconds| Some(now + Duration::from_secs(seconds));
        for (down, expected) in [
            (vec![None, None, None], vec![0, 1, 2]),
            (vec![ahead(9), None, None], vec![1, 2, 0]),
            (vec![ahead(9), ahead(3), None], vec![2, 1, 0]),
            (vec![ahead(9), ahead(3)], vec![1, 0]),
            // Its time is over: it is asked again.
            (vec![ahead(0), None], vec![0, 1]),
        ] {
            assert_eq!(order(&down, now), expected, "{down:?}");
        }
    }

    #[test]
    fn addresses_that_are_none_are_refused() {
        for url in ["", "store:8123", "ftp://store", "http://", "/ping"] {
            let refused = Endpoints::remote(&RemoteOptions::new([url])).err();
            assert!(
                matches!(&refused, Some(RemoteError::Url(found)) if found == url),
                "{url:?}: {refused:?}"
            );
        }
        assert!(matches!(
            Endpoints::remote(&RemoteOptions::new(Vec::<String>::new())),
            Err(RemoteError::NoUrl)
        ));
    }

    #[test]
    fn a_password_is_not_printed() {
        let options = RemoteOptions { password: "sesame".into(), ..RemoteOptions::new(["http://store"]) };
        assert!(!format!("{options:?}").contains("sesame"));
    }
}
