//! Where people sign in and out, in a browser.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use qc_access::{AuthenticationError, Role};
use qc_identity::{Aim, Arrived, Form, IdentityError, Session, Sessions};
use serde_json::json;
use url::form_urlencoded;

use super::{
    Answer,
    browser::{SESSION, SIGN_IN, onward, redirect, same_origin},
    device, json_answer, method, no_route, oauth,
};
use crate::{
    Problem, State,
    asker::Sent,
    bearer, codes,
    page::{escaped, of_problem, page},
};

/// Where a browser goes on that wanted to go nowhere in particular.
const DONE: &str = "/login/done";
/// The longest query, and the longest path to go on to, in bytes.
const QUERY: usize = 8 << 10;
const TO: usize = 500;

/// Answers a request to one of the pages.
pub(super) async fn answer(
    state: &Arc<State>,
    request: Request<Incoming>,
    sent: &Sent,
) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let (path, headers) = (parts.uri.path(), &parts.headers);
    let post = match path {
        "/logout" | "/login/back-channel" | "/login/break-glass" => true,
        "/login" | "/login/callback" | DONE | "/logout/done" => false,
        "/device" => parts.method == Method::POST,
        _ => return Err(no_route()),
    };
    let fits = if post {
        parts.method == Method::POST
    } else {
        [Method::GET, Method::HEAD].contains(&parts.method)
    };
    if !fits {
        return Err(method(if post { "POST" } else { "GET, HEAD" }));
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.len() > QUERY {
        return Ok(of_problem(&unusable("the address is too long")));
    }
    let query = Query(form_urlencoded::parse(query.as_bytes()).collect());
    if !post {
        let shown = match path {
            "/login" => depart(state, &query, sent).await,
            "/login/callback" => Box::pin(arrive(state, &query, headers, sent)).await,
            "/device" => device::show(state, &query, headers, sent).await,
            DONE => done(state, headers).await,
            _ => Ok(page(StatusCode::OK, "Signed out", "<p>You can close this page.</p>")),
        };
        return Ok(shown.unwrap_or_else(|problem| of_problem(&problem)));
    }
    // Who signs out needs no body to say so.
    if path == "/logout" {
        return log_out(state, headers).await;
    }
    let form = oauth::form(state, headers, body).await;
    match path {
        "/login/back-channel" => Ok(back_channel(state, form, headers, sent).await),
        "/login/break-glass" => {
            let form = form.map_err(|error| unusable(&error.description))?;
            break_glass(state, &form, sent).await
        }
        _ => {
            let answered = match form {
                Ok(form) => device::answered(state, &form, headers, sent).await,
                Err(error) => Err(unusable(&error.description)),
            };
            Ok(answered.unwrap_or_else(|problem| of_problem(&problem)))
        }
    }
}

/// The parameters of an address; of those that stand twice, the first.
pub(super) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl Query<'_> {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(own, value)| own == name && !value.is_empty());
        found.map(|(_, value)| value.as_ref())
    }
}

/// The role that somebody asks for.
pub(super) fn role(text: Option<&str>) -> Result<Option<Role>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || unusable("the role is none that there is");
    Role::parse(text).map(Some).ok_or_else(unknown)
}

fn unusable(why: &str) -> Problem {
    Problem::new(400, codes::BAD_PARAMETER, "Unusable request", why)
}

/// A path of this server and nothing that a browser takes for another one: it would go on to wherever a link says.
fn own_path(to: Option<&str>) -> Result<String, Problem> {
    let Some(to) = to else { return Ok(DONE.to_owned()) };
    let plain = to.len() <= TO && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if plain && to.starts_with('/') && !to.starts_with("//") {
        Ok(to.to_owned())
    } else {
        Err(unusable("`to` is not a path of this server"))
    }
}

/// An address of this server, for browsers.
fn at(state: &State, path: &str) -> String {
    let url = state.authority.place().map(qc_identity::Place::url).unwrap_or_default();
    format!("{url}{path}")
}

