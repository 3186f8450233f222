//! Every operation, asked for by somebody of another environment and by somebody of another unit. A new operation fails
//! here until it is said what becomes of those.
//!
//! There is no third boundary: a tenant owns data and quotas, and nobody who asks is one. What tells tenants apart is
//! looked at where data are (the keys of hashes and tokens, state, lines, buses).

use std::collections::{BTreeMap, BTreeSet};

use qc_access::{Action, Approval, Approved, Policies, Role, TokenKind};
use qc_model::{Actor, Clock, Seeded};
use serde_json::{Value, json};

use crate::{
    client::Ask,
    world::{SystemClock, World},
};

/// What becomes of somebody from beyond a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    /// Refused.
    No,
    /// A list, without what is not theirs.
    Cut,
    /// Theirs to ask all the same: it is of no environment, or asking is how one gets over.
    Open,
}
use Beyond::{Cut, No, Open};

/// An operation: its name, what follows its path, its body, and what becomes of somebody of another environment and of
/// another unit.
type Row = (&'static str, &'static str, &'static str, Beyond, Beyond);

const REASON: &str = r#"{"reason":"x"}"#;
const CRM: &str = r#"{"environment":"production","name":"crm"}"#;
const SECRET: &str = r#"{"environment":"production","name":"secret://acme","value":"x"}"#;
const OF_SECRET: &str = r#"{"environment":"production","name":"acme"}"#;
const LINE: &str = r#"{"tenant":"default","environment":"production","integration":"doors","key":"k","reason":"x"}"#;
const TRIGGER: &str =
    r#"{"environment":"production","integration":"doors","trigger":"json","reason":"x"}"#;
const STATE: &str = r#"{"tenant":"default","environment":"production","integration":"doors","state":"notes","key":"k","value":1}"#;
const SUBJECT: &str = r#"{"environment":"production","tenant":"default","subject":"ada@example.test","reason":"GDPR 7"}"#;

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("listRuns", "", "", Cut, Cut),
    ("showRun", "", "", No, No),
    ("showRunJournal", "", "", No, No),
    ("replayRun", "", "{}", No, No),
    ("cancelRun", "", REASON, No, No),
    ("resolveRun", "", "{}", No, No),
    ("resumeRun", "", "", No, No),
    ("listDeadLetters", "", "", Cut, Cut),
    ("retryDeadLetter", "", "{}", No, No),
    ("discardDeadLetter", "", REASON, No, No),
    ("listDrift", "", "", Cut, Cut),
    ("listDriftShapes", "", "", Cut, Cut),
    ("listDriftCanaries", "", "", Cut, Cut),
    ("showDrift", "", "", No, No),
    ("resumeDrift", "", "{}", No, No),
    ("listFailures", "", "", Cut, Cut),
    ("showFailures", "", "", No, No),
    ("acknowledgeFailures", "", "{}", No, No),
    ("resolveFailures", "", "{}", No, No),
    ("muteFailures", "", r#"{"for":"1h"}"#, No, No),
    ("reopenFailures", "", "{}", No, No),
    ("listBulks", "", "", Cut, Cut),
    ("planBulk", "", r#"{"deed":"cancel","reason":"x","environment":"production","integration":"doors"}"#, No, No),
    ("showBulk", "", "", No, No),
    ("startBulk", "", "{}", No, No),
    ("abortBulk", "", REASON, No, No),
    ("listLimits", "", "", Cut, Cut),
    ("nearLimits", "", "", Cut, Cut),
    ("listOutboundLimits", "", "", Cut, Cut),
    ("listTraffic", "", "", Cut, Cut),
    ("listLines", "", "", Cut, Cut),
    ("resumeLine", "", LINE, No, No),
    ("skipLine", "", LINE, No, No),
    ("discardLine", "", LINE, No, No),
    ("listTriggers", "", "", Cut, Cut),
    ("pauseTrigger", "", TRIGGER, No, No),
    ("resumeTrigger", "", TRIGGER, No, No),
    ("discardHeldRuns", "", TRIGGER, No, No),
    ("listTasks", "", "", Cut, Cut),
    ("showTask", "", "", No, No),
    ("claimTask", "", "", No, No),
    ("decideTask", "", r#"{"decision":"approved"}"#, No, No),
    ("actOnTask", "", r#"{"act":"resume"}"#, No, No),
    ("listState", "?environment=production&integration=doors&state=notes", "", No, No),
    ("setState", "", STATE, No, No),
    ("deleteState", "", STATE, No, No),
    ("listLinks", "?environment=production&integration=doors&table=people", "", No, No),
    ("linkIds", "", r#"{"tenant":"default","environment":"production","integration":"doors","table":"people","links":[]}"#, No, No),
    ("unlinkIds", "", r#"{"tenant":"default","environment":"production","integration":"doors","table":"people","ids":{"crm":"1"}}"#, No, No),
    ("listEventTypes", "", "", Cut, Cut),
    ("listEvents", "?environment=sandbox", "", Cut, Cut),
    ("listSchedules", "", "", Cut, Cut),
    ("pauseSchedule", "", "", No, No),
    ("resumeSchedule", "", "", No, No),
    ("listLedger", "", "", Cut, Cut),
    ("askFailures", "", "", Cut, Cut),
    ("askReconciliation", "", "", Cut, Cut),
    ("listReleases", "", "", Open, Cut),
    ("storeRelease", "", r#"{"integration":"doors","files":{"first":"MQ=="}}"#, Open, No),
    ("showRelease", "", "", Open, No),
    ("exportRelease", "", "", Open, No),
    ("rehearseRuns", "", "{}", No, No),
    ("recordFixtures", "", "{}", No, No),
    ("listDeployments", "", "", Cut, Cut),
    ("judgeRelease", "?release=000000", "", No, No),
    ("deploy", "", r#"{"release":"000000"}"#, No, No),
    ("overrideGate", "", r#"{"release":"000000","reason":"x"}"#, No, No),
    ("rollback", "", "", No, No),
    ("contractUsage", "", "", No, No),
    ("endVersion", "", r#"{"reason":"x"}"#, No, No),
    ("contractMatrix", "", "", No, No),
    ("publishExpectations", "", r#"{"version":"1","pact":"{}"}"#, No, No),
    ("listDeploymentChanges", "", "", No, No),
    ("listTokens", "", "", No, Cut),
    ("createToken", "", r#"{"name":"x","role":"auditor","owner":"desk-team"}"#, No, No),
    ("revokeToken", "", "", No, No),
    ("rotateToken", "", "{}", No, No),
    ("reviewAccess", "", "", No, No),
    ("blastRadius", "?connection=production/crm", "", No, No),
    ("reassignAccess", "", r#"{"token":"AAAAAAAA","owner":"rivals"}"#, No, No),
    ("listGrants", "", "", Cut, Open),
    ("requestGrant", "", r#"{"actions":["runs:read"],"environment":"production","unit":"desk","reason":"x","ticket":"y"}"#, No, Open),
    ("approveGrant", "", "", No, Open),
    ("refuseGrant", "", "", No, Open),
    ("revokeGrant", "", "", No, Open),
    ("listApprovals", "", "", Cut, Open),
    ("giveApproval", "", r#"{"action":"deployments:write","what":"000000","environment":"production","integration":"doors"}"#, No, Open),
    ("withdrawApproval", "", "", No, Open),
    ("listCaptures", "", "", Cut, Cut),
    ("requestCapture", "", r#"{"environment":"production","integration":"doors","reason":"x","ticket":"y"}"#, No, No),
    ("approveCapture", "", "", No, No),
    ("refuseCapture", "", "", No, No),
    ("readCapture", "", "", No, No),
    ("endCapture", "", "", No, No),
    ("showPolicies", "", "", Open, Open),
    ("applyPolicies", "", r#"{"files":{},"matrix":""}"#, No, No),
    ("listClients", "", "", No, No),
    ("createClient", "", r#"{"id":"c","environment":"production","role":"runtime","owner":"x","purpose":"x"}"#, No, No),
    ("rotateClient", "", "{}", No, No),
    ("revokeClient", "", "", No, No),
    ("listSigningKeys", "", "", No, No),
    ("rotateSigningKey", "", r#"{"environment":"production"}"#, No, No),
    ("listSessions", "", "", No, No),
    ("revokePerson", "", r#"{"user":"ada"}"#, No, No),
    ("sealBreakGlass", "", "", No, No),
    ("listAuditEntries", "", "", No, No),
    ("auditCheckpoint", "", "", No, No),
    ("auditConsistency", "?from=1", "", No, No),
    ("listConnections", "", "", Cut, Cut),
    ("showConnection", "", "", No, No),
    ("linkConnection", "", CRM, No, No),
    ("testConnection", "", CRM, No, No),
    ("rotateConnection", "", CRM, No, No),
    ("revokeConnection", "", CRM, No, No),
    ("drillConnection", "", r#"{"environment":"production","name":"crm","seconds":1,"rate":1}"#, No, No),
    ("showConnectionDrill", "", "", No, No),
    ("listSecrets", "", "", Cut, Cut),
    ("setSecret", "", SECRET, No, No),
    ("rotateSecret", "", SECRET, No, No),
    ("removeSecret", "", OF_SECRET, No, No),
    ("exportSubject", "", SUBJECT, No, No),
    ("eraseSubject", "", SUBJECT, No, No),
    ("makeDropLink", "", OF_SECRET, No, No),
    ("listDropLinks", "", "", Cut, Cut),
    ("revokeDropLink", "", "", No, No),
    ("listRotations", "", "", Cut, Cut),
    ("showVault", "", "", No, No),
    ("rewrapVault", "", "", No, No),
    ("rotateDataKey", "", r#"{"environment":"production"}"#, No, No),
    ("drillVault", "", r#"{"environment":"production"}"#, No, No),
    ("showServer", "", "", Open, Open),
    ("followHappenings", "", "", No, No),
    ("showOpenApi", "", "", Open, Open),
    ("showMetrics", "", "", Open, Open),
];

/// An operation of the API's document.
struct Operation {
    method: String,
    path: String,
    action: Action,
}

fn operations() -> BTreeMap<String, Operation> {
    let document = qc_server::openapi_document();
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let action = operation["x-quickconnect-action"].as_str().unwrap();
            let action = Action::parse(action).unwrap();
            let one = Operation { method: method.to_uppercase(), path: path.clone(), action };
            assert!(found.insert(id.clone(), one).is_none(), "{id} stands twice");
        }
    }
    found
}

/// One of each thing in production, all of the unit `desk`, for the paths.
async fn things(world: &World) -> BTreeMap<&'static str, String> {
    let as_owner = |ask: Ask| ask.token(&world.owner);
    let made = |reply: crate::client::Reply| {
        assert!(reply.status < 300, "{}", String::from_utf8_lossy(&reply.body));
        reply.json()
    };
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned();
    let dead = world.send("json", json!({ "mode": "fault" }).to_string()).await.run();
    world.until(&dead, "faulted").await;
    let groups = made(world.ask(as_owner(Ask::get("/api/v1/failures"))).await);
    let waiting = world.send("json", json!({ "mode": "ask" }).to_string()).await.run();
    world.until(&waiting, "waiting").await;
    let tasks = made(world.ask(as_owner(Ask::get(&format!("/api/v1/tasks?run={waiting}")))).await);
    let plan = r#"{"deed":"cancel","reason":"x","environment":"production","integration":"doors"}"#;
    let bulk = made(world.ask(as_owner(Ask::post("/api/v1/bulks", plan))).await);
    let deployed = made(world.ask(as_owner(Ask::get("/api/v1/deployments"))).await);
    let set = r#"{"environment":"production","name":"acme","value":"of the desk alone"}"#;
    made(world.ask(as_owner(Ask::post("/api/v1/secrets/set", set))).await);
    let drop = made(world.ask(as_owner(Ask::post("/api/v1/secrets/drop", OF_SECRET))).await);
    let (key, _) = world.key_of("desk-team", Role::Auditor).await;
    let bob = world.unbound("bob", Role::Operator).await;
    let grant = json!({
        "actions": ["runs:inspect"], "environment": "production", "unit": "desk", "reason": "x", "ticket": "y",
    });
    let grant = Ask::post("/api/v1/grants", grant.to_string()).token(&bob);
    let grant = made(world.ask(grant).await);
    let capture = r#"{"environment":"production","integration":"doors","reason":"x","ticket":"y"}"#;
    let ada = world.person("ada", Role::Operator).await;
    let capture = made(world.ask(Ask::post("/api/v1/captures", capture).token(&ada)).await);
    let approved = Approved {
        action: Action::DeploymentsWrite,
        environment: Some("production".parse().unwrap()),
        integration: Some("doors".parse().unwrap()),
        what: "0".repeat(64),
    };
    let (now, entropy) = (SystemClock.now(), Seeded::new(99));
    let approval = Approval::give(approved, "ada".parse().unwrap(), now, &entropy);
    world.commit(approval.change(None, &Actor::platform("test"), now, &entropy)).await;
    BTreeMap::from([
        ("run", dead),
        ("task", text(&tasks["items"][0]["id"])),
        ("release", text(&deployed["items"][0]["release"])),
        ("environment", "production".to_owned()),
        ("integration", "doors".to_owned()),
        ("group", text(&groups["items"][0]["group"])),
        ("bulk", text(&bulk["bulk"])),
        ("trigger", "hourly".to_owned()),
        ("version", "1.0.0".to_owned()),
        ("token", key),
        ("grant", text(&grant["id"])),
        ("approval", approval.id),
        ("capture", text(&capture["id"])),
        ("name", "crm".to_owned()),
        ("finding", "0123456789abcdef".to_owned()),
        ("drill", "last".to_owned()),
        ("link", text(&drop["link"]["id"])),
        ("client", "nobody".to_owned()),
    ])
}

#[test]
fn of_every_operation_it_is_said_what_becomes_of_those_from_beyond() {
    let there: BTreeSet<String> = operations().into_keys().collect();
    let said: BTreeSet<String> = ROWS.iter().map(|row| row.0.to_owned()).collect();
    assert_eq!(said.len(), ROWS.len(), "one stands twice");
    assert_eq!(there, said, "an operation without a row, or a row without an operation");
}

/// Asks for every operation as somebody from beyond a boundary: refused for `reason`, or shown nothing with `marks`.
async fn walk(
    world: &World,
    beyond: impl Fn(&Row) -> Beyond,
    tokens: &BTreeMap<Role, String>,
    (reason, marks): (&str, &[&str]),
) {
    let things = things(world).await;
    let (operations, policies) = (operations(), Policies::shipped());
    for row in ROWS {
        let (id, query, body, ..) = *row;
        let Operation { method, path, action } = &operations[id];
        let path = things
            .iter()
            .fold(path.clone(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value));
        assert!(!path.contains('{'), "{path}");
        assert!(id != "followHappenings" || beyond(row) == No, "it never ends");
        let able =
            Role::ALL.into_iter().find(|role| policies.ever(*role, TokenKind::ApiKey, *action));
        let token = &tokens[&able.unwrap_or_else(|| panic!("nobody does {}", action.as_str()))];
        let ask = Ask::new(method, &format!("{path}{query}")).token(token);
        let ask = if body.is_empty() {
            ask
        } else {
            ask.header("content-type", "application/json").body(body)
        };
        let reply = world.ask(ask).await;
        let shown = String::from_utf8_lossy(&reply.body).into_owned();
        match beyond(row) {
            No => {
                assert_eq!(reply.status, 403, "{id}: {} {shown}", reply.status);
                let told = reply.problem(403, "QC-A005");
                assert!(told["detail"].as_str().unwrap().contains(reason), "{id}: {told}");
            }
            Cut => {
                assert_eq!(reply.status, 200, "{id}: {shown}");
                let mark = marks.iter().find(|mark| shown.contains(*mark));
                assert_eq!(mark, None, "{id}: {shown}");
            }
            Open => {
                let refused = reply.status == 403 && shown.contains("QC-A005");
                assert!(!refused, "{id}: {shown}");
            }
        }
    }
}

#[tokio::test]
async fn nobody_of_another_environment_gets_at_anything() {
    let world = World::new().await;
    let mut tokens = BTreeMap::new();
    for role in Role::ALL {
        tokens.insert(role, world.token(Some("sandbox"), role, None).await);
    }
    let why = ("bound to another environment", &["production"][..]);
    walk(&world, |row| row.3, &tokens, why).await;
}

#[tokio::test]
async fn nobody_of_another_unit_gets_at_anything() {
    let world = World::new().await;
    let mut tokens = BTreeMap::new();
    for role in Role::ALL {
        tokens.insert(role, world.unbound("mallory", role).await);
    }
    let marks = ["doors", "crm", "acme", "desk"];
    walk(&world, |row| row.4, &tokens, ("another unit's", &marks)).await;
    // Nor does a service whose key a team of that unit owns.
    let world = World::new().await;
    for role in Role::ALL {
        tokens.insert(role, world.key_of("rivals", role).await.1);
    }
    walk(&world, |row| row.4, &tokens, ("another unit's", &marks)).await;
}
