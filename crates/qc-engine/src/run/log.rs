//! What is known of a call that is not settled; kept alike by the run in memory and by the fold of
//! its journal.

use qc_model::{Applied, Timestamp};

use crate::chain::Earlier;

/// What the journal says of a call that is not settled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLog {
    /// When it may have been sent first.
    pub(crate) first_sent_at: Timestamp,
    /// How many intents stand in the journal without an answer.
    pub(crate) unanswered: u32,
    /// How often it was parked since its last answer.
    pub(crate) parked: u32,
    /// Whether an attempt that is over may have taken effect.
    pub(crate) doubtful: bool,
}

impl CallLog {
    pub(crate) fn begun(at: Timestamp) -> Self {
        Self { first_sent_at: at, unanswered: 0, parked: 0, doubtful: false }
    }

    /// Of a call that an earlier run of the chain left in doubt, if one did.
    pub(crate) fn after(earlier: Option<Earlier>, at: Timestamp) -> Self {
        match earlier {
            Some(Earlier::Doubtful { first_sent_at }) => {
                Self { doubtful: true, ..Self::begun(first_sent_at) }
            }
            Some(Earlier::Answered { .. }) | None => Self::begun(at),
        }
    }

    /// The call is about to be sent. When nothing of it is in doubt, this is a first sending, also
    /// for those who remember keys only for a while: however long it waited for a credential.
    pub(crate) fn intended(&mut self, at: Timestamp) {
        if self.unanswered == 0 && !self.doubtful {
            self.first_sent_at = at;
        }
        self.unanswered += 1;
    }

    /// The call is not sent after all, for now. False when nothing is known of it any more.
    pub(crate) fn not_intended(&mut self) -> bool {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.unanswered > 0 || self.doubtful || self.parked > 0
    }

    /// An attempt failed, or was parked. False when nothing of the call is in doubt any more: then
    /// its next attempt is a first one, also for those who remember keys only for a while.
    pub(crate) fn failed(&mut self, applied: Applied) -> bool {
        self.doubtful |= applied != Applied::No || self.unanswered > 1;
        self.unanswered = 0;
        self.doubtful
    }
}
