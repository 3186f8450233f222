//! Assignments, and the deletions that an update by `empty` asks for.

use super::{Machine, Spot};
use crate::meter::Flow;
use crate::native::arithmetic;
use crate::paths::{Trail, change, delete};
use crate::tree::{MathOp, Node};
use crate::value::{ITEM, Val};

/// What happens to one value that an assignment meets.
type Deed<'d, 'a> = &'d mut dyn FnMut(&mut Machine<'a>, Val<'a>) -> Flow<'a, Option<Val<'a>>>;

impl<'a> Machine<'a> {
    /// The ways that a path expression gives, in order.
    pub(super) fn ways(&mut self, target: &'a Node, input: Val<'a>) -> Flow<'a, Vec<Trail<'a>>> {
        let mut ways = Vec::new();
        let mut held = self.meter.charge(0)?;
        let spot = Spot { value: input, trail: Trail::Root };
        self.eval(target, spot, &mut |_, spot| {
            held.grow(ITEM)?;
            ways.push(spot.trail);
            Ok(())
        })?;
        Ok(ways)
    }

    /// Passes everything that the target leads to through a deed.
    pub(super) fn update_all(
        &mut self,
        target: &'a Node,
        input: Val<'a>,
        deed: Deed<'_, 'a>,
    ) -> Flow<'a, Val<'a>> {
        let ways = self.ways(target, input.clone())?;
        let mut whole = input;
        let mut gone = Vec::new();
        for way in ways {
            let keys = way.keys();
            let meter = self.meter;
            let (changed, deleted) = change(meter, whole, &keys, &mut |old| deed(self, old))?;
            whole = changed;
            if deleted {
                gone.push(keys);
            }
        }
        let gone: Vec<&[Val<'a>]> = gone.iter().map(Vec::as_slice).collect();
        delete(self.meter, whole, &gone, 0)
    }

    pub(super) fn set_all(
        &mut self,
        target: &'a Node,
        input: Val<'a>,
        value: &Val<'a>,
    ) -> Flow<'a, Val<'a>> {
        self.update_all(target, input, &mut |_, _| Ok(Some(value.clone())))
    }

    /// `+=` and its like; without an operator, `//=`.
    pub(super) fn operate_all(
        &mut self,
        target: &'a Node,
        input: Val<'a>,
        op: Option<MathOp>,
        value: &Val<'a>,
    ) -> Flow<'a, Val<'a>> {
        self.update_all(target, input, &mut |machine, old| {
            Ok(Some(match op {
                Some(op) => arithmetic::apply(machine, op, old, value.clone())?,
                None if old.truthy() => old,
                None => value.clone(),
            }))
        })
    }

    pub(super) fn delete_all(&mut self, target: &'a Node, input: Val<'a>) -> Flow<'a, Val<'a>> {
        let ways = self.ways(target, input.clone())?;
        let keys: Vec<Vec<Val<'a>>> = ways.iter().map(Trail::keys).collect();
        let keys: Vec<&[Val<'a>]> = keys.iter().map(Vec::as_slice).collect();
        delete(self.meter, input, &keys, 0)
    }
}
