//! Prints what one request costs: `cargo run --release -p qc-simulator --example handling_cost`.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use qc_model::{Clock, Timestamp};
use qc_simulator::{Credentials, Provider, Setup, SimRequest, load_folder};

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_000_000_000)
    }
}

const ROUNDS: u32 = 20_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["tracker", "crm", "chat"] {
        let folder = root.join("examples/customer-escalation/connectors").join(name);
        let (openapi, spec) = load_folder(&folder).map_err(|findings| format!("{findings:?}"))?;
        let file = std::env::temp_dir().join(format!("handling-cost-{name}.ndjson"));
        let setup = Setup {
            name: name.to_owned(),
            clock: Arc::new(Still),
            seed: 1,
            credentials: Credentials::any(),
            ledger: Some(file.clone()),
        };
        let provider =
            Provider::new(openapi, spec, setup).map_err(|findings| format!("{findings:?}"))?;
        let cost = measure(name, &provider)?;
        println!("{name}: {cost:?} a request");
        std::fs::remove_file(file)?;
    }
    Ok(())
}

fn measure(name: &str, provider: &Provider) -> Result<Duration, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    headers.insert("user-agent", HeaderValue::from_static("quickconnect/0.1.0"));
    headers.insert("x-api-key", HeaderValue::from_static("key"));
    let token = if name == "tracker" { token(provider)? } else { "token".to_owned() };
    headers.insert("authorization", format!("Bearer {token}").parse()?);
    let began = Instant::now();
    for n in 0..ROUNDS {
        let (method, target, body) = match name {
            "tracker" => (
                Method::POST,
                "/issues".to_owned(),
                format!(r#"{{"title": "down", "priority": "high", "external_ref": "CASE-{n}"}}"#),
            ),
            "crm" => (
                Method::PUT,
                format!("/customers/CUST-7/cases/CASE-{n}"),
                r#"{"state": "escalated", "severity": "high", "ticket": "TCK-1"}"#.to_owned(),
            ),
            _ => (
                Method::POST,
                "/channels/support/messages".to_owned(),
                format!(r#"{{"text": "down", "ref": "CASE-{n}"}}"#),
            ),
        };
        let mut headers = headers.clone();
        headers.insert("idempotency-key", format!("qc:{n}:/do/0:0").parse()?);
        provider.handle(SimRequest {
            method,
            target,
            headers,
            body: body.into(),
            certified: false,
        });
    }
    let cost = began.elapsed() / ROUNDS;
    let made: usize = provider
        .state()
        .as_object()
        .map_or(0, |all| all.values().filter_map(|c| c.as_array()).map(Vec::len).sum());
    if made < ROUNDS as usize {
        return Err(format!("only {made} resources were made").into());
    }
    Ok(cost)
}

fn token(provider: &Provider) -> Result<String, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let form = "grant_type=client_credentials&client_id=a&client_secret=b";
    let answer = provider.handle(SimRequest {
        method: Method::POST,
        target: "/oauth/token".to_owned(),
        headers,
        body: Bytes::from_static(form.as_bytes()),
        certified: false,
    });
    let answer = answer.json().ok_or("no token")?;
    Ok(answer["access_token"].as_str().ok_or("no token")?.to_owned())
}
