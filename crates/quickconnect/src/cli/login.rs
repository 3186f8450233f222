//! `qc login`, `qc logout` and `qc whoami`: somebody acts by a session of their own.

use std::time::Duration;

use http::Method;
use qc_model::Finding;
use qc_vault::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::{
    Exit, Trouble,
    client::{Answer, Client, refused},
    session::Session,
};
use crate::{codes, context::Context, signed_in::SignedIn};

/// Who the command line is at the server.
const CLIENT: (&str, &str) = ("client_id", "qc");
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// By how much longer it waits when it asked too often (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The role in which to act, when one's groups give several
    #[arg(long)]
    role: Option<String>,
}

/// What the server says when it begins (RFC 8628, section 3.2).
#[derive(Deserialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// What it gives in the end.
#[derive(Deserialize)]
pub(super) struct Given {
    access_token: String,
    expires_in: u64,
}

pub(super) async fn login(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let client = stranger(session)?;
    let mut form = vec![CLIENT];
    form.extend(arguments.role.as_deref().map(|role| ("role", role)));
    let answer = post(&client, "/oauth/device_authorization", &form).await?;
    let begun: Begun = parsed(&answer).ok_or_else(|| not_given(&answer))?;
    session.output.say(&format!(
        "open this address, and go on if it shows {}:\n{}",
        begun.user_code, begun.verification_uri_complete
    ));
    let given = wait(&client, &begun).await?;
    welcome(session, &client, given).await
}

/// Asks until somebody has answered in the browser.
async fn wait(client: &Client, begun: &Begun) -> Result<Given, Trouble> {
    let mut pause = Duration::from_secs(begun.interval.max(1));
    let form = [CLIENT, ("grant_type", GRANT), ("device_code", begun.device_code.as_str())];
    let mut waited = Duration::ZERO;
    while waited < Duration::from_secs(begun.expires_in) {
        tokio::time::sleep(pause).await;
        waited += pause;
        let answer = post(client, "/oauth/token", &form).await?;
        if let Some(given) = parsed(&answer) {
            return Ok(given);
        }
        match error_of(&answer).as_deref() {
            Some("authorization_pending") => {}
            Some("slow_down") => pause += SLOWER,
            _ => return Err(not_given(&answer)),
        }
    }
    let message = "nobody signed in within the time that the code counts";
    let finding = Finding::error(codes::NOT_SIGNED_IN, message).help("begin again: `qc login`");
    Err(Trouble::new(Exit::Auth, finding))
}

pub(super) async fn logout(session: &Session) -> Result<Exit, Trouble> {
    let path = session.signed_in_path().ok_or_else(no_place)?;
    let mut done = json!({ "schema_version": 1, "done": "logout", "provider_url": Value::Null });
    if let Some(own) = SignedIn::read(&path)? {
        let context = Context { url: own.url, events_url: None, token: Some(own.token) };
        let client = session.client_of(context)?;
        let answer = client.send(Method::POST, "/logout", Vec::new(), &[]).await?;
        match answer.status {
            // 401: it ended before, for the server.
            200 | 401 => {}
            _ => return Err(refused(&answer)),
        }
        let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        done["provider_url"] = told["provider_url"].clone();
    }
    SignedIn::remove(&path)?;
    session.output.result(&done, || match done["provider_url"].as_str() {
        Some(url) => format!("signed out; to sign out at the identity provider, too:\n{url}"),
        None => "signed out".to_owned(),
    });
    Ok(Exit::Ok)
}

pub(super) async fn whoami(session: &Session) -> Result<Exit, Trouble> {
    show(session, &session.client()?).await
}

async fn show(session: &Session, client: &Client) -> Result<Exit, Trouble> {
    let told: Value = client.get("/oauth/whoami").await?;
    session.output.result(&told, || {
        let text = |key: &str| told[key].as_str();
        let person = text("person").map_or_else(String::new, |person| format!(" ({person})"));
        let place = text("environment").map_or_else(String::new, |it| format!(" in {it}"));
        format!(
            "{}{person}: {}{place}, by {}",
            text("name").unwrap_or("?"),
            text("role").unwrap_or("?"),
            text("kind").unwrap_or("?").replace('_', " "),
        )
    });
    Ok(Exit::Ok)
}

/// Opens the sealed account.
pub(super) async fn break_glass(
    session: &Session,
    credential: &Secret,
    reason: &str,
) -> Result<Exit, Trouble> {
    let client = stranger(session)?;
    let form = [("credential", credential.expose()), ("reason", reason)];
    let answer = post(&client, "/login/break-glass", &form).await?;
    let given = parsed(&answer).ok_or_else(|| refused(&answer))?;
    session
        .output
        .say("it is open for an hour; afterwards seal it anew: qc access break-glass seal");
    welcome(session, &client, given).await
}

/// A client that brings nothing.
fn stranger(session: &Session) -> Result<Client, Trouble> {
    session.client_of(Context { token: None, ..session.place()? })
}

/// Keeps what was given, and says who one is by it.
async fn welcome(session: &Session, client: &Client, given: Given) -> Result<Exit, Trouble> {
    let path = session.signed_in_path().ok_or_else(no_place)?;
    let (url, token) = (client.url().to_owned(), Secret::new(given.access_token));
    let lifetime = Duration::from_secs(given.expires_in);
    SignedIn::new(url.clone(), token.clone(), lifetime).write(&path)?;
    if session.variables.get("QC_TOKEN").is_some_and(|token| !token.is_empty()) {
        session.output.say("QC_TOKEN is set: the other verbs act by that, not by the session");
    }
    show(session, &session.client_of(Context { url, events_url: None, token: Some(token) })?).await
}

fn no_place() -> Trouble {
    let message = "there is no place for the session: neither HOME nor XDG_CONFIG_HOME is set";
    Trouble::usage(codes::NO_CONTEXT, message, "set one of them, or QC_CONTEXT")
}

async fn post(client: &Client, path: &str, form: &[(&str, &str)]) -> Result<Answer, Trouble> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let media = [("content-type", "application/x-www-form-urlencoded")];
    client.send(Method::POST, path, body.into_bytes(), &media).await
}

fn parsed<T: for<'de> Deserialize<'de>>(answer: &Answer) -> Option<T> {
    (answer.status == 200).then(|| serde_json::from_slice(&answer.body).ok())?
}

/// The word of an OAuth error.
fn error_of(answer: &Answer) -> Option<String> {
    let told: Value = serde_json::from_slice(&answer.body).ok()?;
    told["error"].as_str().map(str::to_owned)
}

/// Why nobody signed in, in the words of RFC 6749.
fn not_given(answer: &Answer) -> Trouble {
    let told: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let Some(why) = told["error_description"].as_str() else { return refused(answer) };
    let help = match told["error"].as_str() {
        Some("access_denied") => "the browser says why; begin again: `qc login --role ROLE`",
        Some("temporarily_unavailable") => "ask whoever runs the server",
        _ => "begin again: `qc login`",
    };
    let finding = Finding::error(codes::NOT_SIGNED_IN, format!("not signed in: {why}"));
    Trouble::new(Exit::Auth, finding.help(help))
}
