//! query
pub mod chance;
