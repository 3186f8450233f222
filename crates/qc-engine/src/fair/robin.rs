//! Turns: tenant by tenant, within each integration and lane by integration and lane, within those key by key. Every turn
//! costs the same, so this is deficit round robin with a quantum of one.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    sync::Arc,
};

use qc_model::{Name, TenantName};
use qc_store::Priority;

/// While some of a lower priority wait, so many turns of higher ones are followed by one of theirs.
const TURNS_BEFORE: u32 = 9;
/// From the one that goes first on.
const PRIORITIES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

/// What something is asked of. Of a call: the system, the limit against which it counts there, and whether it was tried
/// before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) system: Arc<str>,
    pub(crate) limit: Arc<str>,
    pub(crate) again: bool,
}

impl Lane {
    /// The system, as its callers name it: a connector, or a host.
    pub(crate) fn system_name(&self) -> &str {
        self.system.rsplit('/').next().unwrap_or_default()
    }
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
    classes: [Class<T>; PRIORITIES.len()],
    len: usize,
}

/// Those of one priority.
#[derive(Debug)]
struct Class<T> {
    tenants: Tenants<T>,
    /// Turns of higher priorities since its last one, while one of it waited.
    passed_by: u32,
}

type Tenants<T> = Ring<TenantName, Lanes<T>>;
type Lanes<T> = Ring<(Name, Lane), Keys<T>>;
type Keys<T> = Ring<Arc<str>, VecDeque<T>>;

impl<T> Default for Robin<T> {
    fn default() -> Self {
        let class = || Class { tenants: Ring::default(), passed_by: 0 };
        Self { classes: [class(), class(), class()], len: 0 }
    }
}

impl<T> Robin<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn class(&mut self, priority: Priority) -> &mut Tenants<T> {
        let [high, normal, low] = &mut self.classes;
        match priority {
            Priority::High => &mut high.tenants,
            Priority::Normal => &mut normal.tenants,
            Priority::Low => &mut low.tenants,
        }
    }

    /// In which order the priorities are asked: who was passed by often enough comes first.
    fn order(&self) -> [usize; PRIORITIES.len()] {
        let mut order = [0, 1, 2];
        order.sort_by_key(|class| {
            let Class { tenants, passed_by } = &self.classes[*class];
            tenants.is_empty() || *passed_by < TURNS_BEFORE
        });
        order
    }

    /// Those of lower priorities who might have had this turn were passed by. Who waits for something else was not: the
    /// turns at one limit are no matter of another one.
    fn took_turn(&mut self, class: usize, may: impl Fn(&TenantName, &Lane, Priority) -> bool) {
        self.classes[class].passed_by = 0;
        for (lower, priority) in self.classes.iter_mut().zip(PRIORITIES).skip(class + 1) {
            let Class { tenants, passed_by } = lower;
            let might = tenants.members.iter().any(|(tenant, lanes)| {
                lanes.members.keys().any(|(_, lane)| may(tenant, lane, priority))
            });
            *passed_by = if tenants.is_empty() { 0 } else { *passed_by + u32::from(might) };
        }
    }

    /// Lines up behind those of the same share.
    pub(crate) fn push(&mut self, share: &Share, item: T) {
        let class = self.class(share.priority);
        let lanes = class.member(&share.tenant);
        let keys = lanes.member(&(share.integration.clone(), share.lane.clone()));
        keys.member(&share.key).push_back(item);
        self.len += 1;
    }

    /// Shows all of them, in the order in which they are taken out.
    pub(crate) fn each(&self, mut show: impl FnMut(&T)) {
        for class in &self.classes {
            let lanes = class.tenants.values().flat_map(Ring::values);
            lanes.flat_map(Ring::values).flatten().for_each(&mut show);
        }
    }

    /// Takes out all of whom this is true, wherever they stand.
    pub(crate) fn take_out(&mut self, of: impl Fn(&T) -> bool) -> Vec<T> {
        let mut taken = Vec::new();
        for class in &mut self.classes {
            class.tenants.sift(|lanes| {
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
        let class = self.class(share.priority);
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
        for class in self.order() {
            let taken = self.classes[class].tenants.turn(
                |tenant, lanes| {
                    lanes.turn(
                        |(_, lane), keys| {
                            may(tenant, lane, PRIORITIES[class])
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
                self.took_turn(class, &may);
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

    fn values(&self) -> impl Iterator<Item = &V> {
        self.order.iter().filter_map(|key| self.members.get(key))
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
        assert!(
            robin.classes.iter().all(|class| class.tenants.is_empty()),
            "nothing is left of those who have nothing"
        );
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
        assert!(robin.classes[2].tenants.members.is_empty());
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
    fn high_priority_goes_first_and_leaves_a_tenth() {
        let mut robin = Robin::default();
        for n in 1..=40 {
            for (kind, priority) in
                [("h", Priority::High), ("n", Priority::Normal), ("l", Priority::Low)]
            {
                robin.push(&share("a", "x", "k", priority), format!("{kind}{n}"));
            }
        }
        let first: Vec<String> = (0..30).map(|_| robin.pop(|_, _, _| true).unwrap()).collect();
        let of = |kind: char| first.iter().filter(|one| one.starts_with(kind)).count();
        assert_eq!((of('h'), of('n'), of('l')), (26, 2, 2), "{first:?}");
        assert!(first[..9].iter().all(|one| one.starts_with('h')), "{first:?}");
    }

    #[test]
    fn turns_at_one_limit_are_no_matter_of_another() {
        let mut robin = Robin::default();
        for n in 1..=40 {
            robin.push(&share("a", "slow", "k", Priority::Normal), format!("n{n}"));
            robin.push(&share("a", "slow", "k", Priority::High), format!("h{n}"));
            robin.push(&share("b", "fast", "k", Priority::High), format!("f{n}"));
        }
        let mut at_slow = Vec::new();
        for _ in 0..8 {
            // Nine go to the fast one before the slow one lets one go.
            for _ in 0..9 {
                let fast = |_: &TenantName, lane: &Lane, _: Priority| &*lane.system == "fast";
                robin.pop(fast);
                robin.push(&share("b", "fast", "k", Priority::High), "f".to_owned());
            }
            let slow = |_: &TenantName, lane: &Lane, _: Priority| &*lane.system == "slow";
            at_slow.push(robin.pop(slow).unwrap());
        }
        assert!(at_slow.iter().all(|one| one.starts_with('h')), "{at_slow:?}");
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
