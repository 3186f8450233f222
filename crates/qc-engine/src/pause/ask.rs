//! What people ask of triggers.

use aws_lc_rs::digest::{SHA256, digest};
use qc_model::{Actor, Name, Timestamp, TxnId};
use qc_store::{
    Change, ChangeOutcome, DocumentOp, Expect, LedgerKind, LedgerRow, RunFilter, RunHead,
    RunStatus, StoreError,
};
use serde_json::json;

use super::{Discard, KIND, Pause, Stand, TriggerName, VERSION, is_held, read};
use crate::{Engine, EngineError, Release, TriggerKind, record};

/// One page of runs, and so many pages are looked at: what is beyond is looked at when they are gone.
pub(super) const PAGE: usize = 1_000;
pub(super) const PAGES_MAX: usize = 200;

/// How often a change is tried again that another one came before.
const TRIES: usize = 5;

/// How a trigger stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerView {
    /// Which.
    pub name: TriggerName,
    /// The form of what comes in.
    pub kind: &'static str,
    /// `open`, `paused`, `releasing` or `discarding`.
    pub state: &'static str,
    /// Since when it stands so, unless it is open.
    pub since: Option<Timestamp>,
    /// Who said so.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How many runs are held.
    pub held: usize,
}

/// What would be cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscardPlan {
    /// How many runs.
    pub runs: usize,
    /// When the first and the last of them were accepted.
    pub accepted: Option<(Timestamp, Timestamp)>,
    /// Stands for exactly these runs: to be given back.
    pub confirm: String,
}

impl Engine {
    /// Whether runs of a trigger do not begin by themselves now, as this node knows.
    pub fn paused(&self, trigger: &TriggerName) -> bool {
        self.shared.pauses.hold(trigger)
    }

