use std::{ops::Range, sync::Arc, time::Duration};

use crate::{BUCKETS, Lease, LeaseSeen, StoreError};

/// Who holds which bucket, for backends that live in one process. Time is a duration since some
/// fixed moment of the backend's own clock.
///
/// A lease is fenced by its epoch alone: one that has run out but that nobody took still commits,
/// so safety never depends on clocks.
#[derive(Debug)]
pub struct LeaseTable {
    slots: Vec<Option<Slot>>,
}

#[derive(Debug, Clone)]
struct Slot {
    node: Arc<str>,
    epoch: u64,
    until: Duration,
}

impl Default for LeaseTable {
    fn default() -> Self {
        Self { slots: vec![None; usize::from(BUCKETS)] }
    }
}

impl LeaseTable {
    /// Whether `node` may take these buckets now: each is free, run out, or its own.
    pub fn free_for(
        &self,
        buckets: &Range<u16>,
        node: &str,
        now: Duration,
    ) -> Result<bool, StoreError> {
        let slots = self.slots(buckets)?;
        Ok(slots.iter().flatten().all(|slot| &*slot.node == node || slot.until <= now))
    }

    /// Hands the buckets to `node` under `epoch`, which must be higher than any before.
    pub fn take(
        &mut self,
        buckets: Range<u16>,
        node: &str,
        epoch: u64,
        until: Duration,
    ) -> Result<Lease, StoreError> {
        self.slots(&buckets)?;
        let slot = Slot { node: node.into(), epoch, until };
        for bucket in buckets.clone() {
            self.slots[usize::from(bucket)] = Some(slot.clone());
        }
        Ok(Lease { buckets, node: node.to_owned(), epoch })
    }

    /// Prolongs a lease; false when a bucket of it has moved on.
    pub fn renew(&mut self, lease: &Lease, until: Duration) -> bool {
        let held = lease.buckets.clone().all(|bucket| self.covers(lease, bucket));
        if held && !lease.buckets.is_empty() {
            for bucket in lease.buckets.clone() {
                if let Some(slot) = &mut self.slots[usize::from(bucket)] {
                    slot.until = until;
                }
            }
            return true;
        }
        false
    }

    /// Gives up the buckets of a lease, as far as it still covers them.
    pub fn release(&mut self, lease: &Lease) {
        for bucket in lease.buckets.clone() {
            if self.covers(lease, bucket) {
                self.slots[usize::from(bucket)] = None;
            }
        }
    }

    /// All that is leased, neighbours of one lease together.
    pub fn seen(&self, now: Duration) -> Vec<LeaseSeen> {
        let mut seen: Vec<LeaseSeen> = Vec::new();
        for (bucket, slot) in (0..BUCKETS).zip(&self.slots) {
            let Some(slot) = slot else { continue };
            let left = slot.until.saturating_sub(now);
            match seen.last_mut() {
                Some(LeaseSeen { lease, left: before })
                    if lease.buckets.end == bucket
                        && lease.epoch == slot.epoch
                        && *lease.node == *slot.node
                        && *before == left =>
                {
                    lease.buckets.end = bucket + 1;
                }
                _ => {
                    let (node, epoch) = (slot.node.to_string(), slot.epoch);
                    let lease = Lease { buckets: bucket..bucket + 1, node, epoch };
                    seen.push(LeaseSeen { lease, left });
                }
            }
        }
        seen
    }

    /// Whether the lease gives the right to commit runs of this bucket.
    pub fn covers(&self, lease: &Lease, bucket: u16) -> bool {
        lease.buckets.contains(&bucket)
            && self
                .slots
                .get(usize::from(bucket))
                .and_then(Option::as_ref)
                .is_some_and(|slot| slot.epoch == lease.epoch && *slot.node == *lease.node)
    }

    fn slots(&self, buckets: &Range<u16>) -> Result<&[Option<Slot>], StoreError> {
        let range = usize::from(buckets.start)..usize::from(buckets.end);
        if range.is_empty() {
            return Err(StoreError::Refused("a lease needs at least one bucket".to_owned()));
        }
        self.slots.get(range).ok_or_else(|| {
            StoreError::Refused(format!("buckets {buckets:?} are not all below {BUCKETS}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_ends_when_it_is_taken_not_when_it_runs_out() {
        let mut table = LeaseTable::default();
        assert!(table.free_for(&(0..512), "a", at(0)).unwrap());
        let first = table.take(0..512, "a", 1, at(10)).unwrap();
        assert!(!table.free_for(&(500..600), "b", at(9)).unwrap());
        assert!(table.free_for(&(500..600), "b", at(10)).unwrap());
        assert!(table.covers(&first, 511) && !table.covers(&first, 512));
        assert!(table.renew(&first, at(30)));
        assert!(!table.free_for(&(500..600), "b", at(29)).unwrap());
        table.take(500..600, "b", 2, at(40)).unwrap();
        assert!(table.covers(&first, 499) && !table.covers(&first, 500));
        assert!(!table.renew(&first, at(50)), "a bucket of it has moved on");
    }

    #[test]
    fn what_is_released_is_free_at_once_and_seen_no_more() {
        let mut table = LeaseTable::default();
        let first = table.take(0..32, "a", 1, at(10)).unwrap();
        table.take(16..32, "b", 2, at(10)).unwrap();
        let shown: Vec<_> = table
            .seen(at(4))
            .into_iter()
            .map(|s| (s.lease.buckets, s.lease.epoch, s.left))
            .collect();
        assert_eq!(shown, [(0..16, 1, at(6)), (16..32, 2, at(6))]);
        table.release(&first);
        assert!(!table.covers(&first, 0) && table.free_for(&(0..16), "b", at(0)).unwrap());
        assert!(!table.free_for(&(16..17), "a", at(0)).unwrap(), "another's stays");
        let shown: Vec<_> =
            table.seen(at(11)).into_iter().map(|s| (s.lease.buckets, s.left)).collect();
        assert_eq!(shown, [(16..32, at(0))]);
    }

    #[test]
    fn ranges_outside_are_refused() {
        let table = LeaseTable::default();
        for range in [0..0, 1000..1025, 2000..2001] {
            assert!(matches!(table.free_for(&range, "a", at(0)), Err(StoreError::Refused(_))));
        }
    }
}
