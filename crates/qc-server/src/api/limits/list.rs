use http::Method;
use qc_access::Action;
use qc_limit::{Excess, Measure};
use qc_model::{Actor, ActorKind, Name};

use crate::{
    Problem, State,
    api::{
        Call, Cut, Listed, Reply, Route,
        route::{Answer, query, schema},
        wire::{LesserLimit, Limit, LimitQueue, LimitStanding, Page},
    },
    codes,
    limits::{Comer, Live},
};

pub(in crate::api) const ROUTE: Route = Route {
    id: "listLimits",
    method: Method::GET,
    path: "/api/v1/limits",
    action: Action::DeploymentsRead,
    summary: "List the limits in force; with an environment, an integration, a trigger and a tenant, those that hold for such an event and how they stand on this node",
    parameters: &[
        query("environment", "Only this environment"),
        query("integration", "Only this integration"),
        query("trigger", "As an event of this trigger finds them"),
        query("tenant", "As an event of this tenant finds them; needs `trigger`"),
        query("token", "As this token finds them, by its id; needs `trigger`"),
    ],
    body: None,
    status: 200,
    answer: Answer::Json(schema::<Page<Limit>>),
    handler: |call| Box::pin(std::future::ready(handle(&call))),
};

fn handle(call: &Call) -> Result<Reply, Problem> {
    let Listed { environment, integration, permit, cut } = call.filter()?;
    let (trigger, tenant) = (call.query::<Name>("trigger")?, call.query::<Name>("tenant")?);
    let token = call.query::<String>("token")?;
    let state = permit.state;
    let items = match (environment, integration, trigger) {
        (Some(environment), Some(integration), Some(trigger)) => {
            explained(state, (&environment, &integration, &trigger), tenant, token)?
        }
        (_, _, Some(_)) => {
            return Err(unusable("`trigger` needs `environment` and `integration`"));
        }
        (..) if tenant.is_some() || token.is_some() => {
            return Err(unusable("`tenant` and `token` need `trigger`"));
        }
        (environment, integration, None) => {
            let all = state.limits.all(&state.engine);
            let wanted = all.iter().filter(|live| {
                let there = live.environment.as_ref();
                let holds = |wanted: &Name| there.is_none_or(|there| there == wanted);
                environment.as_ref().is_none_or(holds)
                    && integration
                        .as_ref()
                        .is_none_or(|name| live.integration.as_ref().is_none_or(|own| own == name))
            });
            wanted.filter(|live| is_shown(&cut, live)).map(|live| shown(live)).collect()
        }
    };
    Ok(Reply::ok(&Page::whole(items, None).of(cut.units())))
}

/// The limits in force; of those who belong to a unit, the server's own: the rest has its list, which is cut to them.
pub(in crate::api) fn shown_to(call: &Call) -> Vec<Limit> {
    let all = call.state.limits.all(&call.state.engine);
    let whole = call.units().is_empty();
    let told = all.iter().filter(|live| whole || live.integration.is_none());
    told.map(|live| shown(live)).collect()
}

/// The server's own hold for everybody, and are no secret; an integration's are shown with it.
fn is_shown(cut: &Cut<'_>, live: &Live) -> bool {
    match (&live.environment, &live.integration) {
        (Some(environment), Some(integration)) => {
            cut.shows(environment.as_str(), integration.as_str())
        }
        _ => true,
    }
}

fn unusable(detail: &str) -> Problem {
    Problem::new(400, codes::BAD_PARAMETER, "Unusable parameter", detail)
}

