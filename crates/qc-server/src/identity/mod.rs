//! What stands beside the API's table because it authenticates by itself: the OAuth endpoints and their metadata, and the
//! pages at which people sign in.

mod browser;
mod device;
mod oauth;
mod people;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use qc_access::{AuthenticationError, Principal};
use qc_identity::{IdentityError, Sessions};
use qc_model::EnvironmentName;
use serde_json::{Value, json};

use crate::{Problem, State, asker::Sent, codes};

/// The largest form, in bytes.
const FORM: usize = 32 << 10;

type Answer = Response<Full<Bytes>>;

pub(crate) use browser::presented;

/// Whether a path is one of these.
pub(crate) fn is_ours(path: &str) -> bool {
    let below = |root: &str| {
        path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    is_for_services(path) || ["/login", "/logout", "/device"].into_iter().any(below)
}

/// Whether it is one of those that services use.
pub(crate) fn is_for_services(path: &str) -> bool {
    ["/oauth/", "/.well-known/oauth-"].iter().any(|prefix| path.starts_with(prefix))
}

/// Answers a request to one of them.
pub(crate) async fn handle(state: &Arc<State>, request: Request<Incoming>, sent: &Sent) -> Answer {
    let limit = state.settings.operation_timeout;
    let answered = tokio::time::timeout(limit, Box::pin(route(state, request, sent))).await;
    let answered = answered.unwrap_or_else(|_| {
        Err(Problem::new(504, codes::TOO_SLOW, "Too slow", "the request took too long"))
    });
    answered.unwrap_or_else(|problem| problem.into_response(Some(&sent.request)))
}

async fn route(
    state: &Arc<State>,
    request: Request<Incoming>,
    sent: &Sent,
) -> Result<Answer, Problem> {
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let get = [Method::GET, Method::HEAD].contains(request.method());
    match parts.as_slice() {
        ["oauth", "token" | "revoke" | "introspect" | "device_authorization"]
            if request.method() != Method::POST =>
        {
            Err(method("POST"))
        }
        ["oauth", deed @ ("token" | "revoke" | "introspect" | "device_authorization")] => {
            Ok(oauth::answer(state, deed, request, sent).await)
        }
        ["login" | "logout", ..] | ["device"] => people::answer(state, request, sent).await,
        ["oauth", "jwks", _] | ["oauth", "whoami"] | [".well-known", ..] if !get => {
            Err(method("GET, HEAD"))
        }
        ["oauth", "whoami"] => whoami(state, &request, sent).await,
        ["oauth", "jwks", environment] => {
            let set = state.authority.keys().set(&name(environment)?).await?;
            Ok(public(&set.jwks(state.clock.now())))
        }
        [".well-known", "oauth-authorization-server", environment] => {
            Ok(public(&state.authority.metadata(&name(environment)?)?))
        }
        [".well-known", "oauth-protected-resource"] => {
            Ok(public(&state.authority.resource(None).await?))
        }
        [".well-known", "oauth-protected-resource", environment, "api"] => {
            Ok(public(&state.authority.resource(Some(&name(environment)?)).await?))
        }
        _ => Err(no_route()),
    }
}

/// Who the caller is, to the caller.
async fn whoami(
    state: &Arc<State>,
    request: &Request<Incoming>,
    sent: &Sent,
) -> Result<Answer, Problem> {
    let text = presented(state, request.headers(), false)?.ok_or_else(Problem::no_token)?;
    let principal = state.authenticate(text, sent).await?;
    let scopes = principal.scopes.as_ref();
    Ok(json_answer(
        StatusCode::OK,
        &json!({
            "schema_version": 1,
            "id": principal.id,
            "kind": principal.kind.as_str(),
            "name": principal.name,
            "person": principal.person.as_ref().map(ToString::to_string),
            "role": principal.role.as_str(),
            "environment": principal.environment.as_ref().map(ToString::to_string),
            "scopes": scopes.map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>()),
        }),
    ))
}

impl State {
    /// Who presents this: a token, an access token, or a session. Failures are counted by the address that they come
    /// from; then they are answered with 429. What is right counts even then: these texts cannot be guessed, and one
    /// broken sender must not take others behind the same proxy with it.
    pub(crate) async fn authenticate(
        &self,
        text: &str,
        sent: &Sent,
    ) -> Result<Arc<Principal>, Problem> {
        let known = match text.bytes().filter(|byte| *byte == b'.').count() {
            _ if Sessions::is_meant(text) => {
                Box::pin(self.people.sessions().authenticate(text)).await
            }
            2 => self.authority.authenticate(text).await,
            _ => self.tokens.authenticate(text).await,
        };
        known.map_err(|error| {
            if matches!(error, AuthenticationError::Store(_)) {
                return Problem::authentication(&error);
            }
            match self.count_failure(sent) {
                Ok(()) => Problem::authentication(&error),
                Err(problem) => problem,
            }
        })
    }

    /// Whether somebody at this address may try a credential.
    pub(crate) fn may_try(&self, sent: &Sent) -> Result<(), Problem> {
        self.throttle.may_try(address(sent), self.clock.now()).map_err(|pause| {
            let detail = "too many failed attempts to authenticate come from this address";
            Problem::new(429, qc_identity::codes::TOO_MANY_ATTEMPTS, "Too many attempts", detail)
                .retry_after(pause.as_secs().max(1))
        })
    }

    /// Counts a failure; an error when there were too many before.
    pub(crate) fn count_failure(&self, sent: &Sent) -> Result<(), Problem> {
        let may = self.may_try(sent);
        self.throttle.failed(address(sent), self.clock.now());
        may
    }
}

pub(crate) fn address(sent: &Sent) -> IpAddr {
    sent.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn name(text: &str) -> Result<EnvironmentName, Problem> {
    text.parse().map_err(|_| no_route())
}

fn no_route() -> Problem {
    Problem::new(404, codes::NO_ROUTE, "No such address", "there is no such address")
}

fn method(allow: &str) -> Problem {
    let detail = format!("this address takes {allow}");
    Problem::new(405, codes::ROUTE_METHOD, "Method not allowed", detail)
        .header(header::ALLOW, allow)
}

/// What anybody may keep for a while.
fn public(value: &Value) -> Answer {
    let mut answer = json_answer(StatusCode::OK, value);
    let hour = HeaderValue::from_static("public, max-age=3600");
    answer.headers_mut().insert(header::CACHE_CONTROL, hour);
    answer
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        let detail = error.to_string();
        let code = error.code().unwrap_or(codes::CHANGED_MEANWHILE);
        match error {
            IdentityError::NoPlace | IdentityError::NoProvider => {
                Self::new(503, code, "Not set up", detail).next(qc_model::NextAction::ContactOwner)
            }
            IdentityError::NoClient(_) => Self::new(404, code, "No such client", detail),
            IdentityError::Unfit(_) => Self::new(422, code, "Cannot be made so", detail),
            IdentityError::NoCode => Self::new(404, code, "No such code", detail),
            IdentityError::NoRole { .. } => Self::new(403, code, "No role", detail),
            IdentityError::SignIn(_) => Self::new(400, code, "Not signed in", detail),
            IdentityError::Provider(_) => Self::new(502, code, "Identity provider", detail),
            IdentityError::Busy => Self::new(409, code, "Changed meanwhile", detail),
            IdentityError::Vault(error) => Self::from(error),
            IdentityError::Store(error) => Self::from(error),
        }
    }
}
