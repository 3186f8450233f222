//! The policy of where data may go, as scenarios see it: what reaches the simulated systems is what it lets through.

use crate::scene::Scene;

const HAPPY: &str = "integrations/customer-escalation/acceptance/happy-path.yaml";
const INTEGRATION: &str = "integrations/customer-escalation/integration.yaml";

/// What is sent, beside the case that comes in. That the message holds a customer's name is not said of it: the name
/// itself is known.
const OBJECTS: &str = "
  ticket:
    schema: contracts/sent.schema.json
    fields: {description: personal}
    default: internal
    sent_by: [createTicket]
  state: {schema: contracts/sent.schema.json, default: internal, sent_by: [syncCustomer]}
  message:
    schema: contracts/sent.schema.json
    default: internal
    sent_by: [notifyTeam, tracker.createComment]

triggers:
  case-escalated:";

/// The example under a policy, of which this is the rule for personal data and the chat.
fn scene(chat: &str) -> Scene {
    let scene = Scene::example();
    let policy = format!(
        "versioning: {{supported_majors: 2, minimum_support: 180d}}
data_movement:
  rules:
    - {{class: [public, internal, confidential], then: allow}}
    - {{class: personal, to: tracker, region: eu, then: tokenise}}
    - {{class: personal, to: chat, then: {chat}}}
"
    );
    let before = "versioning: {supported_majors: 2, minimum_support: 180d}\n";
    scene.edit("quickconnect.yaml", before, &policy);
    scene.edit(INTEGRATION, "\ntriggers:\n  case-escalated:", OBJECTS);
    scene.edit(
        INTEGRATION,
        "tracker: {direction: outbound,",
        "tracker: {region: eu, direction: outbound,",
    );
    scene.edit(INTEGRATION, "crm: {direction: both,", "crm: {region: eu, direction: both,");
    scene.edit(
        INTEGRATION,
        "  chat:\n    direction: outbound",
        "  chat:\n    region: us\n    direction: outbound",
    );
    scene.write(
        "integrations/customer-escalation/contracts/sent.schema.json",
        r#"{"type": "object", "properties": {"description": {"type": "string"}}}"#,
    );
    scene
}

#[test]
fn what_reaches_a_system_is_what_the_policy_lets_through() {
    let scene = scene("mask");
    let checked = scene.qc(&["check", "--json"]).ends(0);
    assert!(!checked.out.contains("QC-P09"), "{}", checked.out);
    scene.edit(
        HAPPY,
        "\"high\" and .labels",
        "\"high\" and (.description | startswith(\"tok_\")) and .labels",
    );
    scene.edit(
        HAPPY,
        "      requests: {postMessage: 1}\n",
        "      requests: {postMessage: 1}\n      state: ['.[\"/channels/support/messages\"][0].text == \"***\"']\n",
    );
    scene.qc(&["test", "--scenario", "happy-path"]).ends(0);
    // The same scenario sees it when the policy changes.
    scene.edit("quickconnect.yaml", "to: chat, then: mask", "to: chat, then: allow");
    scene.qc(&["test", "--scenario", "happy-path"]).ends(100).says("QC-T502");
}

#[test]
fn what_may_not_go_is_not_sent_and_not_tried_again() {
    let scene = scene("deny");
    scene.edit(HAPPY, "  ends: completed\n", "  ends: faulted\n  dead_letters: [QC-R070]\n");
    scene.edit(HAPPY, "  output: ['.case_id == \"CASE-1042\" and .ticket == \"TCK-1\"']\n", "");
    scene.edit(HAPPY, "effects: {postMessage: 1}", "effects: {postMessage: 0}");
    scene.edit(HAPPY, "requests: {postMessage: 1}", "requests: {postMessage: 0}");
    scene.qc(&["test", "--scenario", "happy-path"]).ends(0);
}

#[test]
fn the_check_says_what_a_policy_stops_and_what_of_it_is_wrong() {
    let plain = Scene::example();
    plain.qc(&["check", "--strict"]).ends(0).says("QC-P093");
    let scene = scene("mask");
    // Nobody says what the state is.
    scene.edit(INTEGRATION, "sent_by: [syncCustomer]", "sent_by: []");
    let checked = scene.qc(&["check"]).ends(0).says("QC-P095").says("`syncCustomer`");
    checked.says("counts as `personal`, which does not go to `crm`");
    scene.edit("quickconnect.yaml", "to: chat, then", "to: [chat, chatt], environment: prod, then");
    scene.edit("quickconnect.yaml", "region: eu", "region: [eu, asia]");
    let rules = "  rules:\n    - {then: allow}\n";
    scene.edit("quickconnect.yaml", "  rules:\n", rules);
    scene.edit(INTEGRATION, "crm: {region: eu, ", "crm: {");
    scene.edit(INTEGRATION, "sent_by: [createTicket]", "sent_by: [makeTicket]");
    let broken = scene.qc(&["check"]).ends(100);
    for told in [
        "`chatt`",
        "environment `prod`",
        "region `asia`",
        "QC-P091",
        "QC-P092",
        "QC-P094",
        "`makeTicket`",
    ] {
        assert!(broken.out.contains(told), "no {told}:\n{}", broken.out);
    }
}
