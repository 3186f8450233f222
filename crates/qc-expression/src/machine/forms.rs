//! Builtins that decide themselves when and how often their arguments are evaluated.

use super::{Machine, Sink, Spot};
use crate::meter::{Flow, Raised, Stop, fail};
use crate::native::ordering;
use crate::number;
use crate::paths::{Trail, index};
use crate::tree::{Form, Node};
use crate::value::{Arr, Val};

impl<'a> Machine<'a> {
    pub(super) fn form(
        &mut self,
        form: Form,
        args: &'a [Node],
        label: u32,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match (form, args) {
            (Form::Empty, _) => Ok(()),
            (Form::Error, _) => Err(Stop::Raised(Box::new(Raised::Value(spot.value)))),
            (Form::First, [node]) => self.limit(1, node, label, spot, out),
            (Form::Last, [node]) => self.last(node, spot, out),
            (Form::Limit | Form::Skip, [count, node]) => {
                self.counted(form, count, node, label, spot, out)
            }
            (Form::Getpath, [way]) => self.values(way, spot.value.clone(), &mut |machine, way| {
                machine.getpath(&way, spot.clone(), out)
            }),
            (Form::Recurse, [next]) => self.grow(form, None, next, spot, out),
            (Form::While | Form::Until, [test, next]) => {
                self.grow(form, Some(test), next, spot, out)
            }
            _ if !spot.trail.is_off() => {
                fail("this function makes a new value, so it has no path that could be assigned to")
            }
            _ => self.value_form(form, args, label, spot.value, out),
        }
    }

    fn value_form(
        &mut self,
        form: Form,
        args: &'a [Node],
        label: u32,
        input: Val<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        match (form, args) {
            (Form::Path, [node]) => self.path_of(node, input, out),
            (Form::Del, [node]) => {
                let done = self.delete_all(node, input)?;
                out(self, Spot::off(done))
            }
            (Form::IsEmpty, [node]) => self.is_empty(node, input, label, out),
            (Form::Range, [from, to, by]) => self.ranges(from, to, by, &input, out),
            (Form::Walk, [node]) => {
                self.walk(node, input, 0, &mut |machine, value| out(machine, Spot::off(value)))
            }
            (_, [key]) => self.arranged(form, key, input, out),
            _ => fail("this function was called with the wrong number of arguments"),
        }
    }

    fn last(&mut self, node: &'a Node, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let mut last = None;
        self.eval(node, spot, &mut |_, spot| {
            last = Some(spot);
            Ok(())
        })?;
        last.map_or(Ok(()), |spot| out(self, spot))
    }

    fn counted(
        &mut self,
        form: Form,
        count: &'a Node,
        node: &'a Node,
        label: u32,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        self.values(count, spot.value.clone(), &mut |machine, count| {
            let count = count_of(&count)?;
            if form == Form::Limit {
                machine.limit(count, node, label, spot.clone(), out)
            } else {
                machine.skip(count, node, spot.clone(), out)
            }
        })
    }

    fn path_of(&mut self, node: &'a Node, input: Val<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let spot = Spot { value: input, trail: Trail::Root };
        self.eval(node, spot, &mut |machine, spot| {
            let way = Val::list(machine.meter, spot.trail.keys())?;
            out(machine, Spot::off(way))
        })
    }

    fn is_empty(
        &mut self,
        node: &'a Node,
        input: Val<'a>,
        label: u32,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let done = self.values(node, input, &mut |_, _| Err(Stop::Break(label)));
        let empty = match done {
            Err(Stop::Break(to)) if to == label => false,
            done => done.map(|()| true)?,
        };
        out(self, Spot::off(Val::Bool(empty)))
    }

    fn ranges(
        &mut self,
        from: &'a Node,
        to: &'a Node,
        by: &'a Node,
        input: &Val<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        self.values(from, input.clone(), &mut |machine, from| {
            machine.values(to, input.clone(), &mut |machine, to| {
                machine.values(by, input.clone(), &mut |machine, by| {
                    machine.range(&from, &to, &by, out)
                })
            })
        })
    }

