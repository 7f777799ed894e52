//! Calls that are written with keywords: `CASE`, `CAST(x AS T)`, `INTERVAL 1 DAY`, `EXTRACT(DAY FROM x)` and the like.

use super::Parser;
use crate::confine::lexer::Token;
use crate::confine::names::Name;
use crate::confine::refusal::{Place, Refusal};
use crate::confine::tree::{Expression, Kind};

/// Units of time: the words, the function that makes an interval of it, the function that takes it out of a time.
const UNITS: &[(&[&str], &str, &str)] = &[
    (&["NANOSECOND", "NANOSECONDS", "SQL_TSI_NANOSECOND", "NS"], "Nanosecond", "toNanosecond"),
    (&["MICROSECOND", "MICROSECONDS", "SQL_TSI_MICROSECOND", "US", "MCS"], "Microsecond", "toMicrosecond"),
    (&["MILLISECOND", "MILLISECONDS", "SQL_TSI_MILLISECOND", "MS"], "Millisecond", "toMillisecond"),
    (&["SECOND", "SECONDS", "SQL_TSI_SECOND", "SS", "S"], "Second", "toSecond"),
    (&["MINUTE", "MINUTES", "SQL_TSI_MINUTE", "MI", "N"], "Minute", "toMinute"),
    (&["HOUR", "HOURS", "SQL_TSI_HOUR", "HH", "H"], "Hour", "toHour"),
    (&["DAY", "DAYS", "SQL_TSI_DAY", "DD", "D"], "Day", "toDayOfMonth"),
    (&["WEEK", "WEEKS", "SQL_TSI_WEEK", "WK", "WW"], "Week", "toWeek"),
    (&["MONTH", "MONTHS", "SQL_TSI_MONTH", "MM", "M"], "Month", "toMonth"),
    (&["QUARTER", "QUARTERS", "SQL_TSI_QUARTER", "QQ", "Q"], "Quarter", "toQuarter"),
    (&["YEAR", "YEARS", "SQL_TSI_YEAR", "YYYY", "YY"], "Year", "toYear"),
];
/// `DATE_ADD(DAY, 1, x)` and what is like it: the word, the function.
const DATE_SHIFTS: &[(&str, &str)] = &[
    ("DATE_ADD", "plus"),
    ("DATEADD", "plus"),
    ("TIMESTAMP_ADD", "plus"),
    ("TIMESTAMPADD", "plus"),
    ("DATE_SUB", "minus"),
    ("DATESUB", "minus"),
    ("TIMESTAMP_SUB", "minus"),
    ("TIMESTAMPSUB", "minus"),
];
const DATE_DIFFERENCES: &[&str] = &["DATE_DIFF", "DATEDIFF", "TIMESTAMP_DIFF", "TIMESTAMPDIFF"];

type Unit = (&'static str, &'static str);

