//! Cron patterns of five fields, or six with seconds first. Own parser: the existing crates decide
//! about daylight saving by themselves, and differently.

use std::{fmt, str::FromStr};

use jiff::{
    ToSpan,
    civil::{Date, DateTime, Time, date},
};

/// How far ahead an occurrence is looked for, in days. The rarest one, a fifth weekday of February,
/// comes every 28 years, and after 40 across a century without a leap day.
const HORIZON_DAYS: usize = 366 * 41;

/// Longest pattern, in bytes.
const LENGTH_LIMIT: usize = 256;

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
const MACROS: [(&str, &str); 6] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A cron pattern: times that clocks show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    written: String,
    /// One bit for each value.
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: Days,
}

/// Which days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Days {
    /// Days of the month, when they are restricted.
    of_month: Option<DaysOfMonth>,
    /// Days of the week, when they are restricted.
    of_week: Option<DaysOfWeek>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DaysOfMonth {
    days: u64,
    /// Bit `n`: the day that is `n` days before the last one.
    from_end: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct DaysOfWeek {
    days: u64,
    /// Bit `7·(n-1)+d`: the `n`-th weekday `d` of the month.
    nth: u64,
    /// The last such weekday of the month.
    last: u64,
}

/// Why a text is no cron pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronError {
    message: String,
}

impl fmt::Display for CronError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CronError {}

fn wrong<T>(message: impl Into<String>) -> Result<T, CronError> {
    Err(CronError { message: message.into() })
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(written: &str) -> Result<Self, CronError> {
        if written.len() > LENGTH_LIMIT {
            return wrong(format!("a cron pattern has at most {LENGTH_LIMIT} characters"));
        }
        let lower = written.trim().to_ascii_lowercase();
        let expanded = match MACROS.iter().find(|(name, _)| *name == lower) {
            Some((_, meaning)) => (*meaning).to_owned(),
            None if lower.starts_with('@') => {
                return wrong(format!("there is no `{}`", written.trim()));
            }
            None => written.to_ascii_uppercase(),
        };
        let fields: Vec<&str> = expanded.split_ascii_whitespace().collect();
        let (second, fields) = match fields.len() {
            5 => ("0", &fields[..]),
            6 => (fields[0], &fields[1..]),
            count => {
                return wrong(format!(
                    "a cron pattern has five fields (minute, hour, day of the month, month, day of \
                     the week), or six with the second first; this one has {count}"
                ));
            }
        };
        let cron = Self {
            written: written.trim().to_owned(),
            seconds: SECOND.set(second)?,
            minutes: MINUTE.set(fields[0])?,
            hours: HOUR.set(fields[1])?,
            months: MONTH.set(fields[3])?,
            days: Days { of_month: days_of_month(fields[2])?, of_week: days_of_week(fields[4])? },
        };
        // From here a century without a leap day lies ahead: what does not come within the horizon
        // never comes.
        if cron.next(date(2072, 1, 1).at(0, 0, 0, 0)).is_none() {
            return wrong("there is no such day: the pattern never comes true");
        }
        Ok(cron)
    }
}

impl Cron {
    /// Whether a time that clocks show is one of the pattern's; fractions of a second are not.
    pub fn matches(&self, time: DateTime) -> bool {
        time.subsec_nanosecond() == 0
            && has(self.seconds, time.second())
            && has(self.minutes, time.minute())
            && has(self.hours, time.hour())
            && self.on(time.date())
    }

    fn on(&self, day: Date) -> bool {
        has(self.months, day.month()) && self.days.has(day)
    }

    /// The first time of the pattern at or after a time that clocks show.
    pub(super) fn next(&self, from: DateTime) -> Option<DateTime> {
        let from = if from.subsec_nanosecond() == 0 {
            from
        } else {
            let whole = from.with().subsec_nanosecond(0).build().ok()?;
            whole.checked_add(1.second()).ok()?
        };
        let mut day = from.date();
        let mut earliest = from.time();
        for _ in 0..HORIZON_DAYS {
            if self.on(day)
                && let Some(time) = self.time_from(earliest)
            {
                return Some(day.to_datetime(time));
            }
            earliest = Time::midnight();
            day = if has(self.months, day.month()) {
                day.tomorrow().ok()?
            } else {
                day.last_of_month().tomorrow().ok()?
            };
        }
        None
    }

