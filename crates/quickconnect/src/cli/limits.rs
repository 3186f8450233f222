//! `qc limits`: how much may come in, who comes near that, and how fast other systems are called.

use std::fmt::Write as _;

use qc_server::wire::{Limit, LimitStanding, NearLimit, OutboundLimit, Page, TriggerTraffic};

use super::{Exit, Trouble, files::query, output::table, session::Session};
use crate::codes;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// List the limits in force
    List(ListArguments),
    /// Say which limits hold for an event at an address, what each protects, how it stands, and who can raise it
    Explain(ExplainArguments),
    /// List who uses up a quota, the soonest first
    Near(NearArguments),
    /// List the limits of other systems, as one node knows them: what is declared, what was heard and learned, how many calls
    /// wait, and how the last calls went; addresses that are called without a connector only when nothing is left out
    Outbound(ListArguments),
    /// List what comes in at the triggers whose traffic is declared, and where it is more than that
    Traffic(ListArguments),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ListArguments {
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
    /// Only this integration
    #[arg(long)]
    integration: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArguments {
    /// Where the event would be sent: `/in/ENVIRONMENT/INTEGRATION/TRIGGER`
    address: String,
    /// Of which tenant; needed where the trigger finds it in the event
    #[arg(long)]
    tenant: Option<String>,
    /// With which token, by its id
    #[arg(long)]
    token: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NearArguments {
    #[command(flatten)]
    only: ListArguments,
    /// List at most so many
    #[arg(long, default_value = "50", value_name = "NUMBER")]
    limit: String,
}

pub(super) async fn run(session: &Session, verb: Verb) -> Result<Exit, Trouble> {
    match verb {
        Verb::List(arguments) => list(session, &arguments).await,
        Verb::Explain(arguments) => explain(session, &arguments).await,
        Verb::Near(arguments) => near(session, &arguments).await,
        Verb::Outbound(arguments) => outbound(session, &arguments).await,
        Verb::Traffic(arguments) => traffic(session, &arguments).await,
    }
}

async fn list(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let page: Page<Limit> = session.client()?.get(&format!("/api/v1/limits{filter}")).await?;
    let narrowed = arguments.environment.is_some() || arguments.integration.is_some();
    session.output.result(&page, || rows(&page.items, narrowed));
    Ok(Exit::Ok)
}

fn amount(limit: &Limit) -> String {
    match (limit.quota, limit.interval_nanos, limit.open_runs) {
        (Some(quota), Some(interval), _) => {
            format!("{}, {quota} at once", qc_limit::pace_in_words(interval))
        }
        (_, _, Some(runs)) => format!("{runs} open runs"),
        _ => String::new(),
    }
}

fn place(environment: Option<&String>, integration: Option<&String>) -> String {
    match (environment, integration) {
        (Some(environment), Some(integration)) => format!("{environment}/{integration}"),
        (Some(environment), None) => environment.clone(),
        (None, _) => "everywhere".to_owned(),
    }
}

fn rows(limits: &[Limit], narrowed: bool) -> String {
    if limits.is_empty() && narrowed {
        return "no limits are in force there; `qc deployments list` shows what is deployed\n"
            .to_owned();
    }
    if limits.is_empty() {
        return "no limits are in force; `limits` of integration.yaml or of qc.toml declares some\n"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = limits
        .iter()
        .map(|limit| {
            vec![
                limit.name.clone(),
                place(limit.environment.as_ref(), limit.integration.as_ref()),
                limit.scope.clone(),
                amount(limit),
                excess(limit),
                limit.protects.clone(),
            ]
        })
        .collect();
    table(&["LIMIT", "WHERE", "FOR EACH", "AMOUNT", "ON EXCESS", "PROTECTS"], &rows)
}

/// Environment, integration and trigger of an address.
fn parts(address: &str) -> Option<[&str; 3]> {
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let (_, path) = path.split_once("/in/")?;
    match path.split('/').collect::<Vec<_>>()[..] {
        [environment, integration, trigger] | [environment, integration, trigger, _]
            if ![environment, integration, trigger].contains(&"") =>
        {
            Some([environment, integration, trigger])
        }
        _ => None,
    }
}

async fn explain(session: &Session, arguments: &ExplainArguments) -> Result<Exit, Trouble> {
    let Some([environment, integration, trigger]) = parts(&arguments.address) else {
        let message = format!("`{}` is no address of a trigger", arguments.address);
        let help =
            "write `/in/ENVIRONMENT/INTEGRATION/TRIGGER`; `qc triggers list` shows which there are";
        return Err(Trouble::usage(codes::BAD_SETTING, message, help));
    };
    let filter = query(&[
        ("environment", Some(environment)),
        ("integration", Some(integration)),
        ("trigger", Some(trigger)),
        ("tenant", arguments.tenant.as_deref()),
        ("token", arguments.token.as_deref()),
    ]);
    let page: Page<Limit> = session.client()?.get(&format!("/api/v1/limits{filter}")).await?;
    session.output.result(&page, || explained(&page.items));
    Ok(Exit::Ok)
}

fn explained(limits: &[Limit]) -> String {
    if limits.is_empty() {
        return "no limit holds for such an event\n".to_owned();
    }
    let mut text = String::new();
    for limit in limits {
        let who = limit.standing.as_ref().map_or("", |standing| standing.who.as_str());
        let who = if who.is_empty() { String::new() } else { format!(" `{who}`") };
        let _ = writeln!(
            text,
            "{}: {} for the {}{who}\n  protects   {}\n  state      {}\n  on excess  {}\n  raised by  {}",
            limit.name,
            amount(limit),
            limit.scope,
            limit.protects,
            limit.standing.as_ref().map_or_else(|| "not known".to_owned(), state),
            excess(limit),
            limit.owner.as_deref().unwrap_or("who runs the server (`limits` of qc.toml)"),
        );
    }
    text.push_str("The states are what the node that answered knows.\n");
    text
}

/// What becomes of what is too much. What is beyond that, too, is refused.
fn excess(limit: &Limit) -> String {
    let units = |quota: Option<u64>, window: Option<u64>| {
        Some(format!("{} units in {} s", quota?, window?))
    };
    if let Some(queue) = &limit.queue {
        return format!("queue: {} units, {} s at most", queue.max, queue.ttl_seconds);
    }
    let lesser = limit.lesser.as_ref().and_then(|lesser| {
        let runs = lesser.open_runs.map(|runs| format!("{runs} open runs in all"));
        units(lesser.quota, lesser.window).or(runs)
    });
    match lesser {
        Some(most) => format!("degrade: {most} at most"),
        None => "reject: 429 with QC-I060".to_owned(),
    }
}

fn state(standing: &LimitStanding) -> String {
    let mut text = format!("{} left", standing.remaining);
    if standing.waiting > 0 {
        let _ = write!(text, ", {} waited for", standing.waiting);
    }
    if let Some(more) = standing.more_in {
        let _ = write!(text, ", one more in {more:.3} s");
    }
    if let Some(full) = standing.full_in.filter(|full| *full > 0.0) {
        let _ = write!(text, ", full in {full:.3} s");
    }
    text
}

async fn near(session: &Session, arguments: &NearArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.only.environment.as_deref()),
        ("integration", arguments.only.integration.as_deref()),
        ("limit", Some(&arguments.limit)),
    ]);
    let address = format!("/api/v1/limits/near{filter}");
    let page: Page<NearLimit> = session.client()?.get(&address).await?;
    session.output.result(&page, || nearest(&page.items));
    if let Some(next) = &page.next {
        session.output.say(next);
    }
    Ok(Exit::Ok)
}

