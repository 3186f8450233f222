//! What a connector declares of a vendor's limits is kept, and what cannot be kept is said.

use crate::scene::Scene;

const CHAT: &str = "connectors/chat/connector.yaml";
const BUSY: &str = "integrations/customer-escalation/acceptance/busy.yaml";

/// Two cases, and a chat that takes one message a minute: the second one waits for its turn and is no retry.
const SCENARIO: &str = "
scenario: busy
title: Messages wait for the chat's limit, and none is refused
given:
  at: 2026-11-20T09:30:05Z
when:
  - event: {trigger: case-escalated, file: contracts/examples/valid/case-escalated.gold.json, id: one}
  - event: {trigger: case-escalated, file: contracts/examples/valid/case-escalated.minimal.json, id: two}
then:
  runs: 2
  ends: completed
  elapsed_at_least: 60s
  elapsed_at_most: 70s
  systems:
    tracker: {effects: {createIssue: 2}}
    crm: {effects: {putCaseState: 2}}
    chat:
      requests: {postMessage: 2}
      effects: {postMessage: 2}
";

fn limited(limit: &str) -> Scene {
    let scene = Scene::example();
    scene.edit(CHAT, "\noperations:\n", &format!("\nlimits: [{limit}]\noperations:\n"));
    scene.write(BUSY, SCENARIO.trim_start());
    scene
}

#[test]
fn a_declared_limit_spreads_the_calls() {
    let scene = limited("{requests: 1, per: 1m, operations: [postMessage]}");
    scene.qc(&["check"]).ends(0);
    scene.qc(&["test", "--scenario", "busy"]).ends(0).says("1 scenario, 0 failed");
    // Without it they go at once.
    let scene = limited("{concurrent: 5}");
    scene.qc(&["test", "--scenario", "busy"]).ends(100).says("elapsed");
}

#[test]
fn a_call_waits_for_the_end_of_its_quiet_hours() {
    let scene = limited("{requests: 1, per: 1m, operations: [postMessage]}");
    let brief = "integrations/customer-escalation/integration.yaml";
    // 09:30:05 in UTC is half past ten there.
    let quiet = "{from: 10:00, to: 10:40, time_zone: Europe/Berlin}";
    let tasks = format!("\ntasks: {{notifyTeam: {{quiet_hours: {quiet}}}}}\nlimits:\n");
    scene.edit(brief, "\nlimits:\n", &tasks);
    scene.qc(&["check"]).ends(100).says("say `class: deferrable`");
    scene.edit(brief, "\ntasks: {", "\nclass: deferrable\ntasks: {");
    scene.edit(BUSY, "elapsed_at_least: 60s", "elapsed_at_least: 10m50s");
    scene.edit(BUSY, "elapsed_at_most: 70s", "elapsed_at_most: 11m10s");
    scene.qc(&["test", "--scenario", "busy"]).ends(0).says("1 scenario, 0 failed");
}

#[test]
fn a_limit_that_cannot_be_kept_is_told_with_its_place() {
    for (limit, says) in [
        ("{requests: 5, per: 5}", "`per`: not a duration; write `30s`"),
        ("{requests: 5}", "a limit is `requests` with `per`, or `concurrent`, or both"),
        ("{requests: 5, per: 90d}", "`per` is more than 0 and at most 31d"),
        ("{requests: 5, per: 1s, operations: [postMesage]}", "did you mean `postMessage`?"),
    ] {
        let scene = limited(limit);
        scene.qc(&["check"]).ends(100).says(says).says(&format!("--> {CHAT}:"));
    }
}
