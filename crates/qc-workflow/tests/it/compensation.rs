//! The law of compensation: what completed is undone, all of it, the last one first.

use proptest::prelude::*;
use qc_model::Class;
use qc_workflow::{Happening, Outcome};
use serde_json::json;

use crate::driver::{Run, answer, compensated, failure, with_head};

/// Groups of tasks that call, one after the other or side by side, and an error at the end.
fn body() -> impl Strategy<Value = String> {
    let group = (0..3u8, 1..4usize).prop_map(|(how, count)| {
        let calls: Vec<String> =
            (0..count).map(|at| format!("{{ c{at}: {{ call: crm.create }} }}")).collect();
        let calls = calls.join(", ");
        match how {
            0 => format!("{{ do: [ {calls} ] }}"),
            1 => format!("{{ fork: {{ branches: [ {calls} ] }} }}"),
            _ => format!("{{ for: {{ in: '[1, 2]' }}, do: [ {calls} ] }}"),
        }
    });
    prop::collection::vec(group, 1..4).prop_map(|groups| {
        let named = groups.iter().enumerate().map(|(at, group)| format!("{{ g{at}: {group} }}"));
        let groups = named.collect::<Vec<_>>().join(", ");
        let stop = "{ stop: { raise: { error: { type: 'https://example.com/x', status: 500 } } } }";
        with_head(&format!("do: [ {groups}, {stop} ]\n"))
    })
}

/// Every call is undone by another one.
fn undoing(text: &str) -> String {
    let calls = ["c0", "c1", "c2"].into_iter().filter(|call| text.contains(&format!("{call}:")));
    let rules: Vec<String> = calls.map(|call| format!("{call}: {{ do: crm.upsert }}")).collect();
    rules.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_completed_is_undone_in_reverse_order(
        text in body(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 64),
        fails in prop::collection::vec(any::<bool>(), 64),
        stop_after in prop::option::of(0..12usize),
    ) {
        let program = compensated(&text, &undoing(&text)).expect("it compiles");
        let mut run = Run::start(program, json!({}), 7);
        let mut completed: Vec<String> = Vec::new();
        let (mut order, mut fails) = (order.into_iter(), fails.into_iter());
        let mut undone: Vec<(String, bool)> = Vec::new();
        while run.machine().outcome().is_none() {
            let Some(next) = order.next() else { break };
            let request = run.open.remove(next.index(run.open.len()));
            let (call, attempt) = (request.id.clone(), request.attempt);
            let undoing = call.pointer.starts_with("/compensate");
            let task = format!("{}:{}", call.pointer.trim_start_matches("/compensate"), call.visit);
            let failing = if undoing {
                fails.next().unwrap_or(false)
            } else {
                stop_after.is_some_and(|after| completed.len() >= after)
            };
            if undoing {
                undone.push((task, !failing));
            } else if !failing {
                completed.push(task);
            }
            run.tell(if failing {
                Happening::CallFailed { call, attempt, failure: failure(Class::NotFound) }
            } else {
                Happening::CallSucceeded { call, attempt, output: answer(json!(1)) }
            });
        }
        let Some(Outcome::Faulted { compensation, .. }) = run.machine().outcome() else {
            panic!("it faults");
        };
        completed.reverse();
        let names: Vec<&String> = undone.iter().map(|(task, _)| task).collect();
        prop_assert_eq!(names, completed.iter().collect::<Vec<_>>());
        let report: Vec<(String, bool)> = compensation
            .iter()
            .flat_map(|all| &all.undone)
            .map(|one| (one.task.to_string(), one.failure.is_none()))
            .collect();
        prop_assert_eq!(report, undone);
        run.tell(Happening::Reopened);
        prop_assert_eq!(run.machine().outcome().is_some(), !completed.is_empty());
    }
}
