//! Files that the guides show, put into a project and checked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::pages::guides;

/// A project in which a snippet is tried.
struct Trial(TempDir);

impl Trial {
    /// The systems of the guides take many things in one request, which those of the projects do not.
    fn takes_many(&self, connector: &str, operation: &str) {
        let document = format!("connectors/{connector}/openapi.yaml");
        let before = fs::read_to_string(self.path(&document)).unwrap();
        let many = format!(
            "paths:
  /batches:
    post:
      operationId: {operation}
      requestBody: {{content: {{application/json: {{schema: {{type: object}}}}}}}}
      responses: {{\"200\": {{description: ok}}}}
"
        );
        self.write(&document, &before.replacen("paths:\n", &many, 1));
    }

    /// From a template of `qc init`.
    fn template() -> Self {
        let trial = Self(tempfile::tempdir().unwrap());
        assert!(trial.qc(&["init"]).status.success());
        trial
    }

    /// A copy of the example.
    fn example() -> Self {
        let trial = Self(tempfile::tempdir().unwrap());
        let example =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/customer-escalation");
        copy(&example, trial.0.path());
        trial
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    fn qc(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
        command.args(arguments).current_dir(self.0.path()).env_clear().env("HOME", self.0.path());
        command.output().unwrap()
    }

    /// The errors that `qc check` finds in this file.
    fn errors(&self, file: &str) -> Vec<String> {
        let output = self.qc(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = report["findings"].as_array().unwrap();
        let here = findings.iter().filter(|finding| finding["severity"] == "error");
        let here = here.filter(|finding| finding["place"]["file"] == file);
        here.map(|finding| format!("{} {}", finding["code"], finding["message"])).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn connector(text: &str) -> Vec<String> {
    let trial = Trial::example();
    trial.takes_many("tracker", "createIssues");
    trial.write("connectors/tracker/connector.yaml", text);
    trial.errors("connectors/tracker/connector.yaml")
}

fn overlay(text: &str) -> Vec<String> {
    let trial = Trial::example();
    let path = "connectors/tracker/connector.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    trial.write(
        path,
        &before
            .replace("openapi: openapi.yaml\n", "openapi: openapi.yaml\noverlay: overlay.yaml\n"),
    );
    trial.write("connectors/tracker/overlay.yaml", text);
    let mut errors = trial.errors("connectors/tracker/overlay.yaml");
    errors.extend(trial.errors(path));
    errors
}

/// In place of the system of this name in the example.
fn system(text: &str) -> Vec<String> {
    let trial = Trial::example();
    let path = "integrations/customer-escalation/integration.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    let (head, rest) = before.split_once("  tracker: {").unwrap();
    let (_, tail) = rest.split_once('\n').unwrap();
    let system = text.trim_end().replace('\n', "\n  ");
    trial.write(path, &format!("{head}  {system}\n{tail}"));
    trial.errors(path)
}

fn approvals(text: &str) -> Vec<String> {
    let trial = Trial::example();
    fs::create_dir_all(trial.path("access")).unwrap();
    trial.write("access/approvals.yaml", text);
    assert!(trial.qc(&["access", "matrix"]).status.success());
    trial.errors("access/approvals.yaml")
}

fn triggers(text: &str) -> Vec<String> {
    let trial = Trial::template();
    let path = "integrations/ticket-sync/integration.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    let (head, rest) = before.split_once("triggers:\n").unwrap();
    let (_, tail) = rest.split_once("\nfailure_modes:").unwrap();
    trial.write(path, &format!("{head}{text}\nfailure_modes:{tail}"));
    trial.errors(path)
}

/// The same in the template whose chat has a list that can be asked for.
fn notify_triggers(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    assert!(trial.qc(&["init", "--template", "notify"]).status.success());
    let path = "integrations/notify/integration.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    let (head, rest) = before.split_once("triggers:\n").unwrap();
    let (_, tail) = rest.split_once("\nfailure_modes:").unwrap();
    trial.write(path, &format!("{head}{text}\nfailure_modes:{tail}"));
    trial.errors(path)
}

/// More of a brief.
fn brief(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    assert!(trial.qc(&["init", "--template", "notify"]).status.success());
    let path = "integrations/notify/integration.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    trial.write(path, &format!("{before}\n{text}"));
    if text.contains("degrade") {
        // The lesser way of which it speaks.
        let workflow = "integrations/notify/workflow.yaml";
        let before = fs::read_to_string(trial.path(workflow)).unwrap();
        let way = "  - more:\n      if: ${ $runtime.metadata.degraded | not }\n      set: { more: true }\n";
        trial.write(workflow, &format!("{}\n{way}", before.trim_end()));
    }
    trial.errors(path)
}

/// The older contract of which the guide of versions speaks.
const OLDER: &str = r#"{
  "type": "object", "required": ["id", "title", "level"],
  "properties": {
    "id": {"type": "string", "minLength": 1, "maxLength": 100},
    "title": {"type": "string", "minLength": 1, "maxLength": 200},
    "level": {"enum": ["note", "warn", "alarm"]},
    "host": {"type": "string"}
  }
}"#;

/// The versions of the alert in a template.
fn contract_versions(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    assert!(trial.qc(&["init", "--template", "notify"]).status.success());
    let folder = "integrations/notify";
    let file = format!("{folder}/integration.yaml");
    let contract = "    contract: contracts/alert.schema.json\n";
    let before = fs::read_to_string(trial.path(&file)).unwrap();
    let with = format!("{contract}    versions: contracts/alert.versions.yaml\n");
    trial.write(&file, &before.replacen(contract, &with, 1));
    for inside in ["migrations", "contracts/v1"] {
        fs::create_dir_all(trial.path(&format!("{folder}/{inside}"))).unwrap();
    }
    trial.write(&format!("{folder}/contracts/v1/alert.schema.json"), OLDER);
    trial.write(&format!("{folder}/migrations/alert-1-to-2.md"), "# From 1 to 2\n");
    let versions = format!("{folder}/contracts/alert.versions.yaml");
    trial.write(&versions, text);
    [trial.errors(&file), trial.errors(&versions)].concat()
}

fn search_keys(text: &str) -> Vec<String> {
    let trial = Trial::template();
    let path = "integrations/ticket-sync/integration.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    trial.write(path, &before.replacen("\nowners:", &format!("\n{text}\nowners:"), 1));
    let errors = trial.errors(path);
    assert!(fs::read_to_string(trial.path(path)).unwrap().contains("search_keys"));
    errors
}

/// In place of the task that asks, in the example that has one.
fn human(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/refund-approval");
    copy(&example, trial.0.path());
    let path = "integrations/refund/workflow.yaml";
    let before = fs::read_to_string(trial.path(path)).unwrap();
    let (head, rest) = before.split_once("  - ask:\n").unwrap();
    let (_, tail) = rest.split_once("  - refused:\n").unwrap();
    let task = text.trim_end().replace('\n', "\n  ");
    trial.write(path, &format!("{head}  {task}\n  - refused:\n{tail}"));
    trial.errors(path)
}

fn organisation(text: &str) -> Vec<String> {
    let trial = Trial::template();
    trial.write("quickconnect.yaml", text);
    trial.errors("quickconnect.yaml")
}

/// A scenario is not only checked but carried out.
fn scenario(text: &str) -> Vec<String> {
    let trial = Trial::template();
    trial.write("integrations/ticket-sync/acceptance/rough-day.yaml", text);
    let output = trial.qc(&["test", "--scenario", "rough-day"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Vec::new() } else { vec![said] }
}

/// Objects in the example's brief.
fn data_objects(text: &str) -> Vec<String> {
    let trial = Trial::example();
    let folder = "integrations/customer-escalation";
    let schema = r#"{"properties": {"text": {"type": "string"}}}"#;
    trial.write(&format!("{folder}/contracts/message.schema.json"), schema);
    let file = format!("{folder}/integration.yaml");
    let brief = fs::read_to_string(trial.path(&file)).unwrap();
    let (before, rest) = brief.split_once("objects:\n").unwrap();
    let (_, after) = rest.split_once("\ntriggers:\n").unwrap();
    trial.write(&file, &format!("{before}{text}\ntriggers:\n{after}"));
    trial.errors(&file)
}

/// A policy for the example's systems, which are in a region.
fn data_movement(text: &str) -> Vec<String> {
    let trial = Trial::example();
    let brief = "integrations/customer-escalation/integration.yaml";
    let said = fs::read_to_string(trial.path(brief)).unwrap();
    let said = said.replace(": {direction: ", ": {region: eu, direction: ");
    trial.write(brief, &said.replace("  chat:\n", "  chat:\n    region: eu\n"));
    let file = "quickconnect.yaml";
    let organisation = fs::read_to_string(trial.path(file)).unwrap();
    trial.write(file, &format!("{organisation}{text}"));
    [trial.errors(file), trial.errors(brief)].concat()
}

fn simulator(text: &str) -> Vec<String> {
    let trial = Trial::template();
    trial.takes_many("helpdesk", "createTickets");
    trial.write("connectors/helpdesk/simulator.yaml", text);
    trial.errors("connectors/helpdesk/simulator.yaml")
}

/// A profile weighs a comparison of a description with itself.
fn contract_profile(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    trial.write("profile.yaml", text);
    trial.write("api.yaml", "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {}\n");
    let output =
        trial.qc(&["contract", "diff", "api.yaml", "api.yaml", "--profile", "profile.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Vec::new() } else { vec![said] }
}

/// What is written about breaks, in a template that has the files.
fn breaking_changes(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    assert!(trial.qc(&["init", "--template", "notify"]).status.success());
    let folder = "integrations/notify";
    fs::create_dir_all(trial.path(&format!("{folder}/migrations"))).unwrap();
    trial.write(&format!("{folder}/CHANGELOG.md"), "# Changes\n\n## 2.0.0\n");
    trial.write(&format!("{folder}/migrations/1-to-2.md"), "# From 1 to 2\n");
    let file = format!("{folder}/integration.yaml");
    let before = fs::read_to_string(trial.path(&file)).unwrap();
    trial.write(&file, &format!("{before}\n{text}"));
    trial.errors(&file)
}

/// A pipeline's commands are carried out in a template under git, where each passes.
fn pipeline(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    assert!(trial.qc(&["init", "--template", "notify"]).status.success());
    for words in [
        &["init", "-q"][..],
        &["add", "-A"],
        &["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "first"],
    ] {
        let git =
            std::process::Command::new("git").args(words).current_dir(trial.0.path()).status();
        assert!(git.unwrap().success());
    }
    let mut wrong = Vec::new();
    let mut ran = 0;
    for line in text.lines() {
        let Some(at) = line.find("qc ") else { continue };
        for command in line[at..].split("&&") {
            let command = command.split('>').next().unwrap_or_default();
            let command = command.trim().trim_end_matches(['\'', ' ']);
            // What the pipeline knows is the revision before, here the only one.
            let words = command.split_whitespace().skip(1);
            let words: Vec<&str> = words
                .map(|word| word.trim_matches('"'))
                .filter(|word| !matches!(*word, "github.base_ref" | "}}"))
                .map(|word| if word.starts_with("git:") { "git:HEAD" } else { word })
                .collect();
            let output = trial.qc(&words);
            ran += 1;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                wrong.push(format!("qc {words:?}: {said}"));
            }
        }
    }
    assert!(ran > 0, "no command is in\n{text}");
    wrong
}

/// Credentials for a test of a description without operations, with every variable that they name set.
fn contract_credentials(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    trial.write("credentials.yaml", text);
    trial.write("api.yaml", "openapi: 3.1.0\ninfo: {title: A, version: '1'}\npaths: {}\n");
    let names = text.split("env: ").skip(1).filter_map(|rest| rest.split('}').next());
    let mut command = Command::new(env!("CARGO_BIN_EXE_qc"));
    command.args([
        "contract",
        "test",
        "api.yaml",
        "--simulator",
        "--credentials",
        "credentials.yaml",
    ]);
    command.current_dir(trial.0.path()).env_clear().env("HOME", trial.0.path());
    let output = command.envs(names.map(|name| (name, "x"))).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Vec::new() } else { vec![said] }
}

fn settings(text: &str) -> Vec<String> {
    let trial = Trial(tempfile::tempdir().unwrap());
    trial.write("qc.toml", text);
    let output = trial.qc(&["config", "explain"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Vec::new() } else { vec![said] }
}

#[test]
fn every_marked_file_checks() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for page in guides() {
        for (before, language, text) in page.blocks() {
            let mark =
                before.strip_prefix("<!-- check: ").and_then(|mark| mark.strip_suffix(" -->"));
            let errors = match (mark, language.as_str()) {
                (Some("connector"), _) => connector(&text),
                (Some("overlay"), _) => overlay(&text),
                (Some("system"), _) => system(&text),
                (Some("approvals"), _) => approvals(&text),
                (Some("integration triggers"), _) => triggers(&text),
                (Some("notify triggers"), _) => notify_triggers(&text),
                (Some("contract versions"), _) => contract_versions(&text),
                (Some("limits" | "requirements"), _) => brief(&text),
                (Some("search keys"), _) => search_keys(&text),
                (Some("human task"), _) => human(&text),
                (Some("organisation"), _) => organisation(&text),
                (Some("data objects"), _) => data_objects(&text),
                (Some("data movement"), _) => data_movement(&text),
                (Some("scenario"), _) => scenario(&text),
                (Some("simulator"), _) => simulator(&text),
                (Some("contract profile"), _) => contract_profile(&text),
                (Some("breaking changes"), _) => breaking_changes(&text),
                (Some("pipeline"), _) => pipeline(&text),
                (Some("contract credentials"), _) => contract_credentials(&text),
                (None, "toml") => settings(&text),
                (None, "yaml") => vec!["this block is not marked, so nobody checks it".to_owned()],
                (Some(other), _) => vec![format!("nothing knows how to check `{other}`")],
                (None, _) => continue,
            };
            seen += 1;
            wrong.extend(errors.into_iter().map(|error| format!("{}: {error}\n{text}", page.name)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 7, "only {seen} files were found");
}
