//! Three nodes over one database, under load, while everything happens to them that happens to
//! nodes: the outside ledgers tell whether every acknowledged event has exactly its effects.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::stage::{
    Clock as _, WallClock,
    judge::{judge, judge_holdings, unaccounted},
    sender::{Sender, case_of},
    server::Server,
    story::Story,
    wire::{AWAY, Passage, Wire},
    wish,
};

const CONNECTIONS: usize = 8;
/// The lease's time: a node that is silent for so long is taken for dead.
const LEASE: &str = "3s";
/// How long anything may take that takes about a lease's time, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the runs get to end afterwards.
const ENDING: u64 = 60;

/// The nodes with their database.
struct Cluster {
    postgres: qc_pgserver::Server,
    story: Story,
    /// Beside the story's own.
    others: Vec<Server>,
    /// Between the story's own node and the database.
    wire: Wire,
}

impl Cluster {
    async fn set(seed: u64) -> Option<Self> {
        let postgres = qc_pgserver::own(&[])?;
        let database = postgres.database();
        let wire = Wire::to(postgres.port()).await;
        let mut story = Story::set(seed, true).await;
        let mut others: Vec<Server> =
            ["b", "c"].iter().map(|name| story.server.beside(name)).collect();
        story.server.set("QC_STORE", &postgres.url_at(wire.port, &database));
        for (server, name) in others.iter_mut().zip(["b", "c"]) {
            server.set("QC_STORE", &postgres.url(&database));
            server.set("QC_NODE", name);
            server.set("QC_LEASE_TTL", LEASE);
        }
        story.server.set("QC_NODE", "a");
        story.server.set("QC_LEASE_TTL", LEASE);
        Some(Self { postgres, story, others, wire })
    }

    fn nodes(&self) -> Vec<&Server> {
        std::iter::once(&self.story.server).chain(&self.others).collect()
    }

    fn node(&mut self, at: usize) -> &mut Server {
        if at == 0 { &mut self.story.server } else { &mut self.others[at - 1] }
    }

    /// How many groups each node has.
    async fn groups(&self) -> Vec<u64> {
        let mut groups = Vec::new();
        for node in self.nodes() {
            groups.push(node.ask("/api/v1/server").await["groups"].as_u64().unwrap());
        }
        groups
    }

