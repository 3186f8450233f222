use std::time::Duration;

use http::HeaderMap;
use jiff::fmt::rfc2822::DateTimeParser;
use qc_model::Timestamp;

/// The longest pause that another system can impose. Longer wishes are cut to it, and asked for again then.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Seconds since 1970 are above this, seconds from now are below it.
const EPOCH_FROM: f64 = 1e9;
/// Milliseconds since 1970 are above this.
const EPOCH_MILLIS_FROM: f64 = 1e12;

/// How long the other side asks to wait: `Retry-After` first, then the reset of an exhausted rate limit in its
/// spellings. Malformed fields are ignored. At most 24 hours.
pub(super) fn stated(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    retry_after(headers, now)
        .or_else(|| rate_limit_reset(headers, now))
        .map(|p| p.min(LONGEST_PAUSE))
}

/// `Retry-After`: seconds or an HTTP date (RFC 9110, section 10.2.3).
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Some(seconds) = number(text) {
        return seconds_from_now(seconds);
    }
    let date = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp::from_millis(date.as_millisecond()).since(now))
}

/// Whether the answer says that no request is left in its window.
pub(super) fn exhausted(headers: &HeaderMap) -> bool {
    ["x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining"]
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .any(|text| text.trim() == "0")
        || draft(headers).is_some()
}

fn rate_limit_reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    if let Some(seconds) = draft(headers) {
        return seconds_from_now(seconds);
    }
    let names =
        ["ratelimit-reset", "x-ratelimit-reset-after", "x-ratelimit-reset", "x-rate-limit-reset"];
    let text = names.iter().find_map(|name| headers.get(*name)?.to_str().ok())?.trim();
    let value = number(text)?;
    if value < EPOCH_FROM {
        return seconds_from_now(value);
    }
    let millis = if value < EPOCH_MILLIS_FROM { value * 1000.0 } else { value };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float casts saturate; a far time is cut later"
    )]
    let at = Timestamp::from_millis(millis.min(1e15) as i64);
    Some(at.since(now))
}

/// The IETF draft's `RateLimit: "policy";r=0;t=30`: the longest `t` of the policies with nothing left.
fn draft(headers: &HeaderMap) -> Option<f64> {
    let text = headers.get("ratelimit")?.to_str().ok()?;
    let mut longest: Option<f64> = None;
    for item in text.split(',').take(16) {
        let parameter = |name: &str| {
            item.split(';').skip(1).find_map(|one| number(one.trim().strip_prefix(name)?.trim()))
        };
        if let (Some(0.0), Some(seconds)) = (parameter("r="), parameter("t=")) {
            longest = Some(longest.map_or(seconds, |so_far| so_far.max(seconds)));
        }
    }
    longest
}

fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain && text.len() <= 20 { text.parse().ok() } else { None }
}

fn seconds_from_now(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.min(LONGEST_PAUSE.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    /// 2026-11-22T14:40:00Z
    const NOW: Timestamp = Timestamp::from_millis(1_795_358_400_000);

    fn pause(fields: &[(&'static str, &str)]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        stated(&headers, NOW).map(|pause| pause.as_secs())
    }

    #[test]
    fn all_spellings_are_understood() {
        assert_eq!(pause(&[("retry-after", "120")]), Some(120));
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2026 14:41:30 GMT")]), Some(90));
        assert_eq!(pause(&[("ratelimit", "\"burst\";r=0;t=30, \"daily\";r=5;t=900")]), Some(30));
        assert_eq!(pause(&[("ratelimit-reset", "17")]), Some(17));
        assert_eq!(pause(&[("x-ratelimit-reset", "1795358460")]), Some(60));
        assert_eq!(pause(&[("x-ratelimit-reset", "1795358460000")]), Some(60));
        assert_eq!(pause(&[("x-ratelimit-reset-after", "1.5")]), Some(1));
    }

    #[test]
    fn retry_after_wins_and_a_past_date_is_now() {
        assert_eq!(pause(&[("retry-after", "5"), ("x-ratelimit-reset", "1795358460")]), Some(5));
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2026 14:00:00 GMT")]), Some(0));
    }

    #[test]
    fn nonsense_is_ignored_and_wishes_are_bounded() {
        for bad in ["-5", "soon", "1e9", "", "9999999999999999999999"] {
            assert_eq!(pause(&[("retry-after", bad)]), None, "{bad}");
        }
        assert_eq!(pause(&[("retry-after", "99999999999")]), Some(86_400));
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2099 14:00:00 GMT")]), Some(86_400));
        assert_eq!(pause(&[]), None);
    }
}
