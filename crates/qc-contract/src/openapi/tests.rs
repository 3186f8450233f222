use std::collections::BTreeMap;

use qc_model::Severity;
use serde_json::{Value, json};

use super::*;
use crate::model::{Method, ParameterLocation, SecurityScheme, StatusPattern, Style};

#[path = "tests/latest.rs"]
mod latest;

pub(crate) const PETS: &str = include_str!("tests/pets.yaml");
const SWAGGER: &str = include_str!("tests/swagger.yaml");

pub(crate) fn files(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
    entries.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

pub(crate) fn loaded(entries: &[(&str, &str)]) -> OpenApi {
    let (api, findings) = OpenApi::load(&files(entries), entries[0].0);
    let errors: Vec<String> = findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(ToString::to_string)
        .collect();
    assert_eq!(errors, Vec::<String>::new());
    api.expect("loads")
}

fn findings(entries: &[(&str, &str)]) -> Vec<Finding> {
    OpenApi::load(&files(entries), entries[0].0).1
}

fn codes_of(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}

#[test]
fn version_3_is_modelled() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    assert_eq!((api.title(), api.api_version(), api.version()), ("Pets", "1.2.0", Version::V3_0));
    let ids: Vec<&str> = api.operations().iter().map(|operation| &*operation.id).collect();
    assert_eq!(ids, ["listPets", "createPet", "get_pets_petId", "uploadPhoto"]);
    let list = api.operation("listPets").unwrap();
    assert_eq!((list.method, &*list.path), (Method::Get, "/pets"));
    let tags = list.parameter(ParameterLocation::Query, "tags").unwrap();
    assert_eq!((tags.style, tags.explode, tags.required), (Style::Form, false, false));
    assert_eq!(&*list.servers[0].url, "https://{region}.example.com/v1");
    assert_eq!(list.servers[0].address(&|_| None), "https://eu.example.com/v1");
    assert_eq!(
        list.servers[0].address(&|n| Some(n.to_uppercase())),
        "https://REGION.example.com/v1"
    );
    assert_eq!(list.security[0].schemes[0].1[0].as_ref(), "pets:read");
    let get = api.operation("get_pets_petId").unwrap();
    assert!(get.derived_id);
    assert!(get.security.is_empty(), "`security: []` turns it off");
    let trace = get.parameter(ParameterLocation::Header, "x-trace").unwrap();
    assert!(!trace.required, "the operation overrides its path item");
    assert_eq!(get.response(404).unwrap().status, StatusPattern::Range(4));
    assert_eq!(get.response(500).unwrap().status, StatusPattern::Default);
    let schemes = api.security_schemes();
    assert!(
        matches!(&schemes[0].1, SecurityScheme::OAuth2 { flows } if flows[0].scopes.len() == 1)
    );
    assert_eq!(api.closest_operation("lsitPets"), Some("listPets"));
    assert_eq!(api.place(list).line, 14);
}

#[test]
fn version_2_is_modelled_alike() {
    let api = loaded(&[("swagger.yaml", SWAGGER)]);
    let create = api.operation("createPet").unwrap();
    let body = create.request_body.as_ref().unwrap();
    assert!(body.required);
    assert_eq!(&*body.content[0].media_type, "application/vnd.pets+json");
    assert_eq!(&*create.servers[0].url, "https://api.example.com/v1");
    let upload = api.operation("upload").unwrap();
    assert_eq!(
        &*upload.request_body.as_ref().unwrap().content[0].media_type,
        "multipart/form-data"
    );
    let list = api.operation("list").unwrap();
    assert_eq!(
        list.parameter(ParameterLocation::Query, "ids").unwrap().style,
        Style::PipeDelimited
    );
    let ok = api.check_response(create, 200, &[], Some(&json!({"id": 1, "name": null})));
    assert_eq!(ok, []);
    let wrong = api.check_response(create, 200, &[], Some(&json!({"id": 0})));
    assert_eq!(wrong[0].message, "must be more than 0");
    let request = api.build(create, &json!({"name": "x"})).unwrap();
    assert_eq!(request.body.unwrap().media_type, "application/vnd.pets+json");
    let form = api.operation("rename").unwrap();
    let request = api.build(form, &json!({"petId": 5, "name": "Rex", "tags": ["a", "b"]})).unwrap();
    let expected = [("name", "Rex"), ("tags", "a"), ("tags", "b")];
    let expected = expected.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
    assert_eq!(request.body.unwrap().value, crate::BodyValue::Form(expected));
    let missing = api.build(form, &json!({"petId": 5})).unwrap_err();
    assert_eq!(missing[0].message, "`name` is missing");
}

