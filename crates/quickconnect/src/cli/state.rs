//! `qc state`: the values that an integration keeps between runs.

use qc_server::wire::{ChangeState, Page, Removed, StateChanged, StateValue};
use serde_json::Value;

use super::{Exit, Trouble, files::query, output::table, session::Session};
use crate::codes;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the values of a state
    List(ListArguments),
    /// Show one value
    Get(KeyArguments),
    /// Write a value
    Set(SetArguments),
    /// Remove a value
    Delete(DeleteArguments),
}

/// Whose state it is.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// The state, as `integration.yaml` declares it
    state: String,
    /// Whose
    #[arg(long, default_value = "default")]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    of: Of,
    /// Only keys after this one
    #[arg(long)]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct KeyArguments {
    #[command(flatten)]
    of: Of,
    /// The key
    key: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    of: Of,
    /// The key
    key: String,
    /// The value, as JSON
    value: String,
    /// `absent`, or the revision that must be there
    #[arg(long)]
    expect: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DeleteArguments {
    #[command(flatten)]
    of: Of,
    /// The key
    key: String,
    /// The revision that must be there
    #[arg(long)]
    expect: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => {
            let more =
                [("after", arguments.after.as_deref()), ("limit", Some(arguments.limit.as_str()))];
            let page = values(session, &arguments.of, &more).await?;
            session.output.result(&page, || rows(&page.items));
            if let Some(next) = &page.next {
                session.output.say(&format!("there is more: --after {next}"));
            }
            Ok(Exit::Ok)
        }
        Verb::Get(KeyArguments { of, key }) => {
            let page = values(session, &of, &[("key", Some(&key))]).await?;
            let Some(value) = page.items.first() else {
                let message = format!("`{}` has no value under the key `{key}`", of.state);
                let help = "see what there is with `qc state list`";
                return Err(Trouble::not_found(codes::NOT_KEPT, message, help));
            };
            session.output.result(value, || value.value.to_string());
            Ok(Exit::Ok)
        }
        Verb::Set(SetArguments { of, key, value, expect }) => {
            let value = serde_json::from_str(&value).map_err(|error| {
                let message = format!("the value is no JSON: {error}");
                Trouble::usage(codes::NOT_KEPT, message, "quote text once more: `'\"text\"'`")
            })?;
            let request = change(of, key, value, expect.as_deref())?;
            let done: StateChanged = session.client()?.post("/api/v1/state/set", &request).await?;
            session.output.result(&done, || format!("written; revision {}", done.revision));
            Ok(Exit::Ok)
        }
        Verb::Delete(DeleteArguments { of, key, expect }) => {
            let request = change(of, key, Value::Null, expect.as_deref())?;
            let done: Removed = session.client()?.post("/api/v1/state/delete", &request).await?;
            session.output.result(&done, || removed(&done));
            Ok(Exit::Ok)
        }
    }
}

pub(super) fn removed(done: &Removed) -> String {
    if done.removed { "removed" } else { "there was nothing" }.to_owned()
}

async fn values(
    session: &Session,
    of: &Of,
    more: &[(&str, Option<&str>)],
) -> Result<Page<StateValue>, Trouble> {
    let mut parts = vec![
        ("environment", Some(of.environment.as_str())),
        ("integration", Some(of.integration.as_str())),
        ("tenant", Some(of.tenant.as_str())),
        ("state", Some(of.state.as_str())),
    ];
    parts.extend_from_slice(more);
    session.client()?.get(&format!("/api/v1/state{}", query(&parts))).await
}

fn change(of: Of, key: String, value: Value, expect: Option<&str>) -> Result<ChangeState, Trouble> {
    let expect = match expect {
        None => None,
        Some("absent") => Some(Value::from("absent")),
        Some(text) => Some(text.parse::<u64>().map(Value::from).map_err(|_| {
            let message = format!("`{text}` is no revision");
            Trouble::usage(codes::NOT_KEPT, message, "write `absent` or a revision that was read")
        })?),
    };
    let Of { environment, integration, state, tenant } = of;
    Ok(ChangeState { tenant, environment, integration, state, key, value, expect })
}

fn rows(values: &[StateValue]) -> String {
    let rows: Vec<Vec<String>> = values
        .iter()
        .map(|one| {
            vec![
                one.key.clone(),
                one.revision.to_string(),
                one.expires_at.clone().unwrap_or_default(),
                one.value.to_string(),
            ]
        })
        .collect();
    table(&["KEY", "REVISION", "EXPIRES", "VALUE"], &rows)
}
