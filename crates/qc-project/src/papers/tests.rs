//! Guides, changelogs and migrations of a project with two versions of a contract.

use serde_json::json;

use super::*;
use crate::{
    Project, ProjectFiles,
    gate::Sender,
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const VERSIONS: &str = "integrations/notify/contracts/alert.versions.yaml";
const OLD: &str = "integrations/notify/contracts/v1/alert.schema.json";
const EXAMPLE: &str = "integrations/notify/contracts/examples/valid/v1/alert.disk.json";
const GUIDE: &str = "integrations/notify/migrations/1-to-2.md";

const OLD_SCHEMA: &str = r#"{
  "type": "object", "required": ["id", "title", "level"],
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 100},
    "title": {"type": "string", "minLength": 1, "maxLength": 300},
    "level": {"enum": ["note", "warn", "alarm"]}
  }
}"#;

const STEPS: &str = "naming: semver
select: {header: X-Alert-Version, default: 1.0.0}
pins: {old-monitor: 1.0.0}
versions:
  1.0.0:
    contract: contracts/v1/alert.schema.json
    deprecated: 2026-05-01
    sunset: 2027-05-01
    guide: migrations/1-to-2.md
    to_next:
      - rename: {from: .id, to: .alert_id}
      - map: {at: .level, values: {note: info, warn: warning, alarm: critical}}
      - jq: {up: '.title |= .[:200]', down: ., loses: [.title]}
  2.0.0:
    contract: contracts/alert.schema.json
";

const REQUEST: Request<'_> =
    Request { integration: "notify", trigger: "alert", from: "1.0.0", to: "2.0.0" };

fn edit(files: &mut ProjectFiles, path: &str, from: &str, to: &str) {
    let text = files.text(path).unwrap_or_default().to_owned();
    assert!(text.contains(from), "{path} has no {from}:\n{text}");
    files.insert(path, text.replacen(from, to, 1));
}

