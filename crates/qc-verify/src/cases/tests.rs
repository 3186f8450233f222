//! Which cases an operation has, and what is expected of each.

use std::collections::BTreeMap;

use super::*;

const TEXT: &str = "
openapi: 3.1.0
info: { title: Pets, version: 1.0.0 }
components: { securitySchemes: { key: { type: apiKey, in: header, name: X-Key } } }
paths:
  /pets/{id}:
    parameters: [ { name: id, in: path, required: true, schema: { type: string } } ]
    put:
      operationId: putPet
      security: [ { key: [] } ]
      parameters: [ { name: X-Tag, in: header, required: true, schema: { type: string, maxLength: 5 } } ]
      requestBody:
        required: true
        content:
          application/json:
            schema:
              type: object
              required: [name]
              properties: { name: { type: string, minLength: 2 } }
              additionalProperties: false
      responses: { '200': { description: ok }, '404': { description: none } }
    get:
      operationId: getPet
      security: [ {}, { key: [] } ]
      responses: { '200': { description: ok }, '404': { description: none } }
  /lists:
    post:
      operationId: postList
      requestBody: { content: { application/json: { schema: { type: array } } } }
      responses: { '200': { description: ok } }
";

/// What is expected of each case, by its name.
fn expected(operation: &str) -> BTreeMap<String, (Kind, Expects)> {
    let api = OpenApi::from_text("openapi.yaml", TEXT).unwrap();
    let found = api.operations().iter().find(|one| *one.id == *operation).unwrap();
    let made = cases_of(&api, found, &Credentials::made(), 7, 250);
    let named = |case: &Case| {
        let slug = case.id.strip_prefix(operation).unwrap().trim_start_matches('/');
        (slug.to_owned(), (case.kind, case.expects))
    };
    made.all.iter().map(named).collect()
}

#[test]
fn no_case_is_left_out_and_each_expects_what_the_description_says() {
    let put = expected("putPet");
    let of = |name: &str| put.get(name).map(|(_, expects)| *expects);
    assert_eq!(of("valid"), Some(Expects::Accepted));
    for denied in ["no-credentials", "malformed-credentials"] {
        assert!(matches!(of(denied), Some(Expects::Denied { .. })), "{denied}: {put:#?}");
    }
    let refused = [
        "empty-body",
        "wrong-media-type",
        "truncated",
        "trailing",
        "not-json",
        "invalid-utf8",
        "deep",
        "header/X-Tag/missing",
    ];
    for name in refused {
        assert_eq!(of(name), Some(Expects::Refused), "{name}: {put:#?}");
    }
    assert_eq!(of("duplicate-key"), Some(Expects::Tolerated), "standards leave it open");
    assert_eq!(of("unknown-resource"), None, "PUT may make it");
    let of_fields: Vec<_> = put.values().filter(|(kind, _)| *kind == Kind::Body).collect();
    assert!(!of_fields.is_empty());
    assert!(of_fields.iter().all(|(_, expects)| *expects == Expects::Refused), "{put:#?}");

    let get = expected("getPet");
    assert_eq!(get["unknown-resource"].1, Expects::Missing);
    assert!(!get.contains_key("no-credentials"), "they may be left out: {get:#?}");

    let post = expected("postList");
    assert!(!post.contains_key("empty-body") && post.contains_key("without-body"), "{post:#?}");
    assert_eq!(post["deep"].1, Expects::Tolerated, "lists are admitted");
}
