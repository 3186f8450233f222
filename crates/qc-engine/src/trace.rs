//! Under which ids a run and its calls are seen in a distributed trace. Source: W3C Trace Context 1.

use std::iter;

use qc_model::RunId;
use qc_workflow::CallId;

/// The id of the span that a run is: known from the run's id alone, so that whoever handles a part
/// of a run can name it.
pub fn run_span(run: RunId) -> u64 {
    span(run, iter::empty())
}

/// The `traceparent` of a run itself, given its sender's.
pub(crate) fn run_traceparent(incoming: Option<&str>, run: RunId) -> String {
    written(incoming, run, run_span(run))
}

/// The `traceparent` that goes with one attempt of a call.
pub(crate) fn traceparent(
    incoming: Option<&str>,
    run: RunId,
    call: &CallId,
    attempt: u32,
) -> String {
    let end = iter::once(0xff).chain(attempt.to_le_bytes());
    let rest = call.pointer.bytes().chain(iter::once(0xff)).chain(call.visit.bytes()).chain(end);
    written(incoming, run, span(run, rest))
}

/// The sender's trace when it named one, and its wish whether to sample it; else the run's id as
/// the trace's id, so that a run's trace can be found from its id.
fn written(incoming: Option<&str>, run: RunId, span: u64) -> String {
    let sent = incoming.and_then(|text| {
        let mut parts = text.split('-').skip(1);
        let trace = parts.next().filter(|trace| trace.len() == 32)?;
        let flags = u8::from_str_radix(parts.nth(1)?, 16).ok()?;
        Some((trace.to_owned(), flags & 1))
    });
    let (trace, flags) = sent.unwrap_or_else(|| (format!("{:032x}", run.bits()), 1));
    format!("00-{trace}-{span:016x}-{flags:02x}")
}

/// FNV-1a: spans need to differ, not to be unguessable. The run is part of each, because several
/// runs may belong to one trace of their sender's.
fn span(run: RunId, rest: impl Iterator<Item = u8>) -> u64 {
    let mut span: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in run.bits().to_be_bytes().into_iter().chain(rest) {
        span = (span ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    span.max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn call(pointer: &str, visit: &str) -> CallId {
        CallId { pointer: pointer.into(), visit: visit.into() }
    }

    #[test]
    fn a_run_without_a_sender_s_trace_is_a_trace_of_its_own() {
        let run = RunId::from_bits(0x0193_5a5e_0000_7000_8000_0000_0000_0001);
        let own = run_traceparent(None, run);
        assert_eq!(own, format!("00-{:032x}-{:016x}-01", run.bits(), run_span(run)));
        let sent = traceparent(None, run, &call("/do/0/a", ""), 1);
        assert_eq!(sent[..36], own[..36]);
        assert_ne!(sent, own);
    }

    #[test]
    fn the_sender_s_trace_and_its_wish_to_sample_are_kept() {
        let run = RunId::from_bits(7);
        let sent = traceparent(Some(SENDER), run, &call("/do/0/a", ""), 1);
        assert_eq!(sent[..36], SENDER[..36]);
        assert!(sent.ends_with("-01"), "{sent}");
        let unsampled = SENDER.replace("-01", "-00");
        assert!(run_traceparent(Some(&unsampled), run).ends_with("-00"));
        // Flags that we do not know are not ours to hand on.
        let more = SENDER.replace("-01", "-fe");
        assert!(run_traceparent(Some(&more), run).ends_with("-00"));
    }

    #[test]
    fn every_attempt_of_every_call_of_every_run_of_one_trace_is_another_span() {
        let mut seen = BTreeSet::new();
        for run in [1, 2, 1 << 64].map(RunId::from_bits) {
            assert!(seen.insert(run_traceparent(Some(SENDER), run)));
            for (pointer, visit) in
                [("/do/0/a", ""), ("/do/0/a", "1"), ("/do/0/a1", ""), ("/do/1/b", "")]
            {
                for attempt in [1, 2, 256, 257] {
                    let id = call(pointer, visit);
                    assert!(seen.insert(traceparent(Some(SENDER), run, &id, attempt)));
                }
            }
        }
    }
}
