//! Calls of a run that wait for their systems.

use qc_workflow::{CallId, Happening as Told, HeldCall, Substitution};

use super::ActiveRun;
use crate::draft::Draft;

impl ActiveRun {
    /// Whether any call of it may ever be held.
    pub(crate) fn may_be_held(&self) -> bool {
        self.machine().program().holds()
    }

    /// The calls that wait for their systems.
    pub(crate) fn held(&self) -> Vec<HeldCall> {
        self.machine().held()
    }

    /// Whether a call that was held is being tried now.
    pub(crate) fn is_probing(&self) -> bool {
        self.machine().is_probing()
    }

    /// What was done in another way than by its call.
    pub(crate) fn substituted(&self) -> &[Substitution] {
        self.machine().substituted()
    }

    /// There is no room to wait for a system.
    pub(crate) fn turn_away(&mut self, call: CallId, entropy: u64, draft: &mut Draft) {
        self.tell(Told::NotHeld { call }, entropy, draft);
    }

    /// Has calls tried that wait for this system, or for any. Says whether there were any.
    pub(super) fn try_held(
        &mut self,
        system: Option<&str>,
        entropy: u64,
        draft: &mut Draft,
    ) -> bool {
        let held = self.held();
        let wanted = held.iter().filter(|one| system.is_none_or(|system| *one.system == *system));
        let calls: Vec<CallId> = wanted.map(|one| one.call.clone()).collect();
        for call in &calls {
            if draft.end.is_none() {
                self.tell(Told::Probed { call: call.clone() }, entropy, draft);
            }
        }
        !calls.is_empty()
    }
}
