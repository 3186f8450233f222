use proptest::prelude::*;
use serde_json::json;

use super::style::{path_text, query_pairs};
use super::*;
use crate::documents::At;
use crate::model::{Parameter, ParameterLocation, Style};
use crate::openapi::OpenApi;

fn parameter(location: ParameterLocation, style: Style, explode: bool) -> Parameter {
    Parameter {
        name: "color".into(),
        location,
        required: false,
        deprecated: false,
        style,
        explode,
        allow_reserved: false,
        schema: None,
        media_type: None,
        at: At { file: 0, pointer: String::new() },
    }
}

/// The table of the OpenAPI standard ("Style Examples").
#[test]
fn styles_are_written_as_the_standard_shows() {
    let list = json!(["blue", "black"]);
    let object = json!({"R": 100, "G": 200});
    let pairs = |first: &str, second: &str| -> (String, String) { (first.into(), second.into()) };
    let path = |style: Style, explode: bool, value: &Value| {
        let parameter = parameter(ParameterLocation::Path, style, explode);
        path_text(&parameter, value, &str::to_owned).unwrap()
    };
    // Maps may be sorted or in order of insertion, depending on how serde_json was built.
    let either = |text: String, options: [&str; 2]| assert!(options.contains(&&*text), "{text}");
    assert_eq!(path(Style::Simple, false, &list), "blue,black");
    either(path(Style::Simple, false, &object), ["R,100,G,200", "G,200,R,100"]);
    either(path(Style::Simple, true, &object), ["R=100,G=200", "G=200,R=100"]);
    assert_eq!(path(Style::Label, false, &json!("blue")), ".blue");
    assert_eq!(path(Style::Label, false, &list), ".blue,black");
    assert_eq!(path(Style::Label, true, &list), ".blue.black");
    either(path(Style::Label, true, &object), [".R=100.G=200", ".G=200.R=100"]);
    assert_eq!(path(Style::Matrix, false, &json!("")), ";color");
    assert_eq!(path(Style::Matrix, false, &list), ";color=blue,black");
    assert_eq!(path(Style::Matrix, true, &list), ";color=blue;color=black");
    either(path(Style::Matrix, true, &object), [";R=100;G=200", ";G=200;R=100"]);
    let query = |style: Style, explode: bool, value: &Value| {
        let mut made = query_pairs(style, explode, "color", value).unwrap();
        made.sort();
        made
    };
    assert_eq!(query(Style::Form, false, &list), [pairs("color", "blue,black")]);
    assert_eq!(query(Style::Form, true, &list), [pairs("color", "black"), pairs("color", "blue")]);
    assert_eq!(query(Style::Form, true, &object), [pairs("G", "200"), pairs("R", "100")]);
    assert_eq!(query(Style::SpaceDelimited, false, &list), [pairs("color", "blue black")]);
    assert_eq!(query(Style::PipeDelimited, false, &list), [pairs("color", "blue|black")]);
    assert_eq!(
        query(Style::DeepObject, true, &object),
        [pairs("color[G]", "200"), pairs("color[R]", "100")]
    );
    assert!(query_pairs(Style::Form, true, "color", &json!([[1]])).is_err());
}

fn api(operation: &str) -> OpenApi {
    let text = format!(
        "openapi: 3.0.0\ninfo: {{title: T, version: '1'}}\npaths:\n  /a/{{id}}:\n    post:\n      operationId: op\n      parameters: [{{in: path, name: id, required: true, schema: {{type: string}}}}{operation}"
    );
    let (api, findings) =
        OpenApi::load(&crate::openapi::tests::files(&[("a.yaml", &text)]), "a.yaml");
    assert_eq!(findings, []);
    api.expect("loads")
}

fn build(api: &OpenApi, arguments: &Value) -> Result<BuiltRequest, Vec<String>> {
    let operation = api.operation("op").expect("is there");
    api.build(operation, arguments)
        .map_err(|found| found.iter().map(|mismatch| mismatch.message.clone()).collect())
}

