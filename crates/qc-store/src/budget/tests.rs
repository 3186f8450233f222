use proptest::prelude::*;

use super::*;

const LEASE: Duration = Duration::from_secs(2);
const SECOND: u64 = 1_000_000_000;

fn draw(seq: u64, held: u64, back: u64, want: u64) -> Draw {
    let (interval, burst) = (SECOND / 10, 10);
    Draw { key: [0; 16], interval, burst, seq, held, back, least: want.min(1), want }
}

#[test]
fn a_dead_nodes_slice_is_back_after_its_lease_and_the_time_that_it_takes_to_refill() {
    let mut budget = Budget::default();
    assert_eq!(budget.draw(1, &draw(1, 0, 0, 6), 0, LEASE).granted, 6);
    // While it may still use them, they are nobody else's, however long the bucket had to refill.
    assert_eq!(budget.draw(2, &draw(1, 0, 0, 10), SECOND, LEASE).granted, 4);
    budget.draw(2, &draw(2, 0, 0, 0), SECOND, LEASE);
    assert_eq!(budget.draw(2, &draw(3, 0, 0, 10), 2 * SECOND - 1, LEASE).granted, 4);
    budget.draw(2, &draw(4, 0, 0, 0), 2 * SECOND - 1, LEASE);
    // Then their place fills up at the budget's pace.
    assert_eq!(budget.draw(2, &draw(5, 0, 0, 10), 2 * SECOND + SECOND / 5, LEASE).granted, 2);
    assert_eq!(budget.draw(2, &draw(6, 0, 0, 10), 5 * SECOND, LEASE).granted, 10);
}

#[test]
fn what_is_given_back_is_there_at_once() {
    let mut budget = Budget::default();
    assert_eq!(budget.draw(1, &draw(1, 0, 0, 10), 0, LEASE).granted, 10);
    assert_eq!(budget.draw(2, &draw(1, 0, 0, 1), 0, LEASE).granted, 0);
    assert_eq!(budget.draw(1, &draw(2, 2, 5, 0), 0, LEASE).ahead, 5 * SECOND / 10);
    assert_eq!(budget.draw(2, &draw(2, 0, 0, 10), 0, LEASE).granted, 5);
    // Nobody gives back what he does not have, or has no more.
    assert_eq!(budget.draw(3, &draw(1, 0, 9, 9), 0, LEASE).granted, 0);
    assert_eq!(budget.draw(1, &draw(3, 0, 9, 9), 0, LEASE).granted, 2);
}

#[test]
fn an_ask_that_comes_late_changes_nothing() {
    let mut budget = Budget::default();
    budget.draw(1, &draw(5, 0, 0, 3), 0, LEASE);
    let before = budget.clone();
    assert_eq!(budget.draw(1, &draw(4, 0, 3, 3), 0, LEASE).granted, 0);
    assert_eq!(budget.draw(1, &draw(5, 0, 3, 3), 0, LEASE).granted, 0);
    assert_eq!(budget, before);
}

#[test]
fn less_than_helps_is_not_given() {
    let mut budget = Budget::default();
    budget.draw(1, &draw(1, 0, 0, 8), 0, LEASE);
    let ask = Draw { least: 3, ..draw(1, 0, 0, 5) };
    assert_eq!(budget.draw(2, &ask, 0, LEASE).granted, 0);
    assert_eq!(budget.draw(2, &Draw { least: 2, seq: 2, ..ask }, 0, LEASE).granted, 2);
}

#[test]
fn a_clock_that_is_set_back_gives_nothing() {
    let mut budget = Budget::default();
    assert_eq!(budget.draw(1, &draw(1, 0, 0, 10), 9 * SECOND, LEASE).granted, 10);
    assert_eq!(budget.draw(1, &draw(2, 0, 0, 10), SECOND, LEASE).granted, 0);
    // All ten are used; five come back in half a second after the clock is there again.
    assert_eq!(budget.draw(1, &draw(3, 0, 0, 10), 9 * SECOND + SECOND / 2, LEASE).granted, 5);
}

#[test]
fn a_changed_pace_gives_and_takes_no_units() {
    let mut budget = Budget::default();
    budget.draw(1, &draw(1, 0, 0, 7), 0, LEASE);
    let faster = Draw { interval: SECOND / 1000, ..draw(2, 0, 0, 10) };
    assert_eq!(budget.draw(1, &faster, 0, LEASE).granted, 3);
}

