//! All collections of a provider.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::Collection;

/// The provider holds as many resources as it may.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

pub(crate) struct Resources {
    collections: BTreeMap<String, Collection>,
    numbers: HashMap<String, u64>,
    count: usize,
    limit: usize,
}

impl Resources {
    pub(crate) fn new(limit: usize) -> Self {
        Self { collections: BTreeMap::new(), numbers: HashMap::new(), count: 0, limit }
    }

    pub(crate) fn collection(&self, path: &str) -> Option<&Collection> {
        self.collections.get(path)
    }

    pub(crate) fn get(&self, path: &str, id: &str) -> Option<&Value> {
        self.collections.get(path)?.get(id)
    }

    /// The next number of the ids that one path template makes.
    pub(crate) fn next_number(&mut self, template: &str) -> u64 {
        let number = self.numbers.entry(template.to_owned()).or_default();
        *number += 1;
        *number
    }

    /// Puts a resource in; answers whether it is new.
    pub(crate) fn put(
        &mut self,
        path: &str,
        id: &str,
        value: Value,
        indexed: &[String],
    ) -> Result<bool, Full> {
        let known = self.get(path, id).is_some();
        if !known && self.count >= self.limit {
            return Err(Full);
        }
        if !self.collections.contains_key(path) {
            self.collections.insert(path.to_owned(), Collection::indexed_by(indexed));
        }
        let Some(collection) = self.collections.get_mut(path) else { return Err(Full) };
        let fresh = collection.put(id, value);
        self.count += usize::from(fresh);
        Ok(fresh)
    }

    /// Removes a resource with everything below it.
    pub(crate) fn remove(&mut self, path: &str, id: &str) -> Option<Value> {
        let removed = self.collections.get_mut(path)?.remove(id)?;
        self.count -= 1;
        let below = format!("{path}/{id}/");
        let gone: Vec<String> = self
            .collections
            .range(below.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&below))
            .cloned()
            .collect();
        for path in gone {
            if let Some(collection) = self.collections.remove(&path) {
                self.count -= collection.count(&[]);
            }
        }
        Some(removed)
    }

    /// Everything, as `{path: [resource, …]}`.
    pub(crate) fn to_value(&self) -> Value {
        let mut all = Map::new();
        for (path, collection) in &self.collections {
            all.insert(path.clone(), Value::Array(collection.values().cloned().collect()));
        }
        Value::Object(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn removing_a_parent_removes_what_is_below_and_frees_room() {
        let mut resources = Resources::new(2);
        assert_eq!(resources.put("/a", "1", json!({}), &[]), Ok(true));
        assert_eq!(resources.put("/a/1/b", "2", json!({}), &[]), Ok(true));
        assert_eq!(resources.put("/a", "3", json!({}), &[]), Err(Full));
        assert_eq!(
            resources.put("/a", "1", json!({"x": 1}), &[]),
            Ok(false),
            "no more room needed"
        );
        assert!(resources.remove("/a", "1").is_some());
        assert_eq!(resources.to_value(), json!({"/a": []}));
        assert_eq!(resources.put("/a", "3", json!({}), &[]), Ok(true));
    }
}
