//! Which events: strategies, filters, correlations.

use qc_document::{Node, ObjectReader, Reader};

use super::{
    Correlation, EventFilter, Mode, Strategy, Text, Until,
    fields::{optional_text, required_text, text, unsupported},
};
use crate::codes;

/// Most filters in one strategy.
const FILTER_LIMIT: usize = 64;

/// Where a strategy stands: some places take less than others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// `listen.to`.
    Listen,
    /// `until` of a strategy.
    Until,
    /// `schedule.on`.
    Schedule,
}

/// Reads a strategy: `one`, `any` (with `until`) or `all`.
pub(super) fn strategy(reader: &Reader<'_>, node: &Node, what: &str, at: At) -> Option<Strategy> {
    let mut fields = reader.object(node, what)?;
    let found = fields.exactly_one(&["all", "any", "one"]);
    let until = fields.entry("until");
    fields.finish();
    let (word, node) = found?;
    let (mode, filters) = match word {
        "one" => (Mode::One, vec![filter(reader, node, "`one`")]),
        "any" => (Mode::Any, filters(reader, node, "`any`")?),
        _ => (Mode::All, filters(reader, node, "`all`")?),
    };
    if mode == Mode::All && filters.is_empty() {
        let help = "name the events that are needed";
        reader.push(reader.error(codes::EVENT_FILTER, node.span, "`all` has no filter").help(help));
        return None;
    }
    let until = match until {
        None => None,
        Some((key, _)) if mode != Mode::Any => {
            let message = format!("`until` has no meaning beside `{word}`");
            let help = "`until` ends an `any`; remove it, or listen to `any`";
            reader.push(reader.error(codes::EVENT_FILTER, key.span, message).help(help));
            return None;
        }
        Some((key, _)) if at != At::Listen => {
            let feature = if at == At::Until { "until within until" } else { "schedule.on.until" };
            let help = "a workflow can `listen` to further events itself";
            unsupported(reader, key.span, feature, help);
            return None;
        }
        Some((_, node)) => Some(until_of(reader, node)?),
    };
    let filters: Option<Vec<EventFilter>> = filters.into_iter().collect();
    Some(Strategy { mode, filters: filters?, until })
}

fn until_of(reader: &Reader<'_>, node: &Node) -> Option<Until> {
    if node.as_str().is_some() {
        return text(node).map(Until::Condition);
    }
    let inner = strategy(reader, node, "`until`", At::Until)?;
    Some(Until::Events(Box::new(inner)))
}

fn filters(reader: &Reader<'_>, node: &Node, what: &str) -> Option<Vec<Option<EventFilter>>> {
    let items = reader.list(node, what)?;
    if items.len() > FILTER_LIMIT {
        let message = format!("{what} has {} filters; {FILTER_LIMIT} are the most", items.len());
        reader.report(codes::EVENT_FILTER, node.span, message);
        return None;
    }
    Some(items.iter().map(|item| filter(reader, item, "the event filter")).collect())
}

fn filter(reader: &Reader<'_>, node: &Node, what: &str) -> Option<EventFilter> {
    let mut fields = reader.object(node, what)?;
    let with = fields.required("with").and_then(|node| properties(reader, node));
    let correlate: Vec<Option<Correlation>> = fields
        .named_objects("correlate")
        .into_iter()
        .map(|(name, inner)| correlation(Text { text: name.name.clone(), span: name.span }, inner))
        .collect();
    fields.finish();
    let mut correlate: Vec<Correlation> = correlate.into_iter().collect::<Option<_>>()?;
    // The order of the names is the order of the values in a correlation's key.
    correlate.sort_by(|a, b| a.name.text.cmp(&b.name.text));
    Some(EventFilter { properties: with?, correlate })
}

fn correlation(name: Text, mut inner: ObjectReader<'_, '_>) -> Option<Correlation> {
    let from = required_text(&mut inner, "from");
    let expect = optional_text(&mut inner, "expect");
    inner.finish();
    Some(Correlation { name, from: from?, expect })
}

fn properties(reader: &Reader<'_>, node: &Node) -> Option<Vec<(Text, Node)>> {
    let entries = reader.entries(node, "`with`")?;
    if entries.is_empty() {
        let help = "name at least one property, such as `type`; `any: []` takes every event";
        reader.push(
            reader.error(codes::EVENT_FILTER, node.span, "`with` names no property").help(help),
        );
        return None;
    }
    let mut sound = true;
    let mut found = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let attribute = !key.name.is_empty()
            && key.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !attribute {
            let message = format!("`{}` cannot be the name of an event's attribute", key.name);
            let help = "attributes of CloudEvents have names of small letters and digits";
            reader.push(reader.error(codes::EVENT_FILTER, key.span, message).help(help));
            sound = false;
        }
        found.push((Text { text: key.name.clone(), span: key.span }, value.clone()));
    }
    sound.then_some(found)
}
