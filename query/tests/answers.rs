//! Answers survive their JSON: what was written opens with the types that it was written from, in every form.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may")]

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use lastwords_query::{
    Answer, Reply, Wording,
    answer::{
        Bar, Candidate, CandidateKind, Chance, ChangeAnswer, ChangeFigures, ChangeRow, Counted,
        DistinguishingAnswer, DistinguishingFigures, DistinguishingRow, Groups, Header, Match, MatchesAnswer,
        MessageRow, MessagesAnswer, MessagesFigures, Moment, Partner, PrecedingAnswer, PrecedingFigures,
        Range, SilenceAnswer, SilenceFigures, SilenceRow, Where,
    },
    chance::{
        Basis, Verdict,
        attributes::{Compared, Trait},
        change::{Change, Side, Sides},
    },
    render::{Look, render},
};
use proptest::{array::uniform, collection::vec, option, prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

/// Any number that JSON has.
fn number() -> BoxedStrategy<f64> {
    prop_oneof![
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()),
        Just(0.1 + 0.2),
        Just(5e-324),
        Just(-0.0),
        Just(1e300),
        (0_u32..100).prop_map(f64::from),
    ]
    .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[a-z .]{0,12}", "\\PC{0,12}", Just("\u{1b}[31m\u{0}\"\\\n".to_owned())].boxed()
}

fn columns() -> BoxedStrategy<Vec<String>> {
    vec(prop_oneof!["[a-z_]{1,8}", Just("what".to_owned()), Just("p".to_owned())], 0..4).boxed()
}

prop_compose! {
    fn header()(
        question in text(), from in any::<i64>(), to in any::<i64>(), time_zone in text(), matched in any::<u64>(),
        truncated in any::<bool>(),
    ) -> Header {
        Header { question, range: Range { from, to }, time_zone, matched, truncated }
    }
}

fn basis() -> BoxedStrategy<Basis> {
    prop_oneof![Just(Basis::Day), Just(Basis::Host), Just(Basis::Local), Just(Basis::None)].boxed()
}

fn verdict() -> BoxedStrategy<Verdict> {
    prop_oneof![
        Just(Verdict::NoAnchors),
        Just(Verdict::SameEvents),
        Just(Verdict::NoneOnTheseHosts),
        Just(Verdict::CoversNearlyAll),
        Just(Verdict::Follows),
        Just(Verdict::SameTimesOfDay),
        Just(Verdict::SameBadPeriods),
        Just(Verdict::MoreThanOtherHosts),
        Just(Verdict::FleetWide),
        Just(Verdict::CloserThanSurroundings),
        Just(Verdict::NotMore),
        Just(Verdict::TooFew),
    ]
    .boxed()
}

prop_compose! {
    fn chance()(
        basis in basis(), verdict in option::of(verdict()), p in uniform::<_, 4>(option::of(number())),
        days in option::of(any::<u32>()), undecided in any::<u64>(), undecided_matched in any::<u64>(),
        episodes in option::of(any::<u64>()),
    ) -> Chance {
        let [p_day, p_host, p_local, expected_local] = p;
        Chance { basis, verdict, p_day, p_host, p_local, expected_local, days, undecided, undecided_matched, episodes }
    }
}

prop_compose! {
    fn partner()(
        class in text(), start in any::<i64>(), end in option::of(any::<i64>()), host in text(),
        guest in option::of(text()), title in text(), lag_seconds in number(),
    ) -> Partner {
        let guest = guest.map(Arc::from);
        Partner { class: class.into(), start, end, host: host.into(), guest, title: title.into(), lag_seconds }
    }
}

prop_compose! {
    fn one_match()(
        class in text(), start in any::<i64>(), end in option::of(any::<i64>()), host in text(),
        guest in option::of(text()), title in text(), severity in text(), partners in vec(partner().boxed(), 0..3),
        before in vec(text(), 0..2), evidence in vec(text(), 0..3), after in vec(text(), 0..2),
    ) -> Match {
        let [class, host, title, severity] = [class, host, title, severity].map(Arc::from);
        Match { class, start, end, host, guest: guest.map(Arc::from), title, severity, partners, before, evidence, after }
    }
}

