//! A command line gets a session (RFC 8628): its user says in a browser that it is theirs.

use http::{HeaderMap, StatusCode};
use qc_identity::{Form, IdentityError, OauthError, Polled};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    Answer,
    browser::{SIGN_IN, onward, redirect, same_origin},
    people::{Query, role},
};
use crate::{
    Problem, State,
    asker::Sent,
    page::{escaped, page},
};

/// The only client of this grant: the command line.
const CLIENT: &str = "qc";
/// The grant's name.
pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A command line begins (RFC 8628, section 3.1). The parameter `role` is ours.
pub(super) async fn begin(state: &State, form: &Form, sent: &Sent) -> Result<Value, OauthError> {
    is_the_client(form)?;
    state.count_beginning(sent).map_err(|_| OauthError::too_many())?;
    let role =
        role(form.get("role")).map_err(|problem| OauthError::request(problem.detail.clone()))?;
    let from = sent.address.map(|address| address.to_string());
    let begun = state.people.device_start(role, from).await.map_err(unavailable)?;
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("user_code", &begun.user_code)
        .finish();
    Ok(json!({
        "device_code": begun.device_code.expose(),
        "user_code": begun.user_code,
        "verification_uri": begun.address,
        "verification_uri_complete": format!("{}?{query}", begun.address),
        "expires_in": begun.lifetime.as_secs(),
        "interval": begun.interval.as_secs(),
    }))
}

/// The command line asks for its session (RFC 8628, sections 3.4 and 3.5).
pub(super) async fn poll(state: &State, form: &Form) -> Result<Value, OauthError> {
    is_the_client(form)?;
    let code = form.get("device_code");
    let code = code.ok_or_else(|| OauthError::request("`device_code` is missing"))?;
    let refused = |error, why: &str| Err(OauthError::device(error, why));
    match state.people.device_poll(code).await.map_err(unavailable)? {
        Polled::Waiting => refused("authorization_pending", "nobody has answered yet"),
        Polled::TooOften => refused("slow_down", "it is asked too often; wait 5 seconds longer"),
        Polled::Denied => refused("access_denied", "the sign-in was refused in the browser"),
        Polled::Over => refused("expired_token", "the code is over, was used, or never was"),
        Polled::Session(text, lifetime) => Ok(json!({
            "access_token": text.expose(), "token_type": "Bearer", "expires_in": lifetime.as_secs(),
        })),
    }
}

fn is_the_client(form: &Form) -> Result<(), OauthError> {
    match form.get("client_id") {
        Some(CLIENT) => Ok(()),
        _ => Err(OauthError::device("invalid_client", "`client_id` is `qc`, the command line")),
    }
}

fn unavailable(error: IdentityError) -> OauthError {
    OauthError::unavailable(error.to_string())
}

/// Asks somebody who signed in whether a command line is theirs.
pub(super) async fn show(
    state: &State,
    query: &Query<'_>,
    headers: &HeaderMap,
    sent: &Sent,
) -> Result<Answer, Problem> {
    let url = state.authority.place()?.device_page();
    let Some(session) = state.browser_session(headers).await? else {
        let to = match query.get("user_code") {
            Some(code) => {
                let code = form_urlencoded::byte_serialize(code.as_bytes()).collect::<String>();
                format!("/device?user_code={code}")
            }
            None => "/device".to_owned(),
        };
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("to", &to).finish();
        return Ok(redirect(&format!("{}/login?{query}", state.authority.place()?.url())));
    };
    let Some(code) = query.get("user_code") else {
        let body = format!(
            "<form method=\"get\" action=\"{}\"><p><label>The code that the command line shows: \
             <input name=\"user_code\" autocomplete=\"off\" maxlength=\"20\" required></label> \
             <button>Go on</button></p></form>",
            escaped(&url),
        );
        return Ok(page(StatusCode::OK, "Sign a command line in", &body));
    };
    state.may_try(sent)?;
    let asks = counted(state, sent, state.people.device_asks(code).await)?;
    let role = asks.role.map_or("the only role that your groups give", |role| role.as_str());
    let from = asks.from.as_deref().unwrap_or("an unknown address");
    let code = escaped(&asks.user_code);
    let body = format!(
        "<p>A command line at {} asks to act for {}, as: {role}.</p>\n\
         <p>Go on only if you began this yourself, and it shows the code <strong>{code}</strong>.</p>\n\
         <form method=\"post\" action=\"{}\"><input type=\"hidden\" name=\"user_code\" value=\"{code}\">\
         <button name=\"answer\" value=\"yes\">It is mine</button> \
         <button name=\"answer\" value=\"no\">It is not</button></form>",
        escaped(from),
        escaped(&session.name),
        escaped(&url),
    );
    Ok(page(StatusCode::OK, "Sign a command line in", &body))
}

/// Takes the answer.
pub(super) async fn answered(
    state: &State,
    form: &Form,
    headers: &HeaderMap,
    sent: &Sent,
) -> Result<Answer, Problem> {
    same_origin(state, headers)?;
    let session = state.browser_session(headers).await?.ok_or_else(Problem::no_token)?;
    state.may_try(sent)?;
    let code = form.get("user_code").unwrap_or_default();
    let yes = form.get("answer") == Some("yes");
    let answered = Box::pin(state.people.device_answer(code, &session, yes)).await;
    let Some(journey) = counted(state, sent, answered)? else {
        let body = "<p>The command line gets nothing. You can close this page.</p>";
        return Ok(page(StatusCode::OK, "Refused", body));
    };
    let mut answer = onward("Signing in", &journey.url);
    let cookie = SIGN_IN.set(state, journey.cookie.expose());
    answer.headers_mut().append(http::header::SET_COOKIE, cookie);
    Ok(answer)
}

/// A code that is none counts against the address from which it was tried.
fn counted<T>(state: &State, sent: &Sent, done: Result<T, IdentityError>) -> Result<T, Problem> {
    if matches!(done, Err(IdentityError::NoCode)) {
        state.count_failure(sent)?;
    }
    Ok(done?)
}
