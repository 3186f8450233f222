//! Limits, as the doors keep them.

use qc_limit::{Measure, Quota, QuotaError, Rule, Scope};

use crate::{
    integration::{Excess, Integration, Lesser, Limit, LimitScope},
    project::Loaded,
};

/// The limits of an integration. What cannot be kept was refused when it was checked.
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
            excess: excess(&limit.on_excess.value),
        })
    };
    definition.value.limits.iter().filter_map(rule).collect()
}

/// What it says of the excess that cannot be kept was refused when it was checked, too.
fn excess(declared: &Excess) -> qc_limit::Excess {
    match declared {
        Excess::Reject => qc_limit::Excess::Reject,
        Excess::Queue { max, ttl } => qc_limit::Excess::Queue { most: *max, ttl: *ttl },
        Excess::Degrade(lesser) => match (&lesser.concurrency, lesser_quota(lesser)) {
            (Some(runs), _) => qc_limit::Excess::Degrade(Measure::AtOnce(runs.0.unsigned_abs())),
            (None, Some(Ok(quota))) => qc_limit::Excess::Degrade(Measure::Rate(quota)),
            (None, Some(Err(_)) | None) => qc_limit::Excess::Reject,
        },
    }
}

/// How much over time is done in a lesser way.
pub(crate) fn lesser_quota(lesser: &Lesser) -> Option<Result<Quota, QuotaError>> {
    let rate = lesser.rate.as_ref()?.value;
    let burst = lesser.burst.as_ref().map(|burst| burst.value.0.unsigned_abs());
    Some(Quota::new(rate.count, rate.per, burst))
}

/// The quota of a limit that counts over time.
pub(crate) fn quota(limit: &Limit) -> Option<Result<Quota, QuotaError>> {
    let rate = limit.rate.as_ref()?.value;
    let burst = limit.burst.as_ref().map(|burst| burst.value.0.unsigned_abs());
    Some(Quota::new(rate.count, rate.per, burst))
}

/// The class as the engine knows it.
pub(crate) fn class(class: crate::integration::ServiceClass) -> qc_engine::ServiceClass {
    match class {
        crate::integration::ServiceClass::Critical => qc_engine::ServiceClass::Critical,
        crate::integration::ServiceClass::Standard => qc_engine::ServiceClass::Standard,
        crate::integration::ServiceClass::Deferrable => qc_engine::ServiceClass::Deferrable,
    }
}
