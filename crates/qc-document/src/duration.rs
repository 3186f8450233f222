//! Lengths of time as people write them in files.

use std::time::Duration;

/// Longest duration that a file may name: 100 years.
const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Why a text is no duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DurationError {
    /// Neither of the two spellings.
    #[error("not a duration; write `30s`, `1h30m`, `7d` or ISO 8601 such as `PT30S`")]
    Form,
    /// Years and months have no fixed length.
    #[error("years and months have no fixed length; write weeks or days")]
    Calendar,
    /// More than 100 years.
    #[error("longer than 100 years")]
    TooLong,
}

/// Reads `500ms`, `30s`, `1h30m`, `7d`, `2w` (units in falling order, each once) or ISO 8601 `P1DT2H30M5.5S`, `P2W`.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    match text.strip_prefix('P') {
        Some(rest) => iso(rest),
        None => terms(text, &["w", "d", "h", "m", "s", "ms"]),
    }
}

fn iso(rest: &str) -> Result<Duration, DurationError> {
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(DurationError::Form),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.contains(['Y', 'M']) {
        return Err(DurationError::Calendar);
    }
    if date.is_empty() && time.is_empty() {
        return Err(DurationError::Form);
    }
    let part = |text: &str, units: &[&str]| {
        if text.is_empty() { Ok(Duration::ZERO) } else { terms(&text.to_lowercase(), units) }
    };
    if rest.contains(|c: char| c.is_ascii_lowercase()) {
        return Err(DurationError::Form);
    }
    bounded(part(date, &["w", "d"])?.checked_add(part(time, &["h", "m", "s"])?))
}

/// Reads `<number><unit>` one after the other; the units must come in the given order.
fn terms(mut text: &str, mut units: &[&str]) -> Result<Duration, DurationError> {
    if text.is_empty() {
        return Err(DurationError::Form);
    }
    let mut total = Duration::ZERO;
    while !text.is_empty() {
        let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = text.split_at(number_end.ok_or(DurationError::Form)?);
        let unit_end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(unit_end);
        let at = units.iter().position(|known| *known == unit).ok_or(DurationError::Form)?;
        let length = nanoseconds(number, unit).ok_or(DurationError::Form)?;
        units = &units[at + 1..];
        let length = u64::try_from(length).map_err(|_| DurationError::TooLong)?;
        total = bounded(total.checked_add(Duration::from_nanos(length)))?;
        text = rest;
    }
    Ok(total)
}

/// Exact, as floating point would not be. Only seconds may have a fraction (at most nine digits).
fn nanoseconds(number: &str, unit: &str) -> Option<u128> {
    let per_unit: u128 = match unit {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        "w" => 604_800_000_000_000,
        _ => return None,
    };
    let Some((whole, fraction)) = number.split_once('.') else {
        return Some(u128::from(number.parse::<u64>().ok()?) * per_unit);
    };
    if unit != "s" || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let scaled = format!("{fraction:0<9}").parse::<u64>().ok()?;
    Some(u128::from(whole.parse::<u64>().ok()?) * per_unit + u128::from(scaled))
}

fn bounded(total: Option<Duration>) -> Result<Duration, DurationError> {
    total.filter(|total| *total <= LONGEST).ok_or(DurationError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_read() {
        let seconds = |text: &str| parse_duration(text).map(|d| d.as_secs_f64());
        assert_eq!(seconds("30s"), Ok(30.0));
        assert_eq!(seconds("1h30m"), Ok(5400.0));
        assert_eq!(seconds("7d"), Ok(604_800.0));
        assert_eq!(seconds("250ms"), Ok(0.25));
        assert_eq!(seconds("1s500ms"), Ok(1.5));
        assert_eq!(seconds("0s"), Ok(0.0));
        assert_eq!(seconds("PT30S"), Ok(30.0));
        assert_eq!(seconds("PT0.25S"), Ok(0.25));
        assert_eq!(seconds("P1DT2H"), Ok(93_600.0));
        assert_eq!(seconds("P2W"), Ok(1_209_600.0));
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "5", "s", "1m1h", "1h1h", "-5s", "1 h", "PT", "P", "PT1D", "1.5h", "pt5s", "Pt5S",
            "1e3s", "٣s", "1s5", "..s", "P1DT",
        ] {
            assert_eq!(parse_duration(text), Err(DurationError::Form), "{text}");
        }
        assert_eq!(parse_duration("P1Y"), Err(DurationError::Calendar));
        assert_eq!(parse_duration("P1M"), Err(DurationError::Calendar));
        assert_eq!(parse_duration("99999999999w"), Err(DurationError::TooLong));
        assert_eq!(parse_duration("36501d"), Err(DurationError::TooLong));
    }
}