prop_compose! {
    fn counted()(name in text(), anchors in any::<u64>(), matched in 0..u64::MAX / 64) -> Counted {
        Counted { name, anchors, matched }
    }
}

prop_compose! {
    fn bar()(from_seconds in any::<i64>(), to_seconds in any::<i64>(), count in 0..u64::MAX / 64) -> Bar {
        Bar { from_seconds, to_seconds, count }
    }
}

prop_compose! {
    fn matches()(
        header in header().boxed(), anchors in any::<u64>(), figures in uniform::<_, 3>(option::of(number())),
        chance in chance().boxed(), matches in vec(one_match().boxed(), 0..3), lag_histogram in vec(bar(), 0..3),
        hour_of_day in uniform::<_, 24>(0..u64::MAX / 64), day_of_week in uniform::<_, 7>(0..u64::MAX / 64),
        top_hosts in vec(counted(), 0..3), top_guests in vec(counted(), 0..3),
        by in option::of((text(), vec(counted(), 0..3)).prop_map(|(of, groups)| Groups { of, groups })),
    ) -> Answer {
        let [expected_by_chance, lift, p_value] = figures;
        Answer::Matches(Box::new(MatchesAnswer {
            header, anchors, expected_by_chance, lift, p_value, chance, matches, lag_histogram, hour_of_day,
            day_of_week, top_hosts, top_guests, by,
        }))
    }
}

prop_compose! {
    fn candidate()(
        (what, ask) in (text(), text()), is_class in any::<bool>(), matched in any::<u64>(), anchors in any::<u64>(),
        expected in number(), p in uniform::<_, 3>(option::of(number())), basis in basis(), verdict in verdict(),
        claimed in any::<bool>(), same_anchors in vec(text(), 0..3),
    ) -> Candidate {
        let [lift, p, q] = p;
        let kind = if is_class { CandidateKind::Class } else { CandidateKind::Template };
        Candidate { what, kind, matched, anchors, expected, lift, p, q, basis, verdict, claimed, same_anchors, ask }
    }
}

prop_compose! {
    fn preceding()(
        header in header().boxed(), anchors in any::<u64>(), candidates in any::<u64>(), false_discovery_rate in number(),
        columns in columns(), rows in vec(candidate().boxed(), 0..4),
    ) -> Answer {
        let figures = PrecedingFigures { anchors, candidates, false_discovery_rate };
        Answer::Preceding(PrecedingAnswer { header, figures, columns, rows })
    }
}

prop_compose! {
    fn distinguishing_row()(
        (attribute, value, words) in (text(), text(), text()), equal in any::<bool>(),
        counts in uniform::<_, 4>(any::<u64>()), p in uniform::<_, 3>(option::of(number())),
        within_hosts in any::<bool>(),
    ) -> DistinguishingRow {
        let ([with_had, with_all, without_had, without_all], [ratio, p, q]) = (counts, p);
        let is = if equal { Trait::Equal(value) } else { Trait::AtLeast(value) };
        let compared =
            Compared { attribute, is, with_had, with_all, without_had, without_all, ratio, p, q, within_hosts };
        DistinguishingRow { compared, words }
    }
}

prop_compose! {
    fn distinguishing()(
        header in header().boxed(), counts in uniform::<_, 3>(any::<u64>()), columns in columns(),
        rows in vec(distinguishing_row().boxed(), 0..4),
    ) -> Answer {
        let [machines, with_events, attributes] = counts;
        let figures = DistinguishingFigures { machines, with_events, attributes };
        Answer::Distinguishing(DistinguishingAnswer { header, figures, columns, rows })
    }
}

prop_compose! {
    fn sides()(episodes in uniform::<_, 2>(any::<u64>()), days in uniform::<_, 2>(number())) -> Sides {
        Sides {
            before: Side { episodes: episodes[0], days: days[0] },
            after: Side { episodes: episodes[1], days: days[1] },
        }
    }
}

