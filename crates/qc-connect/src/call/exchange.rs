use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use qc_model::{Class, Failure, OutboundRequest, Timestamp};
use qc_vault::Secret;
use qc_workflow::RequestFacts;

use super::{
    CallRecord, Outbound,
    answer::{Answer, header_texts},
    classify,
    credentials::{Credential, Proof},
    job::Job,
    payload::Payload,
    receive::Arriving,
    redirect::{MOST_REDIRECTS, Redirect},
    scrub::scrub,
    substitute::MASK,
};
use crate::codes;

/// How we name ourselves.
pub(super) const USER_AGENT: &str = concat!("quickconnect/", env!("CARGO_PKG_VERSION"));

/// Headers that go along to another origin; everything else may hold a credential.
const HARMLESS: [HeaderName; 5] = [
    header::ACCEPT,
    header::CONTENT_TYPE,
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("qc-hops"),
];

/// When an attempt must be over, and how long a connection may take of that.
pub(super) struct Deadline {
    ends: Timestamp,
    pub(super) connect: Option<Duration>,
}

impl Deadline {
    pub(super) fn after(now: Timestamp, timeout: Duration) -> Self {
        Self { ends: now + timeout, connect: None }
    }

    /// The time that is left; when there is none, the failure of a request that was not sent any more.
    pub(super) fn remaining(&self, now: Timestamp) -> Result<Duration, Box<Failure>> {
        let left = self.ends.since(now);
        if left.is_zero() {
            let detail = "the time allowed was up before the request was sent";
            return Err(Box::new(Failure::new(
                Class::Timeout,
                codes::TIMED_OUT,
                "No answer in time",
                detail,
            )));
        }
        Ok(left)
    }
}

/// A request, ready but for the credential.
#[derive(Clone)]
pub(super) struct Prepared {
    pub(super) method: Method,
    /// With secrets filled in.
    pub(super) url: String,
    /// With `***` in their place.
    pub(super) shown_url: String,
    pub(super) headers: HeaderMap,
    /// Headers with `***` in place of secrets, when there are any.
    pub(super) shown_headers: Option<HeaderMap>,
    pub(super) body: Payload,
    /// Values of secrets in the above.
    pub(super) exposed: Vec<Secret>,
}

impl Prepared {
    /// What the workflow may see of the request.
    pub(super) fn facts(&self) -> RequestFacts {
        let headers = self.shown_headers.as_ref().unwrap_or(&self.headers);
        RequestFacts {
            method: self.method.as_str().to_owned(),
            uri: self.shown_url.clone(),
            headers: header_texts(headers),
        }
    }
}

impl Outbound {
    /// Sends a request with its credential. A refused credential is renewed once and the request sent once more: that
    /// is no retry, the first one was turned away.
    pub(super) async fn answer(
        &self,
        job: &Job<'_>,
        request: &Prepared,
        record: &mut CallRecord,
    ) -> Result<Answer, Box<Failure>> {
        self.depart(job, &request.url)?;
        let credential = self.credential(job.proof, job.scope, job.effect, &job.deadline).await?;
        let answer = self.follow(job, request, &credential, record).await?;
        if let Some(failure) = self.lacks_scope(job, &answer, &credential).await {
            return Err(failure);
        }
        if answer.status != 401 || matches!(job.proof, Proof::None) {
            return Ok(answer);
        }
        let renewed =
            self.renewed(job.proof, job.scope, job.effect, &credential, &job.deadline).await?;
        match renewed {
            Some(credential) => self.follow(job, request, &credential, record).await,
            None => Ok(answer),
        }
    }

    /// Sends a request and follows redirects, when the task asked for that.
    async fn follow(
        &self,
        job: &Job<'_>,
        request: &Prepared,
        credential: &Credential,
        record: &mut CallRecord,
    ) -> Result<Answer, Box<Failure>> {
        let mut answer = self.send(job, request, Some(credential), record).await?;
        if !job.redirect {
            return Ok(answer);
        }
        let mut request = request.clone();
        let mut credential = Some(credential);
        for _ in 0..MOST_REDIRECTS {
            let Some(redirect) = Redirect::of(&answer, &request.method) else { return Ok(answer) };
            if !redirect.same_origin {
                if redirect.keeps_body && !request.body.is_empty() && !request.exposed.is_empty() {
                    return Ok(answer);
                }
                request.headers = only_harmless(&request.headers);
                request.shown_headers = None;
                credential = None;
            }
            if !redirect.keeps_body {
                request.body = Payload::default();
                request.headers.remove(header::CONTENT_TYPE);
            }
            request.method = redirect.method;
            request.url = redirect.url.to_string();
            self.depart(job, &request.url)?;
            answer = self.send(job, &request, credential, record).await?;
        }
        Ok(answer)
    }

