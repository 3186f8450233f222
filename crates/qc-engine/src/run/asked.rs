//! What people ask of a run: cancel, try again, mend, decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use qc_model::{Actor, Class};
use qc_store::DeadState;
use qc_workflow::{CallId, CallOutput, CallTarget, Happening as Told, LifecycleFact, RequestFacts};

use super::{ActiveRun, Parked, Purpose, RunContext, never_sent};
use crate::{
    Deployment, EngineError, Resolution, RunEnd, codes,
    command::{Command, Reopening, Request},
    draft::Draft,
    entry::Journaled,
    record,
};

impl ActiveRun {
    /// Does what a person asks.
    pub(crate) fn operate(
        &mut self,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let actor = &command.actor;
        match &command.what {
            Request::Cancel { reason, compensate } => {
                self.must_be_open("it is at its end already")?;
                if self.machine().is_undoing() {
                    return Err(self.wrong_state("what it did is being undone to the end"));
                }
                let program = self.machine().program();
                if *compensate && program.compensated().next().is_none() {
                    return Err(self.wrong_state(
                        "its integration declares no `compensation`: nothing of it can be undone",
                    ));
                }
                draft.ledger(record::operated(self.facts(), draft.at, actor, "run.cancel", reason));
                self.tell(
                    Told::Cancelled { reason: reason.clone(), compensate: *compensate },
                    entropy,
                    draft,
                );
            }
            Request::Retry { out_of_order, .. } => {
                self.reopen(*out_of_order, command, entropy, draft)?;
            }
            Request::Resume => {
                self.must_be_open("it is at its end")?;
                let mendable = self.parked.values().any(Parked::is_sent_again);
                // A quarantined run goes on with being taken up.
                if !self.aside && !mendable && self.held().is_empty() {
                    return Err(self.wrong_state(
                        "nothing in it waits to be mended; an ambiguous call is resolved, an answer that does not fit \
                         goes on with `qc drift resume`",
                    ));
                }
                draft.ledger(record::operated(self.facts(), draft.at, actor, "run.resume", ""));
                self.publish_life(LifecycleFact::Resumed, draft);
                self.probe(|_| true, draft);
                self.try_held(None, entropy, draft);
            }
            Request::Refit { finding, given } => {
                self.must_be_open("it is at its end")?;
                self.refit(finding, given, command, entropy, draft)?;
            }
            Request::Probe { system } => {
                self.must_be_open("it is at its end")?;
                if !self.try_held(Some(system), entropy, draft) {
                    return Err(self.wrong_state("no call of it waits for that system"));
                }
            }
            Request::Mended { connection } => {
                self.must_be_open("it is at its end")?;
                if !self.probe_connection(connection, draft) {
                    return Err(self.wrong_state("nothing of it waits for that connection"));
                }
            }
            Request::Task { number, deed } => {
                self.on_task(*number, deed, command, entropy, draft)?;
            }
            Request::Offer { event } => {
                if self.end.is_none() {
                    self.offer(event, entropy, draft);
                }
            }
            Request::ChildEnded { run, outcome } => {
                if self.end.is_none() {
                    self.child_ended(*run, outcome, entropy, draft);
                }
            }
            // Whoever hands it over finds the outcome out first.
            Request::Ended { .. } => {}
            Request::LookAgain => {
                if self.end.is_none() {
                    self.hear_anew();
                    self.children.look_again();
                    self.brief = true;
                }
            }
            Request::Resolve { call, resolution } => {
                self.resolve(call.as_deref(), resolution, actor, entropy, draft)?;
            }
        }
        Ok(())
    }

    /// Sends calls again that are parked because of this connection. Says whether there were any.
    fn probe_connection(&mut self, connection: &str, draft: &mut Draft) -> bool {
        let wanted = |parked: &Parked| self.is_refused_by(parked, connection);
        let calls: BTreeSet<CallId> = self
            .parked
            .iter()
            .filter(|(_, parked)| wanted(parked))
            .map(|(call, _)| call.clone())
            .collect();
        self.probe(|parked| calls.contains(&parked.request.id), draft);
        !calls.is_empty()
    }

    /// Whether a call waits for a credential, and that is this connection's.
    fn is_refused_by(&self, parked: &Parked, connection: &str) -> bool {
        let CallTarget::Connector { connector, .. } = &parked.request.target else { return false };
        let (release, scope) = (&self.context.deployment.release, &self.context.scope);
        let own = release.connectors.get(connector).and_then(|one| one.connection(&scope.name));
        parked.failure.class == Class::Auth
            && parked.failure.code != codes::AMBIGUOUS
            && own.is_some_and(|id| id.name == connection)
    }

