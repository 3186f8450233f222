//! How to move from one version of a contract to another one.

use qc_contract::{Change, Comparison, Level, Mismatch, Options, Schema, compare};
use qc_model::{Finding, Timestamp};
use qc_version::{Date, Direction, Select, Versions, codes, gate::change_id, laws::Link};
use serde_json::{Value, json};

use super::{
    Marks, cell, line,
    snippet::Sending,
    terms::{Answer, answers},
};
use crate::{
    Project,
    check::{closest_or_list, examples},
    gate::{Audience, Offering, Sender, profile},
    project::IntegrationFolder,
    versions::VersionSpec,
};

/// The most pairs of payloads in a guide.
const PAIRS_MAX: usize = 6;

/// Between which versions of which contract.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The integration.
    pub integration: &'a str,
    /// Its trigger.
    pub trigger: &'a str,
    /// The older version.
    pub from: &'a str,
    /// The newer one.
    pub to: &'a str,
}

/// A payload before and after: each admitted by the contract of its version.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Where the first one stands in the integration's folder; none when it was made from the contract.
    pub example: Option<String>,
    /// In the older version.
    pub before: Value,
    /// In the newer one.
    pub after: Value,
}

/// How to move on.
#[derive(Debug, Clone)]
pub struct Guide {
    marks: Marks,
    comparison: Comparison,
    answers: [Answer; 3],
    pairs: Vec<Pair>,
    lost_up: Vec<String>,
    lost_down: Vec<String>,
    steps: Vec<String>,
    select: Select,
    pinned: Vec<String>,
    until: Option<Date>,
    is_default: bool,
    has_replies: bool,
    /// By what a repeat is known.
    key: Option<String>,
    sending: Sending,
}

/// Makes a guide.
///
/// Errors: what cannot be read, versions that are not there or not in order, and a pair that does not hold.
pub fn guide(project: &Project, request: Request<'_>) -> Result<Guide, Vec<Finding>> {
    let Request { integration, trigger, .. } = request;
    let versions = project.versions_of(integration, trigger)?;
    let (from, to) = ends(&versions, request)?;
    let folder = project.integration(integration).map_err(|finding| vec![*finding])?;
    let spec = folder.definition.as_ref().and_then(|file| file.value.triggers.get(trigger));
    let file = spec.and_then(|spec| folder.versions.get(&spec.versions.as_ref()?.path));
    // Versions that could be put together have both.
    let (Some(spec), Some(file)) = (spec, file) else { return Err(Vec::new()) };
    let written: Vec<(&str, &VersionSpec)> =
        file.value.versions.iter().map(|(name, it)| (name.value.as_str(), it)).collect();
    let (audience, now) = (Audience::One(Sender::default()), Timestamp::from_millis(0));
    let offering = Offering { project, folder, integration, audience, now, usage: None };
    let offered = |at: usize| offering.of_version((trigger, spec), written[at]);
    let weighed = profile(project, std::time::Duration::ZERO)?;
    let options = Options { profile: &weighed, today: None };
    let comparison = compare(&offered(from)?, &offered(to)?, options);
    if comparison.is_cut_short {
        let message = format!(
            "what changes from {} to {} was cut short by a limit: a guide would not be whole",
            request.from, request.to
        );
        return Err(vec![Finding::error(codes::PAIR, message).help("make the contracts smaller")]);
    }
    let pairs = pairs(project, folder, &versions, (from, to), &written[from].1.contract.path)?;
    let lost = |direction: Direction| -> Vec<String> {
        let links = from..to;
        links
            .flat_map(|link| versions.events().link(link))
            .filter_map(|step| step.loses(direction))
            .collect()
    };
    let steps = (from..to).flat_map(|link| versions.events().link(link)).map(ToString::to_string);
    let older = &versions.entries()[from];
    let pinned = versions.pins().filter(|(_, entry)| entry.name == older.name);
    Ok(Guide {
        marks: marks(request),
        // One trigger has the same terms in each version: what differs is in the comparison.
        answers: answers(None, &comparison),
        comparison,
        pairs,
        lost_up: lost(Direction::Up),
        lost_down: lost(Direction::Down),
        steps: steps.collect(),
        select: versions.select.clone(),
        pinned: pinned.map(|(name, _)| name.to_owned()).collect(),
        until: older.window.supported_until(project.minimum_support()),
        is_default: versions.usual() == from,
        has_replies: older.reply.is_some() && versions.entries()[to].reply.is_some(),
        key: spec.idempotency.as_ref().map(|it| it.key.source.replace('`', "'")),
        sending: Sending::of(integration, trigger, spec),
    })
}

fn marks(request: Request<'_>) -> Marks {
    Marks {
        trigger: format!("{}/{}", request.integration, request.trigger),
        from: request.from.to_owned(),
        to: request.to.to_owned(),
    }
}

