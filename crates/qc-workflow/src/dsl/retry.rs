//! Retry policies of the language.

use qc_document::{Node, ObjectReader, Reader};

use super::{RetryDefinition, duration::fixed_ms, fields::optional_text};
use crate::{Backoff, codes};

/// Most attempts that a policy may ask for.
const COUNT_LIMIT: i64 = 1_000;

/// Reads a retry policy.
pub(super) fn retry(reader: &Reader<'_>, node: &Node) -> Option<RetryDefinition> {
    let mut fields = reader.object(node, "the retry policy")?;
    let when = optional_text(&mut fields, "when");
    let except_when = optional_text(&mut fields, "exceptWhen");
    let delay_ms = fields.optional("delay").and_then(|node| fixed_ms(reader, node, "`delay`"));
    let backoff = backoff(&mut fields);
    let (mut count, mut attempt_ms, mut duration_ms) = (None, None, None);
    if let Some(mut limit) = fields.optional_object("limit") {
        if let Some(mut attempt) = limit.optional_object("attempt") {
            count = attempt
                .optional_integer("count", 1..=COUNT_LIMIT)
                .and_then(|count| u32::try_from(count).ok());
            attempt_ms =
                attempt.optional("duration").and_then(|n| fixed_ms(reader, n, "`duration`"));
            attempt.finish();
        }
        duration_ms = limit.optional("duration").and_then(|n| fixed_ms(reader, n, "`duration`"));
        limit.finish();
    }
    let jitter_ms = fields.optional_object("jitter").and_then(|inner| jitter(reader, inner));
    fields.finish();
    Some(RetryDefinition {
        when,
        except_when,
        delay_ms,
        backoff,
        count,
        attempt_ms,
        duration_ms,
        jitter_ms,
    })
}

fn backoff(fields: &mut ObjectReader<'_, '_>) -> Backoff {
    let Some(mut inner) = fields.optional_object("backoff") else { return Backoff::Constant };
    let found = inner.exactly_one(&["constant", "linear", "exponential"]);
    inner.finish();
    let Some((name, node)) = found else { return Backoff::Constant };
    if let Some(settings) = fields.reader().object(node, &format!("`{name}`")) {
        settings.finish();
    }
    match name {
        "linear" => Backoff::Linear,
        "exponential" => Backoff::Exponential,
        _ => Backoff::Constant,
    }
}

fn jitter(reader: &Reader<'_>, mut inner: ObjectReader<'_, '_>) -> Option<(u64, u64)> {
    let from = inner.required("from").and_then(|node| fixed_ms(reader, node, "`from`"));
    let to = inner.required("to").and_then(|node| fixed_ms(reader, node, "`to`"));
    let span = inner.span();
    inner.finish();
    let (from, to) = (from?, to?);
    if from > to {
        let message = "the jitter's `from` is longer than its `to`";
        reader.report(codes::RETRY_POLICY, span, message);
        return None;
    }
    Some((from, to))
}