prop_compose! {
    fn change_row()(
        here in any::<bool>(), before in any::<bool>(), episodes in any::<u64>(), days in number(),
        per_100_days in number(),
    ) -> ChangeRow {
        let place = if here { Where::Here } else { Where::Elsewhere };
        let side = if before { Moment::Before } else { Moment::After };
        ChangeRow { place, side, episodes, days, per_100_days }
    }
}

prop_compose! {
    fn changed()(
        header in header().boxed(), sides in sides().boxed(), control in option::of(sides().boxed()),
        maybe in uniform::<_, 5>(option::of(number())), ratio_from in number(), dispersion in number(),
        at in any::<i64>(), columns in columns(), rows in vec(change_row().boxed(), 0..4),
    ) -> Answer {
        let [ratio, ratio_to, p, ratio_to_control, p_control] = maybe;
        let change =
            Change { sides, ratio, ratio_from, ratio_to, p, dispersion, control, ratio_to_control, p_control };
        Answer::Changed(ChangeAnswer { header, figures: ChangeFigures { change, at }, columns, rows })
    }
}

prop_compose! {
    fn message()(
        texts in uniform::<_, 4>(text()), records in any::<u64>(), hosts in any::<u64>(), first in any::<i64>(),
        last in any::<i64>(), severity in any::<u8>(),
    ) -> MessageRow {
        let [message, program, class, ask] = texts;
        MessageRow { message, records, hosts, first, last, severity, program, class, ask }
    }
}

prop_compose! {
    fn messages()(
        header in header().boxed(), messages in any::<u64>(), records in any::<u64>(), columns in columns(),
        rows in vec(message().boxed(), 0..4),
    ) -> Answer {
        Answer::Messages(MessagesAnswer { header, figures: MessagesFigures { messages, records }, columns, rows })
    }
}

prop_compose! {
    fn silent()(
        machine in text(), host in text(), from in any::<i64>(), to in option::of(any::<i64>()), seconds in number(),
        still in any::<bool>(),
    ) -> SilenceRow {
        SilenceRow { machine, host, from, to, seconds, still }
    }
}

prop_compose! {
    fn silence()(
        header in header().boxed(), machines in any::<u64>(), still in any::<u64>(), columns in columns(),
        rows in vec(silent().boxed(), 0..4),
    ) -> Answer {
        Answer::Silence(SilenceAnswer { header, figures: SilenceFigures { machines, still }, columns, rows })
    }
}

fn reply() -> impl Strategy<Value = Reply> {
    let answer = prop_oneof![
        matches().boxed(),
        preceding().boxed(),
        distinguishing().boxed(),
        changed().boxed(),
        messages().boxed(),
        silence().boxed()
    ];
    (answer, text(), vec(text(), 0..3))
        .prop_map(|(answer, sentence, notes)| Reply { answer, wording: Wording { sentence, notes } })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_json_of_every_form_opens_with_the_types_it_was_written_from(reply in reply()) {
        let json = serde_json::to_string(&reply).unwrap();
        let opened: Reply = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(&opened, &reply);
        let answer: Answer = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(answer, reply.answer.clone(), "an answer opens without its words as well");
        // What is drawn from the JSON is what would have been drawn here, whatever the terminal.
        for look in [Look { width: 60, colour: false }, Look { width: 133, colour: true }] {
            prop_assert_eq!(render(&opened, &look), render(&reply, &look));
        }
    }
}

/// The schemas of the API's document, by name.
fn schemas() -> HashMap<String, Value> {
    let mut schemas = Vec::new();
    <Reply as ToSchema>::schemas(&mut schemas);
    schemas.push(("".to_owned(), <Reply as PartialSchema>::schema()));
    schemas.into_iter().map(|(name, schema)| (name, serde_json::to_value(schema).unwrap())).collect()
}