fn nearest(items: &[NearLimit]) -> String {
    if items.is_empty() {
        return "nobody came lately to a limit of a tenant or a token\n".to_owned();
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|near| {
            vec![
                near.who.clone(),
                near.name.clone(),
                place(near.environment.as_ref(), near.integration.as_ref()),
                format!("{} of {}", near.remaining, near.quota),
                format!("{:.2}/s", near.pace),
                near.exhausted_in.map_or_else(
                    || "not at this pace".to_owned(),
                    |seconds| format!("{seconds:.0} s"),
                ),
            ]
        })
        .collect();
    table(&["WHO", "LIMIT", "WHERE", "LEFT", "PACE", "USED UP IN"], &rows)
}

async fn outbound(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let address = format!("/api/v1/limits/outbound{filter}");
    let page: Page<OutboundLimit> = session.client()?.get(&address).await?;
    session.output.result(&page, || outbounds(&page.items));
    Ok(Exit::Ok)
}

fn outbounds(items: &[OutboundLimit]) -> String {
    if items.is_empty() {
        return "no connector is used there, as far as is deployed; what workflows call without one is listed when no environment and no integration is asked for\n"
            .to_owned();
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|one| {
            let at_once = one.at_once.map_or_else(String::new, |most| format!(" of {most}"));
            vec![
                one.name.clone(),
                one.environment.clone().unwrap_or_else(|| "everywhere".to_owned()),
                declared(one),
                pace(one),
                format!("{}{at_once}", one.in_flight),
                one.waiting.to_string(),
                outbound_state(one),
            ]
        })
        .collect();
    let heads = ["LIMIT", "WHERE", "DECLARED", "PACE", "IN FLIGHT", "WAITING", "STATE"];
    table(&heads, &rows)
        + "All but what is declared is what the node that answered knows: its part of the pace, and the calls that wait at it. Runs that sleep until their turn, or until a system is back, are listed by `qc runs list --status waiting`.\n"
}

