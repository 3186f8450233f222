//! Turns: tenant by tenant, within each integration and lane by integration and lane, within those key by key. Every turn
//! costs the same, so this is deficit round robin with a quantum of one.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use qc_model::{Name, TenantName};
use qc_store::Priority;

/// While others wait, so many turns of normal priority are followed by one of low priority.
const TURNS_BEFORE_LOW: u32 = 9;

/// What something is asked of. Of a call: the system, the limit against which it counts there, and whether it was tried
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) system: Arc<str>,
    pub(crate) limit: Arc<str>,
    pub(crate) again: bool,
}

impl From<&str> for Lane {
    fn from(system: &str) -> Self {
        let system: Arc<str> = system.into();
        Self { limit: system.clone(), system, again: false }
    }
}

/// Whose something is, for taking turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) tenant: TenantName,
    pub(crate) integration: Name,
    /// What is asked for: a system for calls; the same for all where there is but one thing to ask for.
    pub(crate) lane: Lane,
    /// Those with one key keep their order.
    pub(crate) key: Arc<str>,
    pub(crate) priority: Priority,
}

/// Those who wait for their turn.
#[derive(Debug)]
pub(crate) struct Robin<T> {
    normal: Tenants<T>,
    low: Tenants<T>,
    /// Turns of normal priority since the last of low priority, while one of those waited.
    since_low: u32,
    len: usize,
}

type Tenants<T> = Ring<TenantName, Lanes<T>>;
type Lanes<T> = Ring<(Name, Lane), Keys<T>>;
type Keys<T> = Ring<Arc<str>, VecDeque<T>>;

impl<T> Default for Robin<T> {
    fn default() -> Self {
        Self { normal: Ring::default(), low: Ring::default(), since_low: 0, len: 0 }
    }
}

impl<T> Robin<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Lines up behind those of the same share.
    pub(crate) fn push(&mut self, share: &Share, item: T) {
        let class = match share.priority {
            Priority::Normal => &mut self.normal,
            Priority::Low => &mut self.low,
        };
        let lanes = class.member(&share.tenant);
        let keys = lanes.member(&(share.integration.clone(), share.lane.clone()));
        keys.member(&share.key).push_back(item);
        self.len += 1;
    }

    /// Takes out all of whom this is true, wherever they stand.
    pub(crate) fn take_out(&mut self, of: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for class in [&mut self.normal, &mut self.low] {
            class.sift(|lanes| {
                lanes.sift(|keys| {
                    keys.sift(|items| {
                        let (out, stay): (Vec<T>, Vec<T>) = items.drain(..).partition(&of);
                        items.extend(stay);
                        taken.extend(out);
                        items.is_empty()
                    });
                    keys.is_empty()
                });
                lanes.is_empty()
            });
        }
        self.len -= taken.len();
        taken
    }

    /// Takes out one more of the same tenant, integration, lane and priority that fits: whoever is the first of its key.
    pub(crate) fn pop_like(&mut self, share: &Share, fits: impl Fn(&T) -> bool) -> Option<T> {
        let class = match share.priority {
            Priority::Normal => &mut self.normal,
            Priority::Low => &mut self.low,
        };
        let lane = (share.integration.clone(), share.lane.clone());
        let taken = class.within(
            &share.tenant,
            |lanes| {
                lanes.within(
                    &lane,
                    |keys| {
                        let first = |items: &mut VecDeque<T>| {
                            items.front().is_some_and(&fits).then(|| items.pop_front())?
                        };
                        keys.turn(|_, items| first(items), VecDeque::is_empty)
                    },
                    Ring::is_empty,
                )?
            },
            Ring::is_empty,
        )??;
        self.len -= 1;
        Some(taken)
    }

    /// Takes out who is next among those who may have what they ask for.
    pub(crate) fn pop(&mut self, may: impl Fn(&TenantName, &Lane, Priority) -> bool) -> Option<T> {
        let low_waits = !self.low.is_empty();
        let low_first = low_waits && self.since_low >= TURNS_BEFORE_LOW;
        let order = if low_first {
            [Priority::Low, Priority::Normal]
        } else {
            [Priority::Normal, Priority::Low]
        };
        for priority in order {
            let class = match priority {
                Priority::Normal => &mut self.normal,
                Priority::Low => &mut self.low,
            };
            let taken = class.turn(
                |tenant, lanes| {
                    lanes.turn(
                        |(_, lane), keys| {
                            may(tenant, lane, priority)
                                .then(|| {
                                    keys.turn(|_, items| items.pop_front(), VecDeque::is_empty)
                                })
                                .flatten()
                        },
                        Ring::is_empty,
                    )
                },
                Ring::is_empty,
            );
            if taken.is_some() {
                self.len -= 1;
                self.since_low = match priority {
                    Priority::Normal if low_waits => self.since_low.saturating_add(1),
                    Priority::Normal | Priority::Low => 0,
                };
                return taken;
            }
        }
        None
    }
}

/// Members who take turns.
#[derive(Debug)]
struct Ring<K, V> {
    order: VecDeque<K>,
    members: HashMap<K, V>,
}

