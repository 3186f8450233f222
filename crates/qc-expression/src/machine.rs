//! Evaluation. A node is handed an input and a consumer of outputs; a node that gives exactly one
//! output is a plain call. Nothing is compiled, converted or copied per evaluation.
//!
//! Paths are followed by the same code: a [`Spot`] is a value and, while somebody asks for paths,
//! the way to it.

mod control;
mod forms;
mod loops;
mod produce;
mod regexes;
mod update;

use crate::meter::{Flow, Limit, MAX_DEPTH, Meter, Stop, VALUE_DEPTH, fail};
use crate::paths::{Trail, index, slice};
use crate::tree::{Ast, Node, Step, StepDeed};
use crate::value::{Arr, Obj, Text, Val};

/// One evaluation under way.
pub(crate) struct Machine<'a> {
    pub(crate) meter: &'a Meter,
    pub(crate) now_ms: i64,
    variables: &'a [&'a serde_json::Value],
    slots: Vec<Val<'a>>,
    depth: u32,
    deepest: u32,
    pub(crate) regexes: crate::pattern::Recent,
}

/// A value, and the way to it while paths are asked for.
#[derive(Debug, Clone)]
pub(crate) struct Spot<'a> {
    pub(crate) value: Val<'a>,
    pub(crate) trail: Trail<'a>,
}

pub(crate) type Sink<'s, 'a> = &'s mut dyn FnMut(&mut Machine<'a>, Spot<'a>) -> Flow<'a>;
pub(crate) type ValueSink<'s, 'a> = &'s mut dyn FnMut(&mut Machine<'a>, Val<'a>) -> Flow<'a>;

impl<'a> Spot<'a> {
    /// A value whose way nobody asks for.
    pub(crate) fn off(value: Val<'a>) -> Self {
        Self { value, trail: Trail::Off }
    }
}

