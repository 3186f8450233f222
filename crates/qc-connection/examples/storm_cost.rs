//! What a storm on an ended token costs: `cargo run --release -p qc-connection --example storm_cost`.
//!
//! Calls of one process that all find the same token at its end, and a provider that takes 50 ms: how often it is asked,
//! and how long after its answer the last call has the new token. Then a token that is good, asked for again and again.
//! Over the store in memory: what a disk or a database adds is two commits of a refresh, whatever the number of calls.

use std::{
    hint::black_box,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_connection::{
    ClientProof, ConnectionId, Connections, ConnectionsParts, Dialect, Grant, GrantKind, Need,
    Rotation,
};
use qc_model::{Body, CallError, Caller, HandClock, OutboundRequest, OutboundResponse, Seeded};
use qc_store::{CommitLimits, Committer, Store, memory::MemoryStore};
use qc_vault::{Secret, Secrets, VariableRing, Vault, VaultParts};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const KEK: &str = "a2VrLWtlay1rZWsta2VrLWtlay1rZWsta2VrLWtlay0=";
const LATENCY: Duration = Duration::from_millis(50);
const WAIT: Duration = Duration::from_secs(20);
const NEED: Need<'static> = Need { scopes: &[], waiver: None };
const ROUNDS: usize = 20;
const WARM: u32 = 1_000_000;

/// Gives a new pair of tokens for each request, after a while.
struct Provider(AtomicUsize);

#[async_trait]
impl Caller for Provider {
    async fn call(&self, _: OutboundRequest) -> Result<OutboundResponse, CallError> {
        let number = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(LATENCY).await;
        let said = format!(
            r#"{{"access_token":"access-{number}","refresh_token":"refresh-{number}","expires_in":1000}}"#
        );
        Ok(OutboundResponse {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Body::Bytes(said.into_bytes().into()),
        })
    }
}

fn grant() -> Result<Grant, Failure> {
    Ok(Grant {
        id: ConnectionId { environment: "sandbox".parse()?, name: "crm".to_owned() },
        connector: "crm".to_owned(),
        kind: GrantKind::RefreshToken { seed: Secret::new("seed") },
        token_url: "https://login.test/token".to_owned(),
        client_id: "qc".to_owned(),
        proof: ClientProof::Post(Secret::new("client-secret")),
        scopes: vec!["read".to_owned()],
        token_params: vec![],
        refresh_params: vec![],
        dialect: Dialect { rotation: Rotation::Rotating { grace_ms: 0 }, ..Dialect::default() },
        waiver: None,
        identity: None,
    })
}

#[tokio::main(worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "it measures and tells")]
async fn main() -> Result<(), Failure> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (committer, looping) = Committer::new(Arc::clone(&store), CommitLimits::default());
    tokio::spawn(looping);
    let clock = Arc::new(HandClock::at(1_795_708_800_000));
    let entropy = Arc::new(Seeded::new(7));
    let vault = Vault::new(VaultParts {
        store: Arc::clone(&store),
        committer: committer.clone(),
        ring: Some(Arc::new(VariableRing::new("KEK", KEK, entropy.clone())?)),
        clock: clock.clone(),
        entropy: entropy.clone(),
        secrets: &Secrets::none(),
    });
    vault.refresh().await?;
    let provider = Arc::new(Provider(AtomicUsize::new(0)));
    let connections = Connections::new(ConnectionsParts {
        production: vec![],
        store,
        committer,
        vault: Arc::new(vault),
        caller: provider.clone(),
        clock: clock.clone(),
        entropy,
        node: "a".to_owned(),
        user_agent: "storm".to_owned(),
    });
    let grant = grant()?;
    println!(
        "calls  requests to the provider  last call served after its answer (median of {ROUNDS}, worst)"
    );
    for calls in [1, 100, 1_000, 10_000] {
        let asked = provider.0.load(Ordering::SeqCst);
        let mut late = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            clock.advance(Duration::from_secs(2_000));
            let begun = Instant::now();
            let storm: Vec<_> = (0..calls)
                .map(|_| {
                    let (connections, grant) = (Arc::clone(&connections), grant.clone());
                    tokio::spawn(
                        async move { connections.access(grant, NEED, WAIT).await.map(drop) },
                    )
                })
                .collect();
            for call in storm {
                call.await?.map_err(|failure| format!("{} {}", failure.code, failure.detail))?;
            }
            late.push(begun.elapsed().saturating_sub(LATENCY));
        }
        late.sort_unstable();
        let asked = provider.0.load(Ordering::SeqCst) - asked;
        println!(
            "{calls:>5}  {asked} in {ROUNDS} storms  {:.1} ms, {:.1} ms",
            late[ROUNDS / 2].as_secs_f64() * 1e3,
            late[ROUNDS - 1].as_secs_f64() * 1e3,
        );
    }
    let id = &grant.id;
    let begun = Instant::now();
    for _ in 0..WARM {
        black_box(connections.at_hand(black_box(id), NEED).ok_or("it is not at hand")?);
    }
    println!(
        "a good token at hand: {:.0} ns",
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(WARM)
    );
    Ok(())
}
