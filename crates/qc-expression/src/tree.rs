//! The compiled expression: names resolved to slots, functions written out, constants folded.

use serde_json::Value;

use crate::machine::Machine;
use crate::meter::Flow;
use crate::value::Val;

/// One node, and whether it always gives exactly one output (or an error): then it is evaluated
/// by a plain call, without a consumer.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) ast: Ast,
    pub(crate) one: bool,
}

/// A builtin that takes its arguments as values.
pub(crate) type Plain = for<'a> fn(&mut Machine<'a>, Val<'a>, &[Val<'a>]) -> Flow<'a, Val<'a>>;

pub(crate) enum Ast {
    Identity,
    Const(Value),
    /// A variable of the caller's.
    Scope(usize),
    /// A variable of the expression's own.
    Slot(usize),
    Recurse,
    Path {
        head: Box<Node>,
        steps: Vec<Step>,
    },
    Text {
        format: Option<Format>,
        pieces: Vec<Piece>,
    },
    Array(Option<Box<Node>>),
    Object(Vec<(Node, Node)>),
    Negate(Box<Node>),
    Math {
        first: Box<Node>,
        rest: Vec<(MathOp, Node)>,
    },
    Compare {
        op: CompareOp,
        left: Box<Node>,
        right: Box<Node>,
    },
    And(Vec<Node>),
    Or(Vec<Node>),
    Alternative(Box<Node>, Box<Node>),
    Comma(Vec<Node>),
    Pipe(Vec<Node>),
    Bind {
        source: Box<Node>,
        patterns: Vec<Pattern>,
        body: Box<Node>,
    },
    Reduce {
        source: Box<Node>,
        patterns: Vec<Pattern>,
        init: Box<Node>,
        update: Box<Node>,
    },
    Foreach {
        source: Box<Node>,
        patterns: Vec<Pattern>,
        init: Box<Node>,
        update: Box<Node>,
        extract: Option<Box<Node>>,
    },
    If {
        branches: Vec<(Node, Node)>,
        otherwise: Option<Box<Node>>,
    },
    Try {
        body: Box<Node>,
        handler: Option<Box<Node>>,
    },
    Label(u32, Box<Node>),
    Break(u32),
    /// `target = value`.
    Assign {
        target: Box<Node>,
        value: Box<Node>,
    },
    /// `target |= with`.
    Update {
        target: Box<Node>,
        with: Box<Node>,
    },
    /// `target += value` and its like; `None` is `//=`.
    Operate {
        target: Box<Node>,
        op: Option<MathOp>,
        value: Box<Node>,
    },
    Call {
        run: Plain,
        args: Vec<Node>,
    },
    Special {
        form: Form,
        args: Vec<Node>,
        label: u32,
    },
    Regex(Box<RegexCall>),
}

/// A regex builtin; the pattern is compiled ahead when it is a constant.
#[derive(Debug)]
pub(crate) struct RegexCall {
    pub(crate) deed: RegexDeed,
    pub(crate) ready: Option<crate::pattern::Regex>,
    pub(crate) regex: Node,
    pub(crate) flags: Option<Node>,
    pub(crate) replacement: Option<Node>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegexDeed {
    Test,
    Match,
    Capture,
    Scan,
    Split,
    Splits,
    Sub,
    Gsub,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) deed: StepDeed,
    pub(crate) optional: bool,
}

#[derive(Debug)]
pub(crate) enum StepDeed {
    /// A key known when the expression is read: a name or a number.
    Key(Value),
    Index(Node),
    Slice(Option<Node>, Option<Node>),
    Each,
}

#[derive(Debug)]
pub(crate) enum Piece {
    Literal(String),
    Value(Node),
}

#[derive(Debug)]
pub(crate) enum Pattern {
    Slot(usize),
    Array(Vec<Pattern>),
    /// Key, the slot of a `$name` key, and the pattern after the colon.
    Object(Vec<(Node, Option<usize>, Option<Pattern>)>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MathOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
    Html,
    Uri,
    Urid,
    Csv,
    Tsv,
    Sh,
    Base64,
    Base64d,
}

/// A builtin that decides itself when and how often its arguments are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Empty,
    Path,
    Getpath,
    Del,
    First,
    Last,
    Limit,
    Skip,
    Range,
    IsEmpty,
    Recurse,
    While,
    Until,
    Walk,
    SortBy,
    GroupBy,
    UniqueBy,
    MinBy,
    MaxBy,
    Error,
}

/// Whether every node gives exactly one output.
pub(crate) fn all_one(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| node.one)
}

impl Node {
    pub(crate) fn new(ast: Ast) -> Self {
        let one = ast.gives_one();
        Self { ast, one }
    }
}

impl Ast {
    fn gives_one(&self) -> bool {
        match self {
            Self::Identity
            | Self::Const(_)
            | Self::Scope(_)
            | Self::Slot(_)
            | Self::Array(_)
            | Self::Update { .. } => true,
            Self::Path { head, steps } => head.one && steps.iter().all(Step::gives_one),
            Self::Text { pieces, .. } => pieces.iter().all(|piece| match piece {
                Piece::Literal(_) => true,
                Piece::Value(node) => node.one,
            }),
            Self::Object(entries) => entries.iter().all(|(key, value)| key.one && value.one),
            Self::Negate(inner) => inner.one,
            Self::Math { first, rest } => first.one && rest.iter().all(|(_, node)| node.one),
            Self::Compare { left, right, .. } | Self::Alternative(left, right) => {
                left.one && right.one
            }
            Self::And(nodes) | Self::Or(nodes) | Self::Pipe(nodes) => all_one(nodes),
            Self::Bind { source, patterns, body } => source.one && body.one && patterns.len() == 1,
            Self::Reduce { init, patterns, .. } => init.one && patterns.len() == 1,
            Self::If { branches, otherwise } => {
                branches.iter().all(|(test, then)| test.one && then.one)
                    && otherwise.as_ref().is_none_or(|node| node.one)
            }
            Self::Try { body, handler } => {
                body.one && handler.as_ref().is_some_and(|node| node.one)
            }
            Self::Assign { value, .. } | Self::Operate { value, .. } => value.one,
            Self::Call { args, .. } => all_one(args),
            Self::Special { form, args, .. } => match form {
                Form::Path
                | Form::Empty
                | Form::First
                | Form::Last
                | Form::Limit
                | Form::Skip
                | Form::Range
                | Form::Recurse
                | Form::While
                | Form::Until
                | Form::Walk => false,
                Form::Getpath | Form::Error => all_one(args),
                Form::Del
                | Form::IsEmpty
                | Form::SortBy
                | Form::GroupBy
                | Form::UniqueBy
                | Form::MinBy
                | Form::MaxBy => true,
            },
            Self::Regex(call) => {
                matches!(call.deed, RegexDeed::Test | RegexDeed::Split)
                    && call.regex.one
                    && call.flags.as_ref().is_none_or(|node| node.one)
            }
            Self::Recurse
            | Self::Comma(_)
            | Self::Foreach { .. }
            | Self::Label(..)
            | Self::Break(_) => false,
        }
    }
}

impl Step {
    fn gives_one(&self) -> bool {
        !self.optional
            && match &self.deed {
                StepDeed::Key(_) => true,
                StepDeed::Index(node) => node.one,
                StepDeed::Slice(from, to) => [from, to].into_iter().flatten().all(|node| node.one),
                StepDeed::Each => false,
            }
    }
}

impl std::fmt::Debug for Ast {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Ast")
    }
}