    /// One request, one answer.
    async fn send(
        &self,
        job: &Job<'_>,
        request: &Prepared,
        credential: Option<&Credential>,
        record: &mut CallRecord,
    ) -> Result<Answer, Box<Failure>> {
        let timeout = job.deadline.remaining(self.clock.now())?;
        let mut headers = request.headers.clone();
        let mut url = request.url.clone();
        if let Some(credential) = credential {
            if let Some((name, value)) = &credential.header {
                // Cookies of the operation's own stay.
                match headers.get(name).filter(|_| *name == header::COOKIE) {
                    Some(own) => headers.insert(name.clone(), joined(own, value)),
                    None => headers.insert(name.clone(), value.clone()),
                };
            }
            if let Some((name, value)) = &credential.query
                && !has_parameter(&url, name)
            {
                append_query(&mut url, name, value.expose());
            }
        }
        let exposed = || -> Vec<Secret> {
            let of_credential = credential.map(|one| one.exposed.as_slice()).unwrap_or_default();
            request.exposed.iter().chain(of_credential).cloned().collect()
        };
        let opened = self.open(&request.body, job.effect.run).await?;
        let capturing = self.capturing(job, &url, record);
        let captured = capturing.map(|it| {
            it.sends((&request.method, &url, &headers), &opened, exposed(), self.clock.now())
        });
        record.requests += 1;
        record.request_bytes += opened.length;
        let (body, broken) = opened.parts();
        let outbound = OutboundRequest {
            method: request.method.clone(),
            url: url.clone(),
            headers,
            body,
            timeout,
            connect_timeout: job.deadline.connect,
            reach: job.reach(&url),
            identity: credential.and_then(|one| one.identity.clone()),
        };
        let response = match self.caller.call(outbound).await {
            Ok(response) => response,
            Err(error) => {
                record.sent |= error.sent;
                if let Some(sent) = captured {
                    Box::pin(sent.broke(&error, self.clock.now())).await;
                }
                if let Some(failure) = broken() {
                    return Err(Box::new(failure));
                }
                return Err(Box::new(without_secrets(classify::call_error(&error), &exposed())));
            }
        };
        record.sent = true;
        let status = response.status.as_u16();
        record.status = Some(status);
        let mut headers = response.headers;
        let exposed = exposed();
        let arriving = Arriving::new(job, status, &headers, &exposed);
        let received = self.receive(&arriving, response.body, job.effect.run).await;
        record.response_bytes += arriving.count();
        if let Some(sent) = captured {
            let now = self.clock.now();
            match &received {
                Ok(body) => Box::pin(sent.answered((status, &headers, body), now)).await,
                Err(_) => Box::pin(sent.broke_within((status, &headers), now)).await,
            }
        }
        let body =
            received.map_err(|lost| Box::new(without_secrets(lost.failure(status), &exposed)))?;
        let links = headers.get_all(header::LINK).iter().cloned().collect();
        for value in headers.values_mut() {
            if let Some(clean) = scrub(value.as_bytes(), &exposed)
                && let Ok(clean) = http::HeaderValue::from_bytes(&clean)
            {
                *value = clean;
            }
        }
        Ok(Answer { status, headers, body, links, url })
    }
}

/// Two fields with cookies as one (RFC 6265, section 5.4).
fn joined(one: &HeaderValue, other: &HeaderValue) -> HeaderValue {
    let both = [one.as_bytes(), b"; ", other.as_bytes()].concat();
    let mut value = HeaderValue::from_bytes(&both).unwrap_or_else(|_| other.clone());
    value.set_sensitive(true);
    value
}

/// The client's own message can quote the address, and the address can hold a key.
fn without_secrets(mut failure: Failure, exposed: &[Secret]) -> Failure {
    if let Some(clean) = scrub(failure.detail.as_bytes(), exposed) {
        failure.detail = String::from_utf8(clean).unwrap_or_else(|_| MASK.to_owned());
    }
    failure
}

fn only_harmless(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in HARMLESS {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    kept
}

/// Adds a parameter to an address. A fragment goes: it is never sent.
pub(super) fn append_query(url: &mut String, name: &str, value: &str) {
    if let Some(fragment) = url.find('#') {
        url.truncate(fragment);
    }
    if !url.contains('?') {
        url.push('?');
    } else if !url.ends_with(['?', '&']) {
        url.push('&');
    }
    let pair =
        url::form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish();
    url.push_str(&pair.replace('+', "%20"));
}

/// Whether the address has the parameter already: links of vendors to their next page repeat the key.
fn has_parameter(url: &str, name: &str) -> bool {
    url.split_once('?').is_some_and(|(_, query)| {
        url::form_urlencoded::parse(query.as_bytes()).any(|(key, _)| key == name)
    })
}
