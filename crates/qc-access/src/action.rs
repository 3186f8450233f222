use serde::{Deserialize, Serialize};

/// What somebody may do. Every route names exactly one; its text is `noun:verb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// Send an event to a trigger.
    #[serde(rename = "events:send")]
    EventsSend,
    /// List runs and see how they stand.
    #[serde(rename = "runs:read")]
    RunsRead,
    /// See a run's payloads: its input, output and journal.
    #[serde(rename = "runs:inspect")]
    RunsInspect,
    /// Run a run's event again.
    #[serde(rename = "runs:replay")]
    RunsReplay,
    /// End a run.
    #[serde(rename = "runs:cancel")]
    RunsCancel,
    /// Say whether an ambiguous effect took place.
    #[serde(rename = "runs:resolve")]
    RunsResolve,
    /// List dead letters.
    #[serde(rename = "dlq:read")]
    DlqRead,
    /// Open a dead letter's run again.
    #[serde(rename = "dlq:retry")]
    DlqRetry,
    /// Give a dead letter up.
    #[serde(rename = "dlq:discard")]
    DlqDiscard,
    /// Say of a group of dead letters that it is known, mended or to be left alone.
    #[serde(rename = "dlq:triage")]
    DlqTriage,
    /// Plan, start and stop work on many runs; what is done to each needs its own action, too.
    #[serde(rename = "runs:bulk")]
    RunsBulk,
    /// Take out everything that is stored of a person.
    #[serde(rename = "subjects:export")]
    SubjectsExport,
    /// Erase everything that is stored of a person.
    #[serde(rename = "subjects:erase")]
    SubjectsErase,
    /// List what people are asked.
    #[serde(rename = "tasks:read")]
    TasksRead,
    /// See what is shown to those who are asked.
    #[serde(rename = "tasks:inspect")]
    TasksInspect,
    /// Take a task and answer it, as one of those who are asked.
    #[serde(rename = "tasks:decide")]
    TasksDecide,
    /// Say how a run is to go on that cannot by itself, as one of those who are asked.
    #[serde(rename = "tasks:act")]
    TasksAct,
    /// Read what happened in the platform.
    #[serde(rename = "ledger:read")]
    LedgerRead,
    /// See releases and take their files out.
    #[serde(rename = "releases:read")]
    ReleasesRead,
    /// Store a release.
    #[serde(rename = "releases:write")]
    ReleasesWrite,
    /// See what is deployed.
    #[serde(rename = "deployments:read")]
    DeploymentsRead,
    /// Deploy a release.
    #[serde(rename = "deployments:write")]
    DeploymentsWrite,
    /// Say what a consumer expects of an integration.
    #[serde(rename = "contracts:publish")]
    ContractsPublish,
    /// Deploy a release that the gate holds.
    #[serde(rename = "deployments:override")]
    DeploymentsOverride,
    /// Go back to the release before.
    #[serde(rename = "deployments:rollback")]
    DeploymentsRollback,
    /// Have the events of a trigger or the times of a schedule wait, and go on.
    #[serde(rename = "triggers:pause")]
    TriggersPause,
    /// List tokens (never their secrets).
    #[serde(rename = "tokens:read")]
    TokensRead,
    /// Make and revoke tokens.
    #[serde(rename = "tokens:write")]
    TokensWrite,
    /// See who asked for which rights for a time.
    #[serde(rename = "grants:read")]
    GrantsRead,
    /// Ask for rights for a time.
    #[serde(rename = "grants:request")]
    GrantsRequest,
    /// Give or refuse somebody else rights for a time.
    #[serde(rename = "grants:approve")]
    GrantsApprove,
    /// See who has approved which changes.
    #[serde(rename = "approvals:read")]
    ApprovalsRead,
    /// Approve a change of somebody else, as one of those whom the rules name.
    #[serde(rename = "approvals:give")]
    ApprovalsGive,
    /// See which debug captures there are (never what they recorded).
    #[serde(rename = "captures:read")]
    CapturesRead,
    /// Ask for a debug capture, and end one.
    #[serde(rename = "captures:request")]
    CapturesRequest,
    /// Agree to a debug capture that somebody else asked for, or refuse it.
    #[serde(rename = "captures:approve")]
    CapturesApprove,
    /// See what a debug capture recorded.
    #[serde(rename = "captures:inspect")]
    CapturesInspect,
    /// See the policies and ask what they decide.
    #[serde(rename = "policies:read")]
    PoliciesRead,
    /// Put other policies in force.
    #[serde(rename = "policies:write")]
    PoliciesWrite,
    /// Read the sealed audit: its entries, checkpoints and proofs.
    #[serde(rename = "audit:read")]
    AuditRead,
    /// See which secrets there are and how the vault stands (never a value).
    #[serde(rename = "secrets:read")]
    SecretsRead,
    /// Store, change and remove secrets, and rotate the vault's keys.
    #[serde(rename = "secrets:write")]
    SecretsWrite,
    /// See which connections there are and how they stand (never a token).
    #[serde(rename = "connections:read")]
    ConnectionsRead,
    /// Connect accounts at other systems, have their tokens renewed, and end connections.
    #[serde(rename = "connections:write")]
    ConnectionsWrite,
    /// Call another system, as a run does; asked before each call goes out.
    #[serde(rename = "systems:call")]
    SystemsCall,
    /// See how the server itself does: metrics, checks, its API's description.
    #[serde(rename = "server:read")]
    ServerRead,
}

