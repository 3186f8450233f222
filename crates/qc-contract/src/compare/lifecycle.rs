//! What happens to the life of something: its stability, its deprecation, its end.

use qc_document::Node;

use super::found::{Found, Said};
use super::rules::{Level, Life, Subject};
use super::side::Spot;

/// A calendar day, as days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Day(pub i64);

impl Day {
    /// From `YYYY-MM-DD`, alone or as the beginning of an RFC 3339 time.
    pub fn parse(text: &str) -> Option<Self> {
        let date = text.get(..10)?;
        let is_time = text.len() == 10 || text[10..].starts_with(['T', 't', ' ']);
        let mut parts = date.split('-');
        let mut number = |digits: usize| {
            let part = parts.next().filter(|part| part.len() == digits)?;
            part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok())?
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => return None,
        };
        if !is_time || !(1..=last).contains(&day) {
            return None;
        }
        // Days of the proleptic Gregorian calendar, with years that begin in March.
        let shifted = if month > 2 { year } else { year - 1 };
        let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
        let days = shifted * 365 + shifted.div_euclid(4) - shifted.div_euclid(100)
            + shifted.div_euclid(400)
            + day_of_year;
        Some(Self(days - 719_468))
    }
}

/// What is needed to judge dates: no clock is read here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Calendar {
    /// The day on which the new version is published; dates are not judged by it when it is not given.
    pub(super) today: Option<Day>,
    /// Days of notice that an end needs.
    pub(super) notice: i64,
}

/// What a thing says about its life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing<'d> {
    pub(super) spot: Spot<'d>,
    pub(super) deprecated: Option<Spot<'d>>,
    pub(super) sunset: Option<Spot<'d>>,
    pub(super) stability: Option<Spot<'d>>,
}

/// How much is promised, in order.
const STABILITIES: [&str; 4] = ["draft", "alpha", "beta", "stable"];

impl<'d> Standing<'d> {
    /// What stands at a node itself.
    pub(super) fn at(spot: Spot<'d>) -> Self {
        Self::by(spot, |key| spot.get(key))
    }

    pub(super) fn by(spot: Spot<'d>, get: impl Fn(&str) -> Option<Spot<'d>>) -> Self {
        Self {
            spot,
            deprecated: get("deprecated").filter(|flag| flag.node.as_bool() == Some(true)),
            sunset: get("x-sunset"),
            stability: get("x-stability-level").or_else(|| get("x-stability")),
        }
    }

    fn day(&self) -> Option<Result<Day, Spot<'d>>> {
        let sunset = self.sunset?;
        Some(sunset.node.as_str().and_then(Day::parse).ok_or(sunset))
    }

    /// Rank of the stability; nothing said is stable.
    fn stability(&self) -> Result<usize, Spot<'d>> {
        let Some(spot) = self.stability else { return Ok(STABILITIES.len() - 1) };
        let word = spot.node.as_str();
        STABILITIES.iter().position(|known| Some(*known) == word).ok_or(spot)
    }

    /// Whether it never promised to stay.
    pub(super) fn is_unstable(&self) -> bool {
        self.stability().is_ok_and(|rank| rank <= 1)
    }
}

