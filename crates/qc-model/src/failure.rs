use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Code;

/// The classes of failure. Every error of a connector maps onto exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The credential was not accepted.
    Auth,
    /// The credential was accepted and may not do this.
    Permission,
    /// The request is wrong and will stay wrong.
    Invalid,
    /// The request contradicts the other side's state.
    Conflict,
    /// What was asked for is not there.
    NotFound,
    /// A rate or quota was exceeded.
    Throttled,
    /// The other side has too much to do.
    Overloaded,
    /// No answer in time.
    Timeout,
    /// A passing fault; trying again may help.
    Transient,
    /// A fault that trying again does not help.
    Permanent,
    /// A policy of ours forbids it.
    Policy,
    /// The version used has ended.
    Deprecated,
    /// Something that we depend on is not available.
    Dependency,
    /// The other side no longer keeps its contract.
    Drift,
    /// Somebody ended it.
    Cancelled,
    /// Its time ran out before it could be done.
    Expired,
    /// A fault of the platform itself.
    Internal,
}

/// Whether the effect of a failed call took place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Applied {
    /// Certainly not.
    No,
    /// Unknown: it was sent and no answer told.
    Maybe,
    /// Certainly.
    Yes,
}

/// Whether and when trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// It will not.
    Never,
    /// It may, after a pause; the pause is the other side's own wish when it stated one.
    After {
        /// Milliseconds that the other side asked for (Retry-After and its kin).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stated_ms: Option<u64>,
    },
    /// When something happens: a credential is renewed, an operator decides.
    OnEvent,
}

/// What the reader of an error does next, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Change the request.
    FixRequest,
    /// Change the project's files, and check, build and deploy again. Only of findings: a run's failure never says so,
    /// because whoever sent the event has no files to change.
    FixProject,
    /// Get a new token.
    RefreshToken,
    /// Ask the account's holder to consent again.
    Reconsent,
    /// Wait until the stated time.
    WaitUntil,
    /// Move to a supported version.
    Migrate,
    /// Speak to the owner of the failing hop.
    ContactOwner,
    /// Try again.
    Retry,
    /// Nothing.
    None,
}

/// A failure that crosses a process, is stored, or decides what happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Its class.
    pub class: Class,
    /// Its stable code.
    pub code: Code,
    /// What kind of failure, in a few words; the same for every occurrence.
    pub title: String,
    /// What happened this time; holds no secret and no payload.
    pub detail: String,
    /// The HTTP status that the other side gave, or that fits.
    pub status: u16,
    /// Whether the effect took place.
    pub applied: Applied,
    /// Whether and when to try again.
    pub retry: Retry,
    /// What the reader does next.
    pub next_action: NextAction,
    /// Who owns the failing hop: a person or team of the owner directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What the other side said, as far as the connector's error map exposes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Failure {
    /// A failure of `class` with the class's usual status, retry and next action, not applied.
    pub fn new(class: Class, code: Code, title: &str, detail: impl Into<String>) -> Self {
        Self {
            class,
            code,
            title: title.to_owned(),
            detail: detail.into(),
            status: class.status(),
            applied: Applied::No,
            retry: class.retry(),
            next_action: class.next_action(),
            owner: None,
            data: None,
        }
    }

    /// The pause that the other side asked for.
    pub fn stated_pause(&self) -> Option<Duration> {
        match self.retry {
            Retry::After { stated_ms } => stated_ms.map(Duration::from_millis),
            Retry::Never | Retry::OnEvent => None,
        }
    }
}

impl NextAction {
    /// All actions, for exhaustive tables.
    pub const ALL: [Self; 9] = [
        Self::FixRequest,
        Self::FixProject,
        Self::RefreshToken,
        Self::Reconsent,
        Self::WaitUntil,
        Self::Migrate,
        Self::ContactOwner,
        Self::Retry,
        Self::None,
    ];

    /// The action's name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FixRequest => "fix_request",
            Self::FixProject => "fix_project",
            Self::RefreshToken => "refresh_token",
            Self::Reconsent => "reconsent",
            Self::WaitUntil => "wait_until",
            Self::Migrate => "migrate",
            Self::ContactOwner => "contact_owner",
            Self::Retry => "retry",
            Self::None => "none",
        }
    }
}

