//! Against a fake that answers as the API of the engine is documented: KV version 2, AppRole, Kubernetes, and tokens with
//! leases.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use http::{HeaderMap, Method, StatusCode};
use qc_model::{
    Body, CallError, CallErrorKind, Caller, Clock, EnvironmentName, HandClock, OutboundRequest,
    OutboundResponse, Timestamp,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::{EngineLogin, Secret, SecretRef, Secrets, codes};

const ADDRESS: &str = "https://vault.example:8200";
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Default)]
struct Inside {
    /// Values below `secret/data/`, all versions; None: deleted.
    values: BTreeMap<String, Vec<Option<Value>>>,
    /// Live tokens with their ends.
    tokens: BTreeMap<String, Timestamp>,
    issued: u32,
    renewed: u32,
    /// No renewal beyond this.
    most: Option<Timestamp>,
    sealed: bool,
    down: bool,
    denied: Option<String>,
    asked: Vec<String>,
}

struct Fake {
    inside: Mutex<Inside>,
    clock: Arc<HandClock>,
}

impl Fake {
    fn set<T>(&self, change: impl FnOnce(&mut Inside) -> T) -> T {
        change(&mut self.inside.lock().unwrap())
    }

    fn put(&self, path: &str, value: &Value) {
        self.set(|inside| {
            inside.values.entry(path.to_owned()).or_default().push(Some(value.clone()));
        });
    }

    fn login(inside: &mut Inside, now: Timestamp) -> (u16, Value) {
        inside.issued += 1;
        let token = format!("hvs.{}", inside.issued);
        inside.tokens.insert(token.clone(), now + HOUR);
        (
            200,
            json!({ "auth": { "client_token": token, "lease_duration": 3600, "renewable": true } }),
        )
    }

    fn answer(
        &self,
        inside: &mut Inside,
        request: &str,
        token: &str,
        body: &Value,
    ) -> (u16, Value) {
        let now = self.clock.now();
        let denied = || (403, json!({ "errors": ["permission denied"] }));
        match request {
            "POST auth/approle/login" => {
                let right = body["role_id"] == "role" && body["secret_id"] == "s3cret-id";
                if right {
                    Self::login(inside, now)
                } else {
                    (400, json!({ "errors": ["invalid role or secret ID"] }))
                }
            }
            "POST auth/k8s/eu/login" => {
                let right = body["role"] == "quickconnect" && body["jwt"] == "eyJ.pod.jwt";
                if right { Self::login(inside, now) } else { denied() }
            }
            _ if inside.tokens.get(token).is_none_or(|end| *end <= now) => denied(),
            "POST auth/token/renew-self" => {
                inside.renewed += 1;
                let end = inside.most.map_or(now + HOUR, |most| most.min(now + HOUR));
                if end <= now {
                    return denied();
                }
                inside.tokens.insert(token.to_owned(), end);
                let auth = json!({ "client_token": token, "lease_duration": end.since(now).as_secs(), "renewable": true });
                (200, json!({ "auth": auth }))
            }
            _ => {
                let Some(path) = request.strip_prefix("GET secret/data/") else {
                    return (404, json!({ "errors": ["no handler for route"] }));
                };
                if inside.denied.as_deref() == Some(path) {
                    return denied();
                }
                let Some(versions) = inside.values.get(path) else {
                    return (404, json!({ "errors": [] }));
                };
                let metadata = json!({ "version": versions.len() });
                match versions.last().unwrap() {
                    Some(value) => {
                        (200, json!({ "data": { "data": value, "metadata": metadata } }))
                    }
                    None => (404, json!({ "data": { "data": null, "metadata": metadata } })),
                }
            }
        }
    }
}

