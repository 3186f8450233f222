//! Budgets that several nodes share: one moment a key, as in the generic cell rate algorithm, and the slices of it that
//! nodes have drawn and may still use. Pure, so that every backend decides the same.
//!
//! The law: what all nodes together use in any span of the length t is at most `burst + t / interval`. It holds because a
//! unit that a node has and may still use takes its place in the bucket: the bucket never has more than `burst` less the
//! units that are out. A slice ends by itself; whether its node used it nobody knows then, so that it counts as used, and
//! its place in the bucket fills up again at the budget's pace.

use std::{collections::BTreeMap, time::Duration};

use crate::StoreError;

/// The most asks in one draw.
pub const DRAWS_MAX: usize = 256;
/// The most slices of one budget that are out at a time: one for each process that draws.
pub const SLICES_MAX: usize = 64;
/// The longest time in which an empty budget fills up, in nanoseconds: 400 days.
const LONGEST: u64 = 400 * 86_400 * 1_000_000_000;
/// The version of the stored body.
const VERSION: u8 = 1;

/// Which budget: a hash of its name and of whom it counts.
pub type BudgetKey = [u8; 16];

/// What somebody asks of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Of which.
    pub key: BudgetKey,
    /// After how many nanoseconds one more unit is there.
    pub interval: u64,
    /// The units that are there when nothing was used for a while.
    pub burst: u64,
    /// Rises with every ask of this holder; one that comes late, after a later one, gets nothing and changes nothing.
    pub seq: u64,
    /// The units of earlier slices that it keeps.
    pub held: u64,
    /// The units that it gives back: no more than it had, and only while its slice lasts.
    pub back: u64,
    /// The fewest units that help.
    pub least: u64,
    /// The most that it wants.
    pub want: u64,
}

/// What it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drawn {
    /// None, or at least as many units as help.
    pub granted: u64,
    /// The nanoseconds until the budget is full again, as of now.
    pub ahead: u64,
}

/// Units that a node has and may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slice {
    holder: u64,
    seq: u64,
    units: u64,
    until: u64,
}

/// A budget as it is kept. Moments are nanoseconds of the store's own clock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    interval: u64,
    moment: u64,
    seen: u64,
    slices: Vec<Slice>,
}

impl Draw {
    /// Refuses what no budget is.
    pub fn check(&self) -> Result<(), StoreError> {
        let whole = self.interval.checked_mul(self.burst);
        let sound = whole.is_some_and(|whole| (1..=LONGEST).contains(&whole))
            && self.held <= self.burst
            && self.least <= self.want;
        if sound {
            Ok(())
        } else {
            Err(StoreError::Refused("no such budget can be kept".to_owned()))
        }
    }
}

impl Budget {
    fn out(&self) -> u64 {
        self.slices.iter().map(|slice| slice.units).sum()
    }

    /// Until this moment the bucket was without the units that were out.
    fn reach(&mut self, at: u64) {
        self.moment = self.moment.max(at + self.out().saturating_mul(self.interval).min(LONGEST));
    }

    /// Ends the slices whose time is over, in their order.
    fn lapse(&mut self, now: u64) {
        while let Some(at) = self.first_to_end().filter(|at| self.slices[*at].until <= now) {
            self.reach(self.slices[at].until);
            self.slices.swap_remove(at);
        }
        self.reach(now);
    }

    fn first_to_end(&self) -> Option<usize> {
        (0..self.slices.len()).min_by_key(|at| self.slices[*at].until)
    }

    /// The budget has another pace: what was used stays used, in units.
    fn follow(&mut self, interval: u64, now: u64) {
        if self.interval == interval || self.interval == 0 {
            self.interval = interval;
            return;
        }
        let ahead = u128::from(self.moment.saturating_sub(now)) * u128::from(interval);
        let ahead = ahead.div_ceil(u128::from(self.interval));
        self.moment = now + u64::try_from(ahead).unwrap_or(LONGEST).min(LONGEST);
        self.interval = interval;
    }

