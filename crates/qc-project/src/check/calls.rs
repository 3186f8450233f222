//! Side-effecting calls: effect class, idempotency key with window, retry policy.

use std::collections::{BTreeMap, BTreeSet};

use qc_document::Document;
use qc_model::Finding;
use qc_workflow::{CallSite, Effect, SiteTarget};

use super::{Subject, closest_or_list};
use crate::{
    codes,
    compile::rules_of,
    integration::{CallRules, EffectWord, TriggerForm},
    project::{CONNECTORS, parse_file},
};

pub(super) fn check(subject: &mut Subject<'_>) {
    let Some(program) = subject.folder.program.clone() else { return };
    rules(subject, &program);
    let mut files: BTreeMap<String, Option<Document>> = BTreeMap::new();
    let mut changes = false;
    unmapped(subject, &program);
    for site in program.calls() {
        if !is_side_effecting(subject, site) {
            continue;
        }
        changes = true;
        effect(subject, site);
        retry(subject, site, &mut files);
    }
    keys(subject, changes);
}

/// Errors of called operations of which nobody says what they mean: once for each operation.
fn unmapped(subject: &mut Subject<'_>, program: &qc_workflow::Program) {
    let mut told = BTreeSet::new();
    for site in program.calls() {
        let SiteTarget::Connector { connector, operation } = &site.target else { continue };
        if !told.insert((connector, operation)) {
            continue;
        }
        let known = subject.project.connectors().get(connector);
        if let Some(finding) = known.and_then(|known| known.unmapped_errors(operation)) {
            subject.out.push(finding.at(site.place.clone()));
        }
    }
}

/// Rules that speak of tasks or policies that are not there.
fn rules(subject: &mut Subject<'_>, program: &qc_workflow::Program) {
    let calling: BTreeSet<&str> =
        program.calls().flat_map(|site| [&*site.task_name, &*site.pointer]).collect();
    let it = &subject.file.value;
    for (task, rules) in it.tasks.iter() {
        if !calling.contains(task.as_str()) {
            let message = format!(
                "there are rules for the task `{}`, but the workflow has no such task that calls something",
                task.value
            );
            let names = program.calls().map(|site| &*site.task_name);
            subject.error(
                codes::UNKNOWN_TASK,
                task.span,
                message,
                closest_or_list(&task.value, names),
            );
        }
        if let Some(policy) = &rules.policy
            && it.policies.get(policy.as_str()).is_none()
        {
            let message = format!("there is no policy `{}`", policy.value);
            let help =
                closest_or_list(policy.as_str(), it.policies.names().map(qc_model::Name::as_str));
            subject.error(codes::UNKNOWN_POLICY, policy.span, message, help);
        }
    }
    let used = |name: &str| {
        it.tasks
            .iter()
            .any(|(_, rules)| rules.policy.as_ref().is_some_and(|policy| policy.as_str() == name))
    };
    for name in it.policies.iter().map(|(name, _)| name).filter(|name| !used(name.as_str())) {
        let message = format!("no task takes the policy `{}`", name.value);
        subject.warning(
            codes::UNKNOWN_POLICY,
            name.span,
            message,
            "name it in `tasks.<task>.policy`, or remove it",
        );
    }
}

/// The rules that hold for a place: the task's own, then the named ones.
fn rules_at<'a>(subject: &Subject<'a>, site: &CallSite) -> Vec<&'a CallRules> {
    let it = &subject.file.value;
    let Some((_, rules)) = rules_of(it, site) else { return Vec::new() };
    let named = rules.policy.as_ref().and_then(|name| it.policies.get(name.as_str()));
    [&rules.own].into_iter().chain(named).collect()
}

fn method(subject: &Subject<'_>, site: &CallSite) -> Option<String> {
    match &site.target {
        SiteTarget::Connector { connector, operation } => {
            let connector = subject.project.connectors().get(connector)?;
            Some(connector.operation(operation)?.method.as_str().to_owned())
        }
        SiteTarget::OpenApi { document, operation } => {
            let api = subject.folder.documents.get(document)?;
            Some(api.operation(operation)?.method.as_str().to_owned())
        }
        SiteTarget::Http { method, .. } => Some(method.clone()),
        SiteTarget::Kept { .. } | SiteTarget::Human { .. } => None,
    }
}

fn is_side_effecting(subject: &Subject<'_>, site: &CallSite) -> bool {
    let safe = ["GET", "HEAD", "OPTIONS", "TRACE", "QUERY"];
    method(subject, site).is_some_and(|method| !safe.contains(&method.as_str()))
}

