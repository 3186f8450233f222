use std::{fmt::Write as _, sync::Arc};

use http::header;
use qc_engine::{Does, Engine, OpenAt, OpenPlaces};
use qc_limit::{Ask, Measure, Scope, Standing, purse::PurseKey};
use qc_model::NextAction;

use super::{Comer, Limits, Live, WATCHED, Watched, shared};
use crate::{Problem, codes};

/// When to come back while too many runs are open: nobody knows when one ends. In nanoseconds.
const ROOM_IN: u64 = 2_000_000_000;

/// What somebody who comes in asks of the limits that hold for him.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The limits, with whom each counts him.
    pub(crate) limits: Vec<(Arc<Live>, String)>,
    /// For those of them that count over time: which it is, and what is asked.
    timed: Vec<(usize, Ask)>,
    /// Where those are kept for all nodes; none when this node is alone.
    keys: Vec<PurseKey>,
    /// For those that count open runs: which it is, what is counted, and how many there may be.
    open: Vec<(usize, OpenAt, u64)>,
    /// The units of one event.
    cost: u64,
}

/// Why somebody does not come in.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    violated: Vec<Arc<Live>>,
    binding: Arc<Live>,
    /// Nanoseconds; None: no wait helps.
    wait: Option<u64>,
    events: u64,
}

impl Asked {
    pub(super) fn new(limits: &Limits, lives: Vec<Arc<Live>>, comer: Comer<'_>) -> Self {
        let who: Vec<String> = lives.iter().map(|live| live.who(comer)).collect();
        let cost = comer.trigger.cost;
        let pairs: Vec<(Arc<Live>, String)> = lives.into_iter().zip(who).collect();
        let timed = pairs.iter().enumerate();
        let timed: Vec<(usize, Ask)> = timed
            .filter_map(|(at, (live, who))| Some((at, live.ask(&limits.slab, who, cost)?)))
            .collect();
        let key = |(at, _): &(usize, Ask)| shared::key(&pairs[*at].0, &pairs[*at].1);
        let keys = limits.shared.iter().flat_map(|_| timed.iter().map(key)).collect();
        // What is published only has no run.
        let runs = comer.trigger.does != Does::Publish;
        let open = pairs.iter().enumerate().filter(|_| runs);
        let open = open.filter_map(|(at, (live, _))| live.open(at, comer)).collect();
        Self { limits: pairs, timed, keys, open, cost }
    }

    fn asks(&self, events: u64) -> Vec<Ask> {
        let cost = self.cost.saturating_mul(events);
        self.timed.iter().map(|(_, ask)| Ask { cost, ..*ask }).collect()
    }

    /// Whether so many events come in: every limit counts all of them, or none does. The places are held until their runs
    /// are written.
    pub(crate) async fn admit(
        &self,
        limits: &Limits,
        engine: &Engine,
        events: u64,
    ) -> Result<Option<OpenPlaces>, Problem> {
        let places = self.take_places(engine, events).map_err(|refusal| refusal.problem())?;
        self.count(limits, events).await?;
        Ok(places)
    }

    fn take_places(&self, engine: &Engine, events: u64) -> Result<Option<OpenPlaces>, Refusal> {
        if self.open.is_empty() {
            return Ok(None);
        }
        let wanted: Vec<(OpenAt, u64)> =
            self.open.iter().map(|(_, at, most)| (at.clone(), *most)).collect();
        let runs = usize::try_from(events).unwrap_or(usize::MAX);
        engine.take_places(&wanted, runs).map(Some).map_err(|full| {
            let (at, _, most) = &self.open[full];
            let binding = Arc::clone(&self.limits[*at].0);
            let wait = (events <= *most).then_some(ROOM_IN);
            Refusal { violated: vec![Arc::clone(&binding)], binding, wait, events }
        })
    }

