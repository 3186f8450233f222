use std::{fmt::Write as _, sync::Arc};

use qc_engine::{Does, Engine, OpenAt, OpenPlaces};
use qc_limit::{
    Ask, Decision, Excess, Key, Measure, Quota, Scope, Standing, pace_in_words, purse::PurseKey,
};
use qc_model::{NextAction, Party};
use serde_json::json;

use super::{Comer, Limits, Live, WATCHED, Watched, shared};
use crate::{PointedError, Problem, codes};

/// When to come back while too many runs are open: nobody knows when one ends. In nanoseconds.
const ROOM_IN: u64 = 2_000_000_000;

/// What somebody who comes in asks of the limits that hold for him.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The limits, with whom each counts him.
    pub(crate) limits: Vec<(Arc<Live>, String)>,
    /// Those of them that count over time.
    timed: Vec<Timed>,
    /// For those that count open runs: which it is, what is counted, and how many there may be.
    open: Vec<(usize, OpenAt, u64)>,
    /// The units of one event.
    cost: u64,
}

/// What is asked of a limit that counts over time.
#[derive(Debug, Clone)]
struct Timed {
    /// Which of the limits it is.
    at: usize,
    ask: Ask,
    /// Where the lesser way counts.
    lesser: Option<Key>,
    /// Where it and its lesser way are kept for all nodes. None: in this node's own slab, as this node is alone, or as it
    /// has those wait that are too many: the moments that it gives them are its own.
    purse: Option<[PurseKey; 2]>,
}

/// What those limits say together.
struct Decided {
    /// Which of them refuse it.
    violated: Vec<usize>,
    binding: Option<usize>,
    wait: Option<u64>,
    delay: u64,
}

impl Decided {
    /// Of a decision over some of them.
    fn of(decision: &Decision, of: &[usize]) -> Self {
        Self {
            violated: decision.violated().map(|at| of[at]).collect(),
            binding: decision.binding().map(|at| of[at]),
            wait: decision.retry_after(),
            delay: decision.delay(),
        }
    }
}

/// How much a limit is at this node: all of it, or the node's part where those who wait are divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here {
    pub(crate) measure: Measure,
    /// How many units may wait.
    pub(crate) waiting: Option<u64>,
}

/// On which terms events come in.
pub(crate) struct Admitted {
    pub(crate) places: Option<OpenPlaces>,
    /// They begin after so many nanoseconds.
    pub(crate) delay: u64,
    /// Which limit has them wait.
    pub(crate) by: Option<Arc<Live>>,
    /// They are done in a lesser way.
    pub(crate) degraded: bool,
    /// Which of the limits that count over time counted them in that way.
    pub(crate) lesser: Vec<usize>,
}

/// What the limits that count over time say.
#[derive(Default)]
struct Counted {
    delay: u64,
    by: Option<Arc<Live>>,
    lesser: Vec<usize>,
}

/// Why somebody does not come in.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    violated: Vec<Arc<Live>>,
    binding: Arc<Live>,
    /// How much that one is here, and how many units may wait for it.
    here: Here,
    /// Nanoseconds; None: no wait helps.
    wait: Option<u64>,
    events: u64,
    /// What each of them takes of the limit.
    each: u64,
}

impl Asked {
    pub(super) fn new(
        limits: &Limits,
        lives: Vec<Arc<Live>>,
        comer: Comer<'_>,
        nodes: usize,
    ) -> Self {
        let who: Vec<String> = lives.iter().map(|live| live.who(comer)).collect();
        let cost = comer.trigger.cost;
        let pairs: Vec<(Arc<Live>, String)> = lives.into_iter().zip(who).collect();
        // What is published only has no run, so nothing that could begin later or do less.
        let runs = comer.trigger.does != Does::Publish;
        let timed = pairs.iter().enumerate().filter_map(|(at, (live, who))| {
            let ask = live.ask(&limits.slab, who, cost)?;
            let lesser = live.lesser.filter(|_| runs);
            let lesser = lesser.map(|id| limits.slab.key(id, who));
            let queues = runs && ask.patience > 0;
            let ask = match &limits.shared {
                _ if !runs => Ask { patience: 0, ..ask },
                Some(_) if queues => Ask { quota: ask.quota.shared_by(nodes, cost), ..ask },
                _ => ask,
            };
            let purse = limits.shared.as_ref().filter(|_| !queues);
            let purse = purse.map(|_| [false, true].map(|lesser| shared::key(live, who, lesser)));
            Some(Timed { at, ask, lesser, purse })
        });
        let timed = timed.collect();
        let open = pairs.iter().enumerate().filter(|_| runs);
        let open = open.filter_map(|(at, (live, _))| live.open(at, comer)).collect();
        Self { limits: pairs, timed, open, cost }
    }

