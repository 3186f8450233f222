//! What a provider says of the end of an operation: `Deprecation` (RFC 9745), `Sunset` (RFC 8594), and the links to what
//! is to be read of it.

use http::HeaderMap;
use jiff::fmt::rfc2822::DateTimeParser;
use qc_model::Timestamp;
use serde::{Deserialize, Serialize};
use url::Url;

/// The longest link that is kept, in bytes.
const LINK_BYTES: usize = 300;

/// What an answer says of the end of its operation. Holds dates and an address without its query.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndNotice {
    /// It is deprecated, or will be.
    pub deprecated: bool,
    /// Since, or from, when; none where the provider only says that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<Timestamp>,
    /// When it is expected to stop answering.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sunset: Option<Timestamp>,
    /// Where the provider says more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl EndNotice {
    /// What the header fields of an answer say; None: nothing of an end.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let (deprecation, sunset) = (text("deprecation"), text("sunset"));
        let deprecated_at = deprecation.and_then(date);
        // Before RFC 9745 the value was `true`; what is not understood still says that there is something to read.
        let deprecated = deprecation.is_some_and(|said| !said.eq_ignore_ascii_case("false"));
        let sunset = sunset.and_then(date);
        if !deprecated && sunset.is_none() {
            return None;
        }
        let links =
            headers.get_all(http::header::LINK).iter().filter_map(|value| value.to_str().ok());
        let link = links.flat_map(targets).next();
        Some(Self { deprecated, deprecated_at, sunset, link })
    }
}

/// A structured field's date (`@` and seconds since 1970), or an HTTP date.
fn date(text: &str) -> Option<Timestamp> {
    if let Some(seconds) = text.strip_prefix('@') {
        let seconds: i64 = seconds.split(';').next()?.trim().parse().ok()?;
        return seconds.checked_mul(1_000).map(Timestamp::from_millis);
    }
    let read = DateTimeParser::new().parse_timestamp(text.trim_matches('"')).ok()?;
    Some(Timestamp::from_millis(read.as_millisecond()))
}

/// The addresses of a `Link` field that are about an end.
fn targets(field: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = field;
    while let Some(open) = rest.find('<') {
        let Some(close) = rest[open..].find('>').map(|at| at + open) else { break };
        let (target, after) = (&rest[open + 1..close], &rest[close + 1..]);
        let end = after.find(", <").or_else(|| after.find(",<")).unwrap_or(after.len());
        let about = after[..end].split(';').filter_map(|one| one.trim().split_once('=')).any(
            |(name, value)| {
                let mut kinds = value.trim().trim_matches('"').split(' ');
                let wanted = ["deprecation", "sunset", "successor-version"];
                name.trim().eq_ignore_ascii_case("rel")
                    && kinds.any(|kind| wanted.iter().any(|one| kind.eq_ignore_ascii_case(one)))
            },
        );
        // A query may repeat what was asked.
        if about && let Ok(mut url) = Url::parse(target) {
            url.set_query(None);
            url.set_fragment(None);
            let legal = matches!(url.scheme(), "http" | "https") && url.username().is_empty();
            if legal && url.as_str().len() <= LINK_BYTES {
                found.push(url.to_string());
            }
        }
        rest = &after[end..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(fields: &[(&'static str, &'static str)]) -> Option<EndNotice> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        EndNotice::of(&headers)
    }

    #[test]
    fn dates_and_links_of_an_end_are_read() {
        let notice = said(&[
            ("deprecation", "@1688169599"),
            ("sunset", "Sun, 30 Jun 2024 23:59:59 GMT"),
            ("link", "<https://api.example.com/next?page=2>; rel=\"next\""),
            (
                "link",
                "<https://example.com/end?u=7#x>; rel=\"sunset deprecation\"; type=\"text/html\"",
            ),
        ])
        .unwrap();
        assert_eq!(notice.deprecated_at.unwrap().to_string(), "2023-06-30T23:59:59.000Z");
        assert_eq!(notice.sunset.unwrap().to_string(), "2024-06-30T23:59:59.000Z");
        assert_eq!(notice.link.as_deref(), Some("https://example.com/end"));
        let only = said(&[("deprecation", "true"), ("sunset", "some day")]).unwrap();
        assert_eq!(only, EndNotice { deprecated: true, ..EndNotice::default() });
        let sunset = said(&[("sunset", "Sun, 30 Jun 2024 23:59:59 GMT")]).unwrap();
        assert!(!sunset.deprecated && sunset.sunset.is_some());
    }

    #[test]
    fn nothing_is_made_of_what_says_nothing() {
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[("deprecation", "false")]), None);
        assert_eq!(said(&[("sunset", "@99999999999999999999")]), None);
        assert_eq!(said(&[("link", "<https://example.com/end>; rel=sunset")]), None);
        let odd = [("deprecation", "@0"), ("link", "<javascript:alert(1)>; rel=sunset, <oops")];
        assert_eq!(said(&odd).unwrap().link, None);
    }
}