fn declared(one: &OutboundLimit) -> String {
    let rates = one.declared.iter().map(|it| match it.seconds {
        1.0 => format!("{}/s", it.requests),
        seconds => format!("{} in {seconds} s", it.requests),
    });
    let at_once = one.declared_at_once.map(|most| format!("{most} in flight"));
    let all: Vec<String> = rates.chain(at_once).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}

fn pace(one: &OutboundLimit) -> String {
    match (one.per_second, &one.known_by) {
        (Some(rate), Some(by)) => format!("{rate:.3}/s, {by}"),
        _ if one.called => "no limit is known".to_owned(),
        _ => "not called yet".to_owned(),
    }
}

fn outbound_state(one: &OutboundLimit) -> String {
    let mut said: Vec<String> = Vec::new();
    if let Some(until) = &one.stated_until {
        said.push(format!("wants no calls before {until}"));
    }
    for system in &one.systems {
        let name = &system.name;
        match (system.breaker.as_str(), system.failed) {
            ("closed", 0) => {}
            ("closed", 1) => said.push(format!("the last call to `{name}` failed")),
            ("closed", many) => said.push(format!("the last {many} calls to `{name}` failed")),
            ("ramping", _) => said.push(format!("`{name}` is back and gets a few calls at once")),
            _ => {
                let since = system.since.as_deref().unwrap_or_default();
                said.push(format!("`{name}` has not answered since {since}"));
            }
        }
    }
    if said.is_empty() { "calls go".to_owned() } else { said.join("; ") }
}

async fn traffic(session: &Session, arguments: &ListArguments) -> Result<Exit, Trouble> {
    let filter = query(&[
        ("environment", arguments.environment.as_deref()),
        ("integration", arguments.integration.as_deref()),
    ]);
    let address = format!("/api/v1/limits/traffic{filter}");
    let page: Page<TriggerTraffic> = session.client()?.get(&address).await?;
    session.output.result(&page, || traffics(&page.items));
    let found = page.items.iter().any(|one| !one.findings.is_empty());
    Ok(if found { Exit::Findings } else { Exit::Ok })
}

fn traffics(items: &[TriggerTraffic]) -> String {
    if items.is_empty() {
        return "no trigger declares its traffic; `expected_rate` and `traffic` of a trigger do\n"
            .to_owned();
    }
    let rate = |rate: Option<f64>| rate.map_or_else(String::new, |rate| format!("{rate:.3}/s"));
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|one| {
            vec![
                format!("{}/{}/{}", one.environment, one.integration, one.trigger),
                rate(one.declared.average),
                rate(one.declared.peak),
                one.minute.to_string(),
                one.hour.to_string(),
                one.day.to_string(),
            ]
        })
        .collect();
    let heads = ["TRIGGER", "AVERAGE", "PEAK", "LAST MINUTE", "LAST HOUR", "LAST DAY"];
    let mut text = table(&heads, &rows);
    for one in items {
        for found in &one.findings {
            let owner =
                found.owner.as_deref().map_or_else(String::new, |it| format!(", tell `{it}`"));
            let _ = write!(
                text,
                "\n{}: {}/{}/{} got {} events in {} s, and {} are declared ({}), last until {}{owner}\n",
                found.code,
                one.environment,
                one.integration,
                one.trigger,
                found.seen,
                found.seconds,
                found.declared,
                found.above,
                found.last_at,
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_with_and_without_its_server() {
        let parts_of = Some(["sandbox", "orders", "placed"]);
        assert_eq!(parts("/in/sandbox/orders/placed"), parts_of);
        assert_eq!(parts("https://qc.example.com/in/sandbox/orders/placed?x=1"), parts_of);
        assert_eq!(parts("/in/sandbox/orders/placed/v2"), parts_of);
        for wrong in ["", "/in/", "/in/a/b", "/in/a//c", "/out/a/b/c", "/in/a/b/c/d/e"] {
            assert_eq!(parts(wrong), None, "{wrong}");
        }
    }
}