impl Class {
    /// All classes, for exhaustive tables.
    pub const ALL: [Self; 17] = [
        Self::Auth,
        Self::Permission,
        Self::Invalid,
        Self::Conflict,
        Self::NotFound,
        Self::Throttled,
        Self::Overloaded,
        Self::Timeout,
        Self::Transient,
        Self::Permanent,
        Self::Policy,
        Self::Deprecated,
        Self::Dependency,
        Self::Drift,
        Self::Cancelled,
        Self::Expired,
        Self::Internal,
    ];

    /// The class's name as written in files and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Permission => "permission",
            Self::Invalid => "invalid",
            Self::Conflict => "conflict",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::Timeout => "timeout",
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Policy => "policy",
            Self::Deprecated => "deprecated",
            Self::Dependency => "dependency",
            Self::Drift => "drift",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Internal => "internal",
        }
    }

    /// The class with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }

    /// The HTTP status that a problem document of this class carries when nothing better is known.
    pub fn status(self) -> u16 {
        match self {
            Self::Auth => 401,
            Self::Permission | Self::Policy => 403,
            Self::Invalid => 400,
            Self::Conflict => 409,
            Self::NotFound => 404,
            Self::Throttled => 429,
            Self::Overloaded | Self::Transient => 503,
            Self::Timeout => 504,
            Self::Permanent | Self::Dependency | Self::Drift => 502,
            Self::Deprecated => 410,
            Self::Cancelled => 499,
            Self::Expired => 408,
            Self::Internal => 500,
        }
    }

    /// The class of an HTTP status that a called system answered with.
    pub fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Auth,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            409 | 412 => Self::Conflict,
            410 => Self::Deprecated,
            425 | 500 | 502 => Self::Transient,
            429 => Self::Throttled,
            503 => Self::Overloaded,
            400..=499 => Self::Invalid,
            _ => Self::Permanent,
        }
    }

    /// Whether trying again may help.
    pub fn retry(self) -> Retry {
        match self {
            Self::Throttled
            | Self::Overloaded
            | Self::Timeout
            | Self::Transient
            | Self::Dependency => Retry::After { stated_ms: None },
            Self::Auth | Self::Drift => Retry::OnEvent,
            _ => Retry::Never,
        }
    }

    /// What the reader does next.
    pub fn next_action(self) -> NextAction {
        match self {
            Self::Auth => NextAction::RefreshToken,
            Self::Invalid | Self::Conflict | Self::NotFound => NextAction::FixRequest,
            Self::Throttled | Self::Overloaded => NextAction::WaitUntil,
            Self::Timeout | Self::Transient | Self::Dependency => NextAction::Retry,
            Self::Permission | Self::Permanent | Self::Policy | Self::Drift | Self::Internal => {
                NextAction::ContactOwner
            }
            Self::Deprecated => NextAction::Migrate,
            Self::Cancelled | Self::Expired => NextAction::None,
        }
    }

    /// The DSL's standard error type that a `catch` sees for this class.
    pub fn standard(self) -> StandardError {
        match self {
            Self::Auth => StandardError::Authentication,
            Self::Permission | Self::Policy => StandardError::Authorization,
            Self::Timeout | Self::Expired => StandardError::Timeout,
            Self::Invalid => StandardError::Validation,
            Self::Conflict
            | Self::NotFound
            | Self::Throttled
            | Self::Overloaded
            | Self::Transient
            | Self::Permanent
            | Self::Deprecated
            | Self::Dependency
            | Self::Drift => StandardError::Communication,
            Self::Cancelled | Self::Internal => StandardError::Runtime,
        }
    }
}

/// The standard error types of the workflow DSL. Source: Open Workflow Specification 1.0.3,
/// "Standard Error Types". Two families of URIs are in use (`/spec/1.0.0/errors/` in the text,
/// `/dsl/errors/types/` in the conformance kit), on an old and a new host; all are recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StandardError {
    /// The workflow is configured wrongly.
    Configuration,
    /// Data do not fit a schema.
    Validation,
    /// An expression failed.
    Expression,
    /// A credential was not accepted.
    Authentication,
    /// Something is not allowed.
    Authorization,
    /// Something took too long.
    Timeout,
    /// A call failed.
    Communication,
    /// Anything else.
    Runtime,
}

