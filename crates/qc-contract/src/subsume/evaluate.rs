//! Whether a formula holds for a value.

use std::cell::Cell;
use std::collections::HashSet;

use serde_json::Value;

use super::decimal::Decimal;
use super::formula::{Formula, Formulas, Id, Kind};

/// Deepest evaluation, and most formulas looked at in one.
const DEPTH_LIMIT: u32 = 200;
const WORK_LIMIT: u32 = 100_000;

impl Formulas {
    /// `None` when it cannot be told, because something in it is not understood.
    pub(super) fn holds(&self, id: Id, value: &Value) -> Option<bool> {
        self.holds_within(id, value, 0, &Cell::new(0))
    }

    fn holds_within(&self, id: Id, value: &Value, depth: u32, work: &Cell<u32>) -> Option<bool> {
        work.set(work.get() + 1);
        if depth > DEPTH_LIMIT || work.get() > WORK_LIMIT {
            return None;
        }
        let inner = |id: &Id, value: &Value| self.holds_within(*id, value, depth + 1, work);
        match self.get(id) {
            Formula::True => Some(true),
            Formula::False => Some(false),
            Formula::All(parts) => every(parts.iter().map(|part| inner(part, value))),
            Formula::Any(parts) => some(parts.iter().map(|part| inner(part, value))),
            Formula::Not(part) => inner(part, value).map(|holds| !holds),
            Formula::Defined(at) => {
                let body = self.definitions.get(*at).copied().flatten()?;
                inner(&body, value)
            }
            Formula::Kinds(kinds) => Some(kinds.holds(Kind::of(value))),
            Formula::Opaque(kinds, _) => (!kinds.holds(Kind::of(value))).then_some(true),
            other => self.about(other, value, depth, work),
        }
    }

    fn about(
        &self,
        formula: &Formula,
        value: &Value,
        depth: u32,
        work: &Cell<u32>,
    ) -> Option<bool> {
        match (formula, value) {
            (Formula::Truth(wanted), Value::Bool(truth)) => Some(wanted == truth),
            (Formula::TextIn(words), Value::String(text)) => Some(words.contains(text)),
            (Formula::LengthLeast(least), Value::String(text)) => {
                Some(text.chars().count() as u64 >= *least)
            }
            (Formula::LengthMost(most), Value::String(text)) => {
                Some(text.chars().count() as u64 <= *most)
            }
            (Formula::Pattern(at), Value::String(text)) => {
                self.automaton(*at).map(|automaton| automaton.matches(text))
            }
            (_, Value::Number(number)) => about_number(formula, Decimal::of(number)),
            (_, Value::Array(items)) => self.about_items(formula, items, depth, work),
            (Formula::FieldsLeast(least), Value::Object(map)) => Some(map.len() as u64 >= *least),
            (Formula::FieldsMost(most), Value::Object(map)) => Some(map.len() as u64 <= *most),
            (Formula::Every(names, wanted), Value::Object(map)) => {
                every(map.iter().map(|(name, value)| {
                    let named =
                        self.holds_within(*names, &Value::from(name.as_str()), depth + 1, work);
                    let fits = self.holds_within(*wanted, value, depth + 1, work);
                    some([named.map(|named| !named), fits])
                }))
            }
            (Formula::Some(names, wanted), Value::Object(map)) => {
                some(map.iter().map(|(name, value)| {
                    let named =
                        self.holds_within(*names, &Value::from(name.as_str()), depth + 1, work);
                    every([named, self.holds_within(*wanted, value, depth + 1, work)])
                }))
            }
            (other, _) => Some(!is_existential(other)),
        }
    }

    fn about_items(
        &self,
        formula: &Formula,
        items: &[Value],
        depth: u32,
        work: &Cell<u32>,
    ) -> Option<bool> {
        let fits = |id: &Id, value: &Value| self.holds_within(*id, value, depth + 1, work);
        match formula {
            Formula::ItemsLeast(least) => Some(items.len() as u64 >= *least),
            Formula::ItemsMost(most) => Some(items.len() as u64 <= *most),
            Formula::At(at, wanted) => items.get(*at).map_or(Some(true), |item| fits(wanted, item)),
            Formula::Has(at, wanted) => {
                items.get(*at).map_or(Some(false), |item| fits(wanted, item))
            }
            Formula::From(from, wanted) => {
                every(items.iter().skip(*from).map(|item| fits(wanted, item)))
            }
            Formula::Exists(from, wanted) => {
                some(items.iter().skip(*from).map(|item| fits(wanted, item)))
            }
            Formula::AtMost(most, wanted) => self
                .counted(items, *wanted, most.saturating_add(1), depth, work)
                .map(|enough| !enough),
            Formula::AtLeast(least, wanted) => self.counted(items, *wanted, *least, depth, work),
            Formula::Unique => {
                let mut seen = HashSet::new();
                Some(items.iter().all(|item| seen.insert(spelling(item))))
            }
            other => Some(!is_existential(other)),
        }
    }

    /// Whether at least so many items satisfy.
    fn counted(
        &self,
        items: &[Value],
        wanted: Id,
        least: u64,
        depth: u32,
        work: &Cell<u32>,
    ) -> Option<bool> {
        let (mut sure, mut open) = (0, 0);
        for item in items {
            match self.holds_within(wanted, item, depth + 1, work) {
                Some(true) => sure += 1,
                None => open += 1,
                Some(false) => {}
            }
        }
        if sure >= least {
            return Some(true);
        }
        (sure + open < least).then_some(false)
    }
}

fn about_number(formula: &Formula, number: Option<Decimal>) -> Option<bool> {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let compared = |limit: &Decimal| number?.compare(*limit);
    match formula {
        Formula::Least(limit, open) => {
            compared(limit).map(|order| order == Greater || (order == Equal && !open))
        }
        Formula::Most(limit, open) => {
            compared(limit).map(|order| order == Less || (order == Equal && !open))
        }
        Formula::MultipleOf(step) => {
            let number = number?;
            let is_plain = step.divides_alike() || number == *step || number == Decimal::ZERO;
            number.is_multiple_of(*step).filter(|is_multiple| is_plain || !is_multiple)
        }
        Formula::NumberIn(options) => number.map(|number| options.contains(&number)),
        other => Some(!is_existential(other)),
    }
}

/// Statements that are false about values of another kind.
pub(super) fn is_existential(formula: &Formula) -> bool {
    matches!(
        formula,
        Formula::TextIn(_)
            | Formula::NumberIn(_)
            | Formula::Has(..)
            | Formula::Exists(..)
            | Formula::AtLeast(..)
            | Formula::Some(..)
    )
}

/// A value's text, the same for equal values: numbers by their value, fields in order.
fn spelling(value: &Value) -> String {
    match value {
        Value::Number(number) => match Decimal::of(number) {
            Some(decimal) => format!("{decimal:?}"),
            None => number.to_string(),
        },
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(spelling).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(map) => {
            let mut fields: Vec<String> = map
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), spelling(value)))
                .collect();
            fields.sort_unstable();
            format!("{{{}}}", fields.join(","))
        }
        other => other.to_string(),
    }
}

fn every(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            None => all = None,
            Some(true) => {}
        }
    }
    all
}

fn some(parts: impl IntoIterator<Item = Option<bool>>) -> Option<bool> {
    every(parts.into_iter().map(|part| part.map(|holds| !holds))).map(|none| !none)
}
