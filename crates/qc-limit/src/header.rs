//! Limits as senders are told of them: structured fields (RFC 9651), after `draft-ietf-httpapi-ratelimit-headers`.

use std::fmt::Write as _;

use crate::quota::{Quota, seconds};

/// One member of `RateLimit-Policy`: `"name";q=100;w=60`, that is, at most q units in any w seconds are never refused.
pub fn policy(out: &mut String, name: &str, quota: Quota) {
    item(out, name);
    let _ = write!(out, ";q={};w={}", quota.burst(), quota.window());
}

/// One member of `RateLimit-Policy` for things at a time: they end when they end, and there is no window.
pub fn concurrent_policy(out: &mut String, name: &str, most: u64) {
    item(out, name);
    let _ = write!(out, ";q={most};qu=\"concurrent-requests\"");
}

/// One member of `RateLimit`: `"name";r=50;t=30`, that is, so many units are left now, and more come in t seconds.
/// `more_in` is in nanoseconds; None: nothing is used, and no more will come.
pub fn state(out: &mut String, name: &str, remaining: u64, more_in: Option<u64>) {
    item(out, name);
    let _ = write!(out, ";r={remaining}");
    if let Some(nanos) = more_in {
        let _ = write!(out, ";t={}", seconds(nanos));
    }
}

/// A structured field's string. What such a string cannot hold is left out; names of limits have none of it.
fn item(out: &mut String, name: &str) {
    if !out.is_empty() {
        out.push_str(", ");
    }
    out.push('"');
    for c in name.chars().filter(|c| (' '..='~').contains(c)) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_fields_are_the_drafts() {
        let mut out = String::new();
        policy(&mut out, "burst", Quota::new(100, Duration::from_secs(60), None).unwrap());
        policy(&mut out, "daily", Quota::new(1000, Duration::from_secs(86_400), None).unwrap());
        concurrent_policy(&mut out, "open", 20);
        let expected =
            r#""burst";q=100;w=60, "daily";q=1000;w=86400, "open";q=20;qu="concurrent-requests""#;
        assert_eq!(out, expected);
        let mut out = String::new();
        state(&mut out, "burst", 50, Some(29_000_000_001));
        state(&mut out, "full", 9, None);
        state(&mut out, r#"a"\b"#, 0, Some(1));
        assert_eq!(out, r#""burst";r=50;t=30, "full";r=9, "a\"\\b";r=0;t=1"#);
    }
}