/// The two versions, the older one first.
fn ends(versions: &Versions, request: Request<'_>) -> Result<(usize, usize), Vec<Finding>> {
    let index = |name: &str| {
        versions.named(name).map_err(|unknown| {
            let known = versions.entries().iter().map(|entry| entry.name.as_str());
            let finding = Finding::error(codes::REFERENCE, unknown.to_string());
            vec![finding.help(closest_or_list(name, known))]
        })
    };
    let (from, to) = (index(request.from)?, index(request.to)?);
    if from < to {
        return Ok((from, to));
    }
    let message = format!("`{}` is not older than `{}`", request.from, request.to);
    let help = "a guide leads from an older version to a newer one; the way back is in it";
    Err(vec![Finding::error(codes::REFERENCE, message).help(help)])
}

/// Each example of the older version with what becomes of it: never one that either contract does not admit.
fn pairs(
    project: &Project,
    folder: &IntegrationFolder,
    versions: &Versions,
    (from, to): (usize, usize),
    contract: &str,
) -> Result<Vec<Pair>, Vec<Finding>> {
    let given = examples(project, folder, contract);
    let mut before: Vec<(Option<String>, Value)> =
        given.into_iter().map(|(path, document)| (Some(path), document)).collect();
    let older = &versions.entries()[from].contract;
    if before.is_empty() {
        let newer = &versions.entries()[from + 1].contract;
        let link = Link { older, newer, steps: versions.events().link(from) };
        let made = link.documents(Direction::Up, &[]);
        before.extend(made.into_iter().take(1).map(|document| (None, document)));
    }
    if before.is_empty() {
        let message = format!("no document of `{contract}` could be made to show");
        let help = "put examples into `contracts/examples/valid`, named after the contract";
        return Err(vec![Finding::error(codes::PAIR, message).help(help)]);
    }
    before.truncate(PAIRS_MAX);
    let (mut pairs, mut wrong) = (Vec::new(), Vec::new());
    for (example, document) in before {
        match pair(versions, (from, to), &document) {
            Ok(after) => pairs.push(Pair { example, before: document, after }),
            Err(why) => {
                let shown = example.as_deref().unwrap_or("a document made from the contract");
                let message = format!("`{shown}` makes no pair: {why}");
                let help = "mend the example, or the steps in `to_next`; `qc check` tries them";
                wrong.push(Finding::error(codes::PAIR, message).help(help));
            }
        }
    }
    if wrong.is_empty() { Ok(pairs) } else { Err(wrong) }
}

/// What becomes of a document, and that it can go back.
fn pair(versions: &Versions, (from, to): (usize, usize), before: &Value) -> Result<Value, String> {
    let entries = versions.entries();
    let held = |at: usize, document: &Value| {
        let contract: &Schema = &entries[at].contract;
        contract.check(document).first().map_or(Ok(()), |mismatch: &Mismatch| {
            Err(format!("version {} does not admit it: {mismatch}", entries[at].name))
        })
    };
    held(from, before)?;
    let chain = versions.events();
    let after = chain.convert(before.clone(), from, to).map_err(|error| error.to_string())?;
    held(to, &after)?;
    let back = chain.convert(after.clone(), to, from).map_err(|error| error.to_string())?;
    held(from, &back)?;
    Ok(after)
}

impl Guide {
    /// Whose it is.
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The pairs.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// The three answers.
    pub fn answers(&self) -> &[Answer; 3] {
        &self.answers
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let changes = self.comparison.changes.iter().map(|change| {
            json!({
                "id": change_id(change),
                "rule": change.rule.id,
                "level": change.level.as_str(),
                "message": change.message,
                "action": change.rule.action,
            })
        });
        let pairs = self.pairs.iter().map(
            |pair| json!({ "example": pair.example, "before": pair.before, "after": pair.after }),
        );
        json!({
            "schema_version": 1,
            "trigger": self.marks.trigger,
            "from": self.marks.from,
            "to": self.marks.to,
            "answers": self.answers.iter().map(Answer::to_json).collect::<Vec<_>>(),
            "changes": changes.collect::<Vec<_>>(),
            "pairs": pairs.collect::<Vec<_>>(),
            "steps": self.steps,
            "lost": { "up": self.lost_up, "down": self.lost_down },
            "supported_until": self.until.map(|date| date.to_string()),
        })
    }