    /// How the deployed triggers stand.
    pub async fn triggers(&self) -> Result<Vec<TriggerView>, EngineError> {
        let mut views = Vec::new();
        for deployment in self.deployments().iter() {
            for (trigger, kind) in triggers_of(&deployment.release) {
                let name = TriggerName::in_deployment(deployment, trigger);
                views.push(self.trigger_view(name, kind).await?);
            }
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }

    async fn trigger_view(
        &self,
        name: TriggerName,
        kind: &'static str,
    ) -> Result<TriggerView, EngineError> {
        let Some(document) = self.shared.store.document(KIND, &name.document()).await? else {
            let (state, held) = ("open", 0);
            return Ok(TriggerView {
                name,
                kind,
                state,
                since: None,
                by: None,
                reason: None,
                held,
            });
        };
        let pause = read(&document).pause;
        let held = self.held_runs(&name).await?.len();
        let state = match (pause.stand, &pause.discard) {
            (Stand::Paused, None) => "paused",
            (Stand::Paused, Some(_)) => "discarding",
            (Stand::Releasing, _) => "releasing",
        };
        let (since, by, reason) = (Some(pause.since), Some(pause.by), Some(pause.reason));
        Ok(TriggerView { name, kind, state, since, by, reason, held })
    }

    /// Has the trigger's runs not begin from now on. Other nodes see it within a second.
    pub async fn pause_trigger(
        &self,
        name: &TriggerName,
        reason: &str,
        actor: &Actor,
    ) -> Result<TriggerView, EngineError> {
        let kind = self.kind_of_trigger(name)?;
        self.change_pause(name, "trigger.pause", reason, actor, |pause, fresh| match pause {
            Some(pause) if pause.stand == Stand::Paused => {
                Err(self.wrong(name, "paused", "it is paused already"))
            }
            Some(_) | None => Ok(Some(fresh)),
        })
        .await?;
        self.trigger_view(name.clone(), kind).await
    }

    /// Has the runs begin that are held, in their order, and those that come.
    pub async fn resume_trigger(
        &self,
        name: &TriggerName,
        reason: &str,
        actor: &Actor,
    ) -> Result<TriggerView, EngineError> {
        let kind = self.kind_of_trigger(name).unwrap_or("gone");
        self.change_pause(name, "trigger.resume", reason, actor, |pause, fresh| match pause {
            Some(pause) if pause.discard.is_some() => {
                Err(self.wrong(name, "discarding", "wait until what was held is cancelled"))
            }
            Some(pause) if pause.stand == Stand::Paused => {
                Ok(Some(Pause { stand: Stand::Releasing, ..fresh }))
            }
            Some(_) => Err(self.wrong(name, "releasing", "it goes on already")),
            None => Err(self.wrong(name, "open", "it is not paused")),
        })
        .await?;
        self.trigger_view(name.clone(), kind).await
    }

    /// What a discard would cancel now.
    pub async fn plan_discard(&self, name: &TriggerName) -> Result<DiscardPlan, EngineError> {
        self.plan_until(name, self.shared.now()).await
    }

    /// Cancels the runs that are held and were planned: exactly those. The trigger stays paused.
    pub async fn discard_held(
        &self,
        name: &TriggerName,
        confirm: &str,
        reason: &str,
        actor: &Actor,
    ) -> Result<DiscardPlan, EngineError> {
        let until = until_of(confirm).ok_or_else(|| {
            self.wrong(name, "paused", "`confirm` is not what a plan gave; plan again")
        })?;
        let plan = self.plan_until(name, until).await?;
        if plan.confirm != confirm {
            let reason = "what is held is not what was planned; plan again";
            return Err(self.wrong(name, "paused", reason));
        }
        let discard = Discard { until, by: actor.clone(), reason: reason.to_owned() };
        self.change_pause(name, "trigger.discard", reason, actor, |pause, _| match pause {
            Some(pause) if pause.discard.is_some() => {
                Err(self.wrong(name, "discarding", "what was held is being cancelled"))
            }
            Some(pause) if pause.stand == Stand::Paused => {
                Ok(Some(Pause { discard: Some(discard.clone()), ..pause }))
            }
            Some(_) => Err(self.wrong(name, "releasing", "pause it first")),
            None => Err(self.wrong(name, "open", "pause it first")),
        })
        .await?;
        Ok(plan)
    }

    async fn plan_until(
        &self,
        name: &TriggerName,
        until: Timestamp,
    ) -> Result<DiscardPlan, EngineError> {
        let mut held = self.held_runs(name).await?;
        held.retain(|head| head.facts.accepted_at <= until);
        let mut text = format!("{name}\n{}\n", until.as_millis());
        for head in &held {
            text.push_str(&head.facts.id.to_string());
            text.push('\n');
        }
        let hash = record::hex(digest(&SHA256, text.as_bytes()).as_ref());
        let accepted = |head: Option<&RunHead>| head.map(|head| head.facts.accepted_at);
        Ok(DiscardPlan {
            runs: held.len(),
            accepted: accepted(held.first()).zip(accepted(held.last())),
            confirm: format!("{}-{}", until.as_millis(), &hash[..32]),
        })
    }

    /// The runs that a pause of the trigger holds, of all nodes, in the order in which they were
    /// accepted; the newest 200,000 waiting ones are looked at.
    pub(super) async fn held_runs(&self, name: &TriggerName) -> Result<Vec<RunHead>, StoreError> {
        let mut filter = RunFilter {
            statuses: vec![RunStatus::Waiting],
            environment: Some(name.environment.clone()),
            integration: Some(name.integration.clone()),
            trigger: Some(name.trigger.clone()),
            limit: PAGE,
            ..RunFilter::default()
        };
        let mut held = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = self.shared.store.runs(&filter).await?;
            filter.before = page.last().map(|head| head.facts.id);
            let all = page.len() < PAGE;
            held.extend(page.into_iter().filter(is_held));
            if all {
                break;
            }
        }
        held.sort_by_key(|head| (head.facts.accepted_at, head.facts.id));
        Ok(held)
    }

