//! The answer to `SET before and after T`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{header::Header, instant};
use crate::chance::change::Change;

/// Episodes on both sides of a moment, here and elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeAnswer {
    /// What every answer says. Matched are the episodes of both sides.
    #[serde(flatten)]
    pub header: Header,
    /// Figures of the whole.
    pub figures: ChangeFigures,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<String>,
    /// Both sides here; where there is a control, both sides elsewhere.
    pub rows: Vec<ChangeRow>,
}

/// Figures of the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeFigures {
    /// How the sides compare.
    #[serde(flatten)]
    pub change: Change,
    /// The moment.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub at: i64,
}

/// One side at one place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ChangeRow {
    /// Where.
    #[serde(rename = "where")]
    pub place: Where,
    /// On which side of the moment.
    pub side: Moment,
    /// Episodes.
    pub episodes: u64,
    /// Machine-days observed.
    pub days: f64,
    /// Episodes in a hundred of them.
    pub per_100_days: f64,
}

/// Where something was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Where {
    /// At the places asked about.
    Here,
    /// Everywhere else: the control.
    Elsewhere,
}

/// A side of the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before it.
    Before,
    /// From it on.
    After,
}