fn files() -> ProjectFiles {
    let mut files = init(Template::Notify);
    let contract = "    contract: contracts/alert.schema.json\n";
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    edit(&mut files, INTEGRATION, contract, &with);
    files.insert(OLD, OLD_SCHEMA);
    files.insert(EXAMPLE, r#"{"id": "A-1", "title": "Disk | <full>", "level": "warn"}"#);
    files.insert(VERSIONS, STEPS);
    files.insert(GUIDE, "# From 1 to 2\n");
    files
}

fn made(files: &ProjectFiles) -> Result<Guide, Vec<qc_model::Finding>> {
    guide(&Project::load(files.clone()), REQUEST)
}

fn told(old: &ProjectFiles, new: &ProjectFiles, sender: Option<Sender<'_>>) -> Changelog {
    let (old, new) = (Project::load(old.clone()), Project::load(new.clone()));
    changelog(&old, &new, "notify", sender, "2026-11-27T10:00:00Z".parse().unwrap()).unwrap()
}

#[test]
fn a_guide_has_pairs_that_both_versions_admit_and_the_three_answers() {
    let made = made(&files()).unwrap();
    let pair = &made.pairs()[0];
    assert_eq!(pair.example.as_deref(), Some(EXAMPLE));
    assert_eq!(
        pair.after,
        json!({"alert_id": "A-1", "title": "Disk | <full>", "level": "warning"})
    );
    let words: Vec<&str> = made.answers().iter().map(Answer::word).collect();
    assert_eq!(words, ["no", "yes", "no"], "a title may be 200 long, and was 300: {made:#?}");
    let text = made.markdown();
    for said in [
        "| Do limits change? | **yes** |",
        "x-alert-version: 2.0.0",
        "x-alert-version: 1.0.0",
        "Until 2027-05-01",
        "Pinned to 1.0.0",
        "--dry-run",
        "--verify",
        "chg-",
    ] {
        assert!(text.contains(said), "{said}:\n{text}");
    }
    assert!(!text.contains("the version is the same"), "{text}");
    // What programs get says the same.
    assert_eq!(made.to_json()["answers"][1]["answer"], "yes");
}

#[test]
fn a_pair_that_does_not_hold_is_refused_and_never_printed() {
    let mut files = files();
    edit(&mut files, VERSIONS, "warn: warning", "warn: severe");
    let refused = made(&files).unwrap_err();
    assert_eq!(refused[0].code, qc_version::codes::PAIR, "{refused:?}");
    assert!(refused[0].message.contains("alert.disk.json"), "{refused:?}");
    assert!(!refused[0].message.contains("severe"), "no values: {refused:?}");
    let mut files = super::tests::files();
    files.insert(EXAMPLE, r#"{"id": "A-1", "level": "warn"}"#);
    assert_eq!(
        made(&files).unwrap_err()[0].code,
        qc_version::codes::PAIR,
        "an example that is none"
    );
}

#[test]
fn what_a_guide_is_asked_for_has_to_be_there_and_in_order() {
    let project = Project::load(files());
    let asked = |from, to| guide(&project, Request { from, to, ..REQUEST });
    for (from, to) in [("2.0.0", "1.0.0"), ("1.0.0", "1.0.0"), ("1.0.0", "3.0.0")] {
        let refused = asked(from, to).unwrap_err();
        assert_eq!(refused[0].code, qc_version::codes::REFERENCE, "{from} {to}: {refused:?}");
    }
    assert!(guide(&project, Request { trigger: "nothing", ..REQUEST }).is_err());
    // Without an example one is made.
    let mut bare = ProjectFiles::default();
    for (path, bytes) in files().iter().filter(|(path, _)| *path != EXAMPLE) {
        bare.insert(path, bytes.clone());
    }
    assert_eq!(made(&bare).unwrap().pairs()[0].example, None);
}

#[test]
fn a_generated_part_that_is_stale_or_was_edited_is_found_and_prose_around_it_is_not() {
    let mut files = files();
    let made = made(&files).unwrap();
    let text = made.marks().put("# From 1 to 2\n\nHello.\n", &made.markdown()).unwrap();
    let codes = |files: &ProjectFiles| {
        let findings = Project::load(files.clone()).check();
        let found = findings.iter().filter(|it| it.code == crate::codes::STALE_GUIDE);
        found.map(|it| it.message.clone()).collect::<Vec<_>>()
    };
    files.insert(GUIDE, format!("{text}\nMore prose.\n"));
    assert_eq!(codes(&files), [""; 0]);
    let mut edited = files.clone();
    edit(&mut edited, GUIDE, "\"level\": \"warning\"", "\"level\": \"info\"");
    assert!(codes(&edited)[0].contains("is not what"), "{:?}", codes(&edited));
    let mut stale = files.clone();
    edit(&mut stale, VERSIONS, "sunset: 2027-05-01", "sunset: 2027-06-01");
    assert!(codes(&stale)[0].contains("is not what"), "{:?}", codes(&stale));
    let mut wrong = files.clone();
    edit(&mut wrong, VERSIONS, "warn: warning", "warn: severe");
    assert!(codes(&wrong)[0].contains("cannot hold"), "{:?}", codes(&wrong));
    let mut open = files.clone();
    edit(&mut open, GUIDE, "<!-- qc:guide end -->", "");
    assert!(codes(&open)[0].contains("no end"), "{:?}", codes(&open));
}

#[test]
fn a_changelog_is_empty_for_whom_nothing_changes() {
    let old = files();
    let same = told(&old, &old, None);
    assert!(same.is_empty() && same.markdown().contains("Nothing changes"), "{}", same.markdown());
    // The newer version asks for more: who is pinned or speaks the older one meets nothing of it.
    let mut new = old.clone();
    edit(
        &mut new,
        "integrations/notify/contracts/alert.schema.json",
        r#""level"]"#,
        r#""level", "unit"]"#,
    );
    let unit = r#""alert_id": { "type": "string", "minLength": 1, "maxLength": 100 },"#;
    edit(
        &mut new,
        "integrations/notify/contracts/alert.schema.json",
        unit,
        &format!("{unit}\n    \"unit\": {{\"type\": \"string\"}},"),
    );
    let all = told(&old, &new, None);
    assert!(!all.is_empty() && all.edits() >= 1, "{}", all.markdown());
    assert!(all.markdown().contains("`alert`, version 2.0.0"), "{}", all.markdown());
    assert!(!all.markdown().contains("Ask the provider"), "{}", all.markdown());
    assert!(all.entries().iter().all(|entry| entry.id.starts_with("chg-")));
    let pinned = Sender { consumer: Some("old-monitor"), ..Sender::default() };
    let theirs = told(&old, &new, Some(pinned));
    assert!(theirs.is_empty(), "{}", theirs.markdown());
    assert_eq!(theirs.to_json()["is_empty"], true);
    let newer = Sender { speaks: Some("2.0.0"), ..Sender::default() };
    assert!(told(&old, &new, Some(newer)).edits() >= 1);
    let nobody = Sender { consumer: Some("stranger"), ..Sender::default() };
    assert!(told(&old, &new, Some(nobody)).markdown().contains("has no pin"));
}

#[test]
fn a_changelog_says_that_the_version_of_a_consumer_ends_and_that_terms_change() {
    let mut old = files();
    edit(&mut old, VERSIONS, "    deprecated: 2026-05-01\n    sunset: 2027-05-01\n", "");
    let new = files();
    let pinned = Sender { consumer: Some("old-monitor"), ..Sender::default() };
    let text = told(&old, &new, Some(pinned)).markdown();
    assert!(text.contains("`alert` 1.0.0 answers until 2027-05-01; move to 2.0.0"), "{text}");
    let newer = Sender { speaks: Some("2.0.0"), ..Sender::default() };
    assert!(told(&old, &new, Some(newer)).is_empty(), "its own version goes on");
    // Terms besides the payload.
    let mut small = new.clone();
    edit(&mut small, INTEGRATION, "body_limit: 64KiB", "body_limit: 32KiB");
    edit(&mut small, INTEGRATION, "window: 72h", "window: 24h");
    let changes = told(&new, &small, None);
    let json = changes.to_json();
    let words: Vec<&str> =
        (0..3).map(|at| json["answers"]["alert"][at]["answer"].as_str().unwrap()).collect();
    assert_eq!(words, ["no", "yes", "yes"], "{json}");
    let mut open = new.clone();
    edit(&mut open, INTEGRATION, "auth: token", "auth: none");
    let json = told(&open, &new, None).to_json();
    assert_eq!(json["answers"]["alert"][0]["answer"], "yes", "{json}");
}

#[test]
fn who_is_not_there_is_no_empty_changelog() {
    let project = Project::load(files());
    let now = "2026-11-27T10:00:00Z".parse().unwrap();
    let asked = |sender| changelog(&project, &project, "notify", Some(sender), now);
    assert!(asked(Sender { trigger: Some("alarm"), ..Sender::default() }).is_err());
    assert!(asked(Sender { speaks: Some("9.0.0"), ..Sender::default() }).is_err());
    assert!(changelog(&project, &project, "nothing", None, now).is_err());
    let empty = Project::load(ProjectFiles::default());
    assert!(changelog(&empty, &project, "notify", None, now).unwrap().is_empty());
}

#[test]
fn documents_are_rewritten_once_and_verified() {
    let versions = Project::load(files()).versions_of("notify", "alert").unwrap();
    let up = Migration { versions: &versions, from: 0, to: 1 };
    let down = Migration { versions: &versions, from: 1, to: 0 };
    let old = "{\"id\":\"A-1\",\"title\":\"t\",\"level\":\"warn\"}\n\n{\"id\":\"A-2\",\"title\":\"t\",\"level\":\"alarm\"}";
    let new = up.rewrite(old, Form::Lines).unwrap();
    assert_eq!((new.changed, new.already), (2, 0));
    assert_eq!(new.text.lines().count(), 3, "the empty line stays: {}", new.text);
    assert!(!new.text.ends_with('\n'), "as it ended before");
    assert!(up.verify(&new.text, Form::Lines).iter().all(|verdict| verdict.failed.is_none()));
    let again = up.rewrite(&new.text, Form::Lines).unwrap();
    assert_eq!((again.changed, again.already, again.text == new.text), (0, 2, true));
    assert_eq!(down.rewrite(&new.text, Form::Lines).unwrap().changed, 2);
    // What is not admitted is refused, with its line and without its values; nothing of the rest is written.
    let odd = format!("{old}\n{{\"id\":\"A-3\",\"title\":\"t\",\"level\":\"loud\"}}\nno json\n");
    let refused = up.rewrite(&odd, Form::Lines).unwrap_err();
    assert_eq!(refused.iter().map(|it| it.line).collect::<Vec<_>>(), [4, 5]);
    assert!(!refused[0].why.contains("loud"), "{refused:?}");
    let verdicts = up.verify(&odd, Form::Lines);
    assert!(verdicts.iter().all(|verdict| verdict.failed.is_some()), "none is in 2.0.0");
    assert!(up.verify("", Form::Json)[0].failed.is_some());
    assert_eq!(Form::of("a/B.JSONL"), Form::Lines);
}
