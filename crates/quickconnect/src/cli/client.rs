use std::{io::Write, time::Duration};

use futures_util::StreamExt;
use http::{HeaderMap, HeaderValue, Method, header};
use qc_access::Action;
use qc_connect::call::{HttpCaller, HttpSettings};
use qc_model::{Body, CallErrorKind, Caller, Code, Finding, OutboundRequest, Reach};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::{exit::Exit, trouble::Trouble};
use crate::{codes, context::Context};

/// The longest answer that is read.
const ANSWER: usize = 256 << 20;

/// Speaks to a server's management API.
pub(crate) struct Client {
    caller: HttpCaller,
    context: Context,
    timeout: Duration,
    /// What the verb names; nothing else is asked of the server.
    actions: &'static [Action],
}

/// A header field's value.
pub(crate) fn field(name: &str, value: &str) -> Result<HeaderValue, Trouble> {
    HeaderValue::from_str(value).map_err(|_| {
        let message = format!("`{name}` cannot be sent as a header field");
        Trouble::usage(codes::BAD_SETTING, message, "use printable ASCII")
    })
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// For a server. `authorities` are private ones to trust, PEM.
    pub(crate) fn new(
        context: Context,
        timeout: Duration,
        authorities: Option<Vec<u8>>,
        actions: &'static [Action],
    ) -> Result<Self, Trouble> {
        let usable = Url::parse(&context.url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        if !usable {
            let message = format!("`{}` is no address of a server", context.url);
            let help = "write it as `http://127.0.0.1:7070`: `--url`, QC_URL or the context file";
            return Err(Trouble::usage(codes::BAD_SETTING, message, help));
        }
        let settings = HttpSettings { authorities, ..HttpSettings::default() };
        let caller =
            HttpCaller::new(&settings).map_err(|finding| Trouble::new(Exit::Internal, *finding))?;
        Ok(Self { caller, context, timeout, actions })
    }

    /// The server's address.
    pub(crate) fn url(&self) -> &str {
        self.context.url.trim_end_matches('/')
    }

    /// The same, for what goes to the address at which the server takes events.
    pub(crate) fn of_events(mut self) -> Self {
        if let Some(url) = self.context.events_url.take() {
            self.context.url = url;
        }
        self
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        let answer = self.ok(Method::GET, path, Vec::new(), &[]).await?;
        if let Some(note) = cut(&answer.body) {
            drop(writeln!(std::io::stderr().lock(), "{note}"));
        }
        parse(answer)
    }

    /// Does something that answers.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        parse(self.ok(Method::POST, path, to_bytes(body), &[JSON]).await?)
    }

    /// Does something that takes no body, and answers.
    pub(crate) async fn post_bare<T: DeserializeOwned>(&self, path: &str) -> Result<T, Trouble> {
        parse(self.ok(Method::POST, path, Vec::new(), &[]).await?)
    }

    /// Does something that answers nothing.
    pub(crate) async fn act(&self, path: &str, body: Option<&Value>) -> Result<(), Trouble> {
        let (bytes, headers): (_, &[_]) = match body {
            Some(body) => (to_bytes(body), &[JSON]),
            None => (Vec::new(), &[]),
        };
        self.ok(Method::POST, path, bytes, headers).await.map(drop)
    }

    /// Removes something.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), Trouble> {
        self.ok(Method::DELETE, path, Vec::new(), &[]).await.map(drop)
    }

    /// Sends a request; an answer that is no success is trouble.
    pub(crate) async fn ok(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, Trouble> {
        let answer = self.send(method, path, body, headers).await?;
        if (200..300).contains(&answer.status) { Ok(answer) } else { Err(refused(&answer)) }
    }

    /// Sends a request and gives the answer, whatever it is.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        headers: &[(&'static str, &str)],
    ) -> Result<Answer, Trouble> {
        self.answer_to(self.request(method, path, body, headers, self.timeout)?).await
    }

    async fn answer_to(&self, request: OutboundRequest) -> Result<Answer, Trouble> {
        let response = self.caller.call(request).await.map_err(|error| self.silent(&error))?;
        let (status, headers) = (response.status.as_u16(), response.headers);
        let body = response.body.collect(ANSWER).await.map_err(|error| self.silent(&error))?;
        Ok(Answer { status, headers, body: body.to_vec() })
    }

    /// Sends a body with header fields that were made elsewhere, such as a signature.
    pub(crate) async fn deliver(
        &self,
        path: &str,
        body: Vec<u8>,
        headers: HeaderMap,
    ) -> Result<Answer, Trouble> {
        let mut request = self.request(Method::POST, path, body, &[], self.timeout)?;
        request.headers.extend(headers);
        self.answer_to(request).await
    }

    /// Follows a stream of lines until it ends or `each` says stop.
    pub(crate) async fn follow(
        &self,
        path: &str,
        mut each: impl FnMut(&str) -> bool,
    ) -> Result<(), Trouble> {
        let day = Duration::from_secs(86_400);
        let request = self.request(Method::GET, path, Vec::new(), &[], day)?;
        let response = self.caller.call(request).await.map_err(|error| self.silent(&error))?;
        if !response.status.is_success() {
            let (status, headers) = (response.status.as_u16(), response.headers);
            let body = response.body.collect(ANSWER).await.map_err(|error| self.silent(&error))?;
            return Err(refused(&Answer { status, headers, body: body.to_vec() }));
        }
        let Body::Stream { mut stream, .. } = response.body else { return Ok(()) };
        let mut rest = Vec::new();
        while let Some(chunk) = stream.next().await {
            rest.extend_from_slice(&chunk.map_err(|error| self.silent(&error))?);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if !each(String::from_utf8_lossy(&line).trim_end()) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        extra: &[(&'static str, &str)],
        timeout: Duration,
    ) -> Result<OutboundRequest, Trouble> {
        if let Some(action) = qc_server::action_of(&method, path)
            && !self.actions.contains(&action)
        {
            let message = format!("this verb does not say that it does `{}`", action.as_str());
            let finding = Finding::error(codes::UNNAMED_ACTION, message);
            let help = "this is a mistake of the program: report it with the verb that was used";
            return Err(Trouble::new(Exit::Internal, finding.help(help)));
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = &self.context.token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()));
            let mut value = value.map_err(|_| {
                Trouble::usage(
                    codes::NO_CONTEXT,
                    "the token has characters that no token has",
                    "check QC_TOKEN",
                )
            })?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        for (name, value) in extra {
            headers.insert(*name, field(name, value)?);
        }
        let url = format!("{}{path}", self.url());
        let body = Body::Bytes(body.into());
        Ok(OutboundRequest {
            method,
            url,
            headers,
            body,
            timeout,
            connect_timeout: None,
            reach: Reach::Anywhere,
            identity: None,
        })
    }

    fn silent(&self, error: &qc_model::CallError) -> Trouble {
        let message = format!("{} does not answer: {error}", self.url());
        let help = match error.kind {
            CallErrorKind::Refused => "check the address: `--url`, QC_URL or the context file",
            CallErrorKind::Tls => {
                "name a private authority with the setting `ca_bundle` (`QC_CA_BUNDLE`)"
            }
            _ => "start it with `qc serve` or `qc dev`, or name another with `--url`",
        };
        Trouble::new(Exit::Unreachable, Finding::error(codes::UNREACHABLE, message).help(help))
    }
}

const JSON: (&str, &str) = ("content-type", "application/json");

fn to_bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("request bodies have only string keys")
}

