use qc_model::Actor;

use super::{Vault, VaultError, decide};

impl Vault {
    /// Does the next step of what goes on by itself: an environment's secrets are sealed anew under its new data key, so
    /// many at a time; the old key is retired when nothing needs it; values that ended are cleared. What is to be done
    /// is read from what is stored, so that a killed process, or another node, goes on where it stopped. Says whether
    /// there may be more to do.
    pub async fn tend(&self) -> Result<bool, VaultError> {
        if self.ring.is_none() || self.view().head.is_none() {
            return Ok(false);
        }
        let actor = Actor::platform("vault");
        let guests = self.tend_guests().await?;
        let keep = &guests.waiting;
        match self.change(&actor, |view, deciding| Ok(decide::step(view, keep, deciding))).await {
            Ok(false) if guests.changed => Ok(true),
            // Another node is at it.
            Err(VaultError::Busy) => Ok(true),
            done => done,
        }
    }
}
