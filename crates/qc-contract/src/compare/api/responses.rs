//! Answers, by status.

use super::super::found::{Found, Said};
use super::super::rules::{self, Level, Rule};
use super::super::side::Spot;
use super::super::walk::Bound;
use super::{Comparing, Scope};
use crate::model::{Operation, Response, StatusPattern};

/// Whether a status tells of a failure; `default` does by custom.
fn is_error(status: StatusPattern) -> bool {
    match status {
        StatusPattern::Exact(status) => status >= 400,
        StatusPattern::Range(range) => range >= 4,
        StatusPattern::Default => true,
    }
}

/// The answer of the new version that takes an old one's place: its own entry, else its range, else `default`.
fn successor(new: &Operation, status: StatusPattern) -> Option<&Response> {
    let own = new.responses.iter().find(|response| response.status == status);
    own.or_else(|| match status {
        StatusPattern::Exact(status) => new.response(status),
        StatusPattern::Range(range) => {
            // A range that became its statuses.
            let within = |response: &&Response| match response.status {
                StatusPattern::Exact(status) => status / 100 == u16::from(range),
                _ => false,
            };
            new.responses.iter().find(within)
        }
        StatusPattern::Default => None,
    })
}

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_responses(
        &mut self,
        old: &'d Operation,
        new: &'d Operation,
        spots: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let around = (
            spots.0.get("responses").unwrap_or(spots.0),
            spots.1.get("responses").unwrap_or(spots.1),
        );
        for one in &old.responses {
            let scope = answer(scope, one.status);
            match successor(new, one.status) {
                // A described success that is left to `default` is no success any more.
                Some(other) if is_error(one.status) || !is_default(other) || is_default(one) => {
                    self.compare_response(one, other, &scope);
                }
                _ => self.response_gone(one, around.1, &scope),
            }
        }
        for other in &new.responses {
            if old.responses.iter().any(|one| one.status == other.status) {
                continue;
            }
            let scope = answer(scope, other.status);
            let rule: &'static Rule = if is_error(other.status) {
                &rules::RESPONSE_ERROR_ADDED
            } else {
                &rules::RESPONSE_SUCCESS_ADDED
            };
            let spot = self.new.at(&other.at);
            let said = (Said::absent(around.0), Said::new(spot, other.status.to_string()));
            let message = format!("`{}` may be answered", other.status);
            self.say(rule, said.0, said.1, message, &scope);
        }
    }

    fn response_gone(&mut self, old: &'d Response, around: Spot<'d>, scope: &Scope) {
        let rule: &'static Rule = match old.status {
            StatusPattern::Default => &rules::RESPONSE_DEFAULT_REMOVED,
            status if is_error(status) => &rules::RESPONSE_ERROR_REMOVED,
            _ => &rules::RESPONSE_SUCCESS_REMOVED,
        };
        let spot = self.old.at(&old.at);
        let said = (Said::new(spot, old.status.to_string()), Said::absent(around));
        let message = format!("`{}` is not answered any more", old.status);
        let found = Found::new(rule, said.0, said.1, message);
        // What consumers may answer to an event is theirs to choose.
        let level = if scope.is_event() { Level::Risky } else { Level::Breaking };
        self.tell(&found.at_most(level), scope);
    }

    fn compare_response(&mut self, old: &'d Response, new: &'d Response, scope: &Scope) {
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let keys = ["description", "summary", "links"];
        self.compare_texts(&rules::RESPONSE_TEXT_CHANGED, spots, &keys, scope);
        self.compare_headers(old, new, spots, scope);
        match (old.content.is_empty(), new.content.is_empty()) {
            (true, true) => {}
            (true, false) => {
                let said = (Said::absent(spots.0), Said::new(spots.1, "a body"));
                let message = "there is a body now";
                self.say(&rules::RESPONSE_BODY_ADDED, said.0, said.1, message, scope);
            }
            (false, true) => {
                let said = (Said::new(spots.0, "a body"), Said::absent(spots.1));
                let message = "there is no body any more";
                self.say(&rules::RESPONSE_BODY_REMOVED, said.0, said.1, message, scope);
            }
            (false, false) => {
                self.compare_contents(&old.content, &new.content, scope.answer(), spots, scope);
            }
        }
    }
}

fn is_default(response: &Response) -> bool {
    response.status == StatusPattern::Default
}

fn answer(scope: &Scope, status: StatusPattern) -> Scope {
    let mut scope = scope.part(format!("answer {status}"));
    scope.is_error = is_error(status);
    scope.bound = Bound { ..scope.bound };
    scope
}
