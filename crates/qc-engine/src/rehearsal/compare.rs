//! What of the effects is different.

use std::collections::BTreeMap;

use qc_workflow::Outcome;
use serde_json::Value;

use super::{
    origin::{Origins, push},
    past::Past,
    play::{Done, Played, Stop},
    report::{Difference, DifferenceKind, FieldDifference},
};

/// So many differences of a run are told.
const DIFFERENCES_MAX: usize = 100;
/// So many fields of one effect are told.
const FIELDS_MAX: usize = 20;
/// How deep documents are compared; what is deeper is the same or not as a whole.
const DEEPEST: usize = 64;
/// What is not there.
const ABSENT: &str = "nothing";

/// Whether a run came out as it did when it really ran.
pub(super) fn reproduces(past: &Past, own: &Played) -> bool {
    let asks = past.asks.iter().enumerate();
    own.stopped.is_none()
        && own.end.as_ref() == Some(&past.end)
        && own.done.len() == past.asks.len()
        && own.done.iter().zip(asks).all(|(done, (index, ask))| {
            done.of == Some(index) && done.deed == ask.deed && done.attempts == ask.attempts.len()
        })
}

/// What is different on the candidate. `own` is the run as its own release plays it.
pub(super) fn differences(
    past: &Past,
    own: &Played,
    candidate: &Played,
    origins: &Origins,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let matched: BTreeMap<usize, &Done> =
        candidate.done.iter().filter_map(|done| Some((done.of?, done))).collect();
    for (index, ask) in past.asks.iter().enumerate() {
        match matched.get(&index) {
            Some(done) => of_deed(ask.attempts.len(), &ask.deed, done, origins, &mut found),
            // What comes after a stop is not known.
            None if candidate.stopped.is_some() => {}
            None => found.push(plain(DifferenceKind::Missing, &ask.deed, String::new())),
        }
    }
    for done in candidate.done.iter().filter(|done| done.of.is_none()) {
        found.push(plain(DifferenceKind::Added, &done.deed, String::new()));
    }
    let order: Vec<usize> = candidate.done.iter().filter_map(|done| done.of).collect();
    for index in moved(&order) {
        found.push(plain(DifferenceKind::Moved, &past.asks[index].deed, String::new()));
    }
    of_end(own, candidate, origins, &mut found);
    found.sort();
    found.truncate(DIFFERENCES_MAX);
    found
}

fn plain(kind: DifferenceKind, deed: &super::deed::Deed, detail: String) -> Difference {
    Difference {
        kind,
        effect: deed.label.clone(),
        task: deed.task.clone(),
        fields: Vec::new(),
        detail,
    }
}

fn of_deed(
    attempts: usize,
    then: &super::deed::Deed,
    done: &Done,
    origins: &Origins,
    found: &mut Vec<Difference>,
) {
    let now = &done.deed;
    match (&then.refused, &now.refused) {
        (None, None) => {
            let fields = fields(&then.document, &now.document, origins);
            if !fields.is_empty() {
                found.push(Difference {
                    fields,
                    ..plain(DifferenceKind::Changed, now, String::new())
                });
            }
        }
        (None, Some(code)) => {
            let detail = format!("the policy of data lets it go no more ({code})");
            found.push(plain(DifferenceKind::Policy, now, detail));
        }
        (Some(code), None) => {
            let detail = format!("the policy of data did not let it go ({code}), and does now");
            found.push(plain(DifferenceKind::Policy, now, detail));
        }
        (Some(_), Some(_)) => {}
    }
    if attempts != done.attempts {
        let detail = format!("{attempts} then, {} now", done.attempts);
        found.push(plain(DifferenceKind::Attempts, now, detail));
    }
}

fn of_end(own: &Played, candidate: &Played, origins: &Origins, found: &mut Vec<Difference>) {
    let mut of_run = |kind, fields, detail| {
        let (effect, task) = (String::new(), String::new());
        found.push(Difference { kind, effect, task, fields, detail });
    };
    if let Some(stop) = &candidate.stopped {
        let detail = match stop {
            Stop::NoAnswer { label, task } => {
                format!("`{task}` asks `{label}`, and no answer to that is recorded")
            }
            Stop::Waits => "it waits for something that never came".to_owned(),
            Stop::TooLong => "it does not come to its end".to_owned(),
        };
        of_run(DifferenceKind::Unfinished, Vec::new(), detail);
        return;
    }
    let (then, now) = (own.end.as_ref().map(told), candidate.end.as_ref().map(told));
    if then != now {
        let said = |end: Option<String>| end.unwrap_or_else(|| "no end".to_owned());
        of_run(
            DifferenceKind::Outcome,
            Vec::new(),
            format!("{} then, {} now", said(then), said(now)),
        );
    }
    if let (Some(then), Some(now)) = (&own.reply, &candidate.reply) {
        let fields = fields(then, now, origins);
        if !fields.is_empty() {
            of_run(DifferenceKind::Reply, fields, String::new());
        }
    }
}

