//! Batches: an operation that does for many bodies what another does for one, so that calls which wait for a limit go
//! in one request.

use qc_contract::{OpenApi, Operation, is_json};
use qc_document::{Node, ObjectReader, Reader};
use qc_expression::Expression;
use qc_workflow::Effect;

use super::{EffectRule, KeyPlace, expression, load::unknown_operation};
use crate::codes;

/// The most calls of one request that can be declared.
const MOST: i64 = 1_000;

/// How calls of an operation go together in one request of another operation of the same connector.
#[derive(Debug, Clone)]
pub struct BatchRule {
    /// The operation that takes many.
    pub operation: String,
    /// The most calls of one request.
    pub max: usize,
    /// Its body, over the list of the calls' bodies; the list itself when absent.
    pub body: Option<Expression>,
    /// One entry for each call, in the order of the bodies, over its answer's content.
    pub results: Expression,
    /// The status of one call, over its entry: a number as HTTP has them. Without it each has succeeded, unless the
    /// error map knows better.
    pub status: Option<Expression>,
    /// What the call alone would have been answered, over its entry; the entry itself when absent.
    pub output: Option<Expression>,
}

impl BatchRule {
    pub(super) fn read(mut object: ObjectReader<'_, '_>) -> Option<Self> {
        let reader = object.reader();
        let operation = object.string("operation").map(str::to_owned);
        let max = object.integer("max", 2..=MOST);
        let body = expression::optional(&mut object, "body", &[]);
        let results = object
            .required("results")
            .and_then(|node| expression::parse(reader, "results", node, &[]));
        let status = expression::optional(&mut object, "status", &[]);
        let output = expression::optional(&mut object, "output", &[]);
        object.finish();
        Some(Self {
            operation: operation?,
            max: usize::try_from(max?).unwrap_or(2),
            body,
            results: results?,
            status,
            output,
        })
    }

    /// Reports why the calls of an operation cannot go so.
    pub(super) fn check(
        &self,
        reader: &Reader<'_>,
        node: &Node,
        (api, single): (&OpenApi, &Operation),
        (declared, has_pages): (Option<&EffectRule>, bool),
    ) {
        let id = &single.id;
        let Some(many) = api.operation(&self.operation) else {
            let at = node.at("/operation").unwrap_or(node);
            unknown_operation(reader, Some(api), &self.operation, at.span);
            return;
        };
        let why = if many.id == *id {
            Some("an operation is no batch of itself".to_owned())
        } else if let Some(one) = many.parameters.iter().find(|one| one.required) {
            Some(format!("`{}` needs `{}`, which no call of a batch gives it", many.id, one.name))
        } else if has_pages {
            Some(format!("`{id}` has pages, and the request of many calls reads none"))
        } else {
            let takes_json = |operation: &Operation| {
                let body = operation.request_body.as_ref();
                body.is_some_and(|body| body.content.iter().any(|one| is_json(&one.media_type)))
            };
            let bare = [single, many].into_iter().find(|one| !takes_json(one));
            let needs = single.parameters.iter().find(|one| one.required);
            needs
                .map(|one| {
                    format!(
                        "`{id}` needs `{}`: only operations whose calls differ in nothing but their body go together",
                        one.name
                    )
                })
                .or_else(|| bare.map(|one| format!("`{}` takes no JSON as its body", one.id)))
                .or_else(|| refused_class(id, declared))
        };
        if let Some(why) = why {
            reader.report(codes::BAD_BATCH, node.span, why);
        }
    }
}

/// Why an effect class does not go in batches: what its calls need would be the whole request's.
fn refused_class(id: &str, declared: Option<&EffectRule>) -> Option<String> {
    let rule = declared?;
    let in_body = |place: &KeyPlace| matches!(place, KeyPlace::Body(_));
    match rule.class {
        _ if rule.verify.is_some() => Some(format!(
            "`{id}` is read back when its outcome is unknown: its calls go alone, so that none is read back while the \
             request of the others is still on its way"
        )),
        Effect::Keyed if !rule.key.as_ref().is_some_and(|key| in_body(&key.place)) => {
            Some(format!(
                "the key of `{id}` is not in its body: one request has one header and one query, and each call its own key"
            ))
        }
        _ => None,
    }
}
