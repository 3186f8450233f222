//! What a browser sends and is sent: the session's cookie, where a request came from, and pages.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use qc_identity::codes::CROSS_SITE;

use super::Answer;
use crate::{Problem, State, bearer};

/// The cookies, and how long a browser keeps them, in seconds: no longer than what they open.
pub(super) const SESSION: Cookie = Cookie { name: "qc_session", age: 8 * 3600 };
pub(super) const SIGN_IN: Cookie = Cookie { name: "qc_sign_in", age: 600 };

/// No script and no style runs in a page, nobody frames it, and its forms go nowhere else.
const POLICY: &str =
    "default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

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
        let own = self.own(is_secure(state));
        let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = all.flat_map(|text| text.split(';')).filter_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == own && !value.is_empty()).then_some(value)
        });
        found.next()
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

/// A page: a title and paragraphs, which are HTML already.
pub(super) fn page(status: StatusCode, title: &str, body: &str) -> Answer {
    let title = escaped(title);
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{title} - QuickConnect</title>\n<h1>{title}</h1>\n{body}\n</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // Not `no-referrer`: then forms would not say which origin they come from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
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

/// A problem, as a page.
pub(super) fn failed(problem: &Problem) -> Answer {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    let detail = escaped(&problem.detail);
    let body = format!(
        "<p>{detail}</p>\n<p><a href=\"{0}\">{1}</a></p>",
        problem.code.page(),
        problem.code
    );
    let mut response = page(status, &problem.title, &body);
    for (name, value) in &problem.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Text within HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
