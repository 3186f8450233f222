//! What passes and what is held, from files to reasons.

use qc_contract::pact::Pact;
use qc_version::{
    Usage,
    gate::{Bump, Cause},
    usage::{Shape, Use},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    ProjectFiles,
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const CONTRACT: &str = "integrations/notify/contracts/alert.schema.json";
const VERSIONS: &str = "integrations/notify/contracts/alert.versions.yaml";
const OLD: &str = "integrations/notify/contracts/v1/alert.schema.json";
const ORGANISATION: &str = "quickconnect.yaml";

fn schema(properties: &str, required: &str) -> String {
    format!(
        r#"{{"type":"object","required":[{required}],"properties":{{"id":{{"type":"string"}}{properties}}}}}"#
    )
}

fn files() -> ProjectFiles {
    let mut files = init(Template::Notify);
    files.insert(CONTRACT, schema("", r#""id""#));
    files
}

fn edit(files: &mut ProjectFiles, path: &str, from: &str, to: &str) {
    let text = files.text(path).unwrap_or_default().to_owned();
    assert!(text.contains(from), "{path} has no {from}:\n{text}");
    files.insert(path, text.replacen(from, to, 1));
}

fn with_versions(mut files: ProjectFiles, versions: &str) -> ProjectFiles {
    let contract = "    contract: contracts/alert.schema.json\n";
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    edit(&mut files, INTEGRATION, contract, &with);
    files.insert(VERSIONS, versions.to_owned());
    files
}

fn judged(old: &ProjectFiles, new: &ProjectFiles) -> Judgement {
    let (old, new) = (Project::load(old.clone()), Project::load(new.clone()));
    judge(&old, &new, "notify", today()).unwrap().unwrap()
}

/// With what is known of consumers.
fn judged_by(usage: &Usage, old: &ProjectFiles, new: &ProjectFiles) -> Judgement {
    let (old, new) = (Project::load(old.clone()), Project::load(new.clone()));
    let circumstances = Circumstances { usage: Some(usage), ..today() };
    judge(&old, &new, "notify", circumstances).unwrap().unwrap()
}

fn today() -> Circumstances<'static> {
    let now = "2026-11-27T10:00:00Z".parse().unwrap();
    Circumstances { environment: None, now, usage: None, expectations: &[] }
}

fn numbered(mut files: ProjectFiles, version: &str) -> ProjectFiles {
    edit(&mut files, INTEGRATION, "version: 1.0.0", &format!("version: {version}"));
    files
}

#[test]
fn the_same_passes_and_so_do_other_words_for_it() {
    let old = files();
    assert!(judged(&old, &old).passes());
    let mut new = old.clone();
    new.insert(
        CONTRACT,
        r#"{"properties":{"id":{"type":["string"]}},"required":["id"],"type":"object"}"#,
    );
    let judgement = judged(&old, &new);
    assert!(judgement.passes() && judgement.comparison.changes.is_empty(), "{judgement:?}");
    // Nobody relies on what was not there.
    let (empty, new) = (Project::load(ProjectFiles::default()), Project::load(new));
    assert!(judge(&empty, &new, "notify", today()).unwrap().is_none());
    assert!(judge(&empty, &new, "nothing", today()).unwrap().is_none());
}

#[test]
fn limits_are_part_of_what_is_offered() {
    let limited = |rate: &str| {
        let mut files = files();
        let limits = format!(
            "limits: [{{name: alerts, scope: tenant, rate: {rate}, protects: the team, on_excess: reject}}]\ntriggers:\n"
        );
        edit(&mut files, INTEGRATION, "triggers:\n", &limits);
        files
    };
    let small = |size: &str| {
        let mut files = files();
        edit(&mut files, INTEGRATION, "body_limit: 64KiB", &format!("body_limit: {size}"));
        files
    };
    let ids = |old: &ProjectFiles, new: &ProjectFiles| {
        let judgement = judged(old, new);
        let ids = judgement.comparison.changes.iter().map(|change| change.rule.id.to_string());
        let ids = ids.filter(|id| id.starts_with("rate-limit"));
        (judgement.breaks.len(), ids.collect::<Vec<_>>().join(" "))
    };
    assert_eq!(ids(&limited("10/s"), &limited("10/s")), (0, String::new()));
    assert_eq!(ids(&limited("10/s"), &limited("5/s")), (1, "rate-limit-lowered".to_owned()));
    assert_eq!(ids(&limited("10/s"), &limited("50/s")), (0, "rate-limit-raised".to_owned()));
    assert_eq!(
        ids(&files(), &limited("10/s")),
        (1, "rate-limit-lowered".to_owned()),
        "none before"
    );
    assert_eq!(ids(&limited("10/s"), &files()), (0, "rate-limit-raised".to_owned()), "lifted");
    assert_eq!(ids(&small("64KiB"), &small("32KiB")), (1, "rate-limit-lowered".to_owned()));
    assert_eq!(ids(&small("64KiB"), &small("1MiB")), (0, "rate-limit-raised".to_owned()));
}

#[test]
fn what_is_added_takes_a_number_and_what_narrows_is_held() {
    let old = files();
    let mut added = old.clone();
    added.insert(CONTRACT, schema(r#","note":{"type":"string"}"#, r#""id""#));
    assert_eq!(judged(&old, &added).computed, Bump::Minor);
    assert!(judged(&old, &added).is_understated());
    assert!(judged(&old, &numbered(added, "1.1.0")).passes());
    let mut narrowed = old.clone();
    narrowed.insert(CONTRACT, schema(r#","note":{"type":"string"}"#, r#""id","note""#));
    let narrowed = numbered(narrowed, "2.0.0");
    let judgement = judged(&old, &narrowed);
    assert!(judgement.holds() && judgement.breaks.len() == 1, "{:?}", judgement.reasons());
    let Cause::Change(change) = &judgement.breaks[0].cause else { panic!("{judgement:?}") };
    let place = change.new.place.as_ref().unwrap();
    assert!(place.file.ends_with("alert.schema.json"), "{place:?}");
    // Its id is the same each time, and asking for less breaks nobody.
    assert_eq!(judged(&old, &narrowed).breaks[0].id, judgement.breaks[0].id);
    let mut wider = narrowed.clone();
    wider.insert(CONTRACT, schema(r#","note":{"type":"string"}"#, r#""id""#));
    edit(&mut wider, INTEGRATION, "version: 2.0.0", "version: 2.1.0");
    assert!(judged(&narrowed, &wider).passes());
}

#[test]
fn a_trigger_that_goes_or_asks_for_more_is_held() {
    let old = files();
    let mut renamed = old.clone();
    edit(&mut renamed, INTEGRATION, "triggers:\n  alert:\n", "triggers:\n  alarm:\n");
    let judgement = judged(&old, &renamed);
    assert!(judgement.holds(), "{:?}", judgement.reasons());
    assert!(judgement.reasons()[0].contains("/in/notify/alert"), "{:?}", judgement.reasons());
    let mut open = old.clone();
    edit(&mut open, INTEGRATION, "auth: token", "auth: none");
    assert!(judged(&open, &old).holds(), "a token is asked for now");
    assert!(judged(&old, &open).breaks.is_empty());
}

#[test]
fn what_is_published_is_promised_to_those_who_read_it() {
    let publishing = |properties: &str, required: &str| {
        let mut files = files();
        let publishes = "publishes:\n  told:\n    type: com.example.told\n    contract: contracts/told.schema.json\n    \
                         to: {amqp: {broker: {url: 'amqp://localhost', user: u, password: 'secret://queue'}, \
                         exchange: e, routing_key: .type}}\n";
        edit(&mut files, INTEGRATION, "triggers:\n", &format!("{publishes}triggers:\n"));
        files
            .insert("integrations/notify/contracts/told.schema.json", schema(properties, required));
        files
    };
    let old = publishing(r#","note":{"type":"string"}"#, r#""id","note""#);
    assert!(judged(&old, &old).passes());
    // Whoever reads it counts on the note.
    let judgement = judged(&old, &numbered(publishing("", r#""id""#), "2.0.0"));
    assert!(judgement.holds(), "{:?}", judgement.comparison);
    let reasons = judgement.reasons().join("\n");
    assert!(reasons.contains("com.example.told"), "{reasons}");
    // Something more hurts nobody.
    let more = publishing(r#","note":{"type":"string"},"by":{"type":"string"}"#, r#""id","note""#);
    let judgement = judged(&old, &numbered(more, "1.1.0"));
    assert!(judgement.passes(), "{:?}", judgement.reasons());
    // Nothing is promised where nothing is said; what was promised stays so.
    let mut silent = old.clone();
    edit(&mut silent, INTEGRATION, "    contract: contracts/told.schema.json\n", "");
    assert!(judged(&old, &silent).holds());
    assert!(judged(&silent, &numbered(old, "1.1.0")).passes());
}

const SIDE_BY_SIDE: &str = "naming: semver
select: {header: X-Alert-Version, default: 1.0.0}
pins: {old-monitor: 1.0.0}
versions:
  1.0.0:
    contract: contracts/v1/alert.schema.json
    to_next:
      - rename: {from: .id, to: .alert_id}
  2.0.0:
    contract: contracts/alert.schema.json
";

/// A new contract beside the old one.
fn side_by_side(versions: &str) -> ProjectFiles {
    let mut new = numbered(files(), "1.1.0");
    new.insert(OLD, schema("", r#""id""#));
    new.insert(
        CONTRACT,
        r#"{"type":"object","required":["alert_id"],"properties":{"alert_id":{"type":"string"}}}"#,
    );
    with_versions(new, versions)
}

#[test]
fn a_version_beside_the_one_before_breaks_nobody_as_long_as_nobody_gets_it_unasked() {
    let old = files();
    let judgement = judged(&old, &side_by_side(SIDE_BY_SIDE));
    assert!(judgement.passes(), "{:?}", judgement.reasons());
    let unasked = SIDE_BY_SIDE.replace(", default: 1.0.0", "");
    let judgement = judged(&old, &side_by_side(&unasked));
    assert!(judgement.holds(), "who says nothing gets 2.0.0");
}

#[test]
fn a_version_ends_when_it_was_promised_and_not_before() {
    let old = side_by_side(SIDE_BY_SIDE);
    let ends = |deprecated: &str, sunset: &str| {
        let dates = format!("    deprecated: {deprecated}\n    sunset: {sunset}\n    to_next");
        let versions = SIDE_BY_SIDE.replacen("    to_next", &dates, 1);
        let moved = versions.replace("default: 1.0.0", "default: 2.0.0");
        (side_by_side(&versions), side_by_side(&moved.replace("old-monitor: 1.0.0", "x: 2.0.0")))
    };
    let (announced, _) = ends("2026-11-27", "2027-11-27");
    let judgement = judged(&old, &announced);
    assert!(judgement.breaks.is_empty(), "{:?}", judgement.reasons());
    // Thirty days are the profile's least.
    let (soon, _) = ends("2026-11-27", "2026-12-20");
    let judgement = judged(&old, &soon);
    assert!(judgement.reasons()[0].contains("days of notice"), "{:?}", judgement.reasons());
    // The organisation promises more.
    let mut promised = old.clone();
    let text = promised.text(ORGANISATION).unwrap_or_default().to_owned();
    promised.insert(ORGANISATION, format!("{text}\nnotice: {{retirement: 400d}}\n"));
    assert!(judged(&promised, &announced).holds());
    // Earlier than it was said, or gone before.
    let (earlier, _) = ends("2026-11-27", "2027-10-01");
    assert!(judged(&announced, &earlier).holds());
    let gone = side_by_side(
        "naming: semver
versions:
  2.0.0:
    contract: contracts/alert.schema.json
",
    );
    let judgement = judged(&announced, &gone);
    let said = judgement.reasons().join("\n");
    assert!(said.contains("/in/notify/alert/1.0.0"), "{said}");
    assert!(said.contains("/in/notify/alert/as:old-monitor"), "{said}");
}

/// Nobody is served by a version that has ended, so nobody loses it.
#[test]
fn what_ended_is_not_offered_any_more() {
    let over = SIDE_BY_SIDE.replacen(
        "    to_next",
        "    deprecated: 2025-10-01\n    sunset: 2026-11-01\n    to_next",
        1,
    );
    let moved = over.replace("default: 1.0.0", "default: 2.0.0");
    let moved = moved.replace("old-monitor: 1.0.0", "new-monitor: 2.0.0");
    let judgement = judged(&side_by_side(&over), &side_by_side(&moved));
    assert!(judgement.breaks.is_empty(), "{:?}", judgement.reasons());
}

/// What is known of one consumer, which sent this at this moment; it has been looked at for a year.
fn sent(version: &str, consumer: &str, document: &Value, at: &str) -> Usage {
    let mut usage = Usage::default();
    let at = at.parse().unwrap();
    usage.since.insert("alert".to_owned(), "2025-11-27T00:00:00Z".parse().unwrap());
    let mut used = Use::never(at);
    used.has(&Shape::of(document), at);
    usage.add("alert", version, consumer, &used);
    usage
}

#[test]
fn a_version_that_somebody_speaks_is_offered_after_its_day() {
    let over = SIDE_BY_SIDE.replacen(
        "    to_next",
        "    deprecated: 2025-10-01\n    sunset: 2026-11-20\n    to_next",
        1,
    );
    let over = over.replace("default: 1.0.0", "default: 2.0.0");
    let over = over.replace("old-monitor: 1.0.0", "old-monitor: 2.0.0");
    let old = side_by_side(&over);
    let gone = side_by_side(
        "naming: semver\nversions:\n  2.0.0:\n    contract: contracts/alert.schema.json\n",
    );
    let document = json!({"id": "a"});
    let still = sent("1.0.0", "acme-erp", &document, "2026-11-25T00:00:00Z");
    let judgement = judged_by(&still, &old, &gone);
    assert!(judgement.holds(), "{:?}", judgement.comparison.changes);
    let reasons = judgement.reasons().join("\n");
    assert!(reasons.contains("hits acme-erp (last 2026-11-25)"), "{reasons}");
    let long_ago = sent("1.0.0", "acme-erp", &document, "2026-10-01T00:00:00Z");
    assert!(judged_by(&long_ago, &old, &gone).breaks.is_empty());
    let mut ended = still;
    ended.ended.insert(("alert".to_owned(), "1.0.0".to_owned()));
    assert!(judged_by(&ended, &old, &gone).breaks.is_empty());
}

#[test]
fn what_nobody_sent_may_be_refused_and_what_must_be_sent_hits_everybody() {
    let closed = |properties: &str, required: &str| {
        schema(properties, required).replacen('{', r#"{"additionalProperties":false,"#, 1)
    };
    let mut old = files();
    old.insert(CONTRACT, closed(r#","note":{"type":"string"}"#, r#""id""#));
    let mut refused = numbered(old.clone(), "2.0.0");
    refused.insert(CONTRACT, closed("", r#""id""#));
    let mut narrowed = numbered(old.clone(), "2.0.0");
    narrowed.insert(CONTRACT, closed(r#","note":{"type":"string","maxLength":5}"#, r#""id""#));
    let mut required = numbered(old.clone(), "2.0.0");
    required.insert(CONTRACT, closed(r#","note":{"type":"string"}"#, r#""id","note""#));
    let now = "2026-11-26T00:00:00Z";
    let with = sent("", "acme-erp", &json!({"id": "a", "note": null}), now);
    let without = sent("", "acme-erp", &json!({"id": "a"}), now);
    for new in [&refused, &narrowed] {
        let judgement = judged_by(&with, &old, new);
        assert!(judgement.holds(), "it was sent");
        assert!(judgement.reasons()[0].contains("hits acme-erp"), "{:?}", judgement.reasons());
        let judgement = judged_by(&without, &old, new);
        assert!(judgement.passes(), "{:?}", judgement.reasons());
        let unused = judgement.breaks[0].unused.as_deref();
        assert_eq!(unused, Some("nobody sent `.note` to alert since 2026-10-28"));
        // What is not known holds.
        assert!(judged(&old, new).holds());
        let mut young = without.clone();
        young.since.insert("alert".to_owned(), "2026-11-01T00:00:00Z".parse().unwrap());
        assert!(judged_by(&young, &old, new).holds());
    }
    for usage in [&with, &without] {
        let judgement = judged_by(usage, &old, &required);
        assert!(judgement.reasons()[0].contains("hits acme-erp"), "{:?}", judgement.reasons());
    }
    // The number speaks of the contract, not of who uses it.
    let mut small = refused.clone();
    edit(&mut small, INTEGRATION, "version: 2.0.0", "version: 1.1.0");
    assert!(judged_by(&without, &old, &small).is_understated());
}

/// What a consumer sends to the trigger, as it publishes that.
fn expecting(body: &Value) -> Pact {
    let text = json!({
        "consumer": { "name": "acme-erp" },
        "provider": { "name": "quickconnect" },
        "interactions": [{
            "description": "tells of a disk",
            "request": { "method": "POST", "path": "/in/production/notify/alert", "body": body },
            "response": { "status": 202 },
        }],
        "metadata": { "pactSpecification": { "version": "2.0.0" } },
    });
    Pact::read("p.json", &text.to_string()).0.unwrap()
}

#[test]
fn what_a_consumer_expects_and_gets_today_holds_a_release_that_does_not_do_it() {
    let (old, mut new) = (files(), numbered(files(), "1.1.0"));
    new.insert(CONTRACT, r#"{"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"uuid"}}}"#);
    let judged = |body: &Value, new: &ProjectFiles| {
        let (old, new) = (Project::load(old.clone()), Project::load(new.clone()));
        let expectations = [expecting(body)];
        let circumstances = Circumstances { expectations: &expectations, ..today() };
        judge(&old, &new, "notify", circumstances).unwrap().unwrap()
    };
    // A consumer that is lenient about what is risky for others is held to what it does itself.
    let unmet = |judgement: &Judgement| {
        let all = judgement.breaks.iter().filter(|it| matches!(it.cause, Cause::Expectation(_)));
        all.count()
    };
    let judgement = judged(&json!({"id": 5}), &new);
    assert_eq!(unmet(&judgement), 0, "it never went");
    let mut narrowed = numbered(old.clone(), "1.1.0");
    narrowed.insert(CONTRACT, schema(r#","note":{"type":"string"}"#, r#""id","note""#));
    let judgement = judged(&json!({"id": "a"}), &narrowed);
    assert_eq!((unmet(&judgement), judgement.computed), (1, Bump::Major));
    let reasons = judgement.reasons().join("\n");
    assert!(reasons.contains("acme-erp expects \u{201c}tells of a disk\u{201d}"), "{reasons}");
    assert!(reasons.contains("the event is refused"), "{reasons}");
    let judgement = judged(&json!({"id": "a", "note": "n"}), &narrowed);
    assert_eq!(unmet(&judgement), 0, "it does what is asked for");
}

#[test]
fn what_runs_makes_the_rules() {
    let old = files();
    let mut new = numbered(old.clone(), "2.0.0");
    new.insert(CONTRACT, schema(r#","note":{"type":"string"}"#, r#""id","note""#));
    let lax = "name: lax\nrules: {\"*\": additive}\n";
    let with = |mut files: ProjectFiles| {
        let text = files.text(ORGANISATION).unwrap_or_default().to_owned();
        files.insert(ORGANISATION, format!("{text}\nversioning: {{profile: lax.yaml}}\n"));
        files.insert("lax.yaml", lax);
        files
    };
    assert!(judged(&old, &with(new.clone())).holds(), "a release does not judge itself");
    assert!(judged(&with(old.clone()), &new).passes());
    let missing = {
        let mut files = with(old.clone());
        files.insert(
            ORGANISATION,
            files.text(ORGANISATION).unwrap_or_default().replace("lax.yaml", "no.yaml"),
        );
        files
    };
    let told = judge(&Project::load(missing), &Project::load(new.clone()), "notify", today());
    assert_eq!(told.unwrap_err()[0].code, codes::MISSING_FILE);
    // An environment may have it told only.
    let mut told = old;
    let text = told.text(ORGANISATION).unwrap_or_default().to_owned();
    let sandbox = text.replacen("  sandbox:\n", "  sandbox:\n    gate: tell\n", 1);
    assert_ne!(text, sandbox, "{text}");
    told.insert(ORGANISATION, sandbox);
    let (told, new) = (Project::load(told), Project::load(new));
    let holds = |name: &str| {
        let place: EnvironmentName = name.parse().unwrap();
        let circumstances = Circumstances { environment: Some(&place), ..today() };
        judge(&told, &new, "notify", circumstances).unwrap().unwrap().holds()
    };
    assert!(!holds("sandbox") && holds("production"));
}

#[test]
fn what_is_written_about_a_break_must_be_there_to_be_read() {
    let mut files = init(Template::Notify);
    files.insert("integrations/notify/CHANGELOG.md", "# Changes\n\n## 2.0.0\n\nIt breaks.\n");
    files.insert("integrations/notify/migrations/1-to-2.md", "# From 1 to 2\n");
    let told = |record: &str| {
        let mut files = files.clone();
        let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
        files.insert(INTEGRATION, format!("{text}\nbreaking_changes:\n  {record}\n"));
        let findings = Project::load(files).check();
        let weighty = findings.iter().filter(|it| it.severity > qc_model::Severity::Note);
        weighty.map(|finding| finding.code.to_string()).collect::<Vec<_>>()
    };
    let right = "chg-0123456789abcdef: {announced: 2026-10-01, changelog: CHANGELOG.md#2.0.0, migration: migrations/1-to-2.md}";
    assert_eq!(told(right), Vec::<String>::new());
    assert_eq!(told(&right.replace("chg-0123456789abcdef", "chg-1")), ["QC-P038"]);
    assert_eq!(told(&right.replace("#2.0.0", "#3.0.0")), ["QC-P038"]);
    assert_eq!(told(&right.replace("1-to-2.md}", "no.md}")), ["QC-P008"]);
}
