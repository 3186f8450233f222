//! What a case's answer is worth: held against what the case expects, and against the description.

use qc_contract::{Content, Direction, Header, OpenApi, Operation};
use qc_model::{CallErrorKind, Code};
use serde_json::Value;

use crate::cases::{Case, Expects, Kind};
use crate::codes;
use crate::wire::{Answer, Unanswered, essence, is_json};

/// How a case ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// As the description says.
    Passed,
    /// Nothing can be said, and the problem says why.
    Undecided,
    /// Not as the description says.
    Failed,
}

impl Outcome {
    /// As reports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Undecided => "undecided",
            Self::Failed => "failed",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Which kind; it has a page.
    pub code: Code,
    /// What is wrong, without values of the answer.
    pub message: String,
    /// What to do.
    pub action: String,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>, action: impl Into<String>) -> Self {
        Self { code, message: message.into(), action: action.into() }
    }
}

/// The verdict on one case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) problems: Vec<Problem>,
}

impl Verdict {
    pub(crate) fn undecided(problem: Problem) -> Self {
        Self { outcome: Outcome::Undecided, problems: vec![problem] }
    }

    fn of(problems: Vec<Problem>) -> Self {
        let outcome = if problems.is_empty() { Outcome::Passed } else { Outcome::Failed };
        Self { outcome, problems }
    }
}

/// What the judge knows beside the answer.
pub(crate) struct Hearing<'a> {
    pub(crate) api: &'a OpenApi,
    pub(crate) operation: &'a Operation,
    pub(crate) case: &'a Case,
    /// Path parameters that name nothing known.
    pub(crate) unknown: &'a [String],
    /// Whether refusals may have statuses that are not described.
    pub(crate) is_lenient: bool,
}

