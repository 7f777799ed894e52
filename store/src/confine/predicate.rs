//! A `{predicate}` of a question: one expression over one record of `logs`, whose value follows from that record alone.

use super::functions::FunctionKind;
use super::names::Name;
use super::refusal::{Place, Refusal, nearest};
use super::tables::{LOGS_COLUMNS, PARTED_COLUMNS};
use super::tree::{Call, Expression, Kind};
use super::{Audience, Checker, Policy, bounded, functions, limits, parse, print::Printer, stack};

/// A condition over a record of `logs`, as it was written and as the store is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predicate {
    text: String,
    sql: String,
}

impl Predicate {
    /// Reads a condition.
    ///
    /// # Errors
    /// Where it is not understood or is more than a condition over one record.
    pub fn parse(text: &str) -> Result<Predicate, Refusal> {
        // Conditions name no table, so no database either.
        let policy = Policy { database: "", audience: Audience::Asker };
        let sql = confine_predicate(text, &policy)?;
        Ok(Predicate { text: text.to_owned(), sql: format!("({sql})") })
    }

    /// Records of one message template.
    pub fn of_template(template: u64) -> Predicate {
        Predicate { text: format!("Template = {template}"), sql: format!("(Template = {template})") }
    }

    /// The asker's words.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What the store is asked: printed anew, in brackets.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }
}

/// Reads a condition over records of `logs`, checks it and prints it anew.
///
/// # Errors
/// Where it is not understood, names what is no column of `logs`, gives names, looks at other rows or other tables.
pub fn confine_predicate(text: &str, policy: &Policy<'_>) -> Result<String, Refusal> {
    bounded(text, limits::TEXT_BYTES_MAX)?;
    stack::with_room(|| confine_here(text, policy))
}

fn confine_here(text: &str, policy: &Policy<'_>) -> Result<String, Refusal> {
    let mut expression = parse::expression(text)?;
    if matches!(expression.kind, Kind::Lambda { .. }) {
        return Err(Refusal::new("Wanted a condition; found a function.", expression.place));
    }
    let mut arguments = Vec::new();
    of_one_record(&expression, &mut arguments)?;
    // What is left is what holds for statements as well: functions, types.
    let mut checker = Checker::new(policy, Default::default(), Default::default(), &[]);
    checker.predicate(&mut expression)?;
    Ok(Printer::print_expression(&expression))
}

/// Refuses whatever is not made of one record's columns.
fn of_one_record<'e>(expression: &'e Expression, arguments: &mut Vec<&'e str>) -> Result<(), Refusal> {
    let refuse = |message: &str| Err(Refusal::new(message, expression.place));
    if let Some(alias) = &expression.alias {
        return Err(Refusal::new("A condition gives no names: wanted it without AS.", alias.place));
    }
    match &expression.kind {
        Kind::Null | Kind::Bool(_) | Kind::Number(_) | Kind::Text(_) => Ok(()),
        Kind::Column(parts) => column(parts, expression.place, arguments),
        Kind::Tuple(parts) | Kind::Array(parts) => {
            parts.iter().try_for_each(|part| of_one_record(part, arguments))
        }
        Kind::Call(call) => called(call, arguments),
        Kind::Lambda { arguments: names, body } => {
            if let Some(shadows) = names.iter().find(|name| LOGS_COLUMNS.contains(&name.text.as_str())) {
                return Err(Refusal::new(
                    format!("{} is a column of logs: wanted another name here.", shadows.text),
                    shadows.place,
                ));
            }
            let before = arguments.len();
            arguments.extend(names.iter().map(|name| name.text.as_str()));
            let result = of_one_record(body, arguments);
            arguments.truncate(before);
            result
        }
        Kind::Query(_) => refuse("A condition looks at one record: wanted it without SELECT."),
        Kind::Star(_) => refuse("A condition looks at columns by name: wanted it without * and COLUMNS."),
        Kind::Parameter { .. } => refuse("A condition has no parameters: wanted the value itself."),
    }
}

fn column(parts: &[Name], place: Place, arguments: &[&str]) -> Result<(), Refusal> {
    let [first, rest @ ..] = parts else { return Ok(()) };
    let name = first.text.as_str();
    let is_column = LOGS_COLUMNS.contains(&name)
        && (rest.is_empty() || (rest.len() == 1 && PARTED_COLUMNS.contains(&name)));
    if is_column || (rest.is_empty() && arguments.contains(&name)) {
        return Ok(());
    }
    let near = nearest(name, LOGS_COLUMNS.iter().copied());
    let hint = near.map_or_else(
        || " Columns are such as Host, Program, SeverityNumber, Body, LogAttributes['…'].".to_owned(),
        |near| format!(" Did you mean {near}?"),
    );
    let found: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    Err(Refusal::new(format!("{} is not a column of logs.{hint}", found.join(".")), place))
}

fn called<'e>(call: &'e Call, arguments: &mut Vec<&'e str>) -> Result<(), Refusal> {
    let name = &call.name.text;
    let refuse = |message: String| Err(Refusal::new(message, call.name.place));
    match functions::find(name) {
        // What is on no list is refused with a suggestion by the check.
        None | Some(FunctionKind::Scalar) => {}
        Some(FunctionKind::Random) => {
            return refuse(format!(
                "{name} is random: a condition has to say the same of a record each time."
            ));
        }
        Some(_) => return refuse(format!("{name} looks at more than one record: a condition looks at one.")),
    }
    if call.over.is_some() || call.filter.is_some() || call.distinct || call.parameters.is_some() {
        return refuse(format!("{name} is not called so in a condition: wanted {name}(…)."));
    }
    if functions::takes_a_set(name)
        && let Some(right) = call.arguments.get(1)
        && matches!(right.kind, Kind::Column(_))
    {
        return Err(Refusal::new("Wanted values on the right of IN: Host IN ('a', 'b').", right.place));
    }
    call.arguments.iter().try_for_each(|argument| of_one_record(argument, arguments))
}