impl<K, V> Default for Ring<K, V> {
    fn default() -> Self {
        Self { order: VecDeque::new(), members: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Default> Ring<K, V> {
    fn member(&mut self, key: &K) -> &mut V {
        if !self.members.contains_key(key) {
            self.order.push_back(key.clone());
        }
        self.members.entry(key.clone()).or_default()
    }
}

impl<K: Eq + Hash, V> Ring<K, V> {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Goes through all members; those that this says have nothing more go away.
    fn sift(&mut self, mut done: impl FnMut(&mut V) -> bool) {
        let members = &mut self.members;
        self.order.retain(|key| {
            let gone = members.get_mut(key).is_none_or(&mut done);
            if gone {
                members.remove(key);
            }
            !gone
        });
    }

    /// Does something with one member, which goes away when it has nothing more. None: it is none.
    fn within<T>(
        &mut self,
        key: &K,
        what: impl FnOnce(&mut V) -> T,
        is_empty: impl Fn(&V) -> bool,
    ) -> Option<T> {
        let member = self.members.get_mut(key)?;
        let done = what(member);
        if is_empty(member) {
            self.members.remove(key);
            self.order.retain(|one| one != key);
        }
        Some(done)
    }

    /// What the first one gives who gives anything. It goes to the end of the ring, or away when it has nothing more.
    fn turn<T>(
        &mut self,
        mut give: impl FnMut(&K, &mut V) -> Option<T>,
        is_empty: impl Fn(&V) -> bool,
    ) -> Option<T> {
        for at in 0..self.order.len() {
            let Some(member) = self.members.get_mut(&self.order[at]) else { continue };
            let Some(given) = give(&self.order[at], member) else { continue };
            let empty = is_empty(member);
            if let Some(key) = self.order.remove(at) {
                if empty {
                    self.members.remove(&key);
                } else {
                    self.order.push_back(key);
                }
            }
            return Some(given);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(tenant: &str, lane: &str, key: &str, priority: Priority) -> Share {
        Share {
            tenant: Name::new(tenant).unwrap(),
            integration: Name::new("it").unwrap(),
            lane: lane.into(),
            key: key.into(),
            priority,
        }
    }

    fn all(robin: &mut Robin<String>) -> String {
        let mut out = Vec::new();
        while let Some(next) = robin.pop(|_, _, _| true) {
            out.push(next);
        }
        out.join(" ")
    }

    #[test]
    fn tenants_take_turns_and_within_them_lanes_and_keys() {
        let mut robin = Robin::default();
        for n in 1..=5 {
            robin.push(&share("a", "x", "k", Priority::Normal), format!("a{n}"));
        }
        robin.push(&share("a", "y", "k", Priority::Normal), "ay".to_owned());
        robin.push(&share("a", "x", "other", Priority::Normal), "ao".to_owned());
        robin.push(&share("b", "x", "k", Priority::Normal), "b1".to_owned());
        robin.push(&share("b", "x", "k", Priority::Normal), "b2".to_owned());
        assert_eq!(robin.len(), 9);
        assert_eq!(all(&mut robin), "a1 b1 ay b2 ao a2 a3 a4 a5");
        assert_eq!(robin.len(), 0);
        assert!(robin.normal.members.is_empty(), "nothing is left of those who have nothing");
    }

    #[test]
    fn whoever_is_taken_out_leaves_the_others_their_turns() {
        let mut robin = Robin::default();
        for (tenant, n) in [("a", 1), ("a", 2), ("b", 1), ("a", 3), ("b", 2)] {
            robin.push(&share(tenant, "x", "k", Priority::Normal), format!("{tenant}{n}"));
        }
        robin.push(&share("c", "x", "k", Priority::Low), "c1".to_owned());
        let mut out = robin.take_out(|one| one.ends_with('1'));
        out.sort();
        assert_eq!((out.join(" ").as_str(), robin.len()), ("a1 b1 c1", 3));
        assert_eq!(all(&mut robin), "a2 b2 a3");
        assert!(robin.low.members.is_empty());
    }

    #[test]
    fn low_priority_gets_what_is_left_and_a_tenth_at_least() {
        let mut robin = Robin::default();
        for n in 1..=30 {
            robin.push(&share("a", "x", "k", Priority::Normal), format!("n{n}"));
            robin.push(&share("a", "x", "k", Priority::Low), format!("l{n}"));
        }
        let mut first = Vec::new();
        for _ in 0..30 {
            first.push(robin.pop(|_, _, _| true).unwrap());
        }
        let low: Vec<usize> = (0..30).filter(|at| first[*at].starts_with('l')).collect();
        assert_eq!(low, [9, 19, 29]);
        while robin.len() > 27 {
            robin.pop(|_, _, _| true).unwrap();
        }
        assert!(robin.pop(|_, _, _| true).unwrap().starts_with('l'), "what is left is theirs");
    }

    #[test]
    fn who_may_not_is_passed_by_and_keeps_its_turn() {
        let mut robin = Robin::default();
        for (tenant, lane) in [("a", "shut"), ("b", "open"), ("a", "open"), ("c", "shut")] {
            robin.push(&share(tenant, lane, "k", Priority::Normal), format!("{tenant}-{lane}"));
        }
        let open = |_: &TenantName, lane: &Lane, _: Priority| &*lane.system == "open";
        assert_eq!(robin.pop(open).unwrap(), "a-open");
        assert_eq!(robin.pop(open).unwrap(), "b-open");
        assert_eq!(robin.pop(open), None);
        assert_eq!(robin.len(), 2);
        assert_eq!(all(&mut robin), "c-shut a-shut");
    }
}
