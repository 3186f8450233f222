//! Timetables: the instants at which a schedule is due.

use std::time::Duration;

use qc_model::Timestamp;

use super::{Cron, Zone};

/// The instants at which runs are due.
#[derive(Debug, Clone, PartialEq)]
pub struct Timetable {
    rhythm: Rhythm,
    /// Each occurrence is put off by less than this, in milliseconds.
    jitter_ms: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Rhythm {
    Every { ms: u64, anchor: Timestamp },
    Cron { cron: Cron, zone: Zone },
}

/// A pattern's time that clocks show twice is passed over the second time; so many times at most
/// are looked at for the next one: every second of a day.
const PASSED_LIMIT: usize = 86_400;

impl Timetable {
    /// Every so many milliseconds (at least one), counted from an instant that is not itself due.
    pub fn every(ms: u64, anchor: Timestamp) -> Self {
        Self { rhythm: Rhythm::Every { ms: ms.max(1), anchor }, jitter_ms: 0 }
    }

    /// At the times of a pattern, as clocks of a zone show them. A time that does not exist, since
    /// clocks are put forward, is due at the next instant that does; several such times are due
    /// together, once. A time that clocks show twice is due once, the first time.
    pub fn cron(cron: Cron, zone: Zone) -> Self {
        Self { rhythm: Rhythm::Cron { cron, zone }, jitter_ms: 0 }
    }

    /// The same, with every occurrence put off by chance, by less than `ms`.
    #[must_use]
    pub fn with_jitter(self, ms: u64) -> Self {
        Self { jitter_ms: ms, ..self }
    }

    /// The first instant after another at which it is due; None when there is none.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rhythm {
            Rhythm::Every { ms, anchor } => every(*ms, *anchor, after),
            Rhythm::Cron { cron, zone } => {
                let mut from = zone.shown_at(after)?;
                for _ in 0..PASSED_LIMIT {
                    let time = cron.next(from)?;
                    let due = zone.instant_of(time)?;
                    if due > after {
                        return Some(due);
                    }
                    from = time.checked_add(jiff::ToSpan::second(1)).ok()?;
                }
                None
            }
        }
    }

    /// When the run of an occurrence begins: the occurrence, put off within the jitter's bound.
    /// `entropy` decides; the same entropy gives the same instant.
    pub fn begins(&self, due: Timestamp, entropy: u64) -> Timestamp {
        if self.jitter_ms == 0 {
            return due;
        }
        due + Duration::from_millis(crate::chance::mix(entropy) % self.jitter_ms)
    }
}

fn every(ms: u64, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
    if after < anchor {
        return anchor_plus(anchor, ms, 1);
    }
    let passed = u64::try_from(after.since(anchor).as_millis()).ok()?;
    anchor_plus(anchor, ms, passed / ms + 1)
}

