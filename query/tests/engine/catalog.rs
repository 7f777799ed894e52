//! What is known of hosts is kept between questions, and fetched again when it has changed.

use std::sync::Arc;

use lastwords_query::{AskOptions, ErrorClass, ask::vocabulary};

use crate::week::{Week, options};

async fn place(week: &Week, version: u32, rack: &str) {
    let sql = format!(
        "INSERT INTO placement (Host, Start, Attributes, Version, Planned) SELECT 'hv01', \
         fromUnixTimestamp64Nano(toInt64(0), 'UTC'), map('rack', '{rack}'), {version}, toUInt32(now() + 3600)"
    );
    week.store.execute(&sql).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_is_known_to_the_next_question() {
    let week = Week::stored().await;
    let options = options();
    let unknown = week.ask_with("panics on rack b7", &options).await.unwrap_err();
    assert_eq!(unknown.class(), ErrorClass::Usage, "{unknown}");
    place(&week, 1, "b7").await;
    assert_eq!(week.ask_with("panics on rack b7", &options).await.unwrap()["matched"], 7);
    // A newer version of the same row, and an older one that comes late.
    place(&week, 3, "b8").await;
    assert_eq!(week.ask_with("panics on rack b7", &options).await.unwrap()["matched"], 0);
    assert_eq!(week.ask_with("panics on rack b8", &options).await.unwrap()["matched"], 7);
    place(&week, 2, "b9").await;
    assert_eq!(week.ask_with("panics on rack b8", &options).await.unwrap()["matched"], 7);
    // Other labels from configuration are other names, whatever is kept.
    let labels = [("hv02".to_owned(), [("zone".to_owned(), "north".to_owned())].into())].into();
    let configured = AskOptions { labels: Arc::new(labels), ..options.clone() };
    assert_eq!(week.ask_with("panics on zone north", &configured).await.unwrap()["matched"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_to_complete_are_those_that_questions_know() {
    let week = Week::stored().await;
    place(&week, 1, "b7").await;
    let options = options();
    let first = vocabulary(&week.store, &options).await.unwrap();
    assert!(first.label("RACK").is_some() && first.members("panics").is_some());
    let again = vocabulary(&week.store, &options).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again), "nothing is made anew for every keystroke");
}
