use http::Method;
use qc_access::Action;
use qc_model::{EnvironmentName, Name};
use qc_store::{ByEnd, PAGE_MAX, Tally};

use crate::{
    Problem,
    api::{
        Call, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{Account, AccountGap, Reconciliation},
    },
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "askReconciliation",
    method: Method::GET,
    path: "/api/v1/questions/reconciliation",
    action: Action::LedgerRead,
    summary: "Whether everything received is accounted for, by environment and integration",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Reconciliation>),
    handler: |call| Box::pin(handle(call)),
};

async fn handle(call: Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let store = &permit.state.store;
    let mut accounts = Vec::new();
    let places = store.tally_places(None).await?;
    let truncated = places.len() == PAGE_MAX;
    for (own_environment, own_integration) in places {
        let wanted = environment.as_ref().is_none_or(|name| *name == own_environment)
            && integration.as_ref().is_none_or(|name| *name == own_integration)
            && cut.shows(own_environment.as_str(), own_integration.as_str());
        if wanted {
            let tally = store.tally(Some(&own_environment), Some(&own_integration)).await?;
            accounts.push(account(Some(&own_environment), Some(&own_integration), &tally));
        }
    }
    // Each account is of one moment; the total is one of its own, so that nothing hides between the others.
    let total = if cut.is_whole() {
        let all = store.tally(environment.as_ref(), integration.as_ref()).await?;
        account(environment.as_ref(), integration.as_ref(), &all)
    } else {
        let empty = account(environment.as_ref(), integration.as_ref(), &Tally::default());
        accounts.iter().fold(empty, added)
    };
    let balanced = total.gaps.is_empty() && accounts.iter().all(|one| one.gaps.is_empty());
    let at = permit.state.clock.now().to_string();
    let of_units = cut.units().to_vec();
    Ok(Reply::ok(&Reconciliation {
        schema_version: 1,
        at,
        balanced,
        total,
        accounts,
        truncated,
        of_units,
    }))
}

/// The sum of accounts.
fn added(sum: Account, one: &Account) -> Account {
    let gaps = one.gaps.iter().map(|gap| AccountGap { what: gap.what.clone(), ..*gap });
    Account {
        environment: sum.environment,
        integration: sum.integration,
        received: sum.received + one.received,
        replays: sum.replays + one.replays,
        completed: sum.completed + one.completed,
        cancelled: sum.cancelled + one.cancelled,
        failed: sum.failed + one.failed,
        running: sum.running + one.running,
        waiting: sum.waiting + one.waiting,
        parked: sum.parked + one.parked,
        pruned_completed: sum.pruned_completed + one.pruned_completed,
        pruned_cancelled: sum.pruned_cancelled + one.pruned_cancelled,
        pruned_failed: sum.pruned_failed + one.pruned_failed,
        open_dead_letters: sum.open_dead_letters + one.open_dead_letters,
        gaps: sum.gaps.into_iter().chain(gaps).collect(),
    }
}

fn account(
    environment: Option<&EnvironmentName>,
    integration: Option<&Name>,
    tally: &Tally,
) -> Account {
    let Tally { counted, held } = tally;
    let pruned = |of: fn(&ByEnd) -> u64| of(&counted.pruned);
    Account {
        environment: environment.map(ToString::to_string),
        integration: integration.map(ToString::to_string),
        received: counted.accepted,
        replays: counted.replays,
        completed: held.ended.completed,
        cancelled: held.ended.cancelled,
        failed: held.ended.faulted,
        running: held.running,
        waiting: held.waiting,
        parked: held.parked,
        pruned_completed: pruned(|by| by.completed),
        pruned_cancelled: pruned(|by| by.cancelled),
        pruned_failed: pruned(|by| by.faulted),
        open_dead_letters: held.dead_open,
        gaps: tally
            .gaps()
            .iter()
            .map(|gap| AccountGap {
                what: gap.what.to_owned(),
                // Beyond 2^63 neither can be; what is not a number of JSON would be one of the reader's problems.
                counted: i64::try_from(gap.counted).unwrap_or(i64::MAX),
                held: i64::try_from(gap.held).unwrap_or(i64::MAX),
            })
            .collect(),
    }
}
