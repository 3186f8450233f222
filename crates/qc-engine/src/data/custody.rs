//! What is known of a run's data while it is in memory.

use qc_connect::call::CallRecord;
use qc_data::{Known, TokenKey};
use qc_model::{Failure, Name, TenantName};
use qc_store::{Entry, RunFacts, StoredEvent};
use qc_workflow::{CallId, Happening as Told};
use serde_json::Value;

use super::{DataRules, TokenRoots};
use crate::{
    entry::{self, Journaled},
    record,
};

/// The sensitive values that a run has met, and where the keys of tokens are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Custody {
    /// Of its event and of answers: what it sends is held against them.
    pub(crate) known: Known,
    /// Of what it sent: only what is said of it is cleaned of them, since they are not known again when it is taken up.
    pub(crate) sent: Known,
    roots: TokenRoots,
}

impl Custody {
    /// Of a run that begins with this event's data.
    pub(crate) fn of_data(
        roots: &TokenRoots,
        rules: &DataRules,
        trigger: &Name,
        data: &Value,
    ) -> Self {
        let known = rules.known_of_event(trigger, data);
        Self { known, sent: Known::default(), roots: roots.clone() }
    }

    /// Of a run of which only that is known with which others begin it.
    pub(crate) fn empty(roots: &TokenRoots) -> Self {
        Self { known: Known::default(), sent: Known::default(), roots: roots.clone() }
    }

    /// Of a run that begins with an event that is stored.
    pub(crate) fn of_event(
        roots: &TokenRoots,
        rules: &DataRules,
        facts: &RunFacts,
        event: Option<&StoredEvent>,
    ) -> Self {
        let data = event.and_then(|event| serde_json::from_slice::<Value>(&event.body).ok());
        let data = data.map_or(Value::Null, |mut event| event["data"].take());
        Self::of_data(roots, rules, &facts.trigger, &data)
    }

    /// Of a run that is taken up again.
    pub(crate) fn recovered(
        roots: &TokenRoots,
        rules: &DataRules,
        facts: &RunFacts,
        event: Option<&StoredEvent>,
        journal: &[Entry],
    ) -> Result<Self, entry::EntryError> {
        let mut custody = Self::of_event(roots, rules, facts, event);
        if rules.answers.is_empty() {
            return Ok(custody);
        }
        for (index, stored) in journal.iter().enumerate() {
            match entry::decode(index, stored)? {
                Journaled::Input { input } => {
                    if let Told::CallSucceeded { call, output, .. } = &input.happening {
                        rules.learn_answer(call, &output.content, &mut custody.known);
                    }
                }
                Journaled::Parked { call, unfit: Some(unfit), .. } => {
                    rules.learn_answer(&call, &unfit.answer.content, &mut custody.known);
                }
                _ => {}
            }
        }
        Ok(custody)
    }

    /// The key of tokens for a run.
    pub(crate) fn key(&self, facts: &RunFacts) -> Option<TokenKey> {
        self.roots.key(&facts.environment, &facts.tenant)
    }

    /// Takes in what an answer says.
    pub(crate) fn learn(&mut self, rules: &DataRules, call: &CallId, content: &Value) {
        rules.learn_answer(call, content, &mut self.known);
    }

    /// What a run is about, as lists show it: a keyed hash where that is sensitive.
    pub(crate) fn subject(&self, subject: String, key: &[u8; 32], tenant: &TenantName) -> String {
        if self.known.class_in(&Value::from(subject.as_str())).is_none() {
            return subject;
        }
        let hash = record::payload_hash(key, tenant, subject.as_bytes());
        format!("hmac:{}", &hash[record::FORM.len()..][..16])
    }

    /// A failure that says nothing sensitive: it is shown to people, to senders, and in logs.
    pub(crate) fn clean(&self, failure: &mut Failure) {
        self.clean_text(&mut failure.title);
        self.clean_text(&mut failure.detail);
        if let Some(data) = &mut failure.data {
            self.clean_value(data);
        }
    }

    /// A text that says nothing sensitive.
    pub(crate) fn clean_text(&self, text: &mut String) {
        for known in [&self.known, &self.sent].into_iter().filter(|known| !known.is_empty()) {
            *text = known.redact(text).into_owned();
        }
    }

    /// A document that says nothing sensitive.
    pub(crate) fn clean_value(&self, value: &mut Value) {
        for known in [&self.known, &self.sent].into_iter().filter(|known| !known.is_empty()) {
            known.redact_value(value);
        }
    }

    /// The same of what is recorded of a call: its address may hold what is sensitive.
    pub(crate) fn clean_record(&self, record: &mut CallRecord) {
        self.clean_text(&mut record.url);
    }
}