    /// A run that ended in failure goes on.
    fn reopen(
        &mut self,
        out_of_order: bool,
        command: &Command,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let actor = &command.actor;
        if !matches!(self.end, Some(RunEnd::Faulted { .. })) {
            return Err(self.wrong_state("only a run that ended in failure can be tried again"));
        }
        if self.undone().is_some() {
            return Err(self.wrong_state("what it did was undone; replay it with new effects"));
        }
        // Whoever hands a retry over has read the chain.
        let mut deed = String::new();
        if let Some(Reopening { chain, in_line, onto }) = &command.reopening {
            if self.context.line.is_some() && !in_line && !out_of_order {
                return Err(self.wrong_state(
                    "its line has gone on without it: replay it, which has it stand at the \
                     end of the line, or retry it out of order",
                ));
            }
            let reopened = chain.reopened(self.facts().id, draft.at);
            draft.documents.push(reopened.map_err(|b| self.wrong_state(&b.reason()))?);
            if let Some(onto) = onto.as_ref().filter(|it| !self.is_pinned_to(it)) {
                deed = format!("with the release {}", onto.release.hash);
                self.pin_to(onto, actor, draft);
            }
        }
        draft.ledger(record::operated(self.facts(), draft.at, actor, "dlq.retry", &deed));
        draft.settle_dead = Some(DeadState::Retried);
        self.end = None;
        self.publish_life(LifecycleFact::Resumed, draft);
        self.tell(Told::Reopened, entropy, draft);
        Ok(())
    }

    pub(super) fn is_pinned_to(&self, deployment: &Deployment) -> bool {
        self.context.deployment.release.hash == deployment.release.hash
    }

    /// From now on it is worked on by another release, whose workflow is the same.
    pub(super) fn pin_to(&mut self, deployment: &Arc<Deployment>, by: &Actor, draft: &mut Draft) {
        let RunContext { facts, traceparent, line, lineage, .. } = &*self.context;
        let (facts, traceparent) = (facts.clone(), traceparent.clone());
        let (line, lineage) = (line.clone(), lineage.clone());
        let release = deployment.release.hash.clone();
        draft.journal(Journaled::Repinned { release, by: by.clone() });
        self.context =
            RunContext::in_line(facts, Arc::clone(deployment), traceparent, line, lineage);
    }

    /// The one ambiguous call that is meant: by its name when there are several, so that no answer
    /// is taken for another call's.
    fn ambiguous(&self, wanted: Option<&str>) -> Result<CallId, EngineError> {
        let all: Vec<&CallId> = self
            .parked
            .iter()
            .filter(|(_, parked)| !parked.is_sent_again())
            .map(|(call, _)| call)
            .collect();
        let names = || all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match (&all[..], wanted) {
            ([], _) => Err(self.wrong_state("no call of it is ambiguous")),
            ([one], None) => Ok((*one).clone()),
            (_, None) => Err(self.wrong_state(&format!(
                "several calls of it are ambiguous; say with `call` which one is meant: {}",
                names()
            ))),
            (_, Some(wanted)) => {
                let found = all.iter().find(|call| call.to_string() == wanted);
                found.map(|call| (*call).clone()).ok_or_else(|| {
                    self.wrong_state(&format!("`{wanted}` is not ambiguous; {} is", names()))
                })
            }
        }
    }

    fn resolve(
        &mut self,
        wanted: Option<&str>,
        resolution: &Resolution,
        actor: &Actor,
        entropy: u64,
        draft: &mut Draft,
    ) -> Result<(), EngineError> {
        let call = self.ambiguous(wanted)?;
        let answered = self.parked.get(&call).is_some_and(|parked| parked.unfit.is_some());
        if answered && *resolution == Resolution::NotApplied {
            return Err(self.wrong_state(
                "the call was answered, and must not be sent again; say what its answer is, or put it right with \
                 `qc drift resume`",
            ));
        }
        let Some(parked) = self.parked.remove(&call) else { return Ok(()) };
        self.publish_life(LifecycleFact::Resumed, draft);
        let request = parked.request;
        match resolution {
            Resolution::Applied { output } => {
                draft.ledger(record::operated(
                    self.facts(),
                    draft.at,
                    actor,
                    "run.resolve",
                    "applied",
                ));
                self.log.remove(&call);
                let output = CallOutput {
                    status: 200,
                    headers: BTreeMap::new(),
                    content: output.clone(),
                    request: RequestFacts::default(),
                };
                self.tell(
                    Told::CallSucceeded { call, attempt: request.attempt, output },
                    entropy,
                    draft,
                );
            }
            Resolution::NotApplied => {
                draft.ledger(record::operated(
                    self.facts(),
                    draft.at,
                    actor,
                    "run.resolve",
                    "not applied",
                ));
                draft.journal(Journaled::NotApplied { call: call.clone(), by: actor.clone() });
                self.log.remove(&call);
                if self.machine().interrupted().contains(&call) {
                    never_sent(request, draft);
                    self.tell_on(entropy, draft);
                } else {
                    self.intend(request, Purpose::Send, draft);
                }
            }
        }
        Ok(())
    }

    pub(super) fn must_be_open(&self, reason: &str) -> Result<(), EngineError> {
        if self.end.is_some() { Err(self.wrong_state(reason)) } else { Ok(()) }
    }

    pub(super) fn wrong_state(&self, reason: &str) -> EngineError {
        let status = match &self.end {
            Some(RunEnd::Completed { .. }) => "completed",
            Some(RunEnd::Faulted { .. }) => "faulted",
            Some(RunEnd::Cancelled { .. }) => "cancelled",
            None if !self.parked.is_empty() => "parked",
            None => "running",
        };
        EngineError::WrongState { run: self.facts().id, status, reason: reason.to_owned() }
    }
}
