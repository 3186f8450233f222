//! Buckets and their groups. A run's bucket is part of its id; nodes own groups of buckets.

use std::ops::Range;

use qc_model::RunId;
pub(crate) use qc_store::BUCKETS;

/// How many groups the buckets are leased in. More nodes than this cannot all own one.
pub(crate) const GROUPS: u16 = 64;

/// How many buckets a group has.
const GROUP_SIZE: u16 = BUCKETS / GROUPS;

/// The bucket of a run: from the random part of its id.
pub(crate) fn bucket_of(run: RunId) -> u16 {
    u16::try_from(run.bits() % u128::from(BUCKETS)).unwrap_or(0)
}

/// The same id in another bucket.
pub(crate) fn in_bucket(run: RunId, bucket: u16) -> RunId {
    let buckets = u128::from(BUCKETS);
    RunId::from_bits(run.bits() / buckets * buckets + u128::from(bucket % BUCKETS))
}

/// The group of a bucket.
pub(crate) fn group_of(bucket: u16) -> u16 {
    bucket / GROUP_SIZE
}

/// The group of a run.
pub(crate) fn group_of_run(run: RunId) -> u16 {
    group_of(bucket_of(run))
}

/// The buckets of a group.
pub(crate) fn buckets_of(group: u16) -> Range<u16> {
    group * GROUP_SIZE..(group + 1) * GROUP_SIZE
}

/// A bucket of a group, by chance.
pub(crate) fn bucket_in(group: u16, chance: u64) -> u16 {
    let place = chance % u64::from(GROUP_SIZE);
    group * GROUP_SIZE + u16::try_from(place).unwrap_or(0)
}

/// The buckets of some groups, which come sorted, neighbours together.
pub(crate) fn ranges(groups: &[u16]) -> Vec<Range<u16>> {
    let mut ranges: Vec<Range<u16>> = Vec::new();
    for group in groups {
        let buckets = buckets_of(*group);
        match ranges.last_mut() {
            Some(last) if last.end == buckets.start => last.end = buckets.end,
            _ => ranges.push(buckets),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_is_in_one_group_and_an_id_can_be_moved_into_any() {
        let mut last = 0;
        for group in 0..GROUPS {
            let buckets = buckets_of(group);
            assert_eq!(buckets.start, last);
            assert!(buckets.clone().all(|bucket| group_of(bucket) == group));
            last = buckets.end;
            for chance in [0, 15, 16, u64::MAX] {
                assert!(buckets.contains(&bucket_in(group, chance)));
            }
        }
        assert_eq!(last, BUCKETS);
        let run = RunId::from_bits((77 << 80) | 0xffff_ffff);
        for bucket in [0, 1, 1023] {
            let moved = in_bucket(run, bucket);
            assert_eq!(bucket_of(moved), bucket);
            assert_eq!(moved.bits() >> 10, run.bits() >> 10, "all but the bucket stays");
        }
    }

    #[test]
    fn neighbours_are_read_together() {
        assert_eq!(ranges(&[0, 1, 3, 62, 63]), [0..32, 48..64, 992..1024]);
        assert!(ranges(&[]).is_empty());
    }
}