impl<'a> Machine<'a> {
    pub(crate) fn new(
        meter: &'a Meter,
        variables: &'a [&'a serde_json::Value],
        slots: usize,
        now_ms: i64,
        depth: u32,
    ) -> Self {
        Self {
            meter,
            now_ms,
            variables,
            slots: vec![Val::Null; slots],
            depth: 0,
            deepest: depth.min(MAX_DEPTH),
            regexes: crate::pattern::Recent::default(),
        }
    }

    /// One step, one level deeper.
    fn enter(&mut self) -> Result<(), Limit> {
        self.meter.tick(1)?;
        if self.depth >= self.deepest {
            return Err(Limit::Depth);
        }
        self.depth += 1;
        Ok(())
    }

    /// Evaluates a node, handing each output to `out`.
    pub(crate) fn eval(&mut self, node: &'a Node, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        if node.one && spot.trail.is_off() {
            let value = self.one(node, spot.value)?;
            return out(self, Spot::off(value));
        }
        self.enter()?;
        let done = self.many(node, spot, out);
        self.depth -= 1;
        done
    }

    /// Evaluates a node for its values alone.
    pub(crate) fn values(
        &mut self,
        node: &'a Node,
        input: Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        if node.one {
            let value = self.one(node, input)?;
            return out(self, value);
        }
        self.eval(node, Spot::off(input), &mut |machine, spot| out(machine, spot.value))
    }

    /// Evaluates a node that gives one output.
    pub(crate) fn one(&mut self, node: &'a Node, input: Val<'a>) -> Flow<'a, Val<'a>> {
        debug_assert!(node.one, "only nodes that give one output come here");
        match &node.ast {
            Ast::Identity => Ok(input),
            Ast::Const(value) => Ok(Val::lend(value)),
            Ast::Scope(slot) => Ok(Val::lend(self.variables[*slot])),
            Ast::Slot(slot) => Ok(self.slots[*slot].clone()),
            _ => {
                self.enter()?;
                let value = self.single(node, input);
                self.depth -= 1;
                value
            }
        }
    }

    /// The value of a node that gives one, or the first of one that gives many.
    pub(crate) fn first_of(&mut self, node: &'a Node, input: Val<'a>) -> Flow<'a, Option<Val<'a>>> {
        if node.one {
            return self.one(node, input).map(Some);
        }
        let mut found = None;
        let done = self.values(node, input, &mut |_, value| {
            found = Some(value);
            Err(Stop::Downstream)
        });
        match done {
            Err(Stop::Downstream) if found.is_some() => Ok(found),
            Err(stop) => Err(stop),
            Ok(()) => Ok(None),
        }
    }

    fn many(&mut self, node: &'a Node, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        match &node.ast {
            Ast::Identity => out(self, spot),
            Ast::Recurse => self.descend(spot, out),
            Ast::Path { head, steps } => {
                let origin = spot.value.clone();
                self.eval(head, spot, &mut |machine, spot| machine.steps(steps, &origin, spot, out))
            }
            Ast::Comma(parts) => {
                let Some((last, parts)) = parts.split_last() else { return Ok(()) };
                for part in parts {
                    self.eval(part, spot.clone(), out)?;
                }
                self.eval(last, spot, out)
            }
            Ast::Pipe(stages) => self.pipe(stages, spot, out),
            Ast::Alternative(left, right) => self.alternative(left, right, spot, out),
            Ast::Bind { source, patterns, body } => self.bind(source, patterns, body, spot, out),
            Ast::Reduce { source, patterns, init, update } => {
                let folded = self.fold_parts(source, patterns, update, None);
                self.reduce(&folded, init, spot, out)
            }
            Ast::Foreach { source, patterns, init, update, extract } => {
                let folded = self.fold_parts(source, patterns, update, extract.as_deref());
                self.foreach(&folded, init, spot, out)
            }
            Ast::If { branches, otherwise } => {
                self.choose(branches, otherwise.as_deref(), spot, out)
            }
            Ast::Try { body, handler } => self.attempt(body, handler.as_deref(), spot, out),
            Ast::Label(label, body) => match self.eval(body, spot, out) {
                Err(Stop::Break(to)) if to == *label => Ok(()),
                done => done,
            },
            Ast::Break(label) => Err(Stop::Break(*label)),
            Ast::Special { form, args, label } => self.form(*form, args, *label, spot, out),
            _ if !spot.trail.is_off() => fail(
                "this part makes a new value, so it has no path that could be read or assigned to",
            ),
            _ => {
                self.produce(node, spot.value, &mut |machine, value| out(machine, Spot::off(value)))
            }
        }
    }

    fn pipe(&mut self, stages: &'a [Node], mut spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let mut stages = stages;
        while let Some((first, rest)) = stages.split_first() {
            if rest.is_empty() {
                return self.eval(first, spot, out);
            }
            if !(first.one && spot.trail.is_off()) {
                return self.eval(first, spot, &mut |machine, spot| machine.pipe(rest, spot, out));
            }
            spot.value = self.one(first, spot.value)?;
            stages = rest;
        }
        out(self, spot)
    }

    /// Follows the steps of a path.
    fn steps(
        &mut self,
        steps: &'a [Step],
        origin: &Val<'a>,
        mut spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        for (at, step) in steps.iter().enumerate() {
            let rest = &steps[at + 1..];
            match &step.deed {
                StepDeed::Key(key) => {
                    let key = Val::lend(key);
                    match self.go(spot, &key, step.optional)? {
                        Some(next) => spot = next,
                        None => return Ok(()),
                    }
                }
                StepDeed::Each => {
                    return self.each(spot, step.optional, &mut |machine, spot| {
                        machine.steps(rest, origin, spot, out)
                    });
                }
                StepDeed::Index(key) => {
                    return self.values(key, origin.clone(), &mut |machine, key| match machine.go(
                        spot.clone(),
                        &key,
                        step.optional,
                    )? {
                        Some(next) => machine.steps(rest, origin, next, out),
                        None => Ok(()),
                    });
                }
                StepDeed::Slice(from, to) => {
                    return self.bounds(from.as_ref(), to.as_ref(), origin, &mut |machine, key| {
                        match machine.go(spot.clone(), &key, step.optional)? {
                            Some(next) => machine.steps(rest, origin, next, out),
                            None => Ok(()),
                        }
                    });
                }
            }
        }
        out(self, spot)
    }

    /// Both bounds of a slice, as the object that stands for it in a path.
    fn bounds(
        &mut self,
        from: Option<&'a Node>,
        to: Option<&'a Node>,
        origin: &Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        self.bound(to, origin, &mut |machine, to| {
            machine.bound(from, origin, &mut |machine, from| {
                let key = slice::key(machine.meter, from, to.clone())?;
                out(machine, key)
            })
        })
    }

    fn bound(
        &mut self,
        node: Option<&'a Node>,
        origin: &Val<'a>,
        out: ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        match node {
            Some(node) => self.values(node, origin.clone(), out),
            None => out(self, Val::Null),
        }
    }

    /// One step to a key; `None` when it fails and may.
    fn go(&mut self, spot: Spot<'a>, key: &Val<'a>, optional: bool) -> Flow<'a, Option<Spot<'a>>> {
        match index(self.meter, &spot.value, key) {
            Ok(value) => Ok(Some(Spot { value, trail: spot.trail.step(self.meter, key)? })),
            Err(Stop::Raised(_)) if optional => Ok(None),
            Err(stop) => Err(stop),
        }
    }

    /// Every element of an array or value of an object.
    fn each(&mut self, spot: Spot<'a>, optional: bool, out: Sink<'_, 'a>) -> Flow<'a> {
        match &spot.value {
            Val::Arr(items) => {
                for (at, value) in items.iter().enumerate() {
                    self.meter.tick(1)?;
                    let trail = spot.trail.step_with(self.meter, || Val::count(at))?;
                    out(self, Spot { value, trail })?;
                }
                Ok(())
            }
            Val::Obj(object) => {
                self.meter.tick(object.len())?;
                self.meter.afford(object.len() * 64)?;
                for (key, value) in object.entries() {
                    let trail = spot.trail.step_with(self.meter, || Val::Str(key))?;
                    out(self, Spot { value, trail })?;
                }
                Ok(())
            }
            _ if optional => Ok(()),
            other => fail(format!("Cannot iterate over {}", shown(other))),
        }
    }

    /// `..`: the value and all within it, parents first.
    fn descend(&mut self, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let mut todo = self.backlog()?;
        todo.push(spot)?;
        while let Some(spot) = todo.pop() {
            self.meter.tick(1)?;
            let start = todo.len();
            match &spot.value {
                Val::Arr(items) => {
                    for (at, value) in items.iter().enumerate() {
                        self.meter.tick(1)?;
                        let trail = spot.trail.step_with(self.meter, || Val::count(at))?;
                        todo.push(Spot { value, trail })?;
                    }
                }
                Val::Obj(object) => {
                    self.meter.tick(object.len())?;
                    for (key, value) in object.entries() {
                        let trail = spot.trail.step_with(self.meter, || Val::Str(key))?;
                        todo.push(Spot { value, trail })?;
                    }
                }
                _ => {}
            }
            todo.reverse_from(start);
            out(self, spot)?;
        }
        Ok(())
    }

    fn backlog(&self) -> Flow<'a, loops::Backlog<'a>> {
        Ok(loops::Backlog::new(self.meter.charge(0)?))
    }

    /// Proves that a walk into a value may go one level deeper.
    pub(crate) fn shallow(depth: u32) -> Result<(), Limit> {
        if depth > VALUE_DEPTH { Err(Limit::Depth) } else { Ok(()) }
    }
}

/// A value as an error message shows it: its type and the beginning of its text.
pub(crate) fn shown(value: &Val<'_>) -> String {
    let text = match value {
        Val::Null => return "null".to_owned(),
        Val::Bool(truth) => truth.to_string(),
        Val::Num(number) => number.to_string(),
        Val::Str(text) => format!("\"{}\"", cut(text)),
        Val::Arr(items) => return format!("array of {}", array_len(items)),
        Val::Obj(object) => return format!("object of {}", object_len(object)),
    };
    format!("{} ({text})", value.kind())
}

fn cut(text: &Text<'_>) -> String {
    let text = text.as_str();
    match text.char_indices().nth(24) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

fn array_len(items: &Arr<'_>) -> String {
    format!("{} elements", items.len())
}

fn object_len(object: &Obj<'_>) -> String {
    format!("{} entries", object.len())
}
