//! Calls to what the integration keeps, as a run sees them.

use qc_workflow::{CallOutput, CallRequest, Happening as Told};

use super::ActiveRun;
use crate::{draft::Draft, settle::Performed};

impl ActiveRun {
    /// Gives a performed call back, unless it has something of its own to write first.
    pub(crate) fn postpone(&mut self, done: Performed) -> Option<Performed> {
        if done.write.is_none() {
            return Some(done);
        }
        self.postponed.push_back(done);
        None
    }

    /// Tells the machine the answer of a write that was on disk when the process ended.
    pub(super) fn answer_kept(
        &mut self,
        request: CallRequest,
        output: CallOutput,
        draft: &mut Draft,
    ) {
        self.log.remove(&request.id);
        let (call, attempt) = (request.id, request.attempt);
        draft.told.push_back(Told::CallSucceeded { call, attempt, output });
        self.tell_on(0, draft);
    }
}
