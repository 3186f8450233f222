//! Operations, webhooks and callbacks: which are there, and what each asks and answers.

use std::collections::{BTreeMap, HashMap};

use super::super::found::Said;
use super::super::lifecycle::{self, Standing};
use super::super::outcome::Use;
use super::super::rules::{self, Level, Rule, Subject};
use super::super::side::Spot;
use super::super::walk::Bound;
use super::{Comparing, Scope, UNSTABLE};
use crate::mismatch::Direction;
use crate::model::Operation;
use crate::openapi::template_names;

/// Operations of two versions that are the same on the wire.
struct Paired<'d> {
    both: Vec<(&'d Operation, &'d Operation)>,
    gone: Vec<&'d Operation>,
    added: Vec<&'d Operation>,
}

fn paired<'d>(old: &'d [Operation], new: &'d [Operation]) -> Paired<'d> {
    let key = |operation: &Operation| (operation.method, bare(&operation.path));
    let mut by_key: HashMap<_, Vec<&'d Operation>> = HashMap::new();
    for operation in new {
        by_key.entry(key(operation)).or_default().push(operation);
    }
    let mut paired = Paired { both: Vec::new(), gone: Vec::new(), added: Vec::new() };
    for operation in old {
        let Some(candidates) = by_key.get_mut(&key(operation)).filter(|list| !list.is_empty())
        else {
            paired.gone.push(operation);
            continue;
        };
        let exact = candidates.iter().position(|other| other.path == operation.path);
        paired.both.push((operation, candidates.remove(exact.unwrap_or(0))));
    }
    let mut left: Vec<&Operation> = by_key.into_values().flatten().collect();
    left.sort_by_key(|operation| (&*operation.path, operation.method));
    paired.added = left;
    paired
}

/// A path as servers see it: without the names of its parameters.
pub(super) fn bare(path: &str) -> String {
    let mut bare = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((_, after)) = after.split_once('}') else { break };
        bare.push_str(before);
        bare.push_str("{}");
        rest = after;
    }
    bare.push_str(rest);
    if bare.len() > 1 { bare.trim_end_matches('/').to_owned() } else { bare }
}

/// What a group of operations is, and the rules for its coming and going.
struct Group {
    request: Direction,
    removed: &'static Rule,
    added: &'static Rule,
    title: &'static str,
}