fn effect(subject: &mut Subject<'_>, site: &CallSite) {
    let declared_here = rules_at(subject, site).iter().find_map(|rules| rules.effect.clone());
    let rule = match &site.target {
        SiteTarget::Connector { connector, operation } => {
            let connector = subject.project.connectors().get(connector);
            connector.and_then(|connector| Some(connector.effect(connector.operation(operation)?)))
        }
        SiteTarget::OpenApi { .. }
        | SiteTarget::Http { .. }
        | SiteTarget::Kept { .. }
        | SiteTarget::Human { .. } => None,
    };
    let declared = declared_here.is_some() || rule.as_ref().is_some_and(|rule| rule.declared);
    // PUT and DELETE are idempotent by HTTP's own definition (RFC 9110, 9.2.2), and so by default here.
    if !declared && site.policy.effect == Effect::Once {
        let message = format!(
            "`{}` changes something, and nothing says what an unknown outcome of it means",
            site.task_name
        );
        let finding = Finding::error(codes::NO_EFFECT, message).at(site.place.clone());
        subject.out.push(finding.cause("sent, and no answer: sent again, or not?").help(help_for(
            site,
            "effect",
            "effect: {class: keyed, …}",
            subject,
        )));
    }
    let Some(wanted) = declared_here else { return };
    let supported = match wanted.value {
        EffectWord::Idempotent | EffectWord::Once => true,
        EffectWord::Keyed => rule.as_ref().is_some_and(|rule| rule.key.is_some()),
        EffectWord::Verify => rule.as_ref().is_some_and(|rule| rule.verify.is_some()),
    };
    if !supported {
        let message = format!(
            "the connector does not say how `{}` can be done for `{}`",
            word(wanted.value),
            site.task_name
        );
        let finding = subject
            .file
            .error(codes::EFFECT_UNSUPPORTED, wanted.span, message)
            .label(site.place.clone(), "called here");
        subject.out.push(finding.help(
            "describe the key or the read-back in `operations.<id>.effect` of the connector",
        ));
    }
}

fn word(effect: EffectWord) -> &'static str {
    crate::compile::effect_class(effect).as_str()
}

fn retry(
    subject: &mut Subject<'_>,
    site: &CallSite,
    files: &mut BTreeMap<String, Option<Document>>,
) {
    let here = rules_at(subject, site).iter().any(|rules| rules.retry.is_some());
    let mut by_connector = || match &site.target {
        SiteTarget::Connector { connector, operation } => {
            let file = files.entry(connector.clone()).or_insert_with(|| {
                let path = format!("{CONNECTORS}/{connector}/connector.yaml");
                parse_file(subject.project.files(), &path, &mut Vec::new())
            });
            file.as_ref().is_some_and(|file| {
                let own =
                    file.root.get("operations").and_then(|all| all.get(operation)?.get("retry"));
                own.is_some() || file.root.get("retry").is_some()
            })
        }
        SiteTarget::OpenApi { .. }
        | SiteTarget::Http { .. }
        | SiteTarget::Kept { .. }
        | SiteTarget::Human { .. } => false,
    };
    if here || by_connector() {
        return;
    }
    let message =
        format!("`{}` changes something, and nothing says when it is tried again", site.task_name);
    let finding = Finding::error(codes::NO_RETRY, message).at(site.place.clone());
    subject.out.push(finding.help(help_for(site, "retry", "retry: {attempts: 5, …}", subject)));
}

fn help_for(site: &CallSite, key: &str, example: &str, subject: &Subject<'_>) -> String {
    let here = format!(
        "`tasks.{}.{key}` (or a policy) in {}/integration.yaml",
        site.task_name, subject.folder.folder
    );
    match &site.target {
        SiteTarget::Connector { connector, operation } => format!(
            "declare `operations.{operation}.{example}` in {CONNECTORS}/{connector}/connector.yaml, or {here}"
        ),
        _ => format!("declare {here}"),
    }
}

/// The key of every effect is made from the event's: a trigger without one makes effects that cannot be recognised.
fn keys(subject: &mut Subject<'_>, changes: bool) {
    let help = "add `idempotency: {key: .data.<business id>, window: 72h}`";
    for (name, trigger) in subject.file.value.triggers.iter() {
        // An occurrence of a schedule is recognised by its time.
        let recognised = matches!(trigger.form, TriggerForm::Schedule(_) | TriggerForm::Event(_))
            || trigger.does.value == qc_engine::Does::Publish;
        if trigger.idempotency.is_some() || recognised {
            continue;
        }
        if changes {
            let message = format!(
                "the effects of the trigger `{}` have no idempotency key with a window",
                name.value
            );
            let finding = subject.file.error(codes::NO_KEY, name.span, message);
            let cause = "an event that comes twice would change things twice";
            subject.out.push(finding.cause(cause).help(help));
        } else {
            let message =
                format!("the trigger `{}` does not say how a repeat is recognised", name.value);
            subject.warning(codes::TRIGGER_WITHOUT_KEY, name.span, message, help);
        }
    }
}
