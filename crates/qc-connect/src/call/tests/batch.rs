//! Calls that go in one request.

use proptest::prelude::*;
use qc_model::{Applied, Class};

use super::*;
use crate::{
    call::{Binding, Member, Quota, View},
    codes,
};

const BATCH: &str = "
    batch: { operation: addNotes, max: 50, body: '{ all: . }', results: .results, status: .status, output: .note }
";

/// A desk whose notes go together, with these keys of `batch` in place of the usual ones.
fn desk(batch: &str) -> World {
    world_with(|connector| connector.trim_end().to_owned() + batch)
}

struct Calls(Vec<(CallRequest, EffectContext)>);

impl Calls {
    fn of(world: &World, arguments: impl IntoIterator<Item = Value>) -> Self {
        let call = |(n, arguments)| {
            let key = format!("qc:run_{n}:/do/0/open:0");
            (world.call("addNote", arguments), EffectContext { key, ..world.effect.clone() })
        };
        Self(arguments.into_iter().enumerate().map(call).collect())
    }

    async fn together(&self, world: &World) -> crate::call::Together {
        let member = |(call, effect)| Member {
            release: &world.release,
            environment: &world.scope,
            call,
            effect,
        };
        let members: Vec<Member<'_>> =
            self.0.iter().map(|(call, effect)| member((call, effect))).collect();
        world.outbound.perform_together(&members).await
    }
}

fn entries(entries: &[Value]) -> Reply {
    answer(200, &json!({ "results": entries }))
}

#[tokio::test]
async fn each_has_its_own_key_answer_and_failure() {
    let world = desk(BATCH);
    world.will([entries(&[
        json!({"status": 200, "note": {"id": 1}}),
        json!({"status": 409, "code": "duplicate", "message": "there already"}),
        json!({"status": 503}),
    ])]);
    let bodies = ["a", "b", "c"].map(|text| json!({ "text": text }));
    let done = Calls::of(&world, bodies).together(&world).await;
    let seen = world.seen();
    assert_eq!((seen.len(), seen[0].url.as_str()), (1, "https://desk.test/v2/notes/all"));
    let all = seen[0].json()["all"].as_array().unwrap().clone();
    assert_eq!(all.iter().map(|one| one["text"].as_str().unwrap()).collect::<String>(), "abc");
    let keys: std::collections::BTreeSet<_> = all.iter().map(|one| one["key"].as_str()).collect();
    assert_eq!(keys.len(), 3);
    assert_eq!(seen[0].header("idempotency-key"), "", "the keys are in the bodies");
    let each: Vec<Performed> = done.each.into_iter().map(Option::unwrap).collect();
    assert_eq!(each[0].result.as_ref().unwrap().content, json!({"id": 1}));
    let conflict = failed(&each[1]);
    assert_eq!((conflict.class, conflict.applied), (Class::Conflict, Applied::No));
    assert_eq!(conflict.data.as_ref().unwrap()["message"], "there already");
    assert_eq!((failed(&each[2]).status, failed(&each[2]).applied), (503, Applied::Maybe));
    let requests: Vec<u32> = each.iter().map(|one| one.record.requests).collect();
    assert_eq!(requests, [1, 0, 0]);
    assert_eq!(each[1].record.status, Some(409));
    assert!(each.iter().all(|one| one.record.sent && one.record.together == 3));
    let whole = &done.wholes[0].performed;
    assert_eq!(whole.record.operation.as_deref(), Some("addNotes"));
    assert_eq!((whole.record.requests, whole.tells().0), (1, qc_pace::Outcome::Dealt));
}

#[tokio::test]
async fn secrets_of_one_are_not_read_in_the_answer_to_another() {
    let world = desk(BATCH);
    let secret = mark().placeholder("api");
    world.will([entries(&[
        json!({"status": 200, "note": {"echo": "t0ken-one"}}),
        json!({"status": 200, "note": {"echo": "t0ken-one"}}),
    ])]);
    let calls = Calls::of(&world, [json!({"text": secret}), json!({"text": "b"})]);
    let done = calls.together(&world).await;
    assert!(world.seen()[0].body.contains("t0ken-one"), "it is sent");
    for one in done.each {
        let content = one.unwrap().result.unwrap().content;
        assert!(!content.to_string().contains("t0ken"), "{content}");
    }
}

