//! Whether events come in by the limits: after their keys are known, before anything else of them counts.

use std::{
    collections::BTreeMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use qc_engine::{Does, EngineError, Incoming, OpenPlaces, Queued, Terms};
use qc_model::TenantName;

use super::door::{Door, Judged, Taken};
use crate::{
    Problem,
    limits::{Admitted, Asked, Comer, fields_of, policies_of},
};

/// Places for the runs of what comes in.
pub(super) type Places = Vec<OpenPlaces>;

impl Door<'_> {
    /// Counts all of them, or none, and says on which terms they come in. What is on disk already is answered and never limited: it is looked for when a limit
    /// refuses, so that a new event asks the store once.
    /// The places of their runs are theirs until what is given back goes.
    pub(super) async fn admit(&self, judged: &mut [&mut Judged]) -> Result<Places, Problem> {
        let refused = match self.count(judged).await {
            Ok(places) => return Ok(places),
            Err(refused) => refused,
        };
        let mut known = false;
        for one in judged.iter_mut() {
            if let Some(taken) = Box::pin(self.known(one.incoming())).await? {
                **one = Judged::Known(taken, Box::new(one.incoming().clone()));
                known = true;
            }
        }
        if known { self.count(judged).await } else { Err(refused) }
    }

    async fn count(&self, judged: &mut [&mut Judged]) -> Result<Places, Problem> {
        let mut events: BTreeMap<TenantName, u64> = BTreeMap::new();
        for one in judged.iter().filter(|one| !matches!(one, Judged::Known(..))) {
            *events.entry(one.incoming().tenant.clone()).or_default() += 1;
        }
        let (limits, engine) = (&self.state.limits, &self.state.engine);
        let mut counted: Vec<(Asked, u64, Vec<usize>)> = Vec::with_capacity(events.len());
        let mut terms: BTreeMap<TenantName, Terms> = BTreeMap::new();
        let mut places = Vec::new();
        let mut refused = None;
        for (tenant, events) in events {
            let asked = self.asks(&tenant);
            match asked.admit(limits, engine, events).await {
                Ok(admitted) => {
                    terms.insert(tenant.clone(), self.terms(&admitted));
                    self.lessened().insert(tenant, admitted.lesser.clone());
                    places.extend(admitted.places);
                    counted.push((asked, events, admitted.lesser));
                }
                Err(refusal) => {
                    refused = Some(refusal);
                    self.remember(asked);
                    break;
                }
            }
        }
        let Some(problem) = refused else {
            if let Some((asked, ..)) = counted.pop() {
                self.remember(asked);
            }
            for one in judged {
                if let Some(terms) = terms.get(&one.incoming().tenant) {
                    one.on(terms);
                }
            }
            return Ok(places);
        };
        for (asked, events, lesser) in counted {
            asked.give_back(limits, events, &lesser);
        }
        Err(problem)
    }

    fn terms(&self, admitted: &Admitted) -> Terms {
        let queued = admitted.by.as_ref().map(|by| Queued {
            until: self.received_at + Duration::from_nanos(admitted.delay),
            limit: by.name.clone(),
        });
        Terms { queued, degraded: admitted.degraded }
    }

    fn asks(&self, tenant: &TenantName) -> Asked {
        let (deployment, trigger, actor) = (self.deployment, self.trigger, &self.actor);
        self.state.limits.ask(&self.state.engine, Comer { deployment, trigger, tenant, actor })
    }

    fn remember(&self, asked: Asked) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }

    /// One event was counted and is none: it had come before, or nothing was accepted.
    pub(super) fn uncount(&self, tenant: &TenantName) {
        let lesser = self.lessened().get(tenant).cloned().unwrap_or_default();
        self.asks(tenant).give_back(&self.state.limits, 1, &lesser);
    }

    fn lessened(&self) -> MutexGuard<'_, BTreeMap<TenantName, Vec<usize>>> {
        self.lesser.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of the same event before.
    pub(super) async fn known(&self, incoming: &Incoming) -> Result<Option<Taken>, EngineError> {
        let engine = &self.state.engine;
        Ok(match self.trigger.does {
            Does::Publish => engine.published(self.deployment, incoming).await?.map(Taken::Event),
            Does::Start | Does::Both => {
                let repeat = engine.repeat(self.deployment, incoming).await?;
                repeat.map(|accepted| Taken::Run(accepted, Terms::default()))
            }
        })
    }

    /// The fields by which the answer tells of the limits. Of an event whose tenant was not found they tell the policies.
    pub(super) fn limit_fields(&self) -> Vec<(HeaderName, HeaderValue)> {
        let limits = &self.state.limits;
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = &*asked {
            return fields_of(asked, limits);
        }
        let (environment, release) = (&self.deployment.environment, &self.deployment.release);
        policies_of(&limits.over(&self.state.engine, environment, &release.integration))
    }
}
