//! Read-backs of calls, which have their places already.

use std::{sync::Arc, time::Duration};

use qc_model::Timestamp;
use qc_pace::Declared;

use super::{Counted, Gate};
use crate::fair::{Share, Why};

/// It is asked again that often whether a system that is coming back takes more.
const BACK_EVERY: Duration = Duration::from_millis(100);

/// It is asked again that often whether a limit lets the next request go.
const PACE_EVERY: Duration = Duration::from_millis(250);

/// One more request of a call that has its place.
pub(crate) struct OnceMore<'a> {
    pub(crate) share: &'a Share,
    pub(crate) declared: Option<&'a Declared>,
    /// Until when it may wait.
    pub(crate) until: Timestamp,
    /// The call was let go, and nothing went of it yet: this is what limit and system may wait for.
    pub(crate) tries: bool,
}

impl Gate {
    /// Lets one more request go, as its limit's pace and its system let it, and before those who wait in line. It takes
    /// no place. Err: it may not go in time, or its system does not answer.
    pub(crate) async fn once_more(self: &Arc<Self>, asks: OnceMore<'_>) -> Result<Counted, Why> {
        let OnceMore { share, declared, until, tries } = asks;
        loop {
            let now = self.clock.now();
            let why = {
                let mut state = self.state();
                if let Some(declared) = declared {
                    self.declare(&mut state, &share.lane, declared, now);
                }
                let Some(why) = state.tempo.bars_beside(&share.lane, tries, now) else {
                    let gone = Some(state.tempo.departs(share, now));
                    return Ok(Counted { gate: self.clone(), share: share.clone(), gone });
                };
                // A window that is used up may end much later than it is asked again.
                let over = now + state.tempo.behind(&share.lane, 0.0, now) > until;
                if over || matches!(why, Why::Away(_)) {
                    return Err(why);
                }
                why
            };
            let at = match why {
                // An answer may end this long before: while one call tries the limit, it is told as when that one is given up.
                Why::Pace(at) => at.min(now + PACE_EVERY),
                Why::Stated(at) | Why::Budget(at) => at,
                Why::Back | Why::Room | Why::Away(_) => now + BACK_EVERY,
            };
            if at > until {
                return Err(why);
            }
            // Never not at all: the clock of the machine may be a little ahead of ours.
            tokio::time::sleep(at.since(now).max(Duration::from_millis(1))).await;
        }
    }
}
