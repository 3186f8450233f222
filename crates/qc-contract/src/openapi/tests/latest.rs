//! What is new in OpenAPI 3.2.

use serde_json::{Value, json};

use super::{codes_of, findings, loaded};
use crate::compare::{Options, Profile, compare};
use crate::model::ParameterLocation;
use crate::{IncomingRequest, OpenApi, Routed};

fn shelf(operation: &str, parameters: &str) -> String {
    format!(
        "openapi: 3.2.0\ninfo: {{title: T, version: '1'}}\npaths:\n  /books/{{id}}:\n    parameters: [{{name: id, in: path, required: true, schema: {{type: integer}}}}]\n    get: {{responses: {{'200': {{description: ok}}}}}}\n    {operation}\n  /search:\n    get:\n      operationId: search\n      parameters: [{parameters}]\n      responses: {{'200': {{description: ok}}}}\n"
    )
}

const COPY: &str = "additionalOperations: {COPY: {parameters: [{name: to, in: header, required: true, schema: {type: string}}], responses: {'201': {description: made}}}}";
const FORM: &str = "{name: any, in: querystring, required: true, content: {application/x-www-form-urlencoded: {schema: {type: object, required: [words], properties: {words: {type: string}, page: {type: integer}, tags: {type: array, items: {type: string}}}}}}}";
const JSON: &str = "{name: any, in: querystring, content: {application/json: {schema: {type: object, required: [words], properties: {words: {type: string}}}}}}";

fn api(operation: &str, parameters: &str) -> OpenApi {
    loaded(&[("openapi.yaml", &shelf(operation, parameters))])
}

fn changes(old: &OpenApi, new: &OpenApi) -> Vec<String> {
    let profile = Profile::default();
    let comparison = compare(old, new, Options { profile: &profile, today: None });
    let tell = |change: &crate::compare::Change| format!("{} {}", change.level, change.message);
    comparison.changes.iter().map(tell).collect()
}

#[test]
fn methods_without_a_key_of_their_own_are_operations_like_others() {
    let api = api(COPY, FORM);
    let copy = api.operation("copy_books_id").unwrap();
    assert_eq!(copy.method.to_string(), "COPY");
    let built = api.build(copy, &json!({"id": 7, "to": "shelf 2"})).unwrap();
    assert_eq!((built.method.as_str(), built.path.as_str()), ("COPY", "/books/7"));
    assert!(api.build(copy, &json!({"id": "seven", "to": "x"})).is_err(), "its path's parameters");
    let Routed::Found { operation, .. } = api.route("COPY", "/books/7") else { panic!("is there") };
    assert_eq!(operation.id, copy.id);
    let Routed::OtherMethods(others) = api.route("copy", "/books/7") else { panic!("is another") };
    assert_eq!(others, ["COPY", "GET"], "methods are told apart by case");

    let kept = api.keep_only(&["copy_books_id"]);
    let again = OpenApi::from_text("kept.json", &kept.to_string()).unwrap();
    let copy = again.operation("copy_books_id").unwrap();
    assert_eq!(again.build(copy, &json!({"id": 7, "to": "shelf 2"})).unwrap(), built);
    assert_eq!(again.operations().len(), 1);
    assert_eq!(again.keep_only(&["copy_books_id"]), kept);
}

#[test]
fn such_an_operation_is_compared() {
    let (old, new) = (api(COPY, FORM), api("summary: books", FORM));
    assert_eq!(changes(&old, &api(COPY, FORM)), [""; 0]);
    let gone = changes(&old, &new);
    assert!(gone.iter().any(|change| change.starts_with("breaking ")), "{gone:?}");
    let optional = api(&COPY.replace("required: true", "required: false"), FORM);
    let narrowed = changes(&optional, &old);
    assert!(narrowed.iter().any(|change| change.starts_with("breaking ")), "{narrowed:?}");
}

