//! From the tree as read to the tree as run: every name becomes a slot, every function is written
//! out where it is called (so that none can recurse), constants are folded.

mod calls;
mod patterns;
mod regexes;

use std::ops::Range;

use serde_json::{Map, Value};

use crate::codes;
use crate::fault::ParseError;
use crate::suggest::closest;
use crate::syntax::{Assignment, Expr, Function, Kind, PathDeed, PathStep, TextPiece};
use crate::tree::{Ast, Node, Piece, Step, StepDeed};

/// The most nodes that an expression may have with all its functions written out.
const MAX_NODES: usize = 10_000;
/// How deeply the written-out tree may nest.
const MAX_HEIGHT: u32 = 72;

/// The compiled tree and what it needs to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) root: Node,
    pub(crate) slots: usize,
    /// For each of the caller's variables, whether the expression reads it.
    pub(crate) reads: Vec<bool>,
}

/// Where an expression stands: the names it sees, and the functions being written out around it.
#[derive(Debug, Clone, Copy)]
struct Place {
    names: Option<usize>,
    active: Option<usize>,
}

#[derive(Debug)]
enum Binding<'p> {
    Variable(&'p str, usize),
    Label(&'p str, u32),
    Function(&'p Function),
    /// A function's parameter: the argument, and where the argument stands.
    Argument(&'p str, &'p Expr, Place),
}

struct Lowering<'p> {
    variables: &'p [&'p str],
    reads: Vec<bool>,
    names: Vec<(Binding<'p>, Option<usize>)>,
    active: Vec<(*const Function, Option<usize>)>,
    nodes: usize,
    height: u32,
    slots: usize,
    labels: u32,
    regexes: Vec<(String, crate::pattern::Regex)>,
    /// While a builtin's own definition is written out: where it was called.
    site: Option<Range<usize>>,
}

type Lowered<T> = Result<T, ParseError>;

/// Resolves an expression against the caller's variables.
pub(crate) fn lower(expr: &Expr, variables: &[&str]) -> Lowered<Compiled> {
    let mut lowering = Lowering {
        variables,
        reads: vec![false; variables.len()],
        names: Vec::new(),
        active: Vec::new(),
        nodes: 0,
        height: 0,
        slots: 0,
        labels: 0,
        regexes: Vec::new(),
        site: None,
    };
    let root = lowering.node(expr, Place { names: None, active: None })?;
    Ok(Compiled { root, slots: lowering.slots, reads: lowering.reads })
}

impl<'p> Lowering<'p> {
    fn node(&mut self, expr: &'p Expr, place: Place) -> Lowered<Node> {
        self.nodes += 1 + weight(expr);
        if self.nodes > MAX_NODES || self.height >= MAX_HEIGHT {
            return Err(self.error(
                codes::TOO_COMPLEX,
                "the expression is too large or too deep once its functions are written out",
                expr,
            ));
        }
        self.height += 1;
        let ast = self.ast(expr, place);
        self.height -= 1;
        Ok(Node::new(fold(ast?)))
    }

    fn error(&self, code: qc_model::Code, message: impl Into<String>, expr: &Expr) -> ParseError {
        let range = self.site.clone().unwrap_or_else(|| expr.at.clone());
        ParseError::new(code, message, range)
    }

    fn boxed(&mut self, expr: &'p Expr, place: Place) -> Lowered<Box<Node>> {
        self.node(expr, place).map(Box::new)
    }

    fn all(&mut self, exprs: &'p [Expr], place: Place) -> Lowered<Vec<Node>> {
        exprs.iter().map(|expr| self.node(expr, place)).collect()
    }

    fn optional(&mut self, expr: Option<&'p Expr>, place: Place) -> Lowered<Option<Box<Node>>> {
        expr.map(|expr| self.boxed(expr, place)).transpose()
    }

    fn bind(&mut self, binding: Binding<'p>, place: Place) -> Place {
        self.names.push((binding, place.names));
        Place { names: Some(self.names.len() - 1), active: place.active }
    }

    /// The bindings that are in sight, innermost first.
    fn sight(&self, place: Place) -> impl Iterator<Item = (usize, &Binding<'p>)> {
        std::iter::successors(place.names, |at| self.names[*at].1).map(|at| (at, &self.names[at].0))
    }

    fn new_slot(&mut self) -> usize {
        self.slots += 1;
        self.slots - 1
    }

    fn new_label(&mut self) -> u32 {
        self.labels += 1;
        self.labels
    }

    fn ast(&mut self, expr: &'p Expr, place: Place) -> Lowered<Ast> {
        Ok(match &expr.kind {
            Kind::Identity => Ast::Identity,
            Kind::Recurse => Ast::Recurse,
            Kind::Number(number) => Ast::Const(Value::Number(number.clone())),
            Kind::Text { format, pieces } => self.text(*format, pieces, place)?,
            Kind::Format(format) => Ast::Text {
                format: Some(*format),
                pieces: vec![Piece::Value(Node::new(Ast::Identity))],
            },
            Kind::Variable(name) => self.variable(name, expr, place)?,
            Kind::Array(inner) => Ast::Array(self.optional(inner.as_deref(), place)?),
            Kind::Object(entries) => Ast::Object(self.pairs(entries, place)?),
            Kind::Negate(inner) => Ast::Negate(self.boxed(inner, place)?),
            Kind::Math { first, rest } => self.math(first, rest, place)?,
            Kind::Compare { op, left, right } => {
                let (left, right) = (self.boxed(left, place)?, self.boxed(right, place)?);
                Ast::Compare { op: *op, left, right }
            }
            Kind::And(parts) => Ast::And(self.all(parts, place)?),
            Kind::Or(parts) => Ast::Or(self.all(parts, place)?),
            Kind::Alternative(parts) => self.alternative(parts, place)?,
            Kind::Comma(parts) => Ast::Comma(self.all(parts, place)?),
            Kind::Pipe(parts) => Ast::Pipe(self.all(parts, place)?),
            Kind::Assign { how, target, value } => self.assign(*how, target, value, place)?,
            Kind::If { branches, otherwise } => {
                let branches = self.pairs(branches, place)?;
                Ast::If { branches, otherwise: self.optional(otherwise.as_deref(), place)? }
            }
            Kind::Try { body, handler } => Ast::Try {
                body: self.boxed(body, place)?,
                handler: self.optional(handler.as_deref(), place)?,
            },
            Kind::Path { head, steps } => self.path(head, steps, place)?,
            _ => return self.binder(expr, place),
        })
    }

    fn text(
        &mut self,
        format: Option<crate::tree::Format>,
        pieces: &'p [TextPiece],
        place: Place,
    ) -> Lowered<Ast> {
        let pieces = pieces.iter().map(|piece| {
            Ok(match piece {
                TextPiece::Literal(text) => Piece::Literal(text.clone()),
                TextPiece::Value(expr) => Piece::Value(self.node(expr, place)?),
            })
        });
        Ok(Ast::Text { format, pieces: pieces.collect::<Lowered<_>>()? })
    }

    fn pairs(&mut self, pairs: &'p [(Expr, Expr)], place: Place) -> Lowered<Vec<(Node, Node)>> {
        let mut lowered = Vec::with_capacity(pairs.len());
        for (left, right) in pairs {
            lowered.push((self.node(left, place)?, self.node(right, place)?));
        }
        Ok(lowered)
    }

    fn math(
        &mut self,
        first: &'p Expr,
        rest: &'p [(crate::tree::MathOp, Expr)],
        place: Place,
    ) -> Lowered<Ast> {
        let first = self.boxed(first, place)?;
        let rest = rest.iter().map(|(op, expr)| Ok((*op, self.node(expr, place)?)));
        Ok(Ast::Math { first, rest: rest.collect::<Lowered<_>>()? })
    }

    fn assign(
        &mut self,
        how: Assignment,
        target: &'p Expr,
        value: &'p Expr,
        place: Place,
    ) -> Lowered<Ast> {
        let (target, value) = (self.boxed(target, place)?, self.boxed(value, place)?);
        Ok(match how {
            Assignment::Set => Ast::Assign { target, value },
            Assignment::Update => Ast::Update { target, with: value },
            Assignment::Math(op) => Ast::Operate { target, op: Some(op), value },
            Assignment::Alternative => Ast::Operate { target, op: None, value },
        })
    }

    fn path(&mut self, head: &'p Expr, steps: &'p [PathStep], place: Place) -> Lowered<Ast> {
        let head = self.boxed(head, place)?;
        let steps = steps.iter().map(|step| self.step(step, place));
        Ok(Ast::Path { head, steps: steps.collect::<Lowered<_>>()? })
    }

    /// The forms that bring names into sight, and those that look names up.
    fn binder(&mut self, expr: &'p Expr, place: Place) -> Lowered<Ast> {
        Ok(match &expr.kind {
            Kind::Bind { source, patterns, body } => {
                let source = self.boxed(source, place)?;
                let (inner, patterns) = self.patterns(patterns, place)?;
                Ast::Bind { source, patterns, body: self.boxed(body, inner)? }
            }
            Kind::Reduce { source, patterns, args } => {
                let source = self.boxed(source, place)?;
                let init = self.boxed(&args[0], place)?;
                let (inner, patterns) = self.patterns(patterns, place)?;
                Ast::Reduce { source, patterns, init, update: self.boxed(&args[1], inner)? }
            }
            Kind::Foreach { source, patterns, args } => {
                let source = self.boxed(source, place)?;
                let init = self.boxed(&args[0], place)?;
                let (inner, patterns) = self.patterns(patterns, place)?;
                let update = self.boxed(&args[1], inner)?;
                let extract = self.optional(args.get(2), inner)?;
                Ast::Foreach { source, patterns, init, update, extract }
            }
            Kind::Label { name, body } => {
                let label = self.new_label();
                let inner = self.bind(Binding::Label(name, label), place);
                Ast::Label(label, self.boxed(body, inner)?)
            }
            Kind::Break(name) => self.break_to(name, expr, place)?,
            Kind::Define { function, rest } => {
                let inner = self.bind(Binding::Function(function), place);
                self.check_definition(function, inner)?;
                return self.node(rest, inner).map(|node| node.ast);
            }
            Kind::Call { name, args } => return self.call(name, args, expr, place),
            _ => unreachable!("`ast` handles every other kind"),
        })
    }

    fn break_to(&self, name: &str, expr: &Expr, place: Place) -> Lowered<Ast> {
        let found = self.sight(place).find_map(|(_, binding)| match binding {
            Binding::Label(label, number) if *label == name => Some(*number),
            _ => None,
        });
        if let Some(label) = found {
            return Ok(Ast::Break(label));
        }
        let message = format!("there is no `label ${name}` around this `break`");
        Err(self.error(codes::UNKNOWN_VARIABLE, message, expr))
    }

    fn alternative(&mut self, parts: &'p [Expr], place: Place) -> Lowered<Ast> {
        let mut parts = self.all(parts, place)?.into_iter().rev();
        let last = parts.next().map(Box::new);
        let joined = parts.fold(last, |right, left| {
            right.map(|right| Box::new(Node::new(Ast::Alternative(Box::new(left), right))))
        });
        Ok(joined.map_or(Ast::Identity, |node| node.ast))
    }

    fn variable(&mut self, name: &str, expr: &Expr, place: Place) -> Lowered<Ast> {
        let own = self.sight(place).find_map(|(_, binding)| match binding {
            Binding::Variable(bound, slot) if *bound == name => Some(*slot),
            _ => None,
        });
        if let Some(slot) = own {
            return Ok(Ast::Slot(slot));
        }
        if let Some(slot) = self.variables.iter().position(|variable| *variable == name) {
            self.reads[slot] = true;
            return Ok(Ast::Scope(slot));
        }
        if name == "ENV" || name == "__loc__" || name == "__prog_args" {
            let message = format!("${name} is not available: an expression sees only its data");
            return Err(self.error(codes::REFUSED_FUNCTION, message, expr));
        }
        let known: Vec<&str> = self
            .sight(place)
            .filter_map(|(_, binding)| match binding {
                Binding::Variable(bound, _) => Some(*bound),
                _ => None,
            })
            .chain(self.variables.iter().copied())
            .collect();
        let help = match closest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `${near}`?"),
            None if known.is_empty() => "no variables are available here".to_owned(),
            None => format!("available here: ${}", known.join(", $")),
        };
        let message = format!("there is no variable ${name} here");
        Err(self.error(codes::UNKNOWN_VARIABLE, message, expr).with_help(help))
    }

    fn step(&mut self, step: &'p PathStep, place: Place) -> Lowered<Step> {
        let deed = match &step.deed {
            PathDeed::Each => StepDeed::Each,
            PathDeed::Slice(from, to) => {
                let from = from.as_ref().map(|expr| self.node(expr, place)).transpose()?;
                let to = to.as_ref().map(|expr| self.node(expr, place)).transpose()?;
                StepDeed::Slice(from, to)
            }
            PathDeed::Index(key) => match self.node(key, place)? {
                Node { ast: Ast::Const(key @ (Value::String(_) | Value::Number(_))), .. } => {
                    StepDeed::Key(key)
                }
                node => StepDeed::Index(node),
            },
        };
        Ok(Step { deed, optional: step.optional })
    }
}

