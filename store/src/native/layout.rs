//! How the values of a type lie in a column of a `Native` block, by the type's name, and how many bytes they take.
//!
//! Facts from ClickHouse's format reference: `Array` is where each row's values end (u64) and the values; `Nullable` is a
//! byte a row and the values; `Map` is an array of pairs; `Tuple` is its columns one after the other. What a type writes
//! once before its values (the version of a dictionary, the way of a variant) stands before the values of the outermost
//! column. A column without rows has nothing at all. `Dynamic` and `JSON` say there what they consist of in this block;
//! they are read where they are flattened (`output_format_native_use_flattened_dynamic_and_json_serialization`), or JSON
//! is text.

use super::read::{Cursor, Stop, damaged};

/// Types within types.
const DEPTH_MAX: usize = 32;
/// Parts of a type.
const PARTS_MAX: usize = 1000;

/// How the values of a type lie in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Layout {
    /// So many bytes a value.
    Fixed(usize),
    /// A length and so many bytes.
    Text,
    Array(Box<Layout>),
    Tuple(Vec<Layout>),
    Nullable(Box<Layout>),
    /// Keys that lie so, and an index a row.
    LowCardinality(Box<Layout>),
    /// A number a row that says which of them it has.
    Variant(Vec<Layout>),
    /// Types that only the block names.
    Dynamic,
    /// Paths that have a type, and others that only the block names.
    Json(Vec<Layout>),
    /// A number a row that says which of them it has, as wide as their count needs; the count itself: none.
    Flattened(Vec<Layout>),
}

impl Layout {
    /// Of a type's name; none where it is not known how its values lie.
    pub(super) fn of_type(name: &str) -> Option<Layout> {
        of_type_at(name, 0)
    }

    /// Passes over a column's values.
    pub(super) fn pass(&self, cursor: &mut Cursor<'_>, rows: usize) -> Result<(), Stop> {
        if rows == 0 {
            return Ok(());
        }
        self.begin(cursor, 0)?.pass_values(cursor, rows)
    }

    /// Passes over what stands once before all values; gives how these lie in this block.
    fn begin(&self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Layout, Stop> {
        if depth > DEPTH_MAX {
            return Err(damaged("types within types without end"));
        }
        let one = |layout: &Layout, cursor: &mut Cursor<'_>| layout.begin(cursor, depth + 1);
        let all = |parts: &[Layout], cursor: &mut Cursor<'_>| {
            parts.iter().map(|part| part.begin(cursor, depth + 1)).collect::<Result<Vec<Layout>, Stop>>()
        };
        Ok(match self {
            Layout::Fixed(_) | Layout::Text | Layout::Flattened(_) => self.clone(),
            Layout::Array(inner) => Layout::Array(Box::new(one(inner, cursor)?)),
            Layout::Nullable(inner) => Layout::Nullable(Box::new(one(inner, cursor)?)),
            Layout::Tuple(parts) => Layout::Tuple(all(parts, cursor)?),
            Layout::LowCardinality(_) => match cursor.u64()? {
                1 => self.clone(),
                _ => return Err(damaged("a version of LowCardinality that is not known")),
            },
            Layout::Variant(parts) => {
                if cursor.u64()? != 0 {
                    return Err(damaged("a compact Variant"));
                }
                Layout::Variant(all(parts, cursor)?)
            }
            Layout::Dynamic => {
                if cursor.u64()? != FLATTENED {
                    return Err(damaged(NOT_FLATTENED));
                }
                let types = strings(cursor)?;
                let types: Option<Vec<Layout>> = types.iter().map(|name| Layout::of_type(name)).collect();
                Layout::Flattened(all(
                    &types.ok_or_else(|| damaged("a type within Dynamic that is not known"))?,
                    cursor,
                )?)
            }
            Layout::Json(typed) => match cursor.u64()? {
                JSON_AS_TEXT => Layout::Text,
                FLATTENED => {
                    let paths = strings(cursor)?.len();
                    let mut parts = all(typed, cursor)?;
                    for _ in 0..paths {
                        parts.push(one(&Layout::Dynamic, cursor)?);
                    }
                    Layout::Tuple(parts)
                }
                _ => return Err(damaged(NOT_FLATTENED)),
            },
        })
    }