impl Hearing<'_> {
    /// Judges what came of a case.
    pub(crate) fn judge(&self, answer: &Result<Answer, Unanswered>) -> Verdict {
        let answer = match answer {
            Ok(answer) => answer,
            Err(unanswered) => return self.unanswered(unanswered),
        };
        if let Some(undecided) = self.undecided(answer) {
            return Verdict::undecided(undecided);
        }
        let mut problems: Vec<Problem> = self.status(answer).into_iter().collect();
        // A failure of the server says nothing of the rest.
        if answer.status < 500 {
            problems.extend(self.challenge(answer));
            if self.case.expects == Expects::Unrouted {
                problems.extend(allow(answer));
            } else {
                problems.extend(self.described(answer));
            }
        }
        Verdict::of(problems)
    }

    fn unanswered(&self, unanswered: &Unanswered) -> Verdict {
        let Unanswered::Failed(error) = unanswered else {
            let message = "the request cannot be written as HTTP";
            return Verdict::undecided(Problem::new(
                codes::BROKE,
                message,
                "nothing; it is left out",
            ));
        };
        let message = format!("there was no answer: {}", error.message);
        match error.kind {
            CallErrorKind::Connect
            | CallErrorKind::Resolve
            | CallErrorKind::Tls
            | CallErrorKind::Refused
            | CallErrorKind::OutOfReach => Verdict::undecided(Problem::new(
                codes::BROKE,
                message,
                "start the provider, and check the address",
            )),
            CallErrorKind::TooLarge => {
                Verdict::undecided(Problem::new(codes::ANSWER, message, "test against less data"))
            }
            CallErrorKind::Timeout | CallErrorKind::Reset | CallErrorKind::Protocol => {
                let action = format!(
                    "have the provider answer {} when this is sent",
                    self.case.expects.words()
                );
                Verdict::of(vec![Problem::new(codes::BROKE, message, action)])
            }
        }
    }

    /// What keeps the case from saying anything.
    fn undecided(&self, answer: &Answer) -> Option<Problem> {
        let status = answer.status;
        let expects = self.case.expects;
        if status == 429 {
            let message = "the provider throttles (429)";
            return Some(Problem::new(
                codes::STATUS,
                message,
                "lower --rate, or lift the limit for tests",
            ));
        }
        let is_about_doors = matches!(expects, Expects::Denied { .. } | Expects::Unrouted);
        if matches!(status, 401 | 403) && !is_about_doors {
            let message = format!("the provider does not let the request in ({status})");
            let action = "give valid credentials with --credentials";
            return Some(Problem::new(codes::STATUS, message, action));
        }
        let is_elsewhere = status == 404 && !self.unknown.is_empty();
        if is_elsewhere
            && matches!(expects, Expects::Accepted | Expects::Refused | Expects::Tolerated)
        {
            let names = self.unknown.join("`, `");
            let message = format!(
                "nothing is known that `{names}` could name, and the provider has no such resource"
            );
            let action = "name one that is there with --value NAME=VALUE";
            return Some(Problem::new(codes::STATUS, message, action));
        }
        // What a body names need not be there either; who names nothing, or what was just made, finds it.
        let may_lack = status == 409 || (status == 404 && self.operation.request_body.is_some());
        if expects == Expects::Accepted && may_lack && self.operation.response(status).is_some() {
            let message = format!(
                "the state of the provider does not allow the request ({status}, as described)"
            );
            let action =
                "bring it into a state that does, or name a resource with --value NAME=VALUE";
            return Some(Problem::new(codes::STATUS, message, action));
        }
        None
    }

    /// Whether the status is one that the case allows.
    fn status(&self, answer: &Answer) -> Option<Problem> {
        let status = answer.status;
        let (case, kind) = (&self.case.name, self.case.kind);
        if status >= 500 && !(self.case.expects == Expects::Unrouted && status == 501) {
            let message = format!("the server fails ({status}) when {case}");
            return Some(Problem::new(
                codes::BROKE,
                message,
                "handle the request: refuse what is wrong with a 4xx",
            ));
        }
        let is_refusal = (400..500).contains(&status);
        // Redirects of a valid request are answers as others are; nobody follows them.
        let is_success = (200..400).contains(&status);
        let fits = match self.case.expects {
            Expects::Accepted => is_success,
            // Other errors than about the request itself would hide that it is not looked at.
            Expects::Refused => {
                is_refusal && !matches!(status, 404 | 405 | 408 | 409)
                    || status == 404 && kind == Kind::Parameter
            }
            Expects::Tolerated => is_success || is_refusal,
            Expects::Denied { .. } => matches!(status, 401 | 403),
            Expects::Missing => matches!(status, 404 | 410),
            Expects::Unrouted => matches!(status, 401 | 403 | 404 | 405 | 501),
        };
        if fits {
            return None;
        }
        let message =
            format!("{} is expected when {case}, but it is {status}", self.case.expects.words());
        Some(match self.case.expects {
            Expects::Accepted => Problem::new(
                codes::REFUSED,
                message,
                "accept what the description admits, or describe the limit that refuses it",
            ),
            Expects::Denied { .. } => Problem::new(
                codes::UNPROTECTED,
                message,
                "check credentials before anything else, as `security` promises",
            ),
            Expects::Refused if is_success => {
                Problem::new(codes::ACCEPTED, message, "refuse it, or describe that it is allowed")
            }
            _ => Problem::new(
                codes::STATUS,
                message,
                "answer with the expected status, or describe the operation otherwise",
            ),
        })
    }

    /// A 401 says how to prove who one is (RFC 9110, 11.6.1).
    fn challenge(&self, answer: &Answer) -> Option<Problem> {
        let wanted = self.case.expects == Expects::Denied { challenge: true };
        if !wanted || answer.status != 401 || answer.header("www-authenticate").is_some() {
            return None;
        }
        let message = "the 401 has no `WWW-Authenticate` header (RFC 9110, 11.6.1)";
        Some(Problem::new(codes::ANSWER, message, "send the challenge of the scheme with the 401"))
    }

    /// The answer against what is described for its status.
    fn described(&self, answer: &Answer) -> Vec<Problem> {
        let Some(response) = self.operation.response(answer.status) else {
            return self.undescribed(answer.status).into_iter().collect();
        };
        let mut problems = Vec::new();
        let problem = |message: String| {
            let action = format!(
                "send what is described for {} of `{}`, or describe what is sent",
                answer.status, self.operation.id
            );
            Problem::new(codes::ANSWER, message, action)
        };
        for header in &response.headers {
            problems.extend(self.header(header, answer).map(problem));
        }
        if self.operation.method.as_str() == "HEAD" {
            return problems;
        }
        if answer.body.is_empty() {
            let has_body = response.content.iter().any(|content| is_json(&content.media_type));
            if has_body && !matches!(answer.status, 204 | 205 | 304) {
                problems.push(problem("the body is missing".to_owned()));
            }
            return problems;
        }
        if matches!(answer.status, 204 | 304) {
            problems.push(problem(format!("a {} has a body (RFC 9110, 6.4.1)", answer.status)));
        }
        problems.extend(self.body(&response.content, answer).into_iter().map(problem));
        problems
    }

    fn undescribed(&self, status: u16) -> Option<Problem> {
        // Doors and media types are of HTTP, not of one API.
        let is_of_http = match self.case.expects {
            Expects::Denied { .. } => matches!(status, 401 | 403),
            Expects::Refused => matches!(status, 411 | 413 | 414 | 415 | 431),
            _ => false,
        };
        let is_refusal = (400..500).contains(&status);
        if is_of_http || (self.is_lenient && is_refusal) || status >= 500 {
            return None;
        }
        let message = format!("status {status} is not described for `{}`", self.operation.id);
        let action =
            format!("describe {status} among the responses, or answer with a described status");
        Some(Problem::new(codes::STATUS, message, action))
    }

    fn header(&self, header: &Header, answer: &Answer) -> Option<String> {
        let Some(text) = answer.header(&header.name) else {
            return header.required.then(|| format!("the header `{}` is missing", header.name));
        };
        let schema = header.schema.as_ref()?;
        let as_text = Value::from(text);
        let as_json: Option<Value> = serde_json::from_str(text).ok();
        let mut readings = std::iter::once(as_text.clone()).chain(as_json);
        let fits =
            readings.any(|value| self.api.check(schema, Direction::Response, &value).is_empty());
        let found = self.api.check(schema, Direction::Response, &as_text);
        let why = found.first().map(|mismatch| mismatch.message.clone()).unwrap_or_default();
        (!fits).then(|| format!("the header `{}` {why}", header.name))
    }

    fn body(&self, contents: &[Content], answer: &Answer) -> Vec<String> {
        // Silence about a body is no promise that there is none.
        if contents.is_empty() {
            return Vec::new();
        }
        let Some(media_type) = answer.media_type() else {
            return vec!["the body has no `Content-Type`".to_owned()];
        };
        let Some(content) = content_of(contents, &media_type) else {
            let described: Vec<String> =
                contents.iter().map(|content| essence(&content.media_type)).collect();
            return vec![format!(
                "the media type `{media_type}` is not described; `{}` is",
                described.join("`, `")
            )];
        };
        if !is_json(&media_type) {
            return Vec::new();
        }
        let body = match serde_json::from_slice::<Value>(&answer.body) {
            Ok(body) => body,
            Err(error) => {
                return vec![format!("the body is not JSON ({:?} error)", error.classify())];
            }
        };
        let mut found = Vec::new();
        if media_type == "application/problem+json" {
            found.extend(problem_document(&body, answer.status));
        }
        if let Some(schema) = &content.schema {
            let mismatches = self.api.check(schema, Direction::Response, &body);
            found.extend(mismatches.iter().map(|mismatch| format!("the body: {mismatch}")));
        }
        found
    }
}

