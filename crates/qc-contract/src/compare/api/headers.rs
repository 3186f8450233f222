//! Headers of answers.

use super::super::found::Said;
use super::super::lifecycle::{self, Standing};
use super::super::rules::{self, Rule, Subject};
use super::super::side::Spot;
use super::super::walk::Wire;
use super::{Comparing, Scope, conj};
use crate::model::{Header, Response};

/// Whether a header tells callers of their limits.
fn is_limit(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("x-").unwrap_or(&name);
    name.starts_with("ratelimit") || name.starts_with("rate-limit") || name == "retry-after"
}

impl<'d> Comparing<'_, 'd> {
    pub(super) fn compare_headers(
        &mut self,
        old: &'d Response,
        new: &'d Response,
        around: (Spot<'d>, Spot<'d>),
        scope: &Scope,
    ) {
        let same = |one: &Header, other: &Header| one.name.eq_ignore_ascii_case(&other.name);
        for one in &old.headers {
            let scope = &scope.part(format!("{}, header `{}`", scope.part, one.name));
            if let Some(other) = new.headers.iter().find(|other| same(one, other)) {
                self.compare_header(one, other, scope);
                continue;
            }
            let rule: &'static Rule = if is_limit(&one.name) {
                &rules::RATE_LIMIT_HEADER_REMOVED
            } else {
                &rules::RESPONSE_HEADER_REMOVED
            };
            let spot = self.old.at(&one.at);
            let standing = Standing::at(spot);
            let announced = lifecycle::removal(Subject::Header, &standing, around.1, self.calendar);
            if let Some(found) = announced {
                self.tell(&found, scope);
                continue;
            }
            let said = (Said::new(spot, &*one.name), Said::absent(around.1));
            self.say(rule, said.0, said.1, format!("the header `{}` is gone", one.name), scope);
        }
        for other in &new.headers {
            if old.headers.iter().any(|one| same(one, other)) {
                continue;
            }
            let rule: &'static Rule = if is_limit(&other.name) {
                &rules::RATE_LIMIT_HEADER_ADDED
            } else {
                &rules::RESPONSE_HEADER_ADDED
            };
            let said = (Said::absent(around.0), Said::new(self.new.at(&other.at), &*other.name));
            let message = format!("there is a header `{}`", other.name);
            self.say(rule, said.0, said.1, message, scope);
        }
    }

    fn compare_header(&mut self, old: &'d Header, new: &'d Header, scope: &Scope) {
        let spots = (self.old.at(&old.at), self.new.at(&new.at));
        let said = |key: &str| {
            (Said::maybe(spots.0.get(key), spots.0), Said::maybe(spots.1.get(key), spots.1))
        };
        match (old.required, new.required) {
            (true, false) => {
                let said = said("required");
                let rule = &rules::RESPONSE_HEADER_BECAME_OPTIONAL;
                self.say(rule, said.0, said.1, "it may be missing", scope);
            }
            (false, true) => {
                let said = said("required");
                let rule = &rules::RESPONSE_HEADER_BECAME_REQUIRED;
                self.say(rule, said.0, said.1, "it always comes", scope);
            }
            _ => {}
        }
        if spots.0.flag("explode") != spots.1.flag("explode") {
            let said = said("explode");
            let message = "objects are written in another way";
            self.say(&rules::RESPONSE_HEADER_STYLE_CHANGED, said.0, said.1, message, scope);
        }
        let mut found = Vec::new();
        let standings = (Standing::at(spots.0), Standing::at(spots.1));
        lifecycle::changes(Subject::Header, &standings.0, &standings.1, self.calendar, &mut found);
        for found in &found {
            self.tell(found, scope);
        }
        let texts = ["description", "example", "examples"];
        self.compare_texts(&rules::RESPONSE_HEADER_TEXT_CHANGED, spots, &texts, scope);
        let schemas = (
            conj(self.old, old.schema.as_ref(), spots.0),
            conj(self.new, new.schema.as_ref(), spots.1),
        );
        self.compare_schemas(&schemas.0, &schemas.1, scope.answer(), Wire::Text, scope);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_limits_are_known() {
        for name in ["X-RateLimit-Limit", "RateLimit", "X-Rate-Limit-Reset", "Retry-After"] {
            assert!(is_limit(name), "{name}");
        }
        assert!(!is_limit("X-Request-Id"));
    }
}