impl State {
    /// Counts a sign-in that begins: each is written down, and who may begin is not known.
    pub(super) fn count_beginning(&self, sent: &Sent) -> Result<(), Problem> {
        let (from, now) = (super::address(sent), self.clock.now());
        let may = self.beginnings.may_try(from, now).map_err(|pause| {
            let detail = "too many sign-ins begin at this address";
            Problem::new(429, qc_identity::codes::TOO_MANY_ATTEMPTS, "Too many attempts", detail)
                .retry_after(pause.as_secs().max(1))
        });
        self.beginnings.failed(from, now);
        may
    }

    /// The session of a browser; None: it has none that holds.
    pub(super) async fn browser_session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Session>, Problem> {
        let Some(text) = SESSION.of(self, headers) else { return Ok(None) };
        if !Sessions::is_meant(text) {
            return Ok(None);
        }
        match Box::pin(self.people.sessions().find(text)).await {
            Ok(session) => Ok(Some(session)),
            Err(error @ AuthenticationError::Store(_)) => Err(Problem::authentication(&error)),
            Err(_) => Ok(None),
        }
    }
}

/// Sends a browser to the provider.
async fn depart(state: &State, query: &Query<'_>, sent: &Sent) -> Result<Answer, Problem> {
    let (role, to) = (role(query.get("role"))?, own_path(query.get("to"))?);
    state.count_beginning(sent)?;
    let journey = state.people.depart(role, Aim::Browser { to }).await?;
    let mut answer = redirect(&journey.url);
    let cookie = SIGN_IN.set(state, journey.cookie.expose());
    answer.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(answer)
}

/// Takes a browser that the provider sends back.
async fn arrive(
    state: &State,
    query: &Query<'_>,
    headers: &HeaderMap,
    sent: &Sent,
) -> Result<Answer, Problem> {
    state.may_try(sent)?;
    let code = match (query.get("code"), query.get("error")) {
        (Some(code), None) => Ok(code),
        (_, Some(error)) => Err(error),
        (None, None) => Err("neither_code_nor_error"),
    };
    let returning = query.get("state").unwrap_or_default();
    let cookie = SIGN_IN.of(state, headers).unwrap_or_default();
    let arrived = Box::pin(state.people.arrive(returning, cookie, code, query.get("iss"))).await;
    let mut answer = match arrived {
        Ok(Arrived::Browser { text, to }) => {
            // A session that the browser brings is never gone on with: whoever planted it would have it, too.
            if let Some(before) = SESSION.of(state, headers) {
                state.people.log_out(before).await?;
            }
            let mut answer = redirect(&at(state, &to));
            let cookie = SESSION.set(state, text.expose());
            answer.headers_mut().append(header::SET_COOKIE, cookie);
            answer
        }
        Ok(Arrived::Device) => {
            let body = "<p>The command line is signed in. You can close this page.</p>";
            page(StatusCode::OK, "Signed in", body)
        }
        Err(IdentityError::NoRole { why, choice, to }) if !to.is_empty() => {
            let link = |role: &Role| {
                let query = form_urlencoded::Serializer::new(String::new())
                    .append_pair("role", role.as_str())
                    .append_pair("to", &to)
                    .finish();
                let url = escaped(&at(state, &format!("/login?{query}")));
                format!("<li><a href=\"{url}\">{}</a></li>", role.as_str())
            };
            let links: String = choice.iter().map(link).collect();
            let body = format!("<p>{}</p>\n<ul>{links}</ul>", escaped(&why));
            page(StatusCode::FORBIDDEN, "Which role?", &body)
        }
        Err(error) => {
            if matches!(error, IdentityError::SignIn(_)) {
                state.throttle.failed(super::address(sent), state.clock.now());
            }
            of_problem(&error.into())
        }
    };
    answer.headers_mut().append(header::SET_COOKIE, SIGN_IN.set(state, ""));
    Ok(answer)
}