#[test]
fn references_go_to_files_of_the_folder_only() {
    let entry =
        "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    $ref: 'paths/a.yaml'\n";
    let a = "get:\n  operationId: a\n  responses:\n    '200':\n      description: ok\n      content:\n        application/json:\n          schema: {$ref: '../schemas.yaml#/Tree'}\n";
    let schemas = "Tree:\n  type: object\n  required: [name]\n  properties:\n    name: {type: string}\n    children: {type: array, items: {$ref: '#/Tree'}}\n";
    let all = [("openapi.yaml", entry), ("paths/a.yaml", a), ("schemas.yaml", schemas)];
    let api = loaded(&all);
    let operation = api.operation("a").unwrap();
    assert_eq!(&*api.place(operation).file, "paths/a.yaml");
    let good = json!({"name": "x", "children": [{"name": "y", "children": []}]});
    assert_eq!(api.check_response(operation, 200, &[], Some(&good)), []);
    let bad = json!({"name": "x", "children": [{"children": []}]});
    let found = api.check_response(operation, 200, &[], Some(&bad));
    assert_eq!((found[0].pointer.as_str(), found[0].keyword.as_str()), ("/children/0", "required"));

    let pruned = api.keep_only(&["a"]);
    let again = OpenApi::from_text("pruned.json", &pruned.to_string()).expect("loads again");
    assert_eq!(again.check_response(again.operation("a").unwrap(), 200, &[], Some(&bad)).len(), 1);
    assert_eq!(again.keep_only(&["a"]), pruned, "pruning twice changes nothing");

    for (reference, code) in [
        ("https://example.com/a.yaml", "QC-C005"),
        ("../outside.yaml", "QC-C005"),
        ("missing.yaml", "QC-C004"),
        ("#/nowhere", "QC-C004"),
        ("#/paths/~1a", "QC-C006"),
    ] {
        let text = entry.replace("paths/a.yaml", reference);
        let found = findings(&[("openapi.yaml", &text)]);
        assert_eq!(codes_of(&found), [code], "{reference}");
        assert_eq!(found[0].place.as_ref().map(|place| place.line), Some(5), "{reference}");
    }
}

#[test]
fn what_is_wrong_is_found_all_at_once() {
    let text = "openapi: 3.0.0\ninfo: {}\npaths:\n  /a/{x}:\n    get:\n      operationId: same\n      responses: {'2000': {description: no}}\n    post:\n      operationId: same\n      parameters:\n        - {in: nowhere, name: y}\n        - {in: query}\n        - {in: path, name: z}\n      responses: {}\n  b: {}\n";
    let found = findings(&[("openapi.yaml", text)]);
    let mut codes = codes_of(&found);
    codes.sort_unstable();
    assert_eq!(
        codes,
        ["QC-C003", "QC-C003", "QC-C003", "QC-C003", "QC-C007", "QC-C009", "QC-C009", "QC-C009"]
    );
    assert_eq!(codes_of(&findings(&[("a.yaml", "a: 1")])), ["QC-C002"]);
    assert_eq!(codes_of(&findings(&[("a.yaml", "openapi: 4.0.0")])), ["QC-C002"]);
    assert_eq!(codes_of(&findings(&[("a.yaml", "a: [")])), ["QC-Q001"]);
    assert_eq!(codes_of(&OpenApi::load(&files(&[]), "a.yaml").1), ["QC-C001"]);
}

