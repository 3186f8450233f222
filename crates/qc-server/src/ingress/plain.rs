use std::collections::BTreeMap;

use bytes::Bytes;
use http::header;
use qc_document::{ParseLimits, parse_json_value};
use qc_model::{Event, EventData, EventId};

use super::{body_hash, cloudevents::Sent, door::Door, media::Media};
use crate::{Problem, codes};

impl Door<'_> {
    /// Wraps a plain JSON body as an event.
    pub(super) fn wrap_json(
        &self,
        event_type: &str,
        media: Media,
        body: &Bytes,
        limits: &ParseLimits,
    ) -> Result<Sent, Problem> {
        if media != Media::Json {
            let detail = "this trigger takes JSON; send `Content-Type: application/json`";
            return Err(Problem::new(415, codes::MEDIA_TYPE, "Media type", detail)
                .header(header::ACCEPT, "application/json"));
        }
        let value = parse_json_value(body, limits).map_err(|error| Problem::json(&error))?;
        let event = Event {
            id: EventId::new(self.received_at, &*self.state.entropy).to_string(),
            source: self.source(),
            kind: event_type.to_owned(),
            subject: None,
            time: Some(self.received_at.to_string()),
            datacontenttype: Some("application/json".to_owned()),
            dataschema: None,
            extensions: BTreeMap::new(),
            data: EventData::Json(value),
        };
        Ok(Sent { event, hash: body_hash(body) })
    }
}
