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

/// Which units own what, for [`reach`].
#[derive(Clone, Copy)]
pub struct Owned<'a> {
    /// The units of the principal; none: the whole organisation's.
    pub units: &'a [String],
    /// Those of what an action is done to: its environment, its name.
    pub of: &'a OfThing<'a>,
}

/// Tells the units of what an action is done to.
pub type OfThing<'a> = dyn Fn(Action, Option<&str>, Option<&str>) -> Vec<String> + 'a;

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
pub fn reach(
    access: &Access,
    principal: &Principal,
    known: &Known,
    owned: Owned<'_>,
) -> Vec<Reach> {
    let asked = Asked { access, principal, owned };
    let mut reached = Vec::new();
    for action in Action::ALL {
        if !access.ever(principal, action) {
            continue;
        }
        reached.extend(asked.at(action, None, None));
        for (environment, types) in &known.environments {
            let names = types.get(action.noun());
            reached.extend(asked.at(action, Some(environment), names));
        }
    }
    reached
}

/// Who is looked at, and by what it is decided.
struct Asked<'a> {
    access: &'a Access,
    principal: &'a Principal,
    owned: Owned<'a>,
}

impl Asked<'_> {
    fn at(
        &self,
        action: Action,
        environment: Option<&str>,
        names: Option<&BTreeSet<String>>,
    ) -> Option<Reach> {
        let may = |name: Option<&str>| self.may(action, environment, name);
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
        let environment = environment.map(str::to_owned);
        Some(Reach { action, environment, everything, names, grant })
    }

    /// Whether it may do this, and then whether that takes a grant.
    fn may(&self, action: Action, environment: Option<&str>, name: Option<&str>) -> Option<bool> {
        let units = (self.owned.of)(action, environment, name);
        let resource = Resource { environment, name, units: &units };
        let so = Circumstances { units: self.owned.units, ..Circumstances::default() };
        match self.access.decide(self.principal, action, resource, so).verdict.denial {
            None => Some(false),
            // With a grant everything else must still hold, which the rules say themselves.
            Some(Denial::Grant) => {
                let given = Circumstances { granted: true, ..so };
                let granted = self.access.decide(self.principal, action, resource, given);
                granted.verdict.allowed().then_some(true)
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policies, Role, TokenKind};

    /// Without units.
    const NOBODYS: Owned<'_> = Owned { units: &[], of: &|_, _, _| Vec::new() };

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
            owner: None,
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
        let reached = reach(&access(), &sender, &known(), NOBODYS);
        assert_eq!(told(&reached), ["production crm events:send", "sandbox * runs:read"]);
        let bound = principal(Role::Runtime, Some("sandbox"), Some(&scopes));
        assert_eq!(told(&reach(&access(), &bound, &known(), NOBODYS)), ["sandbox * runs:read"]);
    }

    #[test]
    fn what_takes_a_grant_says_so() {
        let scopes = ["production/runs/crm:inspect", "sandbox/runs/crm:inspect"];
        let operator = principal(Role::Operator, None, Some(&scopes));
        let reached = told(&reach(&access(), &operator, &known(), NOBODYS));
        assert_eq!(
            reached,
            ["production crm runs:inspect with a grant", "sandbox crm runs:inspect"]
        );
    }

    #[test]
    fn what_is_another_units_is_out_of_reach() {
        let sales = ["sales".to_owned()];
        let of = |action: Action, environment: Option<&str>, name: Option<&str>| {
            let all = ["finance", "sales"].map(str::to_owned);
            match (action.noun(), environment, name) {
                ("runs", Some(_), Some("erp")) => all[..1].to_vec(),
                ("runs", Some(_), Some(_)) => all[1..].to_vec(),
                ("runs" | "secrets", _, _) => all.to_vec(),
                _ => Vec::new(),
            }
        };
        let owned = Owned { units: &sales, of: &of };
        let admin = principal(Role::Admin, Some("sandbox"), None);
        let reached = told(&reach(&access(), &admin, &known(), owned));
        let of = |noun: &str| {
            let lines = reached.iter().filter(|line| line.contains(noun));
            lines.map(String::as_str).collect::<Vec<_>>()
        };
        assert_eq!(of("runs:"), ["sandbox crm runs:read"]);
        assert_eq!(of("secrets:"), ["sandbox crm/token secrets:read"], "shared, so not changed");
    }

    #[test]
    fn a_policy_about_one_name_is_seen() {
        let text = r#"@id("no-erp") forbid (principal, action == QC::Action::"events:send", resource)
            when { resource has name && resource.name == "erp" };"#;
        let policies = Policies::with(&[("erp.cedar".to_owned(), text.to_owned())]).unwrap();
        let access = access();
        access.enforce(std::sync::Arc::new(policies));
        let sender = principal(Role::Runtime, Some("sandbox"), None);
        let reached = told(&reach(&access, &sender, &known(), NOBODYS));
        assert!(reached.contains(&"sandbox crm events:send".to_owned()), "{reached:?}");
    }
}
