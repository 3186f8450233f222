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
    /// The same at high priority: its standing work does not keep a tenant from what is critical.
    high: HashMap<TenantName, usize>,
}

impl Usage {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, total: 0, low: 0, tenants: HashMap::new(), high: HashMap::new() }
    }

    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// How much a tenant takes that counts for one more of this priority: what is critical counts by itself.
    pub(crate) fn of(&self, tenant: &TenantName, priority: Priority) -> usize {
        match priority {
            Priority::High => taken(&self.high, tenant),
            Priority::Normal | Priority::Low => taken(&self.tenants, tenant),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// Whether there is room for one more of a tenant.
    pub(crate) fn fits(&self, tenant: &TenantName, priority: Priority) -> bool {
        let free = self.limit.saturating_sub(self.total);
        free > 0
            && match priority {
                Priority::High | Priority::Normal => {
                    self.of(tenant, priority) < free.saturating_mul(TIMES_FREE)
                }
                Priority::Low => self.low < free.max(self.limit / LOW_PART).max(1),
            }
    }

    pub(crate) fn enter(&mut self, tenant: &TenantName, priority: Priority) {
        self.total += 1;
        match self.shares(priority) {
            Some(tenants) => *tenants.entry(tenant.clone()).or_default() += 1,
            None => self.low += 1,
        }
    }

    pub(crate) fn leave(&mut self, tenant: &TenantName, priority: Priority) {
        self.total = self.total.saturating_sub(1);
        let Some(tenants) = self.shares(priority) else {
            self.low = self.low.saturating_sub(1);
            return;
        };
        if let Some(count) = tenants.get_mut(tenant) {
            *count -= 1;
            if *count == 0 {
                tenants.remove(tenant);
            }
        }
    }

    /// What each tenant takes at this priority; None: it is not told apart.
    fn shares(&mut self, priority: Priority) -> Option<&mut HashMap<TenantName, usize>> {
        match priority {
            Priority::High => Some(&mut self.high),
            Priority::Normal => Some(&mut self.tenants),
            Priority::Low => None,
        }
    }
}

fn taken(of: &HashMap<TenantName, usize>, tenant: &TenantName) -> usize {
    of.get(tenant).copied().unwrap_or(0)
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
        assert_eq!((usage.of(&a, Priority::Normal), usage.total()), (0, 192));
    }

    #[test]
    fn what_is_critical_finds_room_beside_its_tenants_other_work() {
        let mut usage = Usage::new(1_000);
        assert_eq!(fill(&mut usage, "a", Priority::Normal), 800);
        assert_eq!(fill(&mut usage, "a", Priority::High), 160);
        assert_eq!(usage.of(&TenantName::new("a").unwrap(), Priority::High), 160);
        assert!(usage.fits(&TenantName::new("b").unwrap(), Priority::High));
        let a = TenantName::new("a").unwrap();
        (0..160).for_each(|_| usage.leave(&a, Priority::High));
        assert_eq!((usage.total(), usage.of(&a, Priority::High)), (800, 0));
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
