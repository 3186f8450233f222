//! Examples of a contract are made of past events: of each form one, the most frequent first, with nothing of anybody.

use std::{collections::BTreeMap, sync::Arc};

use qc_contract::Schema;
use qc_data::{DataClass, Labels};
use qc_engine::{Deployment, Rehearsing};
use qc_model::Name;
use serde_json::{Value, json};

use crate::{
    rehearsals::{asked, desk},
    world::{World, deployment, output},
};

fn trigger() -> Name {
    Name::new("in").unwrap()
}

/// A trigger whose events keep this, with what of them may be seen.
fn recorded(schema: &Value) -> Deployment {
    let mut one = deployment("r1", "- done: { set: { ok: true } }\n");
    let release = Arc::get_mut(&mut one.release).unwrap();
    let none = BTreeMap::<String, String>::new();
    let contract = Schema::compile(schema, &none).unwrap();
    release.triggers.get_mut(&trigger()).unwrap().contract = Some(contract);
    let labels = Labels::new(
        [("who", DataClass::Personal), ("mood", DataClass::Personal)],
        Some(DataClass::Internal),
    );
    release.data.events.insert(trigger(), vec![labels]);
    one
}

fn schema() -> Value {
    json!({
        "type": "object",
        "required": ["who"],
        "properties": {
            "who": {"type": "string"},
            "mood": {"enum": ["glad", "sad"]},
            "state": {"enum": ["open", "paid"]},
            "text": {"type": "string"},
        },
    })
}

/// These came in while nothing was asked of them; now a contract is deployed.
async fn world(events: &[Value]) -> World {
    let outside = desk();
    let before = World::new("- done: { set: { ok: true } }\n", outside.clone());
    for event in events {
        output(before.end(before.start(event.clone()).await).await);
    }
    let (store, clock) = before.kill();
    World::over(store, clock, recorded(&schema()), outside, 2)
}

#[tokio::test(start_paused = true)]
async fn each_form_is_one_example_and_what_most_events_have_comes_first() {
    let who = "Ada Lovelace";
    let large = "x".repeat(300 << 10);
    let world = world(&[
        json!({"who": who, "state": "open"}),
        json!({"who": who, "state": "paid"}),
        json!({"who": "Grace Hopper", "state": "paid"}),
        json!({"who": who, "state": "paid"}),
        json!({"who": who, "mood": "glad"}),
        json!({"who": who, "mood": "sad"}),
        json!({"state": "open"}),
        json!({"who": who, "text": large}),
    ])
    .await;
    let wanted = Rehearsing { sample: 5, ..asked("test") };
    let made = world.engine.record_fixtures(&wanted, &trigger()).await.unwrap();
    assert_eq!((made.looked_at, made.misfits, made.unusable), (7, 1, 1), "{made:?}");
    let forms: Vec<usize> = made.fixtures.iter().map(|one| one.stands_for).collect();
    // What may not be seen makes no form of its own: glad and sad are one.
    assert_eq!(forms, [3, 2, 1], "{made:?}");
    assert_eq!(made.fixtures[0].document["state"], "paid");
    let told = format!("{made:?}");
    assert!(!told.contains("Ada") && !told.contains("Hopper"), "{told}");
    let fewer = Rehearsing { sample: 1, ..wanted.clone() };
    let fewer = world.engine.record_fixtures(&fewer, &trigger()).await.unwrap();
    assert_eq!((fewer.fixtures.len(), fewer.more_forms), (1, 2));
    // The key is made for each recording: nobody can tell by two of them that it is the same person.
    let again = world.engine.record_fixtures(&wanted, &trigger()).await.unwrap();
    assert_ne!(again.fixtures[0].document["who"], made.fixtures[0].document["who"]);
    assert_ne!(fewer.fixtures[0].document["who"], made.fixtures[0].document["who"]);
}
