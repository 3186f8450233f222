//! Calls whose answers do not fit their contracts. They took place, so they are not made again: the answer stands in the
//! journal, and the run goes on with it once it is put right.

use qc_connect::connector::Repairs;
use qc_model::Failure;
use qc_store::RunKey;
use qc_workflow::{CallId, CallOutput, CallRequest, Happening as Told, LifecycleFact};

use super::{ActiveRun, Parked};
use crate::{
    EngineError, codes,
    command::Command,
    draft::Draft,
    drift::{Broken, Mending, RUN_KEY, Unfit, parked_for},
    entry::Journaled,
    record,
};

impl Parked {
    /// Whether it is sent again once something is mended; if not, somebody decides about it.
    pub(super) fn is_sent_again(&self) -> bool {
        self.failure.code != codes::AMBIGUOUS && self.unfit.is_none()
    }
}

impl ActiveRun {
    /// Parks a call with its answer. Nobody is asked about this one run: the finding is told to its owner.
    pub(super) fn park_unfit(
        &mut self,
        request: CallRequest,
        failure: Failure,
        broken: Broken,
        draft: &mut Draft,
    ) {
        let Broken { finding, answer, known } = broken;
        let call = request.id.clone();
        if let Some(log) = self.log.get_mut(&call) {
            log.failed(failure.applied);
            log.parked += 1;
        }
        // What is sensitive in it is known from now on, whatever becomes of it.
        self.learn(&call, &answer);
        draft.keys.push(RunKey { name: RUN_KEY.to_owned(), value: finding.id.clone() });
        // With the first of its runs a finding is on disk; then those who saw it write it.
        draft.documents.extend((!known).then(|| parked_for(&finding, draft.at)));
        let unfit = Box::new(Unfit { finding: finding.id, answer });
        draft.journal(Journaled::Parked {
            call: call.clone(),
            failure: failure.clone(),
            unfit: Some(unfit.clone()),
        });
        draft.ledger(record::run_changed(self.facts(), draft.at, "parked", Some(&failure)));
        draft.parked = Some(failure.clone());
        self.publish_life(LifecycleFact::Suspended, draft);
        self.parked.insert(call, Parked { request, failure, probe_at: None, unfit: Some(unfit) });
    }

    /// Goes on with the answers that wait for a finding, as far as they fit now.
    pub(super) fn refit(
        &mut self,
        finding: &str,
        given: &Repairs,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let waits = |parked: &Parked| parked.unfit.as_ref().is_some_and(|it| it.finding == finding);
        let calls: Vec<CallId> = self
            .parked
            .iter()
            .filter(|(_, one)| waits(one))
            .map(|(call, _)| call.clone())
            .collect();
        if calls.is_empty() {
            return Err(self.wrong_state("no answer of it waits for that finding"));
        }
        let (mut fits, mut still) = (Vec::new(), None);
        for call in calls {
            match self.fitted(&call, given, command.mending.as_ref()) {
                Ok(output) => fits.push((call, output)),
                Err(why) => still = Some(why),
            }
        }
        if let Some(why) = still.filter(|_| fits.is_empty()) {
            return Err(self.wrong_state(&format!("its answer still does not fit: {why}")));
        }
        let actor = &command.actor;
        if let Some(Mending { deployment, continues: true }) = &command.mending
            && !self.is_pinned_to(deployment)
        {
            self.pin_to(deployment, actor, draft);
        }
        draft.ledger(record::operated(self.facts(), draft.at, actor, "drift.resume", finding));
        self.publish_life(LifecycleFact::Resumed, draft);
        for (call, output) in fits {
            let Some(parked) = self.parked.remove(&call) else { continue };
            self.keys_of(&call, &output, draft);
            self.learn(&call, &output);
            self.mark_echo(&parked.request, Some(&output), draft);
            self.log.remove(&call);
            let attempt = parked.request.attempt;
            self.tell(Told::CallSucceeded { call, attempt, output }, entropy, draft);
            if draft.end.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// A kept answer, put right; in words, why it does not fit. Held against what the run goes on with: the deployed
    /// release, or its own where the deployed one has another workflow.
    fn fitted(
        &self,
        call: &CallId,
        given: &Repairs,
        mending: Option<&Mending>,
    ) -> Result<CallOutput, String> {
        let parked = self.parked.get(call);
        let Some((parked, unfit)) = parked.and_then(|one| Some((one, one.unfit.as_ref()?))) else {
            return Err("it is not there any more".to_owned());
        };
        let own = &self.context.deployment;
        let deployed = mending.map_or(own, |mending| &mending.deployment);
        let goes_on = if mending.is_some_and(|it| it.continues) { deployed } else { own };
        let target = &parked.request.target;
        let declared = deployed.release.connectors.repairs(target);
        let repairs: Vec<&Repairs> = declared.into_iter().chain([given]).collect();
        let fits = goes_on.release.connectors.refit(target, &unfit.answer, &repairs);
        fits.map_err(|notes| {
            let of = |note: &qc_connect::call::DriftNote| {
                format!("`{}`: {}", note.pointer, note.message)
            };
            notes.iter().map(of).take(5).collect::<Vec<_>>().join("; ")
        })
    }
}
