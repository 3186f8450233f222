//! Limits.

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::Value;

use super::Excess;
use crate::shape::{
    Definitions, Fields, Integer, Rate, Record, Shape, Spanned, read_word, word_schema,
};

/// A limit, what it protects, and what happens to what is too much.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Its name.
    pub name: Spanned<Name>,
    /// For whom it counts.
    pub scope: LimitScope,
    /// How many events.
    pub rate: Option<Spanned<Rate>>,
    /// How many of them at once.
    pub burst: Option<Spanned<Integer<1, 1_000_000_000>>>,
    /// How many runs at a time.
    pub concurrency: Option<Integer<1, 100_000>>,
    /// What it protects, in words.
    pub protects: String,
    /// What happens to what is too much.
    pub on_excess: Spanned<Excess>,
}

/// For whom a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitScope {
    /// Each tenant by itself.
    Tenant,
    /// Each token by itself.
    Token,
    /// Each trigger by itself.
    Trigger,
    /// The whole integration.
    Integration,
}

const SCOPES: &[(&str, LimitScope)] = &[
    ("tenant", LimitScope::Tenant),
    ("token", LimitScope::Token),
    ("trigger", LimitScope::Trigger),
    ("integration", LimitScope::Integration),
];

impl Shape for LimitScope {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        read_word(SCOPES, node, what, reader)
    }
    fn schema(_: &mut Definitions) -> Value {
        word_schema(SCOPES)
    }
}

impl Record for Limit {
    const NAME: &'static str = "limit";
    const DOC: &'static str = "A limit, what it protects, and what happens to what is too much.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let name = f.required("name", "The limit's name.");
        let scope = f.required("scope", "For whom it counts.");
        let rate = f.optional("rate", "How many events.");
        let burst = f.optional(
            "burst",
            "How many events at once, when they did not come for a while; as many as `rate` says when left out.",
        );
        let concurrency = f.optional("concurrency", "How many runs at a time.");
        let protects = f.required("protects", "What it protects, in words.");
        let on_excess = f.required("on_excess", "What happens to what is too much.");
        if rate.is_none() && concurrency.is_none() && !f.has("rate") && !f.has("concurrency") {
            f.report(
                qc_document::codes::MISSING_KEY,
                f.span(),
                "the limit needs `rate` or `concurrency`",
                "say how many events (`rate: 50/s`) or how many runs at a time (`concurrency: 20`)",
            );
        }
        if f.has("rate") && f.has("concurrency") {
            f.report(
                qc_document::codes::INVALID_VALUE,
                f.span(),
                "the limit has both `rate` and `concurrency`",
                "write two limits: senders are told each under its own name",
            );
        }
        if f.has("burst") && !f.has("rate") {
            f.report(
                qc_document::codes::MISSING_KEY,
                f.span(),
                "`burst` needs `rate`",
                "what is used up at once comes back at the rate",
            );
        }
        Some(Self {
            name: name?,
            scope: scope?,
            rate,
            burst,
            concurrency,
            protects: protects?,
            on_excess: on_excess?,
        })
    }
}

impl LimitScope {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        SCOPES.iter().find(|(_, scope)| *scope == self).map_or("", |(word, _)| word)
    }
}
