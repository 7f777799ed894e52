//! Functions that a statement may call, by `functions.txt`, and aggregate functions with what may be hung on their names.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::refusal::nearest;

/// What a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FunctionKind {
    /// Makes a value of a row's values.
    Scalar,
    /// The same, by chance.
    Random,
    /// Counts rows, or makes several of one.
    Rows,
    Aggregate,
    /// Only with OVER.
    Window,
    /// Asks what a client wants to know of its server.
    Client,
}

/// What may be hung on an aggregate function's name, the longer first.
const COMBINATORS: &[&str] = &[
    "OrDefault",
    "Distinct",
    "Resample",
    "ForEach",
    "ArgMax",
    "ArgMin",
    "OrNull",
    "Merge",
    "State",
    "Array",
    "Tuple",
    "Map",
    "If",
];
/// Combinators of a name.
const COMBINATORS_MAX: usize = 4;
/// Functions that make other rows than they are given, or look at other rows.
const OF_ROWS: &[&str] = &[
    "arrayJoin",
    "unnest",
    "rowNumberInAllBlocks",
    "rowNumberInBlock",
    "exists",
    "grouping",
    "untuple",
    "ignore",
];

struct Functions {
    exact: HashMap<&'static str, FunctionKind>,
    /// Of those read in any case, in lower case.
    any_case: HashMap<String, FunctionKind>,
}

static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let mut functions = Functions { exact: HashMap::new(), any_case: HashMap::new() };
    for (name, any_case, group) in listed() {
        let kind = match group {
            _ if OF_ROWS.contains(&name) => FunctionKind::Rows,
            "aggregate" => FunctionKind::Aggregate,
            "window" => FunctionKind::Window,
            "random numbers" => FunctionKind::Random,
            "asked by clients" => FunctionKind::Client,
            _ => FunctionKind::Scalar,
        };
        functions.exact.insert(name, kind);
        if any_case {
            functions.any_case.insert(name.to_ascii_lowercase(), kind);
        }
    }
    functions
});

/// The functions of the list: name, whether it is read in any case, group.
pub fn listed() -> impl Iterator<Item = (&'static str, bool, &'static str)> {
    let mut group = "";
    include_str!("functions.txt").lines().filter_map(move |line| {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        if let Some(heading) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            group = heading;
            return None;
        }
        let name = line.strip_suffix('*').unwrap_or(line);
        Some((name, name.len() < line.len(), group))
    })
}

/// What a function is that may be called.
pub(super) fn find(name: &str) -> Option<FunctionKind> {
    plain(name).or_else(|| combined(name, COMBINATORS_MAX).then_some(FunctionKind::Aggregate))
}

fn plain(name: &str) -> Option<FunctionKind> {
    let functions = &*FUNCTIONS;
    functions.exact.get(name).or_else(|| functions.any_case.get(&name.to_ascii_lowercase())).copied()
}

/// Whether a name is that of an aggregate function with combinators, such as `quantileIf` or `sumArrayIf`.
fn combined(name: &str, more: usize) -> bool {
    more > 0
        && COMBINATORS
            .iter()
            .filter_map(|combinator| name.strip_suffix(combinator))
            .any(|inner| matches!(plain(inner), Some(FunctionKind::Aggregate)) || combined(inner, more - 1))
}

/// Whether a text names an aggregate function, as `arrayReduce` wants it: `sum`, `quantile(0.5)`.
pub(super) fn is_aggregate_text(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (name, parameters) = text.split_once('(').map_or((text, None), |(name, rest)| (name, Some(rest)));
    let plain_parameters = parameters.is_none_or(|rest| {
        rest.strip_suffix(')').is_some_and(|inner| {
            inner.len() <= 64
                && inner.chars().all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ',' | ' '))
        })
    });
    plain_parameters && find(name) == Some(FunctionKind::Aggregate)
}

/// A function on the list with a name near to this.
pub(super) fn near(name: &str) -> Option<&'static str> {
    nearest(name, FUNCTIONS.exact.keys().copied())
}

/// Functions whose second argument may be a table's name.
pub(super) fn takes_a_set(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "in",
        "notin",
        "globalin",
        "globalnotin",
        "nullin",
        "notnullin",
        "globalnullin",
        "globalnotnullin",
        "inignoreset",
        "notinignoreset",
        "nullinignoreset",
        "notnullinignoreset",
        "globalinignoreset",
        "globalnotinignoreset",
        "globalnullinignoreset",
        "globalnotnullinignoreset",
    ];
    NAMES.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_as_the_engine_reads_them() {
        for (name, expected) in [
            ("count", Some(FunctionKind::Aggregate)),
            ("COUNT", Some(FunctionKind::Aggregate)),
            ("countIf", Some(FunctionKind::Aggregate)),
            ("COUNTIf", Some(FunctionKind::Aggregate)),
            ("sumArrayIf", Some(FunctionKind::Aggregate)),
            ("countif", None),
            ("sumIfIfIfIfIf", None),
            ("lowerIf", None),
            ("If", Some(FunctionKind::Scalar)),
            ("lower", Some(FunctionKind::Scalar)),
            ("LOWER", Some(FunctionKind::Scalar)),
            ("toDate", Some(FunctionKind::Scalar)),
            ("todate", None),
            ("arrayJoin", Some(FunctionKind::Rows)),
            ("row_number", Some(FunctionKind::Window)),
            ("file", None),
            ("sleep", None),
            ("dictGet", None),
            ("", None),
        ] {
            assert_eq!(find(name), expected, "{name}");
        }
        assert_eq!(near("coutn"), Some("count"));
    }

    #[test]
    fn aggregate_functions_in_texts_are_on_the_list() {
        for (text, allowed) in [
            ("sum", true),
            ("quantile(0.5)", true),
            ("flameGraph", false),
            ("lower", false),
            ("sum(file('x'))", false),
        ] {
            assert_eq!(is_aggregate_text(text.as_bytes()), allowed, "{text}");
        }
    }
}
