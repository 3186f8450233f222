//! The limits of this node: the server's own and those of what is deployed, kept at the doors for events.
//!
//! What is deployed changes while requests come: whoever asks first after a change puts the limits right, and what was
//! used stays used. On a store that several nodes share they count together ([`shared`]).

mod asked;
mod near;
mod shared;
mod told;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::ArcSwap;
use qc_engine::{Deployment, Deployments, Engine, OpenAt, Trigger};
use qc_limit::{Ask, Excess, LimitId, Measure, Rule, Scope, Slab, Trend};
use qc_model::{Actor, EnvironmentName, Name, TenantName};
use qc_store::Store;
use tokio::time::Instant;

pub(crate) use asked::{Admitted, Asked};
use shared::Shared;
pub(crate) use told::{fields_of, policies_of};

/// The most keys of which is known what they used: 16 to 32 bytes each.
const KEYS: usize = 1 << 20;
/// The most keys whose pace is watched.
const WATCHED: usize = 10_000;

/// A limit of the server itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerLimit {
    /// The limit.
    pub rule: Rule,
    /// The only environment in which it counts; None: in all.
    pub environment: Option<EnvironmentName>,
}

/// A limit that is in force.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) rule: Rule,
    /// As senders are told it.
    pub(crate) name: String,
    pub(crate) environment: Option<EnvironmentName>,
    /// The integration whose it is; None: the server's.
    pub(crate) integration: Option<Name>,
    id: LimitId,
    /// Where those are counted who are let in in the lesser way.
    lesser: Option<LimitId>,
}

/// The limits of what is deployed.
#[derive(Default)]
struct Table {
    of: Arc<Deployments>,
    by: HashMap<EnvironmentName, HashMap<Name, Vec<Arc<Live>>>>,
}

/// Who asks to come in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Comer<'a> {
    pub(crate) deployment: &'a Deployment,
    pub(crate) trigger: &'a Trigger,
    pub(crate) tenant: &'a TenantName,
    pub(crate) actor: &'a Actor,
}

/// A key whose pace is watched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Watched {
    limit: LimitId,
    who: String,
}

/// All limits of this node.
pub(crate) struct Limits {
    slab: Slab,
    /// What counts over all nodes, where there may be several.
    shared: Option<Arc<Shared>>,
    own: Vec<Arc<Live>>,
    table: ArcSwap<Table>,
    changing: Mutex<()>,
    began: Instant,
    paces: Mutex<HashMap<Watched, Trend>>,
}

impl Limits {
    /// With the server's own; the seed is a secret, so that nobody can look for senders that share a key.
    pub(crate) fn new(own: &[ServerLimit], seed: u64, store: &Arc<dyn Store>) -> Self {
        let slab = Slab::new(KEYS, seed);
        let live = own.iter().filter_map(|limit| {
            Some(Arc::new(Live {
                rule: limit.rule.clone(),
                name: format!("server/{}", limit.rule.name),
                environment: limit.environment.clone(),
                integration: None,
                id: slab.add()?,
                lesser: None,
            }))
        });
        let own = live.collect();
        let shared = store.caps().shared.then(|| Shared::new(Arc::clone(store), seed));
        Self {
            slab,
            shared,
            own,
            table: ArcSwap::default(),
            changing: Mutex::default(),
            began: Instant::now(),
            paces: Mutex::default(),
        }
    }

