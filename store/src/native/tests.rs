//! Blocks byte by byte, and both directions against each other.

use proptest::prelude::*;

use super::*;

fn check(write: impl FnOnce(&mut BlockWriter), columns: usize, rows: usize, expected: &[u8]) {
    let mut writer = BlockWriter::new(columns, rows, 64);
    write(&mut writer);
    assert_eq!(writer.finish().as_ref(), expected);
}

#[test]
fn numbers_are_little_endian_after_name_and_type() {
    let mut column = Fixed::<u16>::new("UInt16");
    column.push(0x0102);
    column.push(3);
    check(|w| w.column("n", &column), 1, 2, b"\x01\x02\x01n\x06UInt16\x02\x01\x03\x00");
}

#[test]
fn strings_carry_their_length_as_a_varint() {
    let mut column = Strings::default();
    column.push(b"ab");
    column.push(&[b'x'; 200]);
    let mut expected = b"\x01\x02\x01s\x06String\x02ab\xc8\x01".to_vec();
    expected.extend_from_slice(&[b'x'; 200]);
    check(|w| w.column("s", &column), 1, 2, &expected);
}

#[test]
fn a_dictionary_column_names_each_string_once() {
    let mut column = LowCardinality::default();
    for value in ["a", "b", "a"] {
        column.push(value);
    }
    let mut expected = b"\x01\x03\x01d\x16LowCardinality(String)".to_vec();
    expected.extend_from_slice(&1u64.to_le_bytes()); // version
    expected.extend_from_slice(&(1u64 << 9).to_le_bytes()); // own keys, one-byte indices
    expected.extend_from_slice(&2u64.to_le_bytes());
    expected.extend_from_slice(b"\x01a\x01b");
    expected.extend_from_slice(&3u64.to_le_bytes());
    expected.extend_from_slice(&[0, 1, 0]);
    check(|w| w.column("d", &column), 1, 3, &expected);
}

#[test]
fn an_empty_column_is_its_name_and_type_alone() {
    let column = LowCardinality::default();
    check(|w| w.column("d", &column), 1, 0, b"\x01\x00\x01d\x16LowCardinality(String)");
}

#[test]
fn a_map_is_its_offsets_keys_and_values() {
    let mut column = Map::default();
    column.push([("k", "v")].into_iter());
    column.push(std::iter::empty::<(&str, &str)>());
    let mut expected = b"\x01\x02\x01m".to_vec();
    expected.push(35);
    expected.extend_from_slice(b"Map(LowCardinality(String), String)");
    expected.extend_from_slice(&1u64.to_le_bytes()); // version of the keys' dictionary
    expected.extend_from_slice(&1u64.to_le_bytes());
    expected.extend_from_slice(&1u64.to_le_bytes());
    expected.extend_from_slice(&(1u64 << 9).to_le_bytes());
    expected.extend_from_slice(&1u64.to_le_bytes());
    expected.extend_from_slice(b"\x01k");
    expected.extend_from_slice(&1u64.to_le_bytes());
    expected.push(0);
    expected.extend_from_slice(b"\x01v");
    check(|w| w.column("m", &column), 1, 2, &expected);
}

/// What a block of the kinds of columns that are read again is made of.
fn rows() -> impl Strategy<Value = Vec<(String, i64, String)>> {
    // Few names and many: indices of one byte and of two.
    let name = prop_oneof!["[ab]{0,2}", "host[0-9]{1,4}", "\\PC{0,12}"];
    prop::collection::vec((name, any::<i64>(), "\\PC{0,200}"), 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_however_it_is_cut(
        blocks in prop::collection::vec(rows(), 1..4),
        size in 1_usize..10_000,
    ) {
        let mut bytes = Vec::new();
        for rows in &blocks {
            let (mut names, mut starts, mut titles) =
                (LowCardinality::default(), Fixed::<i64>::new("Int64"), Strings::default());
            for (name, start, title) in rows {
                names.push(name);
                starts.push(*start);
                titles.push(title.as_bytes());
            }
            let mut writer = BlockWriter::new(3, rows.len(), 64);
            writer.column("Host", &names);
            writer.column("Start", &starts);
            writer.column("Title", &titles);
            bytes.extend_from_slice(&writer.finish());
        }
        let mut reader = read::Blocks::default();
        let mut found: Vec<Vec<(String, i64, String)>> = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        for chunk in bytes.chunks(size) {
            reader.push::<read::BlockError>(chunk, |columns| {
                let [read::Column::Name { keys, rows }, read::Column::Number(starts), read::Column::Text(titles)] =
                    columns.as_slice()
                else {
                    panic!("{columns:?}")
                };
                let names = rows.resolve(keys)?;
                let others = starts.iter().zip(titles).map(|(start, title)| (i64::from_le_bytes(*start), text(title)));
                found.push(names.into_iter().zip(others).map(|(name, (start, title))| (text(name), start, title)).collect());
                Ok(())
            }).unwrap();
        }
        reader.finish().unwrap();
        prop_assert_eq!(found, blocks);
    }
}
