//! Performs one call and settles it: what an ambiguous outcome means is decided here, by the
//! call's effect class, before the machine hears of it.

mod read_back;

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use qc_connect::call::{CallRecord, Deviation, DriftNote, EffectContext};
use qc_model::{Applied, Class, Failure, Retry, Timestamp};
use qc_store::DocumentOp;
use qc_workflow::{CallId, CallOutput, CallTarget, Effect, KeptDeed};
use serde_json::Value;
use tokio::{sync::oneshot, time::sleep};

use crate::{
    codes,
    draft::Draft,
    drift::{Broken, Watched},
    engine::Shared,
    fair::{Permit, Told},
    happening::{Failed, What},
    kept::{self, KeptScope},
    outgoing::request_of,
    record,
    run::{ActiveRun, Purpose, Ready, RunContext, Settled},
    start::effect_key,
    tenure::Tenure,
    together::{Came, Seat},
    trace::traceparent,
    unwind::caught,
};

/// A call that was performed, as far as it could be.
pub(crate) struct Performed {
    pub(crate) call: CallId,
    pub(crate) settled: Settled,
    task: Arc<str>,
    attempt: u32,
    /// Under which it went out.
    traceparent: String,
    records: Vec<(CallRecord, Option<Failure>)>,
    drift: Vec<DriftNote>,
    /// What is to be written for its answer to be true; then the run hears of it.
    pub(crate) write: Option<KeptWrite>,
}

/// What a call to what the integration keeps has to write.
pub(crate) struct KeptWrite {
    pub(crate) documents: Vec<DocumentOp>,
    /// The call, to be performed again when somebody else writes first.
    pub(crate) ready: Ready,
}

/// Performs a call whose intent is on disk.
pub(crate) async fn settle(
    shared: Arc<Shared>,
    tenure: Arc<Tenure>,
    context: Arc<RunContext>,
    ready: Ready,
    mut permit: Option<Permit>,
    cut_off: oneshot::Receiver<()>,
) -> Performed {
    let facts = &context.facts;
    let request = &ready.request;
    let effect = EffectContext {
        integration: facts.integration.clone(),
        of_platform: false,
        run: facts.id,
        #[cfg(not(feature = "planted-bugs"))]
        key: effect_key(facts.origin, &request.id),
        #[cfg(feature = "planted-bugs")]
        key: if crate::planted::planted(crate::planted::Bug::KeyChanged) {
            format!("{}:{}", effect_key(facts.origin, &request.id), request.attempt)
        } else {
            effect_key(facts.origin, &request.id)
        },
        first_sent_at: Some(ready.first_sent_at),
        traceparent: traceparent(
            context.traceparent.as_deref(),
            facts.id,
            &request.id,
            request.attempt,
        ),
        hops: context.lineage.hops.saturating_add(1),
        secrets: context.deployment.release.secrets.clone(),
    };
    let mut work = Work {
        shared: &shared,
        tenure: &tenure,
        context: &context,
        ready: &ready,
        effect,
        under_way: None,
        seat: permit.as_mut().and_then(Permit::seat),
        permit,
        records: vec![],
        drift: vec![],
        documents: vec![],
        unfit: None,
        told: None,
    };
    let settled = match caught(work.settle(cut_off)).await {
        Ok(settled) => settled,
        Err(said) => work.broke_off(&said),
    };
    let Work { records, drift, effect, documents, .. } = work;
    Performed {
        call: request.id.clone(),
        settled,
        task: request.task.clone(),
        attempt: request.attempt,
        traceparent: effect.traceparent,
        records,
        drift,
        write: (!documents.is_empty()).then_some(KeptWrite { documents, ready }),
    }
}

/// Since when an attempt is being sent.
enum UnderWay {
    Alone(Timestamp),
    /// With others, once it is.
    Together(Arc<OnceLock<Timestamp>>),
}

