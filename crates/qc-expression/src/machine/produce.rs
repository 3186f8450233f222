//! Nodes that make values: constructors, operators, calls. First the plain way for nodes that
//! give one output, then the way through a consumer for all others.

use std::cmp::Ordering;

use super::{Machine, Spot, ValueSink};
use crate::meter::{Flow, Stop, fail};
use crate::native::{arithmetic, formats};
use crate::order::compare;
use crate::paths::{index, slice};
use crate::tree::{Ast, CompareOp, MathOp, Node, Pattern, Piece, Plain, Step, StepDeed};
use crate::value::{Dict, List, Text, Val};

impl<'a> Machine<'a> {
    /// A node that gives one output.
    pub(super) fn single(&mut self, node: &'a Node, input: Val<'a>) -> Flow<'a, Val<'a>> {
        match &node.ast {
            Ast::Path { head, steps } => self.walk_path(head, steps, input),
            Ast::Object(entries) => self.object(entries, input),
            Ast::Array(inner) => self.array(inner.as_deref(), input),
            Ast::Pipe(stages) => {
                let mut value = input;
                for stage in stages {
                    value = self.one(stage, value)?;
                }
                Ok(value)
            }
            Ast::Text { format, pieces } => {
                let mut text = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Literal(literal) => text.push_str(literal),
                        Piece::Value(node) => {
                            let value = self.one(node, input.clone())?;
                            formats::write(self.meter, *format, &value, &mut text)?;
                        }
                    }
                    self.meter.afford(text.len())?;
                }
                Ok(Val::text(self.meter, text)?)
            }
            Ast::Math { first, rest } => self.sum(first, rest, input),
            Ast::Compare { op, left, right } => {
                let right = self.one(right, input.clone())?;
                let left = self.one(left, input)?;
                self.compare(*op, &left, &right)
            }
            Ast::Negate(inner) => {
                let value = self.one(inner, input)?;
                arithmetic::negate(&value)
            }
            Ast::And(parts) => self.until_verdict(parts, &input, false),
            Ast::Or(parts) => self.until_verdict(parts, &input, true),
            Ast::If { branches, otherwise } => {
                for (test, then) in branches {
                    if self.one(test, input.clone())?.truthy() {
                        return self.one(then, input);
                    }
                }
                match otherwise {
                    Some(node) => self.one(node, input),
                    None => Ok(input),
                }
            }
            Ast::Call { run, args } => self.call_one(*run, args, input),
            Ast::Bind { source, patterns, body } => {
                let value = self.one(source, input.clone())?;
                match patterns.first() {
                    Some(Pattern::Slot(slot)) => self.slots[*slot] = value,
                    Some(pattern) => self.destructure(pattern, value)?,
                    None => {}
                }
                self.one(body, input)
            }
            Ast::Alternative(left, right) => match self.one(left, input.clone()) {
                Ok(value) if value.truthy() => Ok(value),
                Ok(_) | Err(Stop::Raised(_)) => self.one(right, input),
                Err(stop) => Err(stop),
            },
            Ast::Try { body, handler } => match (self.one(body, input), handler) {
                (Err(Stop::Raised(raised)), Some(handler)) => {
                    let caught = self.caught(*raised)?;
                    self.one(handler, caught)
                }
                (done, _) => done,
            },
            _ => self.only(node, input),
        }
    }

    /// A node that gives one output, by the general way.
    fn only(&mut self, node: &'a Node, input: Val<'a>) -> Flow<'a, Val<'a>> {
        let mut found = None;
        self.many(node, Spot::off(input), &mut |_, spot| {
            found = Some(spot.value);
            Ok(())
        })?;
        match found {
            Some(value) => Ok(value),
            None => fail("the expression produced no value where it needs one"),
        }
    }

    fn until_verdict(
        &mut self,
        parts: &'a [Node],
        input: &Val<'a>,
        verdict: bool,
    ) -> Flow<'a, Val<'a>> {
        for part in parts {
            if self.one(part, input.clone())?.truthy() == verdict {
                return Ok(Val::Bool(verdict));
            }
        }
        Ok(Val::Bool(!verdict))
    }

    fn walk_path(
        &mut self,
        head: &'a Node,
        steps: &'a [Step],
        input: Val<'a>,
    ) -> Flow<'a, Val<'a>> {
        let mut value = self.one(head, input.clone())?;
        for step in steps {
            self.meter.tick(1)?;
            value = match &step.deed {
                StepDeed::Key(key) => index(self.meter, &value, &Val::lend(key))?,
                StepDeed::Index(node) => {
                    let key = self.one(node, input.clone())?;
                    index(self.meter, &value, &key)?
                }
                StepDeed::Slice(from, to) => {
                    let mut bounds = [Val::Null, Val::Null];
                    for (bound, node) in bounds.iter_mut().zip([from, to]) {
                        if let Some(node) = node {
                            *bound = self.one(node, input.clone())?;
                        }
                    }
                    let [from, to] = bounds;
                    slice::take(self.meter, &value, &from, &to)?
                }
                StepDeed::Each => return fail("`.[]` gives many values"),
            };
        }
        Ok(value)
    }

    fn object(&mut self, entries: &'a [(Node, Node)], input: Val<'a>) -> Flow<'a, Val<'a>> {
        let mut dict = Dict::new(self.meter)?;
        for (key, value) in entries {
            let key = self.one(key, input.clone())?;
            let key = key_of(key)?;
            let value = self.one(value, input.clone())?;
            dict.insert(key, value)?;
        }
        Ok(dict.into_val())
    }

    fn array(&mut self, inner: Option<&'a Node>, input: Val<'a>) -> Flow<'a, Val<'a>> {
        let mut list = List::new(self.meter)?;
        if let Some(node) = inner {
            self.values(node, input, &mut |_, value| Ok(list.push(value)?))?;
        }
        Ok(list.into_val())
    }

    fn sum(
        &mut self,
        first: &'a Node,
        rest: &'a [(MathOp, Node)],
        input: Val<'a>,
    ) -> Flow<'a, Val<'a>> {
        // The last operand that needs the input keeps it, so that `. + [$x]` grows in place.
        if let [(op, node)] = rest {
            let right = self.one(node, input.clone())?;
            let left = self.one(first, input)?;
            return arithmetic::apply(self, *op, left, right);
        }
        let mut value = self.one(first, input.clone())?;
        for (op, node) in rest {
            let right = self.one(node, input.clone())?;
            value = arithmetic::apply(self, *op, value, right)?;
        }
        Ok(value)
    }

    fn compare(&self, op: CompareOp, left: &Val<'a>, right: &Val<'a>) -> Flow<'a, Val<'a>> {
        let order = compare(self.meter, left, right)?;
        Ok(Val::Bool(match op {
            CompareOp::Equal => order == Ordering::Equal,
            CompareOp::NotEqual => order != Ordering::Equal,
            CompareOp::Less => order == Ordering::Less,
            CompareOp::LessEqual => order != Ordering::Greater,
            CompareOp::Greater => order == Ordering::Greater,
            CompareOp::GreaterEqual => order != Ordering::Less,
        }))
    }

    fn call_one(&mut self, run: Plain, args: &'a [Node], input: Val<'a>) -> Flow<'a, Val<'a>> {
        match args {
            [] => run(self, input, &[]),
            [first] => {
                let first = self.one(first, input.clone())?;
                run(self, input, &[first])
            }
            _ => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(self.one(arg, input.clone())?);
                }
                run(self, input, &values)
            }
        }
    }

    /// The nodes that make values, when some part of them gives none or many.
    pub(super) fn produce(
        &mut self,
        node: &'a Node,
        input: Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        match &node.ast {
            Ast::Object(entries) => {
                let dict = Dict::new(self.meter)?;
                self.objects(entries, &input, dict, out)
            }
            Ast::Text { format, pieces } => self.texts(*format, pieces, &input, "", out),
            Ast::Negate(inner) => self.values(inner, input, &mut |machine, value| {
                out(machine, arithmetic::negate(&value)?)
            }),
            Ast::Math { first, rest } => self.sums(first, rest, &input, out),
            Ast::Compare { op, left, right } => {
                self.values(right, input.clone(), &mut |machine, right| {
                    machine.values(left, input.clone(), &mut |machine, left| {
                        let verdict = machine.compare(*op, &left, &right)?;
                        out(machine, verdict)
                    })
                })
            }
            Ast::And(parts) => self.verdicts(parts, &input, false, out),
            Ast::Or(parts) => self.verdicts(parts, &input, true, out),
            Ast::Call { run, args } => self.calls(*run, args, &input, &[], out),
            Ast::Assign { target, value } => {
                self.values(value, input.clone(), &mut |machine, value| {
                    let done = machine.set_all(target, input.clone(), &value)?;
                    out(machine, done)
                })
            }
            Ast::Operate { target, op, value } => {
                let mut input = Some(input);
                let one = value.one;
                let lent = input.clone().unwrap_or(Val::Null);
                self.values(value, lent, &mut |machine, value| {
                    // A single operand lets the input be changed in place.
                    let input = if one { input.take() } else { input.clone() };
                    let input = input.unwrap_or(Val::Null);
                    let done = machine.operate_all(target, input, *op, &value)?;
                    out(machine, done)
                })
            }
            Ast::Update { target, with } => {
                let done = self
                    .update_all(target, input, &mut |machine, old| machine.first_of(with, old))?;
                out(self, done)
            }
            Ast::Regex(call) => self.regex(call, input, out),
            _ => {
                let value = self.one(node, input)?;
                out(self, value)
            }
        }
    }

    fn objects(
        &mut self,
        entries: &'a [(Node, Node)],
        input: &Val<'a>,
        mut dict: Dict<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        for (at, (key, value)) in entries.iter().enumerate() {
            if key.one && value.one {
                let key = key_of(self.one(key, input.clone())?)?;
                let value = self.one(value, input.clone())?;
                dict.insert(key, value)?;
                continue;
            }
            let rest = &entries[at + 1..];
            return self.values(key, input.clone(), &mut |machine, key| {
                let key = key_of(key)?;
                machine.values(value, input.clone(), &mut |machine, value| {
                    let mut dict = dict.duplicate(machine.meter)?;
                    dict.insert(key.clone(), value)?;
                    machine.objects(rest, input, dict, out)
                })
            });
        }
        out(self, dict.into_val())
    }

    fn texts(
        &mut self,
        format: Option<crate::tree::Format>,
        pieces: &'a [Piece],
        input: &Val<'a>,
        before: &str,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let mut text = before.to_owned();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Value(node) => {
                    let rest = &pieces[at + 1..];
                    return self.values(node, input.clone(), &mut |machine, value| {
                        let mut text = text.clone();
                        formats::write(machine.meter, format, &value, &mut text)?;
                        let _held = machine.meter.charge(text.len())?;
                        machine.meter.scan(text.len())?;
                        machine.texts(format, rest, input, &text, out)
                    });
                }
            }
        }
        let value = Val::text(self.meter, text)?;
        out(self, value)
    }

    /// As in jq, the right operand is the outer loop.
    fn sums(
        &mut self,
        first: &'a Node,
        rest: &'a [(MathOp, Node)],
        input: &Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let Some(((op, right), before)) = rest.split_last() else {
            return self.values(first, input.clone(), out);
        };
        self.enter()?;
        let done = self.values(right, input.clone(), &mut |machine, right| {
            machine.sums(first, before, input, &mut |machine, left| {
                let value = arithmetic::apply(machine, *op, left, right.clone())?;
                out(machine, value)
            })
        });
        self.depth -= 1;
        done
    }

    fn verdicts(
        &mut self,
        parts: &'a [Node],
        input: &Val<'a>,
        verdict: bool,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let Some((first, rest)) = parts.split_first() else {
            return out(self, Val::Bool(!verdict));
        };
        self.values(first, input.clone(), &mut |machine, value| {
            if value.truthy() == verdict {
                out(machine, Val::Bool(verdict))
            } else {
                machine.enter()?;
                let done = machine.verdicts(rest, input, verdict, out);
                machine.depth -= 1;
                done
            }
        })
    }

    /// Calls with every combination of the arguments, the first as the outer loop.
    fn calls(
        &mut self,
        run: Plain,
        args: &'a [Node],
        input: &Val<'a>,
        given: &[Val<'a>],
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        let Some((first, rest)) = args.split_first() else {
            let value = run(self, input.clone(), given)?;
            return out(self, value);
        };
        self.values(first, input.clone(), &mut |machine, value| {
            let mut given = given.to_vec();
            given.push(value);
            machine.calls(run, rest, input, &given, out)
        })
    }
}

/// An object's key, which must be text.
pub(super) fn key_of(key: Val<'_>) -> Flow<'_, Text<'_>> {
    match key {
        Val::Str(text) => Ok(text),
        other => fail(format!("Object keys must be strings, not {}", super::shown(&other))),
    }
}
