//! Which paths of a document hold resources, inferred from their shape.
//!
//! `P` is a collection when the document has `P/{id}` with something to do there, and a way for
//! resources to come into being (POST on `P`, or PUT on `P/{id}`) or to be seen together (a list
//! at GET on `P`). Without `P/{id}`, `P` is one when it has both POST and a list.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Method;
use qc_contract::{Direction, OpenApi, ParameterLocation, sample};
use qc_model::Finding;
use serde_json::{Map, Value};

use super::answers::success_schema;
use super::rule::{CollectionRule, Listing, Role, Wrapper};
use super::shape::{self, ObjectShape};
use crate::codes;
use crate::spec::{IdPart, IdPattern, IdRule, SimulatorSpec};

type Listed<'o> = &'o qc_contract::Operation;

const LIMIT_NAMES: [&str; 9] = [
    "limit",
    "per_page",
    "perPage",
    "page_size",
    "pageSize",
    "maxResults",
    "max_results",
    "top",
    "$top",
];
const CURSOR_NAMES: [&str; 7] =
    ["cursor", "page_token", "pageToken", "after", "starting_after", "next", "next_cursor"];
const OFFSET_NAMES: [&str; 5] = ["offset", "startAt", "start_at", "skip", "$skip"];
/// Page sizes where the document gives none.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

pub(super) struct Collections {
    pub(super) rules: Vec<Arc<CollectionRule>>,
}

/// The operations at a collection's path and at the path of one of its resources.
#[derive(Default, Clone)]
struct Site<'o> {
    item_parameter: Option<String>,
    create: Option<Listed<'o>>,
    list: Option<Listed<'o>>,
    read: Option<Listed<'o>>,
    put: Option<Listed<'o>>,
    patch: Option<Listed<'o>>,
    delete: Option<Listed<'o>>,
}

impl Collections {
    pub(super) fn infer(
        openapi: &OpenApi,
        spec: &SimulatorSpec,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let sites = survey(openapi);
        let mut rules: Vec<Arc<CollectionRule>> = Vec::new();
        // A shorter path comes first, so that a parent is there before its children.
        let mut templates: Vec<&String> = sites.keys().collect();
        templates.sort_by_key(|template| template.len());
        for template in templates {
            let site = &sites[template];
            if site.holds_resources() {
                let given = spec.ids.iter().find(|rule| rule.collection.text == *template);
                let rule = site.rule(openapi, template, given, &sites, &rules);
                rules.push(Arc::new(rule));
            }
        }
        for rule in &spec.ids {
            let name = &rule.collection.text;
            if !rules.iter().any(|known| known.template == *name) {
                let message = format!("the document has no collection `{name}`");
                let finding = Finding::error(codes::UNKNOWN_COLLECTION, message);
                let known = rules.iter().map(|rule| rule.template.as_str());
                let mut finding = finding.at(rule.collection.place.clone());
                if let Some(known) = qc_document::closest(name, known) {
                    finding = finding.help(format!("did you mean `{known}`?"));
                }
                findings.push(finding);
            }
        }
        Self { rules }
    }

    /// What an operation does.
    pub(super) fn role(&self, openapi: &OpenApi, listed: Listed<'_>, method: &Method) -> Role {
        let at = |template: &str| self.rules.iter().find(|rule| rule.template == template).cloned();
        if let Some(rule) = at(&listed.path) {
            return match *method {
                Method::POST => Role::Create(rule),
                Method::GET => {
                    let listing = listing(openapi, listed, rule);
                    listing.map_or(Role::Sample, |listing| Role::List(Box::new(listing)))
                }
                _ => Role::Sample,
            };
        }
        let Some(rule) = split_item(&listed.path).and_then(|(collection, _)| at(collection)) else {
            return Role::Sample;
        };
        match *method {
            Method::GET | Method::HEAD => Role::Read(rule),
            Method::PUT => Role::Put(rule),
            Method::PATCH => Role::Patch(rule),
            Method::DELETE => Role::Delete(rule),
            _ => Role::Sample,
        }
    }
}

/// `/a/{b}/c/{d}` is the item `d` of `/a/{b}/c`.
fn split_item(path: &str) -> Option<(&str, &str)> {
    let (collection, last) = path.rsplit_once('/')?;
    let name = last.strip_prefix('{')?.strip_suffix('}')?;
    let named = collection.rsplit('/').next().is_some_and(|s| !s.is_empty() && !s.starts_with('{'));
    (named && !name.contains(['{', '}'])).then_some((collection, name))
}

