//! What is done for connections by itself: those that are due are renewed although no call asks for them, those with a
//! probe are probed, and those that end soon are told of.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use qc_connect::connector::Connector;
use qc_connection::{ConnectionId, Record};
use qc_engine::Deployment;
use qc_model::{Failure, Name, Timestamp};
use tokio::time::{Instant, sleep};

use crate::{State, connect::grant_of};

/// How often connections are looked at, and how long one of them may take.
const KEEP_EVERY: Duration = Duration::from_secs(15);

/// How the connections stood when this node looked last, for the metrics.
#[derive(Debug, Default)]
pub(crate) struct Standings(Mutex<Arc<Vec<Standing>>>);

/// How one connection stood.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) id: ConnectionId,
    /// Until when its access token can be used; None: it cannot.
    pub(crate) usable_until: Option<Timestamp>,
    /// When it ends for good.
    pub(crate) ends_at: Option<Timestamp>,
}

impl Standings {
    pub(crate) fn seen(&self) -> Arc<Vec<Standing>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn see(&self, records: &[Record], now: Timestamp) {
        let of = |record: &Record| Standing {
            id: record.id(),
            usable_until: record.expires_at.filter(|_| record.usable(now)),
            ends_at: record.ends_at,
        };
        let seen = Arc::new(records.iter().map(of).collect());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
    }
}

/// A connector that uses a connection, where it is deployed.
pub(crate) struct User {
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) connector: Arc<Connector>,
}

/// All connections of what is deployed, each with its users.
fn users(state: &State) -> BTreeMap<ConnectionId, Vec<User>> {
    let mut found: BTreeMap<ConnectionId, Vec<User>> = BTreeMap::new();
    for deployment in state.engine.deployments().iter() {
        for connector in deployment.release.connectors.iter() {
            if let Some(id) = connector.connection(&deployment.environment) {
                let user =
                    User { deployment: Arc::clone(deployment), connector: Arc::clone(connector) };
                found.entry(id).or_default().push(user);
            }
        }
    }
    found
}

/// Who can probe a connection.
pub(crate) fn prober(state: &State, id: &ConnectionId) -> Option<User> {
    users(state).remove(id)?.into_iter().find(|user| user.connector.probe().is_some())
}

impl State {
    /// Keeps connections up, for ever.
    pub async fn keep_connections(self: Arc<Self>) {
        loop {
            sleep(KEEP_EVERY).await;
            for (id, users) in users(&self) {
                // What is wrong is in the connection's own record, and tried again.
                let Ok(Some(grant)) = grant_of(&self, &id) else { continue };
                if let Err(failure) = self.connections.tend(grant, KEEP_EVERY).await {
                    tracing::debug!(connection = %id.text(), code = %failure.code, "not renewed now");
                }
                let user = users.iter().find(|user| user.connector.probe().is_some());
                if let Some(user) = user {
                    Box::pin(self.probe_when_due(&id, user)).await;
                }
            }
            self.look_at_ends().await;
        }
    }

    /// Asks the system something with the connection's token, when nobody has for long enough.
    async fn probe_when_due(&self, id: &ConnectionId, user: &User) {
        let Some(every) = user.connector.probe().map(|probe| probe.every) else { return };
        let turn = match self.connections.probe_turn(id, every).await {
            Ok(Some(turn)) => turn,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(connection = %id.text(), %error, "not probed now");
                return;
            }
        };
        let (answer, took) = self.probe(user).await;
        if let Err(failure) = &answer {
            tracing::info!(connection = %id.text(), code = %failure.code, "a probe failed");
        }
        if let Err(error) = self.connections.probed(id, turn, &answer, took).await {
            tracing::debug!(connection = %id.text(), %error, "what a probe said is not stored");
        }
    }

    /// Asks once.
    pub(crate) async fn probe(&self, user: &User) -> (Result<(), Failure>, Duration) {
        let began = Instant::now();
        let name: &Name = user.connector.name();
        let answer = self.engine.probe_connector(&user.deployment, name.as_str()).await;
        (answer, began.elapsed())
    }

    async fn look_at_ends(&self) {
        let records = match self.connections.list(None).await {
            Ok(records) => records,
            Err(error) => return tracing::debug!(%error, "the connections cannot be read now"),
        };
        for record in &records {
            if let Err(error) = self.connections.tell_of_end(record).await {
                tracing::debug!(connection = %record.id().text(), %error, "its end is told later");
            }
        }
        self.standings.see(&records, self.clock.now());
    }
}