#[test]
fn payloads_are_judged_without_being_quoted() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    let get = api.operation("get_pets_petId").unwrap();
    let good = json!({"id": 7, "name": "Rex", "nick": null, "kind": {"species": "Dog", "bark": 3}});
    assert_eq!(api.check_response(get, 200, &[], Some(&good)), []);
    let bad = json!({"id": "secret-1", "kind": {"species": "Dog", "bark": "secret-2"}});
    let found = api.check_response(get, 200, &[], Some(&bad));
    let pointers: Vec<&str> = found.iter().map(|mismatch| mismatch.pointer.as_str()).collect();
    assert_eq!(pointers, ["", "/id", "/kind/bark"]);
    assert!(!format!("{found:?}").contains("secret"), "{found:?}");
    let messages: Vec<&str> = found.iter().map(|mismatch| mismatch.message.as_str()).collect();
    assert_eq!(messages[..2], ["`name` is missing", "must be of type integer, but is a string"]);
    assert_eq!(found[0].direction, Direction::Response);
    let other = json!({"id": 1, "name": "x", "kind": {"species": "Fish"}});
    assert_eq!(api.check_response(get, 200, &[], Some(&other)).len(), 1, "no such discriminator");
    assert_eq!(api.check_response(get, 302, &[], None), [], "default");
    let create = api.operation("createPet").unwrap();
    let found = api.check_response(create, 418, &[], None);
    assert_eq!(found[0].keyword, "status");
    let found = api.check_response(create, 201, &[], Some(&good));
    assert_eq!(found[0].message, "the header `Location` is missing");
    let html = [
        ("Content-Type".to_owned(), "text/html; charset=utf-8".to_owned()),
        ("location".to_owned(), "/x".to_owned()),
    ];
    assert_eq!(api.check_response(create, 201, &html, Some(&json!("x")))[0].keyword, "content");
    let vendor = [
        ("Content-Type".to_owned(), "application/vnd.x+json".to_owned()),
        ("location".to_owned(), "/x".to_owned()),
    ];
    assert_eq!(api.check_response(create, 201, &vendor, Some(&good)), []);
}

#[test]
fn one_way_properties_bind_one_way() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    let create = api.operation("createPet").unwrap();
    // `id` is required and readOnly: not in requests; `secret` is writeOnly: not in answers.
    assert!(api.build(create, &json!({"name": "Rex", "secret": "s"})).is_ok());
    let found = api.build(create, &json!({"name": "Rex"})).unwrap_err();
    assert_eq!(found[0].message, "`secret` is missing");
}

#[test]
fn received_requests_are_judged() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    let list = api.operation("listPets").unwrap();
    let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
    let query = [
        pair("limit", "10"),
        pair("tags", "a,b"),
        pair("filter[age]", "3"),
        pair("filter[name]", "x"),
    ];
    let request = IncomingRequest { query: &query, ..IncomingRequest::default() };
    assert_eq!(api.check_request(list, &request), []);
    let values = api.read_parameters(list, &request);
    let of = |name: &str| &values[&(ParameterLocation::Query, name.to_owned())];
    assert_eq!((of("limit"), of("tags")), (&json!(10), &json!(["a", "b"])));
    assert_eq!(of("filter"), &json!({"age": 3, "name": "x"}));
    let query = [pair("limit", "many")];
    let request = IncomingRequest { query: &query, ..IncomingRequest::default() };
    let found = api.check_request(list, &request);
    assert_eq!(found[0].pointer, "/query/limit");
    let create = api.operation("createPet").unwrap();
    let found = api.check_request(create, &IncomingRequest::default());
    assert_eq!(found[0].message, "the body is missing");
    let body = json!({"name": 5, "secret": "s"});
    let request = IncomingRequest {
        body: Some(&body),
        media_type: Some("application/json"),
        ..IncomingRequest::default()
    };
    assert_eq!(api.check_request(create, &request)[0].pointer, "/body/name");
}

#[test]
fn routing_prefers_literals() {
    let text = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths:\n  /a/{x}: {get: {operationId: any, parameters: [{in: path, name: x}]}}\n  /a/me: {get: {operationId: me}}\n  '/a/{x}/v{n}.{m}': {post: {operationId: deep, parameters: [{in: path, name: x},{in: path, name: n},{in: path, name: m}]}}\n";
    let api = loaded(&[("openapi.yaml", text)]);
    let route = |method: &str, path: &str| match api.route(method, path) {
        Routed::Found { operation, path } => {
            let values: Vec<String> = path.into_iter().map(|(k, v)| format!("{k}={v}")).collect();
            format!("{} {}", operation.id, values.join(","))
        }
        Routed::OtherMethods(others) => others.join(","),
        Routed::Nothing => "nothing".to_owned(),
    };
    assert_eq!(route("GET", "/a/me"), "me ");
    assert_eq!(route("GET", "/a/b%2Fc"), "any x=b/c");
    assert_eq!(route("POST", "/a/1/v2.3"), "deep x=1,n=2,m=3");
    assert_eq!(route("PUT", "/a/1"), "GET");
    assert_eq!(route("GET", "/a/"), "nothing");
    assert_eq!(route("GET", "/b"), "nothing");
}

