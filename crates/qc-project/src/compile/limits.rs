//! Limits, as the doors keep them.

use qc_limit::{Measure, Quota, QuotaError, Rule, Scope};

use crate::{
    integration::{Excess, Integration, Limit, LimitScope},
    project::Loaded,
};

/// The limits of an integration. What cannot be kept was refused when it was checked; releases from before that had other
/// words for the excess, which nothing did.
pub(crate) fn limits(definition: &Loaded<Integration>) -> Vec<Rule> {
    let owners = definition.value.owners.as_ref();
    let owner = owners.map(|owners| owners.technical.to_string());
    let rule = |limit: &Limit| {
        let measure = match (&limit.concurrency, quota(limit)) {
            (Some(runs), _) => Measure::AtOnce(runs.0.unsigned_abs()),
            (None, Some(Ok(quota))) => Measure::Rate(quota),
            (None, Some(Err(_)) | None) => return None,
        };
        Some(Rule {
            name: limit.name.value.to_string(),
            scope: match limit.scope {
                LimitScope::Tenant => Scope::Tenant,
                LimitScope::Token => Scope::Token,
                LimitScope::Trigger => Scope::Trigger,
                LimitScope::Integration => Scope::Integration,
            },
            measure,
            protects: limit.protects.clone(),
            owner: owner.clone(),
        })
    };
    let limits = definition.value.limits.iter();
    limits.filter(|limit| limit.on_excess.value == Excess::Reject).filter_map(rule).collect()
}

/// The quota of a limit that counts over time.
pub(crate) fn quota(limit: &Limit) -> Option<Result<Quota, QuotaError>> {
    let rate = limit.rate.as_ref()?.value;
    let burst = limit.burst.as_ref().map(|burst| burst.value.0.unsigned_abs());
    Some(Quota::new(rate.count, rate.per, burst))
}