fn anchor_plus(anchor: Timestamp, ms: u64, times: u64) -> Option<Timestamp> {
    let ahead = i64::try_from(ms.checked_mul(times)?).ok()?;
    anchor.as_millis().checked_add(ahead).map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp as Instant, tz::TimeZoneDatabase};
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn cron(pattern: &str, zone: &str) -> Timetable {
        let zone = Zone::named(zone).expect("a zone");
        Timetable::cron(pattern.parse().expect("a pattern"), zone)
    }

    fn following(timetable: &Timetable, after: &str, count: usize) -> Vec<String> {
        let mut now = at(after);
        (0..count)
            .map(|_| {
                now = timetable.next(now).expect("it comes");
                now.to_string()
            })
            .collect()
    }

    #[test]
    fn a_time_that_does_not_exist_is_due_when_clocks_are_put_forward() {
        let daily = cron("30 2 * * *", "Europe/Berlin");
        let due = following(&daily, "2027-03-27T00:00:00Z", 3);
        assert_eq!(
            due,
            ["2027-03-27T01:30:00.000Z", "2027-03-28T01:00:00.000Z", "2027-03-29T00:30:00.000Z"]
        );
        let often = cron("*/20 * * * *", "Europe/Berlin");
        let due = following(&often, "2027-03-28T00:40:00Z", 2);
        assert_eq!(due, ["2027-03-28T01:00:00.000Z", "2027-03-28T01:20:00.000Z"], "once, together");
    }

    #[test]
    fn a_time_that_comes_twice_is_due_once() {
        let daily = cron("30 2 * * *", "Europe/Berlin");
        let due = following(&daily, "2027-10-30T12:00:00Z", 2);
        assert_eq!(due, ["2027-10-31T00:30:00.000Z", "2027-11-01T01:30:00.000Z"]);
        let often = cron("*/30 * * * *", "Europe/Berlin");
        let due = following(&often, "2027-10-31T00:00:00Z", 3);
        let expected =
            ["2027-10-31T00:30:00.000Z", "2027-10-31T02:00:00.000Z", "2027-10-31T02:30:00.000Z"];
        assert_eq!(due, expected);
    }

    #[test]
    fn an_unknown_zone_is_named() {
        let error = Zone::named("Europe/Atlantis").expect_err("there is none").to_string();
        assert!(error.contains("Europe/Atlantis"), "{error}");
    }

    #[test]
    fn an_interval_counts_from_its_anchor() {
        let timetable = Timetable::every(60_000, at("2026-11-22T10:00:30Z"));
        for (after, next) in [
            ("2026-11-22T09:00:00Z", "2026-11-22T10:01:30.000Z"),
            ("2026-11-22T10:00:30Z", "2026-11-22T10:01:30.000Z"),
            ("2026-11-22T10:01:30Z", "2026-11-22T10:02:30.000Z"),
        ] {
            assert_eq!(following(&timetable, after, 1), [next]);
        }
        assert_eq!(timetable.next(Timestamp::from_millis(i64::MAX)), None);
        assert_eq!(
            Timetable::every(u64::MAX, at("2026-11-22T10:00:30Z")).next(at("2027-01-01T00:00:00Z")),
            None
        );
    }

    const ZONES: [&str; 7] = [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "America/St_Johns",
        "Africa/Casablanca",
        "Pacific/Apia",
    ];

    fn pattern() -> impl Strategy<Value = String> {
        let minute = prop_oneof![
            Just("*".to_owned()),
            Just("*/7".into()),
            (0..60u8).prop_map(|m| m.to_string())
        ];
        let hour = prop_oneof![
            Just("*".to_owned()),
            (0..24u8).prop_map(|h| h.to_string()),
            Just("0-5".into())
        ];
        let day = prop_oneof![4 => Just("*".to_owned()), 1 => (1..32u8).prop_map(|d| d.to_string()), 1 => Just("L".into())];
        let weekday =
            prop_oneof![4 => Just("*".to_owned()), 1 => (0..8u8).prop_map(|d| d.to_string())];
        (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
    }

    /// What is due within so many minutes, found without any search: every minute that clocks
    /// showed for the first time, and for the minutes that they skipped the one after.
    fn by_looking(pattern: &str, zone: &str, after: i64, minutes: i64) -> Vec<i64> {
        let cron: Cron = pattern.parse().expect("a pattern");
        let zone = TimeZoneDatabase::bundled().get(zone).expect("a zone");
        let shown =
            |minute: i64| zone.to_datetime(Instant::from_second(minute * 60).expect("in range"));
        // Long enough before to know what was shown already: clocks go back by a day at most.
        let mut newest = shown(after - 3_000);
        let mut due = Vec::new();
        for minute in after - 2_999..=after + minutes {
            let now = shown(minute);
            let mut fits = false;
            while newest < now {
                newest = newest.checked_add(jiff::ToSpan::minute(1)).expect("in range");
                fits |= cron.matches(newest);
            }
            if fits && minute > after {
                due.push(minute);
            }
        }
        due
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_pattern_is_due_exactly_when_clocks_say_so(
            pattern in pattern(),
            zone in prop::sample::select(&ZONES[..]),
            change in prop::sample::select(vec![
                "2026-10-25T01:00:00Z", "2027-03-28T01:00:00Z", "2027-03-14T07:00:00Z", "2026-11-01T06:00:00Z",
                "2027-04-03T15:00:00Z", "2026-10-03T15:30:00Z", "2011-12-30T10:00:00Z", "2027-02-07T02:00:00Z",
                "2028-02-29T00:00:00Z",
            ]),
            before in 0..2_880i64,
        ) {
            let after = at(change).as_secs() / 60 - before;
            let expected = by_looking(&pattern, zone, after, 4_000);
            let timetable = cron(&pattern, zone);
            let mut found = Vec::new();
            let mut now = Timestamp::from_millis(after * 60_000);
            while let Some(next) = timetable.next(now) {
                prop_assert!(next > now, "it goes forward");
                now = next;
                if now.as_secs() / 60 > after + 4_000 { break; }
                found.push(now.as_secs() / 60);
            }
            prop_assert_eq!(found, expected, "{} in {}", pattern, zone);
        }

        #[test]
        fn a_run_begins_within_its_jitter(ms in 0u64..100_000, entropy: u64, due in 0i64..4_000_000_000_000) {
            let due = Timestamp::from_millis(due);
            let timetable = Timetable::every(1_000, due).with_jitter(ms);
            let begins = timetable.begins(due, entropy);
            prop_assert!(begins >= due);
            prop_assert!(ms == 0 && begins == due || begins.since(due).as_millis() < u128::from(ms));
            prop_assert_eq!(begins, timetable.begins(due, entropy));
        }
    }
}
