//! What is let through, what is refused, and that printing loses nothing.

use proptest::prelude::*;

use super::parse::{self, Statement};
use super::print::Printer;
use super::*;

const ASKER: Policy<'_> = Policy { database: "lastwords", audience: Audience::Asker };
const PORT: Policy<'_> = Policy { database: "other", audience: Audience::Port };
const DIALECT: &str = include_str!("../../tests/confine/dialect.sql");

fn check_refused(texts: &[&str]) {
    for text in texts {
        for policy in [ASKER, PORT] {
            match confine(text, &policy) {
                Ok(confined) => panic!("{text} was let through as {}", confined.text),
                Err(refusal) => {
                    assert!(text.get(refusal.place.clone()).is_some(), "{text}: {:?}", refusal.place);
                    assert!(refusal.pointing_into(text).contains('^'), "{text}");
                }
            }
        }
    }
}

fn check_printed(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        match confine(text, &ASKER) {
            Ok(confined) => assert_eq!(confined.text, *expected, "{text}"),
            Err(refusal) => panic!("{}", refusal.pointing_into(text)),
        }
    }
}

#[test]
fn functions_that_are_on_no_list_are_refused_however_they_are_called() {
    check_refused(&[
        "SELECT file('/etc/shadow')",
        "SELECT `file`('/etc/shadow')",
        "SELECT \"\\x66ile\"('/etc/shadow')",
        "SELECT `f\\ile`('x')",
        "SELECT File('x')",
        "SELECT * APPLY(file) FROM (SELECT '/etc/shadow' AS x)",
        "SELECT * APPLY file FROM (SELECT '/etc/shadow' AS x)",
        "SELECT * APPLY(x -> file(x)) FROM (SELECT '/etc/shadow' AS x)",
        "SELECT COLUMNS('x') APPLY(`\\x66ile`) FROM (SELECT '/etc/shadow' AS x)",
        "SELECT COLUMNS(x) APPLY(toString) APPLY(file) FROM (SELECT 'x' AS x)",
        "SELECT * APPLY(in) FROM (SELECT 'x' AS x)",
        "SELECT * REPLACE(file('x') AS x) FROM (SELECT 'a' AS x)",
        "SELECT arrayMap(x -> sleep(x), [1])",
        "SELECT getSetting('readonly')",
        "SELECT dictGet('d', 'a', 1)",
        "SELECT sum(file('x')) OVER (ORDER BY 1)",
        "SELECT count() OVER (PARTITION BY file('x'))",
        "SELECT count() OVER (ORDER BY 1 ROWS file('x') PRECEDING)",
        "SELECT 1 WINDOW w AS (ORDER BY sleep(1))",
        "SELECT count() FILTER (WHERE file('x') = '')",
        "SELECT quantile(file('x'))(1)",
        "SELECT 1 ORDER BY 1 WITH FILL TO sleep(1)",
        "SELECT 1 AS x ORDER BY x WITH FILL INTERPOLATE (y AS file('x'))",
        "SELECT 1 LIMIT sleep(1)",
        "SELECT 1 LIMIT 1 BY file('x')",
        "SELECT DISTINCT ON (file('x')) 1",
        "SELECT 1 GROUP BY GROUPING SETS ((1), (file('x')))",
        "SELECT 1 FROM numbers(1) AS a JOIN numbers(1) AS b ON file('x') = ''",
        "SELECT 1 ARRAY JOIN [file('x')] AS y",
        "SELECT CASE file('x') WHEN '' THEN 1 END",
        "SELECT arrayReduce('flameGraph', [1])",
        "SELECT arrayReduce(concat('fla', 'meGraph'), [1])",
        "SELECT initializeAggregation('sumState', 1)",
        "SELECT finalizeAggregation(sumState(1))",
        "SELECT formatRow('Template', 1)",
        "SELECT throwIf(1)",
        "SELECT editDistance('a', 'b')",
        "WITH x -> file(x) AS f SELECT f('a')",
        "WITH x -> x AS file SELECT file('a')",
        "SELECT nosuchfunction(1)",
        "SELECT sumIfIfIfIfIf(1)",
    ]);
}

