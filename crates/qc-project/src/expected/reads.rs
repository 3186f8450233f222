//! Which fields of answers an integration cannot do without. Fields are left out, many at a time, and a scenario carried
//! out again; where it does something else, halves of them are tried (as in Zeller and Hildebrandt, "Simplifying and
//! Isolating Failure-Inducing Input", 2002). What was spared stays left out while the rest is looked at: so all that is
//! spared can be missing at once, also where one field stands in for another.

use std::collections::{BTreeMap, BTreeSet};

use qc_document::push_pointer;
use qc_model::{Finding, Name};
use serde_json::{Map, Value};

use super::exchange::Exchange;
use crate::{
    Project,
    acceptance::{AnswerField, Observed, Scenario},
    compile::Compiled,
    project::{IntegrationFolder, Loaded},
};

/// How deep answers are looked into.
const DEPTH_MAX: usize = 8;
/// How often the scenarios of an integration are carried out to find out; what was not tried counts as needed.
const LIVES_MAX: usize = 2_000;

/// Where scenarios are carried out.
pub(super) struct Stage<'a> {
    pub(super) project: &'a Project,
    pub(super) folder: &'a IntegrationFolder,
    pub(super) compiled: &'a Compiled,
    /// How many were.
    pub(super) lives: usize,
}

/// The fields that are needed and those that are not.
#[derive(Debug, Default)]
pub(super) struct Reads {
    needed: BTreeSet<AnswerField>,
    spared: BTreeSet<AnswerField>,
}

/// The fields of answers of an operation, of all that were seen together; `*` are the items of a list.
#[derive(Default)]
struct Fields(BTreeMap<String, Fields>);

impl Fields {
    fn add(&mut self, value: &Value, depth: usize) {
        if depth == 0 {
            return;
        }
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    self.0.entry(name.clone()).or_default().add(inner, depth - 1);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.0.entry("*".to_owned()).or_default().add(item, depth - 1);
                }
            }
            _ => {}
        }
    }

    /// The nearest fields below a place.
    fn below<'f>(&'f self, pointer: &str, found: &mut Vec<(String, &'f Self)>) {
        for (name, inner) in &self.0 {
            let pointer = inside(pointer, name);
            if name == "*" {
                inner.below(&pointer, found);
            } else {
                found.push((pointer, inner));
            }
        }
    }
}

impl Reads {
    pub(super) fn find(
        stage: &mut Stage<'_>,
        seen: &[(&Loaded<Scenario>, Observed)],
        exchanges: &[Exchange<'_>],
    ) -> Result<Self, Vec<Finding>> {
        let mut all: BTreeMap<(&Name, &str), Fields> = BTreeMap::new();
        for exchange in exchanges {
            let own = all.entry((exchange.connector, exchange.operation)).or_default();
            exchange.answer.iter().for_each(|answer| own.add(answer, DEPTH_MAX));
        }
        // The quickest first: most is found out there.
        let mut scenarios: Vec<&(&Loaded<Scenario>, Observed)> = seen.iter().collect();
        scenarios.sort_by_key(|(_, observed)| observed.elapsed);
        let mut looking = Looking { stage, reads: Self::default() };
        let below = |connector: &Name, operation: &str, pointer: &str, fields: &Fields| {
            let mut found = Vec::new();
            fields.below(pointer, &mut found);
            let found = found.into_iter().map(|(pointer, _)| AnswerField {
                connector: connector.clone(),
                operation: operation.to_owned(),
                pointer,
            });
            found.collect::<Vec<_>>()
        };
        let mut level: Vec<AnswerField> = all
            .iter()
            .flat_map(|((connector, operation), fields)| below(connector, operation, "", fields))
            .collect();
        // What is not needed as a whole is not needed in its parts.
        while !level.is_empty() {
            let needed = looking.sort(level, &scenarios)?;
            let inner = needed.iter().flat_map(|field| {
                let fields = all.get(&(&field.connector, field.operation.as_str()));
                let place = fields.and_then(|fields| at(fields, &field.pointer));
                let own = place
                    .map(|place| below(&field.connector, &field.operation, &field.pointer, place));
                own.unwrap_or_default()
            });
            level = inner.collect();
            looking.reads.needed.extend(needed);
        }
        Ok(looking.reads)
    }

    /// The fields of an operation that are needed.
    pub(super) fn needed(&self, connector: &Name, operation: &str) -> impl Iterator<Item = &str> {
        of(&self.needed, connector, operation)
    }

    /// How many of its fields are not.
    pub(super) fn spared(&self, connector: &Name, operation: &str) -> usize {
        of(&self.spared, connector, operation).count()
    }

    /// An answer with what is needed of it; nothing when nothing is.
    pub(super) fn of_answer(
        &self,
        connector: &Name,
        operation: &str,
        answer: &Value,
    ) -> Option<Value> {
        let needed: BTreeSet<&str> = self.needed(connector, operation).collect();
        if needed.is_empty() { None } else { Some(kept("", answer, &needed)) }
    }
}

fn of<'f>(
    fields: &'f BTreeSet<AnswerField>,
    connector: &Name,
    operation: &str,
) -> impl Iterator<Item = &'f str> {
    let own = move |it: &&AnswerField| it.connector == *connector && it.operation == operation;
    fields.iter().filter(own).map(|it| it.pointer.as_str())
}