    /// How much the limit at this place is here.
    pub(crate) fn here(&self, at: usize) -> Here {
        let rule = &self.limits[at].0.rule;
        let timed = self.timed.iter().find(|one| one.at == at).map(|one| one.ask.quota);
        let (Some(whole), Some(quota)) = (rule.measure.quota(), timed) else {
            return Here { measure: rule.measure, waiting: None };
        };
        let waiting = match rule.excess {
            // As long as that many take to come back.
            Excess::Queue { most, .. } => {
                Some(most.saturating_mul(whole.interval()) / quota.interval())
            }
            Excess::Reject | Excess::Degrade(_) => None,
        };
        Here { measure: Measure::Rate(quota), waiting }
    }

    fn asks(&self, events: u64) -> Vec<Ask> {
        let cost = self.cost.saturating_mul(events);
        self.timed.iter().map(|one| Ask { cost, ..one.ask }).collect()
    }

    /// Whether so many events come in, and on which terms: every limit counts all of them, or none does. The places are
    /// held until their runs are written.
    pub(crate) async fn admit(
        &self,
        limits: &Limits,
        engine: &Engine,
        events: u64,
    ) -> Result<Admitted, Problem> {
        let taken = self.take_places(engine, events);
        let (places, lesser) = taken.map_err(|refusal| refusal.problem())?;
        let counted = self.count(limits, events).await?;
        let Counted { delay, by, lesser: counted } = counted;
        let degraded = lesser || !counted.is_empty();
        Ok(Admitted { places, delay, by, degraded, lesser: counted })
    }

    /// Places for the runs, and whether some of them are only there for the lesser way.
    fn take_places(
        &self,
        engine: &Engine,
        events: u64,
    ) -> Result<(Option<OpenPlaces>, bool), Refusal> {
        if self.open.is_empty() {
            return Ok((None, false));
        }
        let runs = usize::try_from(events).unwrap_or(usize::MAX);
        let wanted = |lesser: bool| -> Vec<(OpenAt, u64)> {
            let most = |at: usize, most: u64| match self.limits[at].0.rule.excess {
                Excess::Degrade(Measure::AtOnce(in_all)) if lesser => in_all,
                _ => most,
            };
            self.open.iter().map(|(at, counted, own)| (counted.clone(), most(*at, *own))).collect()
        };
        if let Ok(places) = engine.take_places(&wanted(false), runs) {
            return Ok((Some(places), false));
        }
        let wanted = wanted(true);
        let taken = engine.take_places(&wanted, runs);
        taken.map(|places| (Some(places), true)).map_err(|full| {
            let (at, _, _) = &self.open[full];
            let binding = Arc::clone(&self.limits[*at].0);
            let wait = (events <= wanted[full].1).then_some(ROOM_IN);
            let here = self.here(*at);
            Refusal { violated: vec![Arc::clone(&binding)], binding, here, wait, events, each: 1 }
        })
    }

    async fn count(&self, limits: &Limits, events: u64) -> Result<Counted, Problem> {
        if self.timed.is_empty() || events == 0 {
            return Ok(Counted::default());
        }
        let asks = self.asks(events);
        let live = |at: usize| Arc::clone(&self.limits[self.timed[at].at].0);
        let mut decided = self.decide(limits, &asks, &[]).await?;
        let mut lesser = Vec::new();
        if !decided.violated.is_empty()
            && let Some(asks) = self.lesser(&asks, &decided.violated)
        {
            lesser = std::mem::take(&mut decided.violated);
            decided = self.decide(limits, &asks, &lesser).await?;
        }
        // Also who is refused: it is the one who comes nearest.
        self.watch(limits, events, limits.now());
        if let (false, Some(binding)) = (decided.violated.is_empty(), decided.binding) {
            let refusal = Refusal {
                violated: decided.violated.iter().copied().map(live).collect(),
                binding: live(binding),
                here: self.here(self.timed[binding].at),
                wait: decided.wait,
                events,
                each: self.cost,
            };
            return Err(refusal.problem());
        }
        let by = decided.binding.filter(|_| decided.delay > 0).map(live);
        Ok(Counted { delay: decided.delay, by, lesser })
    }

