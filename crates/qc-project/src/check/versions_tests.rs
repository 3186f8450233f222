//! Mistakes in versions of contracts, each with the codes that must come of it and where.

use crate::{
    Project, ProjectFiles,
    scaffold::{Template, init},
};

const INTEGRATION: &str = "integrations/notify/integration.yaml";
const VERSIONS: &str = "integrations/notify/contracts/alert.versions.yaml";
const OLD: &str = "integrations/notify/contracts/v1/alert.schema.json";

/// The older contract: another name, other words, no severity.
const OLD_SCHEMA: &str = r#"{
  "type": "object", "required": ["id", "title", "level"],
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 100},
    "title": {"type": "string", "minLength": 1, "maxLength": 200},
    "level": {"enum": ["note", "warn", "alarm"]},
    "host": {"type": "string"}
  }
}"#;

const RIGHT: &str = "naming: semver
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
      - drop: {at: .host}
  2.0.0:
    contract: contracts/alert.schema.json
";

fn project(versions: &str) -> ProjectFiles {
    let mut files = init(Template::Notify);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let contract = "    contract: contracts/alert.schema.json\n";
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    files.insert(INTEGRATION, text.replacen(contract, &with, 1));
    files.insert("quickconnect.yaml", {
        let text = files.text("quickconnect.yaml").unwrap_or_default();
        format!("{text}\nversioning: {{supported_majors: 2, minimum_support: 180d}}\n")
    });
    files.insert(OLD, OLD_SCHEMA);
    files.insert("integrations/notify/migrations/1-to-2.md", "# From 1 to 2\n");
    files.insert(VERSIONS, versions.to_owned());
    files
}

/// The codes of errors and warnings, each with the line and the file's name.
fn told(files: ProjectFiles) -> Vec<String> {
    let findings = Project::load(files).check();
    let weighty = findings.iter().filter(|finding| finding.severity > qc_model::Severity::Note);
    weighty
        .map(|finding| {
            let place = finding.place.as_ref().expect("every finding has a place");
            let file = place.file.rsplit('/').next().unwrap_or_default();
            format!("{} {file}:{}", finding.code, place.line)
        })
        .collect()
}

#[test]
fn what_is_right_is_right_and_nothing_is_left_unenforced() {
    let files = project(RIGHT);
    assert_eq!(told(files.clone()), Vec::<String>::new());
    let notes = Project::load(files).check();
    let shown: Vec<&str> = notes.iter().map(|note| note.message.as_str()).collect();
    for word in ["versioning", "migrations/"] {
        assert!(!shown.iter().any(|message| message.contains(word)), "{shown:?}");
    }
}

