//! Rules about schemas beyond single keywords.

use super::{Area, Level, Rule};
use crate::mismatch::Direction;

pub(super) const ROWS: [&Rule; 35] = [
    &REQUEST_PROPERTY_ADDED_REQUIRED,
    &REQUEST_PROPERTY_ADDED_OPTIONAL,
    &REQUEST_PROPERTY_REMOVED,
    &REQUEST_PROPERTY_REFUSED,
    &REQUEST_PROPERTY_BECAME_REQUIRED,
    &REQUEST_PROPERTY_BECAME_REQUIRED_WITH_DEFAULT,
    &REQUEST_PROPERTY_BECAME_OPTIONAL,
    &REQUEST_PROPERTY_BECAME_READ_ONLY,
    &REQUEST_PROPERTY_BECAME_WRITABLE,
    &REQUEST_DEFAULT_CHANGED,
    &REQUEST_ONE_OF_AMBIGUOUS,
    &RESPONSE_PROPERTY_REMOVED,
    &RESPONSE_OPTIONAL_PROPERTY_REMOVED,
    &RESPONSE_PROPERTY_ADDED,
    &RESPONSE_PROPERTY_ADDED_TO_CLOSED,
    &RESPONSE_PROPERTY_BECAME_OPTIONAL,
    &RESPONSE_PROPERTY_BECAME_REQUIRED,
    &RESPONSE_PROPERTY_BECAME_WRITE_ONLY,
    &RESPONSE_PROPERTY_BECAME_READABLE,
    &RESPONSE_DEFAULT_CHANGED,
    &DISCRIMINATOR_PROPERTY_CHANGED,
    &DISCRIMINATOR_ADDED,
    &DISCRIMINATOR_REMOVED,
    &DISCRIMINATOR_VALUE_REMOVED,
    &DISCRIMINATOR_VALUE_ADDED,
    &XML_CHANGED,
    &CONDITION_WITHOUT_EFFECT,
    &SCHEMA_CONTRADICTORY,
    &VOCABULARY_CHANGED,
    &SCHEMA_INCOMPATIBLE,
    &SCHEMA_UNPROVEN,
    &SCHEMA_REMOVED,
    &SCHEMA_ADDED,
    &SCHEMA_UNUSED_CHANGED,
    &SCHEMA_TEXT_CHANGED,
];

