//! A run's journal in words. What this version has no words for is shown as it stands.

use serde_json::Value;

/// The longest line of raw facts.
const LONGEST: usize = 160;

/// One entry in a line: its time of day, to the millisecond, and what happened.
pub(super) fn line(entry: &Value) -> String {
    let at = entry["at"].as_str().unwrap_or_default();
    let time: String = at.chars().skip(11).take(12).collect();
    format!("{time}  {}", words(entry).unwrap_or_else(|| raw(entry)))
}

fn words(entry: &Value) -> Option<String> {
    match entry["what"].as_str()? {
        "start" => {
            let from = entry["traceparent"].as_str().map(|trace| format!(", trace {trace}"));
            Some(format!(
                "accepted, {}{}",
                size(&entry["start"]["input"]),
                from.unwrap_or_default()
            ))
        }
        "intent" => {
            Some(format!("{} is sent, attempt {}", call(&entry["call"])?, entry["attempt"]))
        }
        "begun" => Some("its turn came: it begins".to_owned()),
        "never_begun" => Some(format!("cancelled before it began: {}", entry["reason"].as_str()?)),
        "parked" => {
            Some(format!("{} is parked: {}", call(&entry["call"])?, failure(&entry["failure"])))
        }
        "not_applied" => {
            let by = entry["by"]["id"].as_str().unwrap_or("somebody");
            Some(format!("{} did not take effect, says {by}", call(&entry["call"])?))
        }
        "person" => person(&entry["step"]),
        "input" => told(&entry["input"]["happening"]),
        _ => None,
    }
}

/// What happened to what a person is asked.
fn person(step: &Value) -> Option<String> {
    let by = |of: &Value| of["by"]["id"].as_str().unwrap_or("somebody").to_owned();
    Some(match step["step"].as_str()? {
        "opened" => {
            let task = &step["task"];
            let first = task["ladder"][0]["to"].as_str()?;
            format!("task {} for {first}: {}", task["number"], task["title"].as_str()?)
        }
        "escalated" => format!("task {}: level {} is asked", step["number"], step["level"]),
        "moved" => {
            let (number, to) = (&step["number"], &step["to"]);
            let said = match to["state"].as_str()? {
                "claimed" => format!("taken by {}", by(to)),
                "decided" => {
                    let decision = &to["decision"];
                    format!("{} by {}", decision["answer"].as_str()?, by(decision))
                }
                "acted" => format!("{} by {}", to["act"].as_str()?, by(to)),
                "expired" => "nobody answered in time".to_owned(),
                "closed" => format!("closed, {}", to["why"].as_str()?),
                _ => return None,
            };
            format!("task {number}: {said}")
        }
        _ => return None,
    })
}

fn told(happening: &Value) -> Option<String> {
    match happening["kind"].as_str()? {
        "call_succeeded" => {
            let output = &happening["output"];
            let (status, content) = (&output["status"], size(&output["content"]));
            Some(format!("{} answered {status}, {content}", call(&happening["call"])?))
        }
        "call_failed" => Some(format!(
            "{} failed: {}",
            call(&happening["call"])?,
            failure(&happening["failure"])
        )),
        "event_received" => {
            let event = &happening["event"];
            let word = |key: &str| event[key].as_str().unwrap_or_default();
            let kind = word("type");
            Some(format!("{} took the event {} `{kind}`", call(&happening["listen"])?, word("id")))
        }
        "child_started" => Some(format!(
            "{} runs {}",
            call(&happening["id"])?,
            happening["run"].as_str().unwrap_or_default()
        )),
        "child_ended" => {
            let outcome = &happening["outcome"];
            let how = outcome["kind"].as_str().unwrap_or_default();
            let why = match how {
                "faulted" => format!(": {}", failure(&outcome["failure"])),
                _ => String::new(),
            };
            Some(format!("what {} ran is {how}{why}", call(&happening["id"])?))
        }
        "timer_fired" => Some("a timer was due".to_owned()),
        "put_off" => {
            let word = |key: &str| happening[key].as_str().unwrap_or_default();
            let (until, why) = (word("until"), word("why"));
            Some(format!("{} is put off until {until}: {why}", call(&happening["call"])?))
        }
        "probed" => Some(format!("{} is tried: its system may be back", call(&happening["call"])?)),
        "not_held" => {
            Some(format!("{} is not held: too many wait for its system", call(&happening["call"])?))
        }
        "cancelled" => {
            Some(format!("cancelled: {}", happening["reason"].as_str().unwrap_or_default()))
        }
        "reopened" => Some("opened again at the task that failed".to_owned()),
        _ => None,
    }
}