#[test]
fn pruning_keeps_the_closure_and_nothing_else() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    let pruned = api.keep_only(&["get_pets_petId"]);
    let paths: Vec<&String> = pruned["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/pets/{petId}"]);
    let schemas: Vec<&String> =
        pruned["components"]["schemas"].as_object().unwrap().keys().collect();
    assert_eq!(schemas, ["Cat", "Dog", "Pet"]);
    assert!(pruned["components"]["securitySchemes"].is_object());
    let again = OpenApi::from_text("p.json", &pruned.to_string()).expect("loads again");
    let operation = again.operation("get_pets_petId").expect("keeps its derived id");
    assert!(operation.response(200).is_some());
    assert_eq!(again.keep_only(&["get_pets_petId"]), pruned);
    assert_eq!(api.keep_only(&["get_pets_petId"]).to_string(), pruned.to_string());
}

#[test]
fn samples_are_valid_and_repeatable() {
    let api = loaded(&[("openapi.yaml", PETS)]);
    for operation in api.operations() {
        for seed in 0..20 {
            let arguments = api.sample_arguments(operation, seed);
            assert_eq!(arguments, api.sample_arguments(operation, seed));
            if let Err(found) = api.build(operation, &arguments) {
                panic!("{}: {found:?} for {arguments}", operation.id);
            }
        }
        let Some(response) = operation.response(200) else { continue };
        if let Some(body) = api.sample_response(operation, 200, 3) {
            assert_eq!(
                api.check_response(operation, 200, &[], Some(&body)),
                [],
                "{:?}",
                response.status
            );
        }
    }
}

#[test]
fn proving_reports_schemas_without_meaning() {
    let text = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    post:\n      operationId: a\n      requestBody: {content: {application/json: {schema: {type: string, pattern: '(unclosed'}}}}\n";
    let api = loaded(&[("openapi.yaml", text)]);
    let found = api.prove(&["a"]);
    assert_eq!(codes_of(&found), ["QC-C013"]);
    assert_eq!(found[0].severity, Severity::Warning);
    let request = api.build(api.operation("a").unwrap(), &json!({"body": "x"}));
    assert!(request.is_ok(), "the pattern is not enforced");
    assert_eq!(loaded(&[("openapi.yaml", PETS)]).prove(&["listPets", "createPet"]), []);
}

#[test]
fn sloppy_schemas_still_judge() {
    let text = "openapi: 3.0.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    get:\n      operationId: a\n      responses:\n        '200':\n          description: ok\n          content:\n            application/json:\n              schema:\n                type: object\n                required: true\n                properties:\n                  n: {type: integer, minimum: '1', enum: [], required: true}\n                  o: {type: any}\n";
    let api = loaded(&[("openapi.yaml", text)]);
    let operation = api.operation("a").unwrap();
    assert_eq!(api.check_response(operation, 200, &[], Some(&json!({"n": 0, "o": []}))), []);
    let found = api.check_response(operation, 200, &[], Some(&Value::from(3)));
    assert_eq!(found.len(), 1);
}

#[test]
fn names_may_be_strange() {
    let text = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    get:\n      operationId: a\n      responses:\n        '200':\n          description: ok\n          content: {application/json: {schema: {$ref: '#/components/schemas/A%20B~1%C3%A9%25~0'}}}\ncomponents:\n  schemas:\n    'A B/é%~': {type: array, items: {$ref: '#/components/schemas/Page%C2%ABx%C2%BB'}}\n    'Page«x»': {type: integer}\n";
    let api = loaded(&[("openapi.yaml", text)]);
    let pruned = OpenApi::from_text("p.json", &api.keep_only(&["a"]).to_string()).expect("loads");
    for api in [api, pruned] {
        let operation = api.operation("a").unwrap();
        assert_eq!(api.check_response(operation, 200, &[], Some(&json!([1]))), []);
        assert_eq!(api.check_response(operation, 200, &[], Some(&json!(["x"]))).len(), 1);
    }
}

#[test]
fn a_schema_that_only_names_itself_ends() {
    let text = "openapi: 3.1.0\ninfo: {title: T, version: '1'}\npaths:\n  /a:\n    get:\n      operationId: a\n      responses:\n        '200':\n          description: ok\n          content: {application/json: {schema: {$ref: '#/components/schemas/A'}}}\ncomponents:\n  schemas:\n    A: {$ref: '#/components/schemas/B'}\n    B: {allOf: [{$ref: '#/components/schemas/A'}]}\n";
    let api = loaded(&[("openapi.yaml", text)]);
    let operation = api.operation("a").unwrap();
    let _ = api.check_response(operation, 200, &[], Some(&json!({"a": [1]})));
    let _ = api.sample_response(operation, 200, 1);
}

#[test]
fn descriptions_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<OpenApi>();
    shared::<crate::Schema>();
}
