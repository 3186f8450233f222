//! Sending an event as its sender would, up to the door of the engine.

use aws_lc_rs::digest::{SHA256, digest};
use qc_engine::{
    Accepted, AmqpTrigger, Does, Engine, Incoming, MessageForm, Terms, Trigger, TriggerKind,
    over_event,
};
use qc_model::{
    Actor, ActorKind, Clock, Event, EventData, Finding, Name, RunId, TenantName, Timestamp,
};
use qc_version::Spoken;
use serde_json::{Value, json};

use super::{Publishing, Scenario, Sending, world::World};
use crate::{
    Project, codes,
    integration::{Excess, TenantSpec},
    project::{IntegrationFolder, Loaded, parse_file},
};

/// Who sends in scenarios.
const SENDER: &str = "acceptance";

/// What the door makes of an event.
pub(super) enum Received {
    /// It runs, newly or since an earlier sending.
    Taken(RunId),
    /// It is on the bus; no run handles it.
    Published,
    /// It was refused, as the scenario wants.
    Refused,
}

/// The parts that every sending needs.
pub(super) struct Door<'a> {
    pub(super) project: &'a Project,
    pub(super) folder: &'a IntegrationFolder,
    pub(super) file: &'a Loaded<Scenario>,
    pub(super) world: &'a World,
}

