use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, header};
use http_body_util::Full;
use qc_access::{Action, AuthenticationError, Denial};
use qc_contract::Mismatch;
use qc_document::JsonError;
use qc_engine::{BulkError, EngineError, FailuresError};
use qc_model::{Class, Code, Failure, Finding, NextAction, Party, RunId, Timestamp};
use qc_store::StoreError;
use qc_vault::{KeyRingError, VaultError};
use serde_json::{Map, Value, json};

use crate::{asker::Denied, codes};

/// Seconds after which trying again makes sense when the store or the server is busy.
const RETRY_SOON: u64 = 2;
/// Seconds after which trying again makes sense when the disk is full: somebody has to make room.
const RETRY_LATER: u64 = 30;

/// The problem type of the draft standard for limits that are used up.
pub(crate) const QUOTA_EXCEEDED: &str =
    "https://iana.org/assignments/http-problem-types#quota-exceeded";

/// An error as it leaves the server: a problem document (RFC 9457) with a stable code and what to do next.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<ProblemParts>);

/// What a problem says. Behind one pointer, so that the results of what usually goes well stay small.
#[derive(Debug, Clone, PartialEq)]
pub struct ProblemParts {
    /// The HTTP status.
    pub status: u16,
    /// The stable code; its page is the document's `type`.
    pub code: Code,
    /// The kind of problem, the same for every occurrence.
    pub title: String,
    /// What happened this time; holds no payload and no secret.
    pub detail: String,
    /// What kind it is.
    pub class: Class,
    /// What the reader does next, for machines.
    pub next_action: NextAction,
    /// Who has to act, by which the failing hop is named.
    pub party: Party,
    /// Who owns the failing hop.
    pub owner: Option<String>,
    /// Where the owner is reached.
    pub contact: Option<String>,
    /// The same request is not sent again before this moment.
    pub not_before: Option<Timestamp>,
    /// How a credential is renewed; never the credential.
    pub credential: Option<Value>,
    /// From which version to which, and how.
    pub migration: Option<Value>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// The run that it concerns.
    pub run: Option<RunId>,
    /// The limits that refuse it.
    pub violated: Vec<String>,
    /// The places in the request that are wrong.
    pub errors: Vec<PointedError>,
    /// Diagnosed problems of files, where the request carried files.
    pub findings: Vec<Finding>,
    /// What the audit is to know, when somebody was refused.
    pub(crate) denied: Option<Denied>,
    /// Header fields that belong to this answer, such as `Allow`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

/// One wrong place in the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointedError {
    /// JSON Pointer into the body.
    pub pointer: String,
    /// The header field, when it is not the body.
    pub header: Option<String>,
    /// What is wrong there.
    pub detail: String,
    /// What is taken there, as a JSON Schema of one keyword or a few.
    pub expected: Option<Value>,
}

impl PointedError {
    /// A place in the body.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), header: None, detail: detail.into(), expected: None }
    }

    /// A header field.
    pub fn header(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { header: Some(name.into()), ..Self::new("", detail) }
    }

    /// Says what is taken there.
    #[must_use]
    pub fn expecting(mut self, expected: Value) -> Self {
        self.expected = Some(expected);
        self
    }

    fn to_json(&self) -> Value {
        let mut object = Map::new();
        match &self.header {
            Some(header) => object.insert("header".into(), json!(header)),
            None => object.insert("pointer".into(), json!(self.pointer)),
        };
        object.insert("detail".into(), json!(self.detail));
        if let Some(expected) = &self.expected {
            object.insert("expected".into(), expected.clone());
        }
        Value::Object(object)
    }
}

impl Problem {
    /// A problem without particulars.
    pub fn new(status: u16, code: Code, title: &str, detail: impl Into<String>) -> Self {
        let meaning = code.meaning();
        Self(Box::new(ProblemParts {
            status,
            code,
            title: title.to_owned(),
            detail: detail.into(),
            class: meaning.class,
            next_action: meaning.next_action,
            party: meaning.party,
            owner: None,
            contact: None,
            not_before: None,
            credential: None,
            migration: None,
            retry_after: None,
            run: None,
            violated: Vec::new(),
            errors: Vec::new(),
            findings: Vec::new(),
            denied: None,
            headers: Vec::new(),
        }))
    }

    /// Adds a wrong place.
    #[must_use]
    pub fn pointing(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(PointedError::new(pointer, detail));
        self
    }

