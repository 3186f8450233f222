use std::time::Duration;

use qc_document::{Node, ObjectReader};
use qc_workflow::{Backoff, Jitter, RetryPolicy};

/// No retry goes on for longer than this.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads a retry policy; what is not said is as in the default policy.
pub(super) fn read(mut object: ObjectReader<'_, '_>) -> RetryPolicy {
    let backoffs = [
        ("constant", Backoff::Constant),
        ("linear", Backoff::Linear),
        ("exponential", Backoff::Exponential),
    ];
    let standard = RetryPolicy::default();
    let delay_ms = millis(&mut object, "delay", standard.delay_ms);
    let backoff = object.optional_choice("backoff", &backoffs).unwrap_or(standard.backoff);
    let multiplier =
        object.optional_number("multiplier", 1.0..=100.0).unwrap_or(standard.multiplier);
    let max_delay_ms = millis(&mut object, "max_delay", standard.max_delay_ms);
    let attempts =
        object.optional_integer("attempts", 1..=1000).and_then(|n| u32::try_from(n).ok());
    let duration_ms = millis(&mut object, "duration", standard.duration_ms);
    let stated_wait_ms = millis(&mut object, "stated_wait", standard.stated_wait_ms);
    let jitter = object.optional("jitter").and_then(|node| jitter(&object, node));
    object.finish();
    RetryPolicy {
        delay_ms,
        backoff,
        multiplier,
        max_delay_ms,
        jitter: jitter.unwrap_or(standard.jitter),
        attempts: attempts.unwrap_or(standard.attempts),
        duration_ms,
        stated_wait_ms,
    }
}

fn millis(object: &mut ObjectReader<'_, '_>, key: &'static str, standard: u64) -> u64 {
    let node = object.optional(key);
    let Some(length) = object.optional_duration(key) else { return standard };
    if let Some(node) = node
        && length > LONGEST
    {
        object.reader().invalid(node, format!("`{key}` is at most 30d"));
    }
    milliseconds(length.min(LONGEST))
}

pub(super) fn milliseconds(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

fn jitter(retry: &ObjectReader<'_, '_>, node: &Node) -> Option<Jitter> {
    let reader = retry.reader();
    match node.as_str() {
        Some("none") => return Some(Jitter::None),
        Some("full") => return Some(Jitter::Full),
        Some(_) => {
            reader.invalid(node, "`jitter` is `none`, `full`, or an object with `from` and `to`");
            return None;
        }
        None => {}
    }
    let mut object = reader.object(node, "`jitter`")?;
    let from = object.duration("from");
    let to = object.duration("to");
    object.finish();
    let (from, to) = (from?, to?);
    if from > to {
        reader.invalid(node, "`from` is longer than `to`");
        return None;
    }
    Some(Jitter::Range { from_ms: milliseconds(from), to_ms: milliseconds(to) })
}
