//! What changes in what an integration offers, for everybody or for one sender.

use std::collections::{BTreeMap, BTreeSet};

use qc_contract::{Area, Change, Comparison, Level};
use qc_model::{Finding, Timestamp};
use qc_version::gate::{ChangeRecord, change_id};
use serde_json::{Value, json};

use super::{
    cell, line,
    terms::{Answer, Terms, answers},
};
use crate::{
    Project,
    gate::{Audience, Sender, compared, number, pinned, records},
    integration::TriggerSpec,
    project::IntegrationFolder,
};

/// One change.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its id, as the gate prints it.
    pub id: String,
    /// The change.
    pub change: Change,
    /// Who meets it: the ways in which one speaks, such as `placed, version 1.0.0`.
    pub who: Vec<String>,
    /// What was written about it in `breaking_changes`.
    pub record: Option<ChangeRecord>,
}

/// What changes.
#[derive(Debug, Clone)]
pub struct Changelog {
    integration: String,
    sender: Option<String>,
    numbers: [String; 2],
    entries: Vec<Entry>,
    /// By trigger.
    answers: BTreeMap<String, [Answer; 3]>,
    ends: Vec<End>,
    is_cut_short: bool,
}

/// A version that ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    trigger: String,
    version: String,
    until: String,
    successor: Option<String>,
    guide: Option<String>,
}

/// What changes between two projects in what an integration offers at a moment; `sender`: to whom, else to everybody.
///
/// Errors: what cannot be read of either, and an integration or trigger that neither has.
pub fn changelog(
    old: &Project,
    new: &Project,
    integration: &str,
    sender: Option<Sender<'_>>,
    now: Timestamp,
) -> Result<Changelog, Vec<Finding>> {
    let new_folder = new.integration(integration).map_err(|finding| vec![*finding])?;
    let Some(old_folder) = old.integrations().get(integration) else {
        // Nobody relies on what was not there.
        return Ok(Changelog {
            integration: integration.to_owned(),
            sender: sender.map(|sender| named(&sender, &pinned(new_folder).into_iter().collect())),
            numbers: ["none".to_owned(), number(new_folder)?.to_string()],
            entries: Vec::new(),
            answers: BTreeMap::new(),
            ends: Vec::new(),
            is_cut_short: false,
        });
    };
    if let Some(trigger) = sender.and_then(|sender| sender.trigger) {
        known(trigger, [old_folder, new_folder])?;
    }
    if let Some(version) = sender.and_then(|sender| sender.speaks) {
        spoken(version, [old_folder, new_folder])?;
    }
    let consumers: BTreeSet<String> =
        [old_folder, new_folder].into_iter().flat_map(pinned).collect();
    let audience = sender.map_or(Audience::All(&consumers), Audience::One);
    let sides = [(old, old_folder), (new, new_folder)];
    let comparison = compared(sides, integration, audience, (now, None))?.comparison;
    let answers = by_trigger([old_folder, new_folder], integration, sender, &comparison);
    let records = records(new_folder);
    let is_cut_short = comparison.is_cut_short;
    let entries: Vec<Entry> = comparison
        .changes
        .into_iter()
        // The number of the release is the gate's matter, and no sender's.
        .filter(|change| change.area != Area::Document)
        .map(|change| {
            let id = change_id(&change);
            let who = change.uses.named.iter().map(|way| said(way, integration)).collect();
            let record = records.iter().find(|record| record.change == id).cloned();
            Entry { id, change, who, record }
        })
        .collect();
    let ends = ends(new, integration, sender, &entries)?;
    Ok(Changelog {
        integration: integration.to_owned(),
        sender: sender.map(|sender| named(&sender, &consumers)),
        numbers: [number(old_folder)?.to_string(), number(new_folder)?.to_string()],
        entries,
        answers,
        ends,
        is_cut_short,
    })
}

/// A trigger that neither has is a mistake, and no empty changelog.
fn known(trigger: &str, folders: [&IntegrationFolder; 2]) -> Result<(), Vec<Finding>> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for folder in folders {
        let triggers = folder.definition.iter().flat_map(|file| file.value.triggers.iter());
        names.extend(triggers.map(|(name, _)| name.value.as_str()));
    }
    if names.contains(trigger) {
        return Ok(());
    }
    let message = format!("there is no trigger `{trigger}`, before or after");
    let help = crate::check::closest_or_list(trigger, names.into_iter());
    Err(vec![Finding::error(qc_version::codes::REFERENCE, message).help(help)])
}

