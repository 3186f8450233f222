use http::{HeaderMap, header};

use crate::{Problem, codes};

/// What the `Content-Type` says a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// There is no `Content-Type`.
    Absent,
    /// A JSON value.
    Json,
    /// A form (`application/x-www-form-urlencoded`).
    Form,
    /// One CloudEvent in structured form.
    CloudEvent,
    /// Several CloudEvents.
    CloudEventBatch,
    /// CloudEvents in a format that is not taken here, such as Avro.
    ForeignCloudEvent,
    /// Text.
    Text,
    /// Anything else.
    Other,
}

impl Media {
    /// Reads the `Content-Type`, refusing what is compressed or not UTF-8.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut codings = headers.get_all(header::CONTENT_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            let detail = "the body has a `Content-Encoding`; send it without compression";
            return Err(Problem::new(415, codes::BODY_ENCODING, "Encoded body", detail)
                .header(header::ACCEPT_ENCODING, "identity"));
        }
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let Some(value) = types.next() else { return Ok(Self::Absent) };
        if types.next().is_some() {
            let detail = "the `Content-Type` stands there more than once";
            return Err(Problem::new(415, codes::MEDIA_TYPE, "Media type", detail));
        }
        let text = value.to_str().map_err(|_| {
            Problem::new(
                415,
                codes::MEDIA_TYPE,
                "Media type",
                "the `Content-Type` is not ASCII text",
            )
        })?;
        let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
        refuse_other_charsets(parameters)?;
        Ok(Self::of_essence(essence.trim()))
    }

    fn of_essence(essence: &str) -> Self {
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let ends = |suffix: &str| {
            essence.len() > suffix.len()
                && essence.is_char_boundary(essence.len() - suffix.len())
                && essence[essence.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        };
        let begins = |prefix: &str| {
            essence.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        if is("application/json") || is("text/json") {
            Self::Json
        } else if is("application/cloudevents+json") {
            Self::CloudEvent
        } else if is("application/cloudevents-batch+json") {
            Self::CloudEventBatch
        } else if begins("application/cloudevents") {
            Self::ForeignCloudEvent
        } else if ends("+json") {
            Self::Json
        } else if is("application/x-www-form-urlencoded") {
            Self::Form
        } else if begins("text/") {
            Self::Text
        } else {
            Self::Other
        }
    }
}

fn refuse_other_charsets(parameters: &str) -> Result<(), Problem> {
    for parameter in parameters.split(';') {
        if let Some((name, value)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            let value = value.trim().trim_matches('"');
            if !["utf-8", "utf8", "us-ascii"].iter().any(|ok| value.eq_ignore_ascii_case(ok)) {
                let detail = "the body's character encoding is not UTF-8; send UTF-8";
                return Err(Problem::new(415, codes::BODY_ENCODING, "Encoded body", detail));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(content_type: &str) -> Result<Media, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", content_type.parse().unwrap());
        Media::of(&headers)
    }

    #[test]
    fn knows_the_forms() {
        for (text, expected) in [
            ("application/json", Media::Json),
            ("Application/JSON; charset=\"UTF-8\"", Media::Json),
            ("application/vnd.github+json", Media::Json),
            ("application/cloudevents+json; charset=utf-8", Media::CloudEvent),
            ("application/cloudevents-batch+json", Media::CloudEventBatch),
            ("application/cloudevents+xml", Media::ForeignCloudEvent),
            ("application/x-www-form-urlencoded", Media::Form),
            ("text/plain", Media::Text),
            ("image/png", Media::Other),
            ("ö+json", Media::Json),
        ] {
            let Ok(value) = text.parse::<http::HeaderValue>() else { continue };
            let mut headers = HeaderMap::new();
            headers.insert("content-type", value);
            if let Ok(media) = Media::of(&headers) {
                assert_eq!(media, expected, "{text}");
            }
        }
        assert_eq!(Media::of(&HeaderMap::new()).unwrap(), Media::Absent);
    }

    #[test]
    fn refuses_other_encodings() {
        assert_eq!(media("application/json; charset=latin1").unwrap_err().status, 415);
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", "gzip".parse().unwrap());
        let problem = Media::of(&headers).unwrap_err();
        assert_eq!((problem.status, &problem.code), (415, &codes::BODY_ENCODING));
    }
}
