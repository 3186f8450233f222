//! How much of something scarce is taken, and how much more one tenant may take: a part of what is free, so that there is
//! always something left for who comes next. (Dynamic thresholds, as switches use them for shared buffers: Choudhury and
//! Hahne, 1998.)

use std::collections::HashMap;

use qc_model::TenantName;
use qc_store::Priority;

/// A tenant may take so many times what is free: alone it gets four fifths of all.
const TIMES_FREE: usize = 4;

/// Of all, one in so many may be of low priority whatever is free.
const LOW_PART: usize = 20;

/// What is taken of something scarce.
#[derive(Debug)]
pub(crate) struct Usage {
    limit: usize,
    total: usize,
    low: usize,
    /// What each tenant takes at normal priority.
    tenants: HashMap<TenantName, usize>,
}

impl Usage {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, total: 0, low: 0, tenants: HashMap::new() }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How much a tenant takes at normal priority.
    pub(crate) fn of(&self, tenant: &TenantName) -> usize {
        self.tenants.get(tenant).copied().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether there is room for one more of a tenant.
    pub(crate) fn fits(&self, tenant: &TenantName, priority: Priority) -> bool {
        let free = self.limit.saturating_sub(self.total);
        free > 0
            && match priority {
                Priority::Normal => self.of(tenant) < free.saturating_mul(TIMES_FREE),
                Priority::Low => self.low < free.max(self.limit / LOW_PART).max(1),
            }
    }

    pub(crate) fn enter(&mut self, tenant: &TenantName, priority: Priority) {
        self.total += 1;
        match priority {
            Priority::Normal => *self.tenants.entry(tenant.clone()).or_default() += 1,
            Priority::Low => self.low += 1,
        }
    }

    pub(crate) fn leave(&mut self, tenant: &TenantName, priority: Priority) {
        self.total = self.total.saturating_sub(1);
        match priority {
            Priority::Normal => {
                if let Some(count) = self.tenants.get_mut(tenant) {
                    *count -= 1;
                    if *count == 0 {
                        self.tenants.remove(tenant);
                    }
                }
            }
            Priority::Low => self.low = self.low.saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(usage: &mut Usage, tenant: &str, priority: Priority) -> usize {
        let tenant = TenantName::new(tenant).unwrap();
        let mut taken = 0;
        while usage.fits(&tenant, priority) {
            usage.enter(&tenant, priority);
            taken += 1;
        }
        taken
    }

    #[test]
    fn one_tenant_never_takes_all_and_the_next_always_finds_room() {
        let mut usage = Usage::new(1_000);
        let taken: Vec<_> =
            ["a", "b", "c"].iter().map(|who| fill(&mut usage, who, Priority::Normal)).collect();
        assert_eq!(taken, [800, 160, 32]);
        assert!(usage.fits(&TenantName::new("d").unwrap(), Priority::Normal));
        let a = TenantName::new("a").unwrap();
        for _ in 0..800 {
            usage.leave(&a, Priority::Normal);
        }
        assert_eq!((usage.of(&a), usage.total()), (0, 192));
    }

    #[test]
    fn a_small_house_is_filled_and_low_priority_leaves_half() {
        assert_eq!(fill(&mut Usage::new(1), "a", Priority::Normal), 1);
        assert_eq!(fill(&mut Usage::new(2), "a", Priority::Normal), 2);
        let mut usage = Usage::new(1_000);
        assert_eq!(fill(&mut usage, "a", Priority::Low), 500);
        // The same tenant's normal work is not held up by its own backfill.
        assert_eq!(fill(&mut usage, "a", Priority::Normal), 400);
        let mut full = Usage::new(100);
        assert_eq!(fill(&mut full, "a", Priority::Normal), 80);
        assert_eq!(fill(&mut full, "b", Priority::Normal), 16);
        assert_eq!(fill(&mut full, "a", Priority::Low), 4, "a small share is left for it");
        assert_eq!(fill(&mut Usage::new(0), "a", Priority::Normal), 0);
    }
}