    fn arranged(
        &mut self,
        form: Form,
        key: &'a Node,
        input: Val<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        let Val::Arr(items) = input else {
            let shown = super::shown(&input);
            return fail(format!("{shown} cannot be sorted or grouped: not an array"));
        };
        let keys = self.keys(key, &items)?;
        let done = ordering::arrange(self.meter, form, &items, &keys)?;
        out(self, Spot::off(done))
    }

    /// The key of each element: the outputs of the key expression, as jq compares them.
    fn keys(&mut self, key: &'a Node, items: &Arr<'a>) -> Flow<'a, Vec<Val<'a>>> {
        let mut keys = Vec::new();
        let mut held = self.meter.charge(0)?;
        for item in items.iter() {
            self.meter.tick(1)?;
            held.grow(crate::value::ITEM)?;
            if key.one {
                keys.push(self.one(key, item)?);
                continue;
            }
            let mut parts = crate::value::List::new(self.meter)?;
            self.values(key, item, &mut |_, value| Ok(parts.push(value)?))?;
            keys.push(parts.into_val());
        }
        Ok(keys)
    }

    fn limit(
        &mut self,
        count: i64,
        node: &'a Node,
        label: u32,
        spot: Spot<'a>,
        out: Sink<'_, 'a>,
    ) -> Flow<'a> {
        if count == 0 {
            return Ok(());
        }
        let mut left = count;
        let done = self.eval(node, spot, &mut |machine, spot| {
            left -= 1;
            out(machine, spot)?;
            if left == 0 { Err(Stop::Break(label)) } else { Ok(()) }
        });
        stopped_at(label, done)
    }

    fn skip(&mut self, count: i64, node: &'a Node, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let mut left = count;
        self.eval(node, spot, &mut |machine, spot| {
            if left > 0 {
                left -= 1;
                return Ok(());
            }
            out(machine, spot)
        })
    }

    fn getpath(&mut self, way: &Val<'a>, spot: Spot<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let Val::Arr(keys) = way else {
            return fail("Path must be specified as an array");
        };
        let mut spot = spot;
        for key in keys.iter() {
            self.meter.tick(1)?;
            let value = match &spot.value {
                Val::Null => Val::Null,
                value => index(self.meter, value, &key)?,
            };
            spot = Spot { value, trail: spot.trail.step(self.meter, &key)? };
        }
        out(self, spot)
    }

    fn range(&mut self, from: &Val<'a>, to: &Val<'a>, by: &Val<'a>, out: Sink<'_, 'a>) -> Flow<'a> {
        let (Val::Num(from), Val::Num(to), Val::Num(by)) = (from, to, by) else {
            return fail("Range bounds must be numeric");
        };
        if let (Some(from), Some(to), Some(by)) = (from.as_i64(), to.as_i64(), by.as_i64()) {
            let mut at = from;
            while if by > 0 { at < to } else { by < 0 && at > to } {
                self.meter.tick(1)?;
                out(self, Spot::off(Val::int(at)))?;
                let Some(next) = at.checked_add(by) else { break };
                at = next;
            }
            return Ok(());
        }
        let (mut at, to, by) = (number::real(from), number::real(to), number::real(by));
        while if by > 0.0 { at < to } else { by < 0.0 && at > to } {
            self.meter.tick(1)?;
            let value = number::float(at)?;
            out(self, Spot::off(value))?;
            at += by;
        }
        Ok(())
    }
}

/// A loop that ended by its own break has ended well.
fn stopped_at(label: u32, done: Flow<'_>) -> Flow<'_> {
    match done {
        Err(Stop::Break(to)) if to == label => Ok(()),
        done => done,
    }
}

fn count_of<'a>(count: &Val<'a>) -> Flow<'a, i64> {
    match count {
        Val::Num(number) => match number::ceil(number) {
            count if count < 0 => fail("a count must not be negative"),
            count => Ok(count),
        },
        other => fail(format!("a count must be a number, not {}", super::shown(other))),
    }
}