struct Work<'a> {
    shared: &'a Arc<Shared>,
    tenure: &'a Arc<Tenure>,
    context: &'a Arc<RunContext>,
    ready: &'a Ready,
    effect: EffectContext,
    /// Since when an attempt is being sent.
    under_way: Option<UnderWay>,
    /// Its place in the request that it goes in with others.
    seat: Option<Seat>,
    /// Its place in flight, and its departure as long as nothing was told of that.
    permit: Option<Permit>,
    records: Vec<(CallRecord, Option<Failure>)>,
    drift: Vec<DriftNote>,
    documents: Vec<DocumentOp>,
    /// The answer that does not fit.
    unfit: Option<Box<Broken>>,
    told: Option<Told>,
}

impl Work<'_> {
    async fn settle(&mut self, mut cut_off: oneshot::Receiver<()>) -> Settled {
        if let CallTarget::Kept { deed, place, arguments } = &self.ready.request.target {
            return self.keep(*deed, place, arguments, cut_off).await;
        }
        if self.ready.purpose != Purpose::Send {
            self.let_arrive().await;
            match Box::pin(self.doubt(in_doubt_failure())).await {
                // Certainly not applied, or harmless to repeat: go on and send it.
                // Unless it was cut off meanwhile: then nobody waits for it.
                Settled::Failed(_)
                    if self.ready.purpose == Purpose::SettleAndSend
                        && cut_off.try_recv().is_err() => {}
                decided => return decided,
            }
        }
        // Nothing is sent that another node could be sending, too.
        tokio::select! {
            biased;
            ours = self.tenure.certain() => if !ours {
                return Settled::Failed(not_sent_failure());
            },
            Ok(()) = &mut cut_off => return Settled::Failed(not_sent_failure()),
        }
        let (tenure, whole) = (self.tenure, self.acts_as() != Effect::Verify);
        let doubted = async {
            if whole {
                std::future::pending::<()>().await;
            }
            tenure.doubted().await;
        };
        let sent = tokio::select! {
            biased;
            // The next owner would read back while this one is still at it.
            () = doubted => None,
            sent = self.send() => Some(sent),
            Ok(()) = cut_off => None,
        };
        let sent = match sent {
            Some(sent) => {
                // Before an ambiguous call is read back: that waits for what its own answer said.
                self.tell_gate().await;
                sent
            }
            None if self.still_gathers() => return Settled::Failed(not_sent_failure()),
            None => Err(self.cut_short()),
        };
        match sent {
            Ok(output) => Settled::Answered(output),
            Err(failure) if failure.applied == Applied::Maybe => {
                Box::pin(self.doubt(failure)).await
            }
            Err(failure) if failure.retry == Retry::OnEvent => match self.unfit.take() {
                Some(broken) => Settled::Unfit { failure, broken },
                None => Settled::Park(failure),
            },
            Err(failure) => Settled::Failed(failure),
        }
    }

    /// What the integration keeps is read, and what is to be written is decided: nothing leaves
    /// the platform, and what was not committed did not happen.
    async fn keep(
        &mut self,
        deed: KeptDeed,
        place: &str,
        arguments: &Value,
        cut_off: oneshot::Receiver<()>,
    ) -> Settled {
        if self.ready.purpose == Purpose::Settle {
            return Settled::Failed(not_sent_failure());
        }
        let began = self.shared.now();
        let facts = &self.context.facts;
        let scope = KeptScope {
            tenant: facts.tenant.clone(),
            environment: facts.environment.clone(),
            integration: facts.integration.clone(),
        };
        let (store, rules) = (&*self.shared.store, &self.context.deployment.release.kept);
        let asked = kept::Asked { deed, place, arguments, at: began };
        let limit = Duration::from_millis(self.ready.request.timeout_ms);
        let decided = tokio::select! {
            biased;
            Ok(()) = cut_off => return Settled::Failed(not_sent_failure()),
            decided = kept::perform(store, rules, &scope, &asked, limit) => decided,
        };
        let lasted = self.shared.now().since(began).as_millis();
        let record = CallRecord {
            connector: Some(deed.connector().to_owned()),
            operation: Some(deed.operation().to_owned()),
            class: decided.as_ref().err().map(|failure| failure.class),
            duration_ms: u64::try_from(lasted).unwrap_or(u64::MAX),
            ..CallRecord::begun(&self.ready.request, &self.effect.key, began)
        };
        let decided = decided.map_err(|failure| self.owned(*failure));
        self.records.push((record, decided.as_ref().err().cloned()));
        match decided {
            Ok(decided) => {
                self.documents = decided.documents;
                Settled::Answered(CallOutput {
                    status: 200,
                    headers: std::collections::BTreeMap::new(),
                    content: decided.answer,
                    request: qc_workflow::RequestFacts::default(),
                })
            }
            Err(failure) => Settled::Failed(failure),
        }
    }

    /// The code that performs the call panicked: somewhere, so the call may have been sent.
    fn broke_off(&mut self, said: &str) -> Settled {
        let task = &self.ready.request.id;
        tracing::error!(run = %self.context.facts.id, code = %codes::BROKE_OFF, "the call {task} broke off: {said}");
        let failure = broken_off();
        self.unfinished(&failure);
        match self.ready.request.effect {
            Effect::Idempotent | Effect::Keyed => Settled::Failed(failure),
            Effect::Verify | Effect::Once => {
                Settled::Park(ambiguous(&failure, "the call must not be sent twice"))
            }
        }
    }

    async fn send(&mut self) -> Result<CallOutput, Failure> {
        self.shared.counters.calls.fetch_add(1, Ordering::Relaxed);
        // What is to be read back goes alone: the next owner would do so while the others are still at it.
        let seat = self.seat.take().filter(|_| self.acts_as() != Effect::Verify);
        let together = match seat {
            Some(seat) => Box::pin(self.send_together(seat)).await?,
            None => None,
        };
        let alone = together.is_none();
        let performed = match together {
            Some(performed) => performed,
            None => self.send_alone().await,
        };
        self.under_way = None;
        self.watch(&performed);
        let (outcome, health) = performed.tells();
        let (said, requests) = (performed.said.clone(), performed.record.requests);
        let result = performed.result.map_err(|mut failure| {
            if let Some(broken) = &self.unfit {
                let told = format!("{}; see `qc drift show {}`", failure.detail, broken.finding.id);
                failure.detail = told;
            }
            self.shared.counters.calls_failed.fetch_add(1, Ordering::Relaxed);
            if failure.data.as_ref().is_some_and(|data| data["unmapped"] == true) {
                self.shared.counters.calls_unmapped.fetch_add(1, Ordering::Relaxed);
            }
            self.owned(failure)
        });
        let failure = result.as_ref().err().cloned();
        if alone {
            let failure = failure.clone().map(Box::new);
            self.told = Some(Told { outcome, health, said, requests, failure, calls: 1 });
        }
        self.records.push((performed.record, failure));
        // Of what is only more, or was put right, tells the operation's own document.
        let broken = performed.drift.into_iter().filter(|note| note.kind == Deviation::Breaking);
        self.drift.extend(broken);
        result
    }

    /// Tells the gate what became of the call.
    async fn tell_gate(&mut self) {
        let told = self.told.take();
        let stated = self.permit.as_mut().zip(told).and_then(|(permit, told)| permit.tell(&told));
        if let Some((limit, until)) = stated {
            // On disk before the run hears of it: whoever takes its calls up again keeps it, too.
            Box::pin(self.shared.keep_stated(&limit, until)).await;
        }
    }

    async fn send_alone(&mut self) -> qc_connect::call::Performed {
        self.under_way = Some(UnderWay::Alone(self.shared.now()));
        let release = &self.context.deployment.release;
        self.shared
            .outbound
            .perform(&release.connectors, &self.context.scope, &self.ready.request, &self.effect)
            .await
    }

    /// None: it was not sent so, and goes alone. What is told of the request as a whole is told by whoever makes it.
    async fn send_together(
        &mut self,
        seat: Seat,
    ) -> Result<Option<qc_connect::call::Performed>, Failure> {
        let sent = Arc::new(OnceLock::new());
        self.under_way = Some(UnderWay::Together(sent.clone()));
        let call = (&self.ready.request, &self.effect);
        match seat.go(call, (self.context, self.tenure), &sent, self.shared).await {
            Some(Came::Done(performed, seen)) => {
                self.drift.extend(seen);
                Ok(Some(*performed))
            }
            // Time went by meanwhile.
            Some(Came::Alone) if !self.tenure.certain().await => Err(not_sent_failure()),
            Some(Came::Alone) => Ok(None),
            None => {
                let failure = self.owned(broken_off());
                self.unfinished(&failure);
                Err(failure)
            }
        }
    }

    /// Whether the attempt is to go with others, and they have not gone.
    fn still_gathers(&self) -> bool {
        matches!(&self.under_way, Some(UnderWay::Together(sent)) if sent.get().is_none())
    }

    /// Notes how an answer differed from its contract.
    fn watch(&mut self, performed: &qc_connect::call::Performed) {
        let (context, shared) = (&self.context, self.shared);
        let found = shared.drift.watch(Watched {
            environment: &context.facts.environment,
            release: &context.deployment.release,
            performed,
            at: shared.now(),
            canary: false,
        });
        self.unfit = found.and_then(|(_, broken)| broken);
    }

    /// The failure with the owner of the system that was called.
    fn owned(&self, mut failure: Failure) -> Failure {
        if let (None, CallTarget::Connector { connector, .. }) =
            (&failure.owner, &self.ready.request.target)
        {
            failure.owner =
                self.context.deployment.release.system_owners.get(&**connector).cloned();
        }
        failure
    }

    /// The attempt that was being sent is cut off.
    fn cut_short(&mut self) -> Failure {
        let failure = self.owned(cut_failure());
        self.unfinished(&failure);
        failure
    }

    /// An attempt that was being sent when it ended: its request went with it, and what is told of it is what the call
    /// itself says.
    fn unfinished(&mut self, failure: &Failure) {
        let began = match self.under_way.take() {
            Some(UnderWay::Alone(began)) => Some(began),
            Some(UnderWay::Together(sent)) => sent.get().copied(),
            None => None,
        };
        let Some(began) = began else { return };
        self.shared.counters.calls_failed.fetch_add(1, Ordering::Relaxed);
        let lasted = self.shared.now().since(began).as_millis();
        let release = &self.context.deployment.release.connectors;
        let (method, url) = request_of(release, &self.context.scope, &self.ready.request);
        let record = CallRecord {
            class: Some(failure.class),
            sent: failure.applied != Applied::No,
            method,
            url,
            duration_ms: u64::try_from(lasted).unwrap_or(u64::MAX),
            ..CallRecord::begun(&self.ready.request, &self.effect.key, began)
        };
        self.records.push((record, Some(failure.clone())));
    }

    /// An attempt may have taken effect. Answers `Failed` when it may be sent again.
    async fn doubt(&mut self, failure: Failure) -> Settled {
        match self.acts_as() {
            // What waits for something to be mended may then be sent again.
            Effect::Idempotent | Effect::Keyed if failure.retry == Retry::OnEvent => {
                Settled::Park(failure)
            }
            Effect::Idempotent | Effect::Keyed => Settled::Failed(failure),
            Effect::Verify => self.read_back(failure).await,
            #[cfg(feature = "planted-bugs")]
            Effect::Once if crate::planted::planted(crate::planted::Bug::OnceResent) => {
                Settled::Failed(failure)
            }
            Effect::Once => Settled::Park(ambiguous(&failure, "the call must not be sent twice")),
        }
    }

    /// What the process that ended had sent may still be on its way, and nobody knows since when: its journal holds
    /// when the call was meant to be sent, not when it was. So the time that the other side needs counts from now.
    async fn let_arrive(&self) {
        let connectors = &self.context.deployment.release.connectors;
        if self.acts_as() == Effect::Verify
            && let Some(pause) = connectors.settle(&self.ready.request.target)
        {
            sleep(pause).await;
        }
    }

    /// The call's effect class, as long as the other side remembers its key.
    fn acts_as(&self) -> Effect {
        let release = &self.context.deployment.release;
        let remembered = || {
            release.connectors.key_remembered(
                &self.ready.request.target,
                self.ready.first_sent_at,
                self.shared.now(),
            )
        };
        match self.ready.request.effect {
            Effect::Keyed if !remembered() => self.forgotten(),
            effect => effect,
        }
    }

    /// What a keyed call acts as once the other side has forgotten the key.
    fn forgotten(&self) -> Effect {
        let release = &self.context.deployment.release;
        if release.connectors.can_verify(&self.ready.request.target) {
            Effect::Verify
        } else {
            Effect::Once
        }
    }
}

