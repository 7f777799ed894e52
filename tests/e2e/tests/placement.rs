//! Who ran where, of a whole fleet at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "in a test file helpers assert, too"
)]

use std::fs;

use lastwords_e2e::{
    program::{count, run},
    up::Up,
};

#[test]
fn five_thousand_guests_are_imported_through_a_running_up() {
    let folder = tempfile::tempdir().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("stays.csv"));
    let mut text = "host,guest,uuid,start\n".to_owned();
    for number in 0..5_000 {
        let host = number % 200;
        text += &format!(
            "hv{host:03},web{number},{number:08x}-0000-4000-8000-000000000000,2026-11-20T08:00:00Z\n"
        );
    }
    fs::write(&file, text).unwrap();
    let up = Up::start(&data, &["--no-collect"]);
    let arguments =
        ["placement", "import", "--format", "json", "--data", data.to_str().unwrap(), file.to_str().unwrap()];
    for _ in 0..2 {
        assert_eq!(run(arguments).expect(0).json()["guests"], 5_000, "{}", up.log());
        assert_eq!(count(&data, "placement FINAL"), 5_000);
    }
    assert_eq!(count(&data, "quarantine"), 0);
}