#[test]
fn tables_that_are_not_ours_are_refused_wherever_they_are_named() {
    check_refused(&[
        "SELECT name FROM system.users",
        "SELECT name FROM `system.users`",
        "SELECT name FROM `s\\x79stem`.users",
        "SELECT name FROM SYSTEM.parts",
        "SELECT * FROM system.parts",
        "SELECT count(), * FROM logs, system.parts",
        "SELECT * FROM migrations",
        "SELECT * FROM default.logs",
        "SELECT * FROM a.b.logs",
        "SELECT * FROM '/etc/shadow'",
        "SELECT * FROM `/etc/shadow`",
        "SELECT * FROM `lastwords.logs`",
        "SELECT 0 IN system.one",
        "SELECT 0 IN (system.one)",
        "SELECT 0 NOT IN ((system.one))",
        "SELECT in(0, system.one)",
        "SELECT `globalNotNullIn`(0, `system`.`one`)",
        "SELECT 0 IN one",
        "SELECT 0 IN migrations",
        "WITH system.one AS t SELECT 0 IN t",
        "WITH one AS t SELECT 0 IN t",
        "SELECT arrayMap(t -> 0 IN t, [1])",
        "SELECT * APPLY(x -> x IN system.one) FROM (SELECT 0 AS x)",
        "SELECT has(system.one, 0)",
        "SELECT (0, 0) IN (system.one, system.one)",
        "SELECT * FROM logs AS `system.one`",
        "WITH migrations AS (SELECT 1) SELECT * FROM migrations",
        "SELECT * FROM (WITH x AS (SELECT 1) SELECT 1) AS y, x",
        "SELECT * FROM (SELECT 1 UNION ALL (WITH x AS (SELECT 1) SELECT 1)) AS y, x",
        "WITH x AS (SELECT * FROM x) SELECT 1",
        "SELECT * FROM file('/etc/shadow')",
        "SELECT * FROM url('http://x', LineAsString)",
        "SELECT * FROM `\\x66ile`('/etc/shadow')",
        "SELECT * FROM view(SELECT 1)",
        "SELECT * FROM remote('x', system.one)",
        "SELECT * FROM numbers((SELECT count() FROM file('x')))",
        "SELECT * FROM values('a AggregateFunction(sum, UInt8)', 'x')",
        "SELECT * FROM null(concat('a ', 'String'))",
        "DESCRIBE TABLE file('x')",
        "DESCRIBE (SELECT * FROM system.users)",
        "DESC system.users",
        "SHOW TABLES FROM system",
    ]);
}

#[test]
fn nothing_but_reading_is_understood() {
    check_refused(&[
        "",
        "SELECT",
        "SELECT 1; SELECT 2",
        "SELECT 1;;",
        "SELECT 1 INTO OUTFILE '/tmp/x'",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 FORMAT JSON SETTINGS readonly = 0",
        "SELECT 1 SETTINGS max_threads = 1 FORMAT JSON SETTINGS max_memory_usage = 0",
        "DESC logs SETTINGS readonly = 0",
        "SHOW TABLES SETTINGS max_memory_usage = 0",
        "SELECT 1 UNION ALL SELECT 2 FORMAT JSON SETTINGS readonly = 0",
        "SELECT * FROM elsewhere.otel_logs",
        "SELECT 1 SETTINGS max_memory_usage = 0",
        "SELECT 1 SETTINGS max_threads = 1000",
        "SELECT * FROM (SELECT 1 SETTINGS allow_introspection_functions = 1)",
        "SELECT 1 FORMAT Template",
        "SELECT 1 PARALLEL WITH SELECT 2",
        "INSERT INTO logs SELECT 1",
        "WITH 1 AS x INSERT INTO logs SELECT x",
        "DROP TABLE logs",
        "EXPLAIN SELECT 1",
        "SELECT * FROM (EXPLAIN SELECT 1)",
        "SELECT * FROM (SHOW TABLES)",
        "SELECT CAST('' AS AggregateFunction(sum, UInt8))",
        "SELECT ''::AggregateFunction(sum, UInt8)",
        "SELECT CAST('', 'AggregateFunction(sum, UInt8)')",
        "SELECT accurateCastOrNull('', concat('AggregateFunction', '(sum, UInt8)'))",
        "SELECT JSONExtract('{}', 'a', 'AggregateFunction(sum, UInt8)')",
        "SELECT CAST('a' AS FixedString(2147483647))",
        "SELECT @@version",
        "SELECT ?",
        "SELECT \u{2018}a\u{2019}",
        "SELECT 'open",
        "SELECT /* open",
        "SELECT `a\nb`",
        "SELECT {t:Identifier}",
        "SELECT ((1 AS a) AS b)",
        "FROM logs INSERT",
    ]);
}