    /// Gives what there is, for so long.
    pub fn draw(&mut self, holder: u64, draw: &Draw, now: u64, lease: Duration) -> Drawn {
        // A clock that was set back stands still until it is there again.
        let now = now.max(self.seen);
        self.seen = now;
        self.lapse(now);
        self.follow(draw.interval, now);
        let mut own = Slice { holder, seq: draw.seq, units: 0, until: 0 };
        if let Some(at) = self.slices.iter().position(|slice| slice.holder == holder) {
            if self.slices[at].seq >= draw.seq {
                return Drawn { granted: 0, ahead: self.moment.saturating_sub(now) };
            }
            let before = self.slices.swap_remove(at);
            let back = draw.back.min(before.units.saturating_sub(draw.held));
            self.moment = self.moment.saturating_sub(back.saturating_mul(self.interval)).max(now);
            own.units = draw.held.min(before.units);
        }
        let ahead = self.moment.saturating_sub(now);
        let there = (draw.interval * draw.burst).saturating_sub(ahead) / draw.interval;
        let room = self.slices.len() < SLICES_MAX;
        let granted = if room { there.min(draw.want) } else { 0 };
        let granted = if granted < draw.least { 0 } else { granted };
        self.moment = now + ahead + granted * self.interval;
        own.units += granted;
        let lease = u64::try_from(lease.as_nanos()).unwrap_or(LONGEST).min(LONGEST);
        own.until = now + lease;
        // Kept also when it is empty: its number says which ask of this holder was the last one.
        if room {
            self.slices.push(own);
        }
        Drawn { granted, ahead: self.moment - now }
    }

    /// When the budget says nothing any more that an absent one does not say.
    pub fn full_at(&self) -> u64 {
        self.slices.iter().map(|slice| slice.until).fold(self.moment, u64::max)
    }

    /// As it is stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        let slices = self.slices.iter();
        let numbers = [self.interval, self.moment, self.seen]
            .into_iter()
            .chain(slices.flat_map(|slice| [slice.holder, slice.seq, slice.units, slice.until]));
        numbers.for_each(|number| bytes.extend(number.to_be_bytes()));
        bytes
    }

    /// As it was stored; nothing: a budget of which nothing was used. None: no version wrote this.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let Some((version, rest)) = bytes.split_first() else { return Some(Self::default()) };
        let (numbers, odd) = rest.as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
        let ([interval, moment, seen], slices) = numbers.split_first_chunk::<3>()?;
        let (slices, left) = slices.as_chunks::<4>();
        if *version != VERSION || !odd.is_empty() || !left.is_empty() {
            return None;
        }
        let slices = slices.iter().map(|[holder, seq, units, until]| Slice {
            holder: *holder,
            seq: *seq,
            units: *units,
            until: *until,
        });
        Some(Self { interval: *interval, moment: *moment, seen: *seen, slices: slices.collect() })
    }
}

/// Budgets for backends that live in one process. Time is a duration since some fixed moment of the backend's own clock.
#[derive(Debug, Default)]
pub struct BudgetTable {
    budgets: BTreeMap<BudgetKey, Budget>,
    /// How many there were when those that say nothing were last left out.
    kept: usize,
}

impl BudgetTable {
    /// Draws from each, in order.
    pub fn draw(
        &mut self,
        holder: u64,
        draws: &[Draw],
        lease: Duration,
        now: Duration,
    ) -> Result<Vec<Drawn>, StoreError> {
        /// So few are not worth looking through.
        const FEW: usize = 1024;
        check_draws(draws)?;
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX >> 1);
        if self.budgets.len() > FEW.max(self.kept * 2) {
            self.budgets.retain(|_, budget| budget.full_at() > now);
            self.kept = self.budgets.len();
        }
        let drawn = draws
            .iter()
            .map(|draw| self.budgets.entry(draw.key).or_default().draw(holder, draw, now, lease));
        Ok(drawn.collect())
    }
}

/// Refuses what is too much at once, and what no budget is.
pub fn check_draws(draws: &[Draw]) -> Result<(), StoreError> {
    if draws.len() > DRAWS_MAX {
        return Err(StoreError::Refused(format!(
            "at most {DRAWS_MAX} budgets are drawn from at once"
        )));
    }
    draws.iter().try_for_each(Draw::check)
}

#[cfg(test)]
mod tests;