/// Who somebody is in this browser.
async fn done(state: &State, headers: &HeaderMap) -> Result<Answer, Problem> {
    let Some(session) = state.browser_session(headers).await? else {
        let body = format!("<p><a href=\"{}\">Sign in</a></p>", escaped(&at(state, "/login")));
        return Ok(page(StatusCode::UNAUTHORIZED, "Not signed in", &body));
    };
    let body = format!(
        "<p>{} as {}, until {} at the latest.</p>\n\
         <form method=\"post\" action=\"{}\"><button>Sign out</button></form>",
        escaped(&session.name),
        session.role.as_str(),
        session.ends_at,
        escaped(&at(state, "/logout")),
    );
    Ok(page(StatusCode::OK, "Signed in", &body))
}

/// Ends a session: that of a bearer token, or of a browser.
async fn log_out(state: &State, headers: &HeaderMap) -> Result<Answer, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        let text = bearer(headers).filter(|text| Sessions::is_meant(text));
        let none = "only sessions are signed out; other tokens are revoked";
        let text = text.ok_or_else(|| unusable(none))?;
        let url = state.people.log_out(text).await?;
        let told = json!({ "schema_version": 1, "done": "logout", "provider_url": url });
        return Ok(json_answer(StatusCode::OK, &told));
    }
    if let Err(problem) = same_origin(state, headers) {
        return Ok(of_problem(&problem));
    }
    let url = match SESSION.of(state, headers) {
        Some(text) => state.people.log_out(text).await?,
        None => None,
    };
    let mut answer = onward("Signed out", &url.unwrap_or_else(|| at(state, "/logout/done")));
    answer.headers_mut().append(header::SET_COOKIE, SESSION.set(state, ""));
    Ok(answer)
}

/// The provider says that sessions are over (OpenID Connect Back-Channel Logout 1.0, section 2.8).
async fn back_channel(
    state: &State,
    form: Result<Form, qc_identity::OauthError>,
    headers: &HeaderMap,
    sent: &Sent,
) -> Answer {
    if state.may_try(sent).is_err() {
        return oauth::refused(&qc_identity::OauthError::too_many(), headers);
    }
    let form = match form {
        Ok(form) => form,
        Err(error) => return oauth::refused(&error, headers),
    };
    let token = form.get("logout_token").unwrap_or_default();
    match Box::pin(state.people.back_channel(token)).await {
        Ok(ended) => json_answer(StatusCode::OK, &json!({ "schema_version": 1, "ended": ended })),
        Err(error) => {
            if matches!(error, IdentityError::SignIn(_)) {
                state.throttle.failed(super::address(sent), state.clock.now());
            }
            oauth::refused(&qc_identity::OauthError::request(error.to_string()), headers)
        }
    }
}

/// Opens the account for when nobody can sign in.
async fn break_glass(state: &State, form: &Form, sent: &Sent) -> Result<Answer, Problem> {
    state.may_try(sent)?;
    let credential = form.get("credential").unwrap_or_default();
    let reason = form.get("reason").unwrap_or_default();
    let from = sent.address.map(|address| address.to_string());
    match state.people.open_break_glass(credential, reason, from).await {
        Ok((text, lifetime)) => {
            let told = json!({
                "access_token": text.expose(), "token_type": "Bearer",
                "expires_in": lifetime.as_secs(),
            });
            Ok(json_answer(StatusCode::OK, &told))
        }
        Err(error) => {
            if matches!(error, IdentityError::NoCode) {
                state.count_failure(sent)?;
                tracing::warn!(address = ?sent.address, "the break-glass account was not opened: a wrong credential");
            }
            Err(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_goes_on_within_this_server_only() {
        for own in ["/device?user_code=BCDF-GHJK", "/login/done", "/"] {
            assert_eq!(own_path(Some(own)).unwrap(), own);
        }
        assert_eq!(own_path(None).unwrap(), DONE);
        for other in
            ["//evil.test", "/\\evil.test", "https://evil.test", "evil.test", "/a b", "/\nx"]
        {
            assert!(own_path(Some(other)).is_err(), "{other:?}");
        }
    }
}
