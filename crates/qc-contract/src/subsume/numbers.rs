//! Numbers between bounds, on steps and beside steps.

use serde_json::Value;

use super::decide::{Deciding, Models};
use super::decimal::Decimal;
use super::formula::{Formula, Id};

/// Most numbers that are tried one after the other.
const TRY_LIMIT: i128 = 4_096;

#[derive(Default)]
struct Numbers {
    /// The lowest and the highest number, and whether it is itself left out.
    low: Option<(Decimal, bool)>,
    high: Option<(Decimal, bool)>,
    step: Option<Decimal>,
    /// Of these, no multiple.
    beside: Vec<Decimal>,
    only: Option<Vec<Decimal>>,
    excluded: usize,
}

impl Deciding<'_> {
    pub(super) fn number(&mut self, facts: &[Id]) -> Models {
        let whole = self.formulas.all(facts.iter().copied());
        let Some(numbers) = self.gathered(facts) else { return Models::Unknown };
        if let Some(only) = &numbers.only {
            let values: Option<Vec<Value>> = only.iter().map(|number| number.value()).collect();
            return values.map_or(Models::Unknown, |values| self.one_of(whole, values));
        }
        let has_no_room = |beside: &Decimal| {
            let step = numbers.step.filter(|step| beside.divides_alike() || step == beside);
            step.is_some_and(|step| step.is_multiple_of(*beside) == Some(true))
        };
        if numbers.beside.iter().any(has_no_room) || numbers.is_empty() == Some(true) {
            return Models::None;
        }
        let (candidates, are_all) = match numbers.step {
            Some(step) => numbers.steps(step),
            None => numbers.dense(),
        }
        .unwrap_or_default();
        let values: Vec<Value> = candidates.iter().filter_map(|number| number.value()).collect();
        let are_all = are_all && values.len() == candidates.len();
        match self.one_of(whole, values) {
            Models::None if !are_all => Models::Unknown,
            other => other,
        }
    }

    fn gathered(&self, facts: &[Id]) -> Option<Numbers> {
        let mut all = Numbers::default();
        for fact in facts {
            match self.formulas.get(*fact) {
                Formula::Least(limit, open) => all.raise(*limit, *open)?,
                Formula::Most(limit, open) => all.lower(*limit, *open)?,
                Formula::MultipleOf(step) => {
                    all.step = Some(match all.step {
                        Some(known) => known.common_multiple(*step)?,
                        None => *step,
                    });
                }
                Formula::NumberIn(options) => {
                    let fits = |number: &Decimal| {
                        all.only.as_ref().is_none_or(|only| only.contains(number))
                    };
                    all.only = Some(options.iter().copied().filter(fits).collect());
                }
                Formula::Not(inner) => match self.formulas.get(*inner) {
                    Formula::MultipleOf(step) => all.beside.push(*step),
                    Formula::NumberIn(options) => all.excluded += options.len(),
                    _ => {}
                },
                _ => {}
            }
        }
        Some(all)
    }
}

impl Numbers {
    fn raise(&mut self, limit: Decimal, open: bool) -> Option<()> {
        let is_tighter = match self.low {
            None => true,
            Some((low, was_open)) => {
                let order = limit.compare(low)?;
                order.is_gt() || (order.is_eq() && open && !was_open)
            }
        };
        if is_tighter {
            self.low = Some((limit, open));
        }
        Some(())
    }

    fn lower(&mut self, limit: Decimal, open: bool) -> Option<()> {
        let is_tighter = match self.high {
            None => true,
            Some((high, was_open)) => {
                let order = limit.compare(high)?;
                order.is_lt() || (order.is_eq() && open && !was_open)
            }
        };
        if is_tighter {
            self.high = Some((limit, open));
        }
        Some(())
    }

    fn is_empty(&self) -> Option<bool> {
        let (Some((low, low_open)), Some((high, high_open))) = (self.low, self.high) else {
            return Some(false);
        };
        let order = low.compare(high)?;
        Some(order.is_gt() || (order.is_eq() && (low_open || high_open)))
    }

    /// Multiples to try, and whether one of them must fit if any does.
    fn steps(&self, step: Decimal) -> Option<(Vec<Decimal>, bool)> {
        let first = match self.low {
            Some((low, open)) => {
                let below = low.steps(step)?;
                let is_on = low.is_multiple_of(step)?;
                Some(if is_on && !open { below } else { below + 1 })
            }
            None => None,
        };
        let last = match self.high {
            Some((high, open)) => {
                let below = high.steps(step)?;
                let is_on = high.is_multiple_of(step)?;
                Some(if is_on && open { below - 1 } else { below })
            }
            None => None,
        };
        // What the steps to be avoided leave repeats itself after this many.
        let mut period = step;
        for beside in &self.beside {
            period = period.common_multiple(*beside)?;
        }
        let enough = period.steps(step)?.checked_mul(i128::try_from(self.excluded + 1).ok()?)?;
        let count = match (first, last) {
            (Some(first), Some(last)) => (last - first + 1).max(0).min(enough),
            _ => enough,
        };
        let (start, sign) = match (first, last) {
            (Some(first), _) => (first, 1),
            (None, Some(last)) => (last, -1),
            (None, None) => (1, 1),
        };
        let tried = count.min(TRY_LIMIT);
        let numbers: Option<Vec<Decimal>> =
            (0..tried).map(|at| step.times(start + sign * at)).collect();
        Some((numbers?, tried == count))
    }

    /// Numbers of a range without steps; there is always a further one, unless the range is a single number.
    fn dense(&self) -> Option<(Vec<Decimal>, bool)> {
        let (low, high) = match (self.low, self.high) {
            (Some((low, _)), Some((high, _))) if low == high => return Some((vec![low], true)),
            (Some((low, _)), Some((high, _))) => (low, high),
            (Some((low, _)), None) => (low, low.plus(Decimal::whole(100))?),
            (None, Some((high, _))) => (high.minus(Decimal::whole(100))?, high),
            (None, None) => (Decimal::ZERO, Decimal::whole(100)),
        };
        let span = high.minus(low)?;
        let mut numbers = vec![Decimal::ONE, Decimal::ZERO, low, high];
        for part in [5, 1, 9, 3] {
            numbers.push(low.plus(span.part(part, 1)?)?);
        }
        numbers.extend((0..64).map_while(|at| low.plus(span.part(137 * at + 113, 4)?)));
        // One more than is excluded, so that one is left; those off every step need uneven places.
        let more = i128::try_from(self.excluded.min(1_024)).ok()? + 8;
        numbers.extend((1..=more).map_while(|at| low.plus(span.part(10 * at + 1, 5)?)));
        Some((numbers, false))
    }
}