fn survey(openapi: &OpenApi) -> BTreeMap<String, Site<'_>> {
    let mut sites: BTreeMap<String, Site<'_>> = BTreeMap::new();
    for operation in openapi.operations() {
        let method = operation.method.as_str();
        if let Some((collection, name)) = split_item(&operation.path) {
            let site = sites.entry(collection.to_owned()).or_default();
            site.item_parameter = Some(name.to_owned());
            match method {
                "GET" => site.read = Some(operation),
                "PUT" => site.put = Some(operation),
                "PATCH" => site.patch = Some(operation),
                "DELETE" => site.delete = Some(operation),
                _ => {}
            }
        } else if !operation.path.ends_with('}') {
            let site = sites.entry(operation.path.to_string()).or_default();
            match method {
                "POST" => site.create = Some(operation),
                "GET" if list_shape(openapi, operation).is_some() => site.list = Some(operation),
                _ => {}
            }
        }
    }
    sites
}

impl Site<'_> {
    fn holds_resources(&self) -> bool {
        let has_item = self.read.or(self.put).or(self.patch).or(self.delete).is_some();
        if has_item {
            self.create.or(self.list).or(self.put).is_some()
        } else {
            self.create.is_some() && self.list.is_some()
        }
    }

    fn rule(
        &self,
        openapi: &OpenApi,
        template: &str,
        given: Option<&IdRule>,
        sites: &BTreeMap<String, Site<'_>>,
        rules: &[Arc<CollectionRule>],
    ) -> CollectionRule {
        let (shape, blank) = self.resource(openapi);
        let id_field = given
            .and_then(|rule| rule.field.clone())
            .unwrap_or_else(|| id_field(&shape, self.item_parameter.as_deref(), template));
        let id_is_integer = shape.is(&id_field, "integer");
        let moments = |words: &[&str]| -> Vec<String> {
            let fields = shape.fields.keys().filter(|name| shape.is_moment(name));
            let fits = |name: &&String| words.iter().any(|word| name.to_lowercase().contains(word));
            fields.filter(fits).cloned().collect()
        };
        let created = moments(&["creat", "posted", "sent", "timestamp"]);
        let updated = moments(&["updat", "modif", "changed", "edited"]);
        let mut blank = blank;
        blank.retain(|name, _| {
            *name != id_field && !created.contains(name) && !updated.contains(name)
        });
        let parent = split_item_of_parent(template).and_then(|above| {
            let made_here = sites.get(above).is_some_and(|site| site.create.is_some());
            rules.iter().find(|rule| made_here && rule.template == above).cloned()
        });
        let names = template.split('/').chain(self.item_parameter.as_deref());
        let placed = names
            .map(|name| name.trim_matches(['{', '}']))
            .filter(|name| shape.fields.contains_key(*name))
            .map(str::to_owned)
            .collect();
        CollectionRule {
            template: template.to_owned(),
            item_parameter: self.item_parameter.clone(),
            pattern: given
                .map_or_else(|| default_pattern(&shape, &id_field), |r| r.pattern.clone()),
            id_field,
            id_is_integer,
            parent,
            blank,
            created,
            updated,
            placed,
            indexed: self.list.map(|list| filters(list, &shape)).unwrap_or_default(),
        }
    }

    /// The fields of a resource, and samples of those that it always has.
    fn resource(&self, openapi: &OpenApi) -> (ObjectShape, Map<String, Value>) {
        let mut shape = ObjectShape::default();
        let mut blank = Map::new();
        let whole = [self.read, self.create, self.put, self.patch].into_iter().flatten();
        let mut schemas: Vec<(Value, Value)> = whole
            .filter_map(|operation| success_schema(openapi, operation))
            .map(|schema| (schema.clone(), schema))
            .collect();
        if let Some((root, list)) = self.list.and_then(|list| list_shape(openapi, list)) {
            schemas.push((root, list.item));
        }
        for (root, schema) in schemas {
            let seen = ObjectShape::of(&root, &schema);
            for name in &seen.required {
                if let Some(field) = seen.fields.get(name)
                    && !blank.contains_key(name)
                {
                    blank.insert(name.clone(), first_value(&root, field));
                }
            }
            shape.unite(seen);
        }
        (shape, blank)
    }
}

/// What a field holds that nobody set: null where that is allowed, its default, the first value that it may have, or
/// a sample.
fn first_value(root: &Value, field: &Value) -> Value {
    if shape::admits_null(root, field) {
        return Value::Null;
    }
    let first = |keyword: &str| field.get(keyword).and_then(|values| values.get(0));
    let plain = field.get("default").or_else(|| field.get("const")).or_else(|| first("enum"));
    plain.cloned().unwrap_or_else(|| sample(&rooted(root, field), 1))
}

/// A part of a schema with the definitions of the whole, so that its references still lead somewhere.
fn rooted(root: &Value, part: &Value) -> Value {
    let mut part = part.clone();
    if let (Some(map), Some(definitions)) = (part.as_object_mut(), root.get("$defs")) {
        map.insert("$defs".to_owned(), definitions.clone());
    }
    part
}

/// `/a/{b}/c` lies below an item of `/a`.
fn split_item_of_parent(template: &str) -> Option<&str> {
    let (item, _) = template.rsplit_once('/')?;
    split_item(item).map(|(collection, _)| collection)
}

