use std::{collections::BTreeMap, time::Duration};

/// Which nodes live, for backends that live in one process. Time is a duration since some fixed
/// moment of the backend's own clock.
#[derive(Debug, Default)]
pub struct NodeTable {
    until: BTreeMap<String, Duration>,
}

impl NodeTable {
    /// Says that a node lives until a moment, and forgets those whose moment is over.
    pub fn announce(&mut self, node: &str, now: Duration, until: Duration) {
        self.until.insert(node.to_owned(), until);
        self.until.retain(|_, until| *until > now);
    }

    /// Those that live, sorted.
    pub fn live(&self, now: Duration) -> Vec<String> {
        self.until.iter().filter(|(_, until)| **until > now).map(|(node, _)| node.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_lives_as_long_as_it_said_and_is_forgotten_afterwards() {
        let at = Duration::from_secs;
        let mut table = NodeTable::default();
        table.announce("b", at(0), at(10));
        table.announce("a", at(5), at(15));
        assert_eq!(table.live(at(9)), ["a", "b"]);
        assert_eq!(table.live(at(10)), ["a"]);
        table.announce("a", at(12), at(12));
        assert!(table.live(at(12)).is_empty() && table.until.is_empty());
    }
}
