//! Cases about who may come in, and about what is not there.

use qc_contract::{Direction, ParameterLocation, Response, StatusPattern};
use serde_json::{Value, json};

use super::{Change, Expects, Kind, Maker, Plan};
use crate::credentials::{Bad, Sign, alternative, has_challenge, is_protected};

impl Maker<'_> {
    pub(super) fn security(&mut self) {
        if !is_protected(self.operation) {
            return;
        }
        let challenge = has_challenge(self.api, self.operation);
        let denied = |slug: &str, name: String, sign: Sign| Plan {
            slug: slug.to_owned(),
            name,
            kind: Kind::Security,
            change: Change::Nothing,
            sign,
            expects: Expects::Denied { challenge },
        };
        self.add(denied("no-credentials", "without credentials".to_owned(), Sign::Nothing));
        let name = "with credentials that are nobody's".to_owned();
        self.add(denied("malformed-credentials", name, Sign::Malformed));
        if alternative(self.api, self.operation, &self.credentials.valid).is_none() {
            self.skip(
                "requests with valid credentials",
                "no file of credentials has those that the operation needs",
            );
        }
        for bad in Bad::ALL {
            match self.credentials.bad.get(&bad) {
                Some(proof) if alternative(self.api, self.operation, proof).is_some() => {
                    let name = format!("with {}", bad.words());
                    self.add(denied(&bad.key().replace('_', "-"), name, Sign::Bad(bad)));
                }
                Some(_) => {
                    self.skip(
                        bad.words(),
                        "the file's are not of the kind that the operation takes",
                    );
                }
                None => self.skip(
                    bad.words(),
                    format!(
                        "only the issuer can make them, and no file gives them as `{}`",
                        bad.key()
                    ),
                ),
            }
        }
    }

    pub(super) fn absent(&mut self) {
        let names_404 = |response: &&Response| response.status == StatusPattern::Exact(404);
        if !self.operation.responses.iter().any(|response| names_404(&response)) {
            return;
        }
        let last = self
            .operation
            .parameters
            .iter()
            .filter(|parameter| parameter.location == ParameterLocation::Path)
            .max_by_key(|parameter| self.operation.path.find(&format!("{{{}}}", parameter.name)));
        let Some(last) = last else { return };
        // Putting a resource there is how it begins to be there.
        if self.operation.method.as_str() == "PUT" && self.operation.path.ends_with('}') {
            self.skip("a resource that is not there", "PUT may make it");
            return;
        }
        let schema = last.schema.as_ref();
        let sampled = schema.map(|schema| {
            self.api.sample(schema, Direction::Request, self.seed.wrapping_add(7_919))
        });
        let fits = |value: &Value| {
            schema.is_none_or(|schema| self.api.check(schema, Direction::Request, value).is_empty())
        };
        let made = [json!(format!("qc-unknown-{}", self.seed)), json!(2_147_480_000_u32)];
        let unknown = made.into_iter().find(|value| fits(value)).or(sampled);
        let Some(unknown) = unknown else { return };
        let text = unknown.as_str().map_or_else(|| unknown.to_string(), str::to_owned);
        self.add(Plan {
            slug: "unknown-resource".to_owned(),
            name: format!("the path parameter `{}` names nothing that is there", last.name),
            kind: Kind::Absent,
            change: Change::Parameter {
                location: ParameterLocation::Path,
                name: last.name.to_string(),
                text: Some(text),
            },
            sign: Sign::Valid,
            expects: Expects::Missing,
        });
    }
}

/// Methods that are tried where a path does not have them.
const METHODS: [&str; 4] = ["PATCH", "PUT", "DELETE", "POST"];

impl Maker<'_> {
    /// One method for a path that does not have it.
    pub(super) fn method(&mut self) {
        let path = &self.operation.path;
        let has = |method: &str| {
            let all = self.api.operations().iter();
            all.filter(|o| o.path == *path).any(|o| o.method.as_str() == method)
        };
        let Some(method) = METHODS.into_iter().find(|method| !has(method)) else { return };
        self.add(Plan {
            slug: "other-method".to_owned(),
            name: format!("{method} is not described for `{path}`"),
            kind: Kind::Absent,
            change: Change::Method(method),
            sign: Sign::Valid,
            expects: Expects::Unrouted,
        });
    }

    /// A path that the description does not have.
    pub(super) fn elsewhere(&mut self) {
        let path = format!("/qc-not-described-{}", self.seed);
        self.add(Plan {
            slug: "other-path".to_owned(),
            name: format!("`{path}` is not described"),
            kind: Kind::Absent,
            change: Change::Elsewhere(path),
            sign: Sign::Valid,
            expects: Expects::Unrouted,
        });
    }
}