    /// Adds a wrong place with what is taken there.
    #[must_use]
    pub fn at(mut self, error: PointedError) -> Self {
        self.errors.push(error);
        self
    }

    /// Says when to try again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self.next_action = NextAction::WaitUntil;
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn next(mut self, action: NextAction) -> Self {
        self.next_action = action;
        self
    }

    /// Says whose failure it is.
    #[must_use]
    pub fn owned_by(mut self, owner: Option<&str>) -> Self {
        self.owner = owner.map(str::to_owned);
        self
    }

    /// Names the run.
    #[must_use]
    pub fn about(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Adds a header field to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// A body that is no legal JSON.
    pub fn json(error: &JsonError) -> Self {
        Self::new(400, error.code.clone(), "Not acceptable JSON", error.to_string())
            .next(NextAction::FixRequest)
            .pointing(error.pointer.clone(), error.message.clone())
    }

    /// Data that break a contract.
    pub fn contract(mismatches: &[Mismatch], below: &str) -> Self {
        let count = mismatches.len();
        let places = if count == 1 { "one place" } else { "several places" };
        let detail = format!("the event's data break the trigger's contract in {places}");
        let mut problem = Self::new(422, codes::CONTRACT, "Contract broken", detail);
        problem.errors.extend(mismatches.iter().map(|mismatch| PointedError {
            expected: mismatch.expected.clone(),
            ..PointedError::new(format!("{below}{}", mismatch.pointer), mismatch.message.clone())
        }));
        problem
    }

    /// A run's failure, as the answer to whoever waited for the run.
    pub fn failure(failure: &Failure, run: Option<RunId>) -> Self {
        let mut problem =
            Self::new(failure.status, failure.code.clone(), &failure.title, failure.detail.clone())
                .next(failure.next_action)
                .owned_by(failure.owner.as_deref());
        problem.class = failure.class;
        if !(400..=599).contains(&failure.status) {
            problem.status = failure.class.status();
        }
        problem.retry_after = failure.stated_pause().map(|pause| pause.as_secs().max(1));
        problem.run = run;
        problem
    }

    /// A run's failure, as the one hears it who waited for the run. The event was accepted and its run waits for a person:
    /// to send the same again, or to renew one's own credential, is no help, unless the failure is about what was sent.
    pub fn of_run(failure: &Failure, run: RunId) -> Self {
        let mut problem = Self::failure(failure, Some(run));
        // A workflow that raises an error on purpose says what its sender is to hear.
        let of_the_sender =
            problem.party == Party::Sender || failure.code == qc_engine::codes::RAISED;
        if !of_the_sender && failure.next_action != NextAction::None {
            problem.next_action = NextAction::ContactOwner;
            problem.retry_after = None;
        }
        problem
    }

    /// Somebody who is not known.
    pub fn authentication(error: &AuthenticationError) -> Self {
        if let AuthenticationError::Store(store) = error {
            return Self::from(store.clone());
        }
        Self::new(401, error.code(), "Not authenticated", error.to_string())
            .next(NextAction::RefreshToken)
            .header(
                header::WWW_AUTHENTICATE,
                "Bearer realm=\"quickconnect\", error=\"invalid_token\"",
            )
    }

    /// Nobody said who they are.
    pub fn no_token() -> Self {
        let detail = "this address needs `Authorization: Bearer <token>`; `qc login` or `qc tokens create` gives one";
        Self::new(401, qc_access::codes::NO_TOKEN, "Not authenticated", detail)
            .next(NextAction::RefreshToken)
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"quickconnect\"")
    }

    /// Somebody who is known and may not.
    pub(crate) fn not_permitted(action: Action, denial: Denial) -> Self {
        let detail =
            format!("this token may not do `{}` here: {}", action.as_str(), denial.reason());
        Self::new(403, qc_access::codes::NOT_PERMITTED, "Not permitted", detail)
    }

    /// Anything that must not happen; the particulars go to the log, not to the caller.
    pub fn internal(request: &str) -> Self {
        let detail =
            format!("the server failed at this request; its log says more under {request}");
        Self::new(500, codes::INTERNAL, "Internal error", detail).next(NextAction::ContactOwner)
    }