/// What the texts in a node count for: a function with a long one may be written out often.
fn weight(expr: &Expr) -> usize {
    match &expr.kind {
        Kind::Text { pieces, .. } => pieces
            .iter()
            .map(|piece| match piece {
                TextPiece::Literal(text) => text.len() / 32,
                TextPiece::Value(_) => 0,
            })
            .sum(),
        _ => 0,
    }
}

/// Turns what is known when the expression is read into one constant.
fn fold(ast: Ast) -> Ast {
    let constant = |node: &Node| match &node.ast {
        Ast::Const(value) => Some(value.clone()),
        _ => None,
    };
    match &ast {
        Ast::Text { format: None, pieces } => match pieces.as_slice() {
            [Piece::Literal(text)] => Ast::Const(Value::String(text.clone())),
            _ => ast,
        },
        Ast::Array(None) => Ast::Const(Value::Array(Vec::new())),
        Ast::Array(Some(inner)) => match &inner.ast {
            Ast::Const(value) => Ast::Const(Value::Array(vec![value.clone()])),
            Ast::Comma(items) => match items.iter().map(constant).collect() {
                Some(items) => Ast::Const(Value::Array(items)),
                None => ast,
            },
            _ => ast,
        },
        Ast::Object(entries) => {
            let folded: Option<Map<String, Value>> = entries
                .iter()
                .map(|(key, value)| match &key.ast {
                    Ast::Const(Value::String(key)) => Some((key.clone(), constant(value)?)),
                    _ => None,
                })
                .collect();
            folded.map_or(ast, |map| Ast::Const(Value::Object(map)))
        }
        Ast::Negate(inner) => match &inner.ast {
            Ast::Const(Value::Number(number)) => match crate::number::negate(number) {
                Ok(crate::value::Val::Num(number)) => Ast::Const(Value::Number(number)),
                _ => ast,
            },
            _ => ast,
        },
        _ => ast,
    }
}
