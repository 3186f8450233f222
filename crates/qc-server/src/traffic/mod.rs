//! What really comes in, held against what briefs declare: counted at the doors, added up over the nodes, and told of when it
//! is more.

mod came;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_census::Census;
use qc_engine::{Arrivals, Deployment, Traffic, Trigger};
use qc_model::{Timestamp, TxnId};
use qc_store::{Change, DocumentOp, Expect, StoreError};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::{State, codes};
pub(crate) use came::{Came, Excess};

/// The kind of the documents with what came: `<environment>/<integration>/<trigger>/<node>`.
pub(crate) const CAME_KIND: &str = "traffic";
/// The kind of the findings: `<environment>/<integration>/<trigger>/<peak|average>`.
const FINDING_KIND: &str = "traffic-finding";
/// How often what was counted is written and looked at.
const SETTLE_EVERY: Duration = Duration::from_secs(60);
/// How long a finding is open after more came the last time.
const OPEN: Duration = Duration::from_secs(7 * 86_400);

/// That more came than was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TrafficFinding {
    schema_version: u32,
    /// The most that came, and in how many seconds.
    pub(crate) seen: u64,
    pub(crate) seconds: u64,
    /// How many were declared to, in that time.
    pub(crate) declared: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

/// How a trigger's traffic stands.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) trigger: String,
    pub(crate) declared: Traffic,
    /// In the last whole minute, in sixty of them, and in this hour and the 23 before, at all nodes.
    pub(crate) came: [u64; 3],
    /// What is open.
    pub(crate) findings: BTreeMap<Excess, TrafficFinding>,
}

/// Counts on this node.
pub(crate) struct Traffics {
    census: Census<Came>,
    /// How many findings were open when it was looked last.
    open: Mutex<usize>,
}

impl Traffics {
    pub(crate) fn new(census: Census<Came>) -> Self {
        Self { census, open: Mutex::default() }
    }

    /// A new event was taken.
    pub(crate) fn came(&self, deployment: &Deployment, trigger: &Trigger) {
        if declares(&trigger.traffic) {
            self.census.note(name_of(deployment, trigger), Came::one);
        }
    }

    /// How many findings are open.
    pub(crate) fn open(&self) -> usize {
        *self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What came at a trigger, at all nodes.
    async fn of(&self, name: &str) -> Result<Came, StoreError> {
        let mut all = Came::default();
        let prefix = format!("{name}/");
        self.census
            .each(&prefix, "", |_, came| {
                qc_census::Counted::add(&mut all, came);
                true
            })
            .await?;
        Ok(all)
    }
}

impl Arrivals for Traffics {
    fn came(&self, deployment: &Deployment, trigger: &Trigger) {
        Self::came(self, deployment, trigger);
    }
}

fn declares(traffic: &Traffic) -> bool {
    traffic.average.is_some() || traffic.peak.is_some()
}

fn name_of(deployment: &Deployment, trigger: &Trigger) -> String {
    let (environment, integration) = (&deployment.environment, &deployment.release.integration);
    format!("{environment}/{integration}/{}", trigger.name)
}

/// The triggers whose traffic is declared.
fn declared(deployment: &Deployment) -> impl Iterator<Item = &Trigger> {
    deployment.release.triggers.values().filter(|trigger| declares(&trigger.traffic))
}

impl State {
    /// Looks now and then at what came, for ever.
    pub async fn keep_traffic(self: Arc<Self>) {
        loop {
            sleep(SETTLE_EVERY).await;
            self.settle_traffic().await;
        }
    }

    /// Writes what was counted, and what is above what was declared; also before the server ends.
    pub async fn settle_traffic(&self) {
        if let Err(error) = self.look_at_traffic().await {
            tracing::warn!(%error, "what came in cannot be written down now");
        }
    }

    async fn look_at_traffic(&self) -> Result<(), StoreError> {
        let standings = self.traffic_standings().await?;
        let open = standings.iter().map(|standing| standing.findings.len()).sum();
        *self.traffic.open.lock().unwrap_or_else(PoisonError::into_inner) = open;
        Ok(())
    }

    /// How the traffic of all triggers stands that declare some; what was counted here is written first.
    pub(crate) async fn traffic_standings(&self) -> Result<Vec<Standing>, StoreError> {
        self.traffic.census.flush().await?;
        let mut standings = Vec::new();
        for deployment in self.engine.deployments().iter() {
            for trigger in declared(deployment) {
                standings.push(self.traffic_at(deployment, trigger).await?);
            }
        }
        Ok(standings)
    }

    async fn traffic_at(
        &self,
        deployment: &Arc<Deployment>,
        trigger: &Trigger,
    ) -> Result<Standing, StoreError> {
        let (name, now) = (name_of(deployment, trigger), self.clock.now());
        let came = self.traffic.of(&name).await?;
        let mut findings = BTreeMap::new();
        for excess in Excess::ALL {
            if let Some(finding) = self.finding(&name, excess, &came, &trigger.traffic).await? {
                findings.insert(excess, finding);
            }
        }
        Ok(Standing {
            deployment: Arc::clone(deployment),
            trigger: trigger.name.to_string(),
            declared: trigger.traffic,
            came: came.last(now),
            findings,
        })
    }

    /// What is open of a trigger; what is new is written down. It ends when so much is declared, or a week after it came
    /// the last time.
    async fn finding(
        &self,
        name: &str,
        excess: Excess,
        came: &Came,
        declared: &Traffic,
    ) -> Result<Option<TrafficFinding>, StoreError> {
        let (name, now) = (format!("{name}/{}", excess.as_str()), self.clock.now());
        let stored = self.store.document(FINDING_KIND, &name).await?;
        let known: Option<TrafficFinding> = match &stored {
            None => None,
            Some(stored) => Some(serde_json::from_slice(&stored.body).map_err(|error| {
                StoreError::Corrupt(format!(
                    "the finding {FINDING_KIND} {name} cannot be read: {error}"
                ))
            })?),
        };
        let known = known.filter(|known| now < known.last_at + OPEN);
        let above = came.above(excess, declared, now).filter(|above| now < above.at + OPEN);
        let Some(above) = above else {
            let most = came::declared_in(excess, declared);
            return Ok(known.filter(|known| most.is_some_and(|most| known.seen > most)));
        };
        let finding = TrafficFinding {
            schema_version: 1,
            seen: known.as_ref().map_or(0, |known| known.seen).max(above.seen),
            seconds: above.seconds,
            declared: above.declared,
            first_at: known.as_ref().map_or(above.at, |known| known.first_at),
            last_at: above.at,
        };
        if known.as_ref() != Some(&finding) {
            if known.is_none() {
                let (seen, most, seconds) = (above.seen, above.declared, above.seconds);
                tracing::warn!(
                    code = %codes::TRAFFIC_ABOVE, trigger = %name, seen, declared = most, seconds,
                    "more comes in than is declared"
                );
            }
            let put = DocumentOp::Put {
                kind: FINDING_KIND.to_owned(),
                name,
                expect: stored.map_or(Expect::Absent, |stored| Expect::Revision(stored.revision)),
                body: serde_json::to_vec(&finding).expect("numbers are plain data").into(),
                at: now,
            };
            let id = TxnId::new(now, &*self.entropy);
            let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
            // Another node may have been first, with the same.
            self.committer.change(change).await?;
        }
        Ok(Some(finding))
    }
}