    /// Changes the document of a trigger with its audit row, as `change` says of what is there.
    /// `change` also gets what a new pause would say.
    async fn change_pause(
        &self,
        name: &TriggerName,
        deed: &str,
        reason: &str,
        actor: &Actor,
        change: impl Fn(Option<Pause>, Pause) -> Result<Option<Pause>, EngineError>,
    ) -> Result<(), EngineError> {
        for _ in 0..TRIES {
            let at = self.shared.now();
            let fresh = Pause {
                v: VERSION,
                stand: Stand::Paused,
                since: at,
                by: actor.text(),
                reason: reason.to_owned(),
                discard: None,
            };
            let there = self.shared.store.document(KIND, &name.document()).await?;
            let known = there.as_ref().map(read);
            let Some(pause) = change(known.as_ref().map(|it| it.pause.clone()), fresh)? else {
                return Ok(());
            };
            let expect = known.map_or(Expect::Absent, |it| Expect::Revision(it.revision));
            let put = DocumentOp::Put {
                kind: KIND.to_owned(),
                name: name.document(),
                expect,
                body: pause.to_bytes(),
                at,
            };
            let id = TxnId::new(at, &*self.shared.entropy);
            let row = self.audit(name, at, deed, reason, actor);
            let written =
                Change { id, documents: vec![put], signals: Vec::new(), ledger: vec![row] };
            match self.shared.committer.change(written).await? {
                ChangeOutcome::Changed => {
                    self.read_pauses().await?;
                    return Ok(());
                }
                ChangeOutcome::Conflict { .. } => {}
            }
        }
        Err(StoreError::Unavailable(format!("{name} changed meanwhile; try again")).into())
    }

    fn audit(
        &self,
        name: &TriggerName,
        at: Timestamp,
        deed: &str,
        reason: &str,
        actor: &Actor,
    ) -> LedgerRow {
        let deployments = self.deployments();
        let trigger = deployments
            .lookup(name.environment.as_str(), name.integration.as_str())
            .and_then(|deployment| deployment.release.triggers.get(&name.trigger));
        LedgerRow {
            at,
            kind: LedgerKind::Audit,
            tenant: trigger.map_or_else(record::platform, record::tenant_of),
            environment: Some(name.environment.clone()),
            integration: Some(name.integration.clone()),
            run: None,
            event: None,
            actor: actor.text(),
            subject: name.trigger.to_string(),
            outcome: deed.to_owned(),
            code: None,
            facts: actor.with_origin(json!({ "reason": reason })).to_string().into(),
        }
    }

    fn kind_of_trigger(&self, name: &TriggerName) -> Result<&'static str, EngineError> {
        let deployments = self.deployments();
        deployments
            .lookup(name.environment.as_str(), name.integration.as_str())
            .and_then(|it| triggers_of(&it.release).find(|(trigger, _)| **trigger == name.trigger))
            .map(|(_, kind)| kind)
            .ok_or_else(|| EngineError::NoTrigger(name.clone()))
    }

    #[expect(clippy::unused_self, reason = "reads as what the engine says")]
    fn wrong(&self, name: &TriggerName, state: &'static str, reason: &str) -> EngineError {
        EngineError::WrongTriggerState { name: name.clone(), state, reason: reason.to_owned() }
    }
}

fn until_of(confirm: &str) -> Option<Timestamp> {
    let (until, _) = confirm.split_once('-')?;
    Some(Timestamp::from_millis(until.parse().ok()?))
}

/// What begins runs of a release, and of which kind it is.
fn triggers_of(release: &Release) -> impl Iterator<Item = (&Name, &'static str)> {
    let doors = release.triggers.values().map(|it| (&it.name, kind_of(&it.kind)));
    let events = release.bus.subscriptions.keys().map(|name| (name, "event"));
    let times = release.bus.schedules.keys().map(|name| (name, "schedule"));
    doors.chain(events).chain(times)
}

fn kind_of(kind: &TriggerKind) -> &'static str {
    match kind {
        TriggerKind::CloudEvents { .. } => "cloudevents",
        TriggerKind::Json { .. } => "json",
        TriggerKind::Webhook { .. } => "webhook",
        TriggerKind::Amqp(_) => "amqp",
        TriggerKind::Poll(_) => "poll",
    }
}