    /// Decides over all of them; `lesser` are those that are asked for their lesser way. Where some are kept for all nodes
    /// and some are not, the first give back what they counted when one of the others refuses.
    async fn decide(
        &self,
        limits: &Limits,
        asks: &[Ask],
        lesser: &[usize],
    ) -> Result<Decided, Problem> {
        let (common, own): (Vec<usize>, Vec<usize>) =
            (0..asks.len()).partition(|at| self.timed[*at].purse.is_some());
        let of = |some: &[usize]| -> Vec<Ask> { some.iter().map(|at| asks[*at]).collect() };
        let key = |at: &usize| Some(self.timed[*at].purse?[usize::from(lesser.contains(at))]);
        let keys: Vec<PurseKey> = common.iter().filter_map(key).collect();
        let mut first = None;
        if let Some(shared) = limits.shared.as_ref().filter(|_| !common.is_empty()) {
            // On the heap: on a node that is alone nobody's future holds it.
            let decision = Box::pin(shared.decide(&keys, &of(&common))).await?;
            let decided = Decided::of(&decision, &common);
            if own.is_empty() || !decision.is_allowed() {
                return Ok(decided);
            }
            first = Some(shared);
        }
        let decision = limits.slab.decide(&of(&own), limits.now());
        if let (Some(shared), false) = (first, decision.is_allowed()) {
            shared.give_back(&keys, &of(&common));
        }
        Ok(Decided::of(&decision, &own))
    }

    /// What is asked when those that refuse it know a lesser way: that counts by itself. None: one of them knows none.
    fn lesser(&self, asks: &[Ask], violated: &[usize]) -> Option<Vec<Ask>> {
        let mut asks = asks.to_vec();
        for at in violated {
            let one = &self.timed[*at];
            let (Some(key), Excess::Degrade(Measure::Rate(quota))) =
                (one.lesser, self.limits[one.at].0.rule.excess)
            else {
                return None;
            };
            asks[*at] = Ask { key, quota, ..asks[*at] };
        }
        Some(asks)
    }

    /// The pace of tenants and tokens is known from what they sent, what was refused included.
    fn watch(&self, limits: &Limits, events: u64, now: u64) {
        let mut paces = limits.paces();
        for one in &self.timed {
            let (live, who) = &self.limits[one.at];
            if !matches!(live.rule.scope, Scope::Tenant | Scope::Token) {
                continue;
            }
            let watched = Watched { limit: live.id, who: who.clone() };
            if paces.len() >= WATCHED && !paces.contains_key(&watched) {
                // Whoever comes hardly any more makes room.
                paces.retain(|_, pace| pace.per_second(now) > 0.01);
                if paces.len() >= WATCHED {
                    continue;
                }
            }
            paces.entry(watched).or_default().came(self.cost.saturating_mul(events), now);
        }
    }

    /// Gives back what was counted for events that were none: they had come before. `lesser` are those that counted them in
    /// their lesser way.
    pub(crate) fn give_back(&self, limits: &Limits, events: u64, lesser: &[usize]) {
        if self.timed.is_empty() || events == 0 {
            return;
        }
        let asks = self.asks(events);
        let asks = self.lesser(&asks, lesser).unwrap_or(asks);
        let (mut keys, mut common, mut own) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (one, ask)) in self.timed.iter().zip(asks).enumerate() {
            match one.purse {
                Some(places) => {
                    keys.push(places[usize::from(lesser.contains(&at))]);
                    common.push(ask);
                }
                None => own.push(ask),
            }
        }
        if let Some(shared) = limits.shared.as_ref().filter(|_| !keys.is_empty()) {
            shared.give_back(&keys, &common);
        }
        limits.slab.give_back(&own, limits.now());
    }

    /// How many runs may still be open, of each limit that counts those.
    pub(crate) fn open_standings(&self, engine: &Engine) -> Vec<(&Live, u64)> {
        let left = |(at, counted, most): &(usize, OpenAt, u64)| {
            let open = u64::try_from(engine.open_runs(counted)).unwrap_or(u64::MAX);
            (&*self.limits[*at].0, most.saturating_sub(open))
        };
        self.open.iter().map(left).collect()
    }

    /// What is there of each limit that counts over time, and of how much.
    pub(crate) fn standings(&self, limits: &Limits) -> Vec<(&Live, Quota, Standing)> {
        let look = |one: &Timed| match (&limits.shared, one.purse) {
            (Some(shared), Some([key, _])) => shared.look(&key, one.ask.quota),
            _ => limits.slab.look(&[one.ask], limits.now())[0],
        };
        let told = self.timed.iter().map(|one| (&*self.limits[one.at].0, one.ask.quota, look(one)));
        told.collect()
    }
}

