use http::HeaderMap;
use qc_expression::{Limits, Scope};
use qc_model::{Applied, CallError, CallErrorKind, Class, Code, Failure, Retry, Timestamp};
use serde_json::{Map, Value, json};

use crate::{
    codes,
    connector::{self, Connector, ErrorRule},
};

/// The longest message of a vendor that is kept, in characters.
const LONGEST_MESSAGE: usize = 1_000;

/// A call that brought no complete answer.
pub(super) fn call_error(error: &CallError) -> Failure {
    use CallErrorKind as Kind;
    let (class, code, title): (Class, Code, &str) = match error.kind {
        Kind::Resolve | Kind::Connect | Kind::Tls => {
            (Class::Dependency, codes::UNREACHABLE, "The other system cannot be reached")
        }
        Kind::Timeout => (Class::Timeout, codes::TIMED_OUT, "No answer in time"),
        Kind::Reset | Kind::Protocol => (
            Class::Transient,
            codes::NO_ANSWER,
            "The connection broke before the answer was complete",
        ),
        Kind::TooLarge => {
            (Class::Permanent, codes::RESPONSE_TOO_LARGE, "The answer is larger than allowed")
        }
        Kind::OutOfReach => (Class::Policy, codes::OUT_OF_REACH, "The address may not be called"),
        Kind::Refused => (Class::Permanent, codes::UNSENDABLE, "The request cannot be sent"),
    };
    let mut failure = Failure::new(class, code, title, error.message.clone());
    failure.applied = if error.sent { Applied::Maybe } else { Applied::No };
    failure
}

/// An answer, as far as its classification needs it.
pub(super) struct Verdict<'a> {
    pub(super) status: u16,
    pub(super) headers: &'a HeaderMap,
    pub(super) content: &'a Value,
    pub(super) now: Timestamp,
}

impl Verdict<'_> {
    /// The failure that the answer tells of; None for a success.
    pub(super) fn failure(&self, connector: Option<&Connector>) -> Option<Failure> {
        let mapped = connector.and_then(|connector| self.mapped(connector.error_rules()));
        // What neither a rule nor a plain status tells is a guess, and says so.
        let guessed = mapped.is_none() && !connector::is_plain(self.status);
        let mut failure = match mapped {
            Some(failure) => failure,
            None if (200..300).contains(&self.status) => return None,
            None if (300..400).contains(&self.status) => self.redirect(),
            None => self.by_status(),
        };
        if let Some(listed) = connector.and_then(Connector::retryable) {
            apply_list(&mut failure, listed.iter().any(|one| one.matches(self.status)));
        }
        if let Retry::After { stated_ms } = &mut failure.retry {
            *stated_ms = qc_pace::said(self.headers, self.now)
                .pause()
                .map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        }
        if self.headers.get("qc-retry").is_some_and(|value| value == "never") {
            // What failed there was tried again there: one layer tries again, and not each.
            failure.retry = Retry::Never;
        }
        if guessed {
            failure.data = Some(json!({ "unmapped": true }));
        }
        failure.owner = connector.and_then(Connector::owner).map(str::to_owned);
        Some(failure)
    }

    fn redirect(&self) -> Failure {
        let detail = format!("the other system answered {} and redirects elsewhere", self.status);
        let mut failure =
            Failure::new(Class::Permanent, codes::REDIRECT, "A redirect is not followed", detail);
        failure.status = self.status;
        // "See other" is the answer to something that was done.
        failure.applied = if self.status == 303 { Applied::Yes } else { Applied::No };
        failure
    }

    fn by_status(&self) -> Failure {
        let throttled = self.status == 403
            && (qc_pace::said(self.headers, self.now).exhausted()
                || self.headers.contains_key("retry-after"));
        let class = if throttled { Class::Throttled } else { Class::of_status(self.status) };
        let (code, title) = match class {
            Class::Auth => (codes::CREDENTIAL_REFUSED, "The credential was not accepted"),
            _ => (codes::ERROR_STATUS, "The other system answered with an error"),
        };
        let detail = format!("the other system answered {}", self.status);
        let mut failure = Failure::new(class, code, title, detail);
        failure.status = self.status;
        failure.applied = self.applied();
        failure
    }

    /// Whether an error status leaves open that the effect took place. Statuses of the 400s refuse; those of the 500s
    /// may come from a proxy after the request was passed on, except where the server says that it turned it away.
    fn applied(&self) -> Applied {
        match self.status {
            503 if self.headers.contains_key("retry-after") => Applied::No,
            501 | 505 | 511 => Applied::No,
            500..=599 => Applied::Maybe,
            _ => Applied::No,
        }
    }

    fn mapped(&self, rules: &[ErrorRule]) -> Option<Failure> {
        if rules.is_empty() {
            return None;
        }
        let candidate = |rule: &&ErrorRule| {
            let status = rule.statuses.is_empty()
                || rule.statuses.iter().any(|one| one.matches(self.status));
            let header = rule.header.as_ref().is_none_or(|(name, value)| {
                self.headers.get_all(name).iter().any(|found| {
                    value.as_ref().is_none_or(|value| found.as_bytes() == value.as_bytes())
                })
            });
            status && header
        };
        let mut facts: Option<(Value, Value)> = None;
        for rule in rules.iter().filter(candidate) {
            let (status, headers) =
                facts.get_or_insert_with(|| (json!(self.status), header_object(self.headers)));
            let variables = [&*status, &*headers];
            let scope = Scope {
                variables: &variables,
                now_ms: self.now.as_millis(),
                limits: Limits::default(),
            };
            let fits = rule
                .body
                .as_ref()
                .is_none_or(|body| body.test(self.content, &scope).unwrap_or(false));
            if fits {
                let message =
                    rule.message.as_ref().and_then(|m| m.evaluate(self.content, &scope).ok());
                return Some(self.by_rule(rule, message));
            }
        }
        None
    }

    fn by_rule(&self, rule: &ErrorRule, message: Option<Value>) -> Failure {
        let name = rule.class.as_str();
        let detail = format!(
            "the other system answered {}; the connector's error map takes it for `{name}`",
            self.status
        );
        let mut failure = Failure::new(
            rule.class,
            codes::MAPPED_ERROR,
            "The connector's error map recognised an error",
            detail,
        );
        if self.status >= 400 {
            failure.status = self.status;
        }
        if let Some(action) = rule.next_action {
            failure.next_action = action;
        }
        failure.applied = rule.applied.unwrap_or_else(|| match self.status {
            // A success status with an error in its body: the vendor refused, whatever the status says.
            200..=399 => Applied::No,
            _ => self.applied(),
        });
        let text = match message {
            Some(Value::String(text)) => Some(text),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        failure.data = text.map(
            |text| json!({ "message": text.chars().take(LONGEST_MESSAGE).collect::<String>() }),
        );
        failure
    }
}

/// The connector's own list of statuses decides over the table; dead credentials and refused
/// contents are not turned into something to repeat.
fn apply_list(failure: &mut Failure, listed: bool) {
    let after = Retry::After { stated_ms: None };
    match failure.retry {
        Retry::Never if listed && failure.code == codes::ERROR_STATUS => failure.retry = after,
        Retry::After { .. } if !listed && failure.code == codes::ERROR_STATUS => {
            failure.retry = Retry::Never;
        }
        _ => {}
    }
}

/// Header fields as an object of texts, names in lower case; values of repeated fields joined by `, `.
fn header_object(headers: &HeaderMap) -> Value {
    let mut object = Map::new();
    for (name, text) in super::answer::header_texts(headers) {
        object.insert(name, Value::String(text));
    }
    Value::Object(object)
}
