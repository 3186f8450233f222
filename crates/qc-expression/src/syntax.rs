//! The tree as it is read, names and places and all, before names are resolved.

use std::ops::Range;

use serde_json::Number;

use crate::tree::{CompareOp, Format, MathOp};

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: Kind,
    pub(crate) at: Range<usize>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Identity,
    Recurse,
    Number(Number),
    Text { format: Option<Format>, pieces: Vec<TextPiece> },
    Format(Format),
    Variable(String),
    Array(Option<Box<Expr>>),
    Object(Vec<(Expr, Expr)>),
    Negate(Box<Expr>),
    Math { first: Box<Expr>, rest: Vec<(MathOp, Expr)> },
    Compare { op: CompareOp, left: Box<Expr>, right: Box<Expr> },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Alternative(Vec<Expr>),
    Comma(Vec<Expr>),
    Pipe(Vec<Expr>),
    Assign { how: Assignment, target: Box<Expr>, value: Box<Expr> },
    Bind { source: Box<Expr>, patterns: Vec<BindPattern>, body: Box<Expr> },
    Reduce { source: Box<Expr>, patterns: Vec<BindPattern>, args: Vec<Expr> },
    Foreach { source: Box<Expr>, patterns: Vec<BindPattern>, args: Vec<Expr> },
    If { branches: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>> },
    Try { body: Box<Expr>, handler: Option<Box<Expr>> },
    Label { name: String, body: Box<Expr> },
    Break(String),
    Define { function: Box<Function>, rest: Box<Expr> },
    Call { name: String, args: Vec<Expr> },
    Path { head: Box<Expr>, steps: Vec<PathStep> },
}

#[derive(Debug)]
pub(crate) enum TextPiece {
    Literal(String),
    Value(Expr),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignment {
    Set,
    Update,
    Math(MathOp),
    Alternative,
}

#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Each parameter, and whether it is written `$name`.
    pub(crate) parameters: Vec<(String, bool)>,
    pub(crate) body: Expr,
}

#[derive(Debug)]
pub(crate) struct PathStep {
    pub(crate) deed: PathDeed,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) enum PathDeed {
    Index(Expr),
    Slice(Option<Expr>, Option<Expr>),
    Each,
}

#[derive(Debug)]
pub(crate) enum BindPattern {
    Variable(String),
    Array(Vec<BindPattern>),
    Object(Vec<(BindKey, Option<BindPattern>)>),
}

#[derive(Debug)]
pub(crate) enum BindKey {
    Variable(String),
    Value(Expr),
}
