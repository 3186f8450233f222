//! What is seen of the drift of others is shown to those who may see the integration's runs, and nobody's runs go on by a
//! finding that is not theirs.

use qc_model::{Clock, Seeded, TxnId};
use qc_store::{Change, DocumentOp, Expect};
use serde_json::{Value, json};

use crate::{api::Api, world::SystemClock};

const AT: &str = "2026-11-22T14:40:00.000Z";

async fn put(api: &Api, kind: &str, name: &str, body: &Value) {
    let (now, entropy) = (SystemClock.now(), Seeded::new(77));
    let put = DocumentOp::Put {
        kind: kind.to_owned(),
        name: name.to_owned(),
        expect: Expect::Any,
        body: body.to_string().into(),
        at: now,
    };
    let id = TxnId::new(now, &entropy);
    let change = Change { id, documents: vec![put], ledger: vec![], signals: vec![] };
    api.world.commit(change).await;
}

/// Every operation, as owner of an integration whose vendor changed something.
pub(crate) async fn operations(api: &Api) {
    // No connector here declares any.
    assert_eq!(api.get("/api/v1/drift/canaries").await["items"], json!([]));
    let of = json!({"v": 1, "environment": "production", "integration": "doors", "connector": "desk",
        "operation": "read", "owner": "team-desk"});
    let with = |more: Value| {
        let mut whole = of.clone();
        whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        whole
    };
    let found = with(json!({"id": "00000000deadbeef", "kind": "breaking", "release": "r1",
        "diff": [{"pointer": "/sum", "keyword": "type", "message": "a text"}],
        "first_at": AT, "last_at": AT, "count": 3}));
    put(api, "drift-finding", "00000000deadbeef", &found).await;
    let end = json!({"deprecated": true, "sunset": AT, "link": "https://desk.test/end"});
    let seen = with(
        json!({"shapes": [{"kind": "additive", "pointer": "/new", "keyword": "undeclared",
        "message": "more", "status": 200, "first_at": AT, "last_at": AT, "count": 2, "release": "r1"}],
        "left_out": 0, "end": end}),
    );
    put(api, "drift-seen", "production/doors/desk/read", &seen).await;
    let listed = api.get("/api/v1/drift?integration=doors&connector=desk").await;
    assert_eq!(listed["items"][0]["finding"], "00000000deadbeef");
    assert_eq!(api.get("/api/v1/drift?connector=other").await["items"], json!([]));
    let shapes = api.get("/api/v1/drift/shapes?environment=production").await;
    assert_eq!(
        (&shapes["items"][0]["shapes"][0]["count"], &shapes["items"][0]["sunset"]),
        (&json!(2), &json!(AT))
    );
    let place = "/api/v1/drift/production/doors/00000000deadbeef";
    let shown = api.get(place).await;
    assert_eq!((&shown["owner"], &shown["parked"]), (&json!("team-desk"), &json!([])));
    // Of another integration, or environment, it is none.
    for other in ["sandbox/doors", "production/other"] {
        let path = format!("/api/v1/drift/{other}/00000000deadbeef");
        assert_eq!(api.act("GET", &path, &Value::Null, 404).await["code"], "QC-R081");
    }
    let resume = format!("{place}/resume");
    let given = json!({"aliases": {"/a/*/b": "c"}, "coerce": {"/sum": "number"}});
    let done = api.act("POST", &resume, &given, 200).await;
    assert_eq!((&done["going_on"], &done["staying"]), (&json!([]), &json!([])));
    for unusable in [
        json!({"aliases": {"a": "b"}}),
        json!({"aliases": {"/a/*": "b"}}),
        json!({"coerce": {"/a": "date"}}),
        json!({"coerce": {"": "absent"}}),
        json!({"before": "yesterday"}),
        json!({"map": {}}),
    ] {
        assert_eq!(api.act("POST", &resume, &unusable, 422).await["code"], "QC-A012", "{unusable}");
    }
}