    /// The first time of a day of the pattern, at or after another one.
    fn time_from(&self, from: Time) -> Option<Time> {
        let (mut hour, mut minute, mut second) = (from.hour(), from.minute(), from.second());
        // Each field is tried at its value, and when a lower one has none left at its next value.
        for _ in 0..4 {
            let next_hour = at_or_after(self.hours, hour)?;
            if next_hour > hour {
                (minute, second) = (0, 0);
            }
            hour = next_hour;
            let Some(next_minute) = at_or_after(self.minutes, minute) else {
                (hour, minute, second) = (hour + 1, 0, 0);
                continue;
            };
            if next_minute > minute {
                second = 0;
            }
            minute = next_minute;
            let Some(next_second) = at_or_after(self.seconds, second) else {
                (minute, second) = (minute + 1, 0);
                continue;
            };
            return Time::new(hour, minute, next_second, 0).ok();
        }
        None
    }
}

impl Days {
    /// When both kinds of days are restricted, a day of either kind counts (POSIX crontab).
    fn has(&self, day: Date) -> bool {
        match (self.of_month, self.of_week) {
            (None, None) => true,
            (Some(of_month), None) => of_month.has(day),
            (None, Some(of_week)) => of_week.has(day),
            (Some(of_month), Some(of_week)) => of_month.has(day) || of_week.has(day),
        }
    }
}

impl DaysOfMonth {
    fn has(self, day: Date) -> bool {
        has(self.days, day.day()) || has(self.from_end, day.days_in_month() - day.day())
    }
}

impl DaysOfWeek {
    fn has(self, day: Date) -> bool {
        let weekday = day.weekday().to_sunday_zero_offset();
        let week = (day.day() - 1) / 7;
        has(self.days, weekday)
            || has(self.nth, week * 7 + weekday)
            || has(self.last, weekday) && day.days_in_month() - day.day() < 7
    }
}

/// Whether a value is in a set of bits.
fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|at| at < 64 && set >> at & 1 == 1)
}

/// The least value of a set that is not below another.
fn at_or_after(set: u64, least: i8) -> Option<i8> {
    let least = u32::try_from(least).ok().filter(|least| *least < 64)?;
    let rest = set >> least << least;
    (rest != 0).then(|| i8::try_from(rest.trailing_zeros()).unwrap_or(i8::MAX))
}

