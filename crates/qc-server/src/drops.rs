//! The page at which somebody gives a secret's value: `GET /drop/<code>` shows a form, `POST` takes what was typed, once.
//! Whoever has the link has the right that it gives, so nobody signs in here; nothing that was typed is shown again.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use qc_access::Action;
use qc_model::{Actor, ActorKind, Origin};
use qc_vault::{DropLink, Secret, VaultError, random_code};
use url::form_urlencoded;

use crate::{
    Problem, State,
    asker::Sent,
    body,
    page::{Page, cookie, of_problem, page, told},
};

/// What the addresses begin with.
pub(crate) const PREFIX: &str = "/drop/";
const COOKIE: &str = "qc_drop";
/// The largest form, in bytes: the largest secret, each byte as three.
const FORM_MAX: usize = 3 * 64 * 1024 + 4 * 1024;
/// The longest code that is looked for, in bytes.
const CODE_MAX: usize = 100;

/// Answers a request below [`PREFIX`]. Codes that are not good are counted by address, as failed attempts to authenticate.
pub(crate) async fn answer(state: &State, request: Request<Incoming>, sent: &Sent) -> Page {
    if ![Method::GET, Method::HEAD, Method::POST].contains(request.method()) {
        let mut page =
            told(StatusCode::METHOD_NOT_ALLOWED, "Not here", "Open this address in a browser.");
        page.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
        return page;
    }
    if let Err(problem) = state.may_try(sent) {
        return of_problem(&problem);
    }
    let code = request.uri().path().strip_prefix(PREFIX).unwrap_or_default();
    let code = Secret::new(if code.len() <= CODE_MAX { code } else { "" });
    let link = match state.vault.drop_of(&code).await {
        Ok(Some(link)) => link,
        Ok(None) => {
            state.throttle.failed(crate::identity::address(sent), state.clock.now());
            let said = "This link is unknown, was used, or is over. Ask for another one.";
            return told(StatusCode::NOT_FOUND, "No such link", said);
        }
        Err(error) => return of_problem(&Problem::from(error)),
    };
    if request.method() != Method::POST {
        return form(state, &code, &link);
    }
    let taken = take(state, request, &code, &link, sent).await;
    taken.unwrap_or_else(|problem| of_problem(&problem))
}

/// The form. Opening it changes nothing: programs that look at links before people do use none up.
fn form(state: &State, code: &Secret, link: &DropLink) -> Page {
    let nonce = random_code::<2>(&*state.entropy);
    let (environment, name) = (&link.environment, &link.name);
    // Both are names: letters, digits and a few marks, none of which means anything in HTML.
    let body = format!(
        "<p>The value of <b>{name}</b> for <b>{environment}</b>. It is stored sealed, is not shown again to anybody, and \
         this address works once, until {until}.</p>\n\
         <form method=\"post\"><input type=\"hidden\" name=\"form\" value=\"{form}\">\
         <p><label>Value<br><textarea name=\"value\" rows=\"6\" cols=\"60\" required autocomplete=\"off\" \
         spellcheck=\"false\"></textarea></label></p><p><button>Store</button></p></form>",
        until = link.expires_at,
        form = DropLink::form_of(code, nonce.expose()),
    );
    let mut page = page(StatusCode::OK, "Give a secret", &body);
    let secure = if state.authority.place().is_ok_and(qc_identity::Place::is_secure) {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{COOKIE}={}; Path=/drop; HttpOnly; SameSite=Strict; Max-Age=3600{secure}",
        nonce.expose()
    );
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        page.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    page
}

/// Takes what was typed.
async fn take(
    state: &State,
    request: Request<Incoming>,
    code: &Secret,
    link: &DropLink,
    sent: &Sent,
) -> Result<Page, Problem> {
    let (parts, incoming) = request.into_parts();
    let is_form = parts.headers.get(header::CONTENT_TYPE).is_some_and(|media| {
        let essence = media.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        essence.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
    });
    if !is_form {
        return Ok(told(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Not a form",
            "Send the form of this page.",
        ));
    }
    let patience = state.settings.body_timeout;
    let bytes = body::read(incoming, &parts.headers, FORM_MAX, patience).await?;
    let (mut form, mut value) = (String::new(), Secret::new(""));
    for (field, text) in form_urlencoded::parse(&bytes) {
        match field.as_ref() {
            "form" => form = text.into_owned(),
            "value" => value = Secret::new(text),
            _ => {}
        }
    }
    if !of_this_page(&parts.headers, code, &form) {
        let said = "This was not sent from the page of the link. Open the link again, with cookies allowed.";
        return Ok(told(StatusCode::FORBIDDEN, "From elsewhere", said));
    }
    // Browsers send the ends of lines as two characters; one at the end is not part of the value.
    let value = Secret::new(value.expose().replace("\r\n", "\n"));
    let value = Secret::new(value.expose().strip_suffix('\n').unwrap_or(value.expose()));
    let actor = giver(link, sent);
    match state.vault.redeem_drop(code, &value, &actor).await {
        Ok(_) => Ok(told(
            StatusCode::OK,
            "Stored",
            "This address works no more; you can close the page.",
        )),
        Err(VaultError::Nothing(_)) => Ok(told(
            StatusCode::NOT_FOUND,
            "No such link",
            "This link was used meanwhile, or is over. Ask for another one.",
        )),
        // The one who gives the value must not learn what other environments hold.
        Err(VaultError::Shared(_)) => {
            let said = "This value is not taken: each environment needs a credential of its own. Make another one.";
            Ok(told(StatusCode::CONFLICT, "Not taken", said))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the form came from the page that we showed to this browser.
fn of_this_page(headers: &HeaderMap, code: &Secret, form: &str) -> bool {
    let elsewhere = headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin");
    !elsewhere
        && cookie(headers, COOKIE).is_some_and(|nonce| DropLink::is_form_of(code, nonce, form))
}

/// Somebody who is known by the link alone.
fn giver(link: &DropLink, sent: &Sent) -> Actor {
    let origin = Origin {
        token: format!("drop {}", link.id),
        role: "none".to_owned(),
        action: Action::SecretsWrite.as_str().to_owned(),
        policy: "link".to_owned(),
        request: sent.request.clone(),
        address: sent.address.map(|address| address.to_string()),
    };
    let actor = Actor::new(ActorKind::Anonymous, format!("drop-{}", link.id));
    Actor { via: Some(Arc::new(origin)), ..actor }
}