impl StandardError {
    const ALL: [(Self, &'static str, u16); 8] = [
        (Self::Configuration, "configuration", 400),
        (Self::Validation, "validation", 400),
        (Self::Expression, "expression", 400),
        (Self::Authentication, "authentication", 401),
        (Self::Authorization, "authorization", 403),
        (Self::Timeout, "timeout", 408),
        (Self::Communication, "communication", 500),
        (Self::Runtime, "runtime", 500),
    ];

    /// The URI that we write.
    pub fn uri(self) -> String {
        format!("https://open-workflow-specification.org/spec/1.0.0/errors/{}", self.name())
    }

    /// The last segment of the URI.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|row| row.0 == self).map_or("runtime", |row| row.1)
    }

    /// The status that the standard gives to the type.
    pub fn status(self) -> u16 {
        Self::ALL.iter().find(|row| row.0 == self).map_or(500, |row| row.2)
    }

    /// Recognises all forms in use; None for an error type of the user's own.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let rest = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"))?;
        let path = rest
            .strip_prefix("open-workflow-specification.org/")
            .or_else(|| rest.strip_prefix("serverlessworkflow.io/"))?;
        let name =
            ["spec/1.0.0/errors/", "dsl/errors/types/", "errors/types/", "spec/1.0.3/errors/"]
                .iter()
                .find_map(|prefix| path.strip_prefix(prefix))?;
        Self::ALL.iter().find(|row| row.1 == name).map(|row| row.0)
    }

    /// The class of a failure raised under this type.
    pub fn class(self) -> Class {
        match self {
            Self::Configuration | Self::Expression => Class::Permanent,
            Self::Validation => Class::Invalid,
            Self::Authentication => Class::Auth,
            Self::Authorization => Class::Permission,
            Self::Timeout => Class::Timeout,
            Self::Communication => Class::Transient,
            Self::Runtime => Class::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_has_its_class_and_a_class_its_way_on() {
        use Class::{
            Auth, Conflict, Deprecated, Invalid, NotFound, Overloaded, Permanent, Permission,
            Throttled, Timeout, Transient,
        };
        for (statuses, class) in [
            (&[401][..], Auth),
            (&[403], Permission),
            (&[404], NotFound),
            (&[408, 504], Timeout),
            (&[409, 412], Conflict),
            (&[410], Deprecated),
            (&[425, 500, 502], Transient),
            (&[429], Throttled),
            (&[503], Overloaded),
            (&[400, 402, 405, 411, 422, 451, 499], Invalid),
            (&[301, 501, 505, 599], Permanent),
        ] {
            for status in statuses {
                assert_eq!(Class::of_status(*status), class, "{status}");
            }
        }
        for (classes, action) in [
            (&[Auth][..], NextAction::RefreshToken),
            (&[Invalid, Conflict, NotFound], NextAction::FixRequest),
            (&[Throttled, Overloaded], NextAction::WaitUntil),
            (&[Timeout, Transient, Class::Dependency], NextAction::Retry),
            (&[Permission, Permanent, Class::Policy, Class::Drift], NextAction::ContactOwner),
            (&[Class::Internal], NextAction::ContactOwner),
            (&[Deprecated], NextAction::Migrate),
            (&[Class::Cancelled, Class::Expired], NextAction::None),
        ] {
            for class in classes {
                assert_eq!(class.next_action(), action, "{class:?}");
            }
        }
    }

    #[test]
    fn both_uri_families_mean_the_same() {
        for uri in [
            "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
            "https://open-workflow-specification.org/dsl/errors/types/communication",
            "https://serverlessworkflow.io/spec/1.0.0/errors/communication",
        ] {
            assert_eq!(StandardError::from_uri(uri), Some(StandardError::Communication), "{uri}");
        }
        assert_eq!(StandardError::from_uri("https://example.com/errors/types/communication"), None);
    }

    #[test]
    fn every_class_has_a_name_of_its_own_and_parses_back() {
        for class in Class::ALL {
            assert_eq!(Class::parse(class.as_str()), Some(class));
            assert_eq!(serde_json::to_value(class).unwrap(), class.as_str());
        }
    }

    #[test]
    fn every_next_action_is_written_as_it_is_named() {
        for action in NextAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }

    #[test]
    fn permanent_classes_are_never_retried() {
        for class in
            [Class::Permission, Class::Invalid, Class::Conflict, Class::NotFound, Class::Permanent]
        {
            assert_eq!(class.retry(), Retry::Never, "{class:?}");
        }
    }
}