#[test]
fn text_is_printed_so_that_it_can_be_read_in_one_way_only() {
    check_printed(&[
        ("select Host from logs;", "SELECT `Host` FROM `lastwords`.`logs`"),
        ("FROM logs SELECT 1 -- x", "SELECT 1 FROM `lastwords`.`logs`"),
        (
            "SELECT a+b*c, -x, NOT y = 1",
            "SELECT `plus`(`a`, `multiply`(`b`, `c`)), `negate`(`x`), `not`(`equals`(`y`, 1))",
        ),
        ("SELECT 'it''s \\x41\\%\\n', x'4142'", "SELECT 'it\\'s A\\\\%\\n', 'AB'"),
        ("SELECT '\\xff\\0'", "SELECT '\\xFF\\x00'"),
        ("SELECT `a``b`, \"c\"\"d\", `e\\`f`", "SELECT `a\\`b`, `c\"d`, `e\\`f`"),
        ("SELECT `lower`('A')", "SELECT `lower`('A')"),
        ("SELECT `\\x6cower`('A')", "SELECT `lower`('A')"),
        ("SELECT 1 IN (1, 2), x IN (SELECT 1)", "SELECT `in`(1, (1, 2)), `in`(`x`, (SELECT 1))"),
        ("SELECT 1 IN events", "SELECT `in`(1, `lastwords`.`events`)"),
        ("WITH x AS (SELECT 1) SELECT 1 IN x", "WITH `x` AS (SELECT 1) SELECT `in`(1, `x`)"),
        ("WITH logs AS (SELECT 1) SELECT * FROM logs", "WITH `logs` AS (SELECT 1) SELECT * FROM `logs`"),
        ("SELECT * FROM lastwords.logs", "SELECT * FROM `lastwords`.`logs`"),
        ("SELECT x::Nullable( Date )", "SELECT `CAST`(`x`, 'Nullable(Date)')"),
        ("SELECT arrayMap(x -> x + 1, [1])", "SELECT `arrayMap`((`x`) -> `plus`(`x`, 1), [1])"),
        ("DESC logs", "DESCRIBE TABLE `lastwords`.`logs`"),
        ("SHOW DATABASES", "SELECT 'lastwords' AS `name`"),
        ("SELECT 1 settings max_threads=2 FORMAT JSON", "SELECT 1 SETTINGS max_threads = 2"),
        ("SELECT 1 FORMAT JSON SETTINGS max_threads = 2", "SELECT 1 SETTINGS max_threads = 2"),
        ("SELECT 1 SETTINGS use_query_cache = 1, log_comment = 'x'", "SELECT 1"),
        ("DESC logs SETTINGS max_threads = 2, enable_analyzer = 1", "DESCRIBE TABLE `lastwords`.`logs`"),
        (
            "WITH otel_logs AS (SELECT 1) SELECT * FROM otel_logs",
            "WITH `otel_logs` AS (SELECT 1) SELECT * FROM `otel_logs`",
        ),
    ]);
    assert_eq!(confine("SELECT 1 FORMAT JSON", &ASKER).unwrap().format.as_deref(), Some("JSON"));
    let port = confine("SELECT * FROM logs WHERE Host = {h:String}", &PORT).unwrap().text;
    assert_eq!(port, "SELECT * FROM `other`.`logs` WHERE `equals`(`Host`, {h:String})");
    assert!(confine("SELECT {h:String}", &ASKER).is_err());
    assert!(confine("SELECT timezone(), currentUser()", &PORT).is_ok());
    assert!(confine("SELECT timezone()", &ASKER).is_err());
    let hello = confine("SELECT displayName(), version(), revision()", &PORT).unwrap().text;
    assert_eq!(hello, "SELECT 'lastwords' AS `displayName()`, `version`(), `revision`()");
    assert!(confine("SELECT displayName()", &ASKER).is_err());
    let columns =
        confine("SELECT system.tables.name FROM system.tables t ORDER BY system.tables.name", &PORT).unwrap();
    assert!(columns.text.starts_with("SELECT `t`.`name` FROM (SELECT"), "{}", columns.text);
    assert!(columns.text.ends_with("AS `t` ORDER BY `t`.`name`"), "{}", columns.text);
    assert!(confine("SELECT system.users.name FROM system.tables", &PORT).is_err());
    for text in ["SELECT Body FROM otel_logs", "SELECT otel_logs.Body FROM other.otel_logs", "DESC otel_logs"]
    {
        let view = confine(text, &PORT).unwrap().text;
        assert!(view.contains("FROM `other`.`logs`) AS `otel_logs`") || text.starts_with("DESC"), "{view}");
        assert!(view.contains("`Host`, `Guest` FROM `other`.`logs`"), "{view}");
    }
}