    fn pass_values(&self, cursor: &mut Cursor<'_>, rows: usize) -> Result<(), Stop> {
        match self {
            Layout::Fixed(bytes) => cursor.pass_many(rows, *bytes),
            Layout::Text => (0..rows).try_for_each(|_| cursor.string().map(drop)),
            Layout::Array(inner) => {
                let Some(before_last) = rows.checked_sub(1) else { return Ok(()) };
                cursor.pass_many(before_last, 8)?;
                let values = usize::try_from(cursor.u64()?).map_err(|_| damaged("too many values"))?;
                inner.pass_values(cursor, values)
            }
            Layout::Tuple(parts) => parts.iter().try_for_each(|part| part.pass_values(cursor, rows)),
            Layout::Nullable(inner) => {
                cursor.pass_many(rows, 1)?;
                inner.pass_values(cursor, rows)
            }
            Layout::LowCardinality(keys) => {
                if rows == 0 {
                    return Ok(());
                }
                let dictionary = cursor.dictionary()?;
                keys.pass_values(cursor, dictionary.keys)?;
                if cursor.u64()? != rows as u64 {
                    return Err(damaged("columns of different lengths"));
                }
                cursor.pass_many(rows, dictionary.width)
            }
            Layout::Variant(parts) => {
                let which = cursor.bytes(rows)?;
                for (number, part) in parts.iter().enumerate() {
                    let values = which.iter().filter(|which| usize::from(**which) == number).count();
                    part.pass_values(cursor, values)?;
                }
                Ok(())
            }
            Layout::Flattened(parts) => {
                let width = if parts.len() <= usize::from(u8::MAX) { 1 } else { 2 };
                let which = cursor.bytes(rows.checked_mul(width).ok_or_else(|| damaged("too many rows"))?)?;
                let mut values = vec![0_usize; parts.len()];
                for number in which.chunks(width) {
                    let number = number.iter().rev().fold(0, |number, byte| number << 8 | usize::from(*byte));
                    values.iter_mut().skip(number).take(1).for_each(|count| *count += 1);
                }
                parts.iter().zip(values).try_for_each(|(part, values)| part.pass_values(cursor, values))
            }
            // What begins says what they are.
            Layout::Dynamic | Layout::Json(_) => Err(damaged("a column without its beginning")),
        }
    }
}

/// How `Dynamic` and `JSON` are written.
const FLATTENED: u64 = 3;
const JSON_AS_TEXT: u64 = 1;
const NOT_FLATTENED: &str = "Dynamic or JSON, for which output_format_native_use_flattened_dynamic_and_json_serialization has to be 1";

