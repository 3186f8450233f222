//! The budget of one evaluation: steps, live bytes and nesting, and what happens when it is spent.

use std::cell::Cell;

use crate::value::Val;

/// What one evaluation may use.
///
/// The defaults suit an expression on the hot path: 1,000,000 steps are some tens of milliseconds,
/// 8 MiB are many times a usual event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Steps: one for each node evaluated, and more for operations that walk or copy data.
    pub fuel: u64,
    /// Bytes of values alive at once, the result included.
    pub bytes: usize,
    /// How deeply the evaluation may nest. Never more than 96 counts, whatever is given.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { fuel: 1_000_000, bytes: 8 * 1024 * 1024, depth: MAX_DEPTH }
    }
}

/// The nesting that fits a 2 MiB thread stack in a debug build with room to spare.
pub(crate) const MAX_DEPTH: u32 = 96;

/// How deeply a value may nest that an expression builds or walks. JSON readers stop at 128.
pub(crate) const VALUE_DEPTH: u32 = 120;

/// The limit that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    Fuel,
    Bytes,
    Depth,
}

/// Why an evaluation stopped before its end.
#[derive(Debug)]
pub(crate) enum Stop<'a> {
    /// An error that `try` catches.
    Raised(Box<Raised<'a>>),
    /// `break` to the label with this number.
    Break(u32),
    /// The consumer of outputs failed; the reason is kept by whoever handed the consumer out.
    Downstream,
    /// A limit: nothing catches it.
    Spent(Limit),
}

/// A catchable error.
#[derive(Debug)]
pub(crate) enum Raised<'a> {
    /// An operation did not apply.
    Failed(String),
    /// `error` was called with this value.
    Value(Val<'a>),
}

pub(crate) type Flow<'a, T = ()> = Result<T, Stop<'a>>;

impl From<Limit> for Stop<'_> {
    fn from(limit: Limit) -> Self {
        Self::Spent(limit)
    }
}

/// An error of an operation, in jq's manner.
pub(crate) fn fail<'a, T>(message: impl Into<String>) -> Flow<'a, T> {
    Err(Stop::Raised(Box::new(Raised::Failed(message.into()))))
}

/// Counts what is used.
#[derive(Debug)]
pub(crate) struct Meter {
    fuel: Cell<u64>,
    live: Cell<usize>,
    bytes: usize,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { fuel: Cell::new(limits.fuel), live: Cell::new(0), bytes: limits.bytes }
    }

    /// Takes steps.
    pub(crate) fn tick(&self, steps: usize) -> Result<(), Limit> {
        let left = self.fuel.get();
        if let Some(rest) = left.checked_sub(steps as u64) {
            self.fuel.set(rest);
            return Ok(());
        }
        self.fuel.set(0);
        Err(Limit::Fuel)
    }

    /// The steps for reading or copying this many bytes.
    pub(crate) fn scan(&self, bytes: usize) -> Result<(), Limit> {
        self.tick(bytes / 64)
    }

    /// Takes bytes that are not given back: those of the result.
    pub(crate) fn spend(&self, bytes: usize) -> Result<(), Limit> {
        let live = self.live.get().saturating_add(bytes);
        if live > self.bytes {
            return Err(Limit::Bytes);
        }
        self.live.set(live);
        Ok(())
    }

    /// Takes bytes until the charge is dropped.
    pub(crate) fn charge(&self, bytes: usize) -> Result<Charge<'_>, Limit> {
        self.spend(bytes)?;
        Ok(Charge { meter: self, bytes })
    }

    /// Takes and gives back: proves that a passing need fits.
    pub(crate) fn afford(&self, bytes: usize) -> Result<(), Limit> {
        self.charge(bytes).map(drop)
    }
}

/// Bytes held by a live value.
#[derive(Debug)]
pub(crate) struct Charge<'a> {
    pub(crate) meter: &'a Meter,
    bytes: usize,
}

impl Charge<'_> {
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Limit> {
        self.meter.spend(bytes)?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Charge<'_> {
    fn drop(&mut self) {
        self.meter.live.set(self.meter.live.get().saturating_sub(self.bytes));
    }
}
