//! What each verb does on a server, by the actions of its API. What a verb does not name here, it does not do.

use clap::{ArgMatches, Command};
use qc_access::Action;

use Action::{
    ApprovalsGive, ApprovalsRead, AuditRead, CapturesApprove, CapturesInspect, CapturesRead,
    CapturesRequest, ConnectionsRead, ConnectionsWrite, ContractsPublish, DeploymentsOverride,
    DeploymentsRead, DeploymentsRollback, DeploymentsWrite, DlqDiscard, DlqRead, DlqRetry,
    DlqTriage, EventsSend, GrantsApprove, GrantsRead, GrantsRequest, LedgerRead, PoliciesRead,
    PoliciesWrite, ReleasesRead, ReleasesWrite, RunsBulk, RunsCancel, RunsInspect, RunsRead,
    RunsReplay, RunsResolve, SecretsRead, SecretsWrite, ServerRead, SubjectsErase, SubjectsExport,
    TasksAct, TasksDecide, TasksInspect, TasksRead, TokensRead, TokensWrite, TriggersPause,
};

/// A verb with its actions; one that works here alone has none.
type Row = (&'static str, &'static [Action]);

const ACTIONS: &[Row] = &[
    ("init", &[]),
    ("new connector", &[]),
    ("new integration", &[]),
    ("check", &[]),
    ("test", &[]),
    ("loadtest", &[EventsSend]),
    ("schema", &[]),
    ("contract usage", &[DeploymentsRead]),
    ("contract matrix", &[DeploymentsRead]),
    ("contract publish", &[ContractsPublish]),
    ("contract end", &[DeploymentsOverride]),
    ("contract versions", &[]),
    ("contract convert", &[]),
    ("contract expect", &[]),
    ("contract changelog", &[]),
    ("contract guide", &[]),
    ("contract diff", &[]),
    ("contract test", &[]),
    ("contract record", &[RunsInspect]),
    ("contract replay", &[RunsInspect]),
    ("migrate", &[]),
    ("simulate", &[]),
    ("release build", &[ReleasesWrite]),
    ("release list", &[ReleasesRead]),
    ("gate", &[ReleasesRead, DeploymentsRead]),
    ("deploy", &[ReleasesRead, DeploymentsWrite, DeploymentsOverride]),
    ("rollback", &[DeploymentsRead, DeploymentsRollback]),
    ("deployments", &[DeploymentsRead]),
    ("export", &[DeploymentsRead, ReleasesRead]),
    ("demo", &[EventsSend]),
    ("serve", &[]),
    ("dev", &[]),
    ("trigger", &[EventsSend, DeploymentsRead, RunsRead, RunsInspect]),
    ("triggers list", &[DeploymentsRead]),
    ("triggers pause", &[TriggersPause]),
    ("triggers resume", &[TriggersPause]),
    ("triggers discard", &[DeploymentsRead, RunsCancel]),
    ("runs list", &[RunsRead]),
    ("runs show", &[RunsInspect]),
    ("runs resolve", &[RunsResolve]),
    ("runs resume", &[RunsResolve]),
    ("runs cancel", &[RunsCancel]),
    ("runs replay", &[RunsReplay]),
    ("tail", &[RunsRead]),
    ("limits list", &[DeploymentsRead]),
    ("limits explain", &[DeploymentsRead]),
    ("limits near", &[RunsRead]),
    ("limits outbound", &[RunsRead]),
    ("limits traffic", &[RunsRead]),
    ("lines list", &[RunsRead]),
    ("lines show", &[RunsRead]),
    ("lines resume", &[DlqDiscard]),
    ("lines skip", &[DlqDiscard]),
    ("lines discard", &[RunsRead, DlqDiscard]),
    ("state list", &[RunsInspect]),
    ("state get", &[RunsInspect]),
    ("state set", &[RunsResolve]),
    ("state delete", &[RunsResolve]),
    ("crossref list", &[RunsInspect]),
    ("crossref find", &[RunsInspect]),
    ("crossref link", &[RunsResolve]),
    ("crossref unlink", &[RunsResolve]),
    ("crossref import", &[RunsInspect, RunsResolve]),
    ("crossref export", &[RunsInspect]),
    ("schedules list", &[DeploymentsRead]),
    ("schedules pause", &[TriggersPause]),
    ("schedules resume", &[TriggersPause]),
    ("events list", &[DeploymentsRead]),
    ("events tail", &[RunsInspect]),
    ("dlq list", &[DlqRead]),
    ("dlq retry", &[DlqRetry, RunsReplay, DlqDiscard]),
    ("dlq discard", &[DlqDiscard]),
    ("drift list", &[RunsRead]),
    ("drift shapes", &[RunsRead]),
    ("drift canaries", &[RunsRead]),
    ("drift show", &[RunsRead]),
    ("drift resume", &[RunsRead, RunsResolve]),
    ("failures list", &[DlqRead]),
    ("failures show", &[DlqRead]),
    ("failures acknowledge", &[DlqTriage]),
    ("failures resolve", &[DlqTriage]),
    ("failures mute", &[DlqTriage]),
    ("failures reopen", &[DlqTriage]),
    ("bulk plan", &[RunsBulk]),
    ("bulk start", &[RunsRead, RunsBulk]),
    ("bulk show", &[RunsRead]),
    ("bulk list", &[RunsRead]),
    ("bulk abort", &[RunsBulk]),
    ("tasks list", &[TasksRead]),
    ("tasks show", &[TasksInspect]),
    ("tasks claim", &[TasksDecide]),
    ("tasks approve", &[TasksInspect, TasksDecide]),
    ("tasks reject", &[TasksInspect, TasksDecide]),
    ("tasks choose", &[TasksInspect, TasksDecide]),
    ("tasks fill", &[TasksInspect, TasksDecide]),
    ("tasks act", &[TasksAct]),
    ("ask failures", &[LedgerRead]),
    ("subject export", &[SubjectsExport]),
    ("subject erase", &[SubjectsErase]),
    ("reconcile", &[LedgerRead]),
    ("backup", &[]),
    ("restore", &[]),
    ("audit list", &[AuditRead]),
    ("audit export", &[AuditRead]),
    ("audit verify", &[]),
    ("audit checkpoint", &[AuditRead]),
    ("tokens create", &[TokensWrite]),
    ("tokens list", &[TokensRead]),
    ("tokens rotate", &[TokensWrite]),
    ("tokens revoke", &[TokensWrite]),
    ("tokens recover", &[]),
    ("access matrix", &[]),
    ("access diff", &[]),
    ("access explain", &[AuditRead, PoliciesRead]),
    ("access schema", &[]),
    ("access clients list", &[TokensRead]),
    ("access clients create", &[TokensWrite]),
    ("access clients rotate", &[TokensWrite]),
    ("access clients revoke", &[TokensWrite]),
    ("access keys list", &[TokensRead]),
    ("access keys rotate", &[TokensWrite]),
    ("access apply", &[PoliciesWrite]),
    ("access review", &[TokensRead]),
    ("access blast-radius", &[TokensRead]),
    ("access reassign", &[TokensWrite]),
    ("access sessions", &[TokensRead]),
    ("access revoke", &[TokensWrite]),
    ("access break-glass seal", &[TokensWrite]),
    ("access break-glass open", &[]),
    ("login", &[]),
    ("logout", &[]),
    ("whoami", &[]),
    ("grants list", &[GrantsRead]),
    ("grants request", &[GrantsRequest]),
    ("grants approve", &[GrantsApprove]),
    ("grants refuse", &[GrantsApprove]),
    ("grants revoke", &[GrantsApprove]),
    ("approvals list", &[ApprovalsRead]),
    ("approvals give", &[ApprovalsGive]),
    ("approvals withdraw", &[ApprovalsGive]),
    ("debug capture start", &[CapturesRequest]),
    ("debug capture list", &[CapturesRead]),
    ("debug capture approve", &[CapturesApprove]),
    ("debug capture refuse", &[CapturesApprove]),
    ("debug capture show", &[CapturesInspect]),
    ("debug capture end", &[CapturesRequest]),
    ("conn connect", &[ConnectionsWrite]),
    ("conn list", &[ConnectionsRead]),
    ("conn show", &[ConnectionsRead]),
    ("conn test", &[ConnectionsWrite]),
    ("conn drill", &[ConnectionsWrite, ConnectionsRead]),
    ("conn rotate", &[ConnectionsWrite]),
    ("conn revoke", &[ConnectionsWrite]),
    ("conn reconnect", &[ConnectionsWrite]),
    ("secrets list", &[SecretsRead]),
    ("secrets set", &[SecretsWrite]),
    ("secrets rotate", &[SecretsWrite]),
    ("secrets remove", &[SecretsWrite]),
    ("secrets drop", &[SecretsWrite]),
    ("secrets drops", &[SecretsRead]),
    ("secrets revoke-drop", &[SecretsWrite]),
    ("vault status", &[SecretsRead]),
    ("vault due", &[SecretsRead]),
    ("vault rewrap", &[SecretsWrite]),
    ("vault drill", &[SecretsWrite]),
    ("vault rotate-dek", &[SecretsWrite]),
    ("doctor", &[ServerRead, DeploymentsRead]),
    ("support bundle", &[ServerRead, DeploymentsRead, LedgerRead]),
    ("config explain", &[]),
    ("completions", &[]),
];