impl Door<'_> {
    /// Sends once. `number` tells the scenario's events apart.
    pub(super) async fn send(
        &self,
        engine: &Engine,
        sending: &Sending,
        number: usize,
    ) -> Result<Received, Box<Finding>> {
        let trigger = self.world.deployment.release.triggers.get(&sending.trigger.value);
        let trigger = trigger
            .ok_or_else(|| self.broken(sending, "the trigger is not in the release".to_owned()))?;
        if sending.degraded && !self.degrades() {
            let why = "it is to come in the lesser way, and no limit of the integration has `on_excess: {degrade: …}`";
            return Err(self.broken(sending, why.to_owned()));
        }
        let at = self.world.clock.now();
        let data = match self.data(sending) {
            Err(_) if sending.refused => return Ok(Received::Refused),
            data => data?,
        };
        let incoming = self.event(sending, trigger, &data, number, at).and_then(|event| {
            let said = sending.version.as_ref().map(|version| version.value.as_str());
            judge(trigger, event, said, at).map(|judged| Incoming {
                trigger: trigger.name.clone(),
                tenant: judged.tenant,
                event: judged.event,
                body_hash: sha256(&data),
                key: judged.key,
                actor: Actor::new(ActorKind::Sender, SENDER),
                received_at: at,
                traceparent: None,
                priority: qc_store::Priority::Normal,
                version: judged.version,
                terms: Terms { degraded: sending.degraded, ..Terms::default() },
                hops: 0,
            })
        });
        match (incoming, sending.refused) {
            (Ok(_), true) => Err(self.broken(
                sending,
                "the event was taken, but the scenario wants it refused".to_owned(),
            )),
            (Err(_), true) => Ok(Received::Refused),
            (Err(why), false) => Err(self.broken(sending, format!("the event was refused: {why}"))),
            (Ok(incoming), false) => {
                let deployment = &self.world.deployment;
                let taken = match trigger.does {
                    Does::Publish => {
                        engine.publish(deployment, incoming).await.map(|_| Received::Published)
                    }
                    Does::Start | Does::Both => {
                        let accepted = engine.accept(deployment, incoming).await;
                        accepted.map(|(Accepted::New { run } | Accepted::Repeat { run })| {
                            Received::Taken(run)
                        })
                    }
                };
                taken.map_err(|error| {
                    self.broken(sending, format!("the event was not accepted: {error}"))
                })
            }
        }
    }

    /// Publishes once, as another integration would.
    pub(super) async fn publish(
        &self,
        engine: &Engine,
        publishing: &Publishing,
        number: usize,
    ) -> Result<(), Box<Finding>> {
        let world = self.world;
        let at = world.clock.now();
        let data = publishing.data.as_ref().map_or(Value::Null, |data| data.value.clone());
        let source = || format!("/acceptance/{}", self.file.value.scenario.value);
        let event = Event {
            id: publishing.id.clone().unwrap_or_else(|| format!("acceptance-{number}")),
            source: publishing.source.clone().unwrap_or_else(source),
            kind: publishing.event_type.value.clone(),
            subject: None,
            time: Some(at.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: std::collections::BTreeMap::new(),
            data: EventData::Json(data.clone()),
        };
        let name = |text| Name::new(text).map_err(|error| error.to_string());
        let fault = |message: String| {
            Box::new(self.file.error(codes::SCENARIO_BROKEN, publishing.event_type.span, message))
        };
        let tenant = match publishing.tenant.clone().or_else(|| self.usual_tenant()) {
            Some(tenant) => tenant,
            None => name("default").map_err(fault)?,
        };
        let incoming = Incoming {
            trigger: name("acceptance").map_err(fault)?,
            tenant,
            event,
            body_hash: sha256(&data),
            key: None,
            actor: Actor::new(ActorKind::Sender, SENDER),
            received_at: at,
            traceparent: None,
            priority: qc_store::Priority::Normal,
            version: None,
            terms: qc_engine::Terms::default(),
            hops: 0,
        };
        match engine.publish(&world.deployment, incoming).await {
            Ok(_) => Ok(()),
            Err(error) => Err(fault(format!("the event was not published: {error}"))),
        }
    }

    /// Whether a limit of the integration has events done in a lesser way.
    fn degrades(&self) -> bool {
        let definition = self.folder.definition.as_ref();
        definition.is_some_and(|file| {
            let mut limits = file.value.limits.iter();
            limits.any(|limit| matches!(limit.on_excess.value, Excess::Degrade(_)))
        })
    }

    /// The tenant of the integration's triggers, when they name one.
    fn usual_tenant(&self) -> Option<TenantName> {
        let triggers = &self.folder.definition.as_ref()?.value.triggers;
        triggers.iter().find_map(|(_, trigger)| match &trigger.tenant {
            TenantSpec::Fixed(tenant) => Some(tenant.value.clone()),
            TenantSpec::FromEvent(_) | TenantSpec::OfEvent => None,
        })
    }

    fn broken(&self, sending: &Sending, message: String) -> Box<Finding> {
        Box::new(self.file.error(codes::SCENARIO_BROKEN, sending.trigger.span, message))
    }

    fn data(&self, sending: &Sending) -> Result<Value, Box<Finding>> {
        if let Some(data) = &sending.data {
            return Ok(data.value.clone());
        }
        let path =
            sending.file.as_ref().map(|path| self.folder.path(&path.path)).unwrap_or_default();
        let mut findings = Vec::new();
        match parse_file(self.project.files(), &path, &mut findings) {
            Some(document) => Ok(document.root.to_value()),
            None => Err(findings
                .pop()
                .map_or_else(|| self.broken(sending, format!("`{path}` is not there")), Box::new)),
        }
    }

    fn event(
        &self,
        sending: &Sending,
        trigger: &Trigger,
        data: &Value,
        number: usize,
        at: Timestamp,
    ) -> Result<Event, String> {
        let own_id = || sending.id.clone().unwrap_or_else(|| format!("acceptance-{number}"));
        let (kind, id) = match &trigger.kind {
            TriggerKind::CloudEvents { types, .. }
            | TriggerKind::Amqp(AmqpTrigger { form: MessageForm::CloudEvents { types }, .. }) => {
                let kind = sending.event_type.clone().or_else(|| types.first().cloned());
                let kind = kind
                    .ok_or("the scenario gives the event no `type`, and the trigger names none")?;
                if !types.is_empty() && !types.contains(&kind) {
                    return Err(format!("the trigger does not take events of the type `{kind}`"));
                }
                (kind, own_id())
            }
            TriggerKind::Json { event_type }
            | TriggerKind::Amqp(AmqpTrigger { form: MessageForm::Json { event_type }, .. }) => {
                (event_type.clone(), own_id())
            }
            TriggerKind::Poll(poll) => (poll.event_type.clone(), own_id()),
            TriggerKind::Webhook { event_type, event_id, .. } => {
                let delivery = json!({ "headers": {}, "body": data });
                let text = |expression| {
                    let value =
                        over_event(expression, &delivery, at).map_err(|error| error.to_string())?;
                    value
                        .as_str()
                        .map(str::to_owned)
                        .or_else(|| value.as_i64().map(|n| n.to_string()))
                        .ok_or_else(|| "the webhook's type or id is no text".to_owned())
                };
                let id = event_id.as_ref().map(text).transpose()?.unwrap_or_else(own_id);
                (text(event_type)?, id)
            }
        };
        Ok(Event {
            id,
            source: format!("/acceptance/{}", self.file.value.scenario.value),
            kind,
            subject: None,
            time: Some(at.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: std::collections::BTreeMap::new(),
            data: EventData::Json(data.clone()),
        })
    }
}

/// An event that the door takes.
struct Judged {
    event: Event,
    tenant: TenantName,
    key: Option<String>,
    version: Option<String>,
}

/// Version, tenant, key and contract, as the real door judges them.
fn judge(
    trigger: &Trigger,
    mut event: Event,
    said: Option<&str>,
    at: Timestamp,
) -> Result<Judged, String> {
    let spoken = match (&trigger.versions, said) {
        (Some(versions), said) => {
            Some(versions.spoken(said, &[SENDER]).map_err(|unknown| unknown.to_string())?)
        }
        (None, Some(_)) => return Err("the trigger's contract has no versions".to_owned()),
        (None, None) => None,
    };
    let given = Some(format!("{} {}", event.source, event.id));
    // Whoever speaks is in the scenario only: a version ends on its day.
    let spoken_here = spoken.map(|index| Spoken { index, outlives: false });
    let judged = qc_engine::judge(trigger, &mut event, given, spoken_here, at);
    let judged = judged.map_err(|refusal| refusal.detail())?;
    if let Some(breach) = judged.breach {
        return Err(breach.detail());
    }
    let entry = trigger.versions.as_ref().zip(spoken).map(|(all, at)| &all.entries()[at]);
    let version = entry.map(|entry| entry.name.to_string());
    Ok(Judged { event, tenant: judged.tenant, key: judged.key, version })
}

fn sha256(data: &Value) -> [u8; 32] {
    let hash = digest(&SHA256, data.to_string().as_bytes());
    hash.as_ref().try_into().unwrap_or([0; 32])
}