#[test]
fn matches_of_questions_stand_where_they_were_asked_for() {
    let text = "SELECT * FROM correlate('panics', 'network saturation', '5m') AS a, Correlate('it\\'s') AS b";
    let confined = confine(text, &ASKER).unwrap();
    let arguments: Vec<&[String]> = confined.calls.iter().map(|call| call.arguments.as_slice()).collect();
    assert_eq!(arguments, [&["panics", "network saturation", "5m"][..], &["it's"]]);
    assert_eq!(&text[confined.calls[1].place.clone()], "Correlate('it\\'s')");
    assert_eq!(confined.with_tables(|number| ["one", "two"][number]), "SELECT * FROM one AS `a`, two AS `b`");
    check_refused(&[
        "SELECT * FROM correlate()",
        "SELECT * FROM correlate(Host)",
        "SELECT * FROM correlate('a', 'b')",
        "SELECT * FROM correlate('a', 'b', 5)",
        "SELECT correlate('a')",
        "SELECT * FROM logs WHERE Host IN correlate('a')",
    ]);
    assert_eq!(confine(text, &PORT).unwrap().calls, confined.calls);
}

#[test]
fn conditions_are_expressions_over_one_record() {
    for text in [
        "Program = 'nginx' and SeverityNumber >= 17",
        "match(Body, '(open') or LogAttributes['a'] != ''",
        "Body LIKE '%}%' -- a comment",
        "arrayExists(x -> x = Host, ['a', 'b']) AND `Guest` = ''",
        "Timestamp > now() - INTERVAL 1 DAY",
        "has(mapKeys(LogAttributes), 'a') OR LogAttributes.keys = []",
    ] {
        assert!(confine_predicate(text, &ASKER).is_ok(), "{text}: {:?}", confine_predicate(text, &ASKER));
    }
    for text in [
        "",
        "1) OR (1",
        "1 = (SELECT 1)",
        "exists(SELECT 1)",
        "Host IN (SELECT name FROM system.users)",
        "Host IN logs",
        "Host IN system.one",
        "1 LIMIT 5",
        "1 SETTINGS max_threads = 1",
        "1; SELECT 1",
        "1, 2",
        "(toLowCardinality('hv01') AS Host) != ''",
        "1 AS x",
        "arrayJoin([1, 2]) = 1",
        "unnest([1]) = 1",
        "count() > 1",
        "sumIf(Row, 1) > 0",
        "row_number() OVER () = 1",
        "sum(Row) OVER () = 1",
        "rand() = 1",
        "file('/etc/passwd') = ''",
        "COLUMNS('Host') APPLY(file) = ''",
        "* = 1",
        "Hots = 'a'",
        "logs.Host = 'a'",
        "Host.a = 1",
        "arrayExists(Host -> Host = 'a', ['a'])",
        "x -> x",
        "{h:String} = 'a'",
        "rowNumberInAllBlocks() = 0",
        "untuple((1, 2))",
    ] {
        for policy in [ASKER, PORT] {
            let refusal =
                confine_predicate(text, &policy).err().unwrap_or_else(|| panic!("{text} was let through"));
            assert!(text.get(refusal.place.clone()).is_some(), "{text}: {refusal:?}");
        }
    }
    let near = confine_predicate("Hots = 'a'", &ASKER).unwrap_err();
    assert_eq!(near.place, 0..4);
    assert!(near.message.contains("Did you mean Host?"), "{near}");
}

