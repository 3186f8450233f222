//! `try` and `catch`.

use qc_model::Class;
use serde_json::json;

use crate::driver::{Run, failure};

#[test]
fn debug() {
    let mut run = Run::of(r#"
do:
  - tryIt:
      try:
        - get: { call: http, with: { method: get, endpoint: "https://x.example/y" } }
      catch:
        as: err
        do:
          - setError: { set: { error: "${ $err }" } }
"#, json!({}));
    run.fail("get", failure(Class::NotFound));
    eprintln!("{:#?}", run.machine());
    eprintln!("{:#?}", run.notes);
}
