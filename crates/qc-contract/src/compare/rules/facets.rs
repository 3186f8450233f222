//! Rules about single keywords of schemas: one for each keyword, way and turn.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::{Area, Level, Rule};
use crate::mismatch::Direction;

/// What of a schema changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) enum Facet {
    Type,
    Nullable,
    Enum,
    Minimum,
    Maximum,
    MultipleOf,
    MinLength,
    MaxLength,
    Pattern,
    Format,
    MinItems,
    MaxItems,
    UniqueItems,
    Tuple,
    Contains,
    MinProperties,
    MaxProperties,
    AdditionalProperties,
    PatternProperties,
    PropertyNames,
    Dependencies,
    Unevaluated,
    Condition,
    Not,
    Union,
    ContentEncoding,
    ContentSchema,
}

/// Whether less or more is admitted than before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Less.
    Narrowed,
    /// More.
    Widened,
    /// Something else, or nobody can prove which.
    Changed,
}

/// Each facet, its word in ids, and how a sentence calls it.
const FACETS: [(Facet, &str, &str); 27] = [
    (Facet::Type, "type", "the type"),
    (Facet::Nullable, "null", "whether null is admitted"),
    (Facet::Enum, "enum", "the listed values"),
    (Facet::Minimum, "minimum", "the least number"),
    (Facet::Maximum, "maximum", "the greatest number"),
    (Facet::MultipleOf, "multiple-of", "the step of numbers"),
    (Facet::MinLength, "min-length", "the least length of a text"),
    (Facet::MaxLength, "max-length", "the greatest length of a text"),
    (Facet::Pattern, "pattern", "the pattern of a text"),
    (Facet::Format, "format", "the format"),
    (Facet::MinItems, "min-items", "the least number of items"),
    (Facet::MaxItems, "max-items", "the greatest number of items"),
    (Facet::UniqueItems, "unique-items", "whether items may repeat"),
    (Facet::Tuple, "tuple", "the schemas of the first items"),
    (Facet::Contains, "contains", "which items a list must contain"),
    (Facet::MinProperties, "min-properties", "the least number of properties"),
    (Facet::MaxProperties, "max-properties", "the greatest number of properties"),
    (
        Facet::AdditionalProperties,
        "additional-properties",
        "what properties there may be besides the named ones",
    ),
    (Facet::PatternProperties, "pattern-properties", "the schemas of properties by pattern"),
    (Facet::PropertyNames, "property-names", "how properties may be named"),
    (Facet::Dependencies, "dependencies", "which properties need others"),
    (Facet::Unevaluated, "unevaluated", "what is left over and may be there"),
    (Facet::Condition, "condition", "what holds under a condition (`if`, `then`, `else`)"),
    (Facet::Not, "not", "what is ruled out"),
    (Facet::Union, "union", "the alternatives"),
    (Facet::ContentEncoding, "content-encoding", "how a text encodes its content"),
    (Facet::ContentSchema, "content-schema", "the schema of the content of a text"),
];

const TURNS: [(Turn, &str); 3] =
    [(Turn::Narrowed, "narrowed"), (Turn::Widened, "widened"), (Turn::Changed, "changed")];

impl Facet {
    /// The rule of this facet.
    pub(crate) fn rule(self, way: Direction, turn: Turn) -> &'static Rule {
        let ways = usize::from(way != Direction::Request);
        let turn = match turn {
            Turn::Narrowed => 0,
            Turn::Widened => 1,
            Turn::Changed => 2,
        };
        let facet = FACETS.iter().position(|(facet, ..)| *facet == self).unwrap_or_default();
        &ALL[(facet * 2 + ways) * TURNS.len() + turn]
    }

    /// How a sentence calls it.
    pub(crate) fn noun(self) -> &'static str {
        FACETS.iter().find(|(facet, ..)| *facet == self).map_or("", |(_, _, noun)| noun)
    }
}

pub(super) fn rows() -> impl Iterator<Item = &'static Rule> {
    ALL.iter()
}

static ALL: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for (facet, word, noun) in FACETS {
        for way in [Direction::Request, Direction::Response] {
            for (turn, ending) in TURNS {
                rules.push(made(facet, word, noun, way, turn, ending));
            }
        }
    }
    rules
});

fn made(facet: Facet, word: &str, noun: &str, way: Direction, turn: Turn, ending: &str) -> Rule {
    let (prefix, explanation, action) = match (way, turn) {
        (Direction::Request, Turn::Narrowed) => (
            "request",
            format!(
                "Requests: less is admitted by {noun}; what was accepted before may be refused."
            ),
            "Send only what the new contract admits.",
        ),
        (Direction::Request, Turn::Widened) => (
            "request",
            format!("Requests: more is admitted by {noun}; what was accepted before still is."),
            "Nothing; the wider values may be sent.",
        ),
        (Direction::Request, Turn::Changed) => (
            "request",
            format!(
                "Requests: other than before is admitted by {noun}; what was accepted may be refused."
            ),
            "Compare what is sent with the new contract.",
        ),
        (Direction::Response, Turn::Narrowed) => (
            "response",
            format!(
                "Answers: less is admitted by {noun}; nothing comes that could not come before."
            ),
            "Nothing; what can no longer come need not be handled.",
        ),
        (Direction::Response, Turn::Widened) => (
            "response",
            format!(
                "Answers: more is admitted by {noun}; something may come that could not come before."
            ),
            "Handle what may come now before the new version is used.",
        ),
        (Direction::Response, Turn::Changed) => (
            "response",
            format!(
                "Answers: other than before is admitted by {noun}; something may come that could not come before."
            ),
            "Compare what is read with the new contract.",
        ),
    };
    Rule {
        id: Cow::Owned(format!("{prefix}-{word}-{ending}")),
        direction: Some(way),
        area: Area::Schemas,
        level: level(facet, way, turn),
        explanation: Cow::Owned(explanation),
        action: Cow::Borrowed(action),
    }
}

/// By subsumption; except where what is exchanged in the wild differs from what schemas say.
fn level(facet: Facet, way: Direction, turn: Turn) -> Level {
    match (facet, way, turn) {
        // A value that is new in a list breaks readers that know all values; tolerant ones are asked for everywhere.
        (Facet::Enum, Direction::Response, Turn::Widened) => Level::Risky,
        (_, Direction::Request, Turn::Narrowed) | (_, Direction::Response, Turn::Widened) => {
            Level::Breaking
        }
        (_, Direction::Request, Turn::Widened) | (_, Direction::Response, Turn::Narrowed) => {
            Level::Additive
        }
        (Facet::Type | Facet::Format | Facet::ContentEncoding, _, Turn::Changed) => Level::Breaking,
        (_, _, Turn::Changed) => Level::Risky,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_finds_its_own_rule() {
        let rule = Facet::Union.rule(Direction::Response, Turn::Widened);
        assert_eq!((&*rule.id, rule.level), ("response-union-widened", Level::Breaking));
        let rule = Facet::Type.rule(Direction::Request, Turn::Changed);
        assert_eq!(&*rule.id, "request-type-changed");
    }
}
