//! `qc drift`: what answers of others were seen to be that their contracts do not say, and runs that wait because of it.

use std::collections::BTreeMap;

use qc_server::wire::{
    DriftCanary, DriftFound, DriftOperation, DriftResumed, DriftShown, Page, ResumeDrift,
};

use super::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};
use crate::codes;

/// How many findings are looked through for the one that is named.
const FINDINGS: &str = "500";

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List how operations broke their contracts or are said to end, the one seen last first
    List(ListArguments),
    /// List what was seen of each operation's answers that its contract does not say: shapes, never values
    Shapes(ListArguments),
    /// List the operations that are asked on a schedule: when, and what came
    Canaries(ListArguments),
    /// Show a finding: what differs, whose it is, which runs are parked
    Show(ShowArguments),
    /// Let the parked runs of a finding go on with their answers put right; nothing is sent again
    Resume(ResumeArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only this connector
    #[arg(long)]
    connector: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// The finding, as `qc drift list` shows it
    finding: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ResumeArguments {
    /// The finding, as `qc drift list` shows it
    finding: String,
    /// A field came under a new name: its place and the contract's name, such as `/orders/*/order_id=id`
    #[arg(long = "map", value_name = "PLACE=NAME")]
    aliases: Vec<String>,
    /// A value came in another form: its place and the form that the contract wants (number, text, boolean, absent,
    /// list, single), such as `/total=number`
    #[arg(long, value_name = "PLACE=FORM")]
    coerce: Vec<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Shapes(arguments) => shapes(session, &arguments).await,
        Verb::Canaries(arguments) => canaries(session, &arguments).await,
        Verb::Show(ShowArguments { finding }) => {
            let place = place(session, &finding).await?;
            let shown: DriftShown = session.client()?.get(&place).await?;
            session.output.result(&shown, || details(&shown.finding));
            Ok(Exit::Ok)
        }
        Verb::Resume(arguments) => resume(session, &arguments).await,
    }
}