    async fn count(&self, limits: &Limits, events: u64) -> Result<(), Problem> {
        if self.timed.is_empty() || events == 0 {
            return Ok(());
        }
        let asks = self.asks(events);
        let decision = match &limits.shared {
            // On the heap: on a node that is alone nobody's future holds it.
            Some(shared) => Box::pin(shared.decide(&self.keys, &asks)).await?,
            None => limits.slab.decide(&asks, limits.now()),
        };
        let now = limits.now();
        let live = |at: usize| Arc::clone(&self.limits[self.timed[at].0].0);
        if let (false, Some(binding)) = (decision.is_allowed(), decision.binding()) {
            let refusal = Refusal {
                violated: decision.violated().map(live).collect(),
                binding: live(binding),
                wait: decision.retry_after(),
                events,
            };
            return Err(refusal.problem());
        }
        self.watch(limits, events, now);
        Ok(())
    }

    /// The pace of tenants and tokens is known from what came in of them.
    fn watch(&self, limits: &Limits, events: u64, now: u64) {
        let mut paces = limits.paces();
        for (at, _) in &self.timed {
            let (live, who) = &self.limits[*at];
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

    /// Gives back what was counted for events that were none: they had come before.
    pub(crate) fn give_back(&self, limits: &Limits, events: u64) {
        if self.timed.is_empty() || events == 0 {
            return;
        }
        match &limits.shared {
            Some(shared) => shared.give_back(&self.keys, &self.asks(events)),
            None => limits.slab.give_back(&self.asks(events), limits.now()),
        }
    }

    /// How many runs may still be open, of each limit that counts those.
    pub(crate) fn open_standings(&self, engine: &Engine) -> Vec<(&Live, u64)> {
        let left = |(at, counted, most): &(usize, OpenAt, u64)| {
            let open = u64::try_from(engine.open_runs(counted)).unwrap_or(u64::MAX);
            (&*self.limits[*at].0, most.saturating_sub(open))
        };
        self.open.iter().map(left).collect()
    }

    /// What is there of each limit that counts over time.
    pub(crate) fn standings(&self, limits: &Limits) -> Vec<(&Live, &str, Standing)> {
        let asks = self.asks(1);
        let standings: Vec<Standing> = match &limits.shared {
            Some(shared) => {
                let each = self.keys.iter().zip(&asks);
                each.map(|(key, ask)| shared.look(key, ask.quota)).collect()
            }
            None => limits.slab.look(&asks, limits.now()),
        };
        let timed = self.timed.iter().zip(standings);
        timed
            .map(|((at, _), standing)| {
                let (live, who) = &self.limits[*at];
                (&**live, who.as_str(), standing)
            })
            .collect()
    }
}

impl Refusal {
    /// As the sender hears it.
    pub(crate) fn problem(&self) -> Problem {
        let rule = &self.binding.rule;
        let mut detail = format!(
            "the limit `{}` of {}, which is {}, is used up; nothing was accepted. It protects: {}",
            self.binding.name,
            counts_for(rule.scope),
            amount(rule.measure),
            rule.protects.trim_end_matches('.'),
        );
        if let Some(owner) = &rule.owner {
            let _ = write!(detail, ". `{owner}` can raise it");
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
                let most = match rule.measure {
                    Measure::Rate(quota) => quota.burst(),
                    Measure::AtOnce(most) => most,
                };
                let detail = format!(
                    "the limit `{}` never has more than {most} units at once, and these {} events take more: send fewer in one batch",
                    self.binding.name, self.events
                );
                Problem::new(413, codes::BATCH_TOO_LARGE, "Batch too large", detail)
            }
        };
        problem.violated = self.violated.iter().map(|live| live.name.clone()).collect();
        problem.owner.clone_from(&rule.owner);
        problem.header(header::CACHE_CONTROL, "no-store")
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
            format!("{} units in {} s", quota.burst(), quota.window())
        }
        Measure::AtOnce(most) => format!("{most} open runs"),
    }
}
