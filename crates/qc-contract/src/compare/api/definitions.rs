//! Definitions of security schemes: how callers prove who they are.

use std::collections::BTreeSet;

use super::super::found::{Found, Said};
use super::super::rules::{self, Level, Rule};
use super::super::side::Spot;
use super::super::walk::Bound;
use super::security::renamed;
use super::{Comparing, Offered, Scope, names_of, whole_document};

/// Where schemes are defined, by generation.
fn definitions(root: Spot<'_>) -> Option<(Spot<'_>, &'static str)> {
    let components = root.get("components").filter(|c| c.get("securitySchemes").is_some());
    match components {
        Some(components) => Some((components, "securitySchemes")),
        None => root.get("securityDefinitions").map(|_| (root, "securityDefinitions")),
    }
}

/// Flows of OAuth 2.0 by today's names.
fn flow_name(name: &str) -> &str {
    match name {
        "accessCode" => "authorizationCode",
        "application" => "clientCredentials",
        other => other,
    }
}

/// The flows of a definition with where they stand: in Swagger 2.0 a definition is one flow.
fn flows(scheme: Spot<'_>) -> Vec<(&str, Spot<'_>)> {
    match scheme.text("flow") {
        Some(flow) => vec![(flow_name(flow), scheme)],
        None => scheme.entries("flows").collect(),
    }
}

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_definitions(&mut self) {
        let (old, new) = (definitions(self.old.root()), definitions(self.new.root()));
        let entries = |given: Option<(Spot<'d>, &'static str)>| -> Vec<(&'d str, Spot<'d>)> {
            given.map(|(above, key)| above.entries(key).collect()).unwrap_or_default()
        };
        let (was, is) = (entries(old), entries(new));
        let used = used_schemes(self.old_api);
        let is_bare = self.old_api.operations.is_empty();
        let renamed = renamed(self.old_api, self.new_api);
        let around = (self.old.root(), self.new.root());
        for (name, spot) in &was {
            let mut scope = whole_document().part(format!("security scheme `{name}`"));
            let new_name = renamed.get(*name).map_or(*name, String::as_str);
            let Some((_, other)) = is.iter().find(|(other, _)| *other == new_name) else {
                let said = (Said::value(*spot), Said::absent(around.1));
                let message = format!("`{name}` is not defined any more");
                let rule = &rules::SECURITY_DEFINITION_REMOVED;
                self.say(rule, said.0, said.1, message, &scope);
                continue;
            };
            if !is_bare && !used.contains(*name) {
                // Nothing asks for it.
                scope.bound = Bound::capped(Level::Cosmetic);
            }
            let (one, other) = (self.old.follow(*spot), self.new.follow(*other));
            if let (Some(one), Some(other)) = (one, other) {
                self.compare_definition(one, other, &scope);
            }
        }
        for (name, spot) in is {
            let is_known = was.iter().any(|(old, _)| *old == name)
                || renamed.values().any(|other| other == name);
            if !is_known {
                let scope = whole_document().part(format!("security scheme `{name}`"));
                let said = (Said::absent(around.0), Said::value(spot));
                let message = format!("`{name}` is defined");
                self.say(&rules::SECURITY_DEFINITION_ADDED, said.0, said.1, message, &scope);
            }
        }
    }

    fn compare_definition(&mut self, old: Spot<'d>, new: Spot<'d>, scope: &Scope) {
        let kind = |spot: Spot<'d>| match (spot.text("type"), spot.text("scheme")) {
            // Swagger 2.0 has a type of its own for it.
            (Some("basic"), _) => ("http", Some("basic".to_owned())),
            (kind, scheme) => (kind.unwrap_or_default(), scheme.map(str::to_ascii_lowercase)),
        };
        for key in ["type", "name", "in"] {
            let differs = match key {
                "type" => kind(old) != kind(new),
                key => {
                    matches!(kind(old).0, "apiKey" | "httpApiKey") && old.text(key) != new.text(key)
                }
            };
            if differs {
                let said = (Said::maybe(old.get(key), old), Said::maybe(new.get(key), new));
                let message = format!("its `{key}` is another");
                self.say(&rules::SECURITY_DEFINITION_CHANGED, said.0, said.1, message, scope);
                if key == "type" {
                    return;
                }
            }
        }
        self.differing(
            &rules::SECURITY_ADDRESS_CHANGED,
            (old, new),
            &["openIdConnectUrl", "oauth2MetadataUrl"],
            scope,
        );
        let tokens = ["bearerFormat", "x-token-lifetime", "x-token-expires-in", "x-audience"];
        self.differing(&rules::SECURITY_TOKEN_CHANGED, (old, new), &tokens, scope);
        self.compare_texts(&rules::SECURITY_TEXT_CHANGED, (old, new), &["description"], scope);
        let (was, is) = (flows(old), flows(new));
        for (name, one) in &was {
            let Some((_, other)) = is.iter().find(|(other, _)| other == name) else {
                let said = (Said::new(*one, *name), Said::absent(new));
                let message = format!("the flow `{name}` is gone");
                self.say(&rules::SECURITY_FLOW_REMOVED, said.0, said.1, message, scope);
                continue;
            };
            self.compare_flow(*one, *other, scope);
        }
        for (name, other) in is {
            if !was.iter().any(|(one, _)| *one == name) {
                let said = (Said::absent(old), Said::new(other, name));
                let message = format!("there is a flow `{name}`");
                self.say(&rules::SECURITY_FLOW_ADDED, said.0, said.1, message, scope);
            }
        }
    }

    fn compare_flow(&mut self, old: Spot<'d>, new: Spot<'d>, scope: &Scope) {
        let addresses = ["authorizationUrl", "tokenUrl", "refreshUrl", "deviceAuthorizationUrl"];
        self.differing(&rules::SECURITY_ADDRESS_CHANGED, (old, new), &addresses, scope);
        // AsyncAPI calls them available: `scopes` are those that are needed there.
        let is_offered = old.get("availableScopes").is_some();
        let key = if is_offered { "availableScopes" } else { "scopes" };
        for name in names_of(old, new, key) {
            let get = |spot: Spot<'d>| spot.get(key).and_then(|scopes| scopes.get(name));
            let (rule, message): (&'static Rule, _) = match (get(old), get(new)) {
                (Some(_), None) => (&rules::SECURITY_SCOPE_UNDEFINED, "is not defined any more"),
                (None, Some(_)) => (&rules::SECURITY_SCOPE_DEFINED, "is defined"),
                (Some(one), Some(other)) if one.node.as_str() != other.node.as_str() => {
                    (&rules::SECURITY_TEXT_CHANGED, "is described otherwise")
                }
                _ => continue,
            };
            let said = (Said::maybe(get(old), old), Said::maybe(get(new), new));
            self.say(rule, said.0, said.1, format!("the scope `{name}` {message}"), scope);
        }
    }

    /// One finding for each of the keys whose values differ.
    fn differing(
        &mut self,
        rule: &'static Rule,
        (old, new): (Spot<'d>, Spot<'d>),
        keys: &[&str],
        scope: &Scope,
    ) {
        for key in keys {
            let both = (old.get(key), new.get(key));
            let is_same = match both {
                (None, None) => true,
                (Some(one), Some(other)) => super::super::shape::same_value(one.node, other.node),
                _ => false,
            };
            if !is_same {
                let said = (Said::maybe(both.0, old), Said::maybe(both.1, new));
                self.tell(&Found::new(rule, said.0, said.1, format!("`{key}` is another")), scope);
            }
        }
    }
}

/// Schemes that some operation asks for.
fn used_schemes(api: Offered<'_>) -> BTreeSet<&str> {
    let requirements = api.operations.iter().flat_map(|operation| &operation.security);
    requirements.flat_map(|one| &one.schemes).map(|(name, _)| &**name).collect()
}