#[test]
fn every_slip_is_told_at_its_place() {
    let cases: &[(&str, &str, &str)] = &[
        // The names.
        ("  1.0.0:\n", "  v1:\n", "QC-C040 alert.versions.yaml:5"),
        ("  2.0.0:\n", "  1.0.0-rc.1:\n", "QC-C041 alert.versions.yaml:14"),
        ("naming: semver", "naming: date", "QC-C040 alert.versions.yaml:5"),
        ("naming: semver", "naming: both", "QC-C040 alert.versions.yaml:5"),
        (
            "    sunset: 2027",
            "    released: 2026-01-01\n    sunset: 2027",
            "QC-P005 alert.versions.yaml:8",
        ),
        // The dates.
        ("sunset: 2027-05-01", "sunset: 2026-10-27", "QC-C042 alert.versions.yaml:8"),
        ("deprecated: 2026-05-01\n", "draft: false\n", "QC-C042 alert.versions.yaml:8"),
        ("sunset: 2027-05-01", "sunset: 2027-13-01", "QC-Q015 alert.versions.yaml:8"),
        // Which is the current one.
        (
            "    contract: contracts/alert.schema.json",
            "    contract: contracts/v1/alert.schema.json",
            "QC-C047 alert.versions.yaml:15",
        ),
        ("  2.0.0:\n", "  2.0.0:\n    draft: true\n", "QC-C047 alert.versions.yaml:6"),
        // What is referred to.
        ("default: 1.0.0", "default: 1.0.1", "QC-C048 alert.versions.yaml:2"),
        ("old-monitor: 1.0.0", "old-monitor: 3.0.0", "QC-C048 alert.versions.yaml:3"),
        ("X-Alert-Version", "\"X Alert\"", "QC-C048 alert.versions.yaml:2"),
        ("header: X-Alert-Version", "attribute: version", "QC-P005 alert.versions.yaml:2"),
        ("v1/alert.schema.json", "v0/alert.schema.json", "QC-P008 alert.versions.yaml:6"),
        ("migrations/1-to-2.md", "migrations/2-to-3.md", "QC-P008 alert.versions.yaml:9"),
        ("migrations/1-to-2.md", "https://a.example/<x>", "QC-C048 alert.versions.yaml:9"),
        // The steps.
        ("to: .alert_id", "to: alert_id", "QC-Q015 alert.versions.yaml:11"),
        ("from: .id", "from: '.ids[].id'", "QC-C044 alert.versions.yaml:11"),
        ("warn: warning", "warn: info", "QC-C044 alert.versions.yaml:12"),
        (
            "drop: {at: .host}",
            "drop: {at: .host}\n        default: {at: .a, value: 1}",
            "QC-Q016 alert.versions.yaml:13",
        ),
        ("drop: {at: .host}", "jq: {up: 'del(.host', down: .}", "QC-P021 alert.versions.yaml:13"),
        (
            "    contract: contracts/alert.schema.json\n",
            "    contract: contracts/alert.schema.json\n    to_next: [{drop: {at: .x}}]\n",
            "QC-C044 alert.versions.yaml:16",
        ),
        (
            "    contract: contracts/alert.schema.json\n",
            "    contract: contracts/alert.schema.json\n    reply: contracts/alert.schema.json\n",
            "QC-C044 alert.versions.yaml:5",
        ),
        // The laws.
        ("to: .alert_id", "to: .alertid", "QC-C045 alert.versions.yaml:11"),
        ("alarm: critical", "alarm: critica", "QC-C045 alert.versions.yaml:12"),
        (
            "      - drop: {at: .host}\n",
            "      - rename: {from: .host, to: .title}\n",
            "QC-C045 alert.versions.yaml:13",
        ),
        ("      - rename: {from: .id, to: .alert_id}\n", "", "QC-C045 alert.versions.yaml:5"),
    ];
    for (from, to, wanted) in cases {
        assert!(RIGHT.contains(from), "{from}");
        let told = told(project(&RIGHT.replacen(from, to, 1)));
        assert!(told.iter().any(|one| one == wanted), "{to}: {told:?}, and not {wanted}");
    }
}

#[test]
fn a_broken_law_shows_a_document_that_breaks_it() {
    let files = project(&RIGHT.replacen(", alarm: critical", "", 1));
    let findings = Project::load(files).check();
    let broken = findings.iter().find(|finding| finding.code == qc_version::codes::LAW);
    let broken = broken.expect("the word `alarm` leads nowhere");
    assert!(broken.message.contains("`map .level`"), "{}", broken.message);
    assert!(broken.message.contains("/level"), "{}", broken.message);
    assert!(broken.help.as_ref().is_some_and(|help| help.contains("alarm")), "{:?}", broken.help);
}

