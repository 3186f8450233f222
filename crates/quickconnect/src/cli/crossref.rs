//! `qc crossref`: which id in one system is which in another.

use std::path::PathBuf;

use qc_server::wire::{CrossLink, LinkRefused, LinkRequest, Linked, Page, Removed, UnlinkRequest};
use serde_json::{Map, Value};

use super::{Exit, Trouble, files::query, output::table, session::Session, state::removed};
use crate::codes;

/// So many links go to the server at a time.
const AT_A_TIME: usize = 200;
/// The largest file that is imported, in bytes.
const FILE_MAX: u64 = 64 << 20;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the links of a table
    List(ListArguments),
    /// Show the link of an id
    Find(IdArguments),
    /// Link two ids
    Link(LinkArguments),
    /// End the link of an id
    Unlink(IdArguments),
    /// Link what a file says: one JSON object a line, with the id in each system. Again changes nothing
    Import(ImportArguments),
    /// Print all links, as `import` reads them
    Export(ExportArguments),
}

/// Whose table it is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Of {
    /// The environment
    environment: String,
    /// The integration
    integration: String,
    /// The table, as `integration.yaml` declares it
    table: String,
    /// Whose
    #[arg(long, default_value = "default")]
    tenant: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    of: Of,
    /// Only after this id of the first system
    #[arg(long)]
    after: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct IdArguments {
    #[command(flatten)]
    of: Of,
    /// The id: `<system>=<id>`
    id: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct LinkArguments {
    #[command(flatten)]
    of: Of,
    /// The id in one system: `<system>=<id>`
    one: String,
    /// The id in the other system
    other: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ImportArguments {
    #[command(flatten)]
    of: Of,
    /// The file
    file: PathBuf,
    /// Only count what would be done
    #[arg(long)]
    plan: bool,
    /// Link the others also when some are linked otherwise
    #[arg(long)]
    skip_refused: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExportArguments {
    #[command(flatten)]
    of: Of,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Find(IdArguments { of, id }) => find(session, &of, &id).await,
        Verb::Link(LinkArguments { of, one, other }) => {
            let link = [pair(&one)?, pair(&other)?];
            let link: Map<String, Value> =
                link.into_iter().map(|(system, id)| (system, id.into())).collect();
            let done = send(session, &of, vec![link], false).await?;
            if let Some(refused) = done.refused.first() {
                let help =
                    "see it with `qc crossref find`; end the other link with `qc crossref unlink`";
                return Err(Trouble::conflict(codes::NOT_KEPT, refused.why.clone(), help));
            }
            session.output.result(&done, || {
                if done.new == 1 { "linked" } else { "linked already" }.to_owned()
            });
            Ok(Exit::Ok)
        }
        Verb::Unlink(IdArguments { of, id }) => {
            let (system, id) = pair(&id)?;
            let Of { environment, integration, table, tenant } = of;
            let ids = [(system, Value::from(id))].into_iter().collect();
            let request = UnlinkRequest { tenant, environment, integration, table, ids };
            let done: Removed =
                session.client()?.post("/api/v1/crossrefs/unlink", &request).await?;
            session.output.result(&done, || removed(&done));
            Ok(Exit::Ok)
        }
        Verb::Import(arguments) => import(session, arguments).await,
        Verb::Export(ExportArguments { of }) => export(session, &of).await,
    }
}

fn pair(text: &str) -> Result<(String, String), Trouble> {
    let parts = text.split_once('=').filter(|(system, id)| !system.is_empty() && !id.is_empty());
    let parts = parts.map(|(system, id)| (system.to_owned(), id.to_owned()));
    parts.ok_or_else(|| {
        let message = format!("`{text}` does not say whose id it is");
        Trouble::usage(codes::NOT_KEPT, message, "write `<system>=<id>`, such as `crm=4711`")
    })
}

async fn page(
    session: &Session,
    of: &Of,
    more: &[(&str, Option<&str>)],
) -> Result<Page<CrossLink>, Trouble> {
    let mut parts = vec![
        ("environment", Some(of.environment.as_str())),
        ("integration", Some(of.integration.as_str())),
        ("tenant", Some(of.tenant.as_str())),
        ("table", Some(of.table.as_str())),
    ];
    parts.extend_from_slice(more);
    session.client()?.get(&format!("/api/v1/crossrefs{}", query(&parts))).await
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let more = [("after", arguments.after.as_deref()), ("limit", Some(arguments.limit.as_str()))];
    let page = page(session, &arguments.of, &more).await?;
    session.output.result(&page, || rows(&page.items));
    if let Some(next) = &page.next {
        session.output.say(&format!("there is more: --after {next}"));
    }
    Ok(Exit::Ok)
}

async fn find(session: &Session, of: &Of, id: &str) -> Result<Exit, Trouble> {
    let (system, id) = pair(id)?;
    let page = page(session, of, &[("system", Some(&system)), ("id", Some(&id))]).await?;
    let Some(link) = page.items.first() else {
        let message = format!("`{system}={id}` is not linked in `{}`", of.table);
        let help = "see what there is with `qc crossref list`";
        return Err(Trouble::not_found(codes::NOT_KEPT, message, help));
    };
    session.output.result(link, || rows(std::slice::from_ref(link)));
    Ok(Exit::Ok)
}

async fn send(
    session: &Session,
    of: &Of,
    links: Vec<Map<String, Value>>,
    plan: bool,
) -> Result<Linked, Trouble> {
    let Of { environment, integration, table, tenant } = of.clone();
    let request = LinkRequest { tenant, environment, integration, table, links, plan };
    session.client()?.post("/api/v1/crossrefs/link", &request).await
}

/// Plans all of it first; links only when nothing is refused, or that may be skipped.
async fn import(session: &Session, arguments: ImportArguments) -> Result<Exit, Trouble> {
    let ImportArguments { of, file, plan, skip_refused } = arguments;
    let links = read(&file)?;
    let planned = all(session, &of, &links, true).await?;
    if plan || (!planned.refused.is_empty() && !skip_refused) {
        session.output.result(&planned, || counts("would be", &planned));
        if plan || planned.refused.is_empty() {
            return Ok(Exit::Ok);
        }
        let message = format!("{} of {} links are refused", planned.refused.len(), links.len());
        let help = "mend the file, or link the others with `--skip-refused`; nothing was written";
        return Err(Trouble::conflict(codes::NOT_KEPT, message, help));
    }
    let done = all(session, &of, &links, false).await?;
    session.output.result(&done, || counts("were", &done));
    Ok(Exit::Ok)
}

async fn all(
    session: &Session,
    of: &Of,
    links: &[Map<String, Value>],
    plan: bool,
) -> Result<Linked, Trouble> {
    let mut whole = Linked::default();
    for (number, some) in links.chunks(AT_A_TIME).enumerate() {
        let done = send(session, of, some.to_vec(), plan).await?;
        whole.new += done.new;
        whole.same += done.same;
        let first = number * AT_A_TIME;
        let refused = done.refused.into_iter();
        whole.refused.extend(refused.map(|one| LinkRefused { number: first + one.number, ..one }));
    }
    Ok(whole)
}

fn counts(were: &str, linked: &Linked) -> String {
    let mut text = format!(
        "{} {were} linked, {} are already, {} refused",
        linked.new,
        linked.same,
        linked.refused.len()
    );
    for one in &linked.refused {
        super::output::append(&mut text, format_args!("\nline {}: {}", one.number + 1, one.why));
    }
    text
}

fn read(file: &PathBuf) -> Result<Vec<Map<String, Value>>, Trouble> {
    let unusable = |message: String| {
        let help = "one JSON object a line, such as `{\"crm\": \"1\", \"erp\": \"A-1\"}`";
        Trouble::usage(codes::NOT_KEPT, message, help)
    };
    let trouble = |error: std::io::Error| Trouble::file(file, &error);
    if std::fs::metadata(file).map_err(trouble)?.len() > FILE_MAX {
        return Err(unusable(format!("the file has more than {} MiB", FILE_MAX >> 20)));
    }
    let text = std::fs::read_to_string(file).map_err(trouble)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| unusable(format!("line {}: {error}", number + 1)))
        })
        .collect()
}

async fn export(session: &Session, of: &Of) -> Result<Exit, Trouble> {
    let mut after: Option<String> = None;
    let mut links = Vec::new();
    loop {
        let more = [("after", after.as_deref()), ("limit", Some("500"))];
        let page = page(session, of, &more).await?;
        links.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let page = Page::whole(links, None);
    session.output.result(&page, || {
        let lines = page.items.iter().map(|link| Value::Object(link.ids.clone()).to_string());
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

fn rows(links: &[CrossLink]) -> String {
    let Some(first) = links.first() else { return "no links".to_owned() };
    let systems: Vec<&str> = first.ids.keys().map(String::as_str).collect();
    let text = |id: &Value| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let rows: Vec<Vec<String>> = links
        .iter()
        .map(|link| {
            let ids = systems.iter().map(|system| text(&link.ids[*system]));
            ids.chain([link.revision.to_string()]).collect()
        })
        .collect();
    let columns: Vec<&str> = systems.iter().copied().chain(["REVISION"]).collect();
    table(&columns, &rows)
}
