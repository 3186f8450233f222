//! A release that maps a wrong amount is found before it is deployed, by what ran before; and examples are made of what
//! came in, with nothing of anybody in them.

use std::{collections::BTreeSet, fs, path::Path, time::Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    stage::{
        project::{replace, secret},
        server::Server,
        signing,
    },
    templates::{Simulated, point, secrets_in},
    versions::{Asked, PATIENCE},
};

const INTEGRATION: &str = "mine/integrations/ticket-sync";
/// What must be in no example and in no answer, in no spelling.
const CANARIES: [&str; 5] =
    ["Ada Lovelace", "ada@lovelace.example", "1815-12-10", "Canary subject", "canary-7f3a"];

/// The template, with customers and amounts.
fn prepared(server: &Server) {
    server.well(&["init", "mine", "--template", "ticket-sync"]);
    let at = |file: &str| server.folder.join(INTEGRATION).join(file);
    replace(
        &at("contracts/request.schema.json"),
        "\"text\": {",
        r#""gross": { "type": "integer", "minimum": 0 },
    "net": { "type": "integer", "minimum": 0 },
    "urgent": { "type": "boolean" },
    "customer": {
      "type": "object",
      "properties": {
        "name": { "type": "string", "minLength": 2, "maxLength": 60 },
        "email": { "type": "string", "format": "email" },
        "born": { "type": "string", "format": "date" }
      }
    },
    "text": {"#,
    );
    replace(
        &at("integration.yaml"),
        "subject: confidential, text: confidential}",
        "subject: confidential, text: confidential, customer: personal}",
    );
    replace(
        &at("workflow.yaml"),
        "text: ${ .text // \"\" }",
        r#"text: '${ "\(.gross) for \(.customer.name // .subject)" }'"#,
    );
}

fn event(number: u32) -> Value {
    let mut event = json!({
        "kind": "request", "delivery": format!("D-{number}"), "request_id": format!("R-{number}"),
        "subject": format!("Canary subject {number}"), "gross": 11_900 + number, "net": 10_000 + number,
    });
    if number.is_multiple_of(2) {
        event["customer"] = json!({
            "name": "Ada Lovelace", "email": "ada@lovelace.example", "born": "1815-12-10",
        });
        event["text"] = json!("of canary-7f3a, says Ada Lovelace");
    }
    event
}

/// Stores a version of the project; its hash.
fn built(server: &Server, number: &str, from: &str, to: &str) -> String {
    let at = |file: &str| server.folder.join(INTEGRATION).join(file);
    let (before, after) = number.split_once(' ').unwrap();
    replace(&at("integration.yaml"), &format!("version: {before}"), &format!("version: {after}"));
    replace(&at("workflow.yaml"), from, to);
    let built = server.told(&["release", "build", "--folder", "mine"]);
    built["release"].as_str().unwrap().to_owned()
}

fn clean(text: &str) {
    for canary in CANARIES {
        let spelled = [
            canary.to_owned(),
            canary.replace(' ', "+"),
            canary.replace(' ', "%20"),
            canary.replace('@', "%40"),
            STANDARD.encode(canary).trim_end_matches('=').to_owned(),
        ];
        for spelling in spelled {
            assert!(!text.contains(&spelling), "{spelling} in {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_amount_is_found_by_past_runs_and_examples_are_of_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::new(folder.path());
    prepared(&server);
    let simulated = Simulated::begin(folder.path());
    point(&folder.path().join("mine/quickconnect.yaml"), &simulated.addresses);
    let mut secrets = BTreeSet::new();
    secrets_in(&folder.path().join("mine"), &mut secrets);
    for name in &secrets {
        let value = if name == "crm/webhook" { signing::secret() } else { "of a test".to_owned() };
        secret(&server.secrets(), "sandbox", name, &value);
    }
    server.start().await;
    let first = server.told(&["release", "build", "--folder", "mine"]);
    let first = first["release"].as_str().unwrap().to_owned();
    server.well(&["deploy", "sandbox", &first]);
    for number in 1..=6 {
        fs::write(folder.path().join("event.json"), event(number).to_string()).unwrap();
        let sent =
            ["trigger", "sandbox", "ticket-sync/request", "--sign", "secrets/sandbox/crm/webhook"];
        let told = server.told(&[&sent[..], &["--data", "event.json", "--wait", "30"]].concat());
        assert_eq!(told["status"], json!(200), "{told}");
    }
    let effects = simulated.effects("helpdesk").len() + simulated.effects("crm").len();
    assert_eq!(effects, 12);

    // The release that ran, and another way to say the same.
    let replay = |release: &str| {
        let output =
            server.qc(&["contract", "replay", "sandbox", "ticket-sync", release, "--json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        clean(&text);
        let told: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
        (output.status.code(), told)
    };
    let (code, told) = replay(&first);
    assert_eq!(
        (code, &told["compared"], &told["differ"]),
        (Some(0), &json!(6), &json!(0)),
        "{told}"
    );
    let same = built(
        &server,
        "1.0.0 1.0.1",
        r#"'${ "\(.gross) for \(.customer.name // .subject)" }'"#,
        r#"'${ (.gross | tostring) + " for " + (if .customer then .customer.name else .subject end) }'"#,
    );
    let (code, told) = replay(&same);
    assert_eq!((code, &told["same"]), (Some(0), &json!(6)), "{told}");

    // A wrong amount: that, and nothing else.
    let wrong = built(&server, "1.0.1 1.0.2", "(.gross | tostring)", "(.net | tostring)");
    let (code, told) = replay(&wrong[..12]);
    assert_eq!((code, &told["differ"]), (Some(100), &json!(6)), "{told}");
    let [only] = &told["differences"].as_array().unwrap()[..] else { panic!("{told}") };
    assert_eq!(
        (&only["kind"], &only["effect"], &only["task"], &only["count"]),
        (&json!("changed"), &json!("helpdesk.createTicket"), &json!("openTicket"), &json!(6))
    );
    assert_eq!(only["fields"].as_array().unwrap().len(), 1);
    assert_eq!(only["fields"][0]["pointer"], "/text");
    let one = ["contract", "replay", "sandbox", "ticket-sync", &wrong, "--sample", "1"];
    let shown = String::from_utf8(server.qc(&one).stdout).unwrap();
    assert!(
        shown.contains("changed: helpdesk.createTicket at `openTicket` (1 of 1 runs"),
        "{shown}"
    );
    let made = simulated.effects("helpdesk").len() + simulated.effects("crm").len();
    assert_eq!(made, effects, "a replay reaches nobody");

    examples(&server, folder.path());
    let began = Instant::now();
    loop {
        // What was just done is sealed a moment later.
        let audit = server.well(&["audit", "list", "--limit", "500", "--json"]);
        if audit.contains("rehearseRuns") && audit.contains("recordFixtures") {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{audit}");
    }
}

/// One of each form, with which the project is clean.
fn examples(server: &Server, folder: &Path) {
    let valid = folder.join(INTEGRATION).join("contracts/examples/valid");
    let there = || -> BTreeSet<String> {
        let files = fs::read_dir(&valid).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    };
    let before = there();
    let record = |more: &[&str]| {
        let mut command = server.command();
        let verb = ["contract", "record", "sandbox", "ticket-sync/request", "--json"];
        command.args(verb).args(more).current_dir(folder.join("mine"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let told = record(&[]);
    assert_eq!((&told["looked_at"], &told["unmaskable"]), (&json!(6), &json!(0)), "{told}");
    assert_eq!(told["files"].as_array().unwrap().len(), 2, "one of each form: {told}");
    assert_eq!(told["files"][0]["stands_for"], json!(3));
    let made: Vec<String> = there().difference(&before).cloned().collect();
    assert_eq!(made.len(), 2);
    for file in &made {
        let text = fs::read_to_string(valid.join(file)).unwrap();
        clean(&text);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["kind"], "request", "the contract's own word: {document}");
        assert!(document["request_id"].as_str().unwrap().starts_with("R-"), "internal: {document}");
        assert!(!(11_901..=11_906).contains(&document["gross"].as_i64().unwrap()), "{document}");
    }
    server.well(&["check", "mine"]);
    // Again: nothing of before is touched.
    let texts: Vec<Vec<u8>> = made.iter().map(|file| fs::read(valid.join(file)).unwrap()).collect();
    assert_eq!(record(&["--sample", "1"])["more_forms"], json!(1));
    let again: Vec<Vec<u8>> = made.iter().map(|file| fs::read(valid.join(file)).unwrap()).collect();
    assert_eq!(texts, again);
    assert_eq!(there().len(), before.len() + 3);
}

/// What the verbs print as JSON.
pub(crate) fn replayed(asked: &mut Asked<'_>) {
    let deployed = asked.server.told(&["deployments"]);
    let mut items = deployed["items"].as_array().unwrap().iter();
    let orders = items.find(|one| one["integration"] == "orders").unwrap();
    let release = orders["release"].as_str().unwrap();
    let played = asked.told("contract replay", &["sandbox", "orders", release]);
    assert!(played["compared"].as_u64().unwrap() > 0 && played["differ"] == 0, "{played}");
    let made = asked.told("contract record", &["sandbox", "orders/orders", "--out", "examples"]);
    assert!(made["files"][0]["file"].as_str().unwrap().starts_with("examples/orders.recorded-"));
}
