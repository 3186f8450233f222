//! The story's three systems, simulated in this process: it outlives every server, and keeps their raw requests in files.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use qc_simulator::{
    Condition, Credentials, Deed, Fault, LedgerEntry, ServeSpec, Serving, read_ledger, start,
};
use serde_json::Value;
use std::time::Duration;

use super::{WallClock, judge::Seen};

pub(crate) const API_KEY: &str = "crm-key-of-the-story";
/// What it takes as well: the key after the next rotation.
pub(crate) const NEXT_API_KEY: &str = "crm-key-after-its-rotation";
pub(crate) const CHAT_TOKEN: &str = "chat-token-of-the-story";
pub(crate) const CLIENT: (&str, &str) = ("tracker-client", "tracker-secret-of-the-story");

/// How many customers the customer database knows: `CUST-0` and so on.
pub(crate) const CUSTOMERS: usize = 40;

/// The three systems, running.
pub(crate) struct Systems {
    ledgers: PathBuf,
    tracker: Serving,
    crm: Serving,
    chat: Serving,
}

impl Systems {
    /// Starts the systems of a project's connectors, with a life of their own: they take a while to answer, and when
    /// `rough`, they misbehave by chance.
    pub(crate) async fn start(project: &Path, ledgers: PathBuf, seed: u64, rough: bool) -> Self {
        fs::create_dir_all(&ledgers).unwrap();
        enrich(&project.join("connectors"));
        let spec = |name: &str, credentials: Credentials, faults: Vec<Fault>| ServeSpec {
            name: name.to_owned(),
            folder: project.join("connectors").join(name),
            address: "127.0.0.1:0".parse().unwrap(),
            ledger: Some(ledgers.join(format!("{name}.ndjson"))),
            credentials,
            faults: if rough { faults } else { Vec::new() },
            seed,
        };
        let tracker = Credentials::none().client(CLIENT.0, CLIENT.1);
        let specs = vec![
            spec("tracker", tracker, tracker_faults()),
            spec("crm", Credentials::none().api_key(API_KEY).api_key(NEXT_API_KEY), crm_faults()),
            spec("chat", Credentials::none().bearer(CHAT_TOKEN), chat_faults()),
        ];
        let servings = start(specs, Arc::new(WallClock)).await.unwrap_or_else(|f| panic!("{f:#?}"));
        let [tracker, crm, chat] = servings.try_into().map_err(|_| "three systems").unwrap();
        Self { ledgers, tracker, crm, chat }
    }

    /// Name and address of each.
    pub(crate) fn addresses(&self) -> [(&'static str, String); 3] {
        [
            ("tracker", self.tracker.base_url()),
            ("crm", self.crm.base_url()),
            ("chat", self.chat.base_url()),
        ]
    }

    /// What reached them, from the files that a dead platform cannot touch.
    pub(crate) fn seen(&self) -> Seen {
        let read = |name: &str| -> Vec<LedgerEntry> {
            read_ledger(&self.ledgers.join(format!("{name}.ndjson"))).unwrap()
        };
        Seen { tracker: read("tracker"), crm: read("crm"), chat: read("chat") }
    }

    /// How many requests each received.
    pub(crate) fn received(&self) -> [u64; 3] {
        [&self.tracker, &self.crm, &self.chat].map(|serving| serving.provider().received())
    }

    /// How many messages stand in the chat now: the story's last effect.
    pub(crate) fn messages(&self) -> usize {
        self.chat.provider().state()["/channels/support/messages"].as_array().map_or(0, Vec::len)
    }

    /// What each holds: tracker, customer database, chat.
    pub(crate) fn holdings(&self) -> [Value; 3] {
        [&self.tracker, &self.crm, &self.chat].map(|serving| serving.provider().state())
    }
}

/// More customers, so that events of many of them are under way at once; and answers that take a while, so that a kill
/// finds calls in flight.
fn enrich(connectors: &Path) {
    let mut text = fs::read_to_string(connectors.join("crm/simulator.yaml")).unwrap();
    for number in (0..CUSTOMERS).filter(|number| ![7, 8].contains(number)) {
        writeln!(
            text,
            "    - {{id: CUST-{number}, name: Customer {number}, email: c{number}@customers.example, tier: gold, \
             updated_at: \"2026-11-01T08:00:00Z\"}}"
        )
        .unwrap();
    }
    fs::write(connectors.join("crm/simulator.yaml"), text).unwrap();
    for name in ["tracker", "crm", "chat"] {
        let path = connectors.join(name).join("simulator.yaml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{text}latency: {{from: 5ms, to: 100ms}}\n")).unwrap();
    }
}

/// A deed that strikes so many of a thousand calls of an operation.
fn often(operation: &str, per_thousand: u32, then: Deed) -> Fault {
    let when = Condition {
        operation: Some(operation.to_owned()),
        per_million: Some(per_thousand * 1000),
        ..Condition::default()
    };
    Fault { when, then, times: None }
}

/// The pause that a system asks for when it throttles.
const SECOND: Option<Duration> = Some(Duration::from_secs(1));

fn tracker_faults() -> Vec<Fault> {
    let expiry = Condition {
        operation: Some("createIssue".to_owned()),
        nth: Some(150),
        ..Condition::default()
    };
    vec![
        Fault { when: expiry, then: Deed::ExpireToken, times: Some(1) },
        often("createIssue", 10, Deed::Throttle { retry_after: SECOND }),
        often("createIssue", 30, Deed::DropAfterApply),
        often("createIssue", 10, Deed::DropBeforeApply),
        often("createIssue", 10, Deed::Unavailable { retry_after: None }),
    ]
}

fn crm_faults() -> Vec<Fault> {
    vec![
        often("putCaseState", 30, Deed::Unavailable { retry_after: None }),
        often("putCaseState", 20, Deed::DropAfterApply),
    ]
}

fn chat_faults() -> Vec<Fault> {
    vec![
        often("postMessage", 10, Deed::Throttle { retry_after: SECOND }),
        often("postMessage", 40, Deed::DropAfterApply),
        often("postMessage", 15, Deed::DropBeforeApply),
        often("listMessages", 30, Deed::Unavailable { retry_after: None }),
        often("postMessage", 50, Deed::Slow { by: Duration::from_millis(250) }),
    ]
}
