//! Types that a statement may name: those of plain values. States of aggregate functions are not values.

use std::fmt;

use super::names::{Name, quoted_name, quoted_text};
use super::refusal::{Place, Refusal, nearest};

/// A type as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Type {
    pub(super) name: String,
    pub(super) arguments: Option<Vec<Argument>>,
    pub(super) place: Place,
}

/// What stands in a type's brackets.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Argument {
    Type(Type),
    Named(Name, Type),
    Number(String),
    Text(Vec<u8>),
    /// `'a' = 1`.
    Enumerated(Vec<u8>, String),
}

/// Types with parts that are types, as the store spells them.
const COMPOUND: &[&str] = &["Array", "LowCardinality", "Map", "Nullable", "Tuple"];
/// Types of values, as the store spells them.
const PLAIN: &[&str] = &[
    "BFloat16",
    "Bool",
    "Date",
    "Date32",
    "DateTime",
    "DateTime32",
    "DateTime64",
    "Decimal",
    "Decimal128",
    "Decimal256",
    "Decimal32",
    "Decimal64",
    "Enum",
    "Enum16",
    "Enum8",
    "FixedString",
    "Float32",
    "Float64",
    "IPv4",
    "IPv6",
    "Int128",
    "Int16",
    "Int256",
    "Int32",
    "Int64",
    "Int8",
    "IntervalDay",
    "IntervalHour",
    "IntervalMicrosecond",
    "IntervalMillisecond",
    "IntervalMinute",
    "IntervalMonth",
    "IntervalNanosecond",
    "IntervalQuarter",
    "IntervalSecond",
    "IntervalWeek",
    "IntervalYear",
    "String",
    "Time",
    "Time64",
    "UInt128",
    "UInt16",
    "UInt256",
    "UInt32",
    "UInt64",
    "UInt8",
    "UUID",
];
/// Names of other databases for them, in any case.
const SPELLINGS: &[&str] = &[
    "BIGINT",
    "BIGINT SIGNED",
    "BIGINT UNSIGNED",
    "BLOB",
    "BOOL",
    "BOOLEAN",
    "BYTE",
    "BYTEA",
    "CHAR",
    "CHAR VARYING",
    "CHARACTER",
    "CHARACTER VARYING",
    "CLOB",
    "DATE",
    "DATE32",
    "DATETIME",
    "DATETIME32",
    "DATETIME64",
    "DEC",
    "DECIMAL",
    "DECIMAL128",
    "DECIMAL256",
    "DECIMAL32",
    "DECIMAL64",
    "DOUBLE",
    "DOUBLE PRECISION",
    "ENUM",
    "FIXED",
    "FLOAT",
    "INT",
    "INT SIGNED",
    "INT UNSIGNED",
    "INT1",
    "INTEGER",
    "INTEGER SIGNED",
    "INTEGER UNSIGNED",
    "LONGTEXT",
    "MEDIUMINT",
    "MEDIUMTEXT",
    "NUMERIC",
    "REAL",
    "SIGNED",
    "SINGLE",
    "SMALLINT",
    "SMALLINT SIGNED",
    "SMALLINT UNSIGNED",
    "TEXT",
    "TIME",
    "TIME64",
    "TIMESTAMP",
    "TINYINT",
    "TINYINT SIGNED",
    "TINYINT UNSIGNED",
    "TINYTEXT",
    "UNSIGNED",
    "VARCHAR",
    "YEAR",
];
/// Types within types.
const DEPTH_MAX: usize = 8;
/// Parts of a type.
const ARGUMENTS_MAX: usize = 256;
/// Bytes of a `FixedString`.
const FIXED_BYTES_MAX: u32 = 65_536;

impl Type {
    /// Refuses a type that is not among those above.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        self.check_at(0)
    }

    fn check_at(&self, depth: usize) -> Result<(), Refusal> {
        let compound = COMPOUND.contains(&self.name.as_str());
        if !compound
            && !PLAIN.contains(&self.name.as_str())
            && !SPELLINGS.iter().any(|known| known.eq_ignore_ascii_case(&self.name))
        {
            let near = nearest(&self.name, COMPOUND.iter().chain(PLAIN).copied());
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            return Err(Refusal::new(
                format!(
                    "The type {} is not allowed: wanted one of plain values, such as String or UInt64.{hint}",
                    self.name
                ),
                self.place,
            ));
        }
        let arguments = self.arguments.as_deref().unwrap_or_default();
        if depth >= DEPTH_MAX || arguments.len() > ARGUMENTS_MAX {
            return Err(Refusal::new(
                format!("Wanted a type of at most {DEPTH_MAX} levels with {ARGUMENTS_MAX} parts each."),
                self.place,
            ));
        }
        for argument in arguments {
            match argument {
                Argument::Type(inner) | Argument::Named(_, inner) if compound => inner.check_at(depth + 1)?,
                Argument::Number(number) if self.name == "FixedString" => {
                    if number.parse::<u32>().is_ok_and(|bytes| bytes <= FIXED_BYTES_MAX) {
                        continue;
                    }
                    return Err(Refusal::new(
                        format!("Wanted a FixedString of at most {FIXED_BYTES_MAX} bytes; found {number}."),
                        self.place,
                    ));
                }
                Argument::Number(_) | Argument::Text(_) | Argument::Enumerated(..) if !compound => {}
                _ => {
                    return Err(Refusal::new(
                        format!("{} does not take this in its brackets.", self.name),
                        self.place,
                    ));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        let Some(arguments) = &self.arguments else { return Ok(()) };
        out.write_str("(")?;
        for (number, argument) in arguments.iter().enumerate() {
            if number > 0 {
                out.write_str(", ")?;
            }
            match argument {
                Argument::Type(inner) => write!(out, "{inner}")?,
                Argument::Named(name, inner) => {
                    if is_plain_word(&name.text) {
                        write!(out, "{} {inner}", name.text)?;
                    } else {
                        write!(out, "{} {inner}", quoted_name(&name.text))?;
                    }
                }
                Argument::Number(number) => out.write_str(number)?,
                Argument::Text(text) => out.write_str(&quoted_text(text))?,
                Argument::Enumerated(text, number) => write!(out, "{} = {number}", quoted_text(text))?,
            }
        }
        out.write_str(")")
    }
}

/// As the store writes the parts of a Tuple: without quotation marks where none are needed.
fn is_plain_word(name: &str) -> bool {
    name.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !name.eq_ignore_ascii_case("null")
}
