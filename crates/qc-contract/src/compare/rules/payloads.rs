//! Rules about parameters, bodies, answers and headers.

use super::{Area, Level, Rule};
use crate::mismatch::Direction;

pub(super) const ROWS: [&Rule; 46] = [
    &PARAMETER_ADDED_REQUIRED,
    &PARAMETER_ADDED_OPTIONAL,
    &PARAMETER_REMOVED,
    &PARAMETER_MOVED,
    &PARAMETER_BECAME_REQUIRED,
    &PARAMETER_BECAME_OPTIONAL,
    &PARAMETER_DEFAULT_CHANGED,
    &PARAMETER_DEFAULT_REMOVED,
    &PARAMETER_DEFAULT_ADDED,
    &PARAMETER_STYLE_CHANGED,
    &PARAMETER_MEDIA_TYPE_CHANGED,
    &PARAMETER_RESERVED_REFUSED,
    &PARAMETER_RESERVED_ALLOWED,
    &PARAMETER_EMPTY_REFUSED,
    &PARAMETER_EMPTY_ALLOWED,
    &PARAMETER_TEXT_CHANGED,
    &REQUEST_BODY_ADDED_REQUIRED,
    &REQUEST_BODY_ADDED_OPTIONAL,
    &REQUEST_BODY_REMOVED,
    &REQUEST_BODY_BECAME_REQUIRED,
    &REQUEST_BODY_BECAME_OPTIONAL,
    &REQUEST_BODY_TEXT_CHANGED,
    &REQUEST_MEDIA_TYPE_REMOVED,
    &REQUEST_MEDIA_TYPE_ADDED,
    &REQUEST_SCHEMA_ADDED,
    &REQUEST_SCHEMA_REMOVED,
    &REQUEST_ENCODING_CHANGED,
    &RESPONSE_SUCCESS_REMOVED,
    &RESPONSE_SUCCESS_ADDED,
    &RESPONSE_ERROR_REMOVED,
    &RESPONSE_ERROR_ADDED,
    &RESPONSE_DEFAULT_REMOVED,
    &RESPONSE_TEXT_CHANGED,
    &RESPONSE_BODY_ADDED,
    &RESPONSE_BODY_REMOVED,
    &RESPONSE_MEDIA_TYPE_REMOVED,
    &RESPONSE_MEDIA_TYPE_ADDED,
    &RESPONSE_SCHEMA_ADDED,
    &RESPONSE_SCHEMA_REMOVED,
    &RESPONSE_HEADER_REMOVED,
    &RESPONSE_HEADER_ADDED,
    &RESPONSE_HEADER_BECAME_OPTIONAL,
    &RESPONSE_HEADER_BECAME_REQUIRED,
    &RESPONSE_HEADER_STYLE_CHANGED,
    &RESPONSE_HEADER_TEXT_CHANGED,
    &ERROR_FORMAT_CHANGED,
];

