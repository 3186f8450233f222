//! What is wrong with declared traffic: a limit that refuses it, and evidence that is about something else.

use qc_model::Finding;
use serde::Deserialize;

use super::{EVIDENCE, LoadProfile, Source};
use crate::{
    check::Subject,
    codes,
    compile::limits::quota,
    files::file_place,
    integration::{Excess, Limit, LimitScope, TenantSpec, TriggerSpec},
};

const HELP: &str = "raise the limit, or declare the traffic that is to come in";

/// What the evidence says of itself.
#[derive(Deserialize)]
struct Told {
    profile_digest: String,
    passed: bool,
}

pub(crate) fn check(subject: &mut Subject<'_>) {
    let Ok(profile) = LoadProfile::of(subject.folder) else { return };
    for limit in &subject.file.value.limits {
        refuses(subject, limit, &profile);
    }
    evidence(subject, &profile);
}

fn of_trigger<'s>(subject: &Subject<'s>, source: &Source) -> Option<&'s TriggerSpec> {
    let mut triggers = subject.file.value.triggers.iter();
    triggers.find(|(name, _)| name.value.as_str() == source.trigger).map(|(_, spec)| spec)
}

/// Whether a limit refuses what is declared to come.
fn refuses(subject: &mut Subject<'_>, limit: &Limit, profile: &LoadProfile) {
    let (Some(Ok(quota)), Excess::Reject) = (quota(limit), &limit.on_excess.value) else { return };
    let comes = |source: &Source| {
        let cost = of_trigger(subject, source).map_or(1, |spec| spec.cost.value.0.unsigned_abs());
        #[expect(clippy::cast_precision_loss, reason = "a cost is small")]
        let units = source.peak * cost as f64;
        units
    };
    let is_fixed = |source: &&Source| {
        of_trigger(subject, source).is_some_and(|spec| matches!(spec.tenant, TenantSpec::Fixed(_)))
    };
    // What is declared of many tokens or tenants together says nothing of one.
    let counted: Vec<&Source> = match limit.scope {
        LimitScope::Token => Vec::new(),
        LimitScope::Tenant => profile.sources.iter().filter(is_fixed).collect(),
        LimitScope::Trigger | LimitScope::Integration => profile.sources.iter().collect(),
    };
    let paces = counted.iter().map(|source| comes(source));
    let pace = match limit.scope {
        LimitScope::Trigger => paces.fold(0.0, f64::max),
        LimitScope::Token | LimitScope::Tenant | LimitScope::Integration => paces.sum(),
    };
    let lasts = profile.sources.iter().filter_map(|source| source.peak_lasts_ms).max();
    let seconds = std::time::Duration::from_millis(lasts.unwrap_or(60_000)).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a burst is at most 10^9")]
    let room = quota.burst() as f64 + quota.per_second() * seconds;
    let span = limit.rate.as_ref().map_or(limit.name.span, |rate| rate.span);
    let name = &limit.name.value;
    if pace * seconds > room {
        let units = pace * seconds;
        let message = format!(
            "the declared peak is {pace:.1} units a second for {seconds:.0} s, and `{name}` lets {room:.0} of {units:.0} in"
        );
        subject.warning(codes::LIMIT_BELOW_PEAK, span, message, HELP);
    }
    // Of several triggers it is not declared at which of them a burst comes.
    let [only] = counted.as_slice() else { return };
    let cost = of_trigger(subject, only).map_or(1, |spec| spec.cost.value.0.unsigned_abs());
    if let Some(units) = profile.burst.map(|burst| burst.saturating_mul(cost))
        && units > quota.burst()
    {
        let most = quota.burst();
        let message = format!(
            "the declared burst is {units} units at once, and `{name}` lets {most} of them in"
        );
        subject.warning(codes::LIMIT_BELOW_PEAK, span, message, HELP);
    }
}

/// Whether the evidence is about what is declared now, and good.
fn evidence(subject: &mut Subject<'_>, profile: &LoadProfile) {
    let path = subject.folder.path(EVIDENCE);
    let Some(text) = subject.project.files().text(&path) else { return };
    let help = format!("run `qc loadtest {}` again", subject.folder.name());
    let message = match serde_json::from_str::<Told>(text) {
        Err(error) => format!("the evidence of the load test cannot be read: {error}"),
        Ok(told) if told.profile_digest != profile.digest() => {
            "the evidence of the load test is of other traffic than is declared now".to_owned()
        }
        Ok(told) if !told.passed => {
            "the load test did not pass: its evidence says what was missed".to_owned()
        }
        Ok(_) => return,
    };
    let finding = Finding::warning(codes::LOAD_EVIDENCE, message);
    subject.out.push(finding.at(file_place(&path)).help(help));
}