/// The field by which a path names a resource: the parameter's own name, or its last word (`issue_number` is the
/// field `number`), or what ids are commonly called.
fn id_field(shape: &ObjectShape, parameter: Option<&str>, template: &str) -> String {
    let parameter = parameter.unwrap_or_default();
    let last_word = parameter.rsplit(['_', '-']).next().unwrap_or_default();
    let last_hump = parameter.rfind(char::is_uppercase).map_or("", |at| &parameter[at..]);
    let plural = template.rsplit('/').next().unwrap_or_default();
    let single = plural.strip_suffix('s').unwrap_or(plural);
    let candidates = [
        parameter.to_owned(),
        last_word.to_owned(),
        last_hump.to_lowercase(),
        "id".to_owned(),
        format!("{single}_id"),
        format!("{single}Id"),
        "key".to_owned(),
        "uid".to_owned(),
        "name".to_owned(),
    ];
    let known = candidates.into_iter().find(|name| shape.fields.contains_key(name));
    known.unwrap_or_else(|| "id".to_owned())
}

fn default_pattern(shape: &ObjectShape, id_field: &str) -> IdPattern {
    let format = shape.fields.get(id_field).and_then(|schema| schema.get("format"));
    let is_uuid = format.and_then(Value::as_str) == Some("uuid");
    IdPattern(vec![if is_uuid { IdPart::Uuid } else { IdPart::Number }])
}

struct ListShape {
    item: Value,
    /// Name of the field that holds the items, and the object's shape.
    wrapper: Option<(String, ObjectShape)>,
}

/// The shape of an operation's answer, when it is a list of objects.
fn list_shape(openapi: &OpenApi, operation: Listed<'_>) -> Option<(Value, ListShape)> {
    let root = success_schema(openapi, operation)?;
    if let Some(item) = shape::items(&root, &root) {
        let item = item.clone();
        return Some((root, ListShape { item, wrapper: None }));
    }
    let object = ObjectShape::of(&root, &root);
    let last = operation.path.rsplit('/').next().unwrap_or_default();
    let lists = object.fields.iter().filter_map(|(name, field)| {
        let item = shape::items(&root, field)?;
        let rank = match name.as_str() {
            name if name == last => 0,
            "items" | "data" | "results" | "values" | "records" | "entries" => 1,
            _ => 2,
        };
        Some((rank, name.clone(), item.clone()))
    });
    let (rank, name, item) = lists.min_by_key(|(rank, ..)| *rank)?;
    // An object with an id that happens to have a list in it is a resource, not a list.
    if rank == 2 && object.fields.contains_key("id") {
        return None;
    }
    Some((root, ListShape { item, wrapper: Some((name, object)) }))
}

fn listing(openapi: &OpenApi, operation: Listed<'_>, rule: Arc<CollectionRule>) -> Option<Listing> {
    let (root, list) = list_shape(openapi, operation)?;
    let shape = ObjectShape::of(&root, &list.item);
    let declared = |names: &[&str]| -> Option<String> {
        let query = operation.parameters.iter().filter(|p| p.location == ParameterLocation::Query);
        let mut known = query.map(|parameter| parameter.name.to_string());
        known.find(|name| names.contains(&name.as_str()))
    };
    let limit = declared(&LIMIT_NAMES);
    let bound = |keyword: &str| -> Option<usize> {
        let parameter = operation.parameter(ParameterLocation::Query, limit.as_deref()?)?;
        let schema = openapi.schema(parameter.schema.as_ref()?, Direction::Request);
        usize::try_from(schema.get(keyword)?.as_u64()?).ok()
    };
    let wrapper = list.wrapper.map(|(items, object)| {
        let mut blank = Map::new();
        for name in &object.required {
            if let Some(field) = object.fields.get(name).filter(|_| *name != items) {
                blank.insert(name.clone(), first_value(&root, field));
            }
        }
        let fields = object.fields.keys().filter(|name| **name != items).cloned().collect();
        Wrapper { items, fields, blank }
    });
    let max_limit = bound("maximum").unwrap_or(MAX_LIMIT).max(1);
    Some(Listing {
        filters: filters(operation, &shape),
        cursor: declared(&CURSOR_NAMES),
        offset: declared(&OFFSET_NAMES),
        page: declared(&["page"]),
        default_limit: bound("default").unwrap_or(DEFAULT_LIMIT).clamp(1, max_limit),
        max_limit,
        limit,
        fields: shape.names(),
        wrapper,
        rule,
    })
}

/// Query parameters that are fields of the resource.
fn filters(operation: Listed<'_>, shape: &ObjectShape) -> Vec<String> {
    let paging = |name: &str| {
        LIMIT_NAMES.contains(&name)
            || CURSOR_NAMES.contains(&name)
            || OFFSET_NAMES.contains(&name)
            || name == "page"
    };
    let query = operation.parameters.iter().filter(|p| p.location == ParameterLocation::Query);
    query
        .filter(|parameter| !paging(&parameter.name) && shape.fields.contains_key(&*parameter.name))
        .map(|parameter| parameter.name.to_string())
        .collect()
}
