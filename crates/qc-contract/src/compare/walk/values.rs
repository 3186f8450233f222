//! Listed values (`enum`, `const`), over all alternatives: `oneOf` of constants is a list as well.

use qc_document::Node;

use super::super::found::{Found, Said, shortened, shown};
use super::super::rules::{Facet, Level, Turn};
use super::super::shape::{Kinds, Types, same_value};
use super::super::side::Spot;
use super::{Context, Pair};
use crate::mismatch::Direction;

/// Scalars of a schema when all of them are listed.
struct Listed<'d> {
    values: Vec<&'d Node>,
    spot: Spot<'d>,
}

fn listed<'d>(kinds: &Kinds<'d>) -> Option<Listed<'d>> {
    let scalars = Types::BOOLEAN.or(Types::NUMBER).or(Types::STRING);
    let mut listed: Option<Listed<'d>> = None;
    for one in kinds.alternatives.iter().filter(|one| one.flat.types.has(scalars)) {
        let held = one.facets.values.as_ref()?;
        let listed = listed.get_or_insert(Listed { values: Vec::new(), spot: held.spot });
        for value in &held.value {
            let is_scalar = value.as_mapping().is_none() && value.as_sequence().is_none();
            let is_new = !listed.values.iter().any(|known| same_value(known, value));
            if is_scalar && !value.is_null() && is_new {
                listed.values.push(value);
            }
        }
    }
    listed
}

/// Compares the lists. Whether scalars are compared by that.
pub(super) fn compare_values<'d>(
    old: &Kinds<'d>,
    new: &Kinds<'d>,
    context: Context,
    around: (Spot<'d>, Spot<'d>),
    pair: &mut Pair<'d>,
) -> bool {
    let scalars = Types::BOOLEAN.or(Types::NUMBER).or(Types::STRING).or(Types::OTHER);
    if !old.types.has(scalars) || !new.types.has(scalars) {
        return false;
    }
    let rule = |turn: Turn| Facet::Enum.rule(context.way, turn);
    match (listed(old), listed(new)) {
        (None, None) => return false,
        (None, Some(list)) => {
            let message = format!("only listed values are admitted now: {}", all(&list.values));
            let sides = (Said::absent(around.0), Said::value(list.spot));
            pair.push(Found::new(rule(Turn::Narrowed), sides.0, sides.1, message));
        }
        (Some(list), None) => {
            let sides = (Said::value(list.spot), Said::absent(around.1));
            let message = "other values than the listed ones are admitted now";
            pair.push(Found::new(rule(Turn::Widened), sides.0, sides.1, message));
        }
        (Some(one), Some(other)) => {
            let lost = missing(&one.values, &other.values);
            let gained = missing(&other.values, &one.values);
            let sides = || (Said::value(one.spot), Said::value(other.spot));
            if !lost.is_empty() {
                let message = format!("no longer admitted: {}", all(&lost));
                pair.push(Found::new(rule(Turn::Narrowed), sides().0, sides().1, message));
            }
            if !gained.is_empty() {
                let message = format!("admitted now: {}", all(&gained));
                let found = Found::new(rule(Turn::Widened), sides().0, sides().1, message);
                // Where none of the old values is left, no reader is tolerant enough.
                let is_replaced =
                    lost.len() == one.values.len() && context.way == Direction::Response;
                pair.push(if is_replaced { found.weighing(Level::Breaking) } else { found });
            }
        }
    }
    true
}

fn missing<'d>(of: &[&'d Node], within: &[&'d Node]) -> Vec<&'d Node> {
    let is_there = |value: &Node| within.iter().any(|other| same_value(value, other));
    of.iter().filter(|value| !is_there(value)).copied().collect()
}

fn all(values: &[&Node]) -> String {
    let texts: Vec<String> = values.iter().map(|value| format!("`{}`", shown(value))).collect();
    shortened(&texts.join(", "))
}
