//! Time zones by their IANA names, from the database that the program carries: every machine and
//! every test agrees about them.

use std::fmt;

use jiff::{
    Timestamp as Instant, ToSpan,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase},
};
use qc_model::Timestamp;

/// A time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    zone: TimeZone,
}

/// A name that no time zone has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneError {
    name: String,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no time zone `{}`: write an IANA name such as `Europe/Berlin`",
            self.name
        )
    }
}

impl std::error::Error for ZoneError {}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self { zone: TimeZone::UTC }
    }

    /// The zone with this IANA name.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        let found = TimeZoneDatabase::bundled().get(name);
        found.map(|zone| Self { zone }).map_err(|_| ZoneError { name: name.to_owned() })
    }

    /// What clocks show at an instant.
    pub(super) fn shown_at(&self, at: Timestamp) -> Option<DateTime> {
        let at = Instant::from_millisecond(at.as_millis()).ok()?;
        Some(self.zone.to_datetime(at))
    }

    /// The instant at which clocks show a time: the first one when they show it twice, and when
    /// they never do the next instant that there is, which is when they are put forward.
    pub(super) fn instant_of(&self, time: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let instant = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { offset }
            | AmbiguousOffset::Fold { before: offset, .. } => at_offset(offset, time)?,
            AmbiguousOffset::Gap { before, .. } => {
                // With the offset from before the change the time lies after the change.
                let after = at_offset(before, time)?.checked_add(1.nanosecond()).ok()?;
                self.zone.preceding(after).next()?.timestamp()
            }
        };
        Some(Timestamp::from_millis(instant.as_millisecond()))
    }
}

fn at_offset(offset: Offset, time: DateTime) -> Option<Instant> {
    offset.to_timestamp(time).ok()
}
