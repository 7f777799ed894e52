//! `correlate(…)` in a reader's SQL: who answers it, and the statement with the matches in it.

use std::pin::Pin;
use std::time::Duration;

use super::decide::Sent;
use super::insert::refused;
use crate::http::failure::Failure;
use crate::select::MatchesTable;

/// All questions of a statement have to be answered within this time.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of all tables of a statement: the engine takes no longer statement.
const BYTES_MAX: usize = 32 << 20;

/// A question's matches, or why there are none.
pub type Matching = Pin<Box<dyn Future<Output = Result<MatchesTable, String>> + Send>>;

/// Answers `correlate(…)`.
pub trait Matches: Send + Sync {
    /// The matches of a call with these arguments.
    fn table(&self, arguments: Vec<String>) -> Matching;
}

/// Puts the matches of all calls into a statement.
///
/// # Errors
/// Where nobody answers questions here, or one cannot be answered.
pub(super) async fn put(answers: Option<&dyn Matches>, mut sent: Sent) -> Result<Sent, Failure> {
    let Some(confined) = sent.calling.take() else { return Ok(sent) };
    let answers = answers.ok_or_else(|| refused("correlate is not answered on this port"))?;
    let all = async {
        let (mut tables, mut bytes) = (Vec::new(), 0);
        for call in &confined.calls {
            let table = answers.table(call.arguments.clone()).await.map_err(wrong)?;
            bytes += table.bytes();
            if bytes > BYTES_MAX {
                return Err(Failure::TooLarge { bytes_max: BYTES_MAX });
            }
            tables.push(table);
        }
        Ok(tables)
    };
    let tables = tokio::time::timeout(PATIENCE, all).await.map_err(|_| late())??;
    sent.set_text(confined.with_tables(|number| tables.get(number).map_or("", MatchesTable::as_str)));
    Ok(sent)
}

fn wrong(why: String) -> Failure {
    Failure::Statement {
        code: 36,
        text: format!("Code: 36. DB::Exception: correlate: {why} (BAD_ARGUMENTS)"),
    }
}

fn late() -> Failure {
    Failure::Statement {
        code: 159,
        text: format!(
            "Code: 159. DB::Exception: correlate was not answered within {} s: ask of a shorter time, or of fewer hosts. (TIMEOUT_EXCEEDED)",
            PATIENCE.as_secs()
        ),
    }
}