impl Performed {
    /// Puts what happened into the ledger and before the listeners.
    pub(crate) fn record(&self, shared: &Shared, run: &ActiveRun, draft: &mut Draft) {
        let facts = &run.context.facts;
        for (made, failure) in &self.records {
            let (mut made, mut failure) = (made.clone(), failure.clone());
            run.custody.clean_record(&mut made);
            if let Some(failure) = &mut failure {
                run.custody.clean(failure);
            }
            draft.ledger(record::call_made(
                facts,
                draft.at,
                &made,
                &self.call.pointer,
                failure.as_ref(),
            ));
            shared.tell(facts.id, &facts.integration, || What::Attempt {
                task: self.task.to_string(),
                attempt: self.attempt,
                request: format!("{} {}", made.method, made.url).trim().to_owned(),
                status: made.status,
                millis: made.duration_ms,
                failure: failure.as_ref().map(|f| f.detail.clone()),
                failed: failure.as_ref().map(|f| Failed { class: f.class, code: f.code.clone() }),
                environment: facts.environment.clone(),
                connector: made.connector.clone(),
                operation: made.operation.clone(),
                started_at: made.started_at,
                traceparent: self.traceparent.clone(),
            });
        }
        for note in &self.drift {
            draft.ledger(record::drift_seen(facts, draft.at, note));
        }
    }
}

