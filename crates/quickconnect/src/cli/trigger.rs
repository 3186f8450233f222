use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use http::HeaderMap;
use qc_connect::webhook::SignatureScheme;
use qc_model::{Clock, EventId};
use qc_vault::Secret;
use serde_json::{Value, json};

use super::{
    Exit, Trouble,
    client::{Client, field, refused},
    session::Session,
};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The environment
    environment: String,
    /// The integration and its trigger: INTEGRATION/TRIGGER
    trigger: String,
    /// The body: a file, or `-` for standard input
    #[arg(long, short, value_name = "FILE")]
    data: PathBuf,
    /// Send the body as the data of a CloudEvent of this type
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
    /// The CloudEvent's id; left out, a new one
    #[arg(long, requires = "event_type")]
    id: Option<String>,
    /// The CloudEvent's source
    #[arg(long, requires = "event_type", default_value = "/qc/trigger")]
    source: String,
    /// The body's media type
    #[arg(long, default_value = "application/json")]
    content_type: String,
    /// The idempotency key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Send at low priority: its run goes behind the others
    #[arg(long)]
    low: bool,
    /// Sign as Standard Webhooks with the secret in this file, for triggers that demand a signature
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    /// Wait for the run's end for so many seconds, and print its output
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u32>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = session.client()?.of_events();
    let body = read(&arguments.data)?;
    let answer = send(&client, arguments, body).await?;
    let value: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    if answer.status >= 300 {
        return Err(refused(&answer));
    }
    let replayed = answer.headers.contains_key("idempotency-replayed");
    let shown = json!({
        "schema_version": 1,
        "status": answer.status,
        "replayed": replayed,
        "answer": value,
    });
    session.output.result(&shown, || match value["run"].as_str() {
        Some(run) => run.to_owned(),
        None => serde_json::to_string_pretty(&value).unwrap_or_default(),
    });
    if replayed {
        session.output.say("the event had come before: this is its run");
    }
    Ok(Exit::Ok)
}

async fn send(
    client: &Client,
    arguments: &Arguments,
    body: Vec<u8>,
) -> Result<super::client::Answer, Trouble> {
    let path = format!("/in/{}/{}", arguments.environment, arguments.trigger);
    let wait = arguments.wait.map(|seconds| format!("wait={seconds}"));
    let mut fields: Vec<(&'static str, &str)> = Vec::new();
    let id = arguments.id.clone().unwrap_or_else(fresh_id);
    fields.push(("content-type", &arguments.content_type));
    if let Some(kind) = &arguments.event_type {
        fields.extend([
            ("ce-specversion", "1.0"),
            ("ce-type", kind.as_str()),
            ("ce-source", arguments.source.as_str()),
            ("ce-id", id.as_str()),
        ]);
    }
    fields.extend(wait.as_deref().map(|wait| ("prefer", wait)));
    fields.extend(arguments.low.then_some(("priority", "u=7")));
    fields.extend(arguments.key.as_deref().map(|key| ("idempotency-key", key)));
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.insert(name, field(name, value)?);
    }
    if let Some(path) = &arguments.sign {
        sign(path, &id, &body, &mut headers)?;
    }
    client.deliver(&path, body, headers).await
}

fn sign(path: &Path, id: &str, body: &[u8], headers: &mut HeaderMap) -> Result<(), Trouble> {
    let text = fs::read_to_string(path).map_err(|error| Trouble::file(path, &error))?;
    let now = crate::wiring::SystemClock.now();
    let scheme = SignatureScheme::standard_webhooks();
    scheme.sign(headers, body, &Secret::new(text), id, now).map_err(|error| {
        let message = format!("{}: {error}", path.display());
        Trouble::usage(codes::FILE, message, "it is `whsec_` and base64, or base64 alone")
    })
}

fn fresh_id() -> String {
    let now = crate::wiring::SystemClock.now();
    EventId::new(now, &crate::wiring::OsEntropy::default()).to_string()
}

fn read(path: &Path) -> Result<Vec<u8>, Trouble> {
    if path.as_os_str() != "-" {
        return fs::read(path).map_err(|error| Trouble::file(path, &error));
    }
    let mut body = Vec::new();
    std::io::stdin().lock().read_to_end(&mut body).map_err(|error| {
        Trouble::usage(codes::FILE, format!("standard input: {error}"), "pipe the body in")
    })?;
    Ok(body)
}