/// What is to be said of a list that is cut to some units; None: it is not.
fn cut(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Told {
        #[serde(default)]
        of_units: Vec<String>,
    }
    let told: Told = serde_json::from_slice(body).ok()?;
    let units = told.of_units.join(", ");
    (!units.is_empty()).then(|| format!("only what belongs to {units}, or to no unit, is told"))
}

fn parse<T: DeserializeOwned>(answer: Answer) -> Result<T, Trouble> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        let message = format!("the server's answer is not understood: {error}");
        let help = "the program and the server may be of different versions: `qc doctor`";
        Trouble::new(Exit::Internal, Finding::error(codes::BAD_ANSWER, message).help(help))
    })
}

/// What a problem asks of its reader, in words.
fn next_step(problem: &Value) -> Option<String> {
    let text = |key: &str| problem[key].as_str();
    Some(match text("next_action")? {
        "fix_request" => match text("run") {
            Some(run) => format!("look at how it stands: `qc runs show {run}`"),
            None => "change what was asked for".to_owned(),
        },
        "fix_project" => "change the project's files, and build and deploy again".to_owned(),
        "refresh_token" => {
            "sign in with `qc login`, or use a valid token (QC_TOKEN or the context file; `qc tokens create` makes one, `qc tokens recover` where the server stands)"
                .to_owned()
        }
        "reconsent" => "ask the account's holder to consent again".to_owned(),
        "wait_until" | "retry" => match problem["retry_after"].as_u64() {
            Some(seconds) => format!("try again after {seconds} s"),
            None => "try again".to_owned(),
        },
        "migrate" => "move to a supported version".to_owned(),
        "contact_owner" => match (text("owner"), text("contact")) {
            (Some(owner), Some(contact)) => {
                format!("ask {owner} ({contact}), who owns what failed")
            }
            (Some(owner), None) => format!("ask {owner}, who owns what failed"),
            (None, _) => "ask whoever runs the server or owns the token".to_owned(),
        },
        _ => return None,
    })
}