#[test]
fn depth_and_size_are_bounded_before_they_cost_anything() {
    let nested = |open: &str, close: &str, times: usize| {
        format!("SELECT {}1{}", open.repeat(times), close.repeat(times))
    };
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("lower(", ")"),
        ("-", ""),
        ("NOT ", ""),
        ("1 + ", ""),
        ("x ? 1 : ", ""),
        ("1 BETWEEN ", " AND 2"),
        ("(SELECT ", ")"),
        ("CASE WHEN 1 THEN ", " END"),
        ("x -> ", ""),
        ("INTERVAL ", " DAY"),
        ("1 IN ", ""),
        ("EXISTS(SELECT ", ")"),
        ("1 = ANY (SELECT ", ")"),
        ("* APPLY(x -> ", ")"),
        ("CAST(", " AS Date)"),
    ] {
        let text = nested(open, close, 2_000);
        assert!(confine(&text, &ASKER).is_err(), "{open}");
    }
    for (head, more) in
        [("SELECT a", "[1]"), ("SELECT a", ".1"), ("SELECT a", "::Date"), ("SELECT 1", " BETWEEN 1 AND 2")]
    {
        assert!(confine(&(head.to_owned() + &more.repeat(2_000)), &ASKER).is_err(), "{more}");
    }
    let deep_type = format!("SELECT CAST(1 AS {}UInt8{})", "Array(".repeat(100), ")".repeat(100));
    assert!(confine(&deep_type, &ASKER).is_err());
    // Each BETWEEN doubles what it stands on.
    let doubled = format!("SELECT 1{}", " BETWEEN 1 AND 2".repeat(30));
    assert!(confine(&doubled, &ASKER).is_err());
    assert!(confine(&format!("SELECT '{}'", "x".repeat(limits::TEXT_BYTES_MAX)), &ASKER).is_err());
    assert!(confine(&nested("lower(", ")", 70), &ASKER).is_ok());
    assert!(confine(&format!("SELECT 1{}", " AND 1".repeat(5_000)), &ASKER).is_ok());
}

fn check_fixed(text: &str) {
    for policy in [ASKER, PORT] {
        let Ok(confined) = confine(text, &policy) else { continue };
        assert!(is_canonical(&confined.text), "{text}\n{}", confined.text);
    }
}

#[test]
fn every_statement_of_the_dialect_is_let_through_and_printed_once_and_for_all() {
    for text in DIALECT.lines() {
        assert!(confine(text, &ASKER).is_ok(), "{}", confine(text, &ASKER).unwrap_err().pointing_into(text));
        check_fixed(text);
    }
}

mod trees {
    //! Trees at random.

    use super::super::refusal::Place;
    use super::super::tree::*;
    use super::*;

