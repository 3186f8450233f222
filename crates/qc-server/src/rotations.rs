//! What is to be rotated: a task for each thing that has a cadence or an end, with who answers for it and until when. A
//! task is read from the thing itself, so that rotating it is what ends it, and nothing has to be ticked off.

use std::collections::BTreeSet;

use qc_access::TokenKind;
use qc_engine::Deployment;
use qc_model::{EnvironmentName, Finding, Name, Timestamp};

use crate::{
    Problem, State, codes,
    needs::{connections_of, secrets_of},
    owners::SOON,
};

/// Something that is to be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) what: What,
    /// Where; None: everywhere.
    pub(crate) environment: Option<EnvironmentName>,
    pub(crate) name: String,
    /// Who answers for it: the owners of what uses it, or who made it.
    pub(crate) owner: String,
    pub(crate) due_at: Timestamp,
    pub(crate) state: DueState,
}

/// What it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    Secret,
    /// The key under which an environment's secrets are sealed.
    DataKey,
    ApiKey {
        person: Option<Name>,
    },
    /// One that ends although its tokens are renewed: somebody consents anew.
    Connection,
}

impl What {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::DataKey => "data_key",
            Self::ApiKey { .. } => "api_key",
            Self::Connection => "connection",
        }
    }
}

/// How near it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DueState {
    Overdue,
    /// Within two weeks.
    Soon,
    Scheduled,
}

impl DueState {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Soon => "soon",
            Self::Scheduled => "scheduled",
        }
    }

    fn of(due_at: Timestamp, now: Timestamp) -> Self {
        if due_at <= now {
            Self::Overdue
        } else if due_at < now + SOON {
            Self::Soon
        } else {
            Self::Scheduled
        }
    }
}

impl Rotation {
    /// Stays the same until it is rotated, and through that: the thing has one task at a time.
    pub(crate) fn id(&self) -> String {
        let place = self.environment.as_ref().map_or("any", EnvironmentName::as_str);
        format!("{}:{place}/{}", self.what.as_str(), self.name)
    }

    /// The command that does it.
    pub(crate) fn how(&self) -> String {
        let place = self.environment.as_ref().map_or("ENVIRONMENT", EnvironmentName::as_str);
        let name = &self.name;
        match self.what {
            What::Secret => format!("qc secrets rotate {place} {name} --file NEW"),
            What::DataKey => format!("qc vault rotate-dek {place}"),
            What::ApiKey { .. } => format!("qc tokens rotate {name}"),
            What::Connection => format!("qc conn connect {place} {name}"),
        }
    }
}

impl State {
    /// All that there is to rotate, the most urgent first.
    pub(crate) async fn rotations(&self) -> Result<Vec<Rotation>, Problem> {
        let now = self.clock.now();
        let mut all = self.vault_rotations(now).await?;
        for record in self.connections.list(None).await? {
            let Some(due_at) = record.ends_at else { continue };
            let uses = |it: &Deployment| connections_of(it).contains(&record.name);
            let owner = self.owner_of_users(&record.environment, uses);
            all.push(Rotation {
                what: What::Connection,
                owner: owner.unwrap_or_else(|| record.connector.clone()),
                environment: Some(record.environment),
                name: record.name,
                due_at,
                state: DueState::of(due_at, now),
            });
        }
        for holding in self.holdings(now).await? {
            let principal = holding.principal;
            let (TokenKind::ApiKey, Some(due_at)) = (principal.kind, holding.expires_at) else {
                continue;
            };
            all.push(Rotation {
                environment: principal.environment,
                name: principal.id,
                owner: holding.owner.unwrap_or_default(),
                what: What::ApiKey { person: principal.person },
                due_at,
                state: DueState::of(due_at, now),
            });
        }
        all.sort_by_key(|one| (one.due_at, one.id()));
        Ok(all)
    }

    async fn vault_rotations(&self, now: Timestamp) -> Result<Vec<Rotation>, Problem> {
        self.vault.refresh().await?;
        let mut all = Vec::new();
        for secret in self.vault.list(None) {
            let Some(due_at) = secret.due_at else { continue };
            let uses = |it: &Deployment| secrets_of(it).iter().any(|one| one.name() == secret.name);
            let owner = self.owner_of_users(&secret.environment, uses);
            all.push(Rotation {
                what: What::Secret,
                owner: owner.unwrap_or_else(|| secret.created_by.clone()),
                environment: Some(secret.environment),
                name: secret.name,
                due_at,
                state: DueState::of(due_at, now),
            });
        }
        for (environment, version, due_at) in self.vault.data_keys_due() {
            all.push(Rotation {
                what: What::DataKey,
                environment: Some(environment),
                name: version.to_string(),
                owner: "platform".to_owned(),
                due_at,
                state: DueState::of(due_at, now),
            });
        }
        Ok(all)
    }

    /// The owners of what is deployed in an environment and uses something; None: nothing does, or nobody owns it.
    fn owner_of_users(
        &self,
        environment: &EnvironmentName,
        uses: impl Fn(&Deployment) -> bool,
    ) -> Option<String> {
        let deployments = self.engine.deployments();
        let users = deployments.iter().filter(|it| it.environment == *environment && uses(it));
        let owners: BTreeSet<String> = users.filter_map(|it| it.release.owner.clone()).collect();
        (!owners.is_empty()).then(|| owners.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// What is overdue, as findings that name who answers for it.
    pub(crate) async fn overdue(&self) -> Result<Vec<Finding>, Problem> {
        let overdue = self.rotations().await?.into_iter();
        let overdue = overdue.filter(|one| one.state == DueState::Overdue);
        Ok(overdue.map(|one| finding(&one)).collect())
    }
}

fn finding(one: &Rotation) -> Finding {
    let Rotation { owner, due_at, .. } = one;
    let message = format!("`{}` was to be rotated by {due_at}; {owner} answers for it", one.id());
    let code = match one.what {
        What::Secret => qc_vault::codes::OVERDUE,
        _ => codes::ROTATION_OVERDUE,
    };
    Finding::warning(code, message).help(one.how())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_millis(days * DAY)
    }

    #[test]
    fn what_is_due_is_scheduled_then_soon_then_overdue() {
        let state = |now| DueState::of(at(100), at(now));
        assert_eq!((state(0), state(86)), (DueState::Scheduled, DueState::Scheduled));
        assert_eq!((state(87), state(99)), (DueState::Soon, DueState::Soon));
        assert_eq!((state(100), state(500)), (DueState::Overdue, DueState::Overdue));
    }

    #[test]
    fn each_says_who_answers_for_it_and_what_to_do() {
        let rotation = |what, name: &str| Rotation {
            what,
            environment: Some("production".parse().unwrap()),
            name: name.to_owned(),
            owner: "team-desk".to_owned(),
            due_at: at(100),
            state: DueState::Overdue,
        };
        for (what, name, code, how) in [
            (What::Secret, "crm/key", "QC-V011", "qc secrets rotate production crm/key --file NEW"),
            (What::DataKey, "3", "QC-A048", "qc vault rotate-dek production"),
            (What::Connection, "crm", "QC-A048", "qc conn connect production crm"),
        ] {
            let found = finding(&rotation(what, name));
            assert_eq!((found.code.as_str(), found.help.as_deref()), (code, Some(how)));
            assert!(found.message.contains("team-desk answers for it"), "{}", found.message);
            assert!(found.message.contains("1970-04-11"), "{}", found.message);
        }
        let key = rotation(What::ApiKey { person: None }, "AAAAAAAA");
        assert_eq!(key.how(), "qc tokens rotate AAAAAAAA");
    }
}
