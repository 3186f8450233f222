//! Where nothing is sent, how much is sent, and that it is the same each time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use qc_model::{CallError, CallErrorKind, Caller, OutboundRequest, OutboundResponse};
use qc_verify::{Credentials, Format, Outcome, Target, Verification, measure, written};
use serde_json::json;

use crate::scene::{Noting, SHOP, Wishes, api, simulator};

/// Nobody is there.
struct Nobody(Mutex<usize>);

#[async_trait]
impl Caller for Nobody {
    async fn call(&self, _: OutboundRequest) -> Result<OutboundResponse, CallError> {
        *self.0.lock().unwrap() += 1;
        let message = "connection refused".to_owned();
        Err(CallError { kind: CallErrorKind::Connect, sent: false, message })
    }
}

async fn urls(seed: u64) -> (Vec<String>, String) {
    let noting = Arc::new(Noting { inner: simulator(SHOP), urls: Mutex::default() });
    let caller = Arc::clone(&noting) as Arc<dyn Caller>;
    let report = Wishes { seed, ..Wishes::of(caller) }.report(SHOP).await;
    let urls = noting.urls.lock().unwrap().clone();
    (urls, written(&[report], Format::Json))
}

#[tokio::test]
async fn the_same_seed_sends_the_same_and_nothing_leaves_the_origin() {
    let (first, told) = urls(3).await;
    let (again, told_again) = urls(3).await;
    assert_eq!(first, again);
    assert_eq!(told, told_again);
    let (other, _) = urls(4).await;
    assert_ne!(first, other);
    assert!(first.iter().all(|url| url.contains(" http://simulator.invalid/")), "{first:?}");
}