#[async_trait]
impl Caller for Fake {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let body = request.body.collect(1 << 16).await?;
        let mut inside = self.inside.lock().unwrap();
        if inside.down {
            let message = "connection refused".to_owned();
            inside.asked.push("down".to_owned());
            return Err(CallError { kind: CallErrorKind::Connect, sent: false, message });
        }
        assert_eq!(request.headers["x-vault-request"], "true");
        let path = request.url.strip_prefix(ADDRESS).unwrap().strip_prefix("/v1/").unwrap();
        let method = if request.method == Method::POST { "POST" } else { "GET" };
        let asked = format!("{method} {path}");
        inside.asked.push(asked.clone());
        let token =
            request.headers.get("x-vault-token").map(|value| value.to_str().unwrap().to_owned());
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let (status, answer) = if inside.sealed {
            (503, json!({ "errors": ["Vault is sealed"] }))
        } else {
            self.answer(&mut inside, &asked, &token.unwrap_or_default(), &body)
        };
        Ok(OutboundResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Body::Bytes(answer.to_string().into()),
        })
    }
}

struct Stage {
    fake: Arc<Fake>,
    clock: Arc<HandClock>,
    secrets: Secrets,
    keeper: KvKeeper,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("role-id"), "role\n").unwrap();
        fs::write(folder.path().join("secret-id"), "s3cret-id\n").unwrap();
        let login = EngineLogin::AppRole { folder: folder.path().into(), mount: "approle".into() };
        Self::with(login, folder)
    }

    fn with(login: EngineLogin, folder: TempDir) -> Self {
        let clock = Arc::new(HandClock::at(1_000_000));
        let fake = Arc::new(Fake { inside: Mutex::default(), clock: clock.clone() });
        let secrets = Secrets::none().with_value("production", "crm/token", "of-a-file");
        let place = format!("{ADDRESS}/secret/data/qc/{{environment}}/{{name}}#value");
        let keeper = KvKeeper::new(KvParts {
            place: place.parse().unwrap(),
            login,
            refresh: MINUTE,
            stale: 24 * HOUR,
            caller: fake.clone(),
            clock: clock.clone(),
            secrets: &secrets,
        });
        Self { fake, clock, secrets, keeper, folder }
    }

    /// The value now, or the code of why there is none.
    fn look(&self) -> Result<String, qc_model::Code> {
        let found = self.secrets.lookup(&production(), &token());
        found.map(|value| value.expose().to_owned()).map_err(|missing| missing.finding().code)
    }

    fn asked(&self) -> Vec<String> {
        self.fake.set(|inside| std::mem::take(&mut inside.asked))
    }
}

fn production() -> EnvironmentName {
    "production".parse().unwrap()
}

fn token() -> SecretRef {
    SecretRef::parse("secret://crm/token").unwrap()
}

const PATH: &str = "qc/production/crm/token";

fn value(text: &str) -> Value {
    json!({ "value": text })
}

#[tokio::test]
async fn what_is_looked_for_is_read_once_and_changes_are_followed() {
    let stage = Stage::new();
    stage.fake.put(PATH, &value("one"));
    assert_eq!(stage.look(), Err(codes::KV_UNAVAILABLE), "not read yet, and no file in its place");
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "one");
    let read = format!("GET secret/data/{PATH}");
    assert_eq!(stage.asked(), ["POST auth/approle/login", read.as_str()]);
    stage.keeper.round().await.unwrap();
    assert!(stage.asked().is_empty(), "it is fresh");
    stage.fake.put(PATH, &value("two"));
    stage.clock.advance(MINUTE);
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.asked(), [read.as_str()]);
    let live = stage.secrets.live(&production(), &token()).unwrap();
    assert_eq!(live.iter().map(Secret::expose).collect::<Vec<_>>(), ["two", "one"]);
    stage.clock.advance(23 * HOUR + 59 * MINUTE);
    stage.keeper.round().await.unwrap();
    stage.clock.advance(MINUTE);
    assert_eq!(
        stage.secrets.live(&production(), &token()).unwrap().len(),
        1,
        "its overlap is over"
    );
    // What is deleted ends at once, and other sources count again.
    stage.fake.set(|inside| inside.values.get_mut(PATH).unwrap().push(None));
    stage.clock.advance(MINUTE);
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "of-a-file");
}

