//! What is wrong with declared traffic: a limit that refuses it, and evidence that is about something else.

use qc_model::Finding;
use serde::Deserialize;

use super::{EVIDENCE, LoadProfile, Source};
use crate::{
    check::Subject,
    codes,
    compile::limits::quota,
    files::file_place,
    integration::{Excess, Limit, LimitScope, TenantSpec},
};

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

/// Whether a limit refuses what is declared to come.
fn refuses(subject: &mut Subject<'_>, limit: &Limit, profile: &LoadProfile) {
    let (Some(Ok(quota)), Excess::Reject) = (quota(limit), limit.on_excess.value) else { return };
    let of_trigger = |source: &Source| {
        let triggers = subject.file.value.triggers.iter();
        let mut found = triggers.filter(|(name, _)| name.value.as_str() == source.trigger);
        found.next().map(|(_, spec)| spec)
    };
    let comes = |source: &Source| {
        let cost = of_trigger(source).map_or(1, |spec| spec.cost.value.0.unsigned_abs());
        #[expect(clippy::cast_precision_loss, reason = "a cost is small")]
        let units = source.peak * cost as f64;
        units
    };
    let pace = match limit.scope {
        // How it is spread over them is not declared.
        LimitScope::Token => return,
        LimitScope::Tenant => {
            let fixed = profile.sources.iter().filter(|source| {
                of_trigger(source).is_some_and(|spec| matches!(spec.tenant, TenantSpec::Fixed(_)))
            });
            fixed.map(comes).sum::<f64>()
        }
        LimitScope::Trigger => profile.sources.iter().map(comes).fold(0.0, f64::max),
        LimitScope::Integration => profile.sources.iter().map(comes).sum(),
    };
    let lasts = profile.sources.iter().filter_map(|source| source.peak_lasts).max();
    let seconds = std::time::Duration::from_millis(lasts.unwrap_or(60_000)).as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a burst is at most 10^9")]
    let room = quota.burst() as f64 + quota.per_second() * seconds;
    if pace * seconds > room {
        let span = limit.rate.as_ref().map_or(limit.name.span, |rate| rate.span);
        let message = format!(
            "the declared peak is {pace:.1} units a second for {seconds:.0} s, and `{}` lets {room:.0} of {:.0} in",
            limit.name.value,
            pace * seconds
        );
        let help = "raise the limit, or declare the traffic that is to come in";
        subject.warning(codes::LIMIT_BELOW_PEAK, span, message, help);
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
