//! The integration's rules for calls, laid over what the connectors say.

use std::collections::BTreeMap;
use std::time::Duration;

use qc_workflow::{CallPolicy, CallSite, Effect, Program, QuietHours, RetryPolicy};

use crate::integration::{Backoff, CallRules, EffectWord, Integration, RetryRules, TaskRules};

/// The policies of the tasks for which the integration has rules, by the task's pointer.
pub(crate) fn task_policies(
    integration: &Integration,
    program: &Program,
) -> BTreeMap<String, CallPolicy> {
    program
        .calls()
        .filter_map(|site| {
            let mut policy = site.policy.clone();
            for rules in laid(integration, site)? {
                lay(rules, &mut policy);
            }
            Some((site.pointer.to_string(), policy))
        })
        .collect()
}

/// In which hours which tasks make no calls, by the task's pointer.
pub(crate) fn quiet_hours(
    integration: &Integration,
    program: &Program,
) -> BTreeMap<String, QuietHours> {
    let quiet = program.calls().filter_map(|site| {
        let rules = laid(integration, site)?;
        let quiet = rules.filter_map(|rules| rules.quiet_hours.as_ref()).last()?;
        Some((site.pointer.to_string(), quiet.value.hours()))
    });
    quiet.collect()
}

/// The rules of a place of call: the named ones first, the task's own over them.
fn laid<'a>(
    integration: &'a Integration,
    site: &CallSite,
) -> Option<impl Iterator<Item = &'a CallRules>> {
    let (_, rules) = rules_of(integration, site)?;
    let named = rules.policy.as_ref().and_then(|name| integration.policies.get(&name.value));
    Some(named.into_iter().chain([&rules.own]))
}

/// The rules of the integration for a place of call, by its task's pointer or name.
pub(crate) fn rules_of<'a>(
    integration: &'a Integration,
    site: &CallSite,
) -> Option<(&'a str, &'a TaskRules)> {
    let by =
        |key: &str| integration.tasks.entry(key).map(|(key, rules)| (key.value.as_str(), rules));
    by(&site.pointer).or_else(|| by(&site.task_name))
}

fn lay(rules: &CallRules, policy: &mut CallPolicy) {
    if let Some(effect) = &rules.effect {
        policy.effect = effect_class(effect.value);
    }
    if let Some(retry) = &rules.retry {
        policy.retry = retry_policy(retry, &policy.retry);
    }
    if let Some(timeout) = rules.timeout {
        policy.timeout_ms = milliseconds(timeout);
    }
    if let Some(spread) = &rules.spread {
        policy.spread_ms = milliseconds(spread.value);
    }
}

pub(crate) fn effect_class(word: EffectWord) -> Effect {
    match word {
        EffectWord::Idempotent => Effect::Idempotent,
        EffectWord::Keyed => Effect::Keyed,
        EffectWord::Verify => Effect::Verify,
        EffectWord::Once => Effect::Once,
    }
}

fn retry_policy(rules: &RetryRules, base: &RetryPolicy) -> RetryPolicy {
    let mut policy = base.clone();
    if let Some(attempts) = rules.attempts {
        policy.attempts = u32::try_from(attempts.0).unwrap_or(u32::MAX);
    }
    if let Some(delay) = rules.delay {
        policy.delay_ms = milliseconds(delay);
    }
    if let Some(backoff) = rules.backoff {
        policy.backoff = match backoff {
            Backoff::Constant => qc_workflow::Backoff::Constant,
            Backoff::Linear => qc_workflow::Backoff::Linear,
            Backoff::Exponential => qc_workflow::Backoff::Exponential,
        };
    }
    if let Some(longest) = rules.max_delay {
        policy.max_delay_ms = milliseconds(longest);
    }
    if let Some(duration) = rules.duration {
        policy.duration_ms = milliseconds(duration);
    }
    policy
}

pub(super) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
