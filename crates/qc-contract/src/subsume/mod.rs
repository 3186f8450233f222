//! Whether one JSON Schema admits everything that another one admits.
//!
//! The question decides the level of a change to a contract: a request schema may only come to admit more, a response
//! schema only less. An answer is a proof or a document that shows the opposite; what cannot be decided within the
//! limits is said to be unknown, never guessed.
//!
//! The way: both schemas are brought into one spelling ([`normalise`]) and read as formulas ([`read`]); then a model
//! is looked for of "`sub` and not `sup`" ([`decide`]). If there is none, `sup` covers `sub`. A model is a candidate
//! only: the validator has the last word on a witness.
//!
//! Numbers are compared by their value in every draft, so that `1.0` is an integer also in draft 4. `format` is an
//! annotation unless [`CoverOptions::formats`] says otherwise.

mod arrays;
mod automaton;
mod canonical;
mod decide;
mod decimal;
mod evaluate;
mod formula;
mod normalise;
mod numbers;
mod objects;
mod read;
mod texts;
mod unevaluated;

use std::cell::OnceCell;

use jsonschema::Validator;
use serde_json::Value;

use crate::sample::sample_where;
use crate::schema::compile::{Dialect, Nothing, compile};
use decide::{Deciding, Models};
use formula::Formulas;
use normalise::normalise;

/// How many samples of `sub` are tried when nothing was proven.
const SAMPLES: u64 = 8;

const UNDECIDED: &str = "the two schemas combine keywords whose joint effect was not decided";
const EXHAUSTED: &str = "the question was not decided within its limits";

/// Whether `sup` admits every document that `sub` admits.
#[derive(Clone, PartialEq, Debug)]
pub enum Covers {
    /// It does; this is proven.
    Yes,
    /// It does not; the witness is a document that `sub` admits and `sup` refuses, where one was found.
    No {
        /// Checked with the validator: valid under `sub`, invalid under `sup`.
        witness: Option<Value>,
    },
    /// Neither was proven within the limits.
    Unknown {
        /// Why not, in words for a reader of a report.
        why: &'static str,
    },
}

/// The version of JSON Schema that a schema without `$schema` is written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Draft {
    /// Draft 4, also what OpenAPI 3.0 is nearest to.
    Draft4,
    /// Draft 6.
    Draft6,
    /// Draft 7.
    Draft7,
    /// Draft 2019-09.
    Draft201909,
    /// Draft 2020-12; also what [`crate::OpenApi::schema`] gives.
    #[default]
    Draft202012,
}

/// How the two schemas are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoverOptions {
    /// The draft of a schema that does not name its own in `$schema`.
    pub draft: Draft,
    /// Whether `format` refuses documents; otherwise it is an annotation.
    pub formats: bool,
    /// Whether `nullable: true` admits null, as in OpenAPI 3.0.
    pub nullable: bool,
}

/// Whether `sup` admits every document that `sub` admits. Both are self-contained: a reference leads into its own
/// schema. Bounded in time and memory whatever the schemas are.
pub fn covers(sup: &Value, sub: &Value, options: CoverOptions) -> Covers {
    let unknown = |why| Covers::Unknown { why };
    let (sup, sub) = match (normalise(sup, options), normalise(sub, options)) {
        (Ok(sup), Ok(sub)) => (sup, sub),
        (Err(why), _) | (_, Err(why)) => return unknown(why),
    };
    if sup == sub {
        return Covers::Yes;
    }
    let judge = Judge { sup: &sup, sub: &sub, options, validators: OnceCell::new() };
    let mut formulas = Formulas::default();
    let wide = read::read(&mut formulas, &sup, "sup");
    let narrow = read::read(&mut formulas, &sub, "sub");
    let outside = formulas.not(wide);
    let question = formulas.all([narrow, outside]);
    let mut deciding = Deciding::new(&mut formulas);
    match deciding.whole(question, &mut |candidate| judge.is_witness(candidate)) {
        Models::None => return Covers::Yes,
        Models::Found(witness) => return Covers::No { witness: Some(witness) },
        Models::Unknown => {}
    }
    let is_exhausted = deciding.fuel == 0;
    if let Some(witness) = judge.sampled() {
        return Covers::No { witness: Some(witness) };
    }
    if is_exhausted {
        return unknown(EXHAUSTED);
    }
    if let Some(why) = formulas.doubt() {
        return unknown(why);
    }
    canonical::opinion(&sup, &sub, options).unwrap_or(Covers::Unknown { why: UNDECIDED })
}

/// The validators of both schemas, made when there is first something to validate.
struct Judge<'s> {
    sup: &'s Value,
    sub: &'s Value,
    options: CoverOptions,
    validators: OnceCell<Option<(Validator, Validator)>>,
}

impl Judge<'_> {
    fn validators(&self) -> Option<&(Validator, Validator)> {
        let made = self.validators.get_or_init(|| {
            let draft = Some(jsonschema::Draft::Draft202012);
            let dialect = Dialect { draft, formats: self.options.formats };
            let compiled = |schema| compile(schema, dialect, "qc-contract:///schema.json", Nothing);
            Some((compiled(self.sup).ok()?, compiled(self.sub).ok()?))
        });
        made.as_ref()
    }

    fn is_witness(&self, candidate: &Value) -> bool {
        let validators = self.validators();
        validators.is_some_and(|(sup, sub)| sub.is_valid(candidate) && !sup.is_valid(candidate))
    }

    /// Something that `sub` admits, by the way of samples.
    fn sampled(&self) -> Option<Value> {
        let schema = self.sub;
        let (sup, sub) = self.validators()?;
        let admits = |value: &Value| sub.is_valid(value);
        let mut samples = (0..SAMPLES).map(|seed| sample_where(schema, seed, &admits));
        samples.find(|value| sub.is_valid(value) && !sup.is_valid(value))
    }
}

#[cfg(test)]
mod tests;
