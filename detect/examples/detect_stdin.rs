//! Prints the events of standard input as JSON lines.
use std::io::Read as _;

fn main() -> std::io::Result<()> {
    let mut text = Vec::new();
    std::io::stdin().read_to_end(&mut text)?;
    for event in lastwords_detect::Detector::built_in().scan_log(&text, false) {
        let row = serde_json::json!({
            "class": event.class, "title": event.title, "function": event.function,
            "start_line": event.start_line, "end_line": event.end_line,
            "fingerprint": format!("{:016x}", event.fingerprint), "severity": event.severity.as_str(),
        });
        println!("{row}");
    }
    Ok(())
}
