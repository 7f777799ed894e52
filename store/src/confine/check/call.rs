//! Calls: is the function on the list, and what do its arguments name?

use super::Checker;
use crate::confine::Audience;
use crate::confine::formats::ROW_FORMATS;
use crate::confine::functions::{self, FunctionKind};
use crate::confine::names::Name;
use crate::confine::parse;
use crate::confine::refusal::Refusal;
use crate::confine::tables;
use crate::confine::tree::{Call, Expression, Kind};

impl Checker<'_> {
    /// Refuses a function that is on no list.
    pub(super) fn function(&self, name: &Name) -> Result<FunctionKind, Refusal> {
        match functions::find(&name.text) {
            Some(FunctionKind::Client) if self.policy.audience == Audience::Asker => {}
            Some(kind) => return Ok(kind),
            None => {}
        }
        let near = functions::near(&name.text).filter(|near| *near != name.text);
        let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
        let message = format!("The function {} is not among those that SQL may call here.{hint}", name.text);
        Err(Refusal::new(message, name.place))
    }

    pub(super) fn call(&mut self, call: &mut Call) -> Result<(), Refusal> {
        let kind = self.function(&call.name)?;
        if functions::takes_a_set(&call.name.text) {
            self.set(call)?;
        } else if call.name.text.eq_ignore_ascii_case("count") && counts_all(&call.arguments) {
            // `count(*)` shows no column.
        } else {
            self.all(&mut call.arguments)?;
        }
        check_texts(call, kind)?;
        self.all(call.parameters.as_mut().map_or(&mut [], Vec::as_mut_slice))?;
        call.filter.iter_mut().try_for_each(|filter| self.expression(filter))?;
        call.over.iter_mut().try_for_each(|over| self.over(over))
    }

    /// `a IN b`: on the right may stand a table, which has to be one of ours.
    fn set(&mut self, call: &mut Call) -> Result<(), Refusal> {
        let [left, right] = call.arguments.as_mut_slice() else {
            return Err(Refusal::new(format!("Wanted two sides of {}.", call.name.text), call.name.place));
        };
        self.expression(left)?;
        let place = right.place;
        let Kind::Column(parts) = &mut right.kind else {
            return match right.kind {
                Kind::Star(_) | Kind::Lambda { .. } => {
                    Err(Refusal::new("Wanted values, a SELECT or a table on the right of IN.", place))
                }
                _ => self.expression(right),
            };
        };
        if let [only] = parts.as_slice() {
            let seen = self.with_tables.contains(&only.text);
            // What an alias stands for must not be a name again, which might be a table's.
            let value = self.aliases.get(&only.text) == Some(&false)
                && !only.text.contains('.')
                && !tables::HIDDEN.contains(&only.text.as_str());
            if seen || (value && !tables::TABLES.contains(&only.text.as_str())) {
                return Ok(());
            }
        }
        *parts = self.our_table(parts)?;
        Ok(())
    }
}

fn counts_all(arguments: &[Expression]) -> bool {
    matches!(arguments, [only] if matches!(&only.kind, Kind::Star(star) if star.qualifier.is_empty() && star.transformers.is_empty()
        && matches!(star.columns, crate::confine::tree::StarColumns::All)))
}

/// Texts that name something: a type, an aggregate function, a format.
fn check_texts(call: &mut Call, kind: FunctionKind) -> Result<(), Refusal> {
    let place = call.name.place;
    let name = call.name.text.clone();
    let lower = name.to_ascii_lowercase();
    let wanted = |what: &str| Err(Refusal::new(format!("Wanted {what} in {name}, as a text."), place));
    if kind != FunctionKind::Scalar {
        return Ok(());
    }
    match lower.as_str() {
        "cast" | "accuratecast" | "accuratecastornull" | "accuratecastordefault" | "reinterpret" => {
            match call.arguments.get_mut(1).map(check_type).transpose()? {
                Some(true) => Ok(()),
                _ => wanted("a type"),
            }
        }
        "jsonextract"
        | "jsonextractcaseinsensitive"
        | "jsonextractkeysandvalues"
        | "jsonextractkeysandvaluescaseinsensitive" => {
            match call.arguments.last_mut().map(check_type).transpose()? {
                Some(true) => Ok(()),
                _ => wanted("a type"),
            }
        }
        "arrayreduce" | "arrayreduceinranges" => match call.arguments.first().map(|first| &first.kind) {
            Some(Kind::Text(text)) if functions::is_aggregate_text(text) => Ok(()),
            _ => wanted("the name of an aggregate function that SQL may call here"),
        },
        "formatrow" | "formatrownonewline" => match call.arguments.first().map(|first| &first.kind) {
            Some(Kind::Text(text))
                if ROW_FORMATS.iter().any(|format| format.as_bytes() == text.as_slice()) =>
            {
                Ok(())
            }
            _ => wanted("a format such as JSONEachRow"),
        },
        _ => Ok(()),
    }
}

/// Checks a type that stands in a text and writes it anew; false: it is no text.
fn check_type(argument: &mut Expression) -> Result<bool, Refusal> {
    let place = argument.place;
    let Kind::Text(text) = &mut argument.kind else { return Ok(false) };
    // Places within the text mean nothing to who reads the statement.
    let at = |refusal: Refusal| Refusal::new(refusal.message, place);
    let Ok(written) = std::str::from_utf8(text) else { return Ok(false) };
    let data_type = parse::data_type(written).map_err(at)?;
    data_type.check().map_err(at)?;
    *text = data_type.to_string().into_bytes();
    Ok(true)
}
