//! What a statement may reach, and who asks.

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// The command line and the HTTP API.
    Asker,
    /// ClickHouse's own clients on the ClickHouse port: parameters, and what they want to know of their server.
    Port,
}

/// What a statement may reach.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The database of our tables.
    pub database: &'a str,
    /// Who asks.
    pub audience: Audience,
}

/// A call of `correlate(…)` in a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatchesCall {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its bytes in the user's text.
    pub place: std::ops::Range<usize>,
}