#[test]
fn what_was_stored_is_read_and_nothing_else() {
    let mut budget = Budget::default();
    budget.draw(1, &draw(1, 0, 0, 7), 5, LEASE);
    budget.draw(2, &draw(1, 0, 0, 1), 6, LEASE);
    let bytes = budget.to_bytes();
    assert_eq!(Budget::from_bytes(&bytes), Some(budget));
    assert_eq!(Budget::from_bytes(&[]), Some(Budget::default()));
    for cut in 1..bytes.len() - 32 {
        let read = Budget::from_bytes(&bytes[..cut]);
        assert!(read.is_none() || cut == 1 + 24, "{cut}");
    }
    let mut other = bytes;
    other[0] = 2;
    assert_eq!(Budget::from_bytes(&other), None);
}

#[test]
fn no_such_budget() {
    let sound = draw(1, 0, 0, 1);
    assert!(sound.check().is_ok());
    for bad in [
        Draw { interval: 0, ..sound },
        Draw { burst: 0, ..sound },
        Draw { interval: u64::MAX, ..sound },
        Draw { held: 11, ..sound },
        Draw { least: 2, ..sound },
    ] {
        assert!(bad.check().is_err(), "{bad:?}");
    }
    assert!(check_draws(&vec![sound; DRAWS_MAX]).is_ok());
    assert!(check_draws(&vec![sound; DRAWS_MAX + 1]).is_err());
}

/// What a node does.
#[derive(Debug, Clone)]
enum Deed {
    Draw {
        node: usize,
        want: u64,
    },
    /// The answer is lost.
    DrawLost {
        node: usize,
        want: u64,
    },
    Use {
        node: usize,
        units: u64,
    },
    Return {
        node: usize,
    },
    Die {
        node: usize,
    },
    Pass {
        nanos: u64,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    let node = 0..4usize;
    prop_oneof![
        4 => (node.clone(), 0..14u64).prop_map(|(node, want)| Deed::Draw { node, want }),
        1 => (node.clone(), 0..14u64).prop_map(|(node, want)| Deed::DrawLost { node, want }),
        5 => (node.clone(), 1..10u64).prop_map(|(node, units)| Deed::Use { node, units }),
        1 => node.clone().prop_map(|node| Deed::Return { node }),
        1 => node.prop_map(|node| Deed::Die { node }),
        5 => (0..SECOND).prop_map(|nanos| Deed::Pass { nanos }),
    ]
}

#[derive(Debug, Default, Clone, Copy)]
struct Node {
    holder: u64,
    seq: u64,
    left: u64,
    until: u64,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Whatever nodes do: in no span more is used than the burst and what refills in it.
    #[test]
    fn all_nodes_together_never_use_more(deeds in prop::collection::vec(deed(), 1..120)) {
        let (interval, burst) = (SECOND / 10, 10);
        let mut budget = Budget::default();
        let mut nodes: Vec<Node> =
            (0..4).map(|holder| Node { holder, ..Node::default() }).collect();
        let (mut now, mut born) = (0u64, 4u64);
        let mut used: Vec<(u64, u64)> = Vec::new();
        for deed in deeds {
            // Nobody uses what has ended.
            for node in &mut nodes {
                if node.until <= now { node.left = 0; }
            }
            match deed {
                Deed::Draw { node, want } => {
                    let node = &mut nodes[node];
                    node.seq += 1;
                    let drawn = budget.draw(node.holder, &draw(node.seq, node.left, 0, want), now, LEASE);
                    node.left += drawn.granted;
                    node.until = now + 2 * SECOND;
                }
                Deed::DrawLost { node, want } => {
                    let node = &mut nodes[node];
                    node.seq += 1;
                    budget.draw(node.holder, &draw(node.seq, node.left, 0, want), now, LEASE);
                }
                Deed::Use { node, units } => {
                    let units = units.min(nodes[node].left);
                    nodes[node].left -= units;
                    used.push((now, units));
                }
                Deed::Return { node } => {
                    let node = &mut nodes[node];
                    node.seq += 1;
                    budget.draw(node.holder, &draw(node.seq, 0, node.left, 0), now, LEASE);
                    node.left = 0;
                }
                Deed::Die { node } => {
                    nodes[node] = Node { holder: born, ..Node::default() };
                    born += 1;
                }
                Deed::Pass { nanos } => now += nanos,
            }
        }
        for (at, (from, _)) in used.iter().enumerate() {
            let mut sum = 0;
            for (to, units) in &used[at..] {
                sum += units;
                prop_assert!(sum <= burst + (to - from) / interval, "{sum} from {from} to {to}");
            }
        }
        // And all of it is there again when every slice has ended and the time to refill is over.
        let later = now + 2 * SECOND + interval * burst;
        prop_assert_eq!(budget.draw(u64::MAX, &draw(1, 0, 0, 10), later, LEASE).granted, 10);
    }
}
