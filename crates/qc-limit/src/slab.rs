mod table;

use std::{
    hash::{DefaultHasher, Hasher as _},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use crate::Quota;
use table::{Cell, Table};

/// The most limits in one decision.
pub const LIMITS_AT_ONCE: usize = 16;

/// A limit, among those of a slab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitId(u16);

/// Somebody for whom a limit counts: 16 bits of the limit, 48 of a keyed hash of the text. Two texts of one limit share a
/// key by chance once in 10^14; nobody can look for such texts without the slab's seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// Where those count for whom there is no room.
    fn overflow(self) -> Self {
        Self((self.0 & !table::HASH) | table::OVERFLOW)
    }
}

/// What is asked of one limit.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// For whom.
    pub key: Key,
    /// Of what.
    pub quota: Quota,
    /// How many units.
    pub cost: u64,
    /// For how long it may wait for its units, in nanoseconds; 0: it comes at once or not at all. One that may wait is
    /// given the units that come next, so that whoever comes later waits behind it.
    pub patience: u64,
}

/// What of a quota is there for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Units that can be used now.
    pub remaining: u64,
    /// Units that are waited for: they are given away, and will come.
    pub waiting: u64,
    /// The nanoseconds until one more is there; None: the quota is full.
    pub more_in: Option<u64>,
    /// The nanoseconds until the quota is full.
    pub full_in: u64,
}

impl Standing {
    /// From how far ahead of now a key's moment is.
    pub(crate) fn of(quota: Quota, ahead: u64) -> Self {
        let (interval, tolerance) = (quota.interval(), quota.tolerance());
        let remaining = tolerance.saturating_sub(ahead) / interval;
        let more = (remaining < quota.burst()).then(|| {
            // One unit more is there when the moment is so far ahead that `remaining + 1` fit.
            ahead.saturating_sub(tolerance - (remaining + 1) * interval)
        });
        let waiting = ahead.saturating_sub(tolerance).div_ceil(interval);
        Self { remaining, waiting, more_in: more, full_in: ahead }
    }
}

/// What becomes of one request.
#[derive(Debug, Clone, Copy)]
pub struct Decision {
    ahead: [u64; LIMITS_AT_ONCE],
    violated: u16,
    binding: Option<u8>,
    wait: Option<u64>,
    delay: u64,
}

impl Decision {
    /// Whether it may come in. Then every limit has counted it; else none has.
    pub fn is_allowed(&self) -> bool {
        self.violated == 0
    }

    /// Which of the asked limits refuse it.
    pub fn violated(&self) -> impl Iterator<Item = usize> {
        let violated = self.violated;
        (0..LIMITS_AT_ONCE).filter(move |at| violated & (1 << at) != 0)
    }

    /// When it was admitted: the nanoseconds after which its units are there; 0 unless it was ready to wait.
    pub fn delay(&self) -> u64 {
        self.delay
    }

    /// The limit that binds: of those that it waits for the one for which it does so longest, of those that refuse the one that does so longest, else the one of which the smallest part
    /// is left. None: nothing was asked.
    pub fn binding(&self) -> Option<usize> {
        self.binding.map(usize::from)
    }

    /// When it was refused: the nanoseconds after which it is admitted if nobody else comes, and not one earlier. None:
    /// it was not refused, or it costs more than a quota ever has.
    pub fn retry_after(&self) -> Option<u64> {
        self.wait
    }

    /// What is there of the limit that was asked at this place, after the decision.
    pub fn standing(&self, asks: &[Ask], at: usize) -> Standing {
        Standing::of(asks[at].quota, self.ahead[at])
    }
}

/// What is used of all quotas, by key: one moment a key, in a table that a decision reads in one pass.
///
/// A decision takes one short lock. A limit that counts for everybody is one cell that every decision writes, so that
/// finer locks would not let more of them through at a time.
#[derive(Debug)]
pub struct Slab {
    table: Mutex<Table>,
    next: AtomicU16,
    seed: u64,
}

