//! Prints the document of the API: `cargo run -p lastwords-api --example openapi > docs/openapi.json`.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    let document = lastwords_api::v1::openapi::document().to_pretty_json()?;
    writeln!(std::io::stdout(), "{document}")
}
