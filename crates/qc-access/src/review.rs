//! What was granted beside what was used.

use qc_model::Timestamp;

use crate::{Access, Action, Principal, Role, Scope, TokenRecord, UsesOf};

/// A key or a client, as those look at it who ask whether it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Who holds it.
    pub principal: Principal,
    /// The team or person who answers for it.
    pub owner: Option<String>,
    /// What it is for, in words.
    pub purpose: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

impl From<TokenRecord> for Holding {
    fn from(record: TokenRecord) -> Self {
        Self {
            principal: record.principal(),
            owner: record.owner,
            purpose: record.purpose,
            created_at: record.created_at,
            expires_at: record.expires_at,
        }
    }
}

/// What of a principal's rights was used since a time, and what would have been enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// What it used, as the scopes that cover just that; wider ones take in narrower ones.
    pub used: Vec<Scope>,
    /// Its scopes of which nothing was used.
    pub unused: Vec<Scope>,
    /// What would have been enough; None: what it has, or that cannot be told.
    pub enough: Option<Enough>,
    /// It used more than is written down, so nothing is proposed.
    pub more: bool,
}

/// Rights that would have been enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enough {
    /// None at all: it did nothing.
    Nothing,
    /// These.
    These {
        /// The role with the fewest actions that has all that were done.
        role: Role,
        /// The scopes.
        scopes: Vec<Scope>,
    },
}

/// Compares what the principal has with what it did since.
pub fn review(access: &Access, principal: &Principal, uses: &UsesOf, since: Timestamp) -> Review {
    let recent = uses.used.iter().filter(|used| used.last >= since).map(|used| &used.scope);
    let mut used: Vec<Scope> = Vec::new();
    for scope in recent {
        if used.iter().any(|wider| scope.is_within(wider)) {
            continue;
        }
        used.retain(|narrower| !narrower.is_within(scope));
        used.push(scope.clone());
    }
    used.sort_by_key(ToString::to_string);
    let granted = principal.scopes.as_deref();
    let unused: Vec<Scope> = granted
        .unwrap_or_default()
        .iter()
        .filter(|scope| !used.iter().any(|used| used.is_within(scope)))
        .cloned()
        .collect();
    let role = least_role(access, principal, &used);
    let same = role == principal.role
        && granted.is_some_and(|granted| granted.iter().all(|scope| used.contains(scope)));
    let enough = match (uses.more, used.is_empty()) {
        (true, _) => None,
        (false, true) => Some(Enough::Nothing),
        (false, false) if same => None,
        (false, false) => Some(Enough::These { role, scopes: used.clone() }),
    };
    Review { used, unused, enough, more: uses.more }
}

/// The role with the fewest actions among those that have all these.
fn least_role(access: &Access, principal: &Principal, used: &[Scope]) -> Role {
    let has = |role: Role, action| access.policies().ever(role, principal.kind, action);
    let size = |role: Role| Action::ALL.into_iter().filter(|action| has(role, *action)).count();
    let fit =
        Role::ALL.into_iter().filter(|role| used.iter().all(|scope| has(*role, scope.action())));
    // Its own when that is as small as another one.
    fit.min_by_key(|role| (size(*role), *role != principal.role)).unwrap_or(principal.role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TokenKind, Used};

    fn principal(role: Role, scopes: Option<&[&str]>) -> Principal {
        Principal {
            id: "abcdefgh".into(),
            kind: TokenKind::ApiKey,
            name: "ci".into(),
            person: None,
            owner: None,
            environment: None,
            role,
            scopes: scopes.map(parsed),
        }
    }

    fn parsed(texts: &[&str]) -> Vec<Scope> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn uses(used: &[(&str, i64)]) -> UsesOf {
        let one = |(scope, last): &(&str, i64)| Used {
            scope: scope.parse().unwrap(),
            count: 1,
            first: Timestamp::from_millis(0),
            last: Timestamp::from_millis(*last),
        };
        UsesOf { used: used.iter().map(one).collect(), more: false }
    }

    fn reviewed(principal: &Principal, uses: &UsesOf) -> Review {
        let access = Access::new(false, vec!["production".parse().unwrap()]);
        review(&access, principal, uses, Timestamp::from_millis(100))
    }

    #[test]
    fn an_administrator_who_only_sends_events_is_told_to_be_a_sender() {
        let used = uses(&[("production/events/crm:send", 500), ("sandbox/events/crm:send", 50)]);
        let told = reviewed(&principal(Role::Admin, None), &used);
        let scopes = parsed(&["production/events/crm:send"]);
        assert_eq!(told.enough, Some(Enough::These { role: Role::Runtime, scopes }));
    }

    #[test]
    fn what_is_narrow_already_is_left_and_what_is_not_used_is_named() {
        let scopes = ["production/events/crm:send", "production/events/erp:send"];
        let one = uses(&[("production/events/crm:send", 500)]);
        let told = reviewed(&principal(Role::Runtime, Some(&scopes)), &one);
        assert_eq!(told.unused, parsed(&scopes[1..]));
        let enough = Enough::These { role: Role::Runtime, scopes: parsed(&scopes[..1]) };
        assert_eq!(told.enough, Some(enough));
        let told = reviewed(&principal(Role::Runtime, Some(&scopes[..1])), &one);
        assert_eq!((told.enough, told.unused), (None, vec![]));
    }

    #[test]
    fn a_wider_use_takes_in_narrower_ones() {
        let used = uses(&[
            ("production/runs/crm:read", 500),
            ("production/runs/*:read", 500),
            ("production/runs/erp:read", 500),
        ]);
        let told = reviewed(&principal(Role::Operator, None), &used);
        assert_eq!(told.used, parsed(&["production/runs/*:read"]));
    }

    #[test]
    fn who_did_nothing_needs_nothing_and_who_did_too_much_is_not_judged() {
        let nobody = principal(Role::Operator, None);
        let told = reviewed(&nobody, &uses(&[("production/runs/crm:read", 50)]));
        assert_eq!(told.enough, Some(Enough::Nothing));
        let much = UsesOf { more: true, ..uses(&[("production/runs/crm:read", 500)]) };
        let told = reviewed(&nobody, &much);
        assert_eq!((told.enough, told.more), (None, true));
    }
}