impl Parser<'_> {
    /// A call written with keywords, where the word begins one.
    pub(super) fn special(&mut self, word: &str, start: Place) -> Result<Option<Expression>, Refusal> {
        let upper = word.to_ascii_uppercase();
        let called = matches!(self.peek(1), Token::Sign("("));
        if !called {
            return match upper.as_str() {
                "CASE" => self.case(start).map(Some),
                "INTERVAL" if self.begins_interval() => self.interval(start).map(Some),
                "DATE" | "TIMESTAMP" => match self.peek(1).clone() {
                    Token::Text(text) => self.moment(&upper, text, start).map(Some),
                    _ => Ok(None),
                },
                _ => Ok(None),
            };
        }
        match upper.as_str() {
            "CASE" => self.case(start).map(Some),
            "INTERVAL" => self.interval(start).map(Some),
            "CAST" => self.cast_call(start).map(Some),
            "EXISTS" if self.query_in_brackets(2) => self.exists(start).map(Some),
            "EXTRACT" if self.unit_at(2).is_some() && self.word_is(3, "FROM") => {
                self.extract(start).map(Some)
            }
            "SUBSTRING" | "SUBSTR" | "MID" => self.substring(start).map(Some),
            "TRIM" => self.trim(start).map(Some),
            "POSITION" => self.position(start).map(Some),
            "OVERLAY" => self.overlay(start).map(Some),
            _ if DATE_DIFFERENCES.contains(&upper.as_str()) => self.date_difference(word, start),
            _ => match DATE_SHIFTS.iter().find(|(name, _)| *name == upper) {
                Some((_, function)) => self.date_shift(function, start).map(Some),
                None => Ok(None),
            },
        }
    }

    /// `CASE x WHEN a THEN b ELSE c END`.
    fn case(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.deeper(|parser| parser.case_here(start))
    }

    fn case_here(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        let mut arguments = Vec::new();
        let function = if self.is_word("WHEN") {
            "multiIf"
        } else {
            arguments.push(self.expression()?);
            "caseWithExpression"
        };
        while self.take_word("WHEN") {
            arguments.push(self.expression()?);
            self.expect_word("THEN")?;
            arguments.push(self.expression()?);
        }
        if arguments.len() < 2 {
            return self.refuse(format!("Wanted WHEN; found {}.", self.found()));
        }
        let place = self.place();
        arguments.push(if self.take_word("ELSE") {
            self.expression()?
        } else {
            self.make(Kind::Null, place)?
        });
        self.expect_word("END")?;
        self.call(function, arguments, start)
    }

    fn begins_interval(&self) -> bool {
        match self.peek(1) {
            Token::Number(_) | Token::Text(_) | Token::Sign("{") => true,
            Token::Sign("-") => matches!(self.peek(2), Token::Number(_)) && self.unit_at(3).is_some(),
            Token::Word(_) | Token::Quoted(_) => self.unit_at(2).is_some(),
            _ => false,
        }
    }

    /// `INTERVAL 1 DAY`, `INTERVAL '1 day 2 hours'`.
    fn interval(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        if let Token::Text(text) = self.token().clone()
            && self.unit_at(1).is_none()
        {
            return self.interval_text(&text, start);
        }
        let value = self.expression()?;
        let Some((unit, _)) = self.take_unit() else {
            return self.refuse(format!("Wanted a unit of time such as DAY; found {}.", self.found()));
        };
        self.call(&format!("toInterval{unit}"), vec![value], start)
    }

    fn interval_text(&mut self, text: &[u8], start: Place) -> Result<Expression, Refusal> {
        let wanted = "Wanted an interval such as '1 day 2 hours'.";
        let place = self.place();
        let Ok(text) = std::str::from_utf8(text) else { return self.refuse(wanted) };
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut parts = Vec::new();
        for pair in words.chunks(2) {
            let [number, unit] = pair else { return self.refuse(wanted) };
            let (Some((unit, _)), Ok(number)) = (unit_by(unit), number.parse::<i64>()) else {
                return self.refuse(wanted);
            };
            let number = self.make(Kind::Number(number.to_string()), place)?;
            parts.push(self.call(&format!("toInterval{unit}"), vec![number], start)?);
        }
        self.at += 1;
        match parts.len() {
            0 => Err(Refusal::new(wanted, place)),
            1 => parts.pop().ok_or_else(|| Refusal::new(wanted, place)),
            _ => self.call("tuple", parts, start),
        }
    }

    /// `DATE '2026-11-01'`, `TIMESTAMP '…'`.
    fn moment(&mut self, word: &str, text: Vec<u8>, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        let place = self.place();
        self.at += 1;
        let text = self.make(Kind::Text(text), place)?;
        self.call(if word == "DATE" { "toDate" } else { "toDateTime" }, vec![text], start)
    }

    /// `CAST(x AS T)` and `CAST(x, 'T')`.
    fn cast_call(&mut self, start: Place) -> Result<Expression, Refusal> {
        let name = self.name("CAST")?;
        self.expect_sign("(")?;
        let mut arguments = vec![self.expression()?];
        if self.take_word("AS") {
            // CAST(x AS name AS T): the first is a name.
            let place = self.place();
            let data_type = self.data_type()?;
            if self.take_word("AS") {
                let alias = Name { text: data_type.to_string(), place };
                if let Some(value) = arguments.first_mut() {
                    self.set_alias(value, alias)?;
                }
                let data_type = self.data_type()?;
                arguments.push(self.make(Kind::Text(data_type.to_string().into_bytes()), place)?);
            } else {
                arguments.push(self.make(Kind::Text(data_type.to_string().into_bytes()), place)?);
            }
        } else {
            self.expect_sign(",")?;
            arguments.push(self.expression()?);
        }
        self.expect_sign(")")?;
        let _ = name;
        self.call("CAST", arguments, start)
    }

    /// Whether so many tokens further on a SELECT begins.
    fn query_in_brackets(&self, ahead: usize) -> bool {
        ["SELECT", "WITH", "FROM"].iter().any(|word| self.word_is(ahead, word))
    }

    /// `EXISTS (SELECT …)`.
    fn exists(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        let place = self.place();
        self.expect_sign("(")?;
        let query = self.query()?;
        self.expect_sign(")")?;
        let query = self.make(Kind::Query(Box::new(query)), place.to(self.last_place()))?;
        self.call("exists", vec![query], start)
    }

    /// `EXTRACT(DAY FROM x)`.
    fn extract(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.at += 2;
        let function = self.take_unit().map_or("", |(_, function)| function);
        self.expect_word("FROM")?;
        let value = self.expression()?;
        self.expect_sign(")")?;
        self.call(function, vec![value], start)
    }

    /// `SUBSTRING(x FROM a FOR b)`, or with commas.
    fn substring(&mut self, start: Place) -> Result<Expression, Refusal> {
        let name = self.name("a function")?;
        self.expect_sign("(")?;
        let mut arguments = if self.is_sign(")") { Vec::new() } else { vec![self.aliased()?] };
        if self.take_word("FROM") {
            arguments.push(self.aliased()?);
            if self.take_word("FOR") {
                arguments.push(self.aliased()?);
            }
        }
        while self.take_sign(",") {
            arguments.push(self.aliased()?);
        }
        self.expect_sign(")")?;
        self.call_named(name, arguments, start)
    }

    /// `TRIM([BOTH|LEADING|TRAILING] [letters] FROM x)`, or `trim(x, letters)`.
    fn trim(&mut self, start: Place) -> Result<Expression, Refusal> {
        self.at += 1;
        self.expect_sign("(")?;
        let function = if self.take_word("LEADING") {
            "trimLeft"
        } else if self.take_word("TRAILING") {
            "trimRight"
        } else {
            self.take_word("BOTH");
            "trimBoth"
        };
        let mut arguments = Vec::new();
        if !self.is_word("FROM") {
            arguments.push(self.aliased()?);
        }
        if self.take_word("FROM") {
            arguments.insert(0, self.aliased()?);
        } else {
            while self.take_sign(",") {
                arguments.push(self.aliased()?);
            }
        }
        self.expect_sign(")")?;
        self.call(function, arguments, start)
    }

    /// `POSITION(a IN b)`, or with commas.
    fn position(&mut self, start: Place) -> Result<Expression, Refusal> {
        let name = self.name("a function")?;
        self.expect_sign("(")?;
        let mut arguments = if self.is_sign(")") { Vec::new() } else { vec![self.aliased()?] };
        if self.take_sign(")") {
            // `a IN b` has been read as a comparison.
            if let [only] = arguments.as_slice()
                && let Kind::Call(call) = &only.kind
                && call.name.text == "in"
                && let [needle, haystack] = call.arguments.as_slice()
            {
                arguments = vec![haystack.clone(), needle.clone()];
            }
            return self.call_named(name, arguments, start);
        }
        while self.take_sign(",") {
            arguments.push(self.aliased()?);
        }
        self.expect_sign(")")?;
        self.call_named(name, arguments, start)
    }

    /// `OVERLAY(x PLACING y FROM a FOR b)`, or with commas.
    fn overlay(&mut self, start: Place) -> Result<Expression, Refusal> {
        let name = self.name("a function")?;
        self.expect_sign("(")?;
        let mut arguments = if self.is_sign(")") { Vec::new() } else { vec![self.aliased()?] };
        while self.take_sign(",") || ["PLACING", "FROM", "FOR"].iter().any(|word| self.take_word(word)) {
            arguments.push(self.aliased()?);
        }
        self.expect_sign(")")?;
        self.call_named(name, arguments, start)
    }

    /// `DATEDIFF(DAY, a, b)`; with a text for the unit it is an ordinary function.
    fn date_difference(&mut self, word: &str, start: Place) -> Result<Option<Expression>, Refusal> {
        if self.unit_at(2).is_none() || !matches!(self.peek(3), Token::Sign(",")) {
            return Ok(None);
        }
        let _ = word;
        self.at += 2;
        let place = self.place();
        let unit = self.take_unit().map_or("", |(unit, _)| unit).to_ascii_lowercase();
        let mut arguments = vec![self.make(Kind::Text(unit.into_bytes()), place)?];
        while self.take_sign(",") {
            arguments.push(self.aliased()?);
        }
        self.expect_sign(")")?;
        self.call("dateDiff", arguments, start).map(Some)
    }

    /// `DATE_ADD(DAY, 1, x)` and `DATE_ADD(x, INTERVAL 1 DAY)`.
    fn date_shift(&mut self, function: &str, start: Place) -> Result<Expression, Refusal> {
        self.at += 2;
        let place = self.place();
        if self.unit_at(0).is_some()
            && matches!(self.peek(1), Token::Sign(","))
            && let Some((unit, _)) = self.take_unit()
        {
            self.expect_sign(",")?;
            let number = self.aliased()?;
            self.expect_sign(",")?;
            let time = self.aliased()?;
            self.expect_sign(")")?;
            let interval = self.call(&format!("toInterval{unit}"), vec![number], place)?;
            return self.call(function, vec![time, interval], start);
        }
        let arguments = self.list(Self::aliased)?;
        self.expect_sign(")")?;
        self.call(function, arguments, start)
    }

    fn unit_at(&self, ahead: usize) -> Option<Unit> {
        match self.peek(ahead) {
            Token::Word(word) => unit_by(word),
            _ => None,
        }
    }

    fn take_unit(&mut self) -> Option<Unit> {
        let unit = self.unit_at(0)?;
        self.at += 1;
        Some(unit)
    }
}

fn unit_by(word: &str) -> Option<Unit> {
    let (_, interval, extract) =
        UNITS.iter().find(|(words, ..)| words.iter().any(|known| known.eq_ignore_ascii_case(word)))?;
    Some((interval, extract))
}