#[tokio::test]
async fn a_failure_of_the_request_is_that_of_each_and_leaves_no_certainty() {
    let world = desk(BATCH);
    let three = || (0..3).map(|n| json!({ "text": n.to_string() }));
    world.will([
        broken(CallErrorKind::Reset, true),
        reply(429, &[("retry-after", "60")], ""),
        answer(200, &json!({"results": [{"status": 200}]})),
        answer(200, &json!({"results": [{"status": 200}, {"status": "??"}, {"status": "200"}]})),
        reply(200, &[("content-type", "application/json")], "{]"),
    ]);
    let mut seen = Vec::new();
    for _ in 0..5 {
        let done = Calls::of(&world, three()).together(&world).await;
        let of = |one: &Option<Performed>| {
            let result = &one.as_ref().unwrap().result;
            result
                .as_ref()
                .err()
                .map(|f| (f.code.to_string(), f.applied, f.stated_pause().is_some()))
        };
        seen.push(done.each.iter().map(of).collect::<Vec<_>>());
    }
    let all = |code: &str, applied, stated| vec![Some((code.to_owned(), applied, stated)); 3];
    assert_eq!(seen[0], all("QC-N105", Applied::Maybe, false));
    assert_eq!(seen[1], all("QC-N107", Applied::No, true));
    assert_eq!(seen[2], all("QC-N126", Applied::Maybe, false));
    assert_eq!(seen[3][0], None);
    assert_eq!(seen[3][1], all("QC-N126", Applied::Maybe, false)[0]);
    assert_eq!(seen[3][2], None);
    assert_eq!(seen[4], all("QC-N113", Applied::Maybe, false));
}

/// The connector's error map knows answers with `ok: false` as refusals. An answer to many that says so of one refuses
/// none of the others.
#[tokio::test]
async fn the_error_map_judges_calls_and_not_their_request() {
    let batch = "
    batch: { operation: addNotes, max: 50, body: '{ all: . }', results: .results }
";
    let world = desk(batch);
    let refused = json!({"ok": false, "error": "no"});
    world.will([answer(
        200,
        &json!({"ok": false, "error": "some", "results": [{"id": 1}, refused]}),
    )]);
    let done =
        Calls::of(&world, [json!({"text": "a"}), json!({"text": "b"})]).together(&world).await;
    let each: Vec<Performed> = done.each.into_iter().map(Option::unwrap).collect();
    assert_eq!(each[0].result.as_ref().unwrap().content, json!({"id": 1}));
    assert_eq!(
        (&failed(&each[1]).code, failed(&each[1]).applied),
        (&codes::MAPPED_ERROR, Applied::No)
    );
}

#[tokio::test]
async fn the_request_has_the_longest_time_and_the_longest_chain_of_its_calls() {
    let world = desk(BATCH);
    world.will([entries(&[json!({"status": 200}), json!({"status": 200})])]);
    let mut calls = Calls::of(&world, [json!({"text": "a"}), json!({"text": "b"})]);
    calls.0[0].0.timeout_ms = 0;
    calls.0[1].1.hops = 3;
    let done = calls.together(&world).await;
    assert!(done.each.iter().all(|one| one.as_ref().unwrap().result.is_ok()), "{done:?}");
    assert_eq!(world.seen()[0].header("qc-hops"), "3");
}

#[tokio::test]
async fn who_may_not_go_leaves_the_others_alone() {
    let world = desk(BATCH);
    world.will([entries(&[json!({"status": 200}), json!({"status": 200})])]);
    let mut calls =
        Calls::of(&world, [json!({"text": 1}), json!({"body": "no object"}), json!({"text": 3})]);
    // What was sent too long ago is not sent again.
    let stale = Calls::of(&world, [json!({"text": 4})]).0.remove(0);
    world.clock.forward(3600 + 1);
    let now = world.outbound.clock.now();
    for (_, effect) in &mut calls.0 {
        effect.first_sent_at = Some(now);
    }
    calls.0.push(stale);
    let done = calls.together(&world).await;
    let each: Vec<Performed> = done.each.into_iter().map(Option::unwrap).collect();
    assert!(each[0].result.is_ok() && each[2].result.is_ok());
    assert_eq!(failed(&each[1]).code, codes::INVALID_REQUEST);
    assert_eq!(failed(&each[3]).code, codes::KEY_FORGOTTEN);
    assert_eq!(each[3].record.requests + each[1].record.requests, 0);
}