/// What an action is a part of. Setup, execution and troubleshooting are apart: no role has two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Power {
    /// Seeing how things stand, without payloads.
    Observe,
    /// Seeing how the control plane stands: tokens, grants, the audit.
    ObserveControl,
    /// Deciding what there is: releases, deployments, tokens, secrets, policies.
    Setup,
    /// Having things happen: sending events.
    Execute,
    /// Seeing payloads, and mending what went wrong.
    Troubleshoot,
    /// Answering what integrations ask people.
    Answer,
}

impl Power {
    /// All.
    pub const ALL: [Self; 6] = [
        Self::Observe,
        Self::ObserveControl,
        Self::Setup,
        Self::Execute,
        Self::Troubleshoot,
        Self::Answer,
    ];

    /// The name of the group in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::ObserveControl => "observe-control",
            Self::Setup => "setup",
            Self::Execute => "execute",
            Self::Troubleshoot => "troubleshoot",
            Self::Answer => "answer",
        }
    }

    /// Whether it is one of those of which a role has at most one.
    pub fn is_exclusive(self) -> bool {
        matches!(self, Self::Setup | Self::Execute | Self::Troubleshoot)
    }
}

impl Action {
    /// What it is a part of.
    pub fn power(self) -> Power {
        match self {
            Self::RunsRead
            | Self::DlqRead
            | Self::TasksRead
            | Self::LedgerRead
            | Self::ReleasesRead
            | Self::DeploymentsRead
            | Self::PoliciesRead
            | Self::ApprovalsRead
            | Self::CapturesRead
            | Self::ServerRead => Power::Observe,
            Self::TokensRead
            | Self::GrantsRead
            | Self::AuditRead
            | Self::SecretsRead
            | Self::ConnectionsRead => Power::ObserveControl,
            Self::ReleasesWrite
            | Self::DeploymentsWrite
            | Self::ContractsPublish
            | Self::DeploymentsOverride
            | Self::TokensWrite
            | Self::GrantsApprove
            | Self::CapturesApprove
            | Self::PoliciesWrite
            | Self::ConnectionsWrite
            | Self::SecretsWrite => Power::Setup,
            Self::EventsSend | Self::SystemsCall => Power::Execute,
            Self::RunsInspect
            | Self::RunsReplay
            | Self::RunsCancel
            | Self::RunsResolve
            | Self::RunsBulk
            | Self::SubjectsExport
            | Self::SubjectsErase
            | Self::DlqRetry
            | Self::DlqDiscard
            | Self::DlqTriage
            | Self::DeploymentsRollback
            | Self::TriggersPause
            | Self::CapturesRequest
            | Self::CapturesInspect
            | Self::GrantsRequest => Power::Troubleshoot,
            Self::TasksInspect | Self::TasksDecide | Self::TasksAct | Self::ApprovalsGive => {
                Power::Answer
            }
        }
    }

    /// Whether it is needed by those who work in one environment although its things belong to none.
    pub fn crosses(self) -> bool {
        matches!(
            self,
            Self::ReleasesRead | Self::ReleasesWrite | Self::ServerRead | Self::PoliciesRead
        )
    }

    /// Whether it takes a grant for a time in production: it shows payloads, or does again what may have been done.
    pub fn takes_grant(self) -> bool {
        matches!(
            self,
            Self::RunsInspect
                | Self::RunsReplay
                | Self::RunsBulk
                | Self::DlqRetry
                | Self::SubjectsExport
                | Self::SubjectsErase
                | Self::CapturesInspect
        )
    }

    /// Whether rules of approval can be about it.
    pub fn takes_approvals(self) -> bool {
        matches!(
            self,
            Self::DeploymentsWrite
                | Self::DeploymentsOverride
                | Self::PoliciesWrite
                | Self::CapturesApprove
        )
    }

    /// Whether what it is done to belongs to a unit, or to all of them together.
    pub fn is_of_unit(self) -> bool {
        self.is_of_integration()
            || matches!(self.noun(), "connections" | "secrets" | "tokens" | "audit")
            || self == Self::PoliciesWrite
    }

    /// Whether what it is done to belongs to an integration, and so to the unit that owns it.
    pub fn is_of_integration(self) -> bool {
        matches!(
            self.noun(),
            "runs"
                | "dlq"
                | "tasks"
                | "subjects"
                | "ledger"
                | "releases"
                | "deployments"
                | "contracts"
                | "triggers"
                | "captures"
        )
    }