    /// The document.
    pub fn to_json(&self, request: Option<&str>) -> Value {
        let mut object = Map::new();
        let page = self.code.page();
        let kind = if self.violated.is_empty() || self.status != 429 {
            page.as_str()
        } else {
            QUOTA_EXCEEDED
        };
        object.insert("type".into(), json!(kind));
        object.insert("title".into(), json!(self.title));
        object.insert("status".into(), json!(self.status));
        object.insert("detail".into(), json!(self.detail));
        object.insert("code".into(), json!(self.code));
        object.insert("class".into(), json!(self.class));
        object.insert("next_action".into(), json!(self.next_action));
        object.insert("hop".into(), json!(self.party.hop()));
        object.insert("page".into(), json!(page));
        if let Some(request) = request {
            object.insert("instance".into(), json!(format!("urn:quickconnect:request:{request}")));
        }
        if let Some(owner) = &self.owner {
            object.insert("owner".into(), json!(owner));
        }
        if let Some(contact) = &self.contact {
            object.insert("contact".into(), json!(contact));
        }
        if let Some(seconds) = self.retry_after {
            object.insert("retry_after".into(), json!(seconds));
        }
        if let Some(moment) = self.not_before {
            object.insert("not_before".into(), json!(moment.to_string()));
        }
        for (name, facts) in [("credential", &self.credential), ("migration", &self.migration)] {
            if let Some(facts) = facts {
                object.insert(name.into(), facts.clone());
            }
        }
        if !self.violated.is_empty() {
            object.insert("violated-policies".into(), json!(self.violated));
        }
        if let Some(run) = self.run {
            object.insert("run".into(), json!(run));
            object.insert("status_url".into(), json!(format!("/api/v1/runs/{run}")));
        }
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(PointedError::to_json).collect();
            object.insert("errors".into(), Value::Array(errors));
        }
        if !self.findings.is_empty() {
            object.insert("findings".into(), json!(self.findings));
        }
        Value::Object(object)
    }

    /// The answer.
    pub fn into_response(self, request: Option<&str>) -> Response<Full<Bytes>> {
        let body = self.to_json(request).to_string();
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = http::StatusCode::from_u16(self.status)
            .unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        // The one place through which all answers leave completes it there.
        response.extensions_mut().insert(self);
        response
    }
}

impl std::ops::Deref for Problem {
    type Target = ProblemParts;
    fn deref(&self) -> &ProblemParts {
        &self.0
    }
}

impl std::ops::DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut ProblemParts {
        &mut self.0
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Full(_) => Self::new(
                503,
                codes::STORE_FULL,
                "No room",
                "the disk of the store is full; nothing was accepted. Accepting goes on by itself when there is room",
            )
            .retry_after(RETRY_LATER),
            StoreError::Unavailable(_) => {
                Self::new(503, codes::STORE_UNAVAILABLE, "Store not available", detail)
                    .retry_after(RETRY_SOON)
            }
            StoreError::Unknown(_) => Self::new(
                503,
                codes::OUTCOME_UNKNOWN,
                "Outcome unknown",
                "it may or may not have been stored; send the same again with the same idempotency key",
            )
            .retry_after(RETRY_SOON)
            .next(NextAction::Retry),
            StoreError::Corrupt(_) => {
                Self::new(500, codes::STORE_DAMAGED, "Store damaged", detail)
            }
            StoreError::Refused(_) => Self::new(400, codes::BAD_BODY, "Outside limits", detail),
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let detail = error.to_string();
        match error {
            EngineError::KeyReused { run } => {
                Self::new(422, codes::KEY_REUSED, "Idempotency key used before", detail).about(run)
            }
            EngineError::KeyReusedByEvent { .. } => {
                Self::new(422, codes::KEY_REUSED, "Idempotency key used before", detail)
            }
            EngineError::Draining => {
                Self::new(503, codes::DRAINING, "Shutting down", detail).retry_after(RETRY_SOON)
            }
            EngineError::Busy(busy) => {
                let status = if busy.is_of_sender() { 429 } else { 503 };
                let detail = format!("{detail}; nothing was accepted");
                Self::new(status, busy.code(), "Too much to do", detail)
                    .retry_after(busy.retry_after().as_secs())
            }
            EngineError::NoRun(run) => {
                Self::new(404, codes::NO_RUN, "No such run", format!("there is no run {run}"))
            }
            EngineError::NoTrigger(_) => {
                Self::new(404, codes::NO_TRIGGER_THERE, "No such trigger", detail)
                    .next(NextAction::FixRequest)
            }
            EngineError::WrongTriggerState { .. } => {
                Self::new(409, codes::TRIGGER_STATE, "Not in a state for this", detail)
                    .next(NextAction::FixRequest)
            }
            EngineError::NoLine(_) => Self::new(404, codes::NO_LINE, "No such line", detail),
            EngineError::NoTask(_) => {
                Self::new(404, qc_engine::codes::NO_TASK, "No such task", detail)
            }
            EngineError::Refused(failure) => Self::failure(&failure, None),
            EngineError::WrongState { run, .. } => {
                Self::new(409, codes::WRONG_STATE, "Not in a state for this", detail)
                    .about(run)
                    .next(NextAction::FixRequest)
            }
            EngineError::NoRelease(_) => {
                Self::new(409, codes::NO_RELEASE, "No such release", detail)
                    .next(NextAction::ContactOwner)
            }
            EngineError::Failed(failure) => {
                let mut problem = Self::failure(&failure, None);
                if failure.class == Class::Invalid {
                    problem.status = 422;
                }
                problem
            }
            EngineError::Store(error) => Self::from(error),
        }
    }
}

