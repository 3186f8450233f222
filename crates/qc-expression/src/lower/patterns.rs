//! Patterns that take a value apart: which variable gets which slot.

use serde_json::Value;

use super::{Binding, Lowered, Lowering, Place};
use crate::syntax::{BindKey, BindPattern};
use crate::tree::{Ast, Node, Pattern};

impl<'p> Lowering<'p> {
    /// Gives every variable of the patterns a slot. A name that several alternatives bind has one.
    pub(super) fn patterns(
        &mut self,
        patterns: &'p [BindPattern],
        place: Place,
    ) -> Lowered<(Place, Vec<Pattern>)> {
        let mut bound: Vec<(&'p str, usize)> = Vec::new();
        let mut inner = place;
        for pattern in patterns {
            self.collect(pattern, &mut bound);
        }
        for (name, slot) in &bound {
            inner = self.bind(Binding::Variable(name, *slot), inner);
        }
        let patterns = patterns
            .iter()
            .map(|pattern| self.pattern(pattern, &bound, inner))
            .collect::<Lowered<_>>()?;
        Ok((inner, patterns))
    }

    fn collect(&mut self, pattern: &'p BindPattern, bound: &mut Vec<(&'p str, usize)>) {
        let mut add = |lowering: &mut Self, name: &'p str| {
            if !bound.iter().any(|(known, _)| *known == name) {
                bound.push((name, lowering.new_slot()));
            }
        };
        match pattern {
            BindPattern::Variable(name) => add(self, name),
            BindPattern::Array(items) => {
                for item in items {
                    self.collect(item, bound);
                }
            }
            BindPattern::Object(entries) => {
                for (key, pattern) in entries {
                    if let BindKey::Variable(name) = key
                        && !bound.iter().any(|(known, _)| known == name)
                    {
                        bound.push((name, self.new_slot()));
                    }
                    if let Some(pattern) = pattern {
                        self.collect(pattern, bound);
                    }
                }
            }
        }
    }

    fn pattern(
        &mut self,
        pattern: &'p BindPattern,
        bound: &[(&'p str, usize)],
        place: Place,
    ) -> Lowered<Pattern> {
        let slot_of = |name: &str| {
            let found = bound.iter().find(|(known, _)| *known == name);
            found.map(|(_, slot)| *slot).expect("`collect` bound every name of the pattern")
        };
        Ok(match pattern {
            BindPattern::Variable(name) => Pattern::Slot(slot_of(name)),
            BindPattern::Array(items) => Pattern::Array(
                items
                    .iter()
                    .map(|item| self.pattern(item, bound, place))
                    .collect::<Lowered<_>>()?,
            ),
            BindPattern::Object(entries) => {
                let mut lowered = Vec::new();
                for (key, pattern) in entries {
                    let inner = pattern
                        .as_ref()
                        .map(|pattern| self.pattern(pattern, bound, place))
                        .transpose()?;
                    lowered.push(match key {
                        BindKey::Variable(name) => {
                            let key = Node::new(Ast::Const(Value::String(name.clone())));
                            (key, Some(slot_of(name)), inner)
                        }
                        BindKey::Value(key) => (self.node(key, place)?, None, inner),
                    });
                }
                Pattern::Object(lowered)
            }
        })
    }
}
