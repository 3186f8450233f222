//! Which data may go where.

use qc_data::{DataClass, Verdict};
use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Record, Shape, Spanned, read_word, word_schema};

/// The destination of what people are asked.
pub const PEOPLE: &str = "people";
/// The destination of what senders get back.
pub const SENDERS: &str = "senders";

/// The policy for all integrations.
#[derive(Debug, Clone)]
pub struct MovementSpec {
    /// The rules, in their order: the first that speaks of a field decides.
    pub rules: Vec<Spanned<MovementRule>>,
    /// What becomes of that of which none speaks.
    pub otherwise: Option<Verdict>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct MovementRule {
    /// The classes of which it speaks; all when empty.
    pub classes: Several<Spanned<DataClass>>,
    /// Names of systems and publications, `people` and `senders`; all when empty.
    pub to: Several<Spanned<Name>>,
    /// Environments; all when empty.
    pub environments: Several<Spanned<Name>>,
    /// Regions of destinations; all when empty.
    pub regions: Several<Spanned<Name>>,
    /// What it says.
    pub then: Verdict,
}

/// One thing, or a list of them.
#[derive(Debug, Clone)]
pub struct Several<T>(pub Vec<T>);

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Shape> Shape for Several<T> {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        if node.as_str().is_some() {
            return T::read(node, what, reader).map(|one| Self(vec![one]));
        }
        Vec::read(node, what, reader).map(Self)
    }

    fn schema(definitions: &mut Definitions) -> Value {
        let one = T::schema(definitions);
        json!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}

const VERDICTS: &[(&str, Verdict)] = &[
    ("allow", Verdict::Allow),
    ("mask", Verdict::Mask),
    ("tokenise", Verdict::Tokenise),
    ("deny", Verdict::Deny),
];

impl Shape for Verdict {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(VERDICTS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(VERDICTS)
    }
}

impl Record for MovementSpec {
    const NAME: &'static str = "data_movement";
    const DOC: &'static str = "Which data may go where.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let rules =
            f.required("rules", "In their order: the first rule that speaks of a field decides.");
        let otherwise = f.optional(
            "otherwise",
            "What becomes of fields of which no rule speaks; `deny` when left out.",
        );
        Some(Self { rules: rules?, otherwise })
    }
}

impl Record for MovementRule {
    const NAME: &'static str = "movement_rule";
    const DOC: &'static str = "A rule of the movement of data. What it leaves out it says of all.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let classes = f.several("class", "A class of data, or several.");
        let to = f.several(
            "to",
            "A system, a publication, `people` (whom tasks ask) or `senders` (who wait for an answer), or several.",
        );
        let environments = f.several("environment", "An environment, or several.");
        let regions = f.several("region", "A region in which the destination is, or several.");
        let then = f.required(
            "then",
            "What becomes of the field: it passes, is masked, gets a token in its place, or nothing goes.",
        );
        Some(Self { classes, to, environments, regions, then: then? })
    }
}
