//! A numbered step of the schema.

/// One step of the schema.
pub(super) struct Migration {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}
