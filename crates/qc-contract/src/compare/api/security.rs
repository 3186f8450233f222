//! What an operation asks callers to prove.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::found::Said;
use super::super::rules::{self, Rule};
use super::super::side::Spot;
use super::{Comparing, Offered, Scope};
use crate::model::{Operation, SecurityRequirement, SecurityScheme};

/// What must be sent together: schemes with the scopes that each needs.
type Needed = BTreeMap<String, BTreeSet<Arc<str>>>;

/// The new name of an old scheme, as far as the definitions tell.
pub(super) fn renamed(old: Offered<'_>, new: Offered<'_>) -> BTreeMap<String, String> {
    let find = |api: Offered<'_>, name: &str| -> Option<SecurityScheme> {
        api.schemes.iter().find(|(own, _)| &**own == name).map(|(_, scheme)| scheme.clone())
    };
    let mut renamed = BTreeMap::new();
    for (name, scheme) in old.schemes {
        if find(new, name).is_some() {
            continue;
        }
        let mut same = new
            .schemes
            .iter()
            .filter(|(other, definition)| definition == scheme && find(old, other).is_none());
        if let (Some((other, _)), None) = (same.next(), same.next()) {
            renamed.insert(name.to_string(), other.to_string());
        }
    }
    renamed
}

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_security(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let around = (
            spots.0.get("security").or_else(|| self.old.root().get("security")).unwrap_or(spots.0),
            spots.1.get("security").or_else(|| self.new.root().get("security")).unwrap_or(spots.1),
        );
        self.compare_requirements(&old.security, &new.security, around, scope);
    }

    /// Alternatives of which one must be satisfied.
    pub(super) fn compare_requirements(
        &mut self,
        old: &[SecurityRequirement],
        new: &[SecurityRequirement],
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let renamed = renamed(self.old_api, self.new_api);
        let was: Vec<Needed> = old.iter().map(|one| needed(one, &renamed)).collect();
        let is: Vec<Needed> = new.iter().map(|one| needed(one, &BTreeMap::new())).collect();
        if was == is {
            return;
        }
        let open = |list: &[Needed]| list.is_empty() || list.iter().any(Needed::is_empty);
        let said = || {
            let said = |list: &[Needed], spot| match list {
                [] => Said::absent(spot),
                list => Said::new(spot, shown(list)),
            };
            (said(&was, around.0), said(&is, around.1))
        };
        let mut say = |rule: &'static Rule, message: String| {
            self.say(rule, said().0, said().1, message, scope);
        };
        match (open(&was), open(&is)) {
            (true, true) => {}
            (true, false) => say(&rules::SECURITY_ADDED, "credentials are asked for".into()),
            (false, true) if is.is_empty() || was.iter().all(|one| !is.contains(one)) => {
                say(&rules::SECURITY_REMOVED, "no credentials are asked for any more".into());
            }
            (false, true) => {
                say(&rules::SECURITY_REMOVED, "credentials may be left out".into());
            }
            (false, false) => compare_alternatives(&was, &is, &mut say),
        }
    }
}

fn compare_alternatives(was: &[Needed], is: &[Needed], say: &mut dyn FnMut(&'static Rule, String)) {
    let mut taken = BTreeSet::new();
    for one in was {
        // What was sent is enough still.
        let enough = is.iter().position(|other| suffices(one, other));
        if let Some(at) = enough {
            taken.insert(at);
            let other = &is[at];
            if other.len() < one.len() {
                say(&rules::SECURITY_SCHEME_DROPPED, format!("`{}` is enough", shown_one(other)));
            }
            for (scheme, scopes) in other {
                let before = &one[scheme];
                for scope in before.difference(scopes) {
                    let message = format!("`{scope}` of `{scheme}` is not asked for any more");
                    say(&rules::SECURITY_SCOPE_REMOVED, message);
                }
            }
            continue;
        }
        // The alternative that asks for the same schemes, or for more.
        let closest = is.iter().position(|other| other.keys().eq(one.keys())).or_else(|| {
            is.iter().position(|other| one.keys().all(|scheme| other.contains_key(scheme)))
        });
        let Some(at) = closest else {
            let message = format!("`{}` is not enough any more", shown_one(one));
            say(&rules::SECURITY_ALTERNATIVE_REMOVED, message);
            continue;
        };
        taken.insert(at);
        for (scheme, scopes) in &is[at] {
            match one.get(scheme) {
                None => {
                    say(&rules::SECURITY_SCHEME_REQUIRED, format!("`{scheme}` is asked for, too"));
                }
                Some(before) => {
                    for scope in scopes.difference(before) {
                        let message = format!("`{scope}` of `{scheme}` is asked for");
                        say(&rules::SECURITY_SCOPE_ADDED, message);
                    }
                    for scope in before.difference(scopes) {
                        let message = format!("`{scope}` of `{scheme}` is not asked for any more");
                        say(&rules::SECURITY_SCOPE_REMOVED, message);
                    }
                }
            }
        }
    }
    for (at, other) in is.iter().enumerate() {
        if !taken.contains(&at) {
            let message = format!("`{}` is enough now", shown_one(other));
            say(&rules::SECURITY_ALTERNATIVE_ADDED, message);
        }
    }
}

/// Whether whoever sends `sent` has all that is `needed`.
fn suffices(sent: &Needed, needed: &Needed) -> bool {
    needed
        .iter()
        .all(|(scheme, scopes)| sent.get(scheme).is_some_and(|sent| scopes.is_subset(sent)))
}

fn needed(requirement: &SecurityRequirement, renamed: &BTreeMap<String, String>) -> Needed {
    let schemes = requirement.schemes.iter();
    schemes
        .map(|(name, scopes)| {
            let name = renamed.get(&**name).cloned().unwrap_or_else(|| name.to_string());
            (name, scopes.iter().cloned().collect())
        })
        .collect()
}

fn shown(list: &[Needed]) -> String {
    list.iter().map(shown_one).collect::<Vec<_>>().join(" or ")
}

fn shown_one(needed: &Needed) -> String {
    let schemes = needed.iter().map(|(scheme, scopes)| {
        let scopes: Vec<&str> = scopes.iter().map(|scope| &**scope).collect();
        if scopes.is_empty() { scheme.clone() } else { format!("{scheme} ({})", scopes.join(", ")) }
    });
    let text = schemes.collect::<Vec<_>>().join(" and ");
    if text.is_empty() { "nothing".to_owned() } else { text }
}