/// The limits that an event finds, with how they stand.
fn explained(
    state: &State,
    (environment, integration, trigger): (&Name, &Name, &Name),
    tenant: Option<Name>,
    token: Option<String>,
) -> Result<Vec<Limit>, Problem> {
    let deployments = state.engine.deployments();
    let deployment = deployments.lookup(environment.as_str(), integration.as_str());
    let found = deployment.and_then(|there| Some((there, there.release.triggers.get(trigger)?)));
    let Some((deployment, trigger)) = found else {
        let detail = format!(
            "no trigger `{trigger}` of `{integration}` is deployed in `{environment}`; `qc triggers list` shows which there are"
        );
        return Err(Problem::new(404, codes::NO_TRIGGER_THERE, "No such trigger", detail));
    };
    let fixed = match &trigger.tenant {
        qc_engine::TenantRule::Fixed(tenant) => Some(tenant.clone()),
        qc_engine::TenantRule::FromEvent(_) => None,
    };
    let tenant = tenant.or(fixed).ok_or_else(|| {
        unusable("the trigger finds the tenant in the event: say which with `tenant`")
    })?;
    let actor = Actor::new(ActorKind::Service, token.unwrap_or_default());
    let comer = Comer { deployment, trigger, tenant: &tenant, actor: &actor };
    let asked = state.limits.ask(&state.engine, comer);
    let timed = asked.standings(&state.limits);
    let open = asked.open_standings(&state.engine);
    let seconds = |nanos: u64| std::time::Duration::from_nanos(nanos).as_secs_f64();
    let explain = |(at, (live, who)): (usize, &(std::sync::Arc<Live>, String))| {
        let over_time = timed.iter().find(|(other, ..)| std::ptr::eq(*other, &raw const **live));
        let standing = over_time.map(|(_, _, standing)| LimitStanding {
            who: who.clone(),
            remaining: standing.remaining,
            waiting: standing.waiting,
            more_in: standing.more_in.map(seconds),
            full_in: Some(seconds(standing.full_in)),
        });
        let of_runs = || {
            let (_, remaining) =
                open.iter().find(|(other, _)| std::ptr::eq(*other, &raw const **live))?;
            let (who, remaining) = (who.clone(), *remaining);
            Some(LimitStanding { who, remaining, waiting: 0, more_in: None, full_in: None })
        };
        let here = asked.here(at);
        let mut limit =
            Limit { standing: standing.or_else(of_runs), ..measured(live, here.measure) };
        if let (Some(queue), Some(most)) = (&mut limit.queue, here.waiting) {
            queue.max = most;
        }
        limit
    };
    Ok(asked.limits.iter().enumerate().map(explain).collect())
}

fn shown(live: &Live) -> Limit {
    measured(live, live.rule.measure)
}

/// A limit that is so much where it is asked for.
fn measured(live: &Live, measure: Measure) -> Limit {
    let quota = measure.quota();
    Limit {
        name: live.name.clone(),
        scope: live.rule.scope.as_str().to_owned(),
        environment: live.environment.as_ref().map(ToString::to_string),
        integration: live.integration.as_ref().map(ToString::to_string),
        quota: quota.map(qc_limit::Quota::burst),
        window: quota.map(qc_limit::Quota::window),
        interval_nanos: quota.map(qc_limit::Quota::interval),
        open_runs: match measure {
            Measure::AtOnce(most) => Some(most),
            Measure::Rate(_) => None,
        },
        protects: live.rule.protects.clone(),
        on_excess: live.rule.excess.as_str().to_owned(),
        queue: queue(live),
        lesser: lesser(live),
        owner: live.rule.owner.clone(),
        standing: None,
    }
}

fn queue(live: &Live) -> Option<LimitQueue> {
    let Excess::Queue { most, ttl } = live.rule.excess else { return None };
    Some(LimitQueue { max: most, ttl_seconds: ttl.as_secs() })
}

fn lesser(live: &Live) -> Option<LesserLimit> {
    let Excess::Degrade(measure) = live.rule.excess else { return None };
    Some(LesserLimit {
        quota: measure.quota().map(qc_limit::Quota::burst),
        window: measure.quota().map(qc_limit::Quota::window),
        open_runs: match measure {
            Measure::AtOnce(most) => Some(most),
            Measure::Rate(_) => None,
        },
    })
}