#[tokio::test]
async fn an_engine_that_is_away_stops_nothing_until_the_bound() {
    let stage = Stage::new();
    stage.fake.put(PATH, &value("one"));
    stage.keeper.want(&production(), [&token()]);
    stage.keeper.round().await.unwrap();
    let begun = stage.clock.now();
    stage.fake.set(|inside| inside.down = true);
    for _ in 0..23 {
        stage.clock.advance(HOUR);
        assert!(matches!(stage.keeper.round().await, Err(KvError::Unavailable(_))));
        assert_eq!(stage.look().unwrap(), "one");
    }
    assert_eq!(stage.secrets.kv().findings()[0].code, codes::KV_STALE);
    stage.clock.advance(Duration::from_millis(3_599_999));
    assert_eq!(stage.look().unwrap(), "one");
    stage.clock.advance(Duration::from_millis(1));
    assert_eq!(stage.clock.now().since(begun), 24 * HOUR);
    assert_eq!(
        stage.look(),
        Err(codes::KV_UNAVAILABLE),
        "too old to be true, and no file in its place"
    );
    stage.fake.set(|inside| inside.down = false);
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "one");
    assert_eq!(stage.secrets.kv().findings(), []);
}

#[tokio::test]
async fn what_is_wrong_is_told_apart() {
    let stage = Stage::new();
    assert_eq!(stage.look(), Err(codes::KV_UNAVAILABLE));
    stage.fake.set(|inside| inside.sealed = true);
    assert_eq!(stage.keeper.round().await, Err(KvError::Sealed));
    assert_eq!(stage.look(), Err(codes::KV_SEALED));
    stage.fake.set(|inside| (inside.sealed, inside.denied) = (false, Some(PATH.to_owned())));
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look(), Err(codes::KV_DENIED));
    // A policy says no twice, and other secrets are read all the same.
    stage.fake.put("qc/production/other", &value("x"));
    let other = SecretRef::parse("secret://other").unwrap();
    stage.keeper.want(&production(), [&other]);
    stage.asked();
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.secrets.lookup(&production(), &other).unwrap().expose(), "x");
    assert_eq!(stage.asked().iter().filter(|asked| asked.starts_with("POST")).count(), 1);
    stage.fake.set(|inside| inside.denied = None);
    // 404: the engine has none; then a file counts.
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "of-a-file");
    for (wrong, why) in [
        (json!({ "other": "x" }), "field"),
        (json!({ "value": 7 }), "field"),
        (value(&"x".repeat(70_000)), "larger"),
    ] {
        stage.fake.put(PATH, &wrong);
        let stage = Stage::new();
        stage.fake.put(PATH, &wrong);
        stage.keeper.want(&production(), [&token()]);
        stage.keeper.round().await.unwrap();
        let missing = stage.secrets.lookup(&production(), &token()).unwrap_err();
        assert_eq!(missing.finding().code, codes::UNUSABLE_SECRET);
        assert!(missing.to_string().contains(why), "{missing}");
    }
}

#[tokio::test]
async fn one_that_is_away_is_asked_once_for_all_secrets() {
    let stage = Stage::new();
    let names: Vec<SecretRef> =
        (0..50).map(|n| SecretRef::parse(&format!("secret://n{n}")).unwrap()).collect();
    stage.keeper.want(&production(), &names);
    stage.fake.set(|inside| inside.down = true);
    assert!(stage.keeper.round().await.is_err());
    assert_eq!(stage.asked().len(), 1);
    stage.fake.set(|inside| inside.down = false);
    fs::write(stage.folder.path().join("secret-id"), "wrong").unwrap();
    let barred = stage.keeper.round().await.unwrap_err();
    assert!(matches!(&barred, KvError::Login(why) if !why.contains("wrong")), "{barred}");
    assert_eq!(stage.asked().len(), 1, "nor is a wrong login tried for each");
    assert_eq!(barred.code(), codes::KV_DENIED);
}

