//! What becomes of nodes that share a store.

use std::{sync::Arc, time::Duration};

use qc_engine::{Engine, EngineSettings};
use qc_model::Clock as _;
use qc_store::Store;

use super::Simulation;
use crate::{
    link::{Link, Mode, Reached},
    world::{World, batching, deployment},
};

/// The most at once.
const NODES_MAX: usize = 4;

/// Until words that nobody reads are removed, and everybody has a fair share.
const SETTLED: Duration = Duration::from_secs(6 * 60);
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What became of the nodes that took part to the end, and of commits.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) takeovers: u64,
    pub(super) lost: u64,
    pub(super) handed_over: u64,
    pub(super) recovered: u64,
    pub(super) fenced: u64,
    /// Calls that went in one request with others.
    pub(super) together: u64,
    /// Calls that were put off.
    pub(super) put_off: u64,
}

impl Seen {
    pub(super) fn add(&mut self, other: &Self) {
        self.takeovers += other.takeovers;
        self.lost += other.lost;
        self.handed_over += other.handed_over;
        self.recovered += other.recovered;
        self.fenced += other.fenced;
        self.together += other.together;
        self.put_off += other.put_off;
    }
}

impl Simulation {
    pub(super) fn seen(&self) -> Seen {
        let mut seen = Seen { fenced: self.book.fenced(), ..Seen::default() };
        for node in &self.nodes {
            let numbers = node.engine.gauges();
            seen.takeovers += numbers.takeovers;
            seen.lost += numbers.groups_lost;
            seen.handed_over += numbers.handed_over;
            seen.recovered += numbers.recovered;
            seen.together += numbers.calls_together;
            seen.put_off += numbers.calls_put_off;
        }
        seen
    }

    /// A process begins.
    pub(super) fn join(&mut self) {
        let seed = self.seed + 1 + (self.started << 20);
        self.started += 1;
        // In every other seed calls go together.
        let made = if self.seed.is_multiple_of(2) { batching } else { deployment };
        let deployments = vec![made("r1", &self.tasks)];
        let settings = self.settings.clone();
        let node = format!("node-{}", self.started);
        self.tell_of(&format!("{node} joins"));
        let slowest = [0, 1, 30][usize::try_from(self.dice.below(3)).unwrap()];
        let link = Link::new(Duration::from_millis(slowest), seed);
        let reached = Reached { store: self.store.clone(), link, book: self.book.clone() };
        let clock = Arc::new(self.clock.beside());
        let settings = EngineSettings { node, ..settings };
        let node = World::node(reached, clock, deployments, self.outside.clone(), seed, settings);
        self.nodes.push(node);
    }

    fn tell_of(&mut self, what: &str) {
        if !self.nodes.is_empty() {
            self.tell(what);
        }
    }

    /// One that people and senders find: the load balancer knows which ones do not answer.
    pub(super) fn any(&mut self) -> usize {
        let awake: Vec<usize> = (0..self.nodes.len())
            .filter(|at| {
                let link = self.nodes[*at].link.as_ref();
                link.is_none_or(|link| link.mode() != Mode::Frozen)
            })
            .collect();
        self.dice.pick(&awake).copied().unwrap_or(0)
    }

    pub(super) fn anybody(&mut self) -> &Engine {
        let at = self.any();
        &self.nodes[at].engine
    }

    fn some_node(&mut self) -> usize {
        usize::try_from(self.dice.below(self.nodes.len() as u64)).unwrap()
    }

    /// One thing happens to one node.
    pub(super) async fn disturb(&mut self) {
        let at = self.some_node();
        let name = self.nodes[at].engine.node().to_owned();
        self.kills.push(self.clock.now());
        match self.dice.below(7) {
            0 if self.nodes.len() < NODES_MAX => self.join(),
            0 | 1 => {
                self.tell(&format!("{name} dies"));
                if self.nodes.len() == 1 || self.dice.percent(50) {
                    self.join();
                }
                self.nodes.swap_remove(at).kill();
            }
            2 => {
                let limit = Duration::from_secs(self.dice.below(30));
                self.tell(&format!("{name} leaves within {limit:?}"));
                if self.nodes.len() == 1 || self.dice.percent(50) {
                    self.join();
                }
                let node = self.nodes.swap_remove(at);
                self.kills.push(self.clock.now() + limit);
                self.leaving.spawn(node.leave(limit));
            }
            3 | 4 => {
                let pause = [2, 9, 14, 40][usize::try_from(self.dice.below(4)).unwrap()];
                self.in_the_middle(at).await;
                self.for_a_while(at, Mode::Frozen, pause);
            }
            5 => {
                let mode = if self.dice.percent(50) { Mode::Cut } else { Mode::Hole };
                let pause = 1 + self.dice.below(40);
                self.in_the_middle(at).await;
                self.for_a_while(at, mode, pause);
            }
            _ => {
                let millis = i64::try_from(self.dice.below(240_000)).unwrap() - 120_000;
                self.tell(&format!("the clock of {name} jumps by {millis} ms"));
                self.nodes[at].clock.jump(millis);
                self.jumped = true;
            }
        }
    }

    /// Waits for a moment at which the node has something under way.
    async fn in_the_middle(&mut self, at: usize) {
        for _ in 0..self.dice.below(4) {
            self.send_through(at);
        }
        tokio::time::sleep(Duration::from_micros(self.dice.below(80_000))).await;
    }

    /// A node's link is in a mode for so many seconds.
    fn for_a_while(&mut self, at: usize, mode: Mode, seconds: u64) {
        let node = &self.nodes[at];
        let link = node.link.clone().unwrap();
        let name = node.engine.node().to_owned();
        self.tell(&format!("{name} is {mode:?} for {seconds} s"));
        self.kills.push(self.clock.now() + Duration::from_secs(seconds));
        link.set(mode);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            link.set(Mode::Open);
        });
    }

    /// Nothing of that happens any more.
    pub(super) async fn mend(&mut self) {
        for link in self.nodes.iter().filter_map(|node| node.link.clone()) {
            link.set(Mode::Open);
        }
        while let Some(left) = self.leaving.join_next().await {
            left.unwrap();
        }
    }

    /// In the end every group is owned, evenly, and no word is left over.
    pub(super) async fn judge_nodes(&mut self) {
        let mut untidy = self.untidy().await;
        let rounds = SETTLED.as_secs() / LOOK_EVERY.as_secs();
        for _ in 0..rounds {
            if untidy.is_empty() {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            untidy = self.untidy().await;
        }
        self.problems.extend(untidy);
    }

    async fn untidy(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let groups: Vec<usize> = self.nodes.iter().map(|n| n.engine.gauges().groups).collect();
        let (least, most) = (groups.iter().min().unwrap(), groups.iter().max().unwrap());
        if groups.iter().sum::<usize>() != 64 || most - least > 1 {
            problems.push(format!("the groups are not owned evenly: {groups:?}"));
        }
        let names: Vec<String> = self.nodes.iter().map(|n| n.engine.node().to_owned()).collect();
        for seen in self.store.leases().await.unwrap() {
            if seen.left.is_zero() || !names.contains(&seen.lease.node) {
                problems.push(format!("nobody's lease: {seen:?} of {names:?}"));
            }
        }
        for kind in ["node-mail", "node-answer"] {
            for document in self.store.documents(kind, None, 1_000).await.unwrap() {
                if document.name != "look" {
                    problems.push(format!("{kind} {} is left over", document.name));
                }
            }
        }
        problems
    }
}
