//! Rules about the document, servers, operations, events, security and limits.

use super::{Area, Level, Rule};
use crate::mismatch::Direction;

pub(super) const ROWS: [&Rule; 41] = [
    &TITLE_CHANGED,
    &VERSION_NOT_RAISED,
    &VERSION_BUMP_TOO_SMALL,
    &VERSION_LOWERED,
    &TAG_CHANGED,
    &SERVER_REMOVED,
    &SERVER_ADDED,
    &SERVER_CHANGED,
    &SERVER_VARIABLE_NARROWED,
    &OPERATION_REMOVED,
    &OPERATION_ADDED,
    &OPERATION_ID_CHANGED,
    &OPERATION_TEXT_CHANGED,
    &PATH_PARAMETER_RENAMED,
    &WEBHOOK_REMOVED,
    &WEBHOOK_ADDED,
    &CALLBACK_REMOVED,
    &CALLBACK_ADDED,
    &SECURITY_ADDED,
    &SECURITY_REMOVED,
    &SECURITY_ALTERNATIVE_REMOVED,
    &SECURITY_ALTERNATIVE_ADDED,
    &SECURITY_SCHEME_REQUIRED,
    &SECURITY_SCHEME_DROPPED,
    &SECURITY_SCOPE_ADDED,
    &SECURITY_SCOPE_REMOVED,
    &SECURITY_DEFINITION_CHANGED,
    &SECURITY_DEFINITION_ADDED,
    &SECURITY_DEFINITION_REMOVED,
    &SECURITY_FLOW_REMOVED,
    &SECURITY_FLOW_ADDED,
    &SECURITY_ADDRESS_CHANGED,
    &SECURITY_SCOPE_UNDEFINED,
    &SECURITY_SCOPE_DEFINED,
    &SECURITY_TOKEN_CHANGED,
    &SECURITY_TEXT_CHANGED,
    &RATE_LIMIT_LOWERED,
    &RATE_LIMIT_RAISED,
    &RATE_LIMIT_CHANGED,
    &RATE_LIMIT_HEADER_REMOVED,
    &RATE_LIMIT_HEADER_ADDED,
];