impl Refusal {
    /// As the sender hears it.
    pub(crate) fn problem(&self) -> Problem {
        let rule = &self.binding.rule;
        let mut detail = format!(
            "the limit `{}` of {}, which is {}{}, {}; nothing was accepted. It protects: {}",
            self.binding.name,
            counts_for(rule.scope),
            amount(self.here.measure),
            if self.here.measure == rule.measure { "" } else { " at this node, its part" },
            self.state(),
            rule.protects.trim_end_matches('.'),
        );
        match &rule.owner {
            Some(owner) => drop(write!(detail, ". `{owner}` can raise it")),
            None if self.binding.integration.is_none() => {
                detail.push_str(". Who runs the server can raise it");
            }
            None => {}
        }
        let mut problem = match self.wait {
            Some(nanos) => Problem::new(429, codes::LIMITED, TITLE, detail)
                .retry_after(nanos.div_ceil(1_000_000_000).max(1)),
            None if self.events == 1 => {
                let detail = format!(
                    "an event of this trigger takes more units than the limit `{}` ever has; nothing was accepted, and no wait helps",
                    self.binding.name
                );
                Problem::new(429, codes::LIMITED, TITLE, detail).next(NextAction::ContactOwner)
            }
            None => {
                let most = match self.here.measure {
                    Measure::Rate(quota) => quota.burst(),
                    Measure::AtOnce(most) => most,
                };
                let detail = format!(
                    "the limit `{}` never has more than {most} units at once, and these {} events take more: send fewer in one batch",
                    self.binding.name, self.events
                );
                // At least one: an event that takes more than the limit ever has was refused above.
                let fits = most.checked_div(self.each).unwrap_or(most).max(1);
                let whole = PointedError::new("", detail.clone());
                Problem::new(413, codes::BATCH_TOO_LARGE, "Batch too large", detail)
                    .at(whole.expecting(json!({ "maxItems": fits })))
            }
        };
        problem.violated = self.violated.iter().map(|live| live.name.clone()).collect();
        problem.owner.clone_from(&rule.owner);
        if self.binding.integration.is_none() {
            problem.party = Party::Operator;
        }
        problem
    }

    /// Why there is no room.
    fn state(&self) -> String {
        let units = self.each.saturating_mul(self.events);
        match self.binding.rule.excess {
            Excess::Queue { most, ttl } => format!(
                "is used up, and what waits for it leaves no room: at most {} units wait, each for {} s at most",
                self.here.waiting.unwrap_or(most),
                ttl.as_secs_f64()
            ),
            _ if units > 1 => format!("has less left than the {units} units that this takes"),
            _ => "is used up".to_owned(),
        }
    }
}

const TITLE: &str = "Request cannot be satisfied as assigned quota has been exceeded";

/// For whom a limit counts, in words.
pub(crate) fn counts_for(scope: Scope) -> &'static str {
    match scope {
        Scope::Gateway => "the whole server",
        Scope::Tenant => "this tenant",
        Scope::Token => "this token",
        Scope::Trigger => "this trigger",
        Scope::Integration => "this integration",
    }
}

/// How much a limit is, in words.
pub(crate) fn amount(measure: Measure) -> String {
    match measure {
        Measure::Rate(quota) => {
            format!("{}, {} at once", pace_in_words(quota.interval()), quota.burst())
        }
        Measure::AtOnce(most) => format!("{most} open runs"),
    }
}