    fn name() -> impl Strategy<Value = Name> {
        prop_oneof!["[a-z]{1,4}", "[a-z`'\" .ä\\\\]{1,6}", Just("from".to_owned()), Just("NULL".to_owned())]
            .prop_map(Name::new)
    }

    fn of(kind: Kind) -> Expression {
        Expression::new(kind, Place::default(), Measure::default())
    }

    fn call(name: &str, arguments: Vec<Expression>) -> Kind {
        let name = Name::new(name);
        Kind::Call(Box::new(Call {
            name,
            parameters: None,
            distinct: false,
            arguments,
            filter: None,
            respect_nulls: None,
            over: None,
        }))
    }

    fn leaf() -> impl Strategy<Value = Kind> {
        prop_oneof![
            Just(Kind::Null),
            any::<bool>().prop_map(Kind::Bool),
            prop_oneof!["-?[0-9]{1,20}", "[0-9]{1,3}\\.[0-9]{1,3}(e-?[0-9]{1,2})?", "0x[0-9a-f]{1,8}"]
                .prop_map(Kind::Number),
            proptest::collection::vec(any::<u8>(), 0..12).prop_map(Kind::Text),
            proptest::collection::vec(name(), 1..4).prop_map(Kind::Column),
        ]
    }

    pub(super) fn expression() -> impl Strategy<Value = Expression> {
        let aliased = |kind: BoxedStrategy<Kind>| {
            (kind, proptest::option::weighted(0.2, name()))
                .prop_map(|(kind, alias)| {
                    let mut expression = of(kind);
                    expression.alias = alias;
                    expression
                })
                .boxed()
        };
        leaf().prop_map(of).boxed().prop_recursive(4, 40, 4, move |inner| {
            let several = proptest::collection::vec(inner.clone(), 2..4);
            let kinds = prop_oneof![
                leaf(),
                several.clone().prop_map(Kind::Tuple),
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Kind::Array),
                (prop_oneof!["plus", "lower", "`x y`", "in"], several)
                    .prop_map(|(name, parts)| call(&name, parts)),
                (proptest::collection::vec(name(), 1..3), inner.clone()).prop_map(|(arguments, body)| call(
                    "arrayMap",
                    vec![of(Kind::Lambda { arguments, body })]
                )),
                (inner.clone(), proptest::option::of(inner.clone())).prop_map(|(column, filter)| {
                    let select = Select { columns: vec![column], filter, ..Select::default() };
                    let first = Block::Select(Box::new(select));
                    Kind::Query(Box::new(Query { first, rest: Vec::new(), measure: Measure::default() }))
                }),
            ];
            aliased(kinds.boxed())
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_given_nothing_panics(text in any::<String>()) {
        check_fixed(&text);
        let _ = confine_predicate(&text, &ASKER);
    }

    #[test]
    fn words_of_the_language_in_any_order_do_not_panic(
        at in proptest::collection::vec((0_usize..115, 0_usize..40), 1..24),
    ) {
        let lines: Vec<&str> = DIALECT.lines().collect();
        let words: Vec<&str> = at
            .iter()
            .map(|(line, word)| {
                let words: Vec<&str> = lines[line % lines.len()].split(' ').collect();
                words[word % words.len()]
            })
            .collect();
        let text = words.join(" ");
        check_fixed(&text);
        check_fixed(&format!("SELECT {text}"));
        let _ = confine_predicate(&text, &ASKER);
    }

    #[test]
    fn trees_are_read_back_as_they_were_printed(expression in trees::expression()) {
        let printed = Printer::print_expression(&expression);
        let text = format!("SELECT {printed} FROM logs");
        let read = parse::statement(&text).map_err(|refusal| TestCaseError::fail(refusal.pointing_into(&text)))?;
        let Statement::Select(query) = read.statement else { return Err(TestCaseError::fail(text)) };
        let tree::Block::Select(select) = &query.first else { return Err(TestCaseError::fail(text)) };
        prop_assert_eq!(&select.columns[0], &expression, "{}", printed);
    }
}
