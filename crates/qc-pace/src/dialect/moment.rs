use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use qc_model::Timestamp;

/// The longest pause that another system can impose. Longer wishes are cut to it, and asked for again then.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Seconds since 1970 are above this, seconds from now are below it.
const EPOCH_FROM: f64 = 1e9;
/// Milliseconds since 1970 are above this.
const EPOCH_MILLIS_FROM: f64 = 1e12;

/// How long it is until the moment that a text names: seconds from now, seconds or milliseconds since 1970, a date in one
/// of two forms, or a duration such as `6m0.5s`. What has passed is now.
pub(super) fn until(text: &str, now: Timestamp) -> Option<Duration> {
    let Some(value) = number(text) else { return date(text, now).or_else(|| spelled(text)) };
    if value < EPOCH_FROM {
        return seconds(value);
    }
    let millis = if value < EPOCH_MILLIS_FROM { value * 1000.0 } else { value };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "float casts saturate; a far time is cut below"
    )]
    let at = Timestamp::from_millis(millis.min(1e15) as i64);
    Some(at.since(now).min(LONGEST_PAUSE))
}

pub(super) fn date(text: &str, now: Timestamp) -> Option<Duration> {
    let at = DateTimeParser::new().parse_timestamp(text).ok();
    let at = at.or_else(|| text.parse::<jiff::Timestamp>().ok())?;
    Some(Timestamp::from_millis(at.as_millisecond()).since(now).min(LONGEST_PAUSE))
}

/// A plain decimal number.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain && text.len() <= 20 { text.parse().ok() } else { None }
}

pub(super) fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.min(LONGEST_PAUSE.as_secs_f64())).ok()
}

/// `1h2m3.5s`, `120ms`.
fn spelled(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, 0.0);
    if text.is_empty() || text.len() > 32 {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|one: char| !one.is_ascii_digit() && one != '.')?;
        let value = number(&rest[..digits])?;
        rest = &rest[digits..];
        let unit = rest.find(|one: char| !one.is_ascii_alphabetic()).unwrap_or(rest.len());
        sum += value
            * match &rest[..unit] {
                "d" => 86_400.0,
                "h" => 3_600.0,
                "m" => 60.0,
                "s" => 1.0,
                "ms" => 0.001,
                _ => return None,
            };
        rest = &rest[unit..];
    }
    seconds(sum)
}
