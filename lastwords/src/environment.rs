//! Environment variables.

/// Looks up an environment variable; empty counts as not set.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