/// A count and so many texts.
fn strings(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Stop> {
    let count = cursor.varint()?;
    if count > usize::from(u16::MAX) {
        return Err(damaged("more types or paths than one column has"));
    }
    (0..count).map(|_| Ok(String::from_utf8_lossy(cursor.string()?).into_owned())).collect()
}

/// Paths with a type among the arguments of `JSON`; the others are settings and what is left out.
fn typed_paths(arguments: &str, depth: usize) -> Option<Vec<Layout>> {
    let is_setting = |part: &str| {
        part.split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_'))
    };
    let parts = parts(arguments)?.into_iter().map(str::trim);
    parts
        .filter(|part| !part.starts_with("SKIP ") && !is_setting(part))
        .map(|part| of_type_at(unnamed(part), depth + 1))
        .collect()
}

fn of_type_at(name: &str, depth: usize) -> Option<Layout> {
    if depth > DEPTH_MAX {
        return None;
    }
    let name = name.trim();
    let (head, arguments) = match name.split_once('(') {
        Some((head, rest)) => (head, Some(rest.strip_suffix(')')?)),
        None => (name, None),
    };
    let inner = |text: &str| of_type_at(text, depth + 1);
    let boxed = |text: Option<&str>| inner(text?).map(Box::new);
    let Some(arguments) = arguments else { return plain(head).or_else(|| shape(head, depth)) };
    Some(match head {
        "DateTime" | "Time" => Layout::Fixed(4),
        "DateTime64" | "Time64" => Layout::Fixed(8),
        "Enum8" => Layout::Fixed(1),
        "Enum16" => Layout::Fixed(2),
        "FixedString" => Layout::Fixed(arguments.trim().parse().ok()?),
        "Decimal" => Layout::Fixed(decimal_bytes(arguments.split(',').next()?.trim().parse().ok()?)),
        "Decimal32" => Layout::Fixed(4),
        "Decimal64" => Layout::Fixed(8),
        "Decimal128" => Layout::Fixed(16),
        "Decimal256" => Layout::Fixed(32),
        "Array" => Layout::Array(boxed(Some(arguments))?),
        "Nullable" => Layout::Nullable(boxed(Some(arguments))?),
        "LowCardinality" => match inner(arguments)? {
            // Missing values are a key of their own.
            Layout::Nullable(keys) => Layout::LowCardinality(keys),
            keys => Layout::LowCardinality(Box::new(keys)),
        },
        "Map" => {
            let [key, value] = parts(arguments)?.try_into().ok()?;
            Layout::Array(Box::new(Layout::Tuple(vec![inner(key)?, inner(value)?])))
        }
        "Tuple" => Layout::Tuple(
            parts(arguments)?.into_iter().map(|part| inner(unnamed(part))).collect::<Option<_>>()?,
        ),
        "Nested" => {
            let columns = parts(arguments)?.into_iter().map(|part| inner(unnamed(part)));
            Layout::Array(Box::new(Layout::Tuple(columns.collect::<Option<_>>()?)))
        }
        "Variant" => Layout::Variant(parts(arguments)?.into_iter().map(inner).collect::<Option<_>>()?),
        "JSON" => Layout::Json(typed_paths(arguments, depth)?),
        "Dynamic" => Layout::Dynamic,
        "SimpleAggregateFunction" => inner(parts(arguments)?.get(1)?)?,
        _ => return None,
    })
}

/// A type without brackets.
fn plain(name: &str) -> Option<Layout> {
    Some(match name {
        "String" => Layout::Text,
        "Dynamic" => Layout::Dynamic,
        "JSON" => Layout::Json(Vec::new()),
        "UInt8" | "Int8" | "Bool" | "Nothing" => Layout::Fixed(1),
        "UInt16" | "Int16" | "BFloat16" | "Date" => Layout::Fixed(2),
        "UInt32" | "Int32" | "Float32" | "Date32" | "DateTime" | "Time" | "IPv4" => Layout::Fixed(4),
        "UInt64" | "Int64" | "Float64" => Layout::Fixed(8),
        "UInt128" | "Int128" | "UUID" | "IPv6" => Layout::Fixed(16),
        "UInt256" | "Int256" => Layout::Fixed(32),
        interval if interval.starts_with("Interval") => Layout::Fixed(8),
        _ => return None,
    })
}

/// Shapes, which have names for what they are made of.
fn shape(name: &str, depth: usize) -> Option<Layout> {
    let of = match name {
        "Point" => "Tuple(Float64, Float64)",
        "Ring" | "LineString" => "Array(Point)",
        "Polygon" | "MultiLineString" => "Array(Ring)",
        "MultiPolygon" => "Array(Polygon)",
        _ => return None,
    };
    of_type_at(of, depth + 1)
}

fn decimal_bytes(digits: u32) -> usize {
    match digits {
        0..=9 => 4,
        10..=18 => 8,
        19..=38 => 16,
        _ => 32,
    }
}

/// What stands between the commas that are in no brackets and no quotes.
fn parts(text: &str) -> Option<Vec<&str>> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    let mut quote = None;
    let mut escaped = false;
    for (at, sign) in text.char_indices() {
        match (quote, sign) {
            _ if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), _) if open == sign => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '`' | '"') => quote = Some(sign),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.checked_sub(1)?,
            (None, ',') if depth == 0 => {
                found.push(text.get(start..at)?);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(text.get(start..)?);
    (quote.is_none() && depth == 0 && found.len() <= PARTS_MAX).then_some(found)
}

