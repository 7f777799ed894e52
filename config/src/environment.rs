//! Variables as a process has them; everything else takes a function, so that tests need no environment.

/// Looks an environment variable up; empty counts as not set.
#[must_use]
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
