//! How many calls may be in flight at once. It begins small and grows with every answer, as TCP's window does, so that a
//! burst meets no system that nobody knows yet; it shrinks while answers take far longer than they can.

/// At first.
const FIRST: f64 = 32.0;
/// At least.
const LEAST: f64 = 4.0;
/// At most: other limits are lower.
const MOST: f64 = 100_000.0;
/// Answers that take so many times the shortest time tell of a queue.
const QUEUES_FROM: f64 = 3.0;
/// Differences below this are no queue. In milliseconds.
const NOISE: f64 = 100.0;

#[derive(Debug, Clone)]
pub(super) struct Room {
    calls: f64,
    /// The shortest time of an answer, forgotten slowly. In milliseconds.
    shortest: f64,
    /// What answers take at present.
    present: f64,
}

impl Default for Room {
    fn default() -> Self {
        Self { calls: FIRST, shortest: f64::MAX, present: 0.0 }
    }
}

impl Room {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between LEAST and MOST"
    )]
    pub(super) fn at_once(&self) -> u32 {
        self.calls as u32
    }

    /// An answer came after so many milliseconds. `full`: there was no room for one more.
    pub(super) fn answered(&mut self, took: f64, full: bool) {
        let took = took.max(1.0);
        self.shortest = (self.shortest * 1.001).min(took);
        self.present = if self.present == 0.0 { took } else { self.present * 0.9 + took * 0.1 };
        let queues =
            self.present > self.shortest * QUEUES_FROM && self.present > self.shortest + NOISE;
        if full && queues {
            self.calls = (self.calls - 0.5).max(FIRST);
        } else if full {
            self.calls = (self.calls + 1.0).min(MOST);
        }
    }

    /// The other side is overloaded.
    pub(super) fn shrink(&mut self) {
        self.calls = (self.calls * 0.9).max(LEAST);
    }
}
