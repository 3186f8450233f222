use std::sync::Arc;

use qc_engine::Engine;

use super::{Limits, Live, shared};

/// Somebody whose quota is being used up.
pub(crate) struct Near {
    pub(crate) live: Arc<Live>,
    pub(crate) who: String,
    pub(crate) remaining: u64,
    pub(crate) quota: u64,
    /// Units a second.
    pub(crate) pace: f64,
    /// Seconds; None: not at this pace.
    pub(crate) exhausted_in: Option<f64>,
}

impl Limits {
    /// Who comes, those first whose quota is used up the soonest; then those of whose quota the smallest part is left.
    pub(crate) fn near(&self, engine: &Engine) -> Vec<Near> {
        let (all, now) = (self.all(engine), self.now());
        let watched: Vec<_> =
            self.paces().iter().map(|(watched, pace)| (watched.clone(), *pace)).collect();
        let mut near: Vec<Near> = Vec::with_capacity(watched.len());
        for (watched, pace) in watched {
            let Some(live) = all.iter().find(|live| live.id == watched.limit) else { continue };
            let Some(ask) = live.ask(&self.slab, &watched.who, 1) else { continue };
            let remaining = match &self.shared {
                Some(shared) if ask.patience == 0 => {
                    shared.look(&shared::key(live, &watched.who, false), ask.quota).remaining
                }
                _ => self.slab.look(&[ask], now)[0].remaining,
            };
            near.push(Near {
                live: Arc::clone(live),
                who: watched.who,
                remaining,
                quota: ask.quota.burst(),
                pace: pace.per_second(now),
                exhausted_in: pace.exhausted_in(remaining, ask.quota.per_second(), now),
            });
        }
        let part = |near: &Near| u128::from(near.remaining) * 1_000_000 / u128::from(near.quota);
        let soon = |near: &Near| near.exhausted_in.unwrap_or(f64::INFINITY);
        near.sort_by(|a, b| {
            soon(a)
                .total_cmp(&soon(b))
                .then_with(|| part(a).cmp(&part(b)))
                .then_with(|| (&a.live.name, &a.who).cmp(&(&b.live.name, &b.who)))
        });
        near
    }
}