const CALLS: Group = Group {
    request: Direction::Request,
    removed: &rules::OPERATION_REMOVED,
    added: &rules::OPERATION_ADDED,
    title: "",
};
const WEBHOOKS: Group = Group {
    request: Direction::Response,
    removed: &rules::WEBHOOK_REMOVED,
    added: &rules::WEBHOOK_ADDED,
    title: "webhook ",
};
const CALLBACKS: Group = Group {
    request: Direction::Response,
    removed: &rules::CALLBACK_REMOVED,
    added: &rules::CALLBACK_ADDED,
    title: "callback ",
};

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_operations(&mut self) {
        let (old, new) = (self.old_api, self.new_api);
        self.compare_group(old.operations, new.operations, &CALLS, "", Bound::NONE);
        self.compare_group(old.webhooks, new.webhooks, &WEBHOOKS, "", Bound::NONE);
    }

    fn compare_group(
        &mut self,
        old: &'d [Operation],
        new: &'d [Operation],
        group: &Group,
        above: &str,
        bound: Bound,
    ) {
        let paired = paired(old, new);
        for (old, new) in paired.both {
            self.compare_operation(old, new, group, above, bound);
        }
        for operation in paired.gone {
            self.gone(operation, group, above, bound);
        }
        for operation in paired.added {
            let spot = self.new.at(&operation.at());
            let scope = scope(operation, group, above, bound);
            let said = (Said::absent(self.old.root()), Said::new(spot, &*scope.operation));
            let message = format!("`{}` is there now", scope.operation);
            self.say(group.added, said.0, said.1, message, &scope);
        }
    }

    fn gone(&mut self, operation: &'d Operation, group: &Group, above: &str, bound: Bound) {
        let spot = self.old.at(&operation.at());
        let standing = Standing::at(spot);
        let mut scope = scope(operation, group, above, bound);
        if standing.is_unstable() {
            scope.bound = UNSTABLE;
        }
        let around = self.new.root();
        let announced = lifecycle::removal(Subject::Operation, &standing, around, self.calendar);
        if let Some(found) = announced {
            return self.tell(&found, &scope);
        }
        let message = format!("`{}` is gone", scope.operation);
        let said = (Said::new(spot, &*scope.operation), Said::absent(around));
        self.say(group.removed, said.0, said.1, message, &scope);
    }

    fn compare_operation(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        group: &Group,
        above: &str,
        bound: Bound,
    ) {
        let spots = (self.old.at(&old.at()), self.new.at(&new.at()));
        let standings = (Standing::at(spots.0), Standing::at(spots.1));
        let mut scope = scope(new, group, above, bound);
        if standings.0.is_unstable() {
            scope.bound = UNSTABLE;
        }
        let mut found = Vec::new();
        lifecycle::changes(
            Subject::Operation,
            &standings.0,
            &standings.1,
            self.calendar,
            &mut found,
        );
        for found in &found {
            self.tell(found, &scope);
        }
        self.compare_heads(old, new, spots, &scope);
        let renamed = self.compare_path_names(old, new, spots, &scope);
        self.compare_parameters(old, new, spots, &renamed, &scope);
        self.compare_bodies(old.request_body.as_ref(), new.request_body.as_ref(), spots, &scope);
        self.compare_responses(old, new, spots, &scope);
        self.compare_security(old, new, spots, &scope);
        self.compare_own_servers(old, new, spots, &scope);
        self.compare_limits(spots, &scope);
        self.compare_callbacks(old, new, &scope);
    }

    fn compare_heads(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let ids = (spots.0.get("operationId"), spots.1.get("operationId"));
        let text = |spot: Option<Spot<'d>>| spot.and_then(|spot| spot.node.as_str());
        if text(ids.0) != text(ids.1) {
            let said = (Said::maybe(ids.0, spots.0), Said::maybe(ids.1, spots.1));
            self.say(
                &rules::OPERATION_ID_CHANGED,
                said.0,
                said.1,
                "the `operationId` is another",
                scope,
            );
        }
        if old.tags == new.tags {
            let keys = ["summary", "description", "externalDocs"];
            self.compare_texts(&rules::OPERATION_TEXT_CHANGED, spots, &keys, scope);
        } else {
            let keys = ["tags"];
            self.compare_texts(&rules::OPERATION_TEXT_CHANGED, spots, &keys, scope);
        }
    }

    /// Parameters in a path are known by their place; their names are the document's own.
    fn compare_path_names(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) -> BTreeMap<&'d str, &'d str> {
        let mut renamed = BTreeMap::new();
        for (one, other) in template_names(&old.path).zip(template_names(&new.path)) {
            if one != other {
                renamed.insert(one, other);
                let said = (Said::new(spots.0, one), Said::new(spots.1, other));
                let message = format!("`{one}` in the path is called `{other}`");
                self.say(&rules::PATH_PARAMETER_RENAMED, said.0, said.1, message, scope);
            }
        }
        renamed
    }

    fn compare_callbacks(&mut self, old: &'d Operation, new: &'d Operation, scope: &Scope) {
        let mut expected: BTreeMap<&str, (&[Operation], &[Operation])> = BTreeMap::new();
        for callback in &old.callbacks {
            expected.entry(&callback.name).or_default().0 = &callback.operations;
        }
        for callback in &new.callbacks {
            expected.entry(&callback.name).or_default().1 = &callback.operations;
        }
        for (name, (old, new)) in expected {
            let above = format!("{} {name} ", scope.operation);
            self.compare_group(old, new, &CALLBACKS, &above, scope.bound);
        }
    }
}

fn scope(operation: &Operation, group: &Group, above: &str, bound: Bound) -> Scope {
    let name = format!("{above}{}{} {}", group.title, operation.method, operation.path);
    Scope {
        operation: Use::from(name),
        part: String::new(),
        request: group.request,
        bound: Bound { cap: bound.cap.min(Level::Breaking), ..bound },
        is_error: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_known_without_its_names() {
        assert_eq!(bare("/a/{b}/c{d}.json"), "/a/{}/c{}.json");
        assert_eq!(bare("/a/"), "/a");
        assert_eq!(bare("/"), "/");
        assert_eq!(bare("/a/{b"), "/a/{b");
    }
}
