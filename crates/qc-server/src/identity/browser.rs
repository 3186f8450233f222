//! What a browser sends and is sent: the session's cookie, where a request came from, and where to go on.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use qc_identity::codes::CROSS_SITE;

use super::Answer;
use crate::{
    Problem, State, bearer,
    page::{cookie, escaped, page},
};

/// The cookies, and how long a browser keeps them, in seconds: no longer than what they open.
pub(super) const SESSION: Cookie = Cookie { name: "qc_session", age: 8 * 3600 };
pub(super) const SIGN_IN: Cookie = Cookie { name: "qc_sign_in", age: 600 };

/// One of our cookies.
#[derive(Clone, Copy)]
pub(super) struct Cookie {
    name: &'static str,
    age: u32,
}

impl Cookie {
    /// Over TLS its name says that no other host and no plain connection has set it (RFC 6265bis, section 4.1.3.2).
    fn own(self, secure: bool) -> String {
        format!("{}{}", if secure { "__Host-" } else { "" }, self.name)
    }

    /// Sets it, or takes it back when there is no text.
    pub(super) fn set(self, state: &State, text: &str) -> HeaderValue {
        let secure = is_secure(state);
        let age = if text.is_empty() { 0 } else { self.age };
        let line = format!(
            "{}={text}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{}",
            self.own(secure),
            if secure { "; Secure" } else { "" },
        );
        let mut value = HeaderValue::from_str(&line).expect("our texts are base64 and prefixes");
        value.set_sensitive(true);
        value
    }

    /// What the browser brings.
    pub(super) fn of<'a>(self, state: &State, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, &self.own(is_secure(state)))
    }
}

fn is_secure(state: &State) -> bool {
    state.authority.place().is_ok_and(qc_identity::Place::is_secure)
}

/// By what a request says who it is from: its bearer token, else the cookie of a session. By a cookie a request changes
/// something only when it comes from a page of this server, as a browser sends cookies with what others make it send.
pub(crate) fn presented<'a>(
    state: &State,
    headers: &'a HeaderMap,
    changes: bool,
) -> Result<Option<&'a str>, Problem> {
    if headers.contains_key(header::AUTHORIZATION) {
        return Ok(bearer(headers));
    }
    let Some(text) = SESSION.of(state, headers) else { return Ok(None) };
    if changes {
        same_origin(state, headers)?;
    }
    Ok(Some(text))
}

/// Whether a page of this server sent it: browsers say so in `Sec-Fetch-Site`, older ones and plain connections in
/// `Origin`. Who says neither is refused.
pub(super) fn same_origin(state: &State, headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    let origin = state.authority.place().map(qc_identity::Place::origin).unwrap_or_default();
    let own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == b"same-origin",
        (None, Some(from)) => from == origin.as_bytes(),
        (None, None) => false,
    };
    if own {
        return Ok(());
    }
    let detail = "the request changes something by a browser's cookie, and does not come from a page of this server";
    Err(Problem::new(403, CROSS_SITE, "From elsewhere", detail))
}

/// A page that leads on, after a form: a redirect would be held to where forms of the page before may go.
pub(super) fn onward(title: &str, url: &str) -> Answer {
    let body = format!("<p><a href=\"{0}\">Go on</a></p>", escaped(url));
    let mut response = page(StatusCode::OK, title, &body);
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={url}")) {
        response.headers_mut().insert(header::REFRESH, value);
    }
    response
}

/// A redirect.
pub(super) fn redirect(url: &str) -> Answer {
    let mut response = page(StatusCode::SEE_OTHER, "Elsewhere", "");
    if let Ok(value) = HeaderValue::from_str(url) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
