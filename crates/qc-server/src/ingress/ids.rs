//! Ids by which the sender knows its request: kept as extension attributes of the event, so that people find its run
//! by them.

use http::{HeaderMap, HeaderName};
use qc_engine::{CORRELATION_ATTRIBUTE, REQUEST_ATTRIBUTE, is_legal_key};
use qc_model::Event;
use serde_json::Value;

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const REQUEST: HeaderName = HeaderName::from_static("x-request-id");

/// Takes them over from the request's header, where the event itself has none.
pub(super) fn named_by_sender(headers: &HeaderMap, event: &mut Event) {
    for (header, attribute) in [(CORRELATION, CORRELATION_ATTRIBUTE), (REQUEST, REQUEST_ATTRIBUTE)]
    {
        let id = headers.get(header).and_then(|value| value.to_str().ok());
        if let Some(id) = id.filter(|id| is_legal_key(id)) {
            let own = event.extensions.entry(attribute.to_owned());
            own.or_insert_with(|| Value::String(id.to_owned()));
        }
    }
}