/// The actions of a verb.
pub(in crate::cli) fn of(verb: &str) -> &'static [Action] {
    ACTIONS.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, actions)| actions)
}

/// The command line, each verb with its actions in its help.
pub(super) fn told(command: Command, before: &str) -> Command {
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let verb = format!("{before} {name}").trim().to_owned();
        let actions: Vec<&str> = of(&verb).iter().map(|action| action.as_str()).collect();
        command.mut_subcommand(name, |inner| {
            let inner = told(inner, &verb);
            if actions.is_empty() {
                return inner;
            }
            inner.after_help(format!("Takes the actions: {}", actions.join(", ")))
        })
    })
}

/// The verb that was typed, in full: `runs show`.
pub(super) fn verb(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut at = matches;
    while let Some((name, inner)) = at.subcommand() {
        words.push(name);
        at = inner;
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::*;

    /// Every verb of a command line, in its order.
    fn verbs(command: &Command, before: &str, all: &mut Vec<String>) {
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            let name = format!("{before} {}", inner.get_name()).trim().to_owned();
            if inner.has_subcommands() {
                verbs(inner, &name, all);
            } else {
                all.push(name);
            }
        }
    }

    #[test]
    fn every_verb_names_its_actions() {
        let mut known = Vec::new();
        verbs(&super::super::Cli::command(), "", &mut known);
        let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
        let named: BTreeSet<&str> = ACTIONS.iter().map(|(verb, _)| *verb).collect();
        assert_eq!(known.difference(&named).collect::<Vec<_>>(), Vec::<&&str>::new(), "unnamed");
        assert_eq!(named.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "no verbs");
        assert_eq!(named.len(), ACTIONS.len(), "one row for each");
    }

    #[test]
    fn an_action_of_a_person_is_named_by_some_verb() {
        let named: BTreeSet<Action> =
            ACTIONS.iter().flat_map(|(_, actions)| actions.iter().copied()).collect();
        let unnamed: Vec<Action> =
            Action::ALL.into_iter().filter(|action| !named.contains(action)).collect();
        // What runs do, no verb does.
        assert_eq!(unnamed, [Action::SystemsCall]);
    }
}
