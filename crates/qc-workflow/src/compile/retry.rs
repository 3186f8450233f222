//! Retry policies: what is written, bounded.

use super::{Compiler, variables::Stage};
use crate::{
    Jitter, RetryPolicy,
    dsl::{self, RetryDefinition},
    program::Retry,
};

/// Attempts when neither a count nor a duration limits them.
const DEFAULT_ATTEMPTS: u32 = 5;

/// Attempts when only a duration limits them.
const ATTEMPT_LIMIT: u32 = 1_000;

/// Pause when none is written.
const DEFAULT_DELAY_MS: u64 = 1_000;

/// No pause of a written policy grows beyond an hour (a longer written delay stays as it is).
const PAUSE_LIMIT_MS: u64 = 3_600_000;

/// Longest time in which a `try` starts attempts when its policy names none: 30 days.
const DURATION_LIMIT_MS: u64 = 30 * 86_400_000;

impl Compiler<'_> {
    pub(super) fn retry(&mut self, retry: &dsl::Retry) -> Option<Retry> {
        let workflow = self.workflow;
        let definition = match retry {
            dsl::Retry::Named(name) => {
                self.lookup("retries", &workflow.components.retries, name)?
            }
            dsl::Retry::Inline(definition) => definition,
        };
        let when = self.optional_expression(definition.when.as_ref(), Stage::Definition);
        let except_when =
            self.optional_expression(definition.except_when.as_ref(), Stage::Definition);
        let attempt_ms = definition.attempt_ms;
        Some(Retry { policy: policy(definition), attempt_ms, when, except_when })
    }
}

fn policy(definition: &RetryDefinition) -> RetryPolicy {
    let delay_ms = definition.delay_ms.unwrap_or(DEFAULT_DELAY_MS);
    let attempts = match (definition.count, definition.duration_ms) {
        (Some(count), _) => count,
        (None, Some(_)) => ATTEMPT_LIMIT,
        (None, None) => DEFAULT_ATTEMPTS,
    };
    let jitter = match definition.jitter_ms {
        Some((from_ms, to_ms)) => Jitter::Range { from_ms, to_ms },
        None => Jitter::None,
    };
    RetryPolicy {
        delay_ms,
        backoff: definition.backoff,
        multiplier: 2.0,
        max_delay_ms: PAUSE_LIMIT_MS.max(delay_ms),
        jitter,
        attempts,
        duration_ms: definition.duration_ms.unwrap_or(DURATION_LIMIT_MS),
        ..RetryPolicy::default()
    }
}
