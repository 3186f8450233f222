use std::{fmt, str::FromStr};

use jiff::{ToSpan, civil::Time};
use qc_model::Timestamp;

use super::Zone;

/// Hours of each day in which what can wait does so, by the clocks of a zone. They may go over midnight.
#[derive(Debug, Clone, PartialEq)]
pub struct QuietHours {
    /// They begin.
    pub from: TimeOfDay,
    /// They are over.
    pub to: TimeOfDay,
    /// Whose clocks.
    pub zone: Zone,
}

/// What a clock shows, in hours and minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay(Time);

/// A text that is no time of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDayError;

impl fmt::Display for TimeOfDayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write hours and minutes, from `00:00` to `23:59`")
    }
}

impl std::error::Error for TimeOfDayError {}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    fn from_str(text: &str) -> Result<Self, TimeOfDayError> {
        let number = |text: &str| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<i8>().ok() } else { None }
        };
        let read = text
            .split_once(':')
            .and_then(|(hours, minutes)| Time::new(number(hours)?, number(minutes)?, 0, 0).ok());
        read.map(Self).ok_or(TimeOfDayError)
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl QuietHours {
    /// When they are over, while they last. A time that clocks show twice ends them the first time; one that they never
    /// show, when they are put forward.
    pub fn over_at(&self, now: Timestamp) -> Option<Timestamp> {
        let shown = self.zone.shown_at(now)?;
        let (from, to, time) = (self.from.0, self.to.0, shown.time());
        let (lasts, tomorrow) = if from <= to {
            (from <= time && time < to, false)
        } else {
            (time >= from || time < to, time >= from)
        };
        if !lasts {
            return None;
        }
        let day = if tomorrow { shown.date().checked_add(1.day()).ok()? } else { shown.date() };
        self.zone.instant_of(day.to_datetime(to)).filter(|over| *over > now)
    }

    /// For how long they last, in seconds, where no clock is put forward or back.
    pub fn seconds(&self) -> u64 {
        let of_day = |time: Time| {
            u64::try_from(time.hour()).unwrap_or(0) * 3600
                + u64::try_from(time.minute()).unwrap_or(0) * 60
        };
        (of_day(self.to.0) + 86_400 - of_day(self.from.0)) % 86_400
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quiet(from: &str, to: &str, zone: &str) -> QuietHours {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        QuietHours { from, to, zone: Zone::named(zone).unwrap() }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn they_last_from_one_time_to_the_other_by_the_clocks_of_their_zone() {
        let night = quiet("22:00", "07:00", "Europe/Berlin");
        assert_eq!(night.over_at(at("2026-11-20T20:59:59Z")), None);
        assert_eq!(night.over_at(at("2026-11-20T21:00:00Z")), Some(at("2026-11-21T06:00:00Z")));
        assert_eq!(night.over_at(at("2026-11-21T05:59:59Z")), Some(at("2026-11-21T06:00:00Z")));
        assert_eq!(night.over_at(at("2026-11-21T06:00:00Z")), None);
        let noon = quiet("12:00", "13:30", "UTC");
        assert_eq!(noon.over_at(at("2026-11-20T12:10:00Z")), Some(at("2026-11-20T13:30:00Z")));
        assert_eq!(noon.over_at(at("2026-11-20T13:30:00Z")), None);
        assert_eq!((night.seconds(), noon.seconds()), (9 * 3600, 90 * 60));
    }

    #[test]
    fn clocks_that_are_put_forward_or_back_do_not_make_them_last() {
        // On 2026-03-29 02:30 is never shown in Berlin, on 2026-10-25 twice.
        let night = quiet("22:00", "02:30", "Europe/Berlin");
        assert_eq!(night.over_at(at("2026-03-28T23:00:00Z")), Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(night.over_at(at("2026-10-24T23:00:00Z")), Some(at("2026-10-25T00:30:00Z")));
        // The second 02:10: it was over before.
        assert_eq!(night.over_at(at("2026-10-25T01:10:00Z")), None);
    }

    #[test]
    fn what_no_clock_shows_is_refused() {
        for wrong in ["", "7:00", "24:00", "22:60", "22", "22:00:00", "+1:00", "٢٢:٠٠"] {
            assert_eq!(wrong.parse::<TimeOfDay>(), Err(TimeOfDayError), "{wrong}");
        }
        assert_eq!("07:05".parse::<TimeOfDay>().unwrap().to_string(), "07:05");
    }

    proptest! {
        #[test]
        fn their_end_is_to_come_within_a_day_and_is_their_end(
            from in 0i8..24, to in 0i8..24, minutes in 0i64..2 * 366 * 24 * 60,
        ) {
            let hours = quiet(&format!("{from:02}:15"), &format!("{to:02}:45"), "Europe/Berlin");
            let now = Timestamp::from_millis(at("2026-01-01T00:00:00Z").as_millis() + minutes * 60_000);
            if let Some(over) = hours.over_at(now) {
                prop_assert!(over > now && over.since(now).as_secs() <= 25 * 3600);
                prop_assert_eq!(hours.over_at(over), None);
            }
        }
    }
}
