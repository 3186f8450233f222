//! `qc failures`: dead letters grouped by what they died of, and what people say of the groups.

use qc_server::wire::{DeadGroup, DeadGroupShown, MuteRequest, Note, Page};

use super::{
    Exit, Trouble,
    files::{clock, query},
    output::table,
    session::Session,
};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List dead letters grouped by what they died of, the group that grew last first
    List(ListArguments),
    /// Show a group with everything that was said of it
    Show(ShowArguments),
    /// Say that somebody works on a group
    #[command(alias = "ack")]
    Acknowledge(WordArguments),
    /// Say that the cause is mended; who dies of it from now on opens the group again
    Resolve(WordArguments),
    /// Leave a group out of the usual list for a time
    Mute(MuteArguments),
    /// Take back what was said of a group
    Reopen(WordArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only these states, separated by commas: open, regressed, acknowledged (the usual ones), resolved, muted, settled;
    /// `all` for every state
    #[arg(long)]
    state: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
    /// Only this failure's code
    #[arg(long)]
    code: Option<String>,
    /// At most so many
    #[arg(long, default_value = "50")]
    limit: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ShowArguments {
    /// The group, as `qc failures list` shows it
    group: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WordArguments {
    /// The group, as `qc failures list` shows it
    group: String,
    /// What is to be known; it stands in the audit
    #[arg(long)]
    note: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
pub(crate) struct MuteArguments {
    /// The group, as `qc failures list` shows it
    group: String,
    /// For so long: `8h`, `7d`; at most 30 days
    #[arg(long = "for", value_name = "DURATION", group = "end")]
    lasting: Option<String>,
    /// Until this RFC 3339 time; at most 30 days away
    #[arg(long, value_name = "TIME", group = "end")]
    until: Option<String>,
    /// What is to be known; it stands in the audit
    #[arg(long)]
    note: Option<String>,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Show(ShowArguments { group }) => {
            let shown: DeadGroupShown =
                session.client()?.get(&format!("/api/v1/failures/{group}")).await?;
            session.output.result(&shown, || details(&shown.group));
            Ok(Exit::Ok)
        }
        Verb::Acknowledge(arguments) => say(session, arguments, "acknowledge").await,
        Verb::Resolve(arguments) => say(session, arguments, "resolve").await,
        Verb::Reopen(arguments) => say(session, arguments, "reopen").await,
        Verb::Mute(MuteArguments { group, lasting, until, note }) => {
            let request = MuteRequest { until, lasting, note };
            told(session, &group, "mute", &request).await
        }
    }
}

async fn say(session: &Session, arguments: WordArguments, word: &str) -> Result<Exit, Trouble> {
    let WordArguments { group, note } = arguments;
    told(session, &group, word, &Note { note }).await
}

async fn told(
    session: &Session,
    group: &str,
    word: &str,
    request: &impl serde::Serialize,
) -> Result<Exit, Trouble> {
    let path = format!("/api/v1/failures/{group}/{word}");
    let shown: DeadGroupShown = session.client()?.post(&path, request).await?;
    session.output.result(&shown, || format!("{}: {}", shown.group.group, shown.group.state));
    Ok(Exit::Ok)
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    const ALL: &str = "open,regressed,acknowledged,resolved,muted,settled";
    let state = arguments.state.as_deref().map(|state| if state == "all" { ALL } else { state });
    let filter = query(&[
        ("state", state),
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
        ("code", arguments.code.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let page: Page<DeadGroup> = session.client()?.get(&format!("/api/v1/failures{filter}")).await?;
    session.output.result(&page, || {
        let rows: Vec<Vec<String>> = page.items.iter().map(row).collect();
        table(
            &[
                "GROUP",
                "STATE",
                "OPEN",
                "TOTAL",
                "FIRST",
                "LAST",
                "ENVIRONMENT",
                "INTEGRATION",
                "OWNER",
                "CODE",
                "SUMMARY",
            ],
            &rows,
        )
    });
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn row(group: &DeadGroup) -> Vec<String> {
    vec![
        group.group.clone(),
        group.state.clone(),
        group.open.to_string(),
        group.total.to_string(),
        clock(&group.first_at),
        clock(&group.last_at),
        group.environment.clone(),
        group.integration.clone(),
        group.owner.clone().unwrap_or_default(),
        group.code.clone(),
        group.summary.clone(),
    ]
}

fn details(group: &DeadGroup) -> String {
    let mut lines = vec![
        format!("{}  {}  {} open of {}", group.group, group.state, group.open, group.total),
        format!("{}  {}", group.code, group.summary),
        format!("of     {} in {} ({})", group.integration, group.environment, group.tenant),
        format!("next   {} ({})", group.meant.next_action, group.meant.page),
        format!(
            "owner  {}{}",
            group.owner.as_deref().unwrap_or("not deployed now"),
            group.contact.as_deref().map(|contact| format!(" ({contact})")).unwrap_or_default()
        ),
        format!("first  {}", clock(&group.first_at)),
        format!("last   {}", clock(&group.last_at)),
        format!("by     {}", group.fingerprint),
    ];
    for said in &group.said {
        let until = said.until.as_deref().map(|until| format!(" until {}", clock(until)));
        let note = said.note.as_deref().map(|note| format!(": {note}"));
        lines.push(format!(
            "{}  {} {}{}{}",
            clock(&said.at),
            said.by,
            said.word,
            until.unwrap_or_default(),
            note.unwrap_or_default()
        ));
    }
    lines.join("\n")
}
