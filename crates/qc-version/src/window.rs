//! How long a version lives.

use std::time::Duration;

use qc_model::Timestamp;

use crate::Date;

/// What is said of a version's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// It is not agreed yet.
    pub draft: bool,
    /// From when on nobody should begin with it.
    pub deprecated: Option<Date>,
    /// From when on it does not answer any more.
    pub sunset: Option<Date>,
}

impl Window {
    /// Until when it answers at least: its sunset, else as long after its deprecation as the policy promises. None when
    /// nobody has said that it ends.
    pub fn supported_until(&self, minimum: Option<Duration>) -> Option<Date> {
        self.sunset.or_else(|| Some(Date::of(self.deprecated?.begins() + minimum?)))
    }

    /// What is wrong with its dates under a policy that promises some support.
    ///
    /// Errors: what, in one sentence.
    pub fn check(&self, minimum: Option<Duration>) -> Result<(), String> {
        match *self {
            Self { draft: true, deprecated: Some(_), .. }
            | Self { draft: true, sunset: Some(_), .. } => {
                Err("a draft has no end: it was never agreed".to_owned())
            }
            Self { sunset: Some(_), deprecated: None, .. } => {
                Err("a version that ends is deprecated before: `deprecated` is missing".to_owned())
            }
            Self { sunset: Some(sunset), deprecated: Some(deprecated), .. } => {
                let least = Date::of(deprecated.begins() + minimum.unwrap_or_default());
                if sunset <= deprecated {
                    Err(format!("`sunset` must come after `deprecated`, {deprecated}"))
                } else if sunset < least {
                    Err(format!(
                        "`sunset` is too early: the policy promises support until {least} at least"
                    ))
                } else {
                    Ok(())
                }
            }
            Self { sunset: None, .. } => Ok(()),
        }
    }
}

/// How a version stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Not agreed yet: who names it may try it.
    Draft,
    /// The newest that is agreed: the workflow works with it.
    Current,
    /// Older than the current one, and nobody has said that it ends.
    Supported,
    /// It answers, and says that it will end.
    Deprecated {
        /// Since when.
        since: Date,
        /// When it ends, where that is known.
        sunset: Option<Date>,
    },
    /// Its end has come, and it answers all the same: somebody still speaks it.
    Overdue {
        /// Since when it should have ended.
        since: Date,
    },
    /// It does not answer any more.
    Retired {
        /// Since when.
        since: Date,
    },
}

impl State {
    /// The state at a moment of a version that is the current one or not.
    pub fn at(window: &Window, is_current: bool, now: Timestamp) -> Self {
        let reached = |date: Option<Date>| date.filter(|date| date.begins() <= now);
        if window.draft {
            return Self::Draft;
        }
        if let Some(since) = reached(window.sunset) {
            return Self::Retired { since };
        }
        if let Some(since) = reached(window.deprecated) {
            return Self::Deprecated { since, sunset: window.sunset };
        }
        if is_current { Self::Current } else { Self::Supported }
    }

    /// The state of a version that is still spoken after its end, and that nobody ended.
    #[must_use]
    pub fn outliving(self) -> Self {
        match self {
            Self::Retired { since } => Self::Overdue { since },
            state => state,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Current => "current",
            Self::Supported => "supported",
            Self::Deprecated { .. } => "deprecated",
            Self::Overdue { .. } => "overdue",
            Self::Retired { .. } => "retired",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn date(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn window(deprecated: &str, sunset: &str) -> Window {
        let some = |text: &str| (!text.is_empty()).then(|| date(text));
        Window { draft: false, deprecated: some(deprecated), sunset: some(sunset) }
    }

    #[test]
    fn states_follow_the_clock_to_the_millisecond() {
        let whole = window("2026-05-01", "2027-05-01");
        let at = |moment: &str| State::at(&whole, false, moment.parse().unwrap()).as_str();
        assert_eq!(at("2026-04-30T23:59:59.999Z"), "supported");
        assert_eq!(at("2026-05-01T00:00:00Z"), "deprecated");
        assert_eq!(at("2027-04-30T23:59:59.999Z"), "deprecated");
        assert_eq!(at("2027-05-01T00:00:00Z"), "retired");
        let now = date("2028-01-01").begins();
        assert_eq!(State::at(&Window::default(), true, now), State::Current);
        let draft = Window { draft: true, ..Window::default() };
        assert_eq!(State::at(&draft, false, now), State::Draft);
    }

    #[test]
    fn a_window_is_as_long_as_the_policy_promises() {
        let minimum = Some(365 * DAY);
        assert_eq!(window("2026-05-01", "2027-05-01").check(minimum), Ok(()));
        assert!(
            window("2026-05-01", "2027-04-30").check(minimum).unwrap_err().contains("2027-05-01")
        );
        assert!(window("2026-05-01", "2026-05-01").check(None).is_err());
        assert!(window("", "2026-05-01").check(None).is_err());
        let draft = Window { draft: true, ..window("2026-05-01", "") };
        assert!(draft.check(None).is_err());
        let open = window("2026-05-01", "");
        assert_eq!(open.check(minimum), Ok(()));
        assert_eq!(open.supported_until(minimum), Some(date("2027-05-01")));
        assert_eq!(open.supported_until(None), None);
        assert_eq!(
            window("2026-05-01", "2028-01-01").supported_until(minimum),
            Some(date("2028-01-01"))
        );
    }
}