/// A call as people know it: its task, and the visit when it was not the first.
fn call(id: &Value) -> Option<String> {
    let task = id["pointer"].as_str()?.rsplit('/').next()?;
    let visit = id["visit"].as_str()?;
    let undoes = id["pointer"].as_str()?.starts_with("/compensate/");
    let again = visit.chars().any(|c| c.is_ascii_digit() && c != '0');
    let task = if again { format!("{task} (visit {visit})") } else { task.to_owned() };
    Some(if undoes { format!("the undoing of {task}") } else { task })
}

/// A task that was to be undone, and why it was not.
pub(super) fn undone(one: &Value) -> String {
    let task = call(&one["task"]).unwrap_or_else(|| raw(one));
    if one["failure"].is_null() {
        task
    } else {
        format!("{task}: NOT undone: {}", failure(&one["failure"]))
    }
}

fn failure(failure: &Value) -> String {
    let word = |key: &str| failure[key].as_str().unwrap_or_default();
    let doubt = if word("applied") == "maybe" { "; it may have taken effect" } else { "" };
    format!("{} {}{doubt}", word("code"), word("detail"))
}

fn size(value: &Value) -> String {
    format!("{} bytes", value.to_string().len())
}

fn raw(entry: &Value) -> String {
    let text = entry.to_string();
    let cut: String = text.chars().take(LONGEST).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("{cut}{more}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entries_are_said_in_words() {
        let id = json!({"pointer": "/do/0/createTicket", "visit": "0"});
        let failed =
            json!({"code": "QC-N105", "detail": "the connection broke off", "applied": "maybe"});
        for (entry, said) in [
            (
                json!({"what": "intent", "call": id, "attempt": 2}),
                "createTicket is sent, attempt 2",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "call_failed", "call": id, "failure": failed}}}),
                "createTicket failed: QC-N105 the connection broke off; it may have taken effect",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "event_received",
                    "listen": id, "event": {"id": "e1", "type": "paid"}}}}),
                "createTicket took the event e1 `paid`",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "child_ended", "id": id,
                    "outcome": {"kind": "completed"}}}}),
                "what createTicket ran is completed",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "put_off", "call": id,
                    "until": "2026-11-23T06:00:00.000Z", "why": "its quiet hours last"}}}),
                "createTicket is put off until 2026-11-23T06:00:00.000Z: its quiet hours last",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "probed", "call": id}}}),
                "createTicket is tried: its system may be back",
            ),
            (
                json!({"what": "input", "input": {"happening": {"kind": "reopened"}}}),
                "opened again at the task that failed",
            ),
            (
                json!({"what": "person", "step": {"step": "opened", "task": {"number": 1,
                    "title": "Pay?", "ladder": [{"to": "finance"}]}}}),
                "task 1 for finance: Pay?",
            ),
            (
                json!({"what": "person", "step": {"step": "moved", "number": 1, "to": {
                    "state": "decided", "decision": {"answer": "approved", "by": {"id": "ada"}}}}}),
                "task 1: approved by ada",
            ),
            (
                json!({"what": "intent", "attempt": 1,
                    "call": {"pointer": "/compensate/do/0/open", "visit": "0"}}),
                "the undoing of open is sent, attempt 1",
            ),
        ] {
            let mut entry = entry;
            entry["at"] = json!("2026-11-22T16:36:48.221Z");
            assert_eq!(line(&entry), format!("16:36:48.221  {said}"));
        }
    }

    #[test]
    fn a_later_visit_is_named_and_an_unknown_entry_is_shown_as_it_stands() {
        let again = json!({"at": "2026-11-22T16:36:48.221Z", "what": "intent", "attempt": 1,
            "call": {"pointer": "/do/0/loop/do/0/send", "visit": "0.3"}});
        assert!(line(&again).ends_with("send (visit 0.3) is sent, attempt 1"));
        let unknown = json!({"at": "2026-11-22T16:36:48.221Z", "what": "moon"});
        assert!(line(&unknown).contains("\"moon\""));
    }
}
