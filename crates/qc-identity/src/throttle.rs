use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use qc_model::Timestamp;

/// So many failed attempts in a row are let pass from one address, and
const BURST: u32 = 30;
/// one more in this time.
const EVERY: Duration = Duration::from_secs(2);
/// The most addresses that are remembered; beyond it those that behave are forgotten first.
const ADDRESSES: usize = 20_000;

/// Counts failed attempts to authenticate, by the address they come from: a token bucket, as the time at which it will be
/// full again (the generic cell rate algorithm). Kept in memory: each node counts its own.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<IpAddr, Timestamp>>);

impl Throttle {
    /// Whether an attempt from this address may be made now; else, after how long.
    pub fn may_try(&self, from: IpAddr, now: Timestamp) -> Result<(), Duration> {
        let full =
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&network(from)).copied();
        let ahead = full.map_or(Duration::ZERO, |full| full.since(now));
        let room = EVERY * (BURST - 1);
        ahead.checked_sub(room).filter(|rest| !rest.is_zero()).map_or(Ok(()), Err)
    }

    /// Takes one out of the bucket.
    pub fn failed(&self, from: IpAddr, now: Timestamp) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES {
            buckets.retain(|_, full| *full > now);
            if buckets.len() >= ADDRESSES {
                buckets.clear();
            }
        }
        let full = buckets.entry(network(from)).or_insert(now);
        *full = (*full).max(now).min(now + EVERY * BURST) + EVERY;
    }
}

/// Who has one address of IPv6 has the whole network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_one_address_are_limited_and_the_limit_goes_by_itself() {
        let throttle = Throttle::default();
        let start = Timestamp::from_millis(1_000_000);
        let (bad, good) = ("10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap());
        for count in 0..BURST {
            assert!(throttle.may_try(bad, start).is_ok(), "{count}");
            throttle.failed(bad, start);
        }
        assert_eq!(throttle.may_try(bad, start), Err(EVERY));
        assert!(throttle.may_try(good, start).is_ok());
        assert!(throttle.may_try("::ffff:10.0.0.1".parse().unwrap(), start).is_err());
        assert!(throttle.may_try(bad, start + EVERY).is_ok());
        for _ in 0..10_000 {
            throttle.failed(bad, start);
        }
        assert!(throttle.may_try(bad, start + EVERY * 3).is_ok(), "no debt without end");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address_and_memory_is_bounded() {
        let throttle = Throttle::default();
        let now = Timestamp::from_millis(1_000_000);
        for count in 0..BURST {
            throttle.failed(format!("2001:db8::{count:x}").parse().unwrap(), now);
        }
        assert!(throttle.may_try("2001:db8::ffff".parse().unwrap(), now).is_err());
        assert!(throttle.may_try("2001:db8:0:1::".parse().unwrap(), now).is_ok());
        for count in 0..50_000_u32 {
            throttle.failed(IpAddr::V4(count.into()), now);
        }
        assert!(throttle.0.lock().unwrap().len() <= ADDRESSES);
    }
}