/// Whether a value is what a schema says, as far as the document's words go; `keys` gets those that it names.
fn is_valid(
    schemas: &HashMap<String, Value>,
    schema: &Value,
    value: &Value,
    keys: &mut HashSet<String>,
) -> bool {
    let list = |key: &str| schema[key].as_array().cloned().unwrap_or_default();
    let of_type = |name: &Value| match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no type {other}"),
    };
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    if !schema["type"].is_null() && !types.iter().any(of_type) {
        return false;
    }
    if !schema["enum"].is_null() && !list("enum").contains(value) {
        return false;
    }
    if let Some(name) = schema["$ref"].as_str() {
        let named = &schemas[name.rsplit('/').next().unwrap()];
        if !is_valid(schemas, named, value, keys) {
            return false;
        }
    }
    if !list("allOf").iter().all(|part| is_valid(schemas, part, value, keys)) {
        return false;
    }
    if !schema["oneOf"].is_null() {
        let mut valid = Vec::new();
        for part in list("oneOf") {
            let mut names = HashSet::new();
            if is_valid(schemas, &part, value, &mut names) {
                valid.push(names);
            }
        }
        let [names] = &valid[..] else { return false };
        keys.extend(names.iter().cloned());
    }
    if !list("required").iter().all(|key| value.get(key.as_str().unwrap()).is_some()) {
        return false;
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        keys.insert(key.clone());
        if value.get(key).is_some_and(|value| !is_exactly(schemas, schema, value)) {
            return false;
        }
    }
    let items = value.as_array().filter(|_| !schema["items"].is_null()).into_iter().flatten();
    items.into_iter().all(|item| is_exactly(schemas, &schema["items"], item))
}

/// Whether a value is what a schema says, and has no key that it does not name.
fn is_exactly(schemas: &HashMap<String, Value>, schema: &Value, value: &Value) -> bool {
    let mut keys = HashSet::new();
    is_valid(schemas, schema, value, &mut keys)
        && value.as_object().into_iter().flatten().all(|(key, _)| keys.contains(key))
}

#[test]
fn answers_are_what_the_document_of_the_api_says() {
    let schemas = schemas();
    let config = ProptestConfig { failure_persistence: None, cases: 300, ..ProptestConfig::default() };
    let held = TestRunner::new(config).run(&reply(), |reply| {
        let json = serde_json::to_value(&reply).unwrap();
        prop_assert!(is_exactly(&schemas, &schemas[""], &json), "{json}");
        // The check tells: a key more, one less, another form, another type.
        for (key, value) in
            [("more", json!(1)), ("form", json!("other")), ("range", json!("today")), ("matched", json!(0.5))]
        {
            let mut wrong = json.clone();
            wrong[key] = value;
            prop_assert!(!is_exactly(&schemas, &schemas[""], &wrong), "{key}");
        }
        let mut wrong = json;
        wrong.as_object_mut().unwrap().remove("sentence");
        prop_assert!(!is_exactly(&schemas, &schemas[""], &wrong), "no sentence");
        Ok(())
    });
    held.unwrap();
}

#[test]
fn the_form_is_a_key_beside_the_others() {
    let header = Header {
        question: "messages".to_owned(),
        range: Range { from: 0, to: 1 },
        time_zone: "UTC".to_owned(),
        matched: 0,
        truncated: false,
    };
    let figures = MessagesFigures { messages: 0, records: 0 };
    let answer = Answer::Messages(MessagesAnswer { header, figures, columns: Vec::new(), rows: Vec::new() });
    let wording = Wording { sentence: "There are no messages in this range.".to_owned(), notes: Vec::new() };
    assert_eq!(
        serde_json::to_value(Reply { answer, wording }).unwrap(),
        serde_json::json!({
            "form": "messages",
            "question": "messages",
            "range": { "from": "1970-01-01T00:00:00.000000000Z", "to": "1970-01-01T00:00:00.000000001Z" },
            "time_zone": "UTC",
            "matched": 0,
            "truncated": false,
            "figures": { "messages": 0, "records": 0 },
            "columns": [],
            "rows": [],
            "sentence": "There are no messages in this range.",
            "notes": []
        })
    );
}
