//! The pages that an account's holder sees: `GET /connect/<code>` leads to the provider, `GET /connect/callback` is where
//! the provider sends the holder back. Whoever has a link has the right that it gives, so nobody signs in here.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use qc_connect::call::EnvironmentScope;
use qc_connection::{
    ConnectionId, Connections, Grant, Returned,
    consent::{Journey, Link},
};
use qc_model::{Failure, TenantName, Timestamp};
use qc_vault::Secret;

use crate::{
    State,
    page::{Page, cookie, page, told},
};

/// What the addresses begin with.
pub(crate) const PREFIX: &str = "/connect/";
const COOKIE: &str = "qc_connect";
/// So many links that are not good may be tried in a minute, by all together: a code has 256 bits, so this is not what
/// keeps it secret, but what keeps a guesser from the store.
const GUESSES: u32 = 60;
const MINUTE: Duration = Duration::from_secs(60);
/// The longest query that is read, in bytes.
const QUERY_MAX: usize = 8 * 1024;

/// Links that were not good, in the present minute.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<(Timestamp, u32)>);

impl Guesses {
    /// Whether another one may be tried.
    fn allow(&self, now: Timestamp) -> bool {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.since(counted.0) >= MINUTE {
            *counted = (now, 0);
        }
        counted.1 < GUESSES
    }

    fn missed(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 += 1;
    }
}

/// The grant of a connection, from what is deployed in its environment: with the scopes that all releases together need.
pub(crate) fn grant_of(state: &State, id: &ConnectionId) -> Result<Option<Grant>, Box<Failure>> {
    let mut found: Option<Grant> = None;
    for deployment in state.engine.deployments().iter() {
        let scope = EnvironmentScope {
            name: deployment.environment.clone(),
            tenant: TenantName::new("default").expect("a legal name"),
            vars: deployment.vars.clone(),
        };
        for connector in deployment.release.connectors.iter() {
            if connector.connection(&deployment.environment).as_ref() != Some(id) {
                continue;
            }
            let Some(grant) = connector.grant(&state.secrets, &scope)? else { continue };
            let scopes = match found {
                Some(other) => {
                    let both: BTreeSet<String> =
                        other.scopes.into_iter().chain(grant.scopes.iter().cloned()).collect();
                    both.into_iter().collect()
                }
                None => grant.scopes.clone(),
            };
            found = Some(Grant { scopes, ..grant });
        }
    }
    Ok(found)
}

/// Answers a request below [`PREFIX`].
pub(crate) async fn answer(state: &State, request: Request<()>) -> Page {
    if request.method() != Method::GET {
        return told(StatusCode::METHOD_NOT_ALLOWED, "Not here", "Open this address in a browser.");
    }
    if !state.guesses.allow(state.clock.now()) {
        return told(StatusCode::TOO_MANY_REQUESTS, "Too many links", "Try again in a minute.");
    }
    let rest = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let query = request.uri().query().unwrap_or_default();
    let answered = if query.len() > QUERY_MAX {
        None
    } else if rest == "callback" {
        Box::pin(returned(state, query, request.headers())).await
    } else {
        departed(state, &Secret::new(rest)).await
    };
    answered.unwrap_or_else(|| {
        state.guesses.missed();
        let text = "This link is unknown, was used, or is over. Ask for another one.";
        told(StatusCode::NOT_FOUND, "No such link", text)
    })
}

/// Sends who opened a link to the provider. None: the link is not good.
async fn departed(state: &State, code: &Secret) -> Option<Page> {
    let (link, _) = state.connections.link_of(&Journey::of(code).state).await?;
    let grant = match grant_of(state, &id_of(&link)) {
        Ok(grant) => grant?,
        Err(failure) => return Some(failed(&failure)),
    };
    let departure = match Connections::depart(&grant, &link, code) {
        Ok(departure) => departure,
        Err(failure) => return Some(failed(&failure)),
    };
    let mut response = told(StatusCode::FOUND, "Elsewhere", "You are sent to the provider.");
    let secure = if is_https(&grant) { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={}; Path=/connect; HttpOnly; SameSite=Lax; Max-Age=3600{secure}",
        departure.cookie
    );
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, HeaderValue::from_str(&departure.url).ok()?);
    headers.insert(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    Some(response)
}

/// Takes what the provider sent back. None: it belongs to no link.
async fn returned(state: &State, query: &str, headers: &HeaderMap) -> Option<Page> {
    let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let field = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| &pair.1);
    let returning = field("state")?;
    let (link, revision) = state.connections.link_of(returning).await?;
    let grant = match grant_of(state, &id_of(&link)) {
        Ok(grant) => grant?,
        Err(failure) => return Some(failed(&failure)),
    };
    let back = Returned {
        state: returning,
        code: field("code").map(|code| Secret::new(code.as_ref())),
        error: field("error").map(Cow::as_ref),
        issuer: field("iss").map(Cow::as_ref),
        cookie: cookie(headers, COOKIE),
    };
    let done = state.connections.consented(&grant, (link, revision), back).await;
    Some(match done {
        Ok(done) if done.missing.is_empty() => {
            told(StatusCode::OK, "Connected", "You can close this page.")
        }
        Ok(_) => {
            let text = "Not everything was granted that is needed. Ask for another link to grant the rest.";
            told(StatusCode::OK, "Connected, in part", text)
        }
        Err(failure) => failed(&failure),
    })
}

fn id_of(link: &Link) -> ConnectionId {
    ConnectionId { environment: link.environment.clone(), name: link.connection.clone() }
}

fn is_https(grant: &Grant) -> bool {
    match &grant.kind {
        qc_connection::GrantKind::AuthorizationCode(rules) => {
            rules.redirect_uri.starts_with("https:")
        }
        _ => false,
    }
}

fn failed(failure: &Failure) -> Page {
    let status =
        if failure.status >= 500 { StatusCode::BAD_GATEWAY } else { StatusCode::BAD_REQUEST };
    let code = &failure.code;
    let body = format!("<p><a href=\"{}\">{code}</a></p>", code.page());
    page(status, &failure.title, &body)
}
