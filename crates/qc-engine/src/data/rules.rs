use std::collections::BTreeMap;

use qc_data::{DataClass, Known, Labels, Movement};
use qc_model::Name;
use qc_workflow::CallId;
use serde_json::Value;

/// The classes of an integration's data, and the policy of where it may go, as its release says both.
#[derive(Debug, Default)]
pub struct DataRules {
    /// Which data may go where. None: everything, everywhere.
    pub movement: Option<Movement>,
    /// The classes in events' data, by trigger.
    pub events: BTreeMap<Name, Vec<Labels>>,
    /// Where events name the persons that they are about, by trigger: dotted paths in their data.
    pub subjects: BTreeMap<Name, Vec<String>>,
    /// The classes in answers, by the place of the call.
    pub answers: BTreeMap<String, Vec<Labels>>,
    /// The classes in requests, by the place of the call.
    pub requests: BTreeMap<String, Vec<Labels>>,
    /// The classes in requests of operations, wherever they are called; by `<connector>.<operation>`.
    pub operations: BTreeMap<String, Vec<Labels>>,
    /// What the workflow itself says in a request, by the place of the call: values by JSON Pointer.
    pub own: BTreeMap<String, BTreeMap<String, Value>>,
    /// The systems, by the connector that reaches them.
    pub connectors: BTreeMap<String, Spot>,
    /// The systems that are called without a connector, by the place of the call.
    pub places: BTreeMap<String, Spot>,
    /// The classes in the data of published events, and where they arrive.
    pub publications: BTreeMap<Name, (Vec<Labels>, Spot)>,
    /// The classes in what senders get back, by trigger.
    pub replies: BTreeMap<Name, Vec<Labels>>,
}

/// A destination, as the policy speaks of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spot {
    /// Its name.
    pub name: String,
    /// Its region, where that is declared.
    pub region: Option<String>,
}

impl DataRules {
    /// Whether events of a trigger hold something sensitive.
    pub(crate) fn has_sensitive_events(&self, trigger: &Name) -> bool {
        let labels = self.events.get(trigger).into_iter().flatten();
        labels.filter_map(Labels::highest).any(DataClass::is_sensitive)
    }

    /// Whether anything is to be known of a trigger's events.
    pub(crate) fn looks_at(&self, trigger: &Name) -> bool {
        self.subjects.get(trigger).is_some_and(|paths| !paths.is_empty())
            || self.has_sensitive_events(trigger)
    }

    /// The sensitive values of an event's data.
    pub(crate) fn known_of_event(&self, trigger: &Name, data: &Value) -> Known {
        let mut known = Known::default();
        if self.has_sensitive_events(trigger) {
            learn(&mut known, data, self.events.get(trigger));
        }
        known
    }

    /// Takes in the sensitive values of an answer.
    pub(crate) fn learn_answer(&self, call: &CallId, content: &Value, known: &mut Known) {
        learn(known, content, self.answers.get(&*call.pointer));
    }
}

fn learn(known: &mut Known, document: &Value, labels: Option<&Vec<Labels>>) {
    if let Some(labels) = labels {
        known.learn(document, &labels.iter().collect::<Vec<_>>());
    }
}
