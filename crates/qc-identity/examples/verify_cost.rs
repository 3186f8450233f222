//! What it costs to know who asks and whether he may: `cargo run --release -p qc-identity --example verify_cost`.
//!
//! Processor time of the one thread that does it, where the system tells it (Linux); else time on the wall.

use std::{
    fs,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use qc_access::{
    Access, Action, Circumstances, IssueRequest, KEY_LIFETIME, Principal, Resource, Role,
    TokenKind, Tokens, issue,
};
use qc_identity::{Authority, CLIENT_LIFETIME, Form, Ground, NewClient, Place};
use qc_model::{Actor, Clock, Entropy, Seeded, Timestamp};
use qc_store::{CommitLimits, Committer, Store, Write, memory::MemoryStore};
use qc_vault::{KeyRing, Secrets, VariableRing, Vault, VaultParts};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const WARM: u32 = 100_000;
const COLD: u32 = 2_000;
const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_708_800_000)
    }
}

/// Processor time of this thread, or time on the wall.
fn spent(since: Instant) -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|word| word.parse().ok());
    nanos.map_or_else(|| since.elapsed(), Duration::from_nanos)
}

struct Meter(Instant);

impl Meter {
    #[expect(clippy::print_stdout, reason = "it measures and tells")]
    fn told(&self, what: &str, count: u32, before: Duration) {
        let each = spent(self.0).saturating_sub(before).as_secs_f64() * 1e6 / f64::from(count);
        println!("{what:<58} {each:>8.2} µs");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let (store, clock) = (Arc::new(MemoryStore::with_clock(Arc::new(Still))), Arc::new(Still));
    let (committer, work) = Committer::new(store.clone(), CommitLimits::default());
    tokio::spawn(work);
    let entropy = Arc::new(Seeded::new(7));
    let ground = Ground {
        store: store.clone(),
        committer: committer.clone(),
        clock: clock.clone(),
        entropy: entropy.clone(),
    };
    let ring: Arc<dyn KeyRing> = Arc::new(VariableRing::new("KEK", KEK, entropy.clone())?);
    let vault = Arc::new(Vault::new(VaultParts {
        store: store.clone(),
        committer,
        ring: Some(ring),
        clock: clock.clone(),
        entropy: entropy.clone(),
        secrets: &Secrets::none(),
    }));
    let place = Some(Place::new("https://qc.example.com"));
    let authority = || Authority::new(ground.clone(), place.clone(), Arc::clone(&vault));
    let meter = Meter(Instant::now());
    let access = Access::new(false, vec!["production".parse()?]);
    let (issuer, verifier) = (authority(), authority());
    let (texts, keys) = (tokens(&issuer).await?, api_keys(&*store, &*entropy).await?);

    verifier.authenticate(&texts[0]).await?;
    let before = spent(meter.0);
    for text in &texts[1..] {
        black_box(verifier.authenticate(text).await?);
    }
    meter.told("an access token (at+jwt, ES256) that was not seen before", COLD, before);
    let before = spent(meter.0);
    for _ in 0..WARM {
        black_box(verifier.authenticate(black_box(&texts[1])).await?);
    }
    meter.told("an access token that was seen before", WARM, before);

    let known = Tokens::new(store.clone(), clock.clone());
    known.authenticate(&keys[0]).await?;
    let before = spent(meter.0);
    for key in &keys[1..] {
        black_box(known.authenticate(key).await?);
    }
    meter.told("an API key, its record read from the store in memory", COLD, before);
    let before = spent(meter.0);
    for _ in 0..WARM {
        black_box(known.authenticate(black_box(&keys[1])).await?);
    }
    meter.told("an API key whose record is at hand", WARM, before);

    for (what, text) in [("an access token", &texts[1]), ("an API key", &keys[1])] {
        let before = spent(meter.0);
        for _ in 0..WARM {
            let principal = match what {
                "an API key" => known.authenticate(black_box(text)).await?,
                _ => verifier.authenticate(black_box(text)).await?,
            };
            may(&access, &principal)?;
        }
        meter.told(&format!("{what}, and the decision: all that a request needs"), WARM, before);
    }
    Ok(())
}

fn may(access: &Access, principal: &Principal) -> Result<(), Failure> {
    let crm = Resource { environment: Some("production"), name: Some("crm"), units: &[] };
    let decided = access.decide(principal, Action::EventsSend, crm, Circumstances::default());
    if decided.verdict.allowed() { Ok(()) } else { Err("it may not".into()) }
}

/// Tokens of one client; each is another one.
async fn tokens(authority: &Authority) -> Result<Vec<String>, Failure> {
    let client = NewClient {
        id: "crm".parse()?,
        environment: "production".parse()?,
        role: Role::Runtime,
        scopes: Some(vec!["production/events/crm:send".parse()?]),
        owner: "team-crm".into(),
        purpose: "sends events".into(),
        lifetime: CLIENT_LIFETIME,
        keys: None,
    };
    let (_, secret) = authority.create_client(client, &Actor::platform("example")).await?;
    let secret = secret.ok_or("a client with a secret")?;
    let form =
        format!("grant_type=client_credentials&client_id=crm&client_secret={}", secret.expose());
    let form = Form::parse(form.as_bytes()).map_err(|error| format!("{error:?}"))?;
    let mut texts = Vec::new();
    for _ in 0..=COLD {
        let answer = authority.token(&form, None).await.map_err(|error| format!("{error:?}"))?;
        texts.push(answer["access_token"].as_str().ok_or("a token")?.to_owned());
    }
    Ok(texts)
}

async fn api_keys(store: &dyn Store, entropy: &dyn Entropy) -> Result<Vec<String>, Failure> {
    let mut keys = Vec::new();
    for _ in 0..=COLD {
        let request = IssueRequest {
            name: "crm".into(),
            kind: TokenKind::ApiKey,
            person: None,
            environment: Some("production".parse()?),
            role: Role::Runtime,
            scopes: Some(vec!["production/events/crm:send".parse()?]),
            lifetime: Some(KEY_LIFETIME),
            owner: "team-crm".into(),
            purpose: "sends events".into(),
        };
        let issued = issue(request, &Actor::platform("example"), Still.now(), entropy);
        keys.push(issued.text.expose().to_owned());
        store.write(vec![Write::Change(Box::new(issued.change))]).await?;
    }
    Ok(keys)
}
