//! Base addresses.

use super::super::found::Said;
use super::super::rules;
use super::super::side::Spot;
use super::{Comparing, Scope, whole_document};
use crate::model::{Operation, Server};

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_servers(&mut self) {
        let (old, new) = (self.old_api, self.new_api);
        let scope = whole_document().part("servers");
        let around = (self.old.root(), self.new.root());
        self.compare_addresses(old.servers, new.servers, around, &scope);
    }

    /// The servers of one operation, where it has its own.
    pub(super) fn compare_own_servers(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let own = |servers: &[Server], all: &[Server]| servers != all;
        let is_own =
            own(&old.servers, self.old_api.servers) || own(&new.servers, self.new_api.servers);
        if is_own {
            self.compare_addresses(&old.servers, &new.servers, spots, &scope.part("servers"));
        }
    }

    fn compare_addresses(
        &mut self,
        old: &'d [Server],
        new: &'d [Server],
        above: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let listed = |spot: Spot<'d>, url: &str| {
            let mut servers = spot.items("servers");
            servers.find(|server| server.text("url") == Some(url)).unwrap_or(spot)
        };
        for one in old {
            let spot = listed(above.0, &one.url);
            if !new.iter().any(|other| other.url == one.url) {
                let said = (Said::new(spot, &*one.url), Said::absent(above.1));
                let message = format!("`{}` is not listed any more", one.url);
                self.say(&rules::SERVER_REMOVED, said.0, said.1, message, scope);
                continue;
            }
            self.compare_server(spot, listed(above.1, &one.url), scope);
        }
        for other in new {
            if !old.iter().any(|one| one.url == other.url) {
                let said =
                    (Said::absent(above.0), Said::new(listed(above.1, &other.url), &*other.url));
                let message = format!("`{}` is listed", other.url);
                self.say(&rules::SERVER_ADDED, said.0, said.1, message, scope);
            }
        }
    }

    fn compare_server(&mut self, old: Spot<'d>, new: Spot<'d>, scope: &Scope) {
        self.compare_texts(&rules::SERVER_CHANGED, (old, new), &["description"], scope);
        for name in super::names_of(old, new, "variables") {
            let get = |spot: Spot<'d>| spot.get("variables").and_then(|all| all.get(name));
            let (one, other) = match (get(old), get(new)) {
                (Some(one), Some(other)) => (one, other),
                (one, other) => {
                    let said = (Said::maybe(one, old), Said::maybe(other, new));
                    let message = format!("the variable `{name}` came or went");
                    self.say(&rules::SERVER_VARIABLE_NARROWED, said.0, said.1, message, scope);
                    continue;
                }
            };
            let values = |spot: Spot<'d>| -> Vec<&'d str> {
                spot.items("enum").filter_map(|item| item.node.as_str()).collect()
            };
            let (was, is) = (values(one), values(other));
            let lost = was.iter().any(|value| !is.contains(value)) && !is.is_empty();
            let listed = was.is_empty() && !is.is_empty();
            if lost || listed || one.text("default") != other.text("default") {
                let said = (Said::value(one), Said::value(other));
                let message = format!("`{name}` lost values or has another default");
                self.say(&rules::SERVER_VARIABLE_NARROWED, said.0, said.1, message, scope);
            } else {
                let keys = ["enum", "description"];
                self.compare_texts(&rules::SERVER_CHANGED, (one, other), &keys, scope);
            }
        }
    }
}
