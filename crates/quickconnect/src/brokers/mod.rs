//! Brokers at work: one subscription for each queue that a deployed trigger names, one route for each publication.
//! Follows what is deployed.

mod address;
mod queue;
mod route;
mod said;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use qc_broker::amqp::Client;
use qc_engine::{Engine, Tie, TieKind, TriggerKind, TriggerName};
use qc_model::{Clock, Name};
use qc_server::State;
use qc_vault::Secrets;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use queue::Subscription;
use route::Route;

/// How long a tie may take to end in order.
const END: Duration = Duration::from_secs(10);
/// The pause before a tie is taken up again whose code failed.
const AGAIN: Duration = Duration::from_secs(5);

/// What ties are made of.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) state: Arc<State>,
    pub(crate) client: Client,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// All ties to brokers, kept as what is deployed wants them.
pub(crate) struct Brokers {
    stop: watch::Sender<bool>,
    keeping: JoinHandle<()>,
}

/// Which tie, of which release: a new release makes a new tie.
type Key = (Tie, String);

/// What a tie does.
enum Work {
    Queue(Box<Subscription>),
    Route(Box<Route>),
}

impl Work {
    async fn run(&self, stop: watch::Receiver<bool>) {
        match self {
            Self::Queue(subscription) => subscription.run(stop).await,
            Self::Route(route) => route.run(stop).await,
        }
    }
}

/// A tie at work.
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Brokers {
    /// Begins to keep the ties.
    pub(crate) fn start(parts: Parts) -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { stop, keeping: tokio::spawn(keep(parts, stopped)) }
    }

    /// Ends them in order: what is in hand is settled, and nothing more is fetched.
    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        if timeout(END * 2, self.keeping).await.is_err() {
            tracing::warn!("a tie to a broker did not end in time; its messages come again");
        }
    }
}

async fn keep(parts: Parts, stop: watch::Receiver<bool>) {
    let mut changed = parts.engine.deployments_changed();
    let mut running: BTreeMap<Key, Running> = BTreeMap::new();
    loop {
        changed.borrow_and_update();
        let mut wanted = if *stop.borrow() { BTreeMap::new() } else { wanted(&parts) };
        let gone: Vec<Key> =
            running.keys().filter(|key| !wanted.contains_key(*key)).cloned().collect();
        let ending = gone.into_iter().filter_map(|key| running.remove_entry(&key)).collect();
        end(&parts, ending).await;
        if *stop.borrow() {
            return;
        }
        wanted.retain(|key, _| !running.contains_key(key));
        running.extend(wanted.into_iter().map(|(key, tie)| (key, begin(tie))));
        let mut stopped = stop.clone();
        tokio::select! {
            _ = changed.changed() => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
    }
}

/// What the deployments want.
fn wanted(parts: &Parts) -> BTreeMap<Key, Work> {
    let deployments = parts.engine.deployments();
    let mut wanted = BTreeMap::new();
    for deployment in deployments.iter() {
        let release = &deployment.release;
        let tie = |kind, name: &Name| Tie {
            kind,
            environment: deployment.environment.clone(),
            integration: release.integration.clone(),
            name: name.clone(),
        };
        for trigger in release.triggers.values() {
            let paused = parts.engine.paused(&TriggerName {
                environment: deployment.environment.clone(),
                integration: release.integration.clone(),
                trigger: trigger.name.clone(),
            });
            if matches!(trigger.kind, TriggerKind::Amqp(_)) && !paused {
                let tie = tie(TieKind::Queue, &trigger.name);
                let work = Subscription::new(parts.clone(), Arc::clone(deployment), tie.clone());
                wanted.insert((tie, release.hash.clone()), Work::Queue(Box::new(work)));
            }
        }
        for name in release.publications.keys() {
            let tie = tie(TieKind::Route, name);
            let work = Route::new(parts.clone(), Arc::clone(deployment), tie.clone());
            wanted.insert((tie, release.hash.clone()), Work::Route(Box::new(work)));
        }
    }
    wanted
}

/// Begins a tie. When its code fails it is taken up again: events must not stop to come without a word.
fn begin(tie: Work) -> Running {
    let (stop, stopped) = watch::channel(false);
    let tie = Arc::new(tie);
    let task = tokio::spawn(async move {
        loop {
            let (working, its_stop) = (Arc::clone(&tie), stopped.clone());
            if tokio::spawn(async move { working.run(its_stop).await }).await.is_ok() {
                return;
            }
            // The error would repeat what a panic said; the report of the crash says where it was.
            tracing::error!("a tie to a broker broke off");
            sleep(AGAIN).await;
        }
    });
    Running { stop, task }
}

/// Ends ties, all at once.
async fn end(parts: &Parts, ties: Vec<(Key, Running)>) {
    let mut ending = JoinSet::new();
    for ((tie, _), Running { stop, mut task }) in ties {
        stop.send_replace(true);
        ending.spawn(async move {
            if timeout(END, &mut task).await.is_err() {
                task.abort();
            }
            tie
        });
    }
    while let Some(ended) = ending.join_next().await {
        if let Ok(tie) = ended {
            parts.engine.standings().gone(&tie);
        }
    }
}