    /// For people, without its marks.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        self.questions(&mut text);
        self.changes(&mut text);
        self.payloads(&mut text);
        self.patch(&mut text);
        self.checks(&mut text);
        self.way_back(&mut text);
        text
    }

    fn questions(&self, text: &mut String) {
        text.push_str("## What changes besides the payload\n\n| | | |\n|---|---|---|\n");
        for answer in &self.answers {
            let because = cell(&answer.because.join("; "));
            line(text, format_args!("| {} | **{}** | {because} |", answer.question, answer.word()));
        }
        text.push('\n');
    }

    fn changes(&self, text: &mut String) {
        text.push_str("## What changes\n\n");
        if self.comparison.changes.is_empty() {
            text.push_str("Nothing that the contracts say.\n\n");
            return;
        }
        text.push_str("| change | weight | what to do | id |\n|---|---|---|---|\n");
        for change in &self.comparison.changes {
            let Change { message, level, rule, .. } = change;
            let action = if *level == Level::Cosmetic { "Nothing." } else { &rule.action };
            let (message, action, id) = (cell(message), cell(action), change_id(change));
            line(text, format_args!("| {message} | {level} | {action} | `{id}` |"));
        }
        text.push('\n');
    }

    fn payloads(&self, text: &mut String) {
        let Marks { from, to, .. } = &self.marks;
        text.push_str("## Payloads before and after\n\n");
        line(text, format_args!("Each is admitted by the contract of its version.\n"));
        for pair in &self.pairs {
            match &pair.example {
                Some(path) => line(text, format_args!("From `{path}`. Before, in {from}:\n")),
                None => line(text, format_args!("Made from the contract. Before, in {from}:\n")),
            }
            fence(text, "json", &pretty(&pair.before));
            line(text, format_args!("After, in {to}:\n"));
            fence(text, "json", &pretty(&pair.after));
        }
        let Some(pair) = self.pairs.first() else { return };
        text.push_str("## Sending it\n\n");
        line(text, format_args!("{}\n", self.sending.said()));
        if let Some(script) = self.sending.script(&self.select, to, &pretty(&pair.after)) {
            fence(text, "sh", &script);
        }
        let header = &self.select.header;
        line(
            text,
            format_args!(
                "The answer says `{header}: {to}`, which is the version that was spoken.\n"
            ),
        );
    }

    fn patch(&self, text: &mut String) {
        let Marks { trigger, from, to } = &self.marks;
        text.push_str("## Rewriting your own payloads\n\n");
        text.push_str("The steps, in their order:\n\n");
        for step in &self.steps {
            line(text, format_args!("- `{}`", step.replace('`', "'")));
        }
        text.push('\n');
        for lost in &self.lost_down {
            line(text, format_args!("Lost when a {to} document is taken back: {}.\n", cell(lost)));
        }
        for lost in &self.lost_up {
            line(text, format_args!("Lost on the way: {}.\n", cell(lost)));
        }
        text.push_str("Files with payloads (JSON, or one document on each line) are rewritten by them; look first, then write:\n\n");
        let ways = format!("--trigger {trigger} --from {from} --to {to}");
        let script = format!("qc migrate FILE... {ways} --dry-run\nqc migrate FILE... {ways}\n");
        fence(text, "console", &script);
    }

    fn checks(&self, text: &mut String) {
        let Marks { trigger, from, to } = &self.marks;
        text.push_str("## Checking that it is done\n\n");
        let script =
            format!("qc migrate FILE... --trigger {trigger} --from {from} --to {to} --verify\n");
        fence(text, "console", &script);
        line(
            text,
            format_args!(
                "It answers `passed` or `failed` for each document: {to} admits it, and what goes back to {from} and \
                 returns is what it was, but for what the steps lose. It ends with 100 when one failed.\n"
            ),
        );
    }

    fn way_back(&self, text: &mut String) {
        let Marks { trigger, from, to } = &self.marks;
        text.push_str("## Going back\n\n");
        let ends = match self.until {
            Some(until) => {
                format!("Until {until} (that day not included) {from} answers as before.")
            }
            None => format!("{from} answers as before; no end of it is announced."),
        };
        line(
            text,
            format_args!("{ends} Say the older version again and send the older payload:\n"),
        );
        // Another event than the one that is sent above, where there is one.
        if let Some(pair) = self.pairs.last()
            && let Some(script) = self.sending.script(&self.select, from, &pretty(&pair.before))
        {
            fence(text, "sh", &script);
        }
        if let Some(key) = &self.key {
            line(
                text,
                format_args!(
                    "A repeat is known by `{key}`: an event that was taken in one version is refused when it comes again in \
                     another one, since its body is another. Go on with new events.\n"
                ),
            );
        }
        if self.is_default {
            line(text, format_args!("Who says no version and has no pin speaks {from}.\n"));
        }
        if !self.pinned.is_empty() {
            let names: Vec<String> = self.pinned.iter().map(|name| format!("`{name}`")).collect();
            let names = names.join(", ");
            line(
                text,
                format_args!("Pinned to {from}, and so speaking it when they say none: {names}.\n"),
            );
        }
        if self.has_replies {
            line(
                text,
                format_args!(
                    "Who waits for the run gets the answer in the version that was spoken.\n"
                ),
            );
        }
        text.push_str("Payloads that were rewritten already are taken back the same way:\n\n");
        let script = format!("qc migrate FILE... --trigger {trigger} --from {to} --to {from}\n");
        fence(text, "console", &script);
    }
}

fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(document).unwrap_or_default()
}

/// Code in a fence that it cannot end.
fn fence(text: &mut String, kind: &str, code: &str) {
    let mut ticks = "```".to_owned();
    while code.contains(&ticks) {
        ticks.push('`');
    }
    line(text, format_args!("{ticks}{kind}\n{}\n{ticks}\n", code.trim_end()));
}