    /// Waits until every node has its share.
    async fn even(&self) {
        let began = Instant::now();
        loop {
            let groups = self.groups().await;
            let (least, most) = (groups.iter().min().unwrap(), groups.iter().max().unwrap());
            if groups.iter().sum::<u64>() == 64 && most - least <= 1 {
                return;
            }
            let logs: Vec<String> = self.nodes().iter().map(|node| node.log_end()).collect();
            assert!(began.elapsed() < PATIENCE, "{groups:?}\n{}", logs.join("\n--\n"));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A number of a node's metrics.
    async fn metric(&self, node: &Server, name: &str) -> u64 {
        let text = node.ask_text("/metrics").await;
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    }
}

/// Lets a number of events through and waits until the first of them are acknowledged, so that what
/// happens next happens under load.
async fn load(sender: &Arc<Sender>, events: usize) {
    let before = sender.count();
    sender.let_through(events);
    let acknowledged = sender.acknowledged_beyond(before + 2);
    tokio::time::timeout(PATIENCE, acknowledged).await.expect("events are acknowledged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_effect_takes_place_once_whatever_happens_to_three_nodes() {
    let seed = wish("QC_NODES_SEED", WallClock.now().as_millis().unsigned_abs());
    let events = usize::try_from(wish("QC_NODES_EVENTS", 400)).unwrap();
    println!("three nodes: QC_NODES_SEED={seed} QC_NODES_EVENTS={events}");
    let Some(mut cluster) = Cluster::set(seed).await else { return };
    let began = Instant::now();
    for at in 0..3 {
        cluster.node(at).start().await;
    }
    cluster.even().await;
    deploy(&mut cluster).await;
    let ports = cluster.nodes().iter().map(|node| node.port).collect();
    let sender = Sender::over(ports, Duration::from_secs(4), events, seed);
    let connections = sender.begin(CONNECTIONS as u64);
    disturb(&mut cluster, &sender, events / 9).await;
    sender.let_all_through(CONNECTIONS);
    connections.join_all().await;
    cluster.even().await;
    let outputs = sender.outcomes(CONNECTIONS, ENDING).await;
    let mut wrongs = sender.complaints();
    let cases: BTreeSet<String> = (0..events).map(case_of).collect();
    wrongs.extend(judge(&cases, &cluster.story.systems.seen()));
    wrongs.extend(judge_holdings(&outputs, &cluster.story.systems.holdings()));
    wrongs.extend(standing(&cluster, &sender).await);
    let mut seen = Vec::new();
    for name in ["groups_taken_over", "groups_lost", "groups_handed_over", "commits_fenced"] {
        let mut all = Vec::new();
        for node in cluster.nodes() {
            all.push(cluster.metric(node, &format!("qc_{name}_total")).await);
        }
        seen.push(format!("{name} {all:?}"));
    }
    println!(
        "three nodes: {} sent again, requests {:?}, by nodes as they are now: {}, after {:.0} s",
        sender.resent(),
        cluster.story.systems.received(),
        seen.join(", "),
        began.elapsed().as_secs_f64()
    );
    if !wrongs.is_empty() {
        let shown: Vec<String> = wrongs.iter().take(40).cloned().collect();
        let (count, kept) = (wrongs.len(), cluster.story.keep());
        panic!("QC_NODES_SEED={seed}: {count} wrongs (kept in {kept}):\n{}", shown.join("\n"));
    }
}

/// What is deployed through one node runs on the others soon.
async fn deploy(cluster: &mut Cluster) {
    let server = &cluster.story.server;
    let built = server.told(&["release", "build", "--folder", "project"]);
    let release = built["release"].as_str().expect("the release's hash").to_owned();
    server.well(&["deploy", "sandbox", &release]);
    let began = Instant::now();
    for node in cluster.nodes() {
        while node.ask("/api/v1/deployments").await["items"][0]["live"] != true {
            assert!(began.elapsed() < Duration::from_secs(10), "{}", node.log_end());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn disturb(cluster: &mut Cluster, sender: &Arc<Sender>, batch: usize) {
    // A node dies, and another process follows.
    load(sender, batch).await;
    cluster.node(1).kill();
    load(sender, batch).await;
    cluster.node(1).start().await;
    cluster.even().await;
    // A node stands still for longer than its lease.
    load(sender, batch).await;
    cluster.node(2).freeze();
    load(sender, batch).await;
    tokio::time::sleep(AWAY).await;
    cluster.node(2).thaw();
    cluster.even().await;
    let lost = cluster.metric(&cluster.others[1], "qc_groups_lost_total").await;
    assert!(lost > 0, "the others have taken nothing from a node that stood still");
    // The database goes down in the middle of everything.
    load(sender, batch).await;
    tokio::task::block_in_place(|| {
        cluster.postgres.stop("immediate");
        cluster.postgres.go_on();
    });
    // One node after the other is replaced.
    for at in 0..3 {
        load(sender, batch).await;
        cluster.node(at).terminate();
        let status = cluster.node(at).ended(PATIENCE).await;
        assert!(status.success(), "{status}: {}", cluster.node(at).log_end());
        cluster.node(at).start().await;
    }
    cluster.even().await;
    // A node cannot reach the database: first without a word, then with broken connections.
    for passage in [Passage::Silent, Passage::Broken] {
        load(sender, batch).await;
        cluster.wire.set(passage);
        tokio::time::sleep(AWAY).await;
        cluster.wire.set(Passage::Open);
    }
    cluster.even().await;
}

/// What is wrong with how the runs and nodes stand, by the platform's own account.
async fn standing(cluster: &Cluster, sender: &Sender) -> Vec<String> {
    let mut wrongs = Vec::new();
    let server = &cluster.story.server;
    let runs = server.ask_all("/api/v1/runs").await;
    let status = |run: &Value| run["status"].as_str().unwrap_or_default().to_owned();
    for run in runs.iter().filter(|run| status(run) != "completed") {
        wrongs.push(format!("{} is {}", run["run"], status(run)));
    }
    let book = sender.book();
    if runs.len() != book.len() {
        wrongs.push(format!("{} runs for {} events", runs.len(), book.len()));
    }
    wrongs.extend(unaccounted(server));
    let mut names = BTreeSet::new();
    for node in cluster.nodes() {
        let told = node.ask("/api/v1/server").await;
        if told["stuck"] != 0 || told["nodes"] != 3 || told["findings"] != serde_json::json!([]) {
            wrongs.push(format!("a node says: {told}"));
        }
        names.insert(told["node"].as_str().unwrap_or_default().to_owned());
    }
    if names.len() != 3 {
        wrongs.push(format!("the nodes are called {names:?}"));
    }
    wrongs
}