    /// Nanoseconds of a clock that does not go back.
    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX >> 2)
    }

    /// The limits in force, as of what is deployed now.
    fn table(&self, engine: &Engine) -> Arc<Table> {
        let deployed = engine.deployments();
        let table = self.table.load_full();
        if Arc::ptr_eq(&table.of, &deployed) {
            return table;
        }
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have put them right meanwhile, and more may have been deployed.
        let (deployed, table) = (engine.deployments(), self.table.load_full());
        if Arc::ptr_eq(&table.of, &deployed) {
            return table;
        }
        let next = Arc::new(self.changed(&table, deployed));
        self.table.store(Arc::clone(&next));
        next
    }

    /// What was in force and still is keeps what is known of it.
    fn changed(&self, before: &Table, of: Arc<Deployments>) -> Table {
        let now = self.now();
        let mut by: HashMap<EnvironmentName, HashMap<Name, Vec<Arc<Live>>>> = HashMap::new();
        let mut kept: Vec<LimitId> = Vec::new();
        for deployment in of.iter() {
            let (environment, release) = (&deployment.environment, &deployment.release);
            let there = before.by.get(environment).and_then(|all| all.get(&release.integration));
            let there = there.map_or(&[][..], Vec::as_slice);
            let mut lives = Vec::with_capacity(release.limits.len());
            for rule in &release.limits {
                let old = there.iter().find(|old| {
                    old.rule.name == rule.name
                        && old.rule.scope == rule.scope
                        && old.rule.measure.quota().is_some() == rule.measure.quota().is_some()
                });
                if let Some(old) = old
                    && let (Some(from), Some(to)) = (old.rule.measure.quota(), rule.measure.quota())
                {
                    self.slab.change(old.id, from, to, now);
                }
                let Some(id) = old.map(|old| old.id).or_else(|| self.slab.add()) else {
                    tracing::error!(limit = %rule.name, "there are too many limits: it is not kept");
                    continue;
                };
                let lesser = self.lesser(old.map(|old| &**old), rule, now);
                kept.push(id);
                kept.extend(lesser);
                lives.push(Arc::new(Live {
                    rule: rule.clone(),
                    name: rule.name.clone(),
                    environment: Some(environment.clone()),
                    integration: Some(release.integration.clone()),
                    id,
                    lesser,
                }));
            }
            by.entry(environment.clone()).or_default().insert(release.integration.clone(), lives);
        }
        let all = before.by.values().flat_map(HashMap::values).flatten();
        let all = all.flat_map(|live| [Some(live.id), live.lesser]).flatten();
        for gone in all.filter(|id| !kept.contains(id)) {
            self.slab.remove(gone);
            self.paces().retain(|watched, _| watched.limit != gone);
        }
        Table { of, by }
    }

    /// Where the lesser way of a limit is counted; what was used of it stays used.
    fn lesser(&self, old: Option<&Live>, rule: &Rule, now: u64) -> Option<LimitId> {
        let Excess::Degrade(Measure::Rate(to)) = rule.excess else { return None };
        if let Some((id, Excess::Degrade(Measure::Rate(from)))) =
            old.and_then(|old| Some((old.lesser?, old.rule.excess)))
        {
            self.slab.change(id, from, to, now);
            return Some(id);
        }
        self.slab.add()
    }

    fn paces(&self) -> MutexGuard<'_, HashMap<Watched, Trend>> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits that hold for what comes to an integration.
    pub(crate) fn over(
        &self,
        engine: &Engine,
        environment: &EnvironmentName,
        integration: &Name,
    ) -> Vec<Arc<Live>> {
        let table = self.table(engine);
        let deployed = table.by.get(environment).and_then(|all| all.get(integration));
        let own = self.own.iter();
        own.filter(|live| live.environment.as_ref().is_none_or(|only| only == environment))
            .chain(deployed.into_iter().flatten())
            .map(Arc::clone)
            .collect()
    }

    /// All limits in force.
    pub(crate) fn all(&self, engine: &Engine) -> Vec<Arc<Live>> {
        let table = self.table(engine);
        let mut deployed: Vec<Arc<Live>> =
            table.by.values().flat_map(HashMap::values).flatten().map(Arc::clone).collect();
        deployed.sort_by(|a, b| {
            (&a.environment, &a.integration, &a.name).cmp(&(
                &b.environment,
                &b.integration,
                &b.name,
            ))
        });
        self.own.iter().map(Arc::clone).chain(deployed).collect()
    }

    /// What is asked of which limits for somebody; nothing is decided yet.
    pub(crate) fn ask(&self, engine: &Engine, comer: Comer<'_>) -> Asked {
        let Deployment { environment, release, .. } = comer.deployment;
        let lives = self.over(engine, environment, &release.integration);
        Asked::new(self, lives, comer, engine.nodes())
    }
}

impl Live {
    /// Whom a limit counts together with this one.
    fn who(&self, comer: Comer<'_>) -> String {
        let of_server = self.integration.is_none();
        match self.rule.scope {
            Scope::Gateway | Scope::Integration => String::new(),
            // A tenant's sandbox does not use up its production.
            Scope::Tenant if of_server => {
                format!("{}/{}", comer.deployment.environment, comer.tenant)
            }
            Scope::Tenant => comer.tenant.to_string(),
            Scope::Token => format!("{}:{}", comer.actor.kind.as_str(), comer.actor.id),
            Scope::Trigger => comer.trigger.name.to_string(),
        }
    }

    /// What of open runs it counts for somebody, and how many there may be.
    fn open(&self, at: usize, comer: Comer<'_>) -> Option<(usize, OpenAt, u64)> {
        let Measure::AtOnce(most) = self.rule.measure else { return None };
        let place = (&comer.deployment.environment, &comer.deployment.release.integration);
        let of = (&comer.trigger.name, comer.tenant);
        Some((at, OpenAt::of(self.rule.scope, place, of)?, most))
    }

    fn ask(&self, slab: &Slab, who: &str, cost: u64) -> Option<Ask> {
        let quota = self.rule.measure.quota()?;
        let patience = self.rule.excess.patience(quota);
        Some(Ask { key: slab.key(self.id, who), quota, cost, patience })
    }
}
