//! What leaves the platform is held against the policy of the movement of data.

use std::fmt::Write;

use qc_data::{DataClass, Denied, Destination, Known, Labels, Sent, TokenKey};
use qc_model::{Class, EnvironmentName, Failure, Name, NextAction, Retry};
use qc_workflow::{CallRequest, CallTarget, SecretMark};
use serde_json::{Value, json};

use super::rules::{DataRules, Spot};
use crate::codes;

/// The destination of what people are asked.
const PEOPLE: &str = "people";
/// The destination of what senders get back.
const SENDERS: &str = "senders";

/// What a request was held against: the destination, and what was changed of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Moved {
    pub(crate) to: String,
    pub(crate) sent: Sent,
}

impl DataRules {
    /// Makes a request what may be sent, by its labels and by what is `known`. Its own sensitive values are among those
    /// that were `sent_before` from now on.
    pub(crate) fn let_out(
        &self,
        request: &mut CallRequest,
        environment: &EnvironmentName,
        known: &Known,
        sent_before: &mut Known,
        key: impl FnOnce() -> Option<TokenKey>,
    ) -> Result<Option<Moved>, Box<Failure>> {
        let place = &*request.id.pointer;
        let (spot, operation) = match &request.target {
            CallTarget::Kept { .. } => return Ok(None),
            CallTarget::Human { .. } => (Spot { name: PEOPLE.to_owned(), region: None }, None),
            CallTarget::Connector { connector, operation, .. } => {
                let spot = self.connectors.get(connector).cloned();
                let name = connector.clone();
                (
                    spot.unwrap_or(Spot { name, region: None }),
                    Some(format!("{connector}.{operation}")),
                )
            }
            CallTarget::OpenApi { .. } | CallTarget::Http { .. } => {
                (self.places.get(place).cloned().unwrap_or_default(), None)
            }
        };
        let of_operation = operation.and_then(|operation| self.operations.get(&operation));
        let labels: Vec<&Labels> =
            self.requests.get(place).into_iter().chain(of_operation).flatten().collect();
        let sensitive = labels.iter().filter_map(|it| it.highest()).any(DataClass::is_sensitive);
        if self.movement.is_none() && !sensitive {
            return Ok(None);
        }
        let mut document = document_of(&request.target);
        sent_before.learn(&document, &labels);
        let Some(movement) = &self.movement else { return Ok(None) };
        let own = self.own.get(place);
        let mark = request.secrets;
        let is_own = |pointer: &str, leaf: &Value| {
            own.is_some_and(|own| own.get(pointer) == Some(leaf)) || is_secret(leaf, mark)
        };
        let to = Destination {
            name: &spot.name,
            environment: environment.as_str(),
            region: spot.region.as_deref(),
        };
        let key = key();
        let sent = movement
            .send(&mut document, &labels, known, &is_own, &to, key.as_ref())
            .map_err(|denied| refusal(&denied, &to))?;
        if sent.changed > 0 && !put_back(&mut request.target, document) {
            let places = vec!["/endpoint".to_owned()];
            let class = movement.highest();
            let denied = Denied { places, count: 1, class, unlabelled: false, no_key: false };
            return Err(refusal(&denied, &to));
        }
        Ok(Some(Moved { to: spot.name, sent }))
    }

    /// The data of an event as a publication may have it.
    pub(crate) fn let_publish(
        &self,
        publication: &Name,
        data: &mut Value,
        environment: &EnvironmentName,
        known: &Known,
        key: impl FnOnce() -> Option<TokenKey>,
    ) -> Result<Sent, Box<Failure>> {
        let Some(movement) = &self.movement else { return Ok(Sent::default()) };
        let (labels, spot) = match self.publications.get(publication) {
            Some((labels, spot)) => (labels.iter().collect(), spot.clone()),
            None => (Vec::new(), Spot { name: publication.to_string(), region: None }),
        };
        let to = Destination {
            name: &spot.name,
            environment: environment.as_str(),
            region: spot.region.as_deref(),
        };
        movement
            .send(data, &labels, known, &|_, _| false, &to, key().as_ref())
            .map_err(|denied| refusal(&denied, &to))
    }

    /// A run's output as whoever sent the event may have it.
    pub(crate) fn let_reply(
        &self,
        trigger: &Name,
        output: &mut Value,
        environment: &EnvironmentName,
        key: impl FnOnce() -> Option<TokenKey>,
    ) -> Result<(), Box<Failure>> {
        let Some(movement) = &self.movement else { return Ok(()) };
        let labels: Vec<&Labels> = self.replies.get(trigger).into_iter().flatten().collect();
        let to = Destination { name: SENDERS, environment: environment.as_str(), region: None };
        let known = Known::default();
        movement
            .send(output, &labels, &known, &|_, _| false, &to, key().as_ref())
            .map(drop)
            .map_err(|denied| refusal(&denied, &to))
    }
}

/// What of a request is data. Of a plain request that is `{endpoint, headers, query, body}`.
fn document_of(target: &CallTarget) -> Value {
    match target {
        CallTarget::Connector { arguments, .. }
        | CallTarget::OpenApi { arguments, .. }
        | CallTarget::Human { arguments, .. } => arguments.clone(),
        CallTarget::Http { endpoint, headers, query, body, .. } => {
            json!({"endpoint": endpoint, "headers": headers, "query": query, "body": body})
        }
        CallTarget::Kept { .. } => Value::Null,
    }
}