#[tokio::test]
async fn a_token_is_renewed_and_got_anew_at_the_end_of_its_life_or_when_it_is_revoked() {
    let stage = Stage::new();
    stage.fake.put(PATH, &value("one"));
    stage.keeper.want(&production(), [&token()]);
    let most = stage.clock.now() + 2 * HOUR;
    stage.fake.set(|inside| inside.most = Some(most));
    for _ in 0..30 {
        stage.keeper.round().await.unwrap();
        stage.clock.advance(10 * MINUTE);
        assert_eq!(stage.look().unwrap(), "one");
    }
    let (issued, renewed) = stage.fake.set(|inside| {
        inside.most = None;
        (inside.issued, inside.renewed)
    });
    assert!(issued >= 2, "its longest life ended: {issued}");
    assert!(renewed >= 2, "{renewed}");
    stage.fake.set(|inside| inside.tokens.clear());
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.fake.set(|inside| inside.issued), issued + 1, "it was revoked");
}

#[tokio::test]
async fn a_service_account_logs_in_and_a_token_of_a_file_is_read_anew() {
    let folder = tempfile::tempdir().unwrap();
    let jwt = folder.path().join("jwt");
    fs::write(&jwt, "eyJ.pod.jwt").unwrap();
    let login =
        EngineLogin::Kubernetes { role: "quickconnect".into(), jwt, mount: "k8s/eu".into() };
    let stage = Stage::with(login, folder);
    stage.fake.put(PATH, &value("one"));
    stage.keeper.want(&production(), [&token()]);
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "one");

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let stage = Stage::with(EngineLogin::TokenFile(file.clone()), folder);
    stage.fake.put(PATH, &value("one"));
    stage.keeper.want(&production(), [&token()]);
    let none = stage.keeper.round().await.unwrap_err();
    assert!(matches!(none, KvError::Login(_)), "{none}");
    fs::write(&file, "hvs.agent\n").unwrap();
    let end = stage.clock.now() + HOUR;
    stage.fake.set(|inside| inside.tokens.insert("hvs.agent".to_owned(), end));
    stage.keeper.round().await.unwrap();
    assert_eq!(stage.look().unwrap(), "one");
}

#[test]
fn places_and_logins_are_read_and_what_is_none_is_refused() {
    for good in [
        "https://vault.example:8200/secret/data/qc/{environment}/{name}#value",
        "http://127.0.0.1:8200/team/kv/data/{environment}/x/{name}#password",
    ] {
        assert_eq!(good.parse::<KvPlace>().unwrap().to_string(), good);
    }
    for bad in [
        "",
        "https://vault.example/secret/data/{environment}/{name}",
        "https://vault.example/secret/qc/{environment}/{name}#value",
        "https://vault.example/secret/data/{name}#value",
        "https://vault.example/secret/data/{environment}/{environment}/{name}#value",
        "https://user:word@vault.example/secret/data/{environment}/{name}#value",
        "https://vault.example/secret/data/../{environment}/{name}#value",
        "ftp://vault.example/secret/data/{environment}/{name}#value",
    ] {
        assert!(bad.parse::<KvPlace>().is_err(), "{bad}");
    }
    for good in ["token:/t", "approle:/etc/qc@team/approle", "kubernetes:qc@k8s/eu"] {
        let shown = good.parse::<EngineLogin>().unwrap().to_string();
        assert!(shown.starts_with(good), "{shown}");
    }
    for bad in
        ["", "token:", "hvs.secret", "approle:", "kubernetes:a b", "kubernetes:a@", "token:/t@x"]
    {
        assert!(bad.parse::<EngineLogin>().is_err(), "{bad}");
    }
}
