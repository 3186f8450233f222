//! Calls to what the integration keeps, as a run sees them.

use qc_model::{Class, Failure};
use qc_workflow::{CallOutput, CallRequest, CallTarget, Happening as Told};
use serde_json::{Value, json};

use super::ActiveRun;
use crate::{
    codes,
    draft::Draft,
    kept::{KeptScope, mark},
    record,
    settle::Performed,
    start::effect_key,
};

/// What a call was given, as `echo` sees it.
fn arguments_of(target: &CallTarget) -> Value {
    match target {
        CallTarget::Connector { arguments, .. }
        | CallTarget::OpenApi { arguments, .. }
        | CallTarget::Kept { arguments, .. }
        | CallTarget::Human { arguments, .. } => arguments.clone(),
        CallTarget::Http { endpoint, query, body, .. } => {
            json!({ "endpoint": endpoint, "query": query, "body": body })
        }
    }
}

impl ActiveRun {
    /// Gives a performed call back, unless it has something of its own to write first.
    pub(crate) fn postpone(&mut self, done: Performed) -> Option<Performed> {
        if done.write.is_none() {
            return Some(done);
        }
        self.postponed.push_back(done);
        None
    }

    /// Marks what a call writes into another system: with its intent when the object is known by
    /// then, else with its answer.
    pub(super) fn mark_echo(
        &self,
        request: &CallRequest,
        answer: Option<&CallOutput>,
        draft: &mut Draft,
    ) {
        let echo = &self.context.deployment.release.kept.echo;
        let Some(rule) = echo.written.get(&*request.id.pointer) else { return };
        let facts = self.facts();
        let scope = KeptScope {
            tenant: facts.tenant.clone(),
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
        };
        let arguments = arguments_of(&request.target);
        let effect = effect_key(facts.origin, &request.id);
        let made = |answer: Option<&Value>| {
            mark(rule, &scope, &effect, facts.id, (&arguments, answer), draft.at)
        };
        let made = match answer {
            None => made(None),
            // What was marked with the intent may have answered for its event by now.
            Some(_) if !matches!(made(None), Ok(None)) => return,
            Some(answer) => made(Some(&answer.content)),
        };
        match made {
            Ok(mark) => draft.documents.extend(mark),
            Err(error) => {
                let failure = Failure::new(
                    Class::Invalid,
                    codes::ECHO_UNMARKED,
                    "an echo of this call will not be recognised",
                    format!("the expressions of `echo` cannot be evaluated: {error}"),
                );
                let pointer = &request.id.pointer;
                let row =
                    record::task_changed(facts, draft.at, pointer, "unmarked", Some(&failure));
                draft.ledger(row);
            }
        }
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