pub(crate) static PARAMETER_ADDED_REQUIRED: Rule = Rule::row(
    "parameter-added-required",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "A parameter has to be sent that did not exist.",
    "Send it with every request.",
);
pub(crate) static PARAMETER_ADDED_OPTIONAL: Rule = Rule::row(
    "parameter-added-optional",
    Some(Direction::Request),
    Area::Parameters,
    Level::Additive,
    "There is a parameter that need not be sent.",
    "Nothing; it may be sent.",
);
pub(crate) static PARAMETER_REMOVED: Rule = Rule::row(
    "parameter-removed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "A parameter is gone: what it did is not done any more, or it is refused.",
    "Do without it.",
);
pub(crate) static PARAMETER_MOVED: Rule = Rule::row(
    "parameter-moved",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "A parameter is expected in another place, such as the header in place of the query.",
    "Send it in the new place.",
);
pub(crate) static PARAMETER_BECAME_REQUIRED: Rule = Rule::row(
    "parameter-became-required",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "A parameter that could be left out has to be sent.",
    "Send it always.",
);
pub(crate) static PARAMETER_BECAME_OPTIONAL: Rule = Rule::row(
    "parameter-became-optional",
    Some(Direction::Request),
    Area::Parameters,
    Level::Additive,
    "A parameter that had to be sent can be left out.",
    "Nothing; it may be left out.",
);
pub(crate) static PARAMETER_DEFAULT_CHANGED: Rule = Rule::row(
    "parameter-default-changed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "What is assumed when a parameter is left out is another: the same request does something else.",
    "Send the old default where it is meant.",
);
pub(crate) static PARAMETER_DEFAULT_REMOVED: Rule = Rule::row(
    "parameter-default-removed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "Nothing is said any more about what is assumed when a parameter is left out.",
    "Send the old default where it is meant.",
);
pub(crate) static PARAMETER_DEFAULT_ADDED: Rule = Rule::row(
    "parameter-default-added",
    Some(Direction::Request),
    Area::Parameters,
    Level::Risky,
    "What is assumed when a parameter is left out is said now; before, nothing was.",
    "See whether the default is what was relied on.",
);
pub(crate) static PARAMETER_STYLE_CHANGED: Rule = Rule::row(
    "parameter-style-changed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "Lists or objects are written into the parameter in another way.",
    "Write them in the new way.",
);
pub(crate) static PARAMETER_MEDIA_TYPE_CHANGED: Rule = Rule::row(
    "parameter-media-type-changed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "The parameter's value is a document of another media type.",
    "Write the value in the new media type.",
);
pub(crate) static PARAMETER_RESERVED_REFUSED: Rule = Rule::row(
    "parameter-reserved-refused",
    Some(Direction::Request),
    Area::Parameters,
    Level::Breaking,
    "Reserved characters have to be escaped in the parameter.",
    "Escape them.",
);
pub(crate) static PARAMETER_RESERVED_ALLOWED: Rule = Rule::row(
    "parameter-reserved-allowed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Additive,
    "Reserved characters may stay bare in the parameter.",
    "Nothing; escaped ones are understood as before.",
);
pub(crate) static PARAMETER_EMPTY_REFUSED: Rule = Rule::row(
    "parameter-empty-refused",
    Some(Direction::Request),
    Area::Parameters,
    Level::Risky,
    "The parameter may no longer be sent without a value.",
    "Send it with a value or not at all.",
);
pub(crate) static PARAMETER_EMPTY_ALLOWED: Rule = Rule::row(
    "parameter-empty-allowed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Additive,
    "The parameter may be sent without a value.",
    "Nothing; it may be.",
);
pub(crate) static PARAMETER_TEXT_CHANGED: Rule = Rule::row(
    "parameter-text-changed",
    Some(Direction::Request),
    Area::Parameters,
    Level::Cosmetic,
    "The description or the examples of a parameter changed.",
    "Nothing; only texts changed.",
);
pub(crate) static REQUEST_BODY_ADDED_REQUIRED: Rule = Rule::row(
    "request-body-added-required",
    Some(Direction::Request),
    Area::Bodies,
    Level::Breaking,
    "A body has to be sent where none was.",
    "Send one with every request.",
);
pub(crate) static REQUEST_BODY_ADDED_OPTIONAL: Rule = Rule::row(
    "request-body-added-optional",
    Some(Direction::Request),
    Area::Bodies,
    Level::Additive,
    "A body may be sent where none was.",
    "Nothing; it may be sent.",
);
pub(crate) static REQUEST_BODY_REMOVED: Rule = Rule::row(
    "request-body-removed",
    Some(Direction::Request),
    Area::Bodies,
    Level::Breaking,
    "The request has no body any more: what was in it is ignored or refused.",
    "Send what was in it in another way.",
);
pub(crate) static REQUEST_BODY_BECAME_REQUIRED: Rule = Rule::row(
    "request-body-became-required",
    Some(Direction::Request),
    Area::Bodies,
    Level::Breaking,
    "The body that could be left out has to be sent.",
    "Send it always.",
);
pub(crate) static REQUEST_BODY_BECAME_OPTIONAL: Rule = Rule::row(
    "request-body-became-optional",
    Some(Direction::Request),
    Area::Bodies,
    Level::Additive,
    "The body that had to be sent can be left out.",
    "Nothing; it may be left out.",
);
pub(crate) static REQUEST_BODY_TEXT_CHANGED: Rule = Rule::row(
    "request-body-text-changed",
    Some(Direction::Request),
    Area::Bodies,
    Level::Cosmetic,
    "The description or the examples of a body changed.",
    "Nothing; only texts changed.",
);
pub(crate) static REQUEST_MEDIA_TYPE_REMOVED: Rule = Rule::row(
    "request-media-type-removed",
    Some(Direction::Request),
    Area::Bodies,
    Level::Breaking,
    "A media type is no longer accepted.",
    "Send one of the media types that are left.",
);
pub(crate) static REQUEST_MEDIA_TYPE_ADDED: Rule = Rule::row(
    "request-media-type-added",
    Some(Direction::Request),
    Area::Bodies,
    Level::Additive,
    "A further media type is accepted.",
    "Nothing; it may be sent.",
);
pub(crate) static REQUEST_SCHEMA_ADDED: Rule = Rule::row(
    "request-schema-added",
    Some(Direction::Request),
    Area::Bodies,
    Level::Breaking,
    "A body of which nothing was said has to satisfy a schema.",
    "See that what is sent satisfies it.",
);
pub(crate) static REQUEST_SCHEMA_REMOVED: Rule = Rule::row(
    "request-schema-removed",
    Some(Direction::Request),
    Area::Bodies,
    Level::Additive,
    "Nothing is said any more about what the body has to satisfy.",
    "Nothing; what was accepted before still is.",
);
pub(crate) static REQUEST_ENCODING_CHANGED: Rule = Rule::row(
    "request-encoding-changed",
    Some(Direction::Request),
    Area::Bodies,
    Level::Risky,
    "The parts of a form are encoded in another way.",
    "Encode them in the new way.",
);
pub(crate) static RESPONSE_SUCCESS_REMOVED: Rule = Rule::row(
    "response-success-removed",
    Some(Direction::Response),
    Area::Responses,
    Level::Breaking,
    "A successful status is no longer answered.",
    "Handle the statuses that are left.",
);
pub(crate) static RESPONSE_SUCCESS_ADDED: Rule = Rule::row(
    "response-success-added",
    Some(Direction::Response),
    Area::Responses,
    Level::Additive,
    "A successful status may be answered that was not.",
    "See that any 2xx status is taken for success.",
);
pub(crate) static RESPONSE_ERROR_REMOVED: Rule = Rule::row(
    "response-error-removed",
    Some(Direction::Response),
    Area::Errors,
    Level::Risky,
    "A status of failure is no longer described: what it meant comes as another one or not at all.",
    "See how the failure is told now.",
);
pub(crate) static RESPONSE_ERROR_ADDED: Rule = Rule::row(
    "response-error-added",
    Some(Direction::Response),
    Area::Errors,
    Level::Additive,
    "A status of failure is described that was not.",
    "See that an unknown status of failure is handled.",
);
pub(crate) static RESPONSE_DEFAULT_REMOVED: Rule = Rule::row(
    "response-default-removed",
    Some(Direction::Response),
    Area::Errors,
    Level::Risky,
    "Nothing is said any more about all other statuses.",
    "Handle the statuses that are described.",
);
pub(crate) static RESPONSE_TEXT_CHANGED: Rule = Rule::row(
    "response-text-changed",
    Some(Direction::Response),
    Area::Responses,
    Level::Cosmetic,
    "The description, the examples or the links of an answer changed.",
    "Nothing; only texts changed.",
);
pub(crate) static RESPONSE_BODY_ADDED: Rule = Rule::row(
    "response-body-added",
    Some(Direction::Response),
    Area::Responses,
    Level::Risky,
    "An answer has a body where none was described.",
    "See that a body is read or thrown away.",
);
pub(crate) static RESPONSE_BODY_REMOVED: Rule = Rule::row(
    "response-body-removed",
    Some(Direction::Response),
    Area::Responses,
    Level::Breaking,
    "An answer has no body any more.",
    "Do without what was in it.",
);
pub(crate) static RESPONSE_MEDIA_TYPE_REMOVED: Rule = Rule::row(
    "response-media-type-removed",
    Some(Direction::Response),
    Area::Responses,
    Level::Breaking,
    "An answer no longer comes in a media type.",
    "Ask for one of the media types that are left and read it.",
);
pub(crate) static RESPONSE_MEDIA_TYPE_ADDED: Rule = Rule::row(
    "response-media-type-added",
    Some(Direction::Response),
    Area::Responses,
    Level::Additive,
    "An answer may come in a further media type.",
    "Ask for the media type that is understood, with `Accept`.",
);
pub(crate) static RESPONSE_SCHEMA_ADDED: Rule = Rule::row(
    "response-schema-added",
    Some(Direction::Response),
    Area::Responses,
    Level::Risky,
    "A body of which nothing was said is described now.",
    "Compare what is read with the schema.",
);
pub(crate) static RESPONSE_SCHEMA_REMOVED: Rule = Rule::row(
    "response-schema-removed",
    Some(Direction::Response),
    Area::Responses,
    Level::Risky,
    "Nothing is said any more about what a body holds.",
    "Ask the provider what may be relied on.",
);
pub(crate) static RESPONSE_HEADER_REMOVED: Rule = Rule::row(
    "response-header-removed",
    Some(Direction::Response),
    Area::Headers,
    Level::Breaking,
    "A header of an answer is gone.",
    "Do without it.",
);
pub(crate) static RESPONSE_HEADER_ADDED: Rule = Rule::row(
    "response-header-added",
    Some(Direction::Response),
    Area::Headers,
    Level::Additive,
    "A header of an answer is there that was not.",
    "Nothing; it may be read.",
);
pub(crate) static RESPONSE_HEADER_BECAME_OPTIONAL: Rule = Rule::row(
    "response-header-became-optional",
    Some(Direction::Response),
    Area::Headers,
    Level::Breaking,
    "A header that always came may be missing.",
    "Handle its absence.",
);
pub(crate) static RESPONSE_HEADER_BECAME_REQUIRED: Rule = Rule::row(
    "response-header-became-required",
    Some(Direction::Response),
    Area::Headers,
    Level::Additive,
    "A header that could be missing always comes.",
    "Nothing; it may be relied on.",
);
pub(crate) static RESPONSE_HEADER_STYLE_CHANGED: Rule = Rule::row(
    "response-header-style-changed",
    Some(Direction::Response),
    Area::Headers,
    Level::Breaking,
    "Lists or objects are written into a header in another way.",
    "Read them in the new way.",
);
pub(crate) static RESPONSE_HEADER_TEXT_CHANGED: Rule = Rule::row(
    "response-header-text-changed",
    Some(Direction::Response),
    Area::Headers,
    Level::Cosmetic,
    "The description or the examples of a header changed.",
    "Nothing; only texts changed.",
);
pub(crate) static ERROR_FORMAT_CHANGED: Rule = Rule::row(
    "error-format-changed",
    Some(Direction::Response),
    Area::Errors,
    Level::Breaking,
    "Failures are told in another media type, such as problem documents in place of a format of the provider's own.",
    "Read the new format.",
);
