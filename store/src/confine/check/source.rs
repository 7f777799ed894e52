//! What stands behind FROM: our tables, what WITH names, table functions that only make rows.

use super::Checker;
use crate::confine::MatchesCall;
use crate::confine::names::Name;
use crate::confine::parse;
use crate::confine::refusal::{Refusal, nearest};
use crate::confine::tables::{self, TABLE_FUNCTIONS, TABLES};
use crate::confine::tree::{Expression, Kind, Source, Table};

impl Checker<'_> {
    pub(super) fn source(&mut self, table: &mut Table) -> Result<(), Refusal> {
        let place = table.place;
        match &mut table.source {
            Source::Query(query) => self.query(query),
            Source::Matches(_) => Ok(()),
            Source::Named(parts) => {
                if let [only] = parts.as_slice()
                    && self.with_tables.contains(&only.text)
                {
                    return Ok(());
                }
                if let [database, name] = parts.as_slice()
                    && database.text == "system"
                    && let Some(view) = tables::view(&name.text, self.policy.database, self.policy.audience)
                {
                    let alias = table.alias.get_or_insert_with(|| name.clone()).text.clone();
                    self.views.push((name.text.clone(), alias));
                    table.source = Source::Query(Box::new(view?));
                    self.star_refused = true;
                    return Ok(());
                }
                if let Some(view) = tables::named_view(parts, self.policy.database) {
                    table.alias.get_or_insert_with(|| Name::new(tables::OTEL_LOGS_NAME));
                    table.source = Source::Query(Box::new(view?));
                    return Ok(());
                }
                *parts = self.our_table(parts)?;
                Ok(())
            }
            Source::Function { name, arguments } => {
                if name.text.eq_ignore_ascii_case("correlate") {
                    let arguments = texts(arguments)?;
                    let number = self.calls.len();
                    self.calls.push(MatchesCall { arguments, place: Refusal::new("", place).place });
                    table.source = Source::Matches(number);
                    return Ok(());
                }
                let name = name.clone();
                self.table_function(&name, arguments)
            }
        }
    }

    /// The full name of one of our tables.
    pub(in crate::confine) fn our_table(&self, parts: &[Name]) -> Result<Vec<Name>, Refusal> {
        let found: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
        let table = match parts {
            [only] => Some(only),
            [database, table] if database.text == self.policy.database => Some(table),
            _ => None,
        };
        if let Some(table) = table.filter(|table| TABLES.contains(&table.text.as_str())) {
            return Ok(vec![Name::new(self.policy.database), table.clone()]);
        }
        let place = match parts {
            [first, .., last] => first.place.to(last.place),
            [only] => only.place,
            [] => crate::confine::refusal::Place::default(),
        };
        let near = found.last().and_then(|last| nearest(last, TABLES.iter().copied()));
        let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
        Err(Refusal::new(
            format!("Wanted one of our tables ({}); found {}.{hint}", TABLES.join(", "), found.join(".")),
            place,
        ))
    }

    fn table_function(&mut self, name: &Name, arguments: &mut [Expression]) -> Result<(), Refusal> {
        if !TABLE_FUNCTIONS.contains(&name.text.as_str()) {
            let near = nearest(&name.text, TABLE_FUNCTIONS.iter().copied()).filter(|near| *near != name.text);
            let hint = near.map_or_else(String::new, |near| format!(" Did you mean {near}?"));
            return Err(Refusal::new(
                format!(
                    "The table function {} is not among those that SQL may call here: it may reach beyond the store.{hint}",
                    name.text
                ),
                name.place,
            ));
        }
        if matches!(name.text.as_str(), "null" | "values" | "VALUES")
            && let Some(first) = arguments.first_mut()
        {
            let is_text = structure(first)?;
            if name.text == "null" && !is_text {
                return Err(Refusal::new("Wanted columns as a text: null('a String').", name.place));
            }
        }
        self.all(arguments)
    }
}

/// Checks columns that stand in a text, and writes them anew; false: it is no text.
fn structure(argument: &mut Expression) -> Result<bool, Refusal> {
    let place = argument.place;
    let Kind::Text(text) = &mut argument.kind else { return Ok(false) };
    let at = |refusal: Refusal| Refusal::new(refusal.message, place);
    let written = std::str::from_utf8(text)
        .map_err(|_| Refusal::new("Wanted columns such as 'a String, b UInt8'.", place))?;
    let columns = parse::structure(written).map_err(at)?;
    let mut anew = Vec::with_capacity(columns.len());
    for (name, data_type) in &columns {
        data_type.check().map_err(at)?;
        anew.push(format!("{} {data_type}", crate::confine::names::quoted_name(&name.text)));
    }
    *text = anew.join(", ").into_bytes();
    Ok(true)
}

/// Arguments of `correlate(…)`.
fn texts(arguments: &[Expression]) -> Result<Vec<String>, Refusal> {
    let wanted = "correlate takes texts: correlate('panics', 'network saturation', '5m'), a fourth with the rest of the \
                  question such as 'on the same guest since 7 days ago', or one text with a whole question.";
    arguments
        .iter()
        .map(|argument| match &argument.kind {
            Kind::Text(text) if argument.alias.is_none() => String::from_utf8(text.clone()).ok(),
            _ => None,
        })
        .collect::<Option<Vec<String>>>()
        .filter(|texts| matches!(texts.len(), 1 | 3 | 4))
        .ok_or_else(|| {
            let place = arguments.first().map_or_else(Default::default, |argument| argument.place);
            Refusal::new(wanted, place)
        })
}