/// Three versions, of which each takes what the one before gives, and an example of the first that the third does not.
#[test]
fn examples_go_at_every_version() {
    let three = RIGHT.replace(
        "  2.0.0:\n",
        "  1.5.0:\n    contract: contracts/v15/alert.schema.json\n    deprecated: 2026-06-01\n    sunset: 2027-06-01\n    guide: migrations/1-to-2.md\n  2.0.0:\n",
    );
    let mut files = project(&three);
    let newest = "integrations/notify/contracts/alert.schema.json";
    let same = files.text(newest).unwrap().to_owned();
    files.insert("integrations/notify/contracts/v15/alert.schema.json", same.clone());
    let example = "integrations/notify/contracts/examples/valid/v1/alert.one.json";
    files.insert(example, r#"{"id": "A-1", "title": "Hot", "level": "warn"}"#);
    let of_example = |files: &ProjectFiles| {
        let all = told(files.clone());
        all.into_iter().filter(|it| it.contains("alert.one.json")).collect::<Vec<_>>()
    };
    assert_eq!(of_example(&files), Vec::<String>::new());
    // The last one admits a title of ten characters at least; nothing else is seen of that where samples have them.
    let long = same.replacen("\"minLength\": 1", "\"minLength\": 10", 2);
    assert_ne!(long, same);
    files.insert(newest, long);
    assert_eq!(of_example(&files), ["QC-C045 alert.one.json:1"]);
}

#[test]
fn the_organisation_says_how_versions_are_named_and_how_many_majors_live() {
    let mut files = project(&RIGHT.replacen("naming: semver\n", "", 1));
    assert_eq!(told(files.clone()), Vec::<String>::new());
    let text = files.text("quickconnect.yaml").unwrap_or_default().to_owned();
    files.insert("quickconnect.yaml", text.replace("supported_majors: 2", "naming: date"));
    assert!(told(files).contains(&"QC-C040 alert.versions.yaml:4".to_owned()));

    let open = RIGHT.replacen("    deprecated: 2026-05-01\n    sunset: 2027-05-01\n", "", 1);
    let mut files = project(&open);
    assert_eq!(told(files.clone()), Vec::<String>::new());
    let text = files.text("quickconnect.yaml").unwrap_or_default().to_owned();
    files.insert("quickconnect.yaml", text.replace("supported_majors: 2", "supported_majors: 1"));
    assert_eq!(told(files), ["QC-C043 alert.versions.yaml:5"]);
}

#[test]
fn dated_versions_and_versions_with_both_names_check() {
    let dated = RIGHT
        .replace("semver", "date")
        .replace("1.0.0", "2025-01-01")
        .replace("2.0.0", "2026-05-01");
    assert_eq!(told(project(&dated)), Vec::<String>::new());
    let both = RIGHT.replace("semver", "both");
    let both = both.replacen("    deprecated", "    released: 2025-01-01\n    deprecated", 1);
    let both = format!("{both}    released: 2026-05-01\n");
    assert_eq!(told(project(&both)), Vec::<String>::new());
    let backwards = both.replacen("released: 2026-05-01", "released: 2024-05-01", 1);
    assert_eq!(told(project(&backwards)), ["QC-C041 alert.versions.yaml:17"]);
}

#[test]
fn a_file_of_versions_belongs_to_a_trigger_that_senders_reach() {
    let mut files = project(RIGHT);
    let text = files.text(INTEGRATION).unwrap_or_default().to_owned();
    let line = "    versions: contracts/alert.versions.yaml\n";
    files.insert(INTEGRATION, text.replacen(line, "", 1));
    assert_eq!(told(files.clone()), ["QC-P004 alert.versions.yaml:1"]);
    files.insert(INTEGRATION, text.replacen("alert.versions", "other.versions", 1));
    assert!(told(files.clone()).iter().any(|one| one.starts_with("QC-P008 integration.yaml")));
    let no_contract = text.replacen("    contract: contracts/alert.schema.json\n", "", 1);
    files.insert(INTEGRATION, no_contract);
    assert!(told(files).iter().any(|one| one.starts_with("QC-Q013 integration.yaml")));
}

#[test]
fn a_release_takes_its_versions_along() {
    let project = Project::load(project(RIGHT));
    let bundle = crate::compile::build(&project, "notify").expect("it builds");
    let bundle = bundle.effective();
    let compiled = crate::compile::release(&bundle).expect("it compiles");
    let trigger = &compiled.release.triggers["alert"];
    let versions = trigger.versions.as_ref().expect("it has versions");
    let old = serde_json::json!({"id": "a", "title": "t", "level": "warn", "host": "h"});
    let new = versions.events().convert(old, 0, versions.current()).expect("it converts");
    assert_eq!(new, serde_json::json!({"alert_id": "a", "title": "t", "level": "warning"}));
    assert_eq!(versions.spoken(None, &["old-monitor"]), Ok(0));
}
