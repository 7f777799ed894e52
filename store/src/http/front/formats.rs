//! Formats of answers and of data, by allow-list: the others read schemas and templates from files, or speak for
//! protocols that are not served here.

/// Formats of answers.
const ANSWERS: &[&str] = &[
    "Arrow",
    "ArrowStream",
    "BSONEachRow",
    "CSV",
    "CSVWithNames",
    "CSVWithNamesAndTypes",
    "JSON",
    "JSONColumns",
    "JSONColumnsWithMetadata",
    "JSONCompact",
    "JSONCompactColumns",
    "JSONCompactEachRow",
    "JSONCompactEachRowWithNames",
    "JSONCompactEachRowWithNamesAndTypes",
    "JSONCompactEachRowWithProgress",
    "JSONCompactStrings",
    "JSONCompactStringsEachRow",
    "JSONCompactStringsEachRowWithNames",
    "JSONCompactStringsEachRowWithNamesAndTypes",
    "JSONCompactStringsEachRowWithProgress",
    "JSONEachRow",
    "JSONEachRowWithProgress",
    "JSONLines",
    "JSONObjectEachRow",
    "JSONStrings",
    "JSONStringsEachRow",
    "JSONStringsEachRowWithProgress",
    "LineAsString",
    "Markdown",
    "MsgPack",
    "NDJSON",
    "Native",
    "Null",
    "Parquet",
    "Pretty",
    "PrettyCompact",
    "PrettyCompactMonoBlock",
    "PrettyCompactNoEscapes",
    "PrettyCompactNoEscapesMonoBlock",
    "PrettyJSONEachRow",
    "PrettyJSONLines",
    "PrettyMonoBlock",
    "PrettyNDJSON",
    "PrettyNoEscapes",
    "PrettyNoEscapesMonoBlock",
    "PrettySpace",
    "PrettySpaceMonoBlock",
    "PrettySpaceNoEscapes",
    "PrettySpaceNoEscapesMonoBlock",
    "RawBLOB",
    "RowBinary",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "TSKV",
    "TSV",
    "TSVRaw",
    "TSVRawWithNames",
    "TSVRawWithNamesAndTypes",
    "TSVWithNames",
    "TSVWithNamesAndTypes",
    "TabSeparated",
    "TabSeparatedRaw",
    "TabSeparatedRawWithNames",
    "TabSeparatedRawWithNamesAndTypes",
    "TabSeparatedWithNames",
    "TabSeparatedWithNamesAndTypes",
    "Values",
    "Vertical",
    "XML",
];

/// Formats of data: none of them holds expressions that would be computed (`Values` has that switched off).
const DATA: &[&str] = &[
    "CSV",
    "CSVWithNames",
    "CSVWithNamesAndTypes",
    "JSONCompactEachRow",
    "JSONCompactEachRowWithNames",
    "JSONCompactEachRowWithNamesAndTypes",
    "JSONEachRow",
    "JSONLines",
    "JSONStringsEachRow",
    "MsgPack",
    "NDJSON",
    "Native",
    "RowBinary",
    "RowBinaryWithDefaults",
    "RowBinaryWithNames",
    "RowBinaryWithNamesAndTypes",
    "TSKV",
    "TSV",
    "TSVWithNames",
    "TSVWithNamesAndTypes",
    "TabSeparated",
    "TabSeparatedWithNames",
    "TabSeparatedWithNamesAndTypes",
    "Values",
];

/// An answer's format as the engine calls it; the engine takes names in any case.
pub(super) fn answer(name: &str) -> Option<&'static str> {
    ANSWERS.iter().find(|known| known.eq_ignore_ascii_case(name)).copied()
}

/// A format of data as the engine calls it.
pub(super) fn data(name: &str) -> Option<&'static str> {
    DATA.iter().find(|known| known.eq_ignore_ascii_case(name)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_that_read_files_or_compute_are_not_among_them() {
        for name in [
            "Template",
            "TemplateIgnoreSpaces",
            "CustomSeparated",
            "Protobuf",
            "CapnProto",
            "MySQLDump",
            "Regexp",
            "",
        ] {
            assert_eq!((answer(name), data(name)), (None, None), "{name}");
        }
        assert_eq!((answer("json"), data("values")), (Some("JSON"), Some("Values")));
    }

    #[test]
    fn the_lists_are_in_order_and_name_each_format_once() {
        for list in [ANSWERS, DATA] {
            assert!(list.is_sorted(), "{list:?}");
            assert!(list.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