    /// Whether each of the units that share something may do it: what they have in common is seen by each and changed by
    /// all.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::SecretsRead | Self::ConnectionsRead)
    }

    /// Whether it can be granted to somebody of another unit: it only shows.
    pub fn crosses_units(self) -> bool {
        match self.noun() {
            "runs" | "dlq" | "ledger" | "deployments" | "captures" => {
                matches!(self.verb(), "read" | "inspect")
            }
            _ => self == Self::TasksRead,
        }
    }

    /// All, for exhaustive tables.
    pub const ALL: [Self; 46] = [
        Self::EventsSend,
        Self::RunsRead,
        Self::RunsInspect,
        Self::RunsReplay,
        Self::RunsCancel,
        Self::RunsResolve,
        Self::DlqRead,
        Self::DlqRetry,
        Self::DlqDiscard,
        Self::DlqTriage,
        Self::RunsBulk,
        Self::SubjectsExport,
        Self::SubjectsErase,
        Self::TasksRead,
        Self::TasksInspect,
        Self::TasksDecide,
        Self::TasksAct,
        Self::LedgerRead,
        Self::ReleasesRead,
        Self::ReleasesWrite,
        Self::DeploymentsRead,
        Self::DeploymentsWrite,
        Self::ContractsPublish,
        Self::DeploymentsOverride,
        Self::DeploymentsRollback,
        Self::TriggersPause,
        Self::TokensRead,
        Self::TokensWrite,
        Self::GrantsRead,
        Self::GrantsRequest,
        Self::GrantsApprove,
        Self::ApprovalsRead,
        Self::ApprovalsGive,
        Self::CapturesRead,
        Self::CapturesRequest,
        Self::CapturesApprove,
        Self::CapturesInspect,
        Self::PoliciesRead,
        Self::PoliciesWrite,
        Self::AuditRead,
        Self::SecretsRead,
        Self::SecretsWrite,
        Self::ConnectionsRead,
        Self::ConnectionsWrite,
        Self::SystemsCall,
        Self::ServerRead,
    ];

    /// The action as `noun:verb`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsSend => "events:send",
            Self::RunsRead => "runs:read",
            Self::RunsInspect => "runs:inspect",
            Self::RunsReplay => "runs:replay",
            Self::RunsCancel => "runs:cancel",
            Self::RunsResolve => "runs:resolve",
            Self::DlqRead => "dlq:read",
            Self::DlqRetry => "dlq:retry",
            Self::DlqDiscard => "dlq:discard",
            Self::DlqTriage => "dlq:triage",
            Self::RunsBulk => "runs:bulk",
            Self::SubjectsExport => "subjects:export",
            Self::SubjectsErase => "subjects:erase",
            Self::TasksRead => "tasks:read",
            Self::TasksInspect => "tasks:inspect",
            Self::TasksDecide => "tasks:decide",
            Self::TasksAct => "tasks:act",
            Self::LedgerRead => "ledger:read",
            Self::ReleasesRead => "releases:read",
            Self::ReleasesWrite => "releases:write",
            Self::DeploymentsRead => "deployments:read",
            Self::DeploymentsWrite => "deployments:write",
            Self::ContractsPublish => "contracts:publish",
            Self::DeploymentsOverride => "deployments:override",
            Self::DeploymentsRollback => "deployments:rollback",
            Self::TriggersPause => "triggers:pause",
            Self::TokensRead => "tokens:read",
            Self::TokensWrite => "tokens:write",
            Self::GrantsRead => "grants:read",
            Self::GrantsRequest => "grants:request",
            Self::GrantsApprove => "grants:approve",
            Self::ApprovalsRead => "approvals:read",
            Self::ApprovalsGive => "approvals:give",
            Self::CapturesRead => "captures:read",
            Self::CapturesRequest => "captures:request",
            Self::CapturesApprove => "captures:approve",
            Self::CapturesInspect => "captures:inspect",
            Self::PoliciesRead => "policies:read",
            Self::PoliciesWrite => "policies:write",
            Self::AuditRead => "audit:read",
            Self::SecretsRead => "secrets:read",
            Self::SecretsWrite => "secrets:write",
            Self::ConnectionsRead => "connections:read",
            Self::ConnectionsWrite => "connections:write",
            Self::SystemsCall => "systems:call",
            Self::ServerRead => "server:read",
        }
    }

    /// The action with this text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == text)
    }

    /// What it is done to: the `type` of a scope.
    pub fn noun(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(noun, _)| noun)
    }

    /// What is done: the `verb` of a scope.
    pub fn verb(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(_, verb)| verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_and_the_texts_agree_with_the_serialised_form() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
            assert!(!action.noun().is_empty() && !action.verb().is_empty());
        }
        let mut sorted = Action::ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), Action::ALL.len());
    }
}
