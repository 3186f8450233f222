//! The file itself.

use qc_document::{Node, Reader};
use qc_version::{Date, Naming, Window};
use serde_json::{Value, json};

use super::StepSpec;
use crate::shape::{
    Definitions, Fields, Named, ProjectPath, Record, Shape, Spanned, parse, read_word, word_schema,
};

/// The versions of one contract.
#[derive(Debug, Clone)]
pub struct VersionsFile {
    /// How they are named; as the organisation says when left out.
    pub naming: Option<Spanned<Naming>>,
    /// How a sender says which one it speaks.
    pub select: SelectSpec,
    /// The versions of consumers that do not say one.
    pub pins: Named<String, Spanned<String>>,
    /// The versions, the oldest first.
    pub versions: Named<String, VersionSpec>,
}

/// How a sender says which version it speaks.
#[derive(Debug, Clone, Default)]
pub struct SelectSpec {
    /// The header field.
    pub header: Option<Spanned<String>>,
    /// The attribute of CloudEvents.
    pub attribute: Option<Spanned<String>>,
    /// Whether the address may say it.
    pub path: bool,
    /// The version of those who say none and have no pin.
    pub default: Option<Spanned<String>>,
}

/// One version.
#[derive(Debug, Clone)]
pub struct VersionSpec {
    /// Its contract.
    pub contract: ProjectPath,
    /// The contract of the answers that those get who wait for the run.
    pub reply: Option<ProjectPath>,
    /// Whether it is not agreed yet.
    pub draft: bool,
    /// From when on it is there.
    pub released: Option<Spanned<Date>>,
    /// From when on nobody should begin with it.
    pub deprecated: Option<Spanned<Date>>,
    /// From when on it does not answer.
    pub sunset: Option<Spanned<Date>>,
    /// Where it says how to move on.
    pub guide: Option<Spanned<String>>,
    /// From it to the next version.
    pub to_next: Vec<StepSpec>,
    /// The same for answers.
    pub reply_to_next: Vec<StepSpec>,
}

impl VersionSpec {
    /// How long it lives.
    pub fn window(&self) -> Window {
        let date = |date: &Option<Spanned<Date>>| date.as_ref().map(|date| date.value);
        Window { draft: self.draft, deprecated: date(&self.deprecated), sunset: date(&self.sunset) }
    }
}

impl Shape for Naming {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(Self::WORDS, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(Self::WORDS)
    }
}

impl Shape for Date {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        parse(node, what, reader, Self::parse)
    }
    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "examples": ["2026-05-01"] })
    }
}

impl Record for VersionsFile {
    const NAME: &'static str = "versions";
    const DOC: &'static str =
        "The versions of one contract that are served side by side, the oldest first.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let naming = f.optional(
            "naming",
            "How versions are named: `semver`, `date` or `both`; as `versioning.naming` of quickconnect.yaml says when left out.",
        );
        let select = f.optional("select", "How a sender says which version it speaks.");
        let pins = f.several(
            "pins",
            "The versions of consumers that say none: by the name of their key, client or queue (`amqp:orders`).",
        );
        let versions = f.required("versions", "The versions by name, the oldest first.");
        Some(Self { naming, select: select.unwrap_or_default(), pins, versions: versions? })
    }
}

impl Record for SelectSpec {
    const NAME: &'static str = "select";
    const DOC: &'static str = "How a sender says which version it speaks.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let header = f.optional("header", "The header field; `X-Contract-Version` when left out.");
        let attribute = f.optional(
            "attribute",
            "The attribute of CloudEvents, which messages of a queue have, too.",
        );
        let path = f.optional(
            "path",
            "Whether the address may say it: `/in/{environment}/{integration}/{trigger}/{version}`; false when left out.",
        );
        let default = f.optional(
            "default",
            "The version of those who say none and have no pin; the current one when left out.",
        );
        Some(Self { header, attribute, path: path.unwrap_or(false), default })
    }
}

impl Record for VersionSpec {
    const NAME: &'static str = "version";
    const DOC: &'static str = "One version of a contract.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let contract =
            f.required("contract", "Its JSON Schema, a file of the integration's folder.");
        let reply = f.optional(
            "reply",
            "The JSON Schema of what those get who wait for the run (`Prefer: wait`).",
        );
        let draft = f.optional(
            "draft",
            "Whether it is not agreed yet: it answers who names it, and nobody else.",
        );
        let released =
            f.optional("released", "With `naming: both`: the day from which it is there.");
        let deprecated = f.optional(
            "deprecated",
            "The day from which its answers say that it ends (`Deprecation`, RFC 9745).",
        );
        let sunset = f.optional(
            "sunset",
            "The day from which it does not answer (410); before, its answers say so (`Sunset`, RFC 8594).",
        );
        let guide = f.optional(
            "guide",
            "How to move on: a file of the integration's folder, or a URL; its answers link to it.",
        );
        let to_next = f.several("to_next", "The steps from it to the next version, in order.");
        let reply_to_next = f.several("reply_to_next", "The same for what those get who wait.");
        Some(Self {
            contract: contract?,
            reply,
            draft: draft.unwrap_or(false),
            released,
            deprecated,
            sunset,
            guide,
            to_next,
            reply_to_next,
        })
    }
}
