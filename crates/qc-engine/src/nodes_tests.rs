use std::{collections::BTreeSet, time::Duration};

use qc_store::Lease;

use super::*;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A little world of nodes that see everything at once.
struct World {
    owner: Vec<Option<String>>,
    moved: usize,
}

impl World {
    fn new() -> Self {
        Self { owner: vec![None; usize::from(GROUPS)], moved: 0 }
    }

    fn plan(&self, me: &str, nodes: &[String], settled: &[String]) -> Plan {
        let holders: Vec<Holder> = self
            .owner
            .iter()
            .map(|owner| match owner {
                Some(name) => Holder::Node { name: name.clone() },
                None => Holder::Nobody { before: None },
            })
            .collect();
        let mine: Vec<Mine> = self
            .owner
            .iter()
            .map(|owner| match owner.as_deref() {
                Some(name) if name == me => Mine::Owned { runs: 0 },
                _ => Mine::No,
            })
            .collect();
        plan(&View { me, nodes, settled, holders: &holders, mine: &mine })
    }

    /// Everybody plans on the same view, then everything is done; until nothing changes.
    fn settle(&mut self, nodes: &[String]) {
        for _ in 0..10 {
            let plans: Vec<_> =
                nodes.iter().map(|me| (me.clone(), self.plan(me, nodes, nodes))).collect();
            if plans.iter().all(|(_, plan)| *plan == Plan::default()) {
                return;
            }
            let mut taken = BTreeSet::new();
            for (me, plan) in plans {
                for group in plan.give {
                    self.owner[usize::from(group)] = None;
                    self.moved += 1;
                }
                for group in plan.take {
                    assert!(taken.insert(group), "two want group {group}");
                    self.owner[usize::from(group)] = Some(me.clone());
                }
            }
        }
        panic!("it never settles: {:?}", self.owner);
    }

    fn counts(&self, nodes: &[String]) -> Vec<usize> {
        let of = |node: &String| self.owner.iter().filter(|o| o.as_ref() == Some(node)).count();
        nodes.iter().map(of).collect()
    }

    fn die(&mut self, node: &str) {
        for owner in &mut self.owner {
            if owner.as_deref() == Some(node) {
                *owner = None;
            }
        }
    }
}

#[test]
fn whoever_comes_and_goes_everything_is_owned_evenly_and_little_moves() {
    let mut world = World::new();
    let mut nodes = names(&["m"]);
    world.settle(&nodes);
    assert_eq!(world.counts(&nodes), [64]);
    for (joins, even) in [("c", [32, 32].as_slice()), ("x", &[22, 21, 21]), ("a", &[16; 4])] {
        nodes.push(joins.to_owned());
        nodes.sort_unstable();
        world.moved = 0;
        world.settle(&nodes);
        assert_eq!(world.counts(&nodes), even);
        // The share of the one who came, and one for each whose rank changed.
        assert!(world.moved <= 64 / nodes.len() + nodes.len(), "{} moved", world.moved);
    }
    world.die("c");
    nodes.retain(|node| node != "c");
    world.moved = 0;
    world.settle(&nodes);
    assert_eq!((world.counts(&nodes), world.moved), (vec![22, 21, 21], 0));
}

#[test]
fn more_nodes_than_groups_leave_some_without() {
    let nodes: Vec<String> = (0..70).map(|n| format!("n{n:02}")).collect();
    let mut world = World::new();
    world.settle(&nodes);
    let counts = world.counts(&nodes);
    assert_eq!(counts.iter().sum::<usize>(), 64);
    assert!(counts.iter().all(|count| *count <= 1));
}

#[test]
fn one_that_has_just_come_is_given_nothing_yet_and_nothing_is_taken_that_is_its() {
    let mut world = World::new();
    let one = names(&["a"]);
    world.settle(&one);
    let both = names(&["a", "b"]);
    assert_eq!(world.plan("a", &both, &one), Plan::default());
    for group in 0..10 {
        world.owner[group] = None;
    }
    let take = world.plan("a", &both, &one).take;
    assert!(take.is_empty(), "54 are more than its share of two");
    assert_eq!(world.plan("b", &both, &both).take, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_node_that_goes_gives_everything_and_takes_nothing() {
    let mut world = World::new();
    world.settle(&names(&["a"]));
    world.owner[5] = None;
    let others = names(&["b"]);
    let plan = world.plan("a", &others, &others);
    assert_eq!((plan.give.len(), plan.take.len()), (63, 0));
}

#[test]
fn the_groups_with_the_fewest_runs_are_given_first() {
    let mine: Vec<Mine> =
        (0..64).map(|group| Mine::Owned { runs: if group < 40 { 9 } else { 1 } }).collect();
    let holders = vec![Holder::Node { name: "a".to_owned() }; 64];
    let both = names(&["a", "b"]);
    let view = View { me: "a", nodes: &both, settled: &both, holders: &holders, mine: &mine };
    let give: BTreeSet<u16> = plan(&view).give.into_iter().collect();
    assert!((40..64).all(|group| give.contains(&group)) && give.len() == 32);
}

#[test]
fn what_is_leased_under_this_name_and_not_known_here_is_taken_anew() {
    let holders = vec![Holder::Node { name: "a".to_owned() }; 64];
    let one = names(&["a"]);
    let view =
        View { me: "a", nodes: &one, settled: &one, holders: &holders, mine: &[Mine::No; 64] };
    assert_eq!(plan(&view).take.len(), 64);
}

#[test]
fn a_group_is_free_only_when_every_bucket_of_it_is() {
    let seen = |buckets, node: &str, left| LeaseSeen {
        lease: Lease { buckets, node: node.to_owned(), epoch: 1 },
        left: Duration::from_secs(left),
    };
    let holders = holders(&[seen(0..8, "a", 0), seen(8..40, "b", 3), seen(40..48, "c", 0)]);
    let of = |name: &str| Holder::Node { name: name.to_owned() };
    let by = |name: &str| Holder::Nobody { before: Some(name.to_owned()) };
    assert_eq!(holders[0..4], [of("b"), of("b"), of("b"), Holder::Nobody { before: None }]);
    let holders = super::holders(&[seen(0..16, "a", 0)]);
    assert_eq!(holders[0], by("a"));
}