/// The entry for a media type: itself, then `type/*`, then `*/*`.
fn content_of<'c>(contents: &'c [Content], media_type: &str) -> Option<&'c Content> {
    let family = format!("{}/*", media_type.split('/').next().unwrap_or_default());
    [media_type, family.as_str(), "*/*"]
        .iter()
        .find_map(|wanted| contents.iter().find(|content| essence(&content.media_type) == **wanted))
}

/// A problem document says the status that it travels with, if it says one (RFC 9457, 3.1).
fn problem_document(body: &Value, status: u16) -> Option<String> {
    let Some(fields) = body.as_object() else {
        return Some("a problem document is an object (RFC 9457, 3)".to_owned());
    };
    let wrong_text = ["type", "title", "detail", "instance"]
        .into_iter()
        .find(|name| fields.get(*name).is_some_and(|v| !v.is_string()));
    if let Some(name) = wrong_text {
        return Some(format!("`{name}` of a problem document is text (RFC 9457, 3.1)"));
    }
    let said = fields.get("status")?;
    (said != &Value::from(status))
        .then(|| "`status` of the problem document is not the answer's (RFC 9457, 3.1)".to_owned())
}

/// A 405 says which methods there are (RFC 9110, 15.5.6).
fn allow(answer: &Answer) -> Option<Problem> {
    let is_silent = answer.status == 405 && answer.header("allow").is_none();
    is_silent.then(|| {
        let message = "the 405 has no `Allow` header (RFC 9110, 15.5.6)";
        Problem::new(codes::ANSWER, message, "name the methods of the path in `Allow`")
    })
}
