use std::{fmt, str};

use qc_model::Name;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Action, Resource};

/// Stands in a scope in place of an environment for what belongs to no environment: releases, tokens, the server.
pub const PLATFORM: &str = "platform";

/// A text is no scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a scope: {reason}; expected `environment/type/name-or-*:verb`")]
pub struct ScopeError {
    text: String,
    reason: &'static str,
}

/// A narrow right: `production/runs/customer-escalation:read`. Only the name may be `*`, so that nobody grants an
/// environment or a verb without naming it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Scope {
    environment: Name,
    action: Action,
    /// None means every name.
    name: Option<Name>,
}

impl Scope {
    /// Whether this scope covers the action on a thing of this environment (None: of the platform) and name. A thing
    /// that has no name, such as a list over all integrations, is covered only by `*`.
    pub fn covers(&self, action: Action, environment: Option<&str>, name: Option<&str>) -> bool {
        self.action == action
            && self.environment.as_str() == environment.unwrap_or(PLATFORM)
            && self.name.as_ref().is_none_or(|own| Some(own.as_str()) == name)
    }
}

impl Scope {
    /// The narrowest scope that covers this; None when it has an environment that is no name. What is no name itself, such
    /// as a secret's path, is covered by `*` only.
    pub fn of(action: Action, resource: Resource<'_>) -> Option<Self> {
        let environment = Name::new(resource.environment.unwrap_or(PLATFORM)).ok()?;
        let name = resource.name.and_then(|name| Name::new(name).ok());
        Some(Self { environment, action, name })
    }

    /// The environment; [`PLATFORM`] for what belongs to none.
    pub fn environment(&self) -> &Name {
        &self.environment
    }

    /// The action that it is about.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Whether the other one covers all that this one does.
    pub fn is_within(&self, wider: &Self) -> bool {
        self.action == wider.action
            && self.environment == wider.environment
            && (wider.name.is_none() || wider.name == self.name)
    }
}

impl str::FromStr for Scope {
    type Err = ScopeError;
    fn from_str(text: &str) -> Result<Self, ScopeError> {
        let fail = |reason| ScopeError { text: text.chars().take(120).collect(), reason };
        let (path, verb) = text.rsplit_once(':').ok_or_else(|| fail("it has no `:verb`"))?;
        let mut parts = path.split('/');
        let (Some(environment), Some(noun), Some(name), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(fail("it needs three parts before the verb"));
        };
        let environment =
            Name::new(environment).map_err(|_| fail("its environment is not a name"))?;
        let action = Action::parse(&format!("{noun}:{verb}"))
            .ok_or_else(|| fail("there is no such type and verb"))?;
        let name = match name {
            "*" => None,
            name => Some(Name::new(name).map_err(|_| fail("its name is neither a name nor `*`"))?),
        };
        Ok(Self { environment, action, name })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.as_ref().map_or("*", Name::as_str);
        let (noun, verb) = (self.action.noun(), self.action.verb());
        write!(f, "{}/{noun}/{name}:{verb}", self.environment)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for good in [
            "production/runs/customer-escalation:read",
            "sandbox/events/*:send",
            "platform/releases/*:write",
        ] {
            assert_eq!(good.parse::<Scope>().unwrap().to_string(), good);
        }
    }

    #[test]
    fn refuses_wildcards_elsewhere_and_unknown_words() {
        for bad in [
            "*/runs/*:read",
            "production/*/*:read",
            "production/runs/*:*",
            "production/runs/*",
            "production/runs:read",
            "production/runs/a/b:read",
            "production/runs/A:read",
            "production/lunch/*:eat",
            "",
        ] {
            assert!(bad.parse::<Scope>().is_err(), "{bad}");
        }
    }

    #[test]
    fn covers_only_its_environment_name_and_verb() {
        let one: Scope = "production/runs/crm:read".parse().unwrap();
        assert!(one.covers(Action::RunsRead, Some("production"), Some("crm")));
        assert!(!one.covers(Action::RunsRead, Some("production"), None));
        assert!(!one.covers(Action::RunsRead, Some("production"), Some("erp")));
        assert!(!one.covers(Action::RunsRead, Some("sandbox"), Some("crm")));
        assert!(!one.covers(Action::RunsRead, None, Some("crm")));
        assert!(!one.covers(Action::RunsCancel, Some("production"), Some("crm")));
        let all: Scope = "production/runs/*:read".parse().unwrap();
        assert!(all.covers(Action::RunsRead, Some("production"), None));
        assert!(all.covers(Action::RunsRead, Some("production"), Some("erp")));
    }
}
