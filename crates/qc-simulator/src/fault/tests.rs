use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Vec<Fault>, Vec<String>> {
    Fault::parse(text).map_err(|findings| findings.iter().map(|f| f.code.to_string()).collect())
}

#[test]
fn every_fault_reads_back_as_it_is_shown() {
    let all = r#"
- {when: {operation: a, nth: 2, every: 3, probability: 0.25, body_contains: x, after: 1s, until: 2s}, then: drop_after_apply}
- {when: {body: {at: /a, equals: {b: 1}}, after: "2026-11-20T12:00:00Z"}, then: drop_before_apply, times: 4}
- {then: {status: {code: 500, retry_after: 3s, body: {a: 1}, applied: true}}, times: always}
- {then: {status: 502}}
- {then: {throttle: {retry_after: 1s}}}
- {then: throttle}
- {then: {unavailable: {retry_after: 1m}}}
- {then: expire_token}
- {then: revoke_credentials}
- {then: hang}
- {then: {hang: {applied: true}}}
- {then: {slow: 10ms}}
- {then: malformed}
- {then: wrong_type}
- {then: {wrong_type: {at: /x}}}
- {then: {drift: {rename: {from: /a, to: b}}}}
- {then: {drift: {remove: /a}}}
- {then: {drift: {remove: [/a, /b/*/c]}}}
- {then: {drift: {change_type: /a}}}
- {then: {oversize: {bytes: 10}}}
- {then: oversize}
- {then: {error_in_200: {ok: false}}}
"#;
    let faults = read(all).unwrap();
    assert_eq!(faults.len(), 22);
    for fault in faults {
        let shown = fault.to_value().to_string();
        assert_eq!(read(&shown), Ok(vec![fault]), "{shown}");
    }
}

#[test]
fn once_unless_it_recurs() {
    let times = |text: &str| read(text).unwrap()[0].times;
    assert_eq!(times("then: hang"), Some(1));
    assert_eq!(times("{when: {nth: 3}, then: hang}"), Some(1));
    assert_eq!(times("{when: {every: 3}, then: hang}"), None);
    assert_eq!(times("{when: {every: 3}, then: hang, times: 2}"), Some(2));
    assert_eq!(times("{then: hang, times: always}"), None);
}

#[test]
fn mistakes_are_told() {
    let codes = |text: &str| read(text).unwrap_err();
    assert_eq!(codes("then: explode"), ["QC-T003"]);
    assert_eq!(codes("then: {hang: {}, slow: 1s}"), ["QC-T003"]);
    assert_eq!(codes("{when: {after: 2s, until: 1s}, then: hang}"), ["QC-T004"]);
    assert_eq!(codes("{when: {probability: 0}, then: hang}"), ["QC-T004"]);
    assert_eq!(codes("then: {drift: {remove: id}}"), ["QC-T005"]);
    assert_eq!(codes("then: {drift: {remove: [/id, id]}}"), ["QC-T005"]);
    assert_eq!(codes("then: {drift: {remove: []}}").len(), 1);
    assert_eq!(
        codes("{then: {slow: fast}, times: 0, wehn: {}}"),
        ["QC-Q015", "QC-Q015", "QC-Q012"]
    );
    assert_eq!(codes("then: {status: 99}"), ["QC-Q015"]);
    assert_eq!(codes("then: {malformed: 1}"), ["QC-Q015"]);
}

proptest! {
    #[test]
    fn a_fault_strikes_exactly_its_times(times in 1u64..20, nth in 1u64..10, calls in 0u64..60) {
        let mut faults = ActiveFaults::new(3);
        let when = Condition { nth: Some(nth), ..Condition::default() };
        let fault = Fault { when, then: Deed::Malformed, times: Some(times) };
        assert!(faults.inject(fault, Timestamp::from_millis(0)));
        let strikes: Vec<bool> = (0..calls)
            .map(|_| {
                let at = Circumstances { operation: "a", body: b"", now: Timestamp::from_millis(1) };
                faults.strike(&at).main.is_some()
            })
            .collect();
        let expected = calls.saturating_sub(nth - 1).min(times);
        prop_assert_eq!(strikes.iter().filter(|hit| **hit).count() as u64, expected);
        prop_assert_eq!(faults.list().is_empty(), expected == times);
    }
}
