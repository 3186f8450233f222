//! Sorting and grouping by keys that are worked out already.

use crate::meter::{Flow, Meter, fail};
use crate::order::{compare, equal, sorted};
use crate::tree::Form;
use crate::value::{Arr, List, Val};

pub(crate) fn arrange<'a>(
    meter: &'a Meter,
    form: Form,
    items: &Arr<'a>,
    keys: &[Val<'a>],
) -> Flow<'a, Val<'a>> {
    let element = |at: usize| items.get(at).unwrap_or(Val::Null);
    match form {
        Form::MinBy | Form::MaxBy => {
            let mut best: Option<usize> = None;
            for at in 0..keys.len() {
                let better = match best {
                    None => true,
                    // Of equal ones jq gives the first minimum and the last maximum.
                    Some(best) => {
                        let order = compare(meter, &keys[at], &keys[best])?;
                        if form == Form::MinBy { order.is_lt() } else { order.is_ge() }
                    }
                };
                if better {
                    best = Some(at);
                }
            }
            Ok(best.map_or(Val::Null, element))
        }
        Form::SortBy => {
            let mut list = List::new(meter)?;
            for at in sorted(meter, keys)? {
                list.push(element(at))?;
            }
            Ok(list.into_val())
        }
        Form::GroupBy | Form::UniqueBy => {
            let order = sorted(meter, keys)?;
            let mut groups = List::new(meter)?;
            let mut at = 0;
            while at < order.len() {
                let first = order[at];
                let mut group = List::new(meter)?;
                while at < order.len() && equal(meter, &keys[order[at]], &keys[first])? {
                    if form == Form::GroupBy {
                        group.push(element(order[at]))?;
                    }
                    at += 1;
                }
                groups.push(if form == Form::GroupBy {
                    group.into_val()
                } else {
                    element(first)
                })?;
            }
            Ok(groups.into_val())
        }
        _ => fail("this function does not sort"),
    }
}