fn filter(arguments: &ListArguments) -> String {
    query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("connector", arguments.connector.as_deref()),
        ("limit", Some(&arguments.limit)),
    ])
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/drift{}", filter(arguments));
    let page: Page<DriftFound> = session.client()?.get(&path).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        let head = [
            "FINDING",
            "KIND",
            "PARKED",
            "COUNT",
            "LAST",
            "ENVIRONMENT",
            "INTEGRATION",
            "OPERATION",
            "OWNER",
            "DIFFERS",
        ];
        table(&head, &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn row(found: &DriftFound) -> Vec<String> {
    let first = found.diff.first().map(|one| format!("{}: {}", one.pointer, one.message));
    vec![
        found.finding.clone(),
        found.kind.clone(),
        found.parked.len().to_string(),
        found.count.to_string(),
        clock(&found.last_at),
        found.environment.clone(),
        found.integration.clone(),
        format!("{}.{}", found.connector, found.operation),
        found.owner.clone().unwrap_or_default(),
        first.unwrap_or_default(),
    ]
}

async fn shapes(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/drift/shapes{}", filter(arguments));
    let page: Page<DriftOperation> = session.client()?.get(&path).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().flat_map(rows_of).collect();
        let head = [
            "ENVIRONMENT",
            "INTEGRATION",
            "OPERATION",
            "KIND",
            "COUNT",
            "FIRST",
            "LAST",
            "PLACE",
            "SEEN",
        ];
        table(&head, &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn rows_of(one: &DriftOperation) -> Vec<Vec<String>> {
    let name = format!("{}.{}", one.connector, one.operation);
    let place = || [one.environment.clone(), one.integration.clone(), name.clone()];
    let shapes = one.shapes.iter().map(|shape| {
        let seen = [
            shape.kind.clone(),
            shape.count.to_string(),
            clock(&shape.first_at),
            clock(&shape.last_at),
            shape.pointer.clone(),
            shape.message.clone(),
        ];
        place().into_iter().chain(seen).collect()
    });
    let mut rows: Vec<Vec<String>> = shapes.collect();
    if one.deprecated || one.sunset.is_some() {
        let since = one.deprecated_at.as_deref().map(clock).unwrap_or_default();
        let stops =
            one.sunset.as_deref().map_or_else(String::new, |at| format!("stops at {}", clock(at)));
        let link = one.link.clone().unwrap_or_default();
        let seen = ["end".to_owned(), String::new(), since, String::new(), link, stops];
        rows.push(place().into_iter().chain(seen).collect());
    }
    rows
}

async fn canaries(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/drift/canaries{}", filter(arguments));
    let page: Page<DriftCanary> = session.client()?.get(&path).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(canary).collect();
        let head = [
            "ENVIRONMENT",
            "INTEGRATION",
            "OPERATION",
            "EVERY",
            "LAST",
            "NEXT",
            "ASKED",
            "FAILED",
            "OUTCOME",
        ];
        table(&head, &rows)
    });
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn canary(one: &DriftCanary) -> Vec<String> {
    let more = one.finding.clone().or_else(|| {
        let title = one.title.as_deref().unwrap_or_default();
        one.code.as_ref().map(|code| format!("{code} {title}"))
    });
    let next = match &one.next_at {
        Some(at) => clock(at),
        None => "off here".to_owned(),
    };
    vec![
        one.environment.clone(),
        one.integration.clone(),
        format!("{}.{}", one.connector, one.operation),
        format!("{}s", one.every_seconds),
        one.last_at.as_deref().map_or_else(|| "never".to_owned(), clock),
        next,
        one.sent.to_string(),
        one.failed.to_string(),
        more.map_or_else(|| one.outcome.clone(), |more| format!("{}: {more}", one.outcome)),
    ]
}

/// Where a finding is asked for.
async fn place(session: &Session, finding: &str) -> Result<String, Trouble> {
    let path = format!("/api/v1/drift?limit={FINDINGS}");
    let page: Page<DriftFound> = session.client()?.get(&path).await?;
    let found = page.items.iter().find(|one| one.finding == finding);
    let found = found.ok_or_else(|| {
        let message = format!("there is no finding `{finding}`");
        Trouble::not_found(
            qc_engine::codes::NO_FINDING,
            message,
            "`qc drift list` shows those there are",
        )
    })?;
    let DriftFound { environment, integration, .. } = found;
    Ok(format!("/api/v1/drift/{environment}/{integration}/{finding}"))
}

async fn resume(session: &Session, arguments: &ResumeArguments) -> Result<Exit, Trouble> {
    let aliases = pairs(&arguments.aliases, "--map")?;
    let coerce = pairs(&arguments.coerce, "--coerce")?;
    let place = format!("{}/resume", place(session, &arguments.finding).await?);
    let mut request = ResumeDrift { aliases, coerce, before: None };
    let mut all: Option<DriftResumed> = None;
    loop {
        let done: DriftResumed = session.client()?.post(&place, &request).await?;
        request.before.clone_from(&done.next);
        match &mut all {
            Some(all) => {
                all.going_on.extend(done.going_on);
                all.staying.extend(done.staying);
                all.next = done.next;
            }
            None => all = Some(done),
        }
        if request.before.is_none() {
            break;
        }
    }
    let Some(all) = all else { return Ok(Exit::Ok) };
    session.output.result(&all, || {
        let going = format!("{} go on, {} stay parked", all.going_on.len(), all.staying.len());
        let staying = all.staying.iter().map(|one| format!("{}  {}", one.run, one.reason));
        std::iter::once(going).chain(staying).collect::<Vec<_>>().join("\n")
    });
    Ok(if all.staying.is_empty() { Exit::Ok } else { Exit::Findings })
}

/// `PLACE=WORD`, each place once; a place may hold `=` itself.
fn pairs(texts: &[String], option: &str) -> Result<BTreeMap<String, String>, Trouble> {
    let mut pairs = BTreeMap::new();
    for text in texts {
        let (place, word) = text.rsplit_once('=').ok_or_else(|| {
            let message = format!("`{option} {text}` is not PLACE=WORD");
            Trouble::usage(codes::BAD_SETTING, message, "write it as in `/total=number`")
        })?;
        if pairs.insert(place.to_owned(), word.to_owned()).is_some() {
            let message = format!("`{option}` names `{place}` twice");
            return Err(Trouble::usage(codes::BAD_SETTING, message, "name each place once"));
        }
    }
    Ok(pairs)
}

fn details(found: &DriftFound) -> String {
    let mut lines = vec![
        format!("{}  {}  {}.{}", found.finding, found.kind, found.connector, found.operation),
        format!(
            "of      {} in {}, release {}",
            found.integration, found.environment, found.release
        ),
        format!("owner   {}", found.owner.as_deref().unwrap_or("nobody")),
        format!(
            "seen    {} times, first {}, last {}",
            found.count,
            clock(&found.first_at),
            clock(&found.last_at)
        ),
    ];
    if found.canaries > 0 {
        lines.push(format!("        {} of them by canary calls", found.canaries));
    }
    for one in &found.diff {
        let place = if one.pointer.is_empty() { "the answer" } else { &one.pointer };
        lines.push(format!("{place}  {}: {}", one.keyword, one.message));
    }
    lines.extend(found.parked.iter().map(|run| format!("parked  {run}")));
    lines.join("\n")
}