/// Puts what may be sent in the place of what was to be. False: where it would go is not known any more.
fn put_back(target: &mut CallTarget, mut document: Value) -> bool {
    match target {
        CallTarget::Connector { arguments, .. }
        | CallTarget::OpenApi { arguments, .. }
        | CallTarget::Human { arguments, .. } => *arguments = document,
        CallTarget::Http { endpoint, headers, query, body, .. } => {
            if document["endpoint"] != **endpoint {
                return false;
            }
            *headers = document["headers"].take();
            *query = document["query"].take();
            if body.is_some() {
                *body = Some(document["body"].take());
            }
        }
        CallTarget::Kept { .. } => {}
    }
    true
}

/// Whether a text is nothing but a secret, which only the sender puts in.
fn is_secret(leaf: &Value, mark: SecretMark) -> bool {
    let Some(text) = leaf.as_str() else { return false };
    mark.substitute_text(text, &|_| Some(String::new())) == Ok(Some(String::new()))
}

fn refusal(denied: &Denied, to: &Destination<'_>) -> Box<Failure> {
    let Denied { places, count, class, unlabelled, no_key } = denied;
    let more = count.saturating_sub(places.len());
    let mut detail = format!(
        "data of the class `{}` does not go to `{}` in `{}`: {}",
        class.as_str(),
        to.name,
        to.environment,
        places.join(", ")
    );
    if more > 0 {
        write!(detail, " and {more} more").expect("a text takes everything");
    }
    if *unlabelled {
        detail.push_str("; a field without a label counts as the highest class of the policy");
    }
    if *no_key {
        detail.push_str("; tokens were to go in its place, and the vault has no key for them");
    }
    let failure = Failure::new(Class::Policy, codes::DATA_DENIED, "Data may not go there", detail);
    Box::new(Failure { retry: Retry::Never, next_action: NextAction::ContactOwner, ..failure })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use qc_data::{MASK, Movement, Rule, Verdict};
    use qc_workflow::{CallId, Effect, OutputShape};

    use super::*;

    /// Nothing personal goes out but masked.
    fn rules() -> DataRules {
        let rule = |class, then| Rule {
            classes: BTreeSet::from([class]),
            to: BTreeSet::new(),
            environments: BTreeSet::new(),
            regions: BTreeSet::new(),
            then,
        };
        let all = vec![
            rule(DataClass::Internal, Verdict::Allow),
            rule(DataClass::Personal, Verdict::Mask),
        ];
        let labels = Labels::new([("name", DataClass::Personal)], Some(DataClass::Internal));
        let mut rules =
            DataRules { movement: Some(Movement::new(all, Verdict::Deny)), ..DataRules::default() };
        rules.requests.insert("/do/0/tell".to_owned(), vec![labels.below("body")]);
        rules
    }

    fn request(endpoint: &str, mark: SecretMark) -> CallRequest {
        CallRequest {
            id: CallId { pointer: Arc::from("/do/0/tell"), visit: Arc::from("0") },
            task: Arc::from("tell"),
            attempt: 1,
            target: CallTarget::Http {
                method: "POST".to_owned(),
                endpoint: endpoint.to_owned(),
                headers: json!({"x-key": mark.placeholder("key")}),
                query: json!({"of": "Grace Hopper"}),
                body: Some(json!({"name": "Ada Lovelace", "case": 7})),
                authentication: None,
                output: OutputShape::Content,
                redirect: false,
            },
            effect: Effect::Once,
            timeout_ms: 1,
            secrets: mark,
        }
    }

    #[test]
    fn a_plain_request_is_masked_part_by_part_and_its_address_never() {
        let (rules, mark) = (rules(), SecretMark::new(7));
        let sandbox = EnvironmentName::new("sandbox").unwrap();
        let let_out = |request: &mut CallRequest, known: &Known, sent: &mut Known| {
            rules.let_out(request, &sandbox, known, sent, || None)
        };
        let (mut known, mut before) = (Known::default(), Known::default());
        let grace = Labels::new([("name", DataClass::Personal)], None);
        known.learn(&json!({"name": "Grace Hopper"}), &[&grace]);
        let mut sent = request("https://x.example/people", mark);
        let moved = let_out(&mut sent, &known, &mut before).unwrap().unwrap();
        assert_eq!(moved.sent.masked, ["/query/of", "/body/name"]);
        let CallTarget::Http { headers, query, body, .. } = &sent.target else { panic!("http") };
        assert_eq!(headers["x-key"], mark.placeholder("key"), "a secret is no data");
        assert_eq!(query["of"], MASK, "it came in as personal");
        assert_eq!(*body, Some(json!({"name": MASK, "case": 7})));
        assert!(before.class_in(&json!("of Ada Lovelace")).is_some(), "known from now on");
        let mut sent = request("https://x.example/people/Grace Hopper", mark);
        let refused = let_out(&mut sent, &known, &mut before).unwrap_err();
        assert_eq!((refused.code, refused.retry), (codes::DATA_DENIED, Retry::Never));
        assert!(refused.detail.contains("/endpoint") && !refused.detail.contains("Grace"));
    }

    #[test]
    fn a_request_is_rewritten_the_same_way_again() {
        let (rules, mark) = (rules(), SecretMark::new(7));
        let sandbox = EnvironmentName::new("sandbox").unwrap();
        let (mut once, known) = (request("https://x.example", mark), Known::default());
        let mut before = Known::default();
        rules.let_out(&mut once, &sandbox, &known, &mut before, || None).unwrap();
        let mut twice = once.clone();
        rules.let_out(&mut twice, &sandbox, &known, &mut before, || None).unwrap();
        assert_eq!(once, twice);
    }
}