#[tokio::test]
async fn limits_leave_cases_out_of_every_operation_and_say_so() {
    let report = Wishes { case_limit: 21, ..Wishes::of(simulator(SHOP)) }.report(SHOP).await;
    // The last operation has fewer cases than its share.
    let kept = report.results.len();
    assert!((18..=21).contains(&kept), "{kept}");
    let cut = report.cut.unwrap();
    assert!(cut.kept == kept && cut.possible > 100, "{cut:?}");
    assert!(report.left_out()[0].why.contains("--max-cases"), "{:?}", report.left_out());
    for operation in
        ["listOrders", "createOrder", "getOrder", "changeOrder", "deleteOrder", "getHealth"]
    {
        let mine = report.results.iter().filter(|result| result.operation == operation);
        assert!(mine.clone().any(|result| result.kind == "valid"), "{operation}");
    }
    let kinds: Vec<&str> = report
        .results
        .iter()
        .filter(|result| result.operation == "createOrder")
        .map(|result| result.kind)
        .collect();
    assert!(kinds.contains(&"body") && kinds.contains(&"security"), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_keep_their_distance() {
    let nobody = Arc::new(Nobody(Mutex::new(0)));
    let values = BTreeMap::new();
    let began = tokio::time::Instant::now();
    let verification = Verification {
        api: &Arc::new(api(SHOP)),
        target: Target::new("http://127.0.0.1:9", &[]).unwrap(),
        caller: Arc::clone(&nobody) as Arc<dyn Caller>,
        credentials: &Credentials::made(),
        values: &values,
        operations: &["getHealth".to_owned()],
        seed: 1,
        rate: Some(4),
        case_limit: 100,
        is_lenient: false,
    };
    // A provider that is no simulator is never broken on purpose.
    assert!(measure(&verification, 100).await.mutants.is_empty());
    assert_eq!(*nobody.0.lock().unwrap(), 0);
    let report = verification.run().await;
    let sent = *nobody.0.lock().unwrap();
    assert_eq!(report.requests, sent);
    assert!(sent >= 2, "{sent}");
    let least = Duration::from_millis(250) * u32::try_from(sent - 1).unwrap();
    assert!(began.elapsed() >= least, "{:?} for {sent}", began.elapsed());
    assert!(report.results.iter().all(|result| result.outcome == Outcome::Undecided));
    assert!(report.shows_nothing());
}

#[tokio::test]
async fn without_credentials_nothing_is_claimed() {
    let wishes = Wishes { credentials: Credentials::default(), ..Wishes::of(simulator(SHOP)) };
    let report = wishes.report(SHOP).await;
    let of = |id: &str| report.results.iter().find(|result| result.id == id).unwrap();
    assert_eq!(of("createOrder/valid").outcome, Outcome::Undecided);
    assert!(of("createOrder/valid").problems[0].action.contains("--credentials"));
    assert_eq!(of("createOrder/body/amount/above-maximum").outcome, Outcome::Undecided);
    assert_eq!(of("createOrder/no-credentials").outcome, Outcome::Passed);
    assert_eq!(of("getHealth/valid").outcome, Outcome::Passed);
    assert!(!report.shows_nothing());
    assert!(report.not_tried.iter().any(|not| not.what == "requests with valid credentials"));
}

#[tokio::test]
async fn tokens_that_a_file_gives_are_tried() {
    let text = "valid: {bearer: {env: GOOD}}\nexpired: {bearer: {env: OLD}}\nrevoked: {api_key: {env: OLD}}\n";
    let source = qc_document::Source::new("credentials.yaml", text);
    let document = qc_document::parse(source, &qc_document::ParseLimits::default()).unwrap();
    let mut variables = BTreeMap::from([("GOOD".to_owned(), "verification-token".to_owned())]);
    let findings = Credentials::read(&document, &variables).unwrap_err();
    assert_eq!(findings[0].code.as_str(), "QC-C071");
    variables.insert("OLD".to_owned(), "old-secret-token".to_owned());
    let credentials = Credentials::read(&document, &variables).unwrap();
    assert!(!format!("{credentials:?}").contains("token"), "{credentials:?}");
    let report = Wishes { credentials, ..Wishes::of(simulator(SHOP)) }.report(SHOP).await;
    let of = |id: &str| report.results.iter().find(|result| result.id == id).unwrap();
    assert_eq!(of("getOrder/expired").outcome, Outcome::Passed);
    assert_eq!(report.count(Outcome::Failed), 0);
    let why = report.not_tried.iter().find(|not| not.what == "revoked credentials").unwrap();
    assert!(why.why.contains("kind"), "{why:?}");
    assert!(report.not_tried.iter().any(|not| not.what.contains("another audience")));
    for format in [Format::Human, Format::Json, Format::Junit] {
        let text = written(std::slice::from_ref(&report), format);
        assert!(!text.contains("old-secret") && !text.contains("verification-token"), "{text}");
    }
}

/// A credential that is described as a parameter, too, is not sampled into a request that is to have none.
#[tokio::test]
async fn a_sampled_parameter_is_no_credential() {
    let text = "openapi: 3.1.0\ninfo: {title: A, version: '1'}\nsecurity: [{key: []}]\npaths:\n  /a:\n    get:\n      \
                operationId: a\n      parameters: [{name: key, in: query, required: true, schema: {type: string}}]\n      \
                responses: {'200': {description: ok}}\n\
                components: {securitySchemes: {key: {type: apiKey, in: query, name: key}}}\n";
    let noting = Arc::new(Noting { inner: simulator(text), urls: Mutex::default() });
    let caller = Arc::clone(&noting) as Arc<dyn Caller>;
    Wishes { operations: vec!["a".to_owned()], ..Wishes::of(caller) }.report(text).await;
    let urls = noting.urls.lock().unwrap();
    assert!(urls.contains(&"GET http://simulator.invalid/a".to_owned()), "{urls:?}");
    assert!(
        urls.contains(&"GET http://simulator.invalid/a?key=verification-key".to_owned()),
        "{urls:?}"
    );
}

#[tokio::test]
async fn an_example_that_does_not_fit_is_a_failure_without_a_request() {
    let text = SHOP.replace("amount: 1, currency: EUR, lines", "amount: -1, currency: EUR, lines");
    let report = Wishes::of(simulator(&text)).report(&text).await;
    let result = report.results.iter().find(|result| result.id == "createOrder/example-1").unwrap();
    assert_eq!(result.outcome, Outcome::Failed);
    assert_eq!(result.problems[0].code.as_str(), "QC-C067");
    assert!(result.pointer.ends_with("/examples/small/value"), "{}", result.pointer);
    let line = text.lines().position(|line| line.contains("amount: -1")).unwrap() + 1;
    assert_eq!(result.place.as_ref().unwrap().line, line);
}

#[tokio::test]
async fn refusals_need_no_description_where_that_is_asked_for() {
    let text = SHOP.replace("        \"400\": {$ref: \"#/components/responses/Problem\"}\n", "");
    let strict = Wishes::of(simulator(&text)).report(&text).await;
    let of = |report: &qc_verify::Report| {
        let id = "listOrders/query/limit/above-maximum";
        report.results.iter().find(|result| result.id == id).unwrap().outcome
    };
    assert_eq!(of(&strict), Outcome::Failed);
    let lenient = Wishes { is_lenient: true, ..Wishes::of(simulator(&text)) };
    assert_eq!(of(&lenient.report(&text).await), Outcome::Passed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// Whatever the seed: a provider that keeps its contract passes, and every case has an id of its own.
    #[test]
    fn no_seed_accuses_the_innocent(seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            Wishes { seed, case_limit: 150, ..Wishes::of(simulator(SHOP)) }.report(SHOP).await
        });
        let failed: Vec<_> =
            report.results.iter().filter(|result| result.outcome == Outcome::Failed).collect();
        prop_assert!(failed.is_empty(), "{failed:?}");
        let mut ids: Vec<&str> = report.results.iter().map(|result| result.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), report.results.len());
        let told: serde_json::Value =
            serde_json::from_str(&written(&[report], Format::Json)).unwrap();
        prop_assert_eq!(&told["schema_version"], &json!(1));
    }
}
