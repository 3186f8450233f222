//! `qc reconcile`: everything received is somewhere.

use qc_model::Finding;
use qc_server::wire::{Account, Reconciliation};

use super::{Exit, Trouble, files::query, output::table, session::Session};
use crate::codes;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let path = format!("/api/v1/questions/reconciliation{filter}");
    let answer: Reconciliation = session.client()?.get(&path).await?;
    session.output.result(&answer, || shown(&answer));
    if answer.truncated {
        session.output.say("there are more integrations than are shown; the total has them all");
    }
    if answer.balanced { Ok(Exit::Ok) } else { Err(imbalance(&answer)) }
}

fn shown(answer: &Reconciliation) -> String {
    let columns = [
        "ENVIRONMENT",
        "INTEGRATION",
        "RECEIVED",
        "COMPLETED",
        "CANCELLED",
        "FAILED",
        "RUNNING",
        "WAITING",
        "PARKED",
        "PRUNED",
        "DEAD LETTERS",
        "BALANCE",
    ];
    let rows: Vec<Vec<String>> = answer.accounts.iter().chain([&answer.total]).map(row).collect();
    table(&columns, &rows)
}

fn row(account: &Account) -> Vec<String> {
    let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "all".to_owned());
    let pruned = account.pruned_completed + account.pruned_cancelled + account.pruned_failed;
    let mut row = vec![name(&account.environment), name(&account.integration)];
    let numbers = [
        account.received,
        account.completed,
        account.cancelled,
        account.failed,
        account.running,
        account.waiting,
        account.parked,
        pruned,
        account.open_dead_letters,
    ];
    row.extend(numbers.map(|number| number.to_string()));
    row.push(if account.gaps.is_empty() { "ok" } else { "GAP" }.to_owned());
    row
}

/// A run that is nowhere is a fault of the platform itself.
fn imbalance(answer: &Reconciliation) -> Trouble {
    let findings = answer.accounts.iter().chain([&answer.total]).flat_map(|account| {
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "all".to_owned());
        let place = format!("{} in {}", name(&account.integration), name(&account.environment));
        account.gaps.iter().map(move |gap| {
            let message = format!(
                "{place}: {} must be {} by what was counted, and are {}",
                gap.what, gap.counted, gap.held
            );
            Finding::error(codes::IMBALANCE, message)
                .cause("what was accepted is not what is there: rows were lost, doubled or changed by hand")
                .help("keep a copy of the database, compare it with the last backup, and tell the maintainers")
        })
    });
    Trouble { exit: Exit::Internal, findings: findings.collect(), problem: None }
}
