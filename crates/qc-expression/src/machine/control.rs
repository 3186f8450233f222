//! Choices, errors and bindings.

use super::{Machine, Sink, Spot};
use crate::meter::{Flow, Raised, Stop, fail};
use crate::paths::index;
use crate::tree::{Node, Pattern};
use crate::value::Val;

impl<'a> Machine<'a> {
    pub(super) fn choose(
        &mut self,
        branches: &'a [(Node, Node)],
        otherwise: Option<&'a Node>,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        for (at, (test, then)) in branches.iter().enumerate() {
            if test.one {
                if self.one(test, spot.value.clone())?.truthy() {
                    return self.eval(then, spot, out);
                }
                continue;
            }
            let rest = &branches[at + 1..];
            return self.values(test, spot.value.clone(), &mut |machine, verdict| {
                if verdict.truthy() {
                    machine.eval(then, spot.clone(), out)
                } else {
                    machine.enter()?;
                    let done = machine.choose(rest, otherwise, spot.clone(), out);
                    machine.depth -= 1;
                    done
                }
            });
        }
        match otherwise {
            Some(node) => self.eval(node, spot, out),
            None => out(self, spot),
        }
    }

    /// `left // right`: the outputs of the left that are neither null nor false, or else the right.
    pub(super) fn alternative(
        &mut self,
        left: &'a Node,
        right: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let mut any = false;
        let done = self.guarded(left, spot.clone(), &mut |machine, spot| {
            if !spot.value.truthy() {
                return Ok(());
            }
            any = true;
            out(machine, spot)
        });
        match done {
            Ok(()) | Err(Guarded::Raised(_)) if any => Ok(()),
            Ok(()) | Err(Guarded::Raised(_)) => self.eval(right, spot, out),
            Err(Guarded::Other(stop)) => Err(stop),
        }
    }

    /// `try body catch handler`: catches what the body raises, never what its consumer raises.
    pub(super) fn attempt(
        &mut self,
        body: &'a Node,
        handler: Option<&'a Node>,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match (self.guarded(body, spot, out), handler) {
            (Ok(()), _) | (Err(Guarded::Raised(_)), None) => Ok(()),
            (Err(Guarded::Raised(raised)), Some(handler)) => {
                let caught = self.caught(*raised)?;
                self.eval(handler, Spot::off(caught), out)
            }
            (Err(Guarded::Other(stop)), _) => Err(stop),
        }
    }

    /// The value that a `catch` sees.
    pub(super) fn caught(&self, raised: Raised<'a>) -> Flow<'a, Val<'a>> {
        Ok(match raised {
            Raised::Value(value) => value,
            Raised::Failed(message) => Val::text(self.meter, message)?,
        })
    }

    fn guarded(
        &mut self,
        body: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Result<(), Guarded<'a>> {
        let mut downstream = None;
        let done = self.eval(body, spot, &mut |machine, spot| {
            out(machine, spot).map_err(|stop| {
                downstream = Some(stop);
                Stop::Downstream
            })
        });
        match (done, downstream) {
            (Ok(()), _) => Ok(()),
            (Err(Stop::Raised(raised)), None) => Err(Guarded::Raised(raised)),
            (Err(_), Some(stop)) | (Err(stop), None) => Err(Guarded::Other(stop)),
        }
    }

    pub(super) fn bind(
        &mut self,
        source: &'a Node,
        patterns: &'a [Pattern],
        body: &'a Node,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        self.values(source, spot.value.clone(), &mut |machine, value| {
            machine.with_patterns(patterns, &value, &mut |machine| {
                machine.eval(body, spot.clone(), out)
            })
        })
    }

    /// Binds by the first pattern under which neither the binding nor the deed fails.
    pub(super) fn with_patterns(
        &mut self,
        patterns: &'a [Pattern],
        value: &Val<'a>,
        deed: &mut dyn FnMut(&mut Self) -> Flow<'a>,
    ) -> Flow<'a> {
        let Some((last, others)) = patterns.split_last() else { return Ok(()) };
        for pattern in others {
            self.clear(patterns);
            let done = match self.destructure(pattern, value.clone()) {
                Ok(()) => deed(self),
                failed => failed,
            };
            match done {
                Err(Stop::Raised(_)) => {}
                done => return done,
            }
        }
        if !others.is_empty() {
            self.clear(patterns);
        }
        self.destructure(last, value.clone())?;
        deed(self)
    }

    /// Sets every variable of the patterns to null.
    fn clear(&mut self, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::Slot(slot) => self.slots[*slot] = Val::Null,
                Pattern::Array(items) => self.clear(items),
                Pattern::Object(entries) => {
                    for (_, slot, inner) in entries {
                        if let Some(slot) = slot {
                            self.slots[*slot] = Val::Null;
                        }
                        self.clear(inner.as_slice());
                    }
                }
            }
        }
    }

    pub(super) fn destructure(&mut self, pattern: &'a Pattern, value: Val<'a>) -> Flow<'a> {
        self.meter.tick(1)?;
        match pattern {
            Pattern::Slot(slot) => {
                self.slots[*slot] = value;
                Ok(())
            }
            Pattern::Array(items) => {
                if !matches!(value, Val::Arr(_) | Val::Null) {
                    let shown = super::shown(&value);
                    return fail(format!("Cannot take apart {shown} as an array"));
                }
                for (at, item) in items.iter().enumerate() {
                    let element = index(self.meter, &value, &Val::count(at))?;
                    self.destructure(item, element)?;
                }
                Ok(())
            }
            Pattern::Object(entries) => {
                for (key, slot, inner) in entries {
                    let Some(key) = self.first_of(key, value.clone())? else {
                        return fail("the key of a pattern produced no value");
                    };
                    if !matches!(key, Val::Str(_)) {
                        let shown = super::shown(&key);
                        return fail(format!("Cannot use {shown} as object key"));
                    }
                    let found = index(self.meter, &value, &key)?;
                    if let Some(slot) = slot {
                        self.slots[*slot] = found.clone();
                    }
                    if let Some(inner) = inner {
                        self.destructure(inner, found)?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// How a guarded evaluation ended badly.
enum Guarded<'a> {
    /// Its own doing, to be caught.
    Raised(Box<Raised<'a>>),
    /// A limit, a break, or whatever the consumer said.
    Other(Stop<'a>),
}
