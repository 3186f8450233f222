//! Loops, none of which recurses: `reduce`, `foreach`, `recurse`, `while`, `until`, `walk`.

use super::{Machine, Sink, Spot};
use crate::meter::{Charge, Flow, Limit, Stop};
use crate::tree::{Form, Node, Pattern};
use crate::value::{Dict, List, Val};

/// What is left to visit, deepest first. A failure waits in its turn like a value.
pub(super) struct Backlog<'a> {
    todo: Vec<Todo<'a>>,
    charge: Charge<'a>,
}

enum Todo<'a> {
    Spot(Spot<'a>),
    Stop(Stop<'a>),
}

/// What one place in the backlog costs.
const WAITING: usize = 64;

impl<'a> Backlog<'a> {
    pub(super) fn new(charge: Charge<'a>) -> Self {
        Self { todo: Vec::new(), charge }
    }

    pub(super) fn push(&mut self, spot: Spot<'a>) -> Result<(), Limit> {
        if self.todo.len() == self.todo.capacity() {
            self.charge.grow(WAITING * self.todo.len().max(4))?;
        }
        self.todo.push(Todo::Spot(spot));
        Ok(())
    }

    /// The next spot; a stop that waited is for [`Backlog::next`] alone.
    pub(super) fn pop(&mut self) -> Option<Spot<'a>> {
        match self.todo.pop() {
            Some(Todo::Spot(spot)) => Some(spot),
            _ => None,
        }
    }

    fn next(&mut self) -> Flow<'a, Option<Spot<'a>>> {
        match self.todo.pop() {
            Some(Todo::Spot(spot)) => Ok(Some(spot)),
            Some(Todo::Stop(stop)) => Err(stop),
            None => Ok(None),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.todo.len()
    }

    pub(super) fn reverse_from(&mut self, start: usize) {
        self.todo[start..].reverse();
    }
}

/// The parts of a `reduce` or `foreach` that turn with it.
pub(super) struct Fold<'a> {
    source: &'a Node,
    patterns: &'a [Pattern],
    update: &'a Node,
    extract: Option<&'a Node>,
}

impl<'a> Machine<'a> {
    #[expect(clippy::unused_self, reason = "keeps the borrow of the tree out of the dispatch")]
    pub(super) fn fold_parts(
        &self,
        source: &'a Node,
        patterns: &'a [Pattern],
        update: &'a Node,
        extract: Option<&'a Node>,
    ) -> Fold<'a> {
        Fold { source, patterns, update, extract }
    }

    /// `reduce`: the last output of each update is the next state; none makes it null.
    pub(super) fn reduce(
        &mut self,
        fold: &Fold<'a>,
        init: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let input = spot.value.clone();
        self.eval(init, spot, &mut |machine, state| {
            let mut state = state;
            machine.values(fold.source, input.clone(), &mut |machine, value| {
                machine.with_patterns(fold.patterns, &value, &mut |machine| {
                    let nothing = Spot { value: Val::Null, trail: state.trail.clone() };
                    let old = std::mem::replace(&mut state, nothing);
                    if fold.update.one && old.trail.is_off() {
                        state.value = machine.one(fold.update, old.value)?;
                        return Ok(());
                    }
                    machine.eval(fold.update, old, &mut |_, new| {
                        state = new;
                        Ok(())
                    })
                })
            })?;
            out(machine, state)
        })
    }

    pub(super) fn foreach(
        &mut self,
        fold: &Fold<'a>,
        init: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let input = spot.value.clone();
        self.eval(init, spot, &mut |machine, state| {
            let mut state = state;
            machine.values(fold.source, input.clone(), &mut |machine, value| {
                machine.with_patterns(fold.patterns, &value, &mut |machine| {
                    let nothing = Spot { value: Val::Null, trail: state.trail.clone() };
                    let old = std::mem::replace(&mut state, nothing);
                    machine.eval(fold.update, old, &mut |machine, new| {
                        state = new.clone();
                        match fold.extract {
                            Some(extract) => machine.eval(extract, new, out),
                            None => out(machine, new),
                        }
                    })
                })
            })
        })
    }

    /// `recurse(f)`, `while(test; f)`, `until(test; f)`: what `f` gives is visited in turn.
    pub(super) fn grow(
        &mut self,
        form: Form,
        test: Option<&'a Node>,
        next: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let mut backlog = self.backlog()?;
        backlog.push(spot)?;
        while let Some(spot) = backlog.next()? {
            self.meter.tick(1)?;
            let verdict = match test {
                Some(test) => match self.first_of(test, spot.value.clone())? {
                    Some(verdict) => verdict.truthy(),
                    None => continue,
                },
                None => true,
            };
            let (show, expand) = match form {
                Form::Until => (verdict, !verdict),
                _ => (verdict, verdict),
            };
            if show {
                out(self, spot.clone())?;
            }
            if expand {
                let start = backlog.len();
                let done = self.eval(next, spot, &mut |_, spot| Ok(backlog.push(spot)?));
                match done {
                    Ok(()) => {}
                    // What came before the failure is visited before the failure is told.
                    Err(stop @ (Stop::Raised(_) | Stop::Break(_))) => {
                        backlog.todo.push(Todo::Stop(stop));
                    }
                    Err(stop) => return Err(stop),
                }
                backlog.reverse_from(start);
            }
        }
        Ok(())
    }

    /// `walk(f)`: the parts first, then the whole.
    pub(super) fn walk(
        &mut self,
        deed: &'a Node,
        value: Val<'a>,
        depth: u32,
        out: super::ValueSink<'_, 'a>,
    ) -> Flow<'a> {
        Self::shallow(depth)?;
        self.enter()?;
        let done = self.walk_parts(deed, value, depth);
        self.depth -= 1;
        let rebuilt = done?;
        self.values(deed, rebuilt, out)
    }

    fn walk_parts(&mut self, deed: &'a Node, value: Val<'a>, depth: u32) -> Flow<'a, Val<'a>> {
        match value {
            Val::Arr(items) => {
                let mut list = List::new(self.meter)?;
                for item in items.iter() {
                    self.walk(deed, item, depth + 1, &mut |_, value| Ok(list.push(value)?))?;
                }
                Ok(list.into_val())
            }
            Val::Obj(object) => {
                let mut dict = Dict::new(self.meter)?;
                for (key, value) in object.entries() {
                    let mut first = None;
                    self.walk(deed, value, depth + 1, &mut |_, value| {
                        first.get_or_insert(value);
                        Ok(())
                    })?;
                    if let Some(value) = first {
                        dict.insert(key, value)?;
                    }
                }
                Ok(dict.into_val())
            }
            scalar => Ok(scalar),
        }
    }
}
