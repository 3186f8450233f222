//! The body of a request.

use super::super::found::Said;
use super::super::rules::{self, Rule};
use super::super::side::Spot;
use super::{Comparing, Scope};
use crate::model::RequestBody;

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_bodies(
        &mut self,
        old: Option<&'d RequestBody>,
        new: Option<&'d RequestBody>,
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let scope = &scope.part("request");
        let (old, new) = match (old, new) {
            (None, None) => return,
            (None, Some(new)) => {
                let rule: &'static Rule = match (scope.is_event(), new.required) {
                    (true, _) => &rules::RESPONSE_BODY_ADDED,
                    (false, true) => &rules::REQUEST_BODY_ADDED_REQUIRED,
                    (false, false) => &rules::REQUEST_BODY_ADDED_OPTIONAL,
                };
                let said = (Said::absent(around.0), Said::new(self.new.at(&new.at), "a body"));
                return self.say(rule, said.0, said.1, "there is a body now", scope);
            }
            (Some(old), None) => {
                let rule: &'static Rule = if scope.is_event() {
                    &rules::RESPONSE_BODY_REMOVED
                } else {
                    &rules::REQUEST_BODY_REMOVED
                };
                let said = (Said::new(self.old.at(&old.at), "a body"), Said::absent(around.1));
                return self.say(rule, said.0, said.1, "there is no body any more", scope);
            }
            (Some(old), Some(new)) => (old, new),
        };
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        self.compare_texts(&rules::REQUEST_BODY_TEXT_CHANGED, spots, &["description"], scope);
        let said = || {
            let required = |spot: Spot<'d>| Said::maybe(spot.get("required"), spot);
            (required(spots.0), required(spots.1))
        };
        match (old.required, new.required, scope.is_event()) {
            (false, true, false) => {
                let rule = &rules::REQUEST_BODY_BECAME_REQUIRED;
                self.say(rule, said().0, said().1, "a body has to be sent", scope);
            }
            (true, false, false) => {
                let rule = &rules::REQUEST_BODY_BECAME_OPTIONAL;
                self.say(rule, said().0, said().1, "the body can be left out", scope);
            }
            _ => {}
        }
        self.compare_contents(&old.content, &new.content, scope.request, spots, scope);
    }
}
