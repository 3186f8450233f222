use qc_model::Timestamp;

use super::{Shaper, Turn};
use crate::millis;

/// How a limit stands, as one node sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// The requests per second that go at most, and how that is known. None: no limit is known.
    pub pace: Option<(f64, Source)>,
    /// Whether the next one may go now.
    pub next: Turn,
    /// Nothing goes before, as the other side stated. None: it stated nothing that still holds.
    pub stated_until: Option<Timestamp>,
    /// So many are in flight at most.
    pub at_once: u32,
    /// So many are.
    pub in_flight: u32,
}

/// How a pace is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A connector declares it.
    Declared,
    /// The other side's answers say it.
    Announced,
    /// Refusals taught it.
    Learned,
}

impl Source {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Announced => "announced",
            Self::Learned => "learned",
        }
    }
}

impl Shaper {
    /// How the limit stands.
    pub fn standing(&self, now: Timestamp) -> Standing {
        let time = millis(now);
        let declared = self.counted.iter().map(|quota| (quota.rate(time), Source::Declared));
        let announced = self.quotas.iter().map(|quota| (quota.rate(time), Source::Announced));
        let learned = std::iter::once((self.learned.rate(), Source::Learned));
        let known = declared.chain(announced).chain(learned);
        let known = known.filter_map(|(rate, source)| Some((rate? * 1_000.0, source)));
        Standing {
            pace: known.min_by(|(one, _), (other, _)| one.total_cmp(other)),
            next: self.admit(now),
            stated_until: Some(self.until).filter(|until| *until > now),
            at_once: self.at_once(),
            in_flight: self.in_flight,
        }
    }
}