pub(crate) static TITLE_CHANGED: Rule = Rule::row(
    "title-changed",
    None,
    Area::Document,
    Level::Cosmetic,
    "The title, the description or other texts about the whole API changed.",
    "Nothing; only texts changed.",
);
pub(crate) static VERSION_NOT_RAISED: Rule = Rule::row(
    "version-not-raised",
    None,
    Area::Document,
    Level::Risky,
    "Something broke and `info.version` is the same as before: consumers cannot tell the two apart.",
    "Ask the provider for a new version number.",
);
pub(crate) static VERSION_BUMP_TOO_SMALL: Rule = Rule::row(
    "version-bump-too-small",
    None,
    Area::Document,
    Level::Risky,
    "Something broke and the first number of `info.version` is the same as before.",
    "Treat the new version as a major one.",
);
pub(crate) static VERSION_LOWERED: Rule = Rule::row(
    "version-lowered",
    None,
    Area::Document,
    Level::Risky,
    "`info.version` is lower than before.",
    "Ask the provider which of the two is the newer one.",
);
pub(crate) static TAG_CHANGED: Rule = Rule::row(
    "tag-changed",
    None,
    Area::Document,
    Level::Cosmetic,
    "Tags were added, removed or described otherwise.",
    "Nothing; only the grouping of operations changed.",
);
pub(crate) static SERVER_REMOVED: Rule = Rule::row(
    "server-removed",
    None,
    Area::Servers,
    Level::Risky,
    "A base address is no longer listed.",
    "Use one of the addresses that are listed.",
);
pub(crate) static SERVER_ADDED: Rule = Rule::row(
    "server-added",
    None,
    Area::Servers,
    Level::Additive,
    "A base address is listed that was not.",
    "Nothing; it may be used.",
);
pub(crate) static SERVER_CHANGED: Rule = Rule::row(
    "server-changed",
    None,
    Area::Servers,
    Level::Cosmetic,
    "The text about a server or a variable of its address changed, or a value was added.",
    "Nothing; addresses are as before.",
);
pub(crate) static SERVER_VARIABLE_NARROWED: Rule = Rule::row(
    "server-variable-narrowed",
    None,
    Area::Servers,
    Level::Risky,
    "A variable of a base address lost a value or its default is another.",
    "Check the base address that is used.",
);
pub(crate) static OPERATION_REMOVED: Rule = Rule::row(
    "operation-removed",
    None,
    Area::Operations,
    Level::Breaking,
    "The operation is gone without having been deprecated.",
    "Do without it, or keep to the old version.",
);
pub(crate) static OPERATION_ADDED: Rule = Rule::row(
    "operation-added",
    None,
    Area::Operations,
    Level::Additive,
    "There is an operation that was not there.",
    "Nothing; it may be used.",
);
pub(crate) static OPERATION_ID_CHANGED: Rule = Rule::row(
    "operation-id-changed",
    None,
    Area::Operations,
    Level::Cosmetic,
    "The `operationId` is another: generated code names the operation by it.",
    "Generate code anew and rename the calls.",
);
pub(crate) static OPERATION_TEXT_CHANGED: Rule = Rule::row(
    "operation-text-changed",
    None,
    Area::Operations,
    Level::Cosmetic,
    "The summary, the description, the tags or the links to documentation of an operation changed.",
    "Nothing; only texts changed.",
);
pub(crate) static PATH_PARAMETER_RENAMED: Rule = Rule::row(
    "path-parameter-renamed",
    None,
    Area::Operations,
    Level::Cosmetic,
    "A parameter in a path has another name; the paths are the same on the wire.",
    "Rename it where generated code names it.",
);
pub(crate) static WEBHOOK_REMOVED: Rule = Rule::row(
    "webhook-removed",
    None,
    Area::Events,
    Level::Breaking,
    "A webhook is no longer sent.",
    "Do without it: what it told is not told any more.",
);
pub(crate) static WEBHOOK_ADDED: Rule = Rule::row(
    "webhook-added",
    None,
    Area::Events,
    Level::Additive,
    "There is a webhook that was not there.",
    "Nothing; it may be subscribed to.",
);
pub(crate) static CALLBACK_REMOVED: Rule = Rule::row(
    "callback-removed",
    None,
    Area::Events,
    Level::Breaking,
    "The operation no longer calls back.",
    "Do without it: what it told is not told any more.",
);
pub(crate) static CALLBACK_ADDED: Rule = Rule::row(
    "callback-added",
    None,
    Area::Events,
    Level::Risky,
    "The operation calls back now where it did not.",
    "See that the address that is called answers it.",
);
pub(crate) static SECURITY_ADDED: Rule = Rule::row(
    "security-added",
    None,
    Area::Security,
    Level::Breaking,
    "The operation was open and asks for credentials now.",
    "Get credentials and send them.",
);
pub(crate) static SECURITY_REMOVED: Rule = Rule::row(
    "security-removed",
    None,
    Area::Security,
    Level::Risky,
    "The operation asked for credentials and is open now.",
    "Nothing; but ask whether that was meant.",
);
pub(crate) static SECURITY_ALTERNATIVE_REMOVED: Rule = Rule::row(
    "security-alternative-removed",
    None,
    Area::Security,
    Level::Breaking,
    "A way to authenticate is no longer accepted.",
    "Authenticate in one of the ways that are left.",
);
pub(crate) static SECURITY_ALTERNATIVE_ADDED: Rule = Rule::row(
    "security-alternative-added",
    None,
    Area::Security,
    Level::Additive,
    "There is a further way to authenticate.",
    "Nothing; it may be used.",
);
pub(crate) static SECURITY_SCHEME_REQUIRED: Rule = Rule::row(
    "security-scheme-required",
    None,
    Area::Security,
    Level::Breaking,
    "Further credentials have to be sent together with those that were enough before.",
    "Get the further credentials and send both.",
);
pub(crate) static SECURITY_SCHEME_DROPPED: Rule = Rule::row(
    "security-scheme-dropped",
    None,
    Area::Security,
    Level::Additive,
    "Fewer credentials are asked for than before.",
    "Nothing; what is sent too much is ignored.",
);
pub(crate) static SECURITY_SCOPE_ADDED: Rule = Rule::row(
    "security-scope-added",
    None,
    Area::Security,
    Level::Breaking,
    "A scope is asked for that was not: tokens without it are refused.",
    "Ask for the scope and get users' consent again.",
);
pub(crate) static SECURITY_SCOPE_REMOVED: Rule = Rule::row(
    "security-scope-removed",
    None,
    Area::Security,
    Level::Additive,
    "A scope is no longer asked for.",
    "Nothing; tokens may do with less.",
);
pub(crate) static SECURITY_DEFINITION_CHANGED: Rule = Rule::row(
    "security-definition-changed",
    None,
    Area::Security,
    Level::Breaking,
    "A scheme under this name works in another way: another type, name, place or HTTP scheme.",
    "Send credentials in the new way.",
);
pub(crate) static SECURITY_DEFINITION_ADDED: Rule = Rule::row(
    "security-definition-added",
    None,
    Area::Security,
    Level::Additive,
    "A security scheme is defined that was not.",
    "Nothing; no operation has to use it.",
);
pub(crate) static SECURITY_DEFINITION_REMOVED: Rule = Rule::row(
    "security-definition-removed",
    None,
    Area::Security,
    Level::Cosmetic,
    "A security scheme that no operation asks for is no longer defined.",
    "Nothing; no operation asked for it.",
);
pub(crate) static SECURITY_FLOW_REMOVED: Rule = Rule::row(
    "security-flow-removed",
    None,
    Area::Security,
    Level::Breaking,
    "A flow by which tokens were got is gone.",
    "Get tokens by one of the flows that are left.",
);
pub(crate) static SECURITY_FLOW_ADDED: Rule = Rule::row(
    "security-flow-added",
    None,
    Area::Security,
    Level::Additive,
    "There is a further flow by which tokens can be got.",
    "Nothing; it may be used.",
);
pub(crate) static SECURITY_ADDRESS_CHANGED: Rule = Rule::row(
    "security-address-changed",
    None,
    Area::Security,
    Level::Breaking,
    "An address at which tokens or consent are got, or the provider's discovery document, is another.",
    "Change the address where it is configured, before the old one ends.",
);
pub(crate) static SECURITY_SCOPE_UNDEFINED: Rule = Rule::row(
    "security-scope-undefined",
    None,
    Area::Security,
    Level::Risky,
    "A scope is no longer defined by the scheme.",
    "See which scopes are asked for, and ask for others.",
);
pub(crate) static SECURITY_SCOPE_DEFINED: Rule = Rule::row(
    "security-scope-defined",
    None,
    Area::Security,
    Level::Additive,
    "A scope is defined that was not.",
    "Nothing; it may be asked for.",
);
pub(crate) static SECURITY_TOKEN_CHANGED: Rule = Rule::row(
    "security-token-changed",
    None,
    Area::Security,
    Level::Risky,
    "The lifetime, the audience or the format of tokens is described otherwise.",
    "See that tokens are renewed in time and hold the new audience.",
);
pub(crate) static SECURITY_TEXT_CHANGED: Rule = Rule::row(
    "security-text-changed",
    None,
    Area::Security,
    Level::Cosmetic,
    "The description of a security scheme or of its scopes changed.",
    "Nothing; only texts changed.",
);
pub(crate) static RATE_LIMIT_LOWERED: Rule = Rule::row(
    "rate-limit-lowered",
    None,
    Area::Limits,
    Level::Breaking,
    "A limit that is declared for calls was lowered, or there is one where there was none.",
    "Send fewer calls before the new version is used.",
);
pub(crate) static RATE_LIMIT_RAISED: Rule = Rule::row(
    "rate-limit-raised",
    None,
    Area::Limits,
    Level::Additive,
    "A limit that is declared for calls was raised or lifted.",
    "Nothing; more calls may be sent.",
);
pub(crate) static RATE_LIMIT_CHANGED: Rule = Rule::row(
    "rate-limit-changed",
    None,
    Area::Limits,
    Level::Risky,
    "What is declared about limits of calls changed in a way that cannot be compared by size.",
    "Read the new limits and compare them with the calls that are sent.",
);
pub(crate) static RATE_LIMIT_HEADER_REMOVED: Rule = Rule::row(
    "rate-limit-header-removed",
    Some(Direction::Response),
    Area::Limits,
    Level::Breaking,
    "A header that tells callers of their limits is gone.",
    "Do not wait for it: keep a limit of your own.",
);
pub(crate) static RATE_LIMIT_HEADER_ADDED: Rule = Rule::row(
    "rate-limit-header-added",
    Some(Direction::Response),
    Area::Limits,
    Level::Additive,
    "A header that tells callers of their limits is there now.",
    "Nothing; it may be obeyed.",
);