/// What a field takes.
struct Field {
    what: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const SECOND: Field = Field { what: "second", least: 0, most: 59, names: &[] };
const MINUTE: Field = Field { what: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { what: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { what: "day of the month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { what: "month", least: 1, most: 12, names: &MONTHS };
/// 7 is Sunday too.
const WEEKDAY: Field = Field { what: "day of the week", least: 0, most: 7, names: &WEEKDAYS };

impl Field {
    /// A list of `*`, values, ranges and steps.
    fn set(&self, written: &str) -> Result<u64, CronError> {
        written.split(',').try_fold(0, |set, part| Ok(set | self.part(part)?))
    }

    fn part(&self, part: &str) -> Result<u64, CronError> {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => (range, Some(self.step(step)?)),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (self.least, self.most),
            (_, Some((from, to))) => (self.value(from)?, self.value(to)?),
            (one, None) => {
                let from = self.value(one)?;
                // `5/15`: from 5 on.
                (from, if step.is_some() { self.most } else { from })
            }
        };
        if from > to {
            return wrong(format!("the {} `{range}` goes backwards", self.what));
        }
        // A star over the days of the week ends on Saturday: Sunday is not there twice.
        let to = if range == "*" && self.most == 7 { 6 } else { to };
        let step = usize::from(step.unwrap_or(1));
        Ok((from..=to).step_by(step).fold(0, |set, value| set | 1 << value))
    }

    fn step(&self, written: &str) -> Result<u8, CronError> {
        match number(written) {
            Some(step) if step > 0 && step <= self.most => Ok(step),
            _ => wrong(format!(
                "`{written}` is no step of a {}: a step is from 1 to {}",
                self.what, self.most
            )),
        }
    }

    fn value(&self, written: &str) -> Result<u8, CronError> {
        let named = self.names.iter().position(|name| *name == written);
        let value = match named {
            Some(at) => u8::try_from(at).ok().map(|at| at + u8::from(self.least == 1)),
            None => number(written),
        };
        match value.filter(|value| (self.least..=self.most).contains(value)) {
            Some(value) => Ok(value),
            None => wrong(format!(
                "`{written}` is no {}: it is from {} to {}{}",
                self.what,
                self.least,
                self.most,
                self.names
                    .first()
                    .map_or(String::new(), |name| format!(", or a name such as {name}")),
            )),
        }
    }
}

fn number(written: &str) -> Option<u8> {
    let digits = (1..=2).contains(&written.len()) && written.bytes().all(|b| b.is_ascii_digit());
    if digits { written.parse().ok() } else { None }
}

fn days_of_month(written: &str) -> Result<Option<DaysOfMonth>, CronError> {
    if matches!(written, "*" | "?") {
        return Ok(None);
    }
    let mut found = DaysOfMonth::default();
    for part in written.split(',') {
        if part == "L" {
            found.from_end |= 1;
        } else if let Some(before) = part.strip_prefix("L-") {
            match number(before).filter(|before| (1..=30).contains(before)) {
                Some(before) => found.from_end |= 1 << before,
                None => return wrong(format!("`{part}`: `L-` takes a number from 1 to 30")),
            }
        } else if part.contains('W') {
            return wrong(format!("`{part}`: nearest weekdays (`W`) are not supported"));
        } else {
            found.days |= DAY.part(part)?;
        }
    }
    Ok(Some(found))
}

fn days_of_week(written: &str) -> Result<Option<DaysOfWeek>, CronError> {
    if matches!(written, "*" | "?") {
        return Ok(None);
    }
    // Sunday is 0.
    let folded = |set: u64| set & 0x7f | set >> 7 & 1;
    let mut found = DaysOfWeek::default();
    for part in written.split(',') {
        if let Some((day, nth)) = part.split_once('#') {
            let Some(nth) = number(nth).filter(|nth| (1..=5).contains(nth)) else {
                return wrong(format!("`{part}`: `#` takes a number from 1 to 5"));
            };
            found.nth |= 1 << (7 * (nth - 1) + WEEKDAY.value(day)? % 7);
        } else if let Some(day) = part.strip_suffix('L').filter(|day| !day.is_empty()) {
            found.last |= folded(1 << WEEKDAY.value(day)?);
        } else {
            found.days |= folded(WEEKDAY.part(part)?);
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(pattern: &str, from: &str) -> String {
        let cron: Cron = pattern.parse().unwrap_or_else(|e| panic!("{pattern}: {e}"));
        cron.next(from.parse().unwrap()).expect("it comes").to_string()
    }

    #[test]
    fn the_next_time_is_the_first_that_fits() {
        for (pattern, from, next) in [
            ("0 0 * * *", "2026-11-22T00:00:00", "2026-11-22T00:00:00"),
            ("0 0 * * *", "2026-11-22T00:00:00.5", "2026-11-23T00:00:00"),
            ("*/15 9-17 * * MON-FRI", "2026-11-20T17:46:00", "2026-11-23T09:00:00"),
            ("30 */10 * * * *", "2026-11-22T10:19:31", "2026-11-22T10:20:30"),
            ("5/20 1 * * *", "2026-11-22T01:06:00", "2026-11-22T01:25:00"),
            ("59 59 23 31 12 *", "2026-12-31T23:59:59.1", "2027-12-31T23:59:59"),
            ("0 0 L * *", "2027-02-01T00:00:00", "2027-02-28T00:00:00"),
            ("0 0 L-2 * *", "2028-02-01T00:00:00", "2028-02-27T00:00:00"),
            ("0 0 * * FRIL", "2026-11-22T00:00:00", "2026-11-27T00:00:00"),
            ("0 0 * * MON#2", "2026-11-22T00:00:00", "2026-12-14T00:00:00"),
            ("0 0 * * 7", "2026-11-23T00:00:00", "2026-11-29T00:00:00"),
            ("0 0 * * 5-7", "2026-11-22T00:00:00", "2026-11-22T00:00:00"),
            ("0 0 13 * FRI", "2026-11-22T00:00:00", "2026-11-27T00:00:00"),
            ("0 0 29 2 *", "2097-01-01T00:00:00", "2104-02-29T00:00:00"),
            ("0 0 ? JAN,jul ?", "2026-11-22T00:00:00", "2027-01-01T00:00:00"),
            ("@hourly", "2026-11-22T10:00:01", "2026-11-22T11:00:00"),
        ] {
            assert_eq!(first(pattern, from), next, "{pattern} from {from}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_words() {
        for (pattern, said) in [
            ("* * * *", "this one has 4"),
            ("60 * * * *", "`60` is no minute"),
            ("* 24 * * *", "`24` is no hour"),
            ("* * 0 * *", "`0` is no day of the month"),
            ("* * * 13 *", "`13` is no month"),
            ("* * * * 8", "`8` is no day of the week"),
            ("*/0 * * * *", "`0` is no step"),
            ("30-10 * * * *", "goes backwards"),
            ("* * * * FRI-MON", "goes backwards"),
            ("* * 15W * *", "nearest weekdays"),
            ("* * L-31 * *", "from 1 to 30"),
            ("* * * * MON#6", "from 1 to 5"),
            ("0 0 31 2 *", "never comes true"),
            ("@fortnightly", "there is no"),
            ("", "this one has 0"),
            ("+1 * * * *", "`+1` is no minute"),
            (",1 * * * *", "`` is no minute"),
            ("* * * * L", "`L` is no day"),
        ] {
            let error = pattern.parse::<Cron>().expect_err(pattern).to_string();
            assert!(error.contains(said), "{pattern}: {error}");
        }
    }
}