#[tokio::test]
async fn whoever_is_left_alone_goes_alone() {
    let world = desk(BATCH);
    let calls = Calls::of(&world, [json!({"body": "no object"}), json!({"text": 3})]);
    let done = calls.together(&world).await;
    assert!(done.each[0].is_some() && done.each[1].is_none() && done.wholes.is_empty());
    assert_eq!(world.seen().len(), 0);
}

/// A desk whose tags go together, as a list, each answered by its tag.
fn tags(more: &str, binding: Option<Binding>) -> World {
    let batch = "
  addTags: { effect: { class: keyed, key: { in: header, name: Idempotency-Key, window: 1h } } }
  addTag: { effect: { class: idempotent }, batch: { operation: addTags, max: 50, results: . } }
";
    let mut world = world_with(|connector| connector.trim_end().to_owned() + batch + more);
    let bindings = binding.map(|binding| ("desk".to_owned(), binding));
    world.release = world.release.clone().with_bindings(bindings.into_iter().collect());
    world
}

async fn tagged(world: &World, tags: &[&str]) -> Vec<Performed> {
    let mut calls = Calls::of(world, tags.iter().map(|tag| json!({ "tag": tag })));
    for (call, _) in &mut calls.0 {
        *call = world.call("addTag", call_arguments(call));
    }
    calls.together(world).await.each.into_iter().map(Option::unwrap).collect()
}

fn call_arguments(call: &CallRequest) -> Value {
    match &call.target {
        CallTarget::Connector { arguments, .. } => arguments.clone(),
        _ => panic!("it is an operation's"),
    }
}

#[tokio::test]
async fn each_answer_is_held_against_its_own_contract() {
    let world = tags("response_validation: enforce\n", None);
    let fields =
        [("content-type", "application/json"), ("sunset", "Sun, 30 Jun 2030 23:59:59 GMT")];
    let wrong = json!([{"id": 1, "subject": "a"}, {"id": "two", "subject": "b"}]);
    world.will([reply(207, &fields, wrong.to_string())]);
    let each = tagged(&world, &["a", "b"]).await;
    let good = each[0].result.as_ref().unwrap();
    // With the status with which it succeeds alone, and nothing of the whole.
    assert_eq!((good.status, &good.content), (201, &json!({"id": 1, "subject": "a"})));
    assert!(!good.headers.contains_key("sunset"), "{:?}", good.headers);
    assert_eq!((failed(&each[1]).class, failed(&each[1]).applied), (Class::Drift, Applied::Yes));
    let unfit = each[1].unfit.as_ref().unwrap();
    assert_eq!(unfit.content, json!({"id": "two", "subject": "b"}), "its own, to be put right");
    assert_eq!(each[1].drift[0].operation, "addTag");
}

#[tokio::test]
async fn the_same_calls_together_have_the_same_key() {
    let world = tags("", None);
    for _ in 0..3 {
        world.will([answer(207, &json!([{}, {}]))]);
    }
    tagged(&world, &["a", "b"]).await;
    tagged(&world, &["a", "b"]).await;
    let mut others = Calls::of(&world, ["a", "b", "c"].map(|tag| json!({ "tag": tag })));
    others.0.remove(0);
    for (call, _) in &mut others.0 {
        *call = world.call("addTag", call_arguments(call));
    }
    others.together(&world).await;
    world.will([answer(207, &json!([{}, {}]))]);
    let mut again = Calls::of(&world, ["a", "b"].map(|tag| json!({ "tag": tag })));
    for (call, _) in &mut again.0 {
        *call = CallRequest { attempt: 2, ..world.call("addTag", call_arguments(call)) };
    }
    again.together(&world).await;
    let keys: Vec<String> =
        world.seen().iter().map(|seen| seen.header("idempotency-key").to_owned()).collect();
    assert!(keys[0].starts_with("qc:batch:") && keys[0] == keys[1], "{keys:?}");
    assert_ne!(keys[1], keys[2]);
    assert_ne!(keys[1], keys[3], "what is tried again is no repeat of what was answered");
}