fn at<'f>(fields: &'f Fields, pointer: &str) -> Option<&'f Fields> {
    qc_document::pointer_segments(pointer).try_fold(fields, |fields, name| fields.0.get(&*name))
}

fn kept(pointer: &str, value: &Value, needed: &BTreeSet<&str>) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter_map(|(name, inner)| {
                let pointer = inside(pointer, name);
                let inner = || (name.clone(), kept(&pointer, inner, needed));
                needed.contains(pointer.as_str()).then(inner)
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let first = items.first().map(|item| kept(&inside(pointer, "*"), item, needed));
            Value::Array(first.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn inside(pointer: &str, name: &str) -> String {
    let mut pointer = pointer.to_owned();
    push_pointer(&mut pointer, name);
    pointer
}

struct Looking<'l, 's> {
    stage: &'l mut Stage<'s>,
    reads: Reads,
}

/// A scenario, and what it does with all answers.
type Played<'o> = (&'o Loaded<Scenario>, Observed);

impl Looking<'_, '_> {
    /// Sorts fields into those that are spared, which is kept in mind, and those that are needed, which is answered.
    fn sort(
        &mut self,
        fields: Vec<AnswerField>,
        scenarios: &[&Played<'_>],
    ) -> Result<Vec<AnswerField>, Vec<Finding>> {
        let (mut needed, mut open) = (Vec::new(), fields);
        for played in scenarios {
            let mut spared = Vec::new();
            self.split(open, played, &mut spared, &mut needed)?;
            open = spared;
        }
        self.reads.spared.extend(open);
        Ok(needed)
    }

    fn split(
        &mut self,
        mut open: Vec<AnswerField>,
        played: &Played<'_>,
        spared: &mut Vec<AnswerField>,
        needed: &mut Vec<AnswerField>,
    ) -> Result<(), Vec<Finding>> {
        if open.is_empty() {
            return Ok(());
        }
        if !self.matters(&open, spared, played)? {
            spared.append(&mut open);
        } else if open.len() == 1 {
            needed.append(&mut open);
        } else {
            let second = open.split_off(open.len() / 2);
            self.split(open, played, spared, needed)?;
            self.split(second, played, spared, needed)?;
        }
        Ok(())
    }

    /// Whether a scenario does something else without these fields, and those that are spared.
    fn matters(
        &mut self,
        open: &[AnswerField],
        spared: &[AnswerField],
        (file, with_all): &Played<'_>,
    ) -> Result<bool, Vec<Finding>> {
        let calls = |field: &&AnswerField| {
            let received = with_all.requests.get(&field.connector).into_iter().flatten();
            received.into_iter().any(|it| it.operation.as_deref() == Some(&field.operation))
        };
        if !open.iter().any(|field| calls(&field)) {
            return Ok(false);
        }
        if self.stage.lives >= LIVES_MAX {
            return Ok(true);
        }
        let without = open.iter().chain(spared).chain(&self.reads.spared).filter(calls);
        let with_less = self.stage.live(file, &without.collect::<Vec<_>>())?;
        Ok(!with_less.findings.is_empty() || with_less.traces != with_all.traces)
    }
}
