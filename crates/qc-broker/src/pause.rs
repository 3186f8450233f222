use std::time::Duration;

/// Growing pauses between attempts: each twice the one before, up to a longest.
#[derive(Debug, Clone)]
pub struct Pauses {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Pauses {
    /// Pauses that begin with `first` and never exceed `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let longest = longest.max(first);
        Self { first, longest, next: first }
    }

    /// Between attempts to reach a broker.
    pub fn reconnecting() -> Self {
        Self::new(Duration::from_millis(500), Duration::from_secs(30))
    }

    /// Between attempts to hand over what cannot be taken now.
    pub(crate) fn holding() -> Self {
        Self::new(Duration::from_millis(200), Duration::from_secs(10))
    }

    /// The next pause.
    pub fn grow(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(self.longest);
        pause
    }

    /// Begins anew, after something went well.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_grow_to_their_bound_and_begin_anew() {
        let mut pauses = Pauses::new(Duration::from_secs(1), Duration::from_secs(5));
        let seconds: Vec<u64> = (0..5).map(|_| pauses.grow().as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 5, 5]);
        pauses.reset();
        assert_eq!(pauses.grow().as_secs(), 1);
    }
}
