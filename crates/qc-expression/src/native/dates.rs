//! Dates and times, always UTC: seconds since 1970, and jq's broken-down arrays
//! `[year, month from 0, day, hours, minutes, seconds, weekday, day of the year from 0]`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;

use super::Table;
use crate::machine::{Machine, shown};
use crate::meter::{Flow, fail};
use crate::number;
use crate::value::Val;

/// The longest format or date text that is looked at.
const LONGEST: usize = 256;

pub(super) const TABLE: Table = &[
    ("gmtime", 0, |m, input, _| {
        let at = moment(&input)?;
        broken_down(m, at)
    }),
    ("mktime", 0, |_, input, _| seconds(moment(&input)?)),
    ("strftime", 1, strftime),
    ("strptime", 1, strptime),
    ("fromdateiso8601", 0, from_iso),
];

/// The moment that a number of seconds or a broken-down array says.
#[expect(clippy::cast_possible_truncation, reason = "checked against the calendar's range first")]
fn moment<'a>(input: &Val<'a>) -> Flow<'a, Timestamp> {
    match input {
        Val::Num(number) => {
            let seconds = number::real(number);
            if seconds.abs() > 1e12 {
                return fail(format!("{} is not a time within the calendar", shown(input)));
            }
            let whole = seconds.floor();
            let nanos = ((seconds - whole) * 1e9) as i32;
            Timestamp::new(whole as i64, nanos)
                .or_else(|_| fail(format!("{} is not a time within the calendar", shown(input))))
        }
        Val::Arr(items) if items.len() >= 6 => {
            let mut parts = [0i64; 6];
            for (part, item) in parts.iter_mut().zip(items.iter()) {
                match item {
                    Val::Num(number) => *part = number::floor(&number),
                    _ => return fail("broken down time requires numbers"),
                }
            }
            let [year, month, day, hour, minute, second] = parts;
            civil(year, month.saturating_add(1), day, hour, minute, second)
                .ok_or(())
                .or_else(|()| fail(format!("{} is not a date and time", shown(input))))
        }
        other => fail(format!("{} is neither seconds nor a broken down time", shown(other))),
    }
}

fn civil(
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
) -> Option<Timestamp> {
    let small = |number: i64| i8::try_from(number).ok();
    let time = DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second.min(59))?,
        0,
    );
    time.ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Whole seconds, or with a fraction when there is one.
#[expect(clippy::cast_precision_loss, reason = "seconds of any calendar date fit 53 bits")]
fn seconds<'a>(at: Timestamp) -> Flow<'a, Val<'a>> {
    match at.subsec_nanosecond() {
        0 => Ok(Val::int(at.as_second())),
        nanos => number::float(at.as_second() as f64 + f64::from(nanos) / 1e9),
    }
}

fn broken_down<'a>(machine: &Machine<'a>, at: Timestamp) -> Flow<'a, Val<'a>> {
    let time = at.to_zoned(TimeZone::UTC).datetime();
    let second = match time.subsec_nanosecond() {
        0 => Val::int(i64::from(time.second())),
        nanos => number::float(f64::from(time.second()) + f64::from(nanos) / 1e9)?,
    };
    let items = vec![
        Val::int(i64::from(time.year())),
        Val::int(i64::from(time.month()) - 1),
        Val::int(i64::from(time.day())),
        Val::int(i64::from(time.hour())),
        Val::int(i64::from(time.minute())),
        second,
        Val::int(i64::from(time.weekday().to_sunday_zero_offset())),
        Val::int(i64::from(time.day_of_year()) - 1),
    ];
    Ok(Val::list(machine.meter, items)?)
}

fn short<'v, 'a>(value: Option<&'v Val<'a>>, what: &str) -> Flow<'a, &'v str> {
    match value {
        Some(Val::Str(text)) if text.len() <= LONGEST => Ok(text.as_str()),
        Some(Val::Str(_)) => fail(format!("{what} is longer than {LONGEST} bytes")),
        _ => fail(format!("{what} must be a string")),
    }
}

fn strftime<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let at = moment(&input)?;
    let format = short(args.first(), "a time format")?;
    machine.meter.tick(16)?;
    let mut text = String::new();
    match BrokenDownTime::from(&at.to_zoned(TimeZone::UTC)).format(format, &mut text) {
        Ok(()) => Ok(Val::text(machine.meter, text)?),
        Err(error) => fail(format!("the time format {format:?} does not work: {error}")),
    }
}

fn strptime<'a>(machine: &mut Machine<'a>, input: Val<'a>, args: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let text = short(Some(&input), "a date")?;
    let format = short(args.first(), "a time format")?;
    machine.meter.tick(16)?;
    let at = BrokenDownTime::parse(format, text).ok().and_then(|parsed| {
        if parsed.offset().is_some() || parsed.timestamp().is_some() {
            return parsed.to_timestamp().ok();
        }
        let midnight = || parsed.to_date().ok().map(|date| date.at(0, 0, 0, 0));
        let time = parsed.to_datetime().ok().or_else(midnight)?;
        time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    match at {
        Some(at) => broken_down(machine, at),
        None => fail(format!("date {text:?} does not match format {format:?}")),
    }
}

/// As RFC 3339 says, with any offset and any fraction of a second.
fn from_iso<'a>(machine: &mut Machine<'a>, input: Val<'a>, _: &[Val<'a>]) -> Flow<'a, Val<'a>> {
    let text = short(Some(&input), "a date")?;
    machine.meter.tick(8)?;
    match text.parse::<Timestamp>() {
        Ok(at) => seconds(at),
        Err(_) => fail(format!("date {text:?} does not match format \"%Y-%m-%dT%H:%M:%SZ\"")),
    }
}
