//! The faults of a provider at work: counting calls, drawing lots, wearing out.

use std::time::Duration;

use qc_model::Timestamp;
use serde_json::Value;

use super::{Condition, Deed, FAULT_LIMIT, Fault, Moment};
use crate::random::Random;

/// What a fault looks at.
pub(crate) struct Circumstances<'a> {
    pub(crate) operation: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) now: Timestamp,
}

/// What strikes one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Struck {
    /// The fault that decides the answer.
    pub(crate) main: Option<Deed>,
    pub(crate) expire_tokens: bool,
    pub(crate) revoke_credentials: bool,
    pub(crate) slow: Duration,
    /// Name of the first fault that struck, for the ledger.
    pub(crate) name: Option<&'static str>,
}

struct Active {
    fault: Fault,
    since: Timestamp,
    seen: u64,
    left: Option<u64>,
    random: Random,
}

pub(crate) struct ActiveFaults {
    active: Vec<Active>,
    seed: u64,
    injected: u64,
}

impl ActiveFaults {
    pub(crate) fn new(seed: u64) -> Self {
        Self { active: Vec::new(), seed, injected: 0 }
    }

    /// Adds a fault; false when there are too many already.
    pub(crate) fn inject(&mut self, fault: Fault, now: Timestamp) -> bool {
        self.active.retain(|active| active.left != Some(0));
        if self.active.len() >= FAULT_LIMIT {
            return false;
        }
        self.injected += 1;
        let random = Random::part(self.seed, self.injected);
        let left = fault.times;
        self.active.push(Active { fault, since: now, seen: 0, left, random });
        true
    }

    pub(crate) fn clear(&mut self) {
        self.active.clear();
    }

    /// The faults that can still strike, with how often each may.
    pub(crate) fn list(&self) -> Vec<(Fault, Option<u64>)> {
        let live = self.active.iter().filter(|active| active.left != Some(0));
        live.map(|active| (active.fault.clone(), active.left)).collect()
    }

    /// Decides what strikes a request. Every fault whose filter fits counts the call, also when
    /// an earlier fault has already taken it.
    pub(crate) fn strike(&mut self, request: &Circumstances<'_>) -> Struck {
        let mut struck = Struck::default();
        for active in &mut self.active {
            if !active.is_due(request) {
                continue;
            }
            if !active.fault.then.beside() && struck.main.is_some() {
                continue;
            }
            if let Some(left) = &mut active.left {
                *left -= 1;
            }
            struck.name.get_or_insert(active.fault.then.name());
            match &active.fault.then {
                Deed::ExpireToken => struck.expire_tokens = true,
                Deed::RevokeCredentials => struck.revoke_credentials = true,
                Deed::Slow { by } => struck.slow += *by,
                other => struck.main = Some(other.clone()),
            }
        }
        struck
    }
}

impl Active {
    fn is_due(&mut self, request: &Circumstances<'_>) -> bool {
        let when = &self.fault.when;
        if self.left == Some(0) || !when.fits(request, self.since) {
            return false;
        }
        self.seen += 1;
        if when.nth.is_some_and(|nth| self.seen < nth) {
            return false;
        }
        let first = when.nth.unwrap_or(1);
        if when.every.is_some_and(|every| {
            // `every: 3` strikes calls 3, 6, 9; with `nth: 2` it strikes 2, 5, 8.
            let from = if when.nth.is_some() { self.seen - first } else { self.seen };
            from % every.max(1) != 0
        }) {
            return false;
        }
        when.per_million.is_none_or(|share| self.random.chance(share))
    }
}

impl Condition {
    fn fits(&self, request: &Circumstances<'_>, since: Timestamp) -> bool {
        let moment = |moment: &Moment| match moment {
            Moment::Later(by) => since + *by,
            Moment::At(at) => *at,
        };
        self.operation.as_deref().is_none_or(|operation| operation == request.operation)
            && self.after.as_ref().is_none_or(|after| request.now >= moment(after))
            && self.until.as_ref().is_none_or(|until| request.now < moment(until))
            && self.body_contains.as_deref().is_none_or(|text| contains(request.body, text))
            && self.body_at.as_ref().is_none_or(|(at, value)| {
                serde_json::from_slice::<Value>(request.body)
                    .is_ok_and(|body| body.pointer(at) == Some(value))
            })
    }
}

fn contains(body: &[u8], text: &str) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text.as_bytes())
}