/// So is a version that no file of versions has.
fn spoken(version: &str, folders: [&IntegrationFolder; 2]) -> Result<(), Vec<Finding>> {
    let files = folders.into_iter().flat_map(|folder| folder.versions.values());
    let names: BTreeSet<&str> = files
        .flat_map(|file| file.value.versions.iter())
        .map(|(name, _)| name.value.as_str())
        .collect();
    if names.contains(version) {
        return Ok(());
    }
    let message = format!("there is no version `{version}`, before or after");
    let help = crate::check::closest_or_list(version, names.into_iter());
    Err(vec![Finding::error(qc_version::codes::REFERENCE, message).help(help)])
}

fn named(sender: &Sender<'_>, pinned: &BTreeSet<String>) -> String {
    let mut words = Vec::new();
    words.push(match sender.consumer {
        Some(name) if pinned.contains(name) => format!("`{name}`"),
        Some(name) => format!("`{name}` (which has no pin)"),
        None => "who has no pin".to_owned(),
    });
    words.extend(sender.trigger.map(|trigger| format!("sending to `{trigger}`")));
    words.push(match sender.speaks {
        Some(version) => format!("saying version {version}"),
        None => "saying no version".to_owned(),
    });
    words.join(", ")
}

/// A way to speak in words: `POST /in/orders/placed/1.0.0` is `placed, version 1.0.0`.
fn said(way: &str, integration: &str) -> String {
    let address = way.split_once(' ').map_or(way, |(_, address)| address);
    let Some(rest) = address.strip_prefix(&format!("/in/{integration}/")) else {
        return address.to_owned();
    };
    match rest.split_once('/') {
        None => format!("`{rest}`"),
        Some((trigger, way)) => match way.strip_prefix("as:") {
            Some(consumer) => format!("`{trigger}`, as `{consumer}`"),
            None => format!("`{trigger}`, version {way}"),
        },
    }
}

/// The three answers of each trigger that is there before and after and has one that is yes.
fn by_trigger(
    [old, new]: [&IntegrationFolder; 2],
    integration: &str,
    sender: Option<Sender<'_>>,
    comparison: &Comparison,
) -> BTreeMap<String, [Answer; 3]> {
    let mut all = BTreeMap::new();
    let (Some(before), Some(after)) = (&old.definition, &new.definition) else { return all };
    for (name, trigger) in after.value.triggers.iter() {
        let name = name.value.as_str();
        if sender.and_then(|sender| sender.trigger).is_some_and(|one| one != name) {
            continue;
        }
        let Some(was) = before.value.triggers.get(name) else { continue };
        let terms = |file: &crate::integration::Integration, it: &TriggerSpec| Terms::of(file, it);
        let (was, is) = (terms(&before.value, was), terms(&after.value, trigger));
        let address = format!("/in/{integration}/{name}");
        let mine = |change: &&Change| {
            change.uses.named.iter().any(|way| {
                let at = way.split_once(' ').map_or(way.as_str(), |(_, address)| address);
                at == address || at.starts_with(&format!("{address}/"))
            })
        };
        let changes = comparison.changes.iter().filter(mine).cloned().collect();
        let own = Comparison { changes, ..comparison.clone() };
        let answers = answers(Some((&was, &is)), &own);
        all.insert(name.to_owned(), answers);
    }
    all
}

/// The versions that end, of triggers of which something changes.
fn ends(
    project: &Project,
    integration: &str,
    sender: Option<Sender<'_>>,
    entries: &[Entry],
) -> Result<Vec<End>, Vec<Finding>> {
    let mut all = Vec::new();
    for trigger in project.versioned(integration) {
        let quoted = format!("`{trigger}`");
        if !entries.iter().any(|entry| entry.who.iter().any(|who| who.starts_with(&quoted))) {
            continue;
        }
        let versions = project.versions_of(integration, trigger)?;
        let only = sender.map(|sender| {
            let names: Vec<&str> = sender.consumer.into_iter().collect();
            versions.spoken(sender.speaks, &names).ok()
        });
        for (at, entry) in versions.entries().iter().enumerate() {
            let Some(until) = entry.window.supported_until(project.minimum_support()) else {
                continue;
            };
            if only.is_some_and(|only| only != Some(at)) {
                continue;
            }
            let next = versions.entries()[at + 1..].iter().rfind(|next| !next.window.draft);
            all.push(End {
                trigger: trigger.to_owned(),
                version: entry.name.to_string(),
                until: until.to_string(),
                successor: next.map(|next| next.name.to_string()),
                guide: entry.guide.as_ref().map(|guide| match guide {
                    qc_version::Guide::Url(url) => url.clone(),
                    qc_version::Guide::File { path, .. } => path.clone(),
                }),
            });
        }
    }
    Ok(all)
}

