//! Consumers that take what their contract admits, and ones that do not.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::{HeaderMap, StatusCode};
use qc_contract::Schema;
use qc_model::{Body, CallError, Caller, OutboundRequest, OutboundResponse};
use qc_verify::{Delivery, Outcome, Report, Target};
use serde_json::{Value, json};

/// Takes a payload when this says so.
struct Consumer {
    takes: fn(&str, &Value) -> bool,
    urls: Mutex<Vec<String>>,
}

#[async_trait]
impl Caller for Consumer {
    async fn call(&self, request: OutboundRequest) -> Result<OutboundResponse, CallError> {
        self.urls.lock().unwrap().push(request.url);
        let body = request.body.collect(1 << 20).await?;
        let text = String::from_utf8(body.to_vec()).unwrap();
        let taken = (self.takes)(&text, &serde_json::from_str(&text).unwrap());
        let status = if taken { StatusCode::ACCEPTED } else { StatusCode::BAD_REQUEST };
        Ok(OutboundResponse { status, headers: HeaderMap::new(), body: Body::empty() })
    }
}

fn schema(more: &Value) -> Schema {
    let mut value = json!({
        "type": "object",
        "required": ["id", "state"],
        "properties": {
            "id": { "type": "string", "minLength": 1, "maxLength": 8 },
            "state": { "enum": ["open", "paid"] },
            "note": { "type": ["string", "null"] },
        },
    });
    if let (Some(properties), Some(more)) = (value["properties"].as_object_mut(), more.as_object())
    {
        properties.extend(more.clone());
    }
    Schema::compile(&value, &std::collections::BTreeMap::<String, String>::new()).unwrap()
}

async fn delivered(takes: fn(&str, &Value) -> bool) -> Report {
    let (now, next) =
        (schema(&json!({})), schema(&json!({ "paid_at": { "const": "2026-11-20" } })));
    let consumer = Arc::new(Consumer { takes, urls: Mutex::default() });
    let delivery = Delivery {
        target: Target::new("http://127.0.0.1:1/in", &[]).unwrap(),
        caller: Arc::clone(&consumer) as Arc<dyn Caller>,
        contract: ("order.json", &now),
        next: Some(("order-2.json", &next)),
        seed: 1,
        rate: None,
    };
    let report = delivery.run().await;
    assert!(consumer.urls.lock().unwrap().iter().all(|url| url == "http://127.0.0.1:1/in"));
    report
}

fn failed(report: &Report) -> Vec<&str> {
    let failed = report.results.iter().filter(|result| result.outcome == Outcome::Failed);
    failed.map(|result| result.id.as_str()).collect()
}

#[tokio::test]
async fn each_kind_of_narrow_reader_is_noticed() {
    assert_eq!(failed(&delivered(|_, _| true).await), Vec::<&str>::new());
    let strict = delivered(|_, value| value.get("qc_not_described").is_none()).await;
    assert_eq!(failed(&strict), ["now/extra-field", "next/extra-field"]);
    let no_nulls = delivered(|_, value| value.get("note").is_none_or(|note| !note.is_null())).await;
    assert!(failed(&no_nulls).contains(&"now/null/note"), "{:?}", failed(&no_nulls));
    let ordered = delivered(|text, _| text.starts_with("{\"id\"")).await;
    assert!(failed(&ordered).contains(&"now/reordered"), "{:?}", failed(&ordered));
    let short = delivered(|_, value| value["id"].as_str().unwrap().len() < 8).await;
    assert!(failed(&short).contains(&"now/longest/id"), "{:?}", failed(&short));
    let old = delivered(|_, value| value.get("paid_at").is_none()).await;
    assert!(
        failed(&old).iter().all(|id| id.starts_with("next/")) && !failed(&old).is_empty(),
        "{:?}",
        failed(&old)
    );
    let known = delivered(|_, value| value["state"] == "open").await;
    assert!(!failed(&known).is_empty());
}
