//! Answers `messages` and `new messages`: which messages there are, whatever machine and number they speak of, and
//! which of them nobody has seen before.

use std::collections::HashMap;

use lastwords_detect::template;
use lastwords_store::select::{
    TemplateSeen, TemplateSelection, TemplateText, read_template_texts, read_templates,
};

use crate::{
    answer::{MessageRow, MessagesAnswer, MessagesFigures, Range},
    context::Asked,
    error::AskError,
    event::Row,
    fetch::extent::fetch_extent,
    language::Messages,
    names::Interner,
};

/// What is new is what was not seen before the last so many nanoseconds of the store: a day.
const NEW_NS: i64 = 86_400_000_000_000;

/// Answers it; also says from when on anything is stored.
pub(crate) async fn answer(
    asked: &Asked<'_>,
    question: &Messages,
    limit: usize,
) -> Result<(MessagesAnswer, i64), AskError> {
    let bounds = &question.bounds;
    let extent = fetch_extent(asked.store).await?.unwrap_or_default();
    let to = bounds.to_ns.unwrap_or(extent.last_ns.saturating_add(1));
    let from = match (bounds.from_ns, question.new) {
        (Some(from_ns), _) => from_ns,
        (None, true) => to.saturating_sub(NEW_NS),
        (None, false) => extent.first_ns,
    };
    let range = Range { from, to };
    // What is new must not have been there at any time before.
    let by_machine = !bounds.places.is_empty();
    let selection = TemplateSelection { from_ns: from, to_ns: to, since_ever: question.new, by_machine };
    let found = read_templates(asked.store, &selection).await?;
    let mut found = if bounds.places.is_empty() { found } else { asked.seen_at(question, found) };
    found.retain(|seen| seen.records > 0 && (!question.new || seen.first_ns >= from));
    if question.new {
        found.sort_by_key(|seen| (seen.first_ns, seen.template));
    } else {
        found.sort_by_key(|seen| (std::cmp::Reverse(seen.records), seen.template));
    }
    let figures = MessagesFigures {
        messages: found.len() as u64,
        records: found.iter().map(|seen| seen.records).sum(),
    };
    let rows = asked.rows(found.get(..limit.min(found.len())).unwrap_or_default()).await?;
    let columns: &[&str] = if question.new {
        &["first", "records", "hosts", "message"]
    } else {
        &["records", "hosts", "first", "last", "message"]
    };
    let columns = columns.iter().map(|&column| column.to_owned()).collect();
    let mut header = asked.header(range);
    (header.matched, header.truncated) = (figures.messages, rows.len() < found.len());
    Ok((MessagesAnswer { header, figures, columns, rows }, extent.first_ns))
}

impl Asked<'_> {
    /// The templates of the places that are asked about, each once.
    fn seen_at(&self, question: &Messages, seen: Vec<TemplateSeen>) -> Vec<TemplateSeen> {
        let (hosts, guests) = (Interner::default(), Interner::default());
        let mut rows: Vec<Row> = (0_u64..)
            .zip(&seen)
            .map(|(id, one)| Row {
                unit: 0,
                host: hosts.number(&one.host),
                guest: guests.number(&one.machine),
                key: 0,
                start_ns: one.last_ns,
                end_ns: one.last_ns,
                id,
            })
            .collect();
        self.placement.only_at(&question.bounds.places, &mut rows, &hosts, &guests);
        let mut whole: HashMap<u64, (TemplateSeen, Vec<u32>)> = HashMap::new();
        for at in rows {
            let Some(one) = usize::try_from(at.id).ok().and_then(|id| seen.get(id)) else { continue };
            let (sum, hosts_of) = whole.entry(one.template).or_insert_with(|| {
                (
                    TemplateSeen {
                        template: one.template,
                        first_ns: i64::MAX,
                        last_ns: i64::MIN,
                        ..TemplateSeen::default()
                    },
                    Vec::new(),
                )
            });
            sum.records += one.records;
            sum.first_ns = sum.first_ns.min(one.first_ns);
            sum.last_ns = sum.last_ns.max(one.last_ns);
            sum.severity = sum.severity.max(one.severity);
            hosts_of.push(at.host);
        }
        whole
            .into_values()
            .map(|(sum, mut hosts)| {
                hosts.sort_unstable();
                hosts.dedup();
                TemplateSeen { hosts: hosts.len() as u64, ..sum }
            })
            .collect()
    }

    /// Templates in words: each has been the last time what it is.
    async fn rows(&self, seen: &[TemplateSeen]) -> Result<Vec<MessageRow>, AskError> {
        let times: Vec<(u64, i64)> = seen.iter().map(|one| (one.template, one.last_ns)).collect();
        let found = read_template_texts(self.store, &times, template::BODY_BYTES_MAX).await?;
        let by_template: HashMap<u64, TemplateText> =
            found.into_iter().map(|text| (text.template, text)).collect();
        let row = |seen: &TemplateSeen| {
            // Only what was removed in between is missing.
            let last = by_template.get(&seen.template)?;
            Some(MessageRow {
                message: template::text_of_record(last.body.as_bytes(), &last.program),
                records: seen.records,
                hosts: seen.hosts,
                first: seen.first_ns,
                last: seen.last_ns,
                severity: seen.severity,
                program: last.program.clone(),
                class: last.class.clone(),
                ask: format!("{{Template = {}}}", seen.template),
            })
        };
        Ok(seen.iter().filter_map(row).collect())
    }
}
