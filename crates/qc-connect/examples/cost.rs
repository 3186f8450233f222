//! What a call costs: many at once through the whole stack and the real client, against a server in the same process
//! that answers at once. Prints calls a second and microseconds of processor time a call, the server's share included.
//! `cargo run --release -p qc-connect --example cost`

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use qc_connect::{
    call::{Connectors, EffectContext, EnvironmentScope, HttpCaller, HttpSettings, Outbound},
    connector::Connector,
};
use qc_model::{Clock, EnvironmentName, TenantName, Timestamp};
use qc_vault::Secrets;
use qc_workflow::{CallId, CallRequest, CallTarget, OutputShape, SecretMark};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const AT_ONCE: usize = 64;
const EACH: usize = 1_000;

const DOCUMENT: &str = r#"
openapi: 3.1.0
info: { title: Desk, version: "1" }
paths:
  /tickets:
    post:
      operationId: createTicket
      requestBody:
        content: { application/json: { schema: { type: object, properties: { subject: { type: string } } } } }
      responses:
        "200":
          description: ok
          content: { application/json: { schema: { type: object, required: [id], properties: { id: { type: integer } } } } }
"#;

#[derive(Default)]
struct Still(AtomicI64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Ticks of processor time of this process: a hundredth of a second each on Linux.
fn ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    field(11) + field(12)
}

async fn serve(listener: TcpListener) {
    let answer =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"id\":7}";
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut buffer = [0u8; 4096];
            // Each request comes in one piece on the loopback interface, and is answered by one.
            while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {
                if stream.write_all(answer).await.is_err() {
                    break;
                }
            }
        });
    }
}

#[tokio::main]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("the port has an address");
    tokio::spawn(serve(listener));
    let yaml = format!(
        "name: desk\nversion: 1.0.0\ntitle: t\nopenapi: openapi.yaml\nbase_urls: {{ sandbox: 'http://{address}' }}\nauth: {{ bearer: {{ token: secret://desk/token }} }}\n"
    );
    let files = BTreeMap::from([
        ("connectors/desk/connector.yaml".to_owned(), yaml),
        ("connectors/desk/openapi.yaml".to_owned(), DOCUMENT.to_owned()),
    ]);
    let (connector, findings) = Connector::load(&files, "connectors/desk");
    assert!(findings.is_empty(), "{findings:?}");
    let caller = HttpCaller::new(&HttpSettings::default()).expect("the standard settings are good");
    let secrets = Secrets::none().with_value("sandbox", "desk/token", "t0ken");
    let outbound =
        Arc::new(Outbound::new(Arc::new(caller), Arc::new(Still::default()), Arc::new(secrets)));
    let release = Arc::new(Connectors::new(connector, []));
    let (begun, ticks_before) = (Instant::now(), ticks());
    let workers: Vec<_> = (0..AT_ONCE)
        .map(|_| tokio::spawn(work(Arc::clone(&outbound), Arc::clone(&release))))
        .collect();
    for worker in workers {
        worker.await.expect("a worker ends");
    }
    let calls = AT_ONCE * EACH;
    let took = begun.elapsed();
    let spent = (ticks() - ticks_before) * 10_000;
    println!(
        "{calls} calls in {took:?}: {} a second",
        calls as u128 * 1_000_000 / took.as_micros()
    );
    println!("{} microseconds of processor time a call", spent / calls as u64);
}

async fn work(outbound: Arc<Outbound>, release: Arc<Connectors>) {
    let scope = EnvironmentScope {
        name: EnvironmentName::new("sandbox").expect("a legal name"),
        tenant: TenantName::new("acme").expect("a legal name"),
        vars: Arc::default(),
    };
    let effect = EffectContext {
        integration: "escalation".parse().expect("a legal name"),
        of_platform: false,
        run: qc_model::RunId::from_bits(1),
        key: "qc:run:/do/0/open:0".to_owned(),
        first_sent_at: None,
        traceparent: String::new(),
        hops: 0,
        secrets: std::sync::Arc::default(),
    };
    let call = CallRequest {
        id: CallId { pointer: "/do/0/open".into(), visit: "0".into() },
        task: "open".into(),
        attempt: 1,
        target: CallTarget::Connector {
            connector: "desk".to_owned(),
            operation: "createTicket".to_owned(),
            arguments: json!({"subject": "something is broken"}),
            output: OutputShape::Content,
        },
        effect: release.policy("desk", "createTicket").expect("the operation is there").effect,
        timeout_ms: 30_000,
        secrets: SecretMark::new(1),
    };
    for _ in 0..EACH {
        let done = outbound.perform(&release, &scope, &call, &effect).await;
        assert!(done.result.is_ok(), "{:?}", done.result);
    }
}