#[test]
fn paths_are_encoded_and_cannot_climb() {
    let api = api("]\n");
    assert_eq!(build(&api, &json!({"id": "a/b ?#ü~"})).unwrap().path, "/a/a%2Fb%20%3F%23%C3%BC~");
    assert_eq!(build(&api, &json!({"id": 12})).unwrap().path, "/a/12", "the same on the wire");
    for climbing in ["", ".", ".."] {
        assert!(build(&api, &json!({"id": climbing})).is_err(), "{climbing:?}");
    }
    assert_eq!(
        build(&api, &json!({"id": null})).unwrap_err(),
        ["the path parameter `id` is missing"]
    );
    assert_eq!(
        build(&api, &json!({"id": "x", "idd": 1})).unwrap_err(),
        ["`op` takes no argument `idd`"],
        "too short for a guess"
    );
    assert_eq!(
        build(&api, &json!([])).unwrap_err(),
        ["the arguments must be an object, but are a list"]
    );
}

#[test]
fn names_that_collide_take_a_prefix() {
    let api = api(
        ", {in: query, name: id}, {in: header, name: X-Name}, {in: cookie, name: sid}, {in: cookie, name: t}]\n      requestBody: {content: {application/json: {schema: {type: object, properties: {id: {type: integer}, x: {type: integer}}}}}}\n",
    );
    let arguments =
        json!({"path.id": "p", "query.id": "q", "X-Name": "n", "sid": "1", "t": 2, "x": 3});
    let request = build(&api, &arguments).unwrap();
    assert_eq!(request.path, "/a/p");
    assert_eq!(request.query, [("id".to_owned(), "q".to_owned())]);
    assert_eq!(request.headers[0], ("X-Name".to_owned(), "n".to_owned()));
    assert_eq!(request.headers[1], ("Cookie".to_owned(), "sid=1; t=2".to_owned()));
    assert_eq!(request.body.unwrap().value, BodyValue::Json(json!({"x": 3})));
    let request = build(&api, &json!({"path.id": "p", "body": {"id": 1}})).unwrap();
    assert_eq!(request.body.unwrap().value, BodyValue::Json(json!({"id": 1})));
    let found = build(&api, &json!({"path.id": "p", "X-Name": "a\r\nX: y"})).unwrap_err();
    assert_eq!(found, ["a header cannot carry line breaks or control characters"]);
    let found = build(&api, &json!({"path.id": "p", "x": "no", "body": 3})).unwrap_err();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(build(&api, &json!({"path.id": "p"})).unwrap().body.is_none());
}

#[test]
fn an_item_stands_for_a_list_of_one() {
    let api = api(
        ", {in: query, name: status, schema: {type: array, items: {enum: [open, closed]}}}, {in: query, name: ids, style: form, explode: false, schema: {type: array, items: {type: integer}}}, {in: query, name: two, schema: {type: array, minItems: 2}}, {in: query, name: doc, content: {application/json: {schema: {type: array}}}}]\n      responses: {}",
    );
    let query = |arguments: Value| build(&api, &arguments).map(|built| built.query);
    let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let made = query(json!({"id": "x", "status": "open", "ids": "7"}));
    assert_eq!(made, Ok(vec![pair("status", "open"), pair("ids", "7")]));
    assert_eq!(made, query(json!({"id": "x", "status": ["open"], "ids": [7]})));
    for (name, value) in [("status", "lost"), ("ids", "seven"), ("two", "one"), ("doc", "text")] {
        assert!(query(json!({"id": "x", name: value})).is_err(), "{name}");
    }
}