/// What changed in the life of something that is there before and after.
pub(super) fn changes<'d>(
    subject: Subject,
    old: &Standing<'d>,
    new: &Standing<'d>,
    calendar: Calendar,
    found: &mut Vec<Found<'d>>,
) {
    stability(subject, old, new, found);
    let flag = |standing: &Standing<'d>| Said::maybe(standing.deprecated, standing.spot);
    let sunset = |standing: &Standing<'d>| Said::maybe(standing.sunset, standing.spot);
    let mut push = |life: Life, old: Said<'d>, new: Said<'d>, message: String| {
        found.push(Found::new(life.of(subject), old, new, message));
    };
    match (old.deprecated.is_some(), new.deprecated.is_some()) {
        (true, false) => {
            push(Life::Reinstated, flag(old), flag(new), "no longer deprecated".into());
        }
        (false, true) => push(Life::Deprecated, flag(old), flag(new), "deprecated now".into()),
        (false, false) => return,
        (true, true) => {}
    }
    let Some(said) = new.day() else {
        if old.sunset.is_some() && new.deprecated.is_some() {
            push(Life::SunsetWithdrawn, sunset(old), sunset(new), "the sunset is gone".into());
        }
        return;
    };
    let before = if old.deprecated.is_some() { old.day() } else { None };
    match (before, said) {
        (_, Err(spot)) | (Some(Err(spot)), _) => {
            let message = format!("`{}` is no date", super::found::shown(spot.node));
            push(Life::SunsetUnreadable, sunset(old), sunset(new), message);
        }
        (Some(Ok(was)), Ok(is)) if is < was => {
            push(Life::SunsetEarlier, sunset(old), sunset(new), "it ends earlier".into());
        }
        (Some(Ok(was)), Ok(is)) if is > was => {
            push(Life::SunsetLater, sunset(old), sunset(new), "it ends later".into());
        }
        (Some(Ok(_)), Ok(_)) => {}
        (None, Ok(day)) if is_too_soon(day, calendar) => {
            let message = format!("fewer than {} days of notice are left", calendar.notice);
            push(Life::SunsetTooSoon, sunset(old), sunset(new), message);
        }
        (None, Ok(_)) => {
            push(Life::SunsetAnnounced, sunset(old), sunset(new), "it has a date now".into());
        }
    }
}

fn is_too_soon(day: Day, calendar: Calendar) -> bool {
    calendar.today.is_some_and(|today| day.0 < today.0.saturating_add(calendar.notice))
}

fn stability<'d>(
    subject: Subject,
    old: &Standing<'d>,
    new: &Standing<'d>,
    found: &mut Vec<Found<'d>>,
) {
    let said = |standing: &Standing<'d>| Said::maybe(standing.stability, standing.spot);
    let life = match (old.stability(), new.stability()) {
        (Err(_), _) | (_, Err(_)) => {
            let same = |one: Option<&Node>, other: Option<&Node>| match (one, other) {
                (Some(one), Some(other)) => super::shape::same_value(one, other),
                (None, None) => true,
                _ => false,
            };
            if same(old.stability.map(|s| s.node), new.stability.map(|s| s.node)) {
                return;
            }
            Life::StabilityUnreadable
        }
        (Ok(was), Ok(is)) if is < was => Life::StabilityLowered,
        (Ok(was), Ok(is)) if is > was => Life::StabilityRaised,
        _ => return,
    };
    found.push(Found::new(life.of(subject), said(old), said(new), "the stability is another"));
}

/// How a removal weighs by what had been announced: the rule in place of the plain one, if there is one.
pub(super) fn removal<'d>(
    subject: Subject,
    old: &Standing<'d>,
    around: Spot<'d>,
    calendar: Calendar,
) -> Option<Found<'d>> {
    let life = match (old.deprecated, old.day()) {
        (None, _) => return None,
        (Some(_), None) => Life::RemovedDeprecated,
        (Some(_), Some(Err(_))) => Life::SunsetUnreadable,
        (Some(_), Some(Ok(day))) => match calendar.today {
            Some(today) if day <= today => Life::RemovedAfterSunset,
            Some(_) => Life::RemovedBeforeSunset,
            None => Life::RemovedDeprecated,
        },
    };
    let said = Said::maybe(old.sunset.or(old.deprecated), old.spot);
    let found = Found::new(life.of(subject), said, Said::absent(around), "gone");
    Some(if old.is_unstable() { found.at_most(Level::Cosmetic) } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_epoch() {
        assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
        assert_eq!(Day::parse("2000-03-01"), Some(Day(11_017)));
        assert_eq!(Day::parse("2024-02-29T10:00:00Z"), Some(Day(19_782)));
        assert_eq!(Day::parse("2023-02-29"), None);
        for wrong in
            ["", "invalid", "2023-13-01", "2023-1-1", "2023-01-01x", "+023-01-01", "ä023-01-01"]
        {
            assert_eq!(Day::parse(wrong), None, "{wrong}");
        }
    }
}