/// An end in words without data.
fn told(end: &Outcome) -> String {
    let undone = |undone: bool| if undone { ", with what it did undone" } else { "" };
    match end {
        Outcome::Completed { .. } => "completed".to_owned(),
        Outcome::Faulted { failure, compensation, .. } => {
            format!("faulted ({}){}", failure.code, undone(compensation.is_some()))
        }
        Outcome::Cancelled { compensation, .. } => {
            format!("cancelled{}", undone(compensation.is_some()))
        }
    }
}

/// Those that are not in the longest run of what kept its order.
fn moved(order: &[usize]) -> Vec<usize> {
    // The length of the longest rise that ends at each, and what stands before it there.
    let mut best: Vec<(usize, Option<usize>)> = Vec::with_capacity(order.len());
    for (at, value) in order.iter().enumerate() {
        let before = (0..at).filter(|earlier| order[*earlier] < *value);
        let longest = before.max_by_key(|earlier| best[*earlier].0);
        best.push((longest.map_or(1, |earlier| best[earlier].0 + 1), longest));
    }
    let mut kept = vec![false; order.len()];
    let mut at = (0..order.len()).rev().max_by_key(|at| best[*at].0);
    while let Some(here) = at {
        kept[here] = true;
        at = best[here].1;
    }
    let out = order.iter().zip(&kept).filter(|(_, kept)| !**kept);
    out.map(|(value, _)| *value).collect()
}

/// The fields in which two documents differ.
fn fields(then: &Value, now: &Value, origins: &Origins) -> Vec<FieldDifference> {
    let mut found = Vec::new();
    walk(Some(then), Some(now), &mut String::new(), DEEPEST, origins, &mut found);
    found
}

fn walk(
    then: Option<&Value>,
    now: Option<&Value>,
    pointer: &mut String,
    left: usize,
    origins: &Origins,
    found: &mut Vec<FieldDifference>,
) {
    if then == now || found.len() >= FIELDS_MAX {
        return;
    }
    let mut down = |name: &str, then: Option<&Value>, now: Option<&Value>| {
        let length = pointer.len();
        push(pointer, name);
        walk(then, now, pointer, left - 1, origins, found);
        pointer.truncate(length);
    };
    match (then, now) {
        (Some(Value::Object(then)), Some(Value::Object(now))) if left > 0 => {
            for (name, value) in then {
                down(name, Some(value), now.get(name));
            }
            for (name, value) in now.iter().filter(|(name, _)| !then.contains_key(*name)) {
                down(name, None, Some(value));
            }
        }
        (Some(Value::Array(then)), Some(Value::Array(now))) if left > 0 => {
            for index in 0..then.len().max(now.len()) {
                down(&index.to_string(), then.get(index), now.get(index));
            }
        }
        (then, now) => {
            let tell = |value: Option<&Value>| {
                value.map_or_else(|| ABSENT.to_owned(), |value| origins.tell(value))
            };
            found.push(FieldDifference {
                pointer: pointer.clone(),
                was: tell(then),
                is: tell(now),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_moved_is_what_breaks_the_longest_order() {
        assert!(moved(&[0, 1, 4, 7]).is_empty());
        assert_eq!(moved(&[3, 0, 1, 2]), [3]);
        assert_eq!(moved(&[0, 2, 1, 3]).len(), 1);
        assert!(moved(&[]).is_empty());
    }

    #[test]
    fn fields_are_told_by_places_and_kinds_and_never_by_values() {
        let mut origins = Origins::default();
        origins.learn("the event's", &json!({"data": {"net": 81, "gross": 97, "who": "Ada"}}));
        let then =
            json!({"amount": 97, "lines": [{"a": 1}], "to": "Ada", "x": {"ada@example.com": 1}});
        let now = json!({
            "amount": 81, "lines": [{"a": 1}, {"a": 2}], "x": {"ada@example.com": 2}, "more": "Ada"
        });
        let told = fields(&then, &now, &origins);
        let short: Vec<(&str, &str, &str)> =
            told.iter().map(|it| (&*it.pointer, &*it.was, &*it.is)).collect();
        assert_eq!(
            short,
            [
                (
                    "/amount",
                    "a number, the event's `/data/gross`",
                    "a number, the event's `/data/net`"
                ),
                ("/lines/1", "nothing", "an object"),
                ("/to", "a text, the event's `/data/who`", "nothing"),
                ("/x/*", "a number", "a number"),
                ("/more", "nothing", "a text, the event's `/data/who`"),
            ]
        );
    }

    #[test]
    fn a_value_that_stands_at_two_places_comes_from_neither() {
        let mut origins = Origins::default();
        origins.learn("the event's", &json!({"a": 7, "b": 7, "c": 8}));
        assert_eq!(origins.tell(&json!(7)), "a number");
        origins.learn("`ask` answered it at", &json!({"c": 8, "d": 9}));
        assert_eq!(origins.tell(&json!(7)), "a number");
        assert_eq!(origins.tell(&json!(8)), "a number, the event's `/c`", "repeated by others");
        assert_eq!(origins.tell(&json!(9)), "a number, `ask` answered it at `/d`");
    }
}