#[tokio::test]
async fn each_is_narrowed_and_counted_by_its_binding() {
    let fields = Some(vec![vec!["id".to_owned()]]);
    let view = View { fields, ..View::default() };
    let binding = |operation: &str| Binding {
        operations: Some(BTreeMap::from([(operation.to_owned(), view.clone())])),
        quota: Some(Quota { calls: 2, per: Duration::from_secs(3600) }),
    };
    let world = tags("response_validation: enforce\n", Some(binding("addTag")));
    world.will([answer(207, &json!([{"id": 1, "subject": "a"}, {"id": "two", "subject": "b"}]))]);
    let each = tagged(&world, &["a", "b", "c"]).await;
    assert_eq!(each[0].result.as_ref().unwrap().content, json!({"id": 1}));
    assert!(
        failed(&each[1]).class == Class::Drift && each[1].unfit.is_none(),
        "it is not shown whole"
    );
    assert_eq!(failed(&each[2]).code, codes::QUOTA_USED);
    assert_eq!(world.seen()[0].json(), json!([{"tag": "a"}, {"tag": "b"}]));

    let world = tags("", Some(binding("readTicket")));
    let each = tagged(&world, &["a", "b"]).await;
    assert!(each.iter().all(|one| failed(one).code == codes::OUT_OF_BINDING));
    assert_eq!(world.seen().len(), 0);
}

#[test]
fn what_goes_together_differs_in_its_body_alone() {
    let world = desk(BATCH);
    let goes = |call: &CallRequest| world.release.goes_together(call);
    let call = |arguments| world.call("addNote", arguments);
    assert_eq!(goes(&call(json!({"text": "a"}))), Some(50));
    assert_eq!(goes(&call(json!({"body": {"text": "a"}}))), Some(50));
    assert_eq!(
        goes(&call(json!({"text": "a", "silent": "yes"}))),
        None,
        "a parameter of the query"
    );
    assert_eq!(goes(&world.call("createTicket", json!({"subject": "s"}))), None);
    let verify = CallRequest { effect: Effect::Verify, ..call(json!({})) };
    assert_eq!(goes(&verify), None);
    let mut raw = call(json!({}));
    if let CallTarget::Connector { output, .. } = &mut raw.target {
        *output = OutputShape::Raw;
    }
    assert_eq!(goes(&raw), None);
}

proptest! {
    /// Whatever is sent and answered, each call has what stands in its place, and sends what it said.
    #[test]
    fn nobody_gets_what_is_anothers(
        texts in proptest::collection::vec("[ -~]{0,12}", 2..40),
        statuses in proptest::collection::vec(prop_oneof![Just(200u16), Just(201), Just(404), Just(422)], 40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = desk(BATCH);
            let answers = texts.iter().zip(&statuses).enumerate().map(|(n, (text, status))| {
                json!({"status": status, "note": {"n": n, "text": text}})
            });
            world.will([entries(&answers.collect::<Vec<_>>())]);
            let bodies = texts.iter().map(|text| json!({ "text": text }));
            let done = Calls::of(&world, bodies).together(&world).await;
            let sent = world.seen()[0].json();
            for (n, one) in done.each.into_iter().enumerate() {
                let one = one.unwrap();
                prop_assert_eq!(&sent["all"][n]["text"], &json!(texts[n]));
                prop_assert_eq!(one.record.status, Some(statuses[n]));
                match one.result {
                    Ok(output) => {
                        prop_assert!(statuses[n] < 300);
                        prop_assert_eq!(output.content, json!({"n": n, "text": texts[n]}));
                    }
                    Err(failure) => prop_assert_eq!(failure.status, statuses[n]),
                }
            }
            Ok(())
        })?;
    }
}
