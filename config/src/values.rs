//! Kinds of values that several parts of a configuration have.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name under which the reader knows that a path is wanted.
pub(crate) const FILE_PATH: &str = "lastwords-config::FilePath";

/// A path; a leading `~/` is the home folder of the user who runs the process.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct FilePath(pub PathBuf);

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for FilePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FilePath, D::Error> {
        struct Expanded;
        impl<'de> de::Visitor<'de> for Expanded {
            type Value = FilePath;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path")
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(self, text: D) -> Result<FilePath, D::Error> {
                String::deserialize(text).map(|text| FilePath(text.into()))
            }
        }
        deserializer.deserialize_newtype_struct(FILE_PATH, Expanded)
    }
}

/// A path as it was written, with `~/` replaced by the home folder.
pub(crate) fn expand_home(text: &str, home: Option<&str>) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('~') else { return Ok(text.to_owned()) };
    if !(rest.is_empty() || rest.starts_with('/')) {
        return Err(format!(
            "wanted a path, found {text:?}: only ~/ is known, write another user's folder in full"
        ));
    }
    match home.filter(|home| home.starts_with('/')) {
        Some(home) => Ok(format!("{}{rest}", home.trim_end_matches('/'))),
        None => Err(format!("wanted HOME for the ~ of {text:?}, found none: write the path in full")),
    }
}

/// Bytes, with an optional unit: `536870912`, `"512MiB"`, `"2GiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// Reads a number with an optional binary unit.
    ///
    /// # Errors
    /// What was wanted and what was found.
    pub fn parse(text: &str) -> Result<Size, String> {
        let wanted = || format!("wanted a size such as 512MiB or 2GiB, found {text:?}");
        let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (digits, unit) = text.split_at(split);
        let shift = match unit.trim() {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(wanted()),
        };
        let number: u64 = digits.parse().map_err(|_| wanted())?;
        number.checked_mul(1 << shift).map(Size).ok_or_else(wanted)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Size, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a text such as \"2GiB\"")
            }

            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<Size, E> {
                Ok(Size(bytes))
            }

            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<Size, E> {
                let unexpected = || E::invalid_value(de::Unexpected::Signed(bytes), &self);
                u64::try_from(bytes).map(Size).map_err(|_| unexpected())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Bytes)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

/// Texts by name, of which some may be secrets: their values are never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Hidden(pub BTreeMap<String, String>);

impl Hidden {
    const SHOWN: &'static str = "…";

    fn shown(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.keys().map(|name| (name.as_str(), Hidden::SHOWN))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.shown()).finish()
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_units() {
        for (text, expected) in [
            ("0", Some(0)),
            ("512", Some(512)),
            ("3 KiB", Some(3 << 10)),
            ("512MiB", Some(512 << 20)),
            ("2GiB", Some(2 << 30)),
            ("1TiB", Some(1 << 40)),
            ("2GB", None),
            ("GiB", None),
            ("-1", None),
            ("99999999TiB", None),
        ] {
            assert_eq!(Size::parse(text).ok().map(|size| size.0), expected, "{text}");
        }
    }

    #[test]
    fn a_tilde_is_the_users_home() {
        let home = Some("/home/u");
        for (text, home, expected) in [
            ("~/x", home, Ok("/home/u/x")),
            ("~", home, Ok("/home/u")),
            ("~/x", Some("/"), Ok("/x")),
            ("/a/~/x", home, Ok("/a/~/x")),
            ("x~", home, Ok("x~")),
            ("~root/x", home, Err("only ~/ is known")),
            ("~/x", None, Err("wanted HOME")),
            ("~/x", Some(""), Err("wanted HOME")),
        ] {
            match (expand_home(text, home), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (found, expected) => panic!("{text} {home:?}: {found:?}, wanted {expected:?}"),
            }
        }
    }

    #[test]
    fn values_that_may_be_secrets_are_not_shown() {
        let hidden = Hidden([("ssl.key.password".to_owned(), "hunter2".to_owned())].into());
        let shown = format!("{hidden:?} {}", serde_json::to_string(&hidden).unwrap());
        assert!(shown.contains("ssl.key.password") && !shown.contains("hunter2"), "{shown}");
    }
}
