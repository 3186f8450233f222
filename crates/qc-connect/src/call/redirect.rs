use http::{Method, header};
use url::Url;

use super::answer::Answer;

/// Most redirects that are followed for one request.
pub(super) const MOST_REDIRECTS: u32 = 5;

/// Where an answer redirects to.
pub(super) struct Redirect {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether the body goes along.
    pub(super) keeps_body: bool,
    /// Whether the credential may go along: only to the same scheme, host and port.
    pub(super) same_origin: bool,
}

impl Redirect {
    /// Reads the answer; None when it redirects nowhere or to somewhere we do not go (another scheme than HTTP's, or from
    /// https to http).
    pub(super) fn of(answer: &Answer, method: &Method) -> Option<Self> {
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let location = answer.headers.get(header::LOCATION)?.to_str().ok()?;
        let from = Url::parse(&answer.url).ok()?;
        let mut url = from.join(location).ok()?;
        url.set_fragment(None);
        let downgrade = from.scheme() == "https" && url.scheme() != "https";
        if downgrade || !matches!(url.scheme(), "http" | "https") || names_user(&url) {
            return None;
        }
        let same_origin = from.origin() == url.origin();
        let becomes_get = answer.status == 303 && *method != Method::HEAD
            || matches!(answer.status, 301 | 302) && *method == Method::POST;
        let (method, keeps_body) =
            if becomes_get { (Method::GET, false) } else { (method.clone(), true) };
        Some(Self { url, method, keeps_body, same_origin })
    }
}

fn names_user(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}