impl Slab {
    /// For at most so many keys at a time; further ones share one cell of their limit, which refuses some that could come
    /// and lets nobody through who could not.
    pub fn new(most: usize, seed: u64) -> Self {
        Self { table: Mutex::new(Table::new(most)), next: AtomicU16::new(1), seed }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A limit more. None: there are 65,535, of which none was given back.
    pub fn add(&self) -> Option<LimitId> {
        let free = self.table().free.pop();
        free.map(LimitId).or_else(|| {
            let next = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (next != u16::MAX).then(|| next + 1)
            });
            next.ok().map(LimitId)
        })
    }

    /// A limit is gone, and with it all that is known of it.
    pub fn remove(&self, limit: LimitId) {
        let mut table = self.table();
        table.rebuild(|cell| (cell.limit() != limit.0).then_some(cell.moment));
        table.free.push(limit.0);
    }

    /// Somebody's key at a limit.
    pub fn key(&self, limit: LimitId, who: &str) -> Key {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(who.as_bytes());
        hasher.write_u16(limit.0);
        let hash = hasher.finish() & table::HASH;
        // 0 is an empty cell and 1 the overflow.
        Key((u64::from(limit.0) << table::HASH_BITS) | hash.max(table::OVERFLOW + 1))
    }

    /// Decides over all limits at once: every one of them counts the request, or none does. At most [`LIMITS_AT_ONCE`],
    /// each asked once.
    pub fn decide(&self, asks: &[Ask], now: u64) -> Decision {
        assert!(asks.len() <= LIMITS_AT_ONCE, "limits are bounded where they are declared");
        let mut table = self.table();
        let now = table.tick(now);
        let mut places = [table::NOWHERE; LIMITS_AT_ONCE];
        let mut cells = [Cell::default(); LIMITS_AT_ONCE];
        // First all cells are asked for, so that memory brings them side by side.
        for (at, ask) in asks.iter().enumerate() {
            places[at] = table.home(ask.key);
            cells[at] = table.cell(places[at]);
        }
        let mut verdict = Verdict::default();
        for (at, ask) in asks.iter().enumerate() {
            let ahead = if cells[at].is_of(ask.key) {
                cells[at].moment.saturating_sub(now)
            } else {
                let (place, ahead) = table.find(ask.key, places[at], now);
                places[at] = place;
                ahead
            };
            verdict.weigh(at, ask, ahead);
        }
        if verdict.violated == 0 {
            for (at, ask) in asks.iter().enumerate() {
                verdict.ahead[at] += ask.quota.interval() * ask.cost;
                table.write(places[at], now + verdict.ahead[at]);
            }
            // What is new goes in last: it may move all the others.
            let crowded = table.is_crowded();
            for (at, ask) in asks.iter().enumerate() {
                if places[at] == table::NOWHERE && ask.cost > 0 {
                    table.insert(ask.key, crowded, now + verdict.ahead[at], now);
                }
            }
        }
        verdict.decision(asks)
    }

    /// What is there for these, without counting anything.
    pub fn look(&self, asks: &[Ask], now: u64) -> Vec<Standing> {
        let mut table = self.table();
        let now = table.tick(now);
        let look = |ask: &Ask| {
            let (_, ahead) = table.find(ask.key, table.home(ask.key), now);
            Standing::of(ask.quota, ahead)
        };
        asks.iter().map(look).collect()
    }

    /// Takes a request back that was allowed and then was none, such as a repeat.
    pub fn give_back(&self, asks: &[Ask], now: u64) {
        let mut table = self.table();
        let now = table.tick(now);
        for ask in asks {
            let (place, ahead) = table.find(ask.key, table.home(ask.key), now);
            table.write(place, now + ahead.saturating_sub(ask.quota.interval() * ask.cost));
        }
    }

    /// A limit has another quota from now on. What was used stays used, in units: nobody is given or loses any.
    pub fn change(&self, limit: LimitId, from: Quota, to: Quota, now: u64) {
        if from.interval() == to.interval() {
            return;
        }
        let mut table = self.table();
        let now = table.tick(now);
        let (was, is) = (u128::from(from.interval()), u128::from(to.interval()));
        table.rebuild(|cell| {
            if cell.limit() != limit.0 {
                return Some(cell.moment);
            }
            let ahead = u128::from(cell.moment.saturating_sub(now));
            // Rounded up, so that a quota that goes to and fro gives nothing away.
            let ahead = u64::try_from((ahead * is).div_ceil(was)).unwrap_or(u64::MAX >> 1);
            Some(now + ahead)
        });
    }

    /// How many keys have a cell; those whose quota is full again may be among them.
    pub fn len(&self) -> usize {
        self.table().len()
    }

    /// Whether nobody has a cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A decision as it is made.
#[derive(Default)]
pub(crate) struct Verdict {
    ahead: [u64; LIMITS_AT_ONCE],
    violated: u16,
    wait: u64,
    longest: usize,
    never: bool,
    delay: u64,
    slowest: usize,
}

impl Verdict {
    /// Whether one of those that were weighed refuses.
    pub(crate) fn is_refused(&self) -> bool {
        self.violated != 0
    }

    /// The limit that was weighed at this place has counted it.
    pub(crate) fn count(&mut self, at: usize, ask: &Ask) {
        self.ahead[at] += ask.quota.interval() * ask.cost;
    }

    pub(crate) fn weigh(&mut self, at: usize, ask: &Ask, ahead: u64) {
        self.ahead[at] = ahead;
        let tolerance = ask.quota.tolerance();
        // A cost that the quota never has would overflow nothing: it is compared first.
        let wait = if ask.cost > ask.quota.burst() {
            self.never = true;
            u64::MAX
        } else {
            (ahead + ask.quota.interval() * ask.cost).saturating_sub(tolerance)
        };
        if wait <= ask.patience {
            if wait > self.delay {
                (self.delay, self.slowest) = (wait, at);
            }
            return;
        }
        self.violated |= 1 << at;
        // Until then it need not be there, only near enough.
        let wait = wait - ask.patience;
        if wait > self.wait {
            (self.wait, self.longest) = (wait, at);
        }
    }

    pub(crate) fn decision(&self, asks: &[Ask]) -> Decision {
        let binding = match (self.violated, self.delay) {
            (0, 0) => self.scarcest(asks),
            (0, _) => Some(self.slowest),
            _ => Some(self.longest),
        };
        Decision {
            ahead: self.ahead,
            violated: self.violated,
            binding: binding.and_then(|at| u8::try_from(at).ok()),
            wait: (self.violated != 0 && !self.never).then_some(self.wait),
            delay: if self.violated == 0 { self.delay } else { 0 },
        }
    }

    /// The limit of which the smallest part is left, compared without dividing.
    fn scarcest(&self, asks: &[Ask]) -> Option<usize> {
        let used = |at: usize| (u128::from(self.ahead[at]), u128::from(asks[at].quota.tolerance()));
        (0..asks.len()).reduce(|best, at| {
            let ((ahead, whole), (least, least_whole)) = (used(at), used(best));
            if ahead * least_whole > least * whole { at } else { best }
        })
    }
}

#[cfg(test)]
mod tests;
