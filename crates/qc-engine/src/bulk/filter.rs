//! What is to be done, and to which runs. Pure.

use qc_model::{EnvironmentName, EventId, Name, TenantName, Timestamp};
use qc_store::{DeadFilter, DeadLetter, DeadState, RunFilter, RunHead, RunKey, RunStatus};
use serde::{Deserialize, Serialize};

use super::BulkError;

/// What is done to each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Run its event again as a linked run; effects already made are not made twice.
    Replay,
    /// Open it again at the task that failed.
    Retry,
    /// Give its dead letter up.
    Discard,
    /// End it.
    Cancel,
}

impl Deed {
    /// All, for tables.
    pub const ALL: [Self; 4] = [Self::Replay, Self::Retry, Self::Discard, Self::Cancel];

    /// The name as stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replay => "replay",
            Self::Retry => "retry",
            Self::Discard => "discard",
            Self::Cancel => "cancel",
        }
    }

    /// The deed with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deed| deed.as_str() == name)
    }

    /// Whether it is done to open dead letters.
    pub(crate) fn is_of_letters(self) -> bool {
        matches!(self, Self::Retry | Self::Discard)
    }

    /// To which runs it can be done.
    pub(crate) fn takes(self, status: RunStatus) -> bool {
        match self {
            Self::Replay => status.is_terminal(),
            Self::Retry | Self::Discard => status == RunStatus::Faulted,
            Self::Cancel => !status.is_terminal(),
        }
    }
}

/// Which runs. Empty fields do not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BulkFilter {
    /// Only this environment.
    pub environment: Option<EnvironmentName>,
    /// Only this integration.
    pub integration: Option<Name>,
    /// Only this tenant.
    pub tenant: Option<TenantName>,
    /// Only these statuses; empty means all to which the deed can be done.
    pub statuses: Vec<RunStatus>,
    /// Only runs accepted (of dead letters: that died) at or after this moment.
    pub since: Option<Timestamp>,
    /// Only runs accepted (of dead letters: that died) before this moment.
    pub until: Option<Timestamp>,
    /// Only runs of this trigger.
    pub trigger: Option<Name>,
    /// Only runs of this release.
    pub release: Option<String>,
    /// Only runs with this business subject.
    pub subject: Option<String>,
    /// Only runs with this business key: its name and its value.
    pub key: Option<(String, String)>,
    /// Only runs with a business key of this value.
    pub value: Option<String>,
    /// Only runs that handle this event.
    pub event: Option<EventId>,
    /// Only runs of this sender's trace.
    pub trace: Option<String>,
    /// Only runs that died of this.
    pub fingerprint: Option<String>,
    /// Only runs that died with this code.
    pub code: Option<String>,
}

impl BulkFilter {
    /// Says what is wrong with it for a deed.
    pub(crate) fn check(&self, deed: Deed) -> Result<(), BulkError> {
        let narrow = self.integration.is_some()
            || self.since.is_some()
            || self.until.is_some()
            || self.trigger.is_some()
            || self.release.is_some()
            || self.subject.is_some()
            || self.key.is_some()
            || self.value.is_some()
            || self.event.is_some()
            || self.trace.is_some()
            || self.fingerprint.is_some()
            || self.code.is_some();
        if !narrow {
            return Err(BulkError::EmptyFilter);
        }
        if let Some(status) = self.statuses.iter().find(|status| !deed.takes(**status)) {
            let (deed, status) = (deed.as_str(), status.as_str());
            return Err(BulkError::Unfit(format!(
                "`{deed}` is not done to runs that are {status}"
            )));
        }
        if deed == Deed::Cancel && (self.fingerprint.is_some() || self.code.is_some()) {
            let reason =
                "`cancel` is for runs that are not at their end, and those have died of nothing";
            return Err(BulkError::Unfit(reason.to_owned()));
        }
        Ok(())
    }

    /// Whether the dead letters are looked through, and not the runs.
    pub(crate) fn is_over_letters(&self, deed: Deed) -> bool {
        deed.is_of_letters() || self.fingerprint.is_some() || self.code.is_some()
    }

    /// The letters to look through.
    pub(crate) fn letters(&self, deed: Deed) -> DeadFilter {
        DeadFilter {
            fingerprint: self.fingerprint.clone(),
            code: self.code.clone(),
            since: self.since,
            until: self.until,
            before: None,
            state: deed.is_of_letters().then_some(DeadState::Open),
            environment: self.environment.clone(),
            integration: self.integration.clone(),
            limit: qc_store::PAGE_MAX,
        }
    }

