//! What the run sends is held against what its data are, and what is said of it is cleaned of what is sensitive.

use qc_model::{Applied, Name, Timestamp};
use qc_store::LedgerRow;
use qc_workflow::{CallId, CallOutput, CallRequest, Happening as Told};
use serde_json::Value;

use super::{ActiveRun, Settled};
use crate::{draft::Draft, record};

impl ActiveRun {
    /// A request as it may be sent. None: it may not, and the machine hears of that. `doubted`: it may have been sent
    /// before, when that was allowed.
    pub(super) fn let_out(
        &mut self,
        mut request: CallRequest,
        doubted: bool,
        draft: &mut Draft,
    ) -> Option<CallRequest> {
        let context = self.context.clone();
        let (facts, rules) = (&context.facts, &context.deployment.release.data);
        let mut before = std::mem::take(&mut self.custody.sent);
        let (known, key) = (&self.custody.known, || self.custody.key(facts));
        let moved = rules.let_out(&mut request, &facts.environment, known, &mut before, key);
        self.custody.sent = before;
        let first = request.attempt <= 1 && !doubted;
        match moved {
            Ok(moved) => {
                let changed = moved.filter(|moved| first && moved.sent.changed > 0);
                draft.ledger.extend(changed.map(|moved| {
                    let pointer = &request.id.pointer;
                    record::data_changed(facts, draft.at, pointer, &moved.to, &moved.sent)
                }));
                Some(request)
            }
            Err(mut failure) => {
                failure.applied = if doubted { Applied::Maybe } else { Applied::No };
                let (call, attempt) = (request.id, request.attempt);
                draft.ledger(record::data_denied(facts, draft.at, &call.pointer, &failure));
                draft.told.push_back(Told::CallFailed { call, attempt, failure: *failure });
                None
            }
        }
    }

    /// An event as a publication may have it. None: it may not, and the ledger says so.
    pub(super) fn let_publish(
        &self,
        publication: &Name,
        event: &Value,
        ledger: &mut Vec<LedgerRow>,
        at: Timestamp,
    ) -> Option<Value> {
        let (facts, rules) = (&self.context.facts, &self.context.deployment.release.data);
        let mut event = event.clone();
        let Some(data) = event.get_mut("data") else { return Some(event) };
        let (known, key) = (&self.custody.known, || self.custody.key(facts));
        let name = publication.as_str();
        match rules.let_publish(publication, data, &facts.environment, known, key) {
            Ok(sent) => {
                if sent.changed > 0 {
                    ledger.push(record::data_changed(facts, at, name, name, &sent));
                }
                Some(event)
            }
            Err(failure) => {
                tracing::warn!(run = %facts.id, code = %failure.code, "an event is not published as `{name}`");
                ledger.push(record::data_denied(facts, at, name, &failure));
                None
            }
        }
    }

    /// How a call came out, its failure saying nothing sensitive.
    pub(super) fn cleaned(&self, mut settled: Settled) -> Settled {
        match &mut settled {
            Settled::Answered(_) => {}
            Settled::Failed(failure) | Settled::Park(failure) | Settled::Unfit { failure, .. } => {
                self.custody.clean(failure);
            }
            Settled::Hold { failure, parked } => {
                self.custody.clean(failure);
                self.custody.clean(parked);
            }
        }
        settled
    }

    /// Takes in what an answer says.
    pub(super) fn learn(&mut self, call: &CallId, output: &CallOutput) {
        let rules = &self.context.deployment.release.data;
        self.custody.learn(rules, call, &output.content);
    }
}
