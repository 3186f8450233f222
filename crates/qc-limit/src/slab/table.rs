//! The cells, by key: an open table with linear probing, whose cells are never emptied one by one. A cell whose moment has
//! passed says nothing that an absent one does not say; it goes when the table is made anew.

use super::Key;

/// The bits of a key that are the hash.
pub(super) const HASH_BITS: u32 = 48;
/// Those bits.
pub(super) const HASH: u64 = (1 << HASH_BITS) - 1;
/// The place of a key that has no cell.
pub(super) const NOWHERE: usize = usize::MAX;

/// The hash of the cell that the strangers of a limit share.
pub(super) const OVERFLOW: u64 = 1;

/// The cells of a new table.
const FEWEST: usize = 1 << 10;

/// A key, and the moment at which its quota is full again.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cell {
    key: u64,
    pub(super) moment: u64,
}

impl Cell {
    /// Whether it is this key's.
    pub(super) fn is_of(self, key: Key) -> bool {
        self.key == key.0
    }

    /// The limit to which it belongs.
    pub(super) fn limit(self) -> u16 {
        u16::try_from(self.key >> HASH_BITS).expect("16 bits are above the hash")
    }
}

#[derive(Debug)]
pub(super) struct Table {
    cells: Vec<Cell>,
    filled: usize,
    /// Keys at most; the overflow cells come on top.
    most: usize,
    /// The latest moment that was seen.
    now: u64,
    /// When a full table is worth being made anew, for the next time.
    sweep_at: u64,
    /// When the cells of the strangers are all full again.
    strangers_until: u64,
    /// Limits that were given back.
    pub(super) free: Vec<u16>,
}

impl Table {
    pub(super) fn new(most: usize) -> Self {
        let cells = vec![Cell::default(); FEWEST];
        let (most, free) = (most.max(1), Vec::new());
        Self { cells, filled: 0, most, now: 0, sweep_at: 0, strangers_until: 0, free }
    }

    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// Time never goes back. A full table is swept now and then, before anything is decided.
    pub(super) fn tick(&mut self, now: u64) -> u64 {
        self.now = self.now.max(now);
        if self.is_crowded() && self.now >= self.sweep_at {
            self.sweep(self.now);
        }
        self.now
    }

    /// Whether a new key gets no cell of its own.
    pub(super) fn is_crowded(&self) -> bool {
        self.filled >= self.most
    }

    /// Where a key's search begins.
    pub(super) fn home(&self, key: Key) -> usize {
        // The hash's bits are evenly spread; those of the limit are not, and are left out.
        usize::try_from(key.0 & HASH).unwrap_or_default() & (self.cells.len() - 1)
    }

    /// What is at a place.
    pub(super) fn cell(&self, place: usize) -> Cell {
        self.cells[place]
    }

    fn seek(&self, key: Key, mut at: usize) -> usize {
        loop {
            match self.cells[at].key {
                found if found == key.0 => return at,
                0 => return NOWHERE,
                _ => at = (at + 1) & (self.cells.len() - 1),
            }
        }
    }

    /// Where a key counts, searched from its home on, and how far that is ahead: in its own cell, or, where it has none, in
    /// the one that its limit's strangers share. Whoever gets a cell of its own begins with what the strangers have used:
    /// it may have been all of it.
    pub(super) fn find(&self, key: Key, home: usize, now: u64) -> (usize, u64) {
        let own = self.seek(key, home);
        if own != NOWHERE {
            return (own, self.ahead(own, now));
        }
        let crowded = self.is_crowded();
        if !crowded && now >= self.strangers_until {
            return (NOWHERE, 0);
        }
        let shared = self.seek(key.overflow(), self.home(key.overflow()));
        (if crowded { shared } else { NOWHERE }, self.ahead(shared, now))
    }

    fn ahead(&self, place: usize, now: u64) -> u64 {
        self.cells.get(place).map_or(0, |cell| cell.moment.saturating_sub(now))
    }

    /// Another moment for a cell that was found.
    pub(super) fn write(&mut self, place: usize, moment: u64) {
        let Some(cell) = self.cells.get_mut(place) else { return };
        cell.moment = moment;
        if cell.key & HASH == OVERFLOW {
            self.strangers_until = self.strangers_until.max(moment);
        }
    }

    /// A cell for a key that had none; `shared`: the one of the strangers.
    pub(super) fn insert(&mut self, key: Key, shared: bool, moment: u64, now: u64) {
        if self.filled * 4 >= self.cells.len() * 3 {
            self.sweep(now);
        }
        let key = if shared { key.overflow() } else { key };
        self.place(Cell { key: key.0, moment });
        if shared {
            self.strangers_until = self.strangers_until.max(moment);
        }
    }

    /// Puts a cell where its key's search ends; of two moments the later one counts.
    fn place(&mut self, cell: Cell) {
        let mut at = self.home(Key(cell.key));
        loop {
            let there = &mut self.cells[at];
            if there.key == 0 {
                *there = cell;
                self.filled += 1;
                return;
            }
            if there.key == cell.key {
                there.moment = there.moment.max(cell.moment);
                return;
            }
            at = (at + 1) & (self.cells.len() - 1);
        }
    }

    /// Leaves out what says nothing, and sees that there is room.
    fn sweep(&mut self, now: u64) {
        self.rebuild(|cell| (cell.moment > now).then_some(cell.moment));
        // A table that stays full is not made anew for each key that comes: that would cost more than it gives.
        self.sweep_at = if self.is_crowded() { now + SWEEP_AGAIN } else { 0 };
    }

    /// Makes the table anew, each cell with another moment or left out.
    pub(super) fn rebuild(&mut self, each: impl Fn(Cell) -> Option<u64>) {
        let kept = self.cells.iter().filter(|cell| cell.key != 0).filter_map(|cell| {
            let moment = each(*cell)?;
            Some(Cell { key: cell.key, moment })
        });
        let kept: Vec<Cell> = kept.collect();
        let size = ((kept.len() + 1) * 2).next_power_of_two().max(FEWEST);
        self.cells = vec![Cell::default(); size];
        self.filled = 0;
        self.strangers_until = 0;
        for cell in kept {
            if cell.key & HASH == OVERFLOW {
                self.strangers_until = self.strangers_until.max(cell.moment);
            }
            self.place(cell);
        }
    }
}

/// A table that is full of those that count is swept again after so long, in nanoseconds.
const SWEEP_AGAIN: u64 = 1_000_000_000;