impl Changelog {
    /// Whether nothing changes for those whom it is for.
    pub fn is_empty(&self) -> bool {
        let yes = self.answers.values().flatten().any(Answer::is_yes);
        self.entries.is_empty() && !yes && !self.is_cut_short
    }

    /// The changes, the heaviest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// How many edits those whom it is for have to make: none is zero.
    pub fn edits(&self) -> usize {
        self.entries.iter().filter(|entry| entry.change.level == Level::Breaking).count()
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let entries = self.entries.iter().map(|Entry { id, change, who, record }| {
            json!({
                "id": id,
                "rule": change.rule.id,
                "level": change.level.as_str(),
                "area": change.area.as_str(),
                "who": who,
                "operations": change.uses.named,
                "further_operations": change.uses.further,
                "message": change.message,
                "consumer_action": change.rule.action,
                "announced": record.as_ref().map(|record| record.announced.to_string()),
                "changelog": record.as_ref().map(|record| &record.changelog),
                "migration": record.as_ref().map(|record| &record.migration),
            })
        });
        let answers = self.answers.iter().map(|(trigger, answers)| {
            let answers: Vec<Value> = answers.iter().map(Answer::to_json).collect();
            (trigger.clone(), Value::from(answers))
        });
        let ends = self.ends.iter().map(|end| {
            json!({
                "trigger": end.trigger, "version": end.version, "until": end.until,
                "successor": end.successor, "guide": end.guide,
            })
        });
        json!({
            "schema_version": 1,
            "integration": self.integration,
            "for": self.sender,
            "version": { "old": self.numbers[0], "new": self.numbers[1] },
            "is_empty": self.is_empty(),
            "is_cut_short": self.is_cut_short,
            "edits": self.edits(),
            "changes": entries.collect::<Vec<_>>(),
            "answers": Value::Object(answers.collect()),
            "ends": ends.collect::<Vec<_>>(),
        })
    }

    /// For people.
    pub fn markdown(&self) -> String {
        let [old, new] = &self.numbers;
        let mut text = String::new();
        line(&mut text, format_args!("## {} {new}\n", self.integration));
        let whom = self.sender.as_deref().unwrap_or("everybody who sends to it");
        line(&mut text, format_args!("Since {old}, for {whom}.\n"));
        if self.is_empty() {
            text.push_str("Nothing changes. There is nothing to do.\n");
            return text;
        }
        if self.is_cut_short {
            text.push_str("A limit ended the comparison early: there may be further changes.\n\n");
        }
        let count = self.edits();
        let edits = match count {
            0 => "Nothing has to be done.".to_owned(),
            1 => "One change has to be followed.".to_owned(),
            count => format!("{count} changes have to be followed."),
        };
        line(&mut text, format_args!("{edits}\n"));
        self.changes(&mut text);
        self.questions(&mut text);
        for End { trigger, version, until, successor, guide } in &self.ends {
            let next = successor.as_ref().map_or_else(String::new, |it| format!("; move to {it}"));
            let how = guide.as_ref().map_or_else(String::new, |it| format!(", as {it} says"));
            line(
                &mut text,
                format_args!("- `{trigger}` {version} answers until {until}{next}{how}"),
            );
        }
        text
    }

    fn changes(&self, text: &mut String) {
        // Grouped by those who meet them.
        let mut groups: BTreeMap<String, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            let more = entry.change.uses.further;
            let more = if more > 0 { format!("; {more} more") } else { String::new() };
            groups.entry(format!("{}{more}", entry.who.join("; "))).or_default().push(entry);
        }
        for (who, entries) in groups {
            let who = if who.is_empty() { "All".to_owned() } else { who };
            line(text, format_args!("### {}\n", cell(&who)));
            text.push_str("| change | weight | what to do | told | id |\n|---|---|---|---|---|\n");
            for Entry { id, change, record, .. } in entries {
                let told = record.as_ref().map_or_else(String::new, |record| {
                    format!("{}, {}", record.announced, record.migration)
                });
                let (message, action) = (cell(&change.message), cell(&change.rule.action));
                let (level, told) = (change.level, cell(&told));
                line(text, format_args!("| {message} | {level} | {action} | {told} | `{id}` |"));
            }
            text.push('\n');
        }
    }

    fn questions(&self, text: &mut String) {
        for (trigger, answers) in &self.answers {
            line(
                text,
                format_args!("### Besides the payload: `{trigger}`\n\n| | | |\n|---|---|---|"),
            );
            for answer in answers {
                let because = cell(&answer.because.join("; "));
                line(
                    text,
                    format_args!("| {} | **{}** | {because} |", answer.question, answer.word()),
                );
            }
            text.push('\n');
        }
    }
}