#[test]
fn what_is_no_such_operation_is_said_with_its_place() {
    let long = "M".repeat(25);
    for (key, words) in [
        ("POST", "`POST` has a key of its own, `post`, in a path"),
        ("'CO PY'", "`CO PY` is no method of HTTP"),
        (long.as_str(), "is no method of HTTP"),
    ] {
        let text = shelf(&format!("additionalOperations: {{{key}: {{responses: {{}}}}}}"), FORM);
        let found = findings(&[("openapi.yaml", &text)]);
        assert_eq!(codes_of(&found)[0], "QC-C003", "{key}");
        assert!(found[0].message.contains(words), "{}", found[0].message);
    }
    for operation in ["additionalOperations: [COPY]", "additionalOperations: {COPY: yes}"] {
        let found = findings(&[("openapi.yaml", &shelf(operation, FORM))]);
        assert_eq!(codes_of(&found)[0], "QC-C003", "{operation}");
    }
}

fn received(api: &OpenApi, query: &[(&str, &str)]) -> (Option<Value>, Vec<String>) {
    let search = api.operation("search").unwrap();
    let query: Vec<(String, String)> =
        query.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let request = IncomingRequest { query: &query, ..IncomingRequest::default() };
    let key = (ParameterLocation::Querystring, "any".to_owned());
    let value = api.read_parameters(search, &request).remove(&key);
    let found = api.check_request(search, &request);
    (value, found.into_iter().map(|mismatch| mismatch.pointer).collect())
}

#[test]
fn all_of_a_query_can_be_one_form() {
    let api = api(COPY, FORM);
    let search = api.operation("search").unwrap();
    let given = json!({"any": {"words": "red & blue", "page": 2, "tags": ["a", "b"]}});
    let built = api.build(search, &given).unwrap();
    let pairs = [("page", "2"), ("tags", "a"), ("tags", "b"), ("words", "red & blue")];
    let mut query = built.query.clone();
    query.sort();
    assert_eq!(query, pairs.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(built.query_text, None);
    assert_eq!(received(&api, &pairs), (Some(given["any"].clone()), vec![]));
    assert_eq!(received(&api, &[("words", "x"), ("page", "two")]).1, ["/querystring/any/page"]);
    assert_eq!(received(&api, &[("page", "2")]).1, ["/querystring/any"]);
    assert_eq!(received(&api, &[]), (None, vec!["/querystring/any".to_owned()]), "is required");
    for wrong in [json!({}), json!({"any": {"page": 2}}), json!({"any": "words=x"})] {
        assert!(api.build(search, &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn all_of_a_query_can_be_one_document() {
    let api = api(COPY, JSON);
    let search = api.operation("search").unwrap();
    let built = api.build(search, &json!({"any": {"words": "red"}})).unwrap();
    assert_eq!((built.query_text.as_deref(), built.query.len()), (Some(r#"{"words":"red"}"#), 0));
    let (value, found) = received(&api, &[(r#"{"words":"red"}"#, "")]);
    assert_eq!((value, found), (Some(json!({"words": "red"})), vec![]));
    assert_eq!(received(&api, &[(r#"{"words":1}"#, "")]).1, ["/querystring/any/words"]);
    assert_eq!(received(&api, &[]), (None, vec![]));
}

#[test]
fn a_query_as_a_whole_is_compared_by_what_it_admits() {
    let old = api(COPY, FORM);
    assert_eq!(changes(&old, &api(COPY, &FORM.replace("name: any", "name: all"))), [""; 0]);
    let narrowed = api(COPY, &FORM.replace("required: [words]", "required: [words, page]"));
    let found = changes(&old, &narrowed);
    assert!(found.iter().any(|change| change.starts_with("breaking ")), "{found:?}");
    let widened = changes(&narrowed, &old);
    assert!(widened.iter().all(|change| !change.starts_with("breaking ")), "{widened:?}");
}

#[test]
fn a_query_is_one_value_or_has_parameters() {
    let beside = format!("{FORM}, {{name: q, in: query, schema: {{type: string}}}}");
    let twice = format!("{FORM}, {}", FORM.replace("name: any", "name: other"));
    let bare = "{name: any, in: querystring, schema: {type: object}}";
    for parameters in [&beside, &twice, bare] {
        let found = findings(&[("openapi.yaml", &shelf(COPY, parameters))]);
        assert_eq!(codes_of(&found)[0], "QC-C003", "{parameters}");
    }
}
