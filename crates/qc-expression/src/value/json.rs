//! From JSON that the expression read itself, and to the JSON of the result.

use serde_json::{Map, Value};

use super::{Dict, ENTRY, List, Text, Val};
use crate::meter::{Limit, Meter, VALUE_DEPTH};

impl<'a> Val<'a> {
    /// A value read from text inside the expression.
    pub(crate) fn own(meter: &'a Meter, value: Value) -> Result<Self, Limit> {
        Ok(match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Num(number),
            Value::String(text) => Self::text(meter, text)?,
            Value::Array(items) => {
                let mut list = List::new(meter)?;
                for item in items {
                    list.push(Self::own(meter, item)?)?;
                }
                list.into_val()
            }
            Value::Object(map) => {
                let mut dict = Dict::new(meter)?;
                for (key, value) in map {
                    dict.insert(Text::own(meter, key)?, Self::own(meter, value)?)?;
                }
                dict.into_val()
            }
        })
    }

    /// The JSON of this value: the one place where lent data is copied.
    pub(crate) fn into_json(self, meter: &'a Meter) -> Result<Value, Limit> {
        self.to_json(meter, 0)
    }

    fn to_json(&self, meter: &'a Meter, depth: u32) -> Result<Value, Limit> {
        if depth > VALUE_DEPTH {
            return Err(Limit::Depth);
        }
        meter.tick(1)?;
        meter.spend(32)?;
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Num(number) => Value::Number(number.clone()),
            Self::Str(text) => {
                meter.scan(text.len())?;
                meter.spend(text.len())?;
                Value::String(text.as_str().to_owned())
            }
            Self::Arr(items) => {
                meter.afford(items.len() * 32)?;
                let mut array = Vec::with_capacity(items.len());
                for item in items.iter() {
                    array.push(item.to_json(meter, depth + 1)?);
                }
                Value::Array(array)
            }
            Self::Obj(object) => {
                let mut map = Map::new();
                for (key, value) in object.entries() {
                    meter.spend(ENTRY - 32 + key.len())?;
                    map.insert(key.as_str().to_owned(), value.to_json(meter, depth + 1)?);
                }
                Value::Object(map)
            }
        })
    }
}
