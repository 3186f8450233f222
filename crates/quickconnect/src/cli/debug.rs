//! `qc debug capture`: what an integration sends and gets, recorded for a time.

use qc_server::wire::{Capture, CaptureEntry, Page, RequestCapture};
use serde_json::Value;

use super::{
    Exit, Trouble,
    files::clock,
    output::{append, table},
    session::Session,
};

/// So many entries are asked for at a time.
const PAGE: usize = 100;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Record what an integration sends and gets, for a time and with a second person's consent
    #[command(subcommand)]
    Capture(CaptureVerb),
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum CaptureVerb {
    /// Ask for a capture; it begins when a second person agrees
    Start(StartArguments),
    /// List captures, the newest first; never what they recorded
    List,
    /// Agree to a capture that somebody else asked for; it records from now on
    Approve(Of),
    /// Refuse a capture, or end one that is under way
    Refuse(Of),
    /// Show what was recorded, credentials masked; the audit tells that you looked
    Show(Of),
    /// End a capture before its time, and remove what it recorded
    End(Of),
}

#[derive(Debug, clap::Args)]
pub(crate) struct StartArguments {
    /// The environment
    environment: String,
    /// Of which integration
    #[arg(long)]
    integration: String,
    /// Only what this task calls
    #[arg(long)]
    task: Option<String>,
    /// Only calls to this system: a connector, or a host that is called without one
    #[arg(long)]
    system: Option<String>,
    /// The events that come in, too
    #[arg(long)]
    events: bool,
    /// Why
    #[arg(long)]
    reason: String,
    /// The ticket
    #[arg(long)]
    ticket: String,
    /// For how long is recorded, at most 4h
    #[arg(long = "for", default_value = "30m", value_name = "DURATION")]
    lifetime: String,
    /// How long it is kept after that, at most 24h
    #[arg(long, default_value = "1h", value_name = "DURATION")]
    keep: String,
    /// How much is recorded at most, calls and events together; up to 1000
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    max: u32,
    /// Whose data
    #[arg(long, default_value = "default")]
    tenant: String,
}

/// Which capture.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The capture's id
    capture: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    let Verb::Capture(verb) = verb;
    match verb {
        CaptureVerb::Start(arguments) => start(session, arguments).await,
        CaptureVerb::List => list(session).await,
        CaptureVerb::Approve(of) => act(session, &of, "approve").await,
        CaptureVerb::Refuse(of) => act(session, &of, "refuse").await,
        CaptureVerb::Show(of) => show(session, &of).await,
        CaptureVerb::End(of) => act(session, &of, "end").await,
    }
}

async fn start(session: &Session, arguments: StartArguments) -> Result<Exit, Trouble> {
    let request = RequestCapture {
        environment: arguments.environment,
        integration: arguments.integration,
        tenant: Some(arguments.tenant),
        task: arguments.task,
        system: arguments.system,
        events: arguments.events,
        reason: arguments.reason,
        ticket: arguments.ticket,
        lifetime: Some(arguments.lifetime),
        keep: Some(arguments.keep),
        max: Some(arguments.max),
    };
    let capture: Capture = session.client()?.post("/api/v1/captures", &request).await?;
    session.output.result(&capture, || {
        format!(
            "{}: asked for; a second person agrees: qc debug capture approve {}",
            capture.id, capture.id
        )
    });
    Ok(Exit::Ok)
}

async fn act(session: &Session, of: &Of, deed: &str) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/captures/{}/{deed}", of.capture);
    let capture: Capture = session.client()?.post_bare(&path).await?;
    session.output.result(&capture, || {
        let until = match (&*capture.state, &capture.records_until, &capture.expires_at) {
            ("recording", Some(until), Some(end)) => {
                format!(" until {}, removed at {}", clock(until), clock(end))
            }
            _ => String::new(),
        };
        format!("{}: {}{until}", capture.id, capture.state)
    });
    Ok(Exit::Ok)
}

async fn list(session: &Session) -> Result<Exit, Trouble> {
    let page: Page<Capture> = session.client()?.get("/api/v1/captures").await?;
    session.output.result(&page, || {
        let row = |one: &Capture| {
            let narrowed = [&one.task, &one.system];
            let narrowed: Vec<&str> = narrowed.into_iter().flatten().map(String::as_str).collect();
            vec![
                one.id.clone(),
                one.state.clone(),
                one.person.clone(),
                format!("{}/{}", one.environment, one.integration),
                narrowed.join(" "),
                format!("{}/{}", one.taken, one.max),
                one.ticket.clone(),
                one.expires_at.as_deref().map_or_else(String::new, clock),
            ]
        };
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(&["ID", "STATE", "PERSON", "WHERE", "ONLY", "TAKEN", "TICKET", "REMOVED"], &rows)
    });
    Ok(Exit::Ok)
}

/// All pages as one: a capture is bounded.
async fn show(session: &Session, of: &Of) -> Result<Exit, Trouble> {
    let client = session.client()?;
    let mut all: Page<CaptureEntry> = Page::whole(Vec::new(), None);
    let mut after = String::new();
    loop {
        let path = format!("/api/v1/captures/{}/read?limit={PAGE}{after}", of.capture);
        let page: Page<CaptureEntry> = client.post_bare(&path).await?;
        all.items.extend(page.items);
        let Some(next) = page.next else { break };
        after = format!("&after={next}");
    }
    session.output.result(&all, || {
        let mut text = String::new();
        for entry in &all.items {
            shown(&mut text, entry);
        }
        if text.is_empty() { "nothing was recorded\n".to_owned() } else { text }
    });
    Ok(Exit::Ok)
}

fn shown(text: &mut String, entry: &CaptureEntry) {
    let (recorded, at) = (&entry.recorded, clock(&entry.at));
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if recorded["what"] == "event" {
        let trigger = word(&recorded["trigger"]);
        append(text, format_args!("{at} {} event at {trigger}\n", entry.run));
        body(text, ' ', &recorded["event"]);
        return;
    }
    let (task, system) = (word(&recorded["task"]), word(&recorded["system"]));
    let (attempt, took) = (&recorded["attempt"], &recorded["took_ms"]);
    append(
        text,
        format_args!("{at} {} {task} calls {system}, attempt {attempt}, {took} ms\n", entry.run),
    );
    message(text, '>', &recorded["request"]);
    if recorded["answer"].is_object() {
        message(text, '<', &recorded["answer"]);
    }
    if let Some(failure) = recorded["failure"].as_str() {
        append(text, format_args!("  ! {failure}\n"));
    }
}

fn message(text: &mut String, mark: char, message: &Value) {
    append(text, format_args!("  {mark} {}\n", message["line"].as_str().unwrap_or_default()));
    for field in message["headers"].as_array().into_iter().flatten() {
        let part = |at: usize| field[at].as_str().unwrap_or_default();
        append(text, format_args!("  {mark} {}: {}\n", part(0), part(1)));
    }
    body(text, mark, &message["body"]);
}

fn body(text: &mut String, mark: char, body: &Value) {
    let size = &body["size"];
    let (told, what) = match body["is"].as_str() {
        Some("text") => (body["text"].as_str().unwrap_or_default(), "bytes"),
        Some("bytes") => (body["base64"].as_str().unwrap_or_default(), "bytes, here in base64"),
        Some("apart") => ("", "bytes that were not recorded"),
        _ => return,
    };
    append(text, format_args!("  {mark} ({size} {what})\n"));
    for line in told.lines() {
        append(text, format_args!("  {mark} {line}\n"));
    }
}
