//! Sample requests and answers of operations.

use serde_json::{Map, Value};

use super::OpenApi;
use crate::mismatch::Direction;
use crate::model::{Content, Operation, SchemaAt};
use crate::request::is_json;
use crate::sample::sample_where;

impl OpenApi {
    /// A valid instance of a schema of this description.
    pub fn sample(&self, at: &SchemaAt, direction: Direction, seed: u64) -> Value {
        let schema = self.schema(at, direction);
        sample_where(&schema, seed, &|value| self.admits(at, direction, value))
    }

    /// A body for an answer with this status: the description's own example when it is valid, else a made one.
    /// `None` when no JSON body is described.
    pub fn sample_response(&self, operation: &Operation, status: u16, seed: u64) -> Option<Value> {
        let content = &operation.response(status)?.content;
        self.sample_content(content, Direction::Response, seed)
    }

    /// Arguments with which [`OpenApi::build`] succeeds: required parameters and, if there is one, a body.
    pub fn sample_arguments(&self, operation: &Operation, seed: u64) -> Value {
        let mut arguments = Map::new();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.required) {
            let value = match &parameter.schema {
                Some(schema) => self.sample(schema, Direction::Request, seed),
                None => Value::from("any"),
            };
            let name = format!("{}.{}", parameter.location.as_str(), parameter.name);
            arguments.insert(name, value);
        }
        if let Some(body) = &operation.request_body
            && let Some(value) = self.sample_content(&body.content, Direction::Request, seed)
        {
            arguments.insert("body".to_owned(), value);
        }
        Value::Object(arguments)
    }

    fn sample_content(
        &self,
        contents: &[Content],
        direction: Direction,
        seed: u64,
    ) -> Option<Value> {
        let is_sampled = |media_type: &str| {
            is_json(media_type) || media_type.contains("form") || media_type == "*/*"
        };
        let content = contents.iter().find(|content| is_json(&content.media_type));
        let content = content.or_else(|| contents.iter().find(|c| is_sampled(&c.media_type)))?;
        let examples: Vec<Value> = content
            .examples
            .iter()
            .filter_map(|(file, pointer)| self.documents.node(*file, pointer))
            .map(qc_document::Node::to_value)
            .filter(|value| {
                content.schema.as_ref().is_none_or(|schema| self.admits(schema, direction, value))
            })
            .collect();
        if !examples.is_empty() {
            let at = usize::try_from(seed % examples.len() as u64).unwrap_or(0);
            return examples.into_iter().nth(at);
        }
        match &content.schema {
            Some(schema) => Some(self.sample(schema, direction, seed)),
            None => Some(Value::Object(Map::new())),
        }
    }
}