#[test]
fn bodies_of_other_kinds() {
    let api = api(
        "]\n      requestBody:\n        required: true\n        content:\n          text/plain: {}\n          application/octet-stream: {}\n          multipart/form-data: {schema: {type: object, required: [file], properties: {file: {type: string, format: binary}}}}\n",
    );
    let body = |arguments: Value| build(&api, &arguments).map(|request| request.body.unwrap());
    let plan =
        body(json!({"id": "x", "file": {"base64": "aGk=", "filename": "a.txt"}, "n": 1})).unwrap();
    let BodyValue::Multipart(parts) = plan.value else { panic!("multipart is preferred") };
    let file = parts.iter().find(|part| part.name == "file").unwrap();
    let hi = PartContent::Bytes(b"hi".to_vec());
    assert_eq!((&file.content, file.filename.as_deref()), (&hi, Some("a.txt")));
    assert_eq!(body(json!({"id": "x"})).unwrap_err(), ["`file` is missing"]);
    let plan =
        body(json!({"id": "x", "header.Content-Type": "text/plain", "body": "hello"})).unwrap();
    assert_eq!(plan.value, BodyValue::Text("hello".to_owned()));
    let plan = body(
        json!({"id": "x", "header.Content-Type": "application/octet-stream", "body": {"base64": "AAE="}}),
    );
    assert_eq!(plan.unwrap().value, BodyValue::Binary(vec![0, 1]));
    let found = body(
        json!({"id": "x", "header.Content-Type": "application/octet-stream", "body": {"base64": "!"}}),
    );
    assert_eq!(found.unwrap_err(), ["`base64` is not valid base64"]);
    assert!(body(json!({"id": "x", "header.Content-Type": "image/png", "body": "x"})).is_err());
}

#[test]
fn a_blob_stands_wherever_bytes_do() {
    let hash = "ab".repeat(32);
    let blob = json!({"blob": hash, "size": 9, "mediaType": "application/pdf"});
    let content =
        |content: &str| api(&format!("]\n      requestBody:\n        content: {{{content}}}\n"));
    let plan = |api: &OpenApi, arguments: Value| {
        let plan = build(api, &arguments).unwrap().body.unwrap();
        (plan.value, plan.media_type)
    };
    let whole = BodyValue::Blob(hash.parse().unwrap());
    for (described, media_type) in [
        ("application/octet-stream: {}", "application/octet-stream"),
        ("application/*: {}", "application/pdf"),
        ("'*/*': {}", "application/pdf"),
        ("text/csv: {}", "text/csv"),
    ] {
        let made = plan(&content(described), json!({"id": "x", "body": blob}));
        assert_eq!(made, (whole.clone(), media_type.to_owned()), "{described}");
    }
    let api = content("multipart/form-data: {}");
    let files = json!([blob, {"blob": hash, "filename": "a.pdf"}, {"blob": "no hash"}]);
    let (BodyValue::Multipart(parts), _) = plan(&api, json!({"id": "x", "file": files})) else {
        panic!("multipart is described")
    };
    let blob = PartContent::Blob(hash.parse().unwrap());
    assert_eq!((&parts[0].content, parts[0].filename.as_deref()), (&blob, Some("file")));
    assert_eq!(parts[0].media_type.as_deref(), Some("application/pdf"));
    assert_eq!((&parts[1].content, parts[1].filename.as_deref()), (&blob, Some("a.pdf")));
    assert_eq!(parts[2].content, PartContent::Bytes(b"{\"blob\":\"no hash\"}".to_vec()));
    // JSON stays JSON: an object with a field of this name is nothing else.
    let (value, _) = plan(&content("application/json: {}"), json!({"id": "x", "blob": hash}));
    assert_eq!(value, BodyValue::Json(json!({"blob": hash})));
}

proptest! {
    #[test]
    fn a_path_parameter_is_read_back(value in "\\PC{1,12}") {
        prop_assume!(value != "." && value != "..");
        let api = api("]\n");
        let request = build(&api, &json!({"id": value})).unwrap();
        prop_assert_eq!(request.path.matches('/').count(), 2, "stays one segment");
        let crate::Routed::Found { path, .. } = api.route("POST", &request.path) else {
            panic!("routes back")
        };
        prop_assert_eq!(&path[0].1, &value);
    }

    #[test]
    fn arguments_never_panic(keys in proptest::collection::vec("(path\\.|query\\.)?[a-z]{0,3}", 0..5), text in ".{0,8}") {
        let api = api(", {in: query, name: q, style: deepObject, schema: {type: object}}]\n");
        let arguments: serde_json::Map<String, Value> = keys.into_iter().map(|key| (key, json!({"a": text}))).collect();
        let _ = build(&api, &Value::Object(arguments));
    }
}
