//! Lists: equality filters, and pages by cursor, offset or number.

use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::visit::Visit;
use crate::blueprint::{Listing, Operation};
use crate::exchange::SimResponse;
use crate::problem::Fields;
use crate::state::Collection;

pub(super) fn answer(
    collection: Option<&Collection>,
    operation: &Operation,
    listing: &Listing,
    visit: &Visit<'_>,
) -> SimResponse {
    let asked = |name: &Option<String>| {
        let name = name.as_ref()?;
        visit.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let number = |name: &Option<String>| asked(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number(&listing.limit).unwrap_or(listing.default_limit).clamp(1, listing.max_limit);
    let cursor = asked(&listing.cursor).filter(|cursor| !cursor.is_empty());
    let Some(after) = cursor.map_or(Some(0), read_cursor) else {
        let name = listing.cursor.as_deref().unwrap_or_default();
        let field = (format!("/query/{name}"), "is not a cursor of this list".to_owned());
        let why = "the cursor is not known";
        return operation.errors.answer(StatusCode::BAD_REQUEST, why, &Fields(vec![field]));
    };
    let page = number(&listing.page).unwrap_or(1).max(1);
    let skip = number(&listing.offset).unwrap_or((page - 1).saturating_mul(limit));
    let filters: Vec<(String, String)> =
        visit.query.iter().filter(|(name, _)| listing.filters.contains(name)).cloned().collect();
    let mut found: Vec<(u64, &Value)> = collection
        .map(|c| c.fitting(&filters, after).skip(skip).take(limit + 1).collect())
        .unwrap_or_default();
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|(at, _)| write_cursor(*at));
    let items = found.iter().map(|(_, item)| listing.shown(item)).collect();
    let total = || collection.map_or(0, |collection| collection.count(&filters));
    let body = wrap(listing, items, next.as_deref(), more, total, (skip, limit, page));
    let answer = operation.success.body_answer(operation.success.status, &body);
    if more && listing.wrapper.is_none() {
        return answer.with_header(
            header::LINK,
            &next_link(listing, visit, next.as_deref(), page, skip, limit),
        );
    }
    answer
}

fn wrap(
    listing: &Listing,
    items: Vec<Value>,
    next: Option<&str>,
    more: bool,
    total: impl Fn() -> usize,
    (skip, limit, page): (usize, usize, usize),
) -> Value {
    let Some(wrapper) = &listing.wrapper else { return Value::Array(items) };
    let mut body: Map<String, Value> = wrapper.blank.clone();
    let count = items.len();
    body.insert(wrapper.items.clone(), Value::Array(items));
    for field in &wrapper.fields {
        let value = match field.as_str() {
            "next_cursor" | "nextCursor" | "next" | "cursor" | "next_page_token"
            | "nextPageToken" => match next {
                Some(next) => json!(next),
                // An absent cursor means the end; an empty text where the schema insists on one.
                None if wrapper.blank.contains_key(field) => json!(""),
                None => continue,
            },
            "has_more" | "hasMore" => json!(more),
            "isLast" | "is_last" => json!(!more),
            "total" | "total_count" | "totalCount" => json!(total()),
            "count" => json!(count),
            "offset" | "startAt" | "start_at" => json!(skip),
            "limit" | "per_page" | "page_size" | "maxResults" | "max_results" => json!(limit),
            "page" => json!(page),
            _ => continue,
        };
        body.insert(field.clone(), value);
    }
    Value::Object(body)
}

/// `Link: <…>; rel="next"` (RFC 8288), for lists that are bare arrays.
fn next_link(
    listing: &Listing,
    visit: &Visit<'_>,
    next: Option<&str>,
    page: usize,
    skip: usize,
    limit: usize,
) -> String {
    let (name, value) = if let (Some(name), Some(next)) = (&listing.cursor, next) {
        (name.as_str(), next.to_owned())
    } else if let Some(name) = &listing.offset {
        (name.as_str(), (skip + limit).to_string())
    } else {
        (listing.page.as_deref().unwrap_or("page"), (page + 1).to_string())
    };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(visit.query.iter().filter(|(key, _)| key != name));
    query.append_pair(name, &value);
    format!("<{}?{}>; rel=\"next\"", visit.path, query.finish())
}

/// Cursors are opaque to callers: not a number that invites arithmetic.
fn write_cursor(at: u64) -> String {
    format!("cur_{:x}", at ^ 0x5a5a_5a5a)
}

fn read_cursor(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("cur_")?, 16).ok().map(|masked| masked ^ 0x5a5a_5a5a)
}
