use std::time::Duration;

use http::HeaderMap;

/// The longest wait that `Prefer: wait=N` gets.
const LONGEST: u64 = 60;

/// The wait that the sender prefers (RFC 7240, section 4.3), bounded. The first `wait` counts; zero and what is no
/// number are no preference.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|preference| {
            let (token, _) = preference.split_once(';').unwrap_or((preference, ""));
            let (name, value) = token.split_once('=')?;
            name.trim().eq_ignore_ascii_case("wait").then(|| value.trim().trim_matches('"'))
        })
        .and_then(|value| value.parse::<u64>().ok())
        .filter(|seconds| *seconds > 0)
        .map(|seconds| Duration::from_secs(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("prefer", value.parse().unwrap());
        }
        wait(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn reads_wait_among_others() {
        assert_eq!(of(&["wait=10"]), Some(10));
        assert_eq!(of(&["respond-async, WAIT=\"5\"; foo=1"]), Some(5));
        assert_eq!(of(&["respond-async", "wait=7", "wait=9"]), Some(7));
        assert_eq!(of(&["wait=100000"]), Some(LONGEST));
        for none in ["wait", "wait=", "wait=0", "wait=-1", "wait=x", "handling=lenient"] {
            assert_eq!(of(&[none]), None, "{none}");
        }
    }
}