    /// The runs to look through.
    pub(crate) fn runs(&self, deed: Deed) -> RunFilter {
        let all = RunStatus::ALL.into_iter().filter(|status| deed.takes(*status));
        let statuses = if self.statuses.is_empty() { all.collect() } else { self.statuses.clone() };
        RunFilter {
            before: None,
            statuses,
            environment: self.environment.clone(),
            integration: self.integration.clone(),
            subject: self.subject.clone(),
            since: self.since,
            until: self.until,
            trigger: self.trigger.clone(),
            release: self.release.clone(),
            event: self.event,
            trace: self.trace.clone(),
            key: self.key.clone().map(|(name, value)| RunKey { name, value }),
            value: self.value.clone(),
            limit: qc_store::PAGE_MAX,
        }
    }

    /// Whether a letter's run has to be looked at.
    pub(crate) fn asks_for_heads(&self, deed: Deed) -> bool {
        deed == Deed::Replay
            || !self.statuses.is_empty()
            || self.trigger.is_some()
            || self.release.is_some()
            || self.subject.is_some()
            || self.event.is_some()
            || self.trace.is_some()
            || self.asks_for_keys()
    }

    /// Whether a letter's run's keys have to be looked at.
    pub(crate) fn asks_for_keys(&self) -> bool {
        self.key.is_some() || self.value.is_some()
    }

    /// Whether it takes a letter, as far as the letter tells. The store has looked at the rest.
    pub(crate) fn takes_letter(&self, letter: &DeadLetter) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == letter.tenant)
    }

    /// Whether it takes a letter's run, as far as the head tells.
    pub(crate) fn takes_head(&self, deed: Deed, head: &RunHead) -> bool {
        let (facts, state) = (&head.facts, &head.state);
        deed.takes(state.status)
            && (self.statuses.is_empty() || self.statuses.contains(&state.status))
            && self.trigger.as_ref().is_none_or(|it| *it == facts.trigger)
            && self.release.as_ref().is_none_or(|it| *it == facts.release)
            && self.subject.as_ref().is_none_or(|it| Some(it) == facts.subject.as_ref())
            && self.event.is_none_or(|it| it == facts.event)
            && self.trace.as_ref().is_none_or(|it| Some(it) == facts.trace.as_ref())
    }

    /// Whether it takes a run with these keys.
    pub(crate) fn takes_keys(&self, keys: &[RunKey]) -> bool {
        let named = |(name, value): &(String, String)| {
            keys.iter().any(|key| key.name == *name && key.value == *value)
        };
        self.key.as_ref().is_none_or(named)
            && self.value.as_ref().is_none_or(|it| keys.iter().any(|key| key.value == *it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_takes_everything_is_refused_whatever_the_environment() {
        let everything = BulkFilter {
            environment: Some(EnvironmentName::new("production").unwrap()),
            statuses: vec![RunStatus::Running],
            ..BulkFilter::default()
        };
        assert_eq!(everything.check(Deed::Cancel), Err(BulkError::EmptyFilter));
        let one = BulkFilter { integration: Some(Name::new("orders").unwrap()), ..everything };
        assert_eq!(one.check(Deed::Cancel), Ok(()));
        // Each deed has its own runs.
        for deed in [Deed::Replay, Deed::Retry, Deed::Discard] {
            assert!(matches!(one.check(deed), Err(BulkError::Unfit(_))), "{deed:?}");
        }
        let dead = BulkFilter { code: Some("QC-N005".to_owned()), ..BulkFilter::default() };
        assert!(matches!(dead.check(Deed::Cancel), Err(BulkError::Unfit(_))));
        assert!(dead.check(Deed::Replay).is_ok() && dead.is_over_letters(Deed::Replay));
    }

    #[test]
    fn names_lead_back_to_their_deeds() {
        for deed in Deed::ALL {
            assert_eq!(Deed::parse(deed.as_str()), Some(deed));
            assert_eq!(serde_json::to_value(deed).unwrap(), deed.as_str());
        }
    }

    #[test]
    fn keys_are_looked_at_by_name_and_by_value() {
        let keys = [RunKey { name: "order".to_owned(), value: "7".to_owned() }];
        let by = |name: &str, value: &str| BulkFilter {
            key: Some((name.to_owned(), value.to_owned())),
            ..BulkFilter::default()
        };
        assert!(by("order", "7").takes_keys(&keys) && !by("order", "8").takes_keys(&keys));
        assert!(!by("customer", "7").takes_keys(&keys));
        let value = BulkFilter { value: Some("7".to_owned()), ..BulkFilter::default() };
        assert!(value.takes_keys(&keys) && !value.takes_keys(&[]));
    }
}