pub(crate) static REQUEST_PROPERTY_ADDED_REQUIRED: Rule = Rule::row(
    "request-property-added-required",
    Some(Direction::Request),
    Area::Schemas,
    Level::Breaking,
    "A property has to be sent that did not exist.",
    "Send it with every request.",
);
pub(crate) static REQUEST_PROPERTY_ADDED_OPTIONAL: Rule = Rule::row(
    "request-property-added-optional",
    Some(Direction::Request),
    Area::Schemas,
    Level::Additive,
    "There is a property that need not be sent.",
    "Nothing; it may be sent.",
);
pub(crate) static REQUEST_PROPERTY_REMOVED: Rule = Rule::row(
    "request-property-removed",
    Some(Direction::Request),
    Area::Schemas,
    Level::Breaking,
    "A property is no longer described: what it did is not done any more, though it is not refused.",
    "Do without it.",
);
pub(crate) static REQUEST_PROPERTY_REFUSED: Rule = Rule::row(
    "request-property-refused",
    Some(Direction::Request),
    Area::Schemas,
    Level::Breaking,
    "A property is no longer described and no others than those described are admitted: it is refused.",
    "Stop sending it.",
);
pub(crate) static REQUEST_PROPERTY_BECAME_REQUIRED: Rule = Rule::row(
    "request-property-became-required",
    Some(Direction::Request),
    Area::Schemas,
    Level::Breaking,
    "A property that could be left out has to be sent.",
    "Send it always.",
);
pub(crate) static REQUEST_PROPERTY_BECAME_REQUIRED_WITH_DEFAULT: Rule = Rule::row(
    "request-property-became-required-with-default",
    Some(Direction::Request),
    Area::Schemas,
    Level::Risky,
    "A property that has a default has to be sent: servers that check first and fill in later refuse its absence.",
    "Send it always.",
);
pub(crate) static REQUEST_PROPERTY_BECAME_OPTIONAL: Rule = Rule::row(
    "request-property-became-optional",
    Some(Direction::Request),
    Area::Schemas,
    Level::Additive,
    "A property that had to be sent can be left out.",
    "Nothing; it may be left out.",
);
pub(crate) static REQUEST_PROPERTY_BECAME_READ_ONLY: Rule = Rule::row(
    "request-property-became-read-only",
    Some(Direction::Request),
    Area::Schemas,
    Level::Risky,
    "A property is no longer taken from requests.",
    "Set it in another way, if there is one.",
);
pub(crate) static REQUEST_PROPERTY_BECAME_WRITABLE: Rule = Rule::row(
    "request-property-became-writable",
    Some(Direction::Request),
    Area::Schemas,
    Level::Additive,
    "A property that was read only is taken from requests.",
    "Nothing; it may be sent.",
);
pub(crate) static REQUEST_DEFAULT_CHANGED: Rule = Rule::row(
    "request-default-changed",
    Some(Direction::Request),
    Area::Schemas,
    Level::Additive,
    "What is assumed when a part of a body is left out is another, is said now or no longer is.",
    "Send the old default where it is meant.",
);
pub(crate) static REQUEST_ONE_OF_AMBIGUOUS: Rule = Rule::row(
    "request-one-of-ambiguous",
    Some(Direction::Request),
    Area::Schemas,
    Level::Breaking,
    "What was accepted satisfies several alternatives of a `oneOf` now, of which it may satisfy only one.",
    "Send what tells the alternatives apart.",
);
pub(crate) static RESPONSE_PROPERTY_REMOVED: Rule = Rule::row(
    "response-property-removed",
    Some(Direction::Response),
    Area::Schemas,
    Level::Breaking,
    "A property that always came is gone.",
    "Do without it.",
);
pub(crate) static RESPONSE_OPTIONAL_PROPERTY_REMOVED: Rule = Rule::row(
    "response-optional-property-removed",
    Some(Direction::Response),
    Area::Schemas,
    Level::Risky,
    "A property that could be missing is gone.",
    "Do without it.",
);
pub(crate) static RESPONSE_PROPERTY_ADDED: Rule = Rule::row(
    "response-property-added",
    Some(Direction::Response),
    Area::Schemas,
    Level::Additive,
    "A property comes that was not described.",
    "See that unknown properties are ignored.",
);
pub(crate) static RESPONSE_PROPERTY_ADDED_TO_CLOSED: Rule = Rule::row(
    "response-property-added-to-closed",
    Some(Direction::Response),
    Area::Schemas,
    Level::Risky,
    "A property comes where the old schema admitted no others: readers that check strictly refuse it.",
    "Check answers by the new schema.",
);
pub(crate) static RESPONSE_PROPERTY_BECAME_OPTIONAL: Rule = Rule::row(
    "response-property-became-optional",
    Some(Direction::Response),
    Area::Schemas,
    Level::Breaking,
    "A property that always came may be missing.",
    "Handle its absence.",
);
pub(crate) static RESPONSE_PROPERTY_BECAME_REQUIRED: Rule = Rule::row(
    "response-property-became-required",
    Some(Direction::Response),
    Area::Schemas,
    Level::Additive,
    "A property that could be missing always comes.",
    "Nothing; it may be relied on.",
);
pub(crate) static RESPONSE_PROPERTY_BECAME_WRITE_ONLY: Rule = Rule::row(
    "response-property-became-write-only",
    Some(Direction::Response),
    Area::Schemas,
    Level::Risky,
    "A property no longer comes in answers.",
    "Do without it in answers.",
);
pub(crate) static RESPONSE_PROPERTY_BECAME_READABLE: Rule = Rule::row(
    "response-property-became-readable",
    Some(Direction::Response),
    Area::Schemas,
    Level::Additive,
    "A property that was write only comes in answers.",
    "Nothing; it may be read.",
);
pub(crate) static RESPONSE_DEFAULT_CHANGED: Rule = Rule::row(
    "response-default-changed",
    Some(Direction::Response),
    Area::Schemas,
    Level::Cosmetic,
    "A default in an answer is another; what comes is not affected.",
    "Nothing; defaults are for what is sent.",
);
pub(crate) static DISCRIMINATOR_PROPERTY_CHANGED: Rule = Rule::row(
    "discriminator-property-changed",
    None,
    Area::Schemas,
    Level::Breaking,
    "Alternatives are told apart by another property.",
    "Read and write the new property.",
);
pub(crate) static DISCRIMINATOR_ADDED: Rule = Rule::row(
    "discriminator-added",
    None,
    Area::Schemas,
    Level::Risky,
    "Alternatives are told apart by a property now.",
    "See that the property is written and read.",
);
pub(crate) static DISCRIMINATOR_REMOVED: Rule = Rule::row(
    "discriminator-removed",
    None,
    Area::Schemas,
    Level::Risky,
    "Alternatives are no longer told apart by a property.",
    "Tell them apart in another way.",
);
pub(crate) static DISCRIMINATOR_VALUE_REMOVED: Rule = Rule::row(
    "discriminator-value-removed",
    None,
    Area::Schemas,
    Level::Risky,
    "A value of a discriminator no longer names an alternative, or names another.",
    "Write and read the new values.",
);
pub(crate) static DISCRIMINATOR_VALUE_ADDED: Rule = Rule::row(
    "discriminator-value-added",
    None,
    Area::Schemas,
    Level::Additive,
    "A value of a discriminator names an alternative that it did not.",
    "Nothing; the old values mean what they did.",
);
pub(crate) static XML_CHANGED: Rule = Rule::row(
    "xml-changed",
    None,
    Area::Schemas,
    Level::Breaking,
    "The way in which a value is written as XML is another.",
    "Read and write the new form.",
);
pub(crate) static CONDITION_WITHOUT_EFFECT: Rule = Rule::row(
    "condition-without-effect",
    None,
    Area::Schemas,
    Level::Risky,
    "An `if` without `then` and `else`, or one of those without `if`, changed: it restricts nothing, and was surely meant to.",
    "Ask the provider what was meant.",
);
pub(crate) static SCHEMA_CONTRADICTORY: Rule = Rule::row(
    "schema-contradictory",
    None,
    Area::Schemas,
    Level::Risky,
    "A schema that nothing satisfies changed: what was meant cannot be told from it.",
    "Ask the provider what was meant.",
);
pub(crate) static VOCABULARY_CHANGED: Rule = Rule::row(
    "vocabulary-changed",
    None,
    Area::Schemas,
    Level::Risky,
    "The vocabularies that a schema demands are others: validators may refuse it or read it otherwise.",
    "See that the validator that is used knows the vocabularies.",
);
pub(crate) static SCHEMA_INCOMPATIBLE: Rule = Rule::row(
    "schema-incompatible",
    None,
    Area::Schemas,
    Level::Breaking,
    "There is a value that one version admits and the other does not.",
    "See the value that is given, and the other findings.",
);
pub(crate) static SCHEMA_UNPROVEN: Rule = Rule::row(
    "schema-unproven",
    None,
    Area::Schemas,
    Level::Risky,
    "Whether the versions are compatible could not be proven.",
    "Compare the two by hand.",
);
pub(crate) static SCHEMA_REMOVED: Rule = Rule::row(
    "schema-removed",
    None,
    Area::Schemas,
    Level::Breaking,
    "A named schema is gone from a document that describes nothing but schemas.",
    "Do without it.",
);
pub(crate) static SCHEMA_ADDED: Rule = Rule::row(
    "schema-added",
    None,
    Area::Schemas,
    Level::Additive,
    "There is a named schema that was not.",
    "Nothing; it may be used.",
);
pub(crate) static SCHEMA_UNUSED_CHANGED: Rule = Rule::row(
    "schema-unused-changed",
    None,
    Area::Schemas,
    Level::Cosmetic,
    "A named part that no operation uses was added, removed or changed.",
    "Nothing; no operation uses it.",
);
pub(crate) static SCHEMA_TEXT_CHANGED: Rule = Rule::row(
    "schema-text-changed",
    None,
    Area::Schemas,
    Level::Cosmetic,
    "The title, the description, the examples or other words about a schema changed.",
    "Nothing; only texts changed.",
);
