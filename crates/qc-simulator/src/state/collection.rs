//! One collection of resources, in the order in which they were made, with an index on the fields
//! by which the provider's document lets callers filter.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

/// A collection at one concrete path, such as `/issues/TCK-1/comments`.
#[derive(Default)]
pub(crate) struct Collection {
    order: BTreeMap<u64, (String, Value)>,
    places: HashMap<String, u64>,
    indexed: Vec<String>,
    index: HashMap<(usize, String), BTreeSet<u64>>,
    next: u64,
}

impl Collection {
    /// A collection that finds resources fast by these fields.
    pub(crate) fn indexed_by(fields: &[String]) -> Self {
        Self { indexed: fields.to_vec(), ..Self::default() }
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Value> {
        self.order.get(self.places.get(id)?).map(|(_, value)| value)
    }

    /// Puts a resource in, at its old place when it was there; answers whether it is new.
    pub(crate) fn put(&mut self, id: &str, value: Value) -> bool {
        let place = self.places.get(id).copied();
        if let Some(place) = place {
            self.unindex(place);
        }
        let at = place.unwrap_or_else(|| {
            self.next += 1;
            self.places.insert(id.to_owned(), self.next);
            self.next
        });
        for (field, name) in self.indexed.iter().enumerate() {
            if let Some(text) = value.get(name).and_then(text_of) {
                self.index.entry((field, text)).or_default().insert(at);
            }
        }
        self.order.insert(at, (id.to_owned(), value));
        place.is_none()
    }

    pub(crate) fn remove(&mut self, id: &str) -> Option<Value> {
        let at = self.places.remove(id)?;
        self.unindex(at);
        self.order.remove(&at).map(|(_, value)| value)
    }

    fn unindex(&mut self, at: u64) {
        let Some((_, value)) = self.order.get(&at) else { return };
        for (field, name) in self.indexed.iter().enumerate() {
            let Some(text) = value.get(name).and_then(text_of) else { continue };
            let key = (field, text);
            if let Some(places) = self.index.get_mut(&key) {
                places.remove(&at);
                if places.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Value> {
        self.order.values().map(|(_, value)| value)
    }

    /// How many resources fit the filters.
    pub(crate) fn count(&self, filters: &[(String, String)]) -> usize {
        if filters.is_empty() { self.order.len() } else { self.fitting(filters, 0).count() }
    }

    /// Resources whose fields equal the filters, after a place, in order, each with its place.
    pub(crate) fn fitting<'c>(
        &'c self,
        filters: &'c [(String, String)],
        after: u64,
    ) -> Box<dyn Iterator<Item = (u64, &'c Value)> + 'c> {
        let fits = move |value: &Value| {
            filters.iter().all(|(name, wanted)| {
                value.get(name).and_then(text_of).is_some_and(|text| text == *wanted)
            })
        };
        let by_index = filters.iter().find_map(|(name, wanted)| {
            let field = self.indexed.iter().position(|indexed| indexed == name)?;
            Some((field, wanted.clone()))
        });
        match by_index {
            None => Box::new(
                self.order
                    .range(after + 1..)
                    .filter(move |(_, (_, value))| fits(value))
                    .map(|(at, (_, value))| (*at, value)),
            ),
            Some(key) => Box::new(
                self.index
                    .get(&key)
                    .into_iter()
                    .flat_map(move |places| places.range(after + 1..))
                    .filter_map(move |at| self.order.get(at).map(|(_, value)| (*at, value)))
                    .filter(move |(_, value)| fits(value)),
            ),
        }
    }
}

/// A scalar as a query parameter would write it.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn wanted(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn a_replaced_resource_keeps_its_place_and_leaves_the_index() {
        let mut collection = Collection::indexed_by(&["ref".to_owned()]);
        assert!(collection.put("a", json!({"ref": "x"})));
        assert!(collection.put("b", json!({"ref": "x"})));
        assert!(!collection.put("a", json!({"ref": "y"})));
        assert_eq!(collection.count(&wanted("ref", "x")), 1);
        assert_eq!(collection.values().next(), Some(&json!({"ref": "y"})));
        collection.remove("a");
        assert_eq!(collection.count(&wanted("ref", "y")), 0);
        assert!(collection.index.len() == 1);
    }

    proptest! {
        #[test]
        fn the_index_answers_as_a_scan_does(
            deeds in proptest::collection::vec((0u8..3, 0u8..6, 0u8..4), 0..60),
            after in 0u64..8,
        ) {
            let mut indexed = Collection::indexed_by(&["ref".to_owned()]);
            let mut plain = Collection::default();
            for (deed, id, reference) in deeds {
                let id = id.to_string();
                if deed == 0 {
                    indexed.remove(&id);
                    plain.remove(&id);
                } else {
                    indexed.put(&id, json!({"ref": reference}));
                    plain.put(&id, json!({"ref": reference}));
                }
            }
            for reference in 0..4 {
                let filter = wanted("ref", &reference.to_string());
                let by_index: Vec<_> = indexed.fitting(&filter, after).collect();
                let by_scan: Vec<_> = plain.fitting(&filter, after).collect();
                prop_assert_eq!(by_index, by_scan);
            }
        }
    }
}