/// A part of a tuple without its name.
fn unnamed(part: &str) -> &str {
    let part = part.trim();
    if let Some(quoted) = part.strip_prefix('`') {
        let mut escaped = false;
        let end = quoted.find(|sign| {
            let ends = sign == '`' && !escaped;
            escaped = sign == '\\' && !escaped;
            ends
        });
        return end.and_then(|end| quoted.get(end + 1..)).unwrap_or(part);
    }
    match part.find([' ', '(']) {
        Some(at) if part.get(at..).is_some_and(|rest| rest.starts_with(' ')) => {
            part.get(at..).unwrap_or(part)
        }
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, expected: Option<Layout>) {
        assert_eq!(Layout::of_type(name), expected, "{name}");
    }

    #[test]
    fn types_are_read_by_their_names() {
        use Layout::{Array, Fixed, LowCardinality, Nullable, Text, Tuple, Variant};
        check("String", Some(Text));
        check("DateTime64(9, 'UTC')", Some(Fixed(8)));
        check("Enum8('a, b)' = 1, 'it\\'s' = 2)", Some(Fixed(1)));
        check("Decimal(18, 2)", Some(Fixed(8)));
        check("Decimal(76, 2)", Some(Fixed(32)));
        check("FixedString(16)", Some(Fixed(16)));
        check("Array(Nullable(UInt8))", Some(Array(Box::new(Nullable(Box::new(Fixed(1)))))));
        check("LowCardinality(Nullable(String))", Some(LowCardinality(Box::new(Text))));
        let pair = |key, value| Some(Array(Box::new(Tuple(vec![key, value]))));
        check("Map(LowCardinality(String), String)", pair(LowCardinality(Box::new(Text)), Text));
        check("Nested(a String, `b (` UInt8)", pair(Text, Fixed(1)));
        check(
            "Tuple(a Tuple(UInt8, String), `b, c` Date)",
            Some(Tuple(vec![Tuple(vec![Fixed(1), Text]), Fixed(2)])),
        );
        check("Variant(String, UInt64)", Some(Variant(vec![Text, Fixed(8)])));
        check("SimpleAggregateFunction(anyLast, String)", Some(Text));
        check("Ring", Some(Array(Box::new(Tuple(vec![Fixed(8), Fixed(8)])))));
        check("IntervalSecond", Some(Fixed(8)));
        let json =
            "JSON(max_dynamic_paths=8, a.b UInt64, c Map(String, Int8), SKIP d.e, SKIP REGEXP 'f, g=')";
        let map = Array(Box::new(Tuple(vec![Text, Fixed(1)])));
        check(json, Some(Layout::Json(vec![Fixed(8), map])));
        check("Nullable(JSON)", Some(Nullable(Box::new(Layout::Json(Vec::new())))));
        check("Dynamic(max_types=3)", Some(Layout::Dynamic));
    }

    #[test]
    fn types_that_are_not_known_are_none() {
        for name in
            ["", "AggregateFunction(sum, UInt8)", "Array(", "Array(Strin)", "Map(String)", "FixedString(x)"]
        {
            check(name, None);
        }
        check(&("Array(".repeat(100) + "String" + &")".repeat(100)), None);
    }
}
