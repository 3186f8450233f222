//! The fields by which every answer tells of the limits that hold for it.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use qc_limit::{Quota, Scope, Standing, header};

use super::{Asked, Limits, Live};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");
// What clients read that know no structured fields.
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The field that tells which limits there are, where it is not known for whom they count.
pub(crate) fn policies_of(lives: &[Arc<Live>]) -> Vec<(HeaderName, HeaderValue)> {
    let mut policies = String::new();
    for live in lives {
        live.rule.measure.policy(&mut policies, &live.name);
    }
    let value = HeaderValue::from_str(&policies).ok().filter(|value| !value.is_empty());
    value.map(|value| (POLICY, value)).into_iter().collect()
}

/// The fields, as of now. How much others use of the whole server is told to nobody, unless nothing is left.
pub(crate) fn fields_of(asked: &Asked, limits: &Limits) -> Vec<(HeaderName, HeaderValue)> {
    let mut policies = String::new();
    for (at, (live, _)) in asked.limits.iter().enumerate() {
        asked.here(at).measure.policy(&mut policies, &live.name);
    }
    let standings = asked.standings(limits);
    let told = standings
        .into_iter()
        .filter(|(live, _, standing)| live.rule.scope != Scope::Gateway || standing.remaining == 0);
    let told: Vec<(&Live, Quota, Standing)> = told.collect();
    let mut state = String::new();
    for (live, _, standing) in &told {
        header::state(&mut state, &live.name, standing.remaining, standing.more_in);
    }
    let mut fields = vec![(POLICY, policies), (STATE, state)];
    if let Some((quota, standing)) = scarcest(&told) {
        fields.push((LEGACY_LIMIT, quota.burst().to_string()));
        fields.push((LEGACY_REMAINING, standing.remaining.to_string()));
        let reset = if standing.remaining == 0 { standing.more_in } else { Some(standing.full_in) };
        let seconds = reset.unwrap_or_default().div_ceil(1_000_000_000);
        fields.push((LEGACY_RESET, seconds.to_string()));
    }
    let values = fields.into_iter().filter(|(_, value)| !value.is_empty());
    values.filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?))).collect()
}

/// The limit of which the smallest part is left.
fn scarcest(told: &[(&Live, Quota, Standing)]) -> Option<(Quota, Standing)> {
    let quotas = told.iter().map(|(_, quota, standing)| (*quota, *standing));
    quotas.min_by_key(|(quota, standing)| {
        u128::from(standing.remaining) * 1_000_000 / u128::from(quota.burst())
    })
}