fn in_doubt_failure() -> Failure {
    Failure {
        applied: Applied::Maybe,
        ..Failure::new(
            Class::Transient,
            codes::AMBIGUOUS,
            "the process ended while the call was under way",
            "the call may have been sent before the process ended",
        )
    }
}

fn broken_off() -> Failure {
    Failure {
        applied: Applied::Maybe,
        ..Failure::new(
            Class::Internal,
            codes::BROKE_OFF,
            "the platform failed while it performed a call",
            "the call may have been sent; the server's log says more",
        )
    }
}

fn not_sent_failure() -> Failure {
    Failure::new(Class::Cancelled, codes::CUT_OFF, "the call was cut off", "it was not sent")
}

fn cut_failure() -> Failure {
    Failure {
        applied: Applied::Maybe,
        ..Failure::new(
            Class::Timeout,
            codes::CUT_OFF,
            "the call was cut off",
            "its time was up, or another branch won, before it answered",
        )
    }
}

fn ambiguous(failure: &Failure, why: &str) -> Failure {
    Failure {
        applied: Applied::Maybe,
        retry: Retry::OnEvent,
        next_action: qc_model::NextAction::ContactOwner,
        owner: failure.owner.clone(),
        ..Failure::new(
            Class::Transient,
            codes::AMBIGUOUS,
            "a call may or may not have taken effect",
            format!("{}; {why}: decide with `qc runs resolve`", failure.detail),
        )
    }
}
