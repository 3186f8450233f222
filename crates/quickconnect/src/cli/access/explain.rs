use std::path::PathBuf;

use qc_access::{Action, Policies, Question, Role, Subject, TokenKind, Verdict};
use qc_model::Finding;
use qc_project::access::findings;
use qc_server::wire::{AuditEntries, PolicySet};
use serde_json::{Value, json};

use super::policies;
use crate::{
    cli::{Exit, Trouble, files::query, session::Session},
    codes,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder, whose policies decide
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Decide again what this entry of the audit tells, by the policies that were in force
    #[arg(long, conflicts_with_all = ["role", "action"])]
    entry: Option<u64>,
    /// In which role
    #[arg(long, required_unless_present = "entry")]
    role: Option<String>,
    /// To do what, such as runs:inspect
    #[arg(long, required_unless_present = "entry")]
    action: Option<String>,
    /// By which kind of token: api_key, access_token, session, break_glass, local or run
    #[arg(long, default_value = "api_key")]
    token: String,
    /// In which environment; of the platform when left out
    #[arg(long)]
    environment: Option<String>,
    /// To which integration, or thing of this name
    #[arg(long)]
    name: Option<String>,
    /// The environment is one of production
    #[arg(long)]
    production: bool,
    /// With a grant for a time
    #[arg(long)]
    granted: bool,
    /// The environment to which the token is bound
    #[arg(long)]
    bound: Option<String>,
    /// The person to whom the token belongs
    #[arg(long)]
    person: Option<String>,
    /// The person's unit; may stand several times
    #[arg(long = "unit")]
    units: Vec<String>,
    /// The unit to which the integration belongs; of a list, each of them
    #[arg(long = "of-unit")]
    of_units: Vec<String>,
    /// With a grant across units
    #[arg(long)]
    across: bool,
}

pub(super) async fn run(session: &Session, arguments: Arguments) -> Result<Exit, Trouble> {
    if let Some(entry) = arguments.entry {
        return again(session, entry).await;
    }
    let question = question(&arguments)?;
    let (policies, _) = policies(&arguments.folder)?;
    tell(session, &question, &policies.decide(&question), policies.version(), None);
    Ok(Exit::Ok)
}

fn question(arguments: &Arguments) -> Result<Question, Trouble> {
    let unknown = |what: &str, text: &str, known: Vec<&str>| {
        let message = format!("there is no {what} `{text}`");
        Trouble::usage(codes::BAD_SETTING, message, format!("it is one of {}", known.join(", ")))
    };
    let (role, action) =
        (arguments.role.as_deref().unwrap_or(""), arguments.action.as_deref().unwrap_or(""));
    let role = Role::parse(role)
        .ok_or_else(|| unknown("role", role, Role::ALL.iter().map(|it| it.as_str()).collect()))?;
    let action = Action::parse(action).ok_or_else(|| {
        unknown("action", action, Action::ALL.iter().map(|it| it.as_str()).collect())
    })?;
    let kinds = TokenKind::ALL;
    let kind =
        kinds.into_iter().find(|kind| kind.as_str() == arguments.token).ok_or_else(|| {
            unknown("kind of token", &arguments.token, kinds.iter().map(|it| it.as_str()).collect())
        })?;
    Ok(Question {
        subject: Subject {
            id: "somebody".to_owned(),
            name: "somebody".to_owned(),
            kind,
            role,
            environment: arguments.bound.clone(),
            person: arguments.person.clone(),
            units: arguments.units.clone(),
        },
        action,
        environment: arguments.environment.clone(),
        name: arguments.name.clone(),
        units: arguments.of_units.clone(),
        production: arguments.production,
        in_scope: true,
        granted: arguments.granted,
        across: arguments.across,
        local: false,
    })
}

/// Decides again what an entry of the audit tells.
async fn again(session: &Session, index: u64) -> Result<Exit, Trouble> {
    let (client, from) = (session.client()?, index.to_string());
    let filter = query(&[("from", Some(&from)), ("limit", Some("1"))]);
    let entries: AuditEntries = client.get(&format!("/api/v1/audit/entries{filter}")).await?;
    let leaf: Value = entries
        .items
        .first()
        .and_then(|entry| serde_json::from_str(entry.leaf.as_deref()?).ok())
        .ok_or_else(|| no_decision(index))?;
    let facts = &leaf["facts"];
    let question: Question =
        serde_json::from_value(facts["question"].clone()).map_err(|_| no_decision(index))?;
    let version = facts["via"]["policy"].as_str().unwrap_or_default();
    let filter = query(&[("version", Some(version))]);
    let set: PolicySet = client.get(&format!("/api/v1/policies{filter}")).await?;
    let files: Vec<(String, String)> =
        set.files.into_iter().map(|file| (file.name, file.text)).collect();
    let policies =
        Policies::with(&files).map_err(|errors| Trouble::findings(findings(&errors, &files)))?;
    if policies.version() != version {
        let message =
            format!("entry {index} was decided by {version}, which this program cannot be");
        let finding = Finding::error(codes::OTHER_POLICIES, message);
        let help = "use the program that decided: its own policies are a part of the version";
        return Err(Trouble::new(Exit::Conflict, finding.help(help)));
    }
    let verdict = policies.decide(&question);
    let was = leaf["outcome"] != "denied";
    tell(session, &question, &verdict, version, Some(was));
    Ok(if verdict.allowed() == was { Exit::Ok } else { Exit::Findings })
}

fn no_decision(index: u64) -> Trouble {
    let message = format!("entry {index} of the audit is not there, or tells of no decision");
    let help = "`qc audit list` shows the entries; those of requests that change something, and of refusals, tell of decisions";
    Trouble::new(Exit::NotFound, Finding::error(codes::OTHER_POLICIES, message).help(help))
}

fn tell(
    session: &Session,
    question: &Question,
    verdict: &Verdict,
    version: &str,
    was: Option<bool>,
) {
    let word = |allowed| if allowed { "allowed" } else { "denied" };
    let done = json!({
        "schema_version": 1,
        "decision": word(verdict.allowed()),
        "reason": verdict.denial.map(qc_access::Denial::reason),
        "policies": verdict.policies,
        "version": version,
        "question": question,
        "was": was.map(word),
    });
    session.output.result(&done, || {
        let mut text = word(verdict.allowed()).to_owned();
        if let Some(denial) = verdict.denial {
            text.extend([": ", denial.reason()]);
        }
        let by = match verdict.policies.as_slice() {
            [] => "no policy permits it".to_owned(),
            policies => format!("by {}", policies.join(", ")),
        };
        text.extend(["\n", &by, " (", version, ")"]);
        if let Some(was) = was {
            text.extend(["\nthe audit says: ", word(was)]);
        }
        text
    });
}
