//! The answer to `hosts|guests silent for D`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{header::Header, instant, maybe_instant};

/// Times in which a machine that had spoken said nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SilenceAnswer {
    /// What every answer says. Matched are the times of silence.
    #[serde(flatten)]
    pub header: Header,
    /// Figures of the whole.
    pub figures: SilenceFigures,
    /// Keys of the rows that a table shows, in this order.
    pub columns: Vec<String>,
    /// Times of silence, in order of their beginnings.
    pub rows: Vec<SilenceRow>,
}

/// Figures of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceFigures {
    /// Machines that were silent.
    pub machines: u64,
    /// Those of their silences that last.
    pub still: u64,
}

/// A time in which a machine said nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SilenceRow {
    /// The machine.
    pub machine: String,
    /// Its host.
    pub host: String,
    /// The last that was heard of it.
    #[serde(with = "instant")]
    #[schema(value_type = String, format = DateTime)]
    pub from: i64,
    /// When it spoke again; null while it is silent.
    #[serde(with = "maybe_instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<i64>,
    /// How long that was, up to now where it lasts.
    pub seconds: f64,
    /// Whether it lasts.
    pub still: bool,
}
