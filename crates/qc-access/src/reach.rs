//! What a principal can touch: every action decided on everything that there is.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Access, Action, Circumstances, Denial, Principal, Resource};

/// What there is, to be decided on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// By environment: the names of what a type of scope (`runs`, `secrets`) speaks of there.
    pub environments: BTreeMap<String, BTreeMap<&'static str, BTreeSet<String>>>,
}

impl Known {
    /// Adds a thing of these types; without types, the environment alone.
    pub fn add(&mut self, environment: &str, types: &[&'static str], name: &str) {
        let own = self.environments.entry(environment.to_owned()).or_default();
        for kind in types {
            own.entry(kind).or_default().insert(name.to_owned());
        }
    }
}

/// An action that a principal may do, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The action.
    pub action: Action,
    /// Where; None: what belongs to no environment, and lists over all of them.
    pub environment: Option<String>,
    /// Whether it may do it to everything there, also to what is not there yet.
    pub everything: bool,
    /// To which of the things that there are; empty when it is everything, or none of them has a name of its own.
    pub names: Vec<String>,
    /// Whether it takes a grant for a time.
    pub grant: bool,
}

/// What this principal can touch of what is known, by the rules in force: each is decided as a request would be.
pub fn reach(access: &Access, principal: &Principal, known: &Known) -> Vec<Reach> {
    let mut reached = Vec::new();
    for action in Action::ALL {
        if !access.ever(principal, action) {
            continue;
        }
        reached.extend(at(access, principal, action, None, None));
        for (environment, types) in &known.environments {
            let names = types.get(action.noun());
            reached.extend(at(access, principal, action, Some(environment), names));
        }
    }
    reached
}

fn at(
    access: &Access,
    principal: &Principal,
    action: Action,
    environment: Option<&str>,
    names: Option<&BTreeSet<String>>,
) -> Option<Reach> {
    let may = |name: Option<&str>| {
        let resource = Resource { environment, name, units: &[] };
        match access.decide(principal, action, resource, Circumstances::default()).verdict.denial {
            None => Some(false),
            // With a grant everything else must still hold, which the rules say themselves.
            Some(Denial::Grant) => {
                let given = Circumstances { granted: true, ..Circumstances::default() };
                let granted = access.decide(principal, action, resource, given);
                granted.verdict.allowed().then_some(true)
            }
            Some(_) => None,
        }
    };
    let all = may(None);
    let of: Vec<(&String, bool)> =
        names.into_iter().flatten().filter_map(|name| Some((name, may(Some(name))?))).collect();
    // A policy may speak of one name: then "everything" would not be true.
    let everything = all.is_some() && names.is_none_or(|names| of.len() == names.len());
    let grant = all.or_else(|| of.first().map(|(_, grant)| *grant))?;
    let names = if everything {
        Vec::new()
    } else {
        of.into_iter().map(|(name, _)| name.clone()).collect()
    };
    Some(Reach { action, environment: environment.map(str::to_owned), everything, names, grant })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policies, Role, TokenKind};

    fn known() -> Known {
        let mut known = Known::default();
        for environment in ["sandbox", "production"] {
            for name in ["crm", "erp"] {
                known.add(environment, &["runs", "events", "dlq"], name);
            }
            known.add(environment, &["secrets"], "crm/token");
        }
        known
    }

    fn principal(role: Role, environment: Option<&str>, scopes: Option<&[&str]>) -> Principal {
        Principal {
            id: "abcdefgh".into(),
            kind: TokenKind::ApiKey,
            name: "ci".into(),
            person: Some("ada".parse().unwrap()),
            environment: environment.map(|name| name.parse().unwrap()),
            role,
            scopes: scopes.map(|all| all.iter().map(|scope| scope.parse().unwrap()).collect()),
        }
    }

    fn access() -> Access {
        Access::new(false, vec!["production".parse().unwrap()])
    }

    fn told(reached: &[Reach]) -> Vec<String> {
        let one = |reach: &Reach| {
            let place = reach.environment.as_deref().unwrap_or("platform");
            let names = if reach.everything { "*".to_owned() } else { reach.names.join(",") };
            let grant = if reach.grant { " with a grant" } else { "" };
            format!("{place} {names} {}{grant}", reach.action.as_str())
        };
        reached.iter().map(one).collect()
    }

    #[test]
    fn a_scope_is_all_that_it_says_and_nothing_else() {
        let scopes = ["production/events/crm:send", "sandbox/runs/*:read"];
        let sender = principal(Role::Runtime, None, Some(&scopes));
        let reached = reach(&access(), &sender, &known());
        assert_eq!(told(&reached), ["production crm events:send", "sandbox * runs:read"]);
        let bound = principal(Role::Runtime, Some("sandbox"), Some(&scopes));
        assert_eq!(told(&reach(&access(), &bound, &known())), ["sandbox * runs:read"]);
    }

    #[test]
    fn what_takes_a_grant_says_so() {
        let scopes = ["production/runs/crm:inspect", "sandbox/runs/crm:inspect"];
        let operator = principal(Role::Operator, None, Some(&scopes));
        let reached = told(&reach(&access(), &operator, &known()));
        assert_eq!(
            reached,
            ["production crm runs:inspect with a grant", "sandbox crm runs:inspect"]
        );
    }

    #[test]
    fn a_policy_about_one_name_is_seen() {
        let text = r#"@id("no-erp") forbid (principal, action == QC::Action::"events:send", resource)
            when { resource has name && resource.name == "erp" };"#;
        let policies = Policies::with(&[("erp.cedar".to_owned(), text.to_owned())]).unwrap();
        let access = access();
        access.enforce(std::sync::Arc::new(policies));
        let sender = principal(Role::Runtime, Some("sandbox"), None);
        let reached = told(&reach(&access, &sender, &known()));
        assert!(reached.contains(&"sandbox crm events:send".to_owned()), "{reached:?}");
    }
}
