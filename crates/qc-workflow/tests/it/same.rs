//! Whether a run may go on with another compilation of its workflow.

use std::collections::BTreeMap;

use qc_workflow::Effect;

use crate::driver::{Bound, policy, program_of, with_head};

const BODY: &str = "
do:
  - read: { call: crm.read }
  - write: { call: crm.create }
";

#[test]
fn a_run_goes_on_with_the_same_definition_and_the_same_rules_for_its_calls() {
    let text = with_head(BODY);
    let first = program_of(&text, &Bound::default());
    let again = program_of(&format!("\n# The same, further down.\n{text}"), &Bound::default());
    assert!(again.continues(&first) && first.continues(&first));
    for changed in [
        BODY.replace("crm.read", "crm.upsert"),
        BODY.replace("- read", "- look"),
        format!("{BODY}  - more: {{ set: {{ a: 1 }} }}\n"),
    ] {
        let other = program_of(&with_head(&changed), &Bound::default());
        assert!(!other.continues(&first), "{changed}");
    }
    // The same text under other rules: another effect class, another number of attempts.
    let mut patient = policy(Effect::Once);
    patient.retry.attempts += 1;
    for rule in [policy(Effect::Verify), patient] {
        let overrides = BTreeMap::from([("write".to_owned(), rule)]);
        let other = program_of(&text, &Bound { overrides, ..Bound::default() });
        assert!(!other.continues(&first));
    }
}