/// An answer that is no success, as trouble.
pub(crate) fn refused(answer: &Answer) -> Trouble {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    let text = |key: &str| problem[key].as_str().map(str::to_owned);
    let (Some(code), Some(detail)) = (text("code"), text("detail")) else {
        let message = format!("the server answered {} without a problem document", answer.status);
        let finding = Finding::error(codes::BAD_ANSWER, message);
        let help = "is there something else at this address, such as a proxy?";
        return Trouble::new(Exit::of_status(answer.status), finding.help(help));
    };
    let code: Code = serde_json::from_value(Value::String(code)).unwrap_or(codes::BAD_ANSWER);
    // The title names the kind, the detail this occurrence; neither says enough alone.
    let message = match text("title") {
        Some(title) if title != detail => format!("{title}: {detail}"),
        _ => detail,
    };
    let help = match next_step(&problem) {
        Some(step) => format!("{step}; more: {}", code.page()),
        None => code.page(),
    };
    let findings = vec![Finding::error(code, message).help(help)];
    Trouble { exit: Exit::of_status(answer.status), findings, problem: Some(problem) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(problem: &Value) -> Finding {
        let body = problem.to_string().into_bytes();
        let status = u16::try_from(problem["status"].as_u64().unwrap()).unwrap();
        refused(&Answer { status, headers: HeaderMap::new(), body }).findings.remove(0)
    }

    #[test]
    fn a_problem_is_told_with_its_detail_and_what_to_do_next() {
        let throttled = told(&json!({
            "status": 503, "code": "QC-I013", "title": "No room", "detail": "the disk is full",
            "next_action": "wait_until", "retry_after": 30,
        }));
        assert_eq!(throttled.message, "No room: the disk is full");
        assert_eq!(throttled.cause, None, "a title is no cause");
        let help = throttled.help.unwrap();
        assert!(help.starts_with("try again after 30 s; more: ") && help.ends_with("/QC-I013"));
        for (facts, step) in [
            (json!({"next_action": "refresh_token"}), "`qc tokens create`"),
            (json!({"next_action": "contact_owner", "owner": "team-a"}), "ask team-a"),
            (
                json!({"next_action": "contact_owner", "owner": "team-a", "contact": "a@b.test"}),
                "ask team-a (a@b.test)",
            ),
            (json!({"next_action": "fix_project"}), "the project's files"),
            (json!({"next_action": "fix_request", "run": "run_1"}), "`qc runs show run_1`"),
            (json!({"next_action": "none"}), "https://"),
        ] {
            let mut problem =
                json!({"status": 409, "code": "QC-A015", "title": "T", "detail": "d"});
            problem.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
            let help = told(&problem).help.unwrap();
            assert!(help.contains(step), "{help}");
        }
    }
}
