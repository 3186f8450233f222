//! Has runs go on whose connection works again. Each node reads the news and looks after its own runs.

use std::{sync::Arc, time::Duration};

use qc_connection::{ConnectionId, Seen};
use qc_engine::Mended;
use tokio::{task::JoinSet, time::sleep};

use crate::State;

/// How soon a node hears what another one mended.
const LOOK: Duration = Duration::from_secs(1);
/// The pause after which the runs are looked through once more, and how often: some of them were about to be parked, and
/// not all find room in memory at once.
const AGAIN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 300;

impl State {
    /// Reads the news of connections, for ever.
    pub async fn follow_connections(self: Arc<Self>) {
        let (mut seen, mut groups) = (Seen::default(), 0);
        let mut at_work = JoinSet::new();
        loop {
            while at_work.try_join_next().is_some() {}
            // Whoever takes runs over hears again what their owner may not have told them.
            let held = self.engine.gauges().groups;
            if held > groups {
                seen = Seen::default();
            }
            groups = held;
            match self.connections.news(&mut seen).await {
                Ok(news) => {
                    for id in news {
                        at_work.spawn(Box::pin(go_on(Arc::clone(&self), id)));
                    }
                }
                Err(error) => tracing::warn!(%error, "the news of connections cannot be read now"),
            }
            tokio::select! {
                () = self.connections.news_came() => {}
                () = sleep(LOOK) => {}
            }
        }
    }
}

async fn go_on(state: Arc<State>, id: ConnectionId) {
    for round in 0..ROUNDS {
        if round > 0 {
            sleep(AGAIN).await;
        }
        let told = state.engine.connection_mended(&id.environment, &id.name).await;
        let Mended { going_on, left } = told.unwrap_or_else(|error| {
            tracing::debug!(connection = %id.text(), %error, "the parked runs cannot be read now");
            Mended { going_on: 0, left: 1 }
        });
        if going_on > 0 {
            tracing::info!(
                connection = %id.text(), runs = going_on,
                "a connection works again; runs go on"
            );
        }
        if round > 0 && left == 0 {
            break;
        }
    }
}
