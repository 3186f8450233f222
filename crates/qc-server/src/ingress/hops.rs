//! How long the chain of QuickConnects is that ends at an event.

use http::HeaderMap;
use qc_engine::HOPS_MAX;

use crate::{Problem, codes};

/// What the sender says, who is a QuickConnect then; else 0.
pub(super) fn given(headers: &HeaderMap) -> u32 {
    let value = headers.get("qc-hops").and_then(|value| value.to_str().ok());
    value.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Refuses what goes in a circle.
pub(super) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let hops = given(headers);
    if hops <= HOPS_MAX {
        return Ok(());
    }
    let detail = format!(
        "the event comes through {hops} runs that began one another, and beyond {HOPS_MAX} none is begun: they call each other in a circle"
    );
    Err(Problem::new(508, codes::LOOP, "Loop detected", detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_is_believed_and_only_a_long_chain_is_refused() {
        let headers = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("qc-hops", value.parse().expect("a legal value"));
            headers
        };
        for (value, hops) in [("3", 3), ("", 0), ("-1", 0), ("many", 0), ("99999999999", 0)] {
            assert_eq!(given(&headers(value)), hops, "{value}");
        }
        assert_eq!(given(&HeaderMap::new()), 0);
        assert!(check(&headers("32")).is_ok());
        let problem = check(&headers("33")).expect_err("a circle");
        assert_eq!((problem.status, problem.code.as_str()), (508, "QC-I061"));
    }
}