impl From<FailuresError> for Problem {
    fn from(error: FailuresError) -> Self {
        let (detail, code) = (error.to_string(), error.code().unwrap_or(codes::INTERNAL));
        match error {
            FailuresError::NoGroup(_) => Self::new(404, code, "No such group", detail),
            FailuresError::MuteTime(_) | FailuresError::NoteTooLong { .. } => {
                Self::new(422, code, "Unusable word", detail)
            }
            FailuresError::Changed(_) => Self::new(409, code, "Changed meanwhile", detail),
            FailuresError::Store(error) => Self::from(error),
        }
    }
}

impl From<BulkError> for Problem {
    fn from(error: BulkError) -> Self {
        let (detail, code) = (error.to_string(), error.code().unwrap_or(codes::INTERNAL));
        match error {
            BulkError::EmptyFilter | BulkError::Unfit(_) | BulkError::Rate => {
                Self::new(422, code, "Unusable plan", detail)
            }
            BulkError::TooMany { .. } => Self::new(422, code, "Too many runs", detail),
            BulkError::NoBulk(_) => Self::new(404, code, "No such bulk", detail),
            BulkError::WrongState { .. } => {
                Self::new(409, code, "Not in a state for this", detail).next(NextAction::FixRequest)
            }
            BulkError::Changed(_) => Self::new(409, code, "Changed meanwhile", detail),
            BulkError::Store(error) => Self::from(error),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let (detail, code) = (error.to_string(), error.code());
        let code = code.unwrap_or(codes::CHANGED_MEANWHILE);
        match error {
            VaultError::Off => {
                Self::new(409, code, "The vault is off", detail).next(NextAction::ContactOwner)
            }
            VaultError::Ring(KeyRingError::Unavailable(_)) => {
                Self::new(503, code, "No key ring", detail).retry_after(RETRY_SOON)
            }
            VaultError::Ring(_) | VaultError::Sealed(_) => {
                Self::new(500, code, "Keys do not open", detail)
            }
            VaultError::Shared(_) => {
                Self::new(409, code, "Value in use elsewhere", detail).next(NextAction::FixRequest)
            }
            VaultError::Nothing(_) => Self::new(404, code, "No such secret", detail),
            VaultError::Unfit(_) => Self::new(422, code, "Unusable secret", detail),
            VaultError::Busy => Self::new(409, code, "Changed meanwhile", detail),
            VaultError::Store(error) => Self::from(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_store_says_when_to_come_back() {
        let problem = Problem::from(StoreError::Full("/dev/sda1".into()));
        let response = problem.clone().into_response(Some("r1"));
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "30");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let document = problem.to_json(Some("r1"));
        assert_eq!(document["code"], "QC-I013");
        assert_eq!(document["next_action"], "wait_until");
        assert!(!document.to_string().contains("/dev/sda1"), "paths stay inside");
    }

    #[test]
    fn a_reused_key_names_the_first_run() {
        let run = RunId::from_bits(7);
        let problem = Problem::from(EngineError::KeyReused { run });
        assert_eq!((problem.status, problem.run), (422, Some(run)));
    }

    #[test]
    fn a_failure_with_a_foreign_status_gets_its_class_status() {
        let mut failure = Failure::new(
            Class::Dependency,
            Code::new("QC-N001"),
            "Down",
            "the crm does not answer",
        );
        failure.status = 200;
        assert_eq!(Problem::failure(&failure, None).status, 502);
    }
}
