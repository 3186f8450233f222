//! Which groups a node should own, from what everybody sees: the live nodes and the leases. Pure:
//! the same view gives every node the same answer, so that they need not talk to each other.
//!
//! A node's fair share is fixed by the set of live nodes: the groups divided by the nodes, and one
//! more for the first ones by name. Only what is beyond a share moves, so nothing moves twice.

use std::collections::BTreeMap;

use qc_store::LeaseSeen;

use crate::groups::{GROUPS, buckets_of};

/// Who has a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holder {
    /// Nobody; when its last owner let the lease run out, that one.
    Nobody { before: Option<String> },
    /// A node; under this epoch when the whole group is of one lease.
    Node { name: String },
}

/// The groups as the store shows them. A group counts as held while any of its buckets is.
pub(crate) fn holders(leases: &[LeaseSeen]) -> Vec<Holder> {
    (0..GROUPS)
        .map(|group| {
            let buckets = buckets_of(group);
            let mut before = None;
            for seen in leases {
                let apart = seen.lease.buckets.end <= buckets.start
                    || buckets.end <= seen.lease.buckets.start;
                if apart {
                    continue;
                }
                if !seen.left.is_zero() {
                    return Holder::Node { name: seen.lease.node.clone() };
                }
                before = Some(seen.lease.node.clone());
            }
            Holder::Nobody { before }
        })
        .collect()
}

/// How this node has a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mine {
    /// Not at all.
    No,
    /// It owns it, with so many runs of it in memory.
    Owned { runs: usize },
    /// It owns it and is handing it over.
    Leaving,
}

/// What a node sees.
pub(crate) struct View<'a> {
    /// This node.
    pub(crate) me: &'a str,
    /// All live nodes, this one included unless it is going.
    pub(crate) nodes: &'a [String],
    /// Those of them that have lived for a while.
    pub(crate) settled: &'a [String],
    /// Who has which group.
    pub(crate) holders: &'a [Holder],
    /// What this node has.
    pub(crate) mine: &'a [Mine],
}

/// What a node should do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Groups to take.
    pub(crate) take: Vec<u16>,
    /// Groups to hand over.
    pub(crate) give: Vec<u16>,
}

/// How many groups a node should have. None: it is not among the nodes.
fn share(nodes: &[String], name: &str) -> Option<usize> {
    let mut sorted: Vec<&str> = nodes.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let place = sorted.binary_search(&name).ok()?;
    let groups = usize::from(GROUPS);
    Some(groups / sorted.len() + usize::from(place < groups % sorted.len()))
}

/// Decides what this node does next.
///
/// It gives by the nodes that have settled, so that one that comes and goes moves nothing; and it
/// takes by all that live, so that it takes nothing that it would have to give.
pub(crate) fn plan(view: &View<'_>) -> Plan {
    Plan { take: to_take(view), give: to_give(view) }
}

fn to_give(view: &View<'_>) -> Vec<u16> {
    let mut owned: Vec<(usize, u16)> = (0..)
        .zip(view.mine)
        .filter_map(|(group, mine)| match mine {
            Mine::Owned { runs } => Some((*runs, group)),
            Mine::No | Mine::Leaving => None,
        })
        .collect();
    let surplus = owned.len().saturating_sub(share(view.settled, view.me).unwrap_or(0));
    // Those that are handed over soonest.
    owned.sort_unstable();
    owned.truncate(surplus);
    owned.into_iter().map(|(_, group)| group).collect()
}

/// The free groups go to those who have less than their share, one after the other by name: every
/// node that sees the same takes others.
fn to_take(view: &View<'_>) -> Vec<u16> {
    let mut held: BTreeMap<&str, usize> = BTreeMap::new();
    let mut free = Vec::new();
    for ((group, holder), mine) in (0..).zip(view.holders).zip(view.mine) {
        match (mine, holder) {
            (Mine::Owned { .. }, _) => *held.entry(view.me).or_default() += 1,
            (Mine::Leaving, _) => {}
            // Under this name, and not known here: an answer was lost, or it is of a process before.
            (Mine::No, Holder::Node { name }) if name == view.me => free.push(group),
            (Mine::No, Holder::Node { name }) => *held.entry(name).or_default() += 1,
            (Mine::No, Holder::Nobody { .. }) => free.push(group),
        }
    }
    let mut nodes: Vec<&str> = view.nodes.iter().map(String::as_str).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let mut free = free.into_iter();
    for node in nodes {
        let share = share(view.nodes, node).unwrap_or(0);
        let lacks = share.saturating_sub(held.get(node).copied().unwrap_or(0));
        let its = free.by_ref().take(lacks);
        if node == view.me {
            return its.collect();
        }
        its.for_each(drop);
    }
    Vec::new()
}

#[cfg(test)]
#[path = "nodes_tests.rs"]
mod tests;
