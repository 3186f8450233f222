//! Whether quiet hours go with what else the brief says.

use std::time::Duration;

use qc_document::Span;

use super::Subject;
use crate::{
    codes,
    integration::{QuietRules, ServiceClass},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let brief = &subject.file.value;
    let class = brief.class.as_ref().map(|class| class.value).unwrap_or_default();
    let latency = brief.nfr.as_ref().and_then(|nfr| nfr.latency.as_ref());
    let deadline = latency.and_then(|latency| latency.deadline);
    let named = brief.policies.iter().map(|(_, rules)| rules);
    let of_tasks = brief.tasks.iter().map(|(_, rules)| &rules.own);
    let all = named.chain(of_tasks).filter_map(|rules| rules.quiet_hours.as_ref());
    let found = all.filter_map(|quiet| {
        let (message, help) = wrong(&quiet.value, class, deadline)?;
        Some((quiet.span, message, help))
    });
    let found: Vec<(Span, String, &str)> = found.collect();
    for (span, message, help) in found {
        subject.error(codes::CONTRADICTION, span, message, help);
    }
}

fn wrong(
    quiet: &QuietRules,
    class: ServiceClass,
    deadline: Option<Duration>,
) -> Option<(String, &'static str)> {
    if quiet.from == quiet.to {
        let message = format!("quiet hours from {0} to {0} are none, or all", quiet.from);
        return Some((message, "say when they are over"));
    }
    if class != ServiceClass::Deferrable {
        let message = "calls wait for the end of quiet hours, and nothing says that they may";
        return Some((
            message.to_owned(),
            "say `class: deferrable`, or make the task one of an integration that is",
        ));
    }
    let lasts = quiet.hours().seconds();
    let deadline = deadline.filter(|deadline| deadline.as_secs() <= lasts)?;
    let message = format!(
        "quiet hours last for {lasts} s, and a run may take {} s: runs that begin with them end before their call is made",
        deadline.as_secs()
    );
    Some((message, "mend one of them: `quiet_hours`, or `nfr.latency.deadline`"))
}
