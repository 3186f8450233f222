use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::Body;

use serde_json::json;

use crate::{PointedError, Problem, codes};

/// Reads a whole body, refusing more than `limit` bytes and what comes too slowly. A body that arrived in one piece
/// is not copied.
pub(crate) async fn read<B>(
    mut body: B,
    headers: &HeaderMap,
    limit: usize,
    patience: Duration,
) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::fmt::Display,
{
    let stated =
        headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let whole = async {
        let mut first = Bytes::new();
        let mut rest: Option<BytesMut> = None;
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| incomplete(&format!("the body broke off: {error}")))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = rest.as_ref().map_or(first.len(), BytesMut::len);
            if length + data.len() > limit {
                return Err(too_large(limit));
            }
            match &mut rest {
                Some(rest) => rest.extend_from_slice(&data),
                None if first.is_empty() => first = data,
                None => {
                    let mut joined = BytesMut::with_capacity(2 * (first.len() + data.len()));
                    joined.extend_from_slice(&first);
                    joined.extend_from_slice(&data);
                    rest = Some(joined);
                }
            }
        }
        Ok(rest.map_or(first, BytesMut::freeze))
    };
    tokio::time::timeout(patience, whole)
        .await
        .unwrap_or_else(|_| Err(incomplete("the body did not arrive in time")))
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("the body is larger than the {limit} bytes that are taken here");
    let whole = PointedError::new("", detail.clone()).expecting(json!({ "maxBytes": limit }));
    Problem::new(413, codes::BODY_TOO_LARGE, "Body too large", detail)
        .at(whole)
        .header(header::CONNECTION, "close")
}

fn incomplete(detail: &str) -> Problem {
    Problem::new(408, codes::BODY_INCOMPLETE, "Body incomplete", detail)
        .header(header::CONNECTION, "close")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{Full, StreamBody};
    use hyper::body::Frame;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn joins_pieces_and_keeps_the_limit() {
        let pieces = |list: &[&'static str]| {
            let frames: Vec<Result<_, Infallible>> = list
                .iter()
                .map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes()))))
                .collect();
            StreamBody::new(stream::iter(frames))
        };
        let none = HeaderMap::new();
        let whole = read(pieces(&["ab", "cd", "ef"]), &none, 6, PATIENCE).await.unwrap();
        assert_eq!(whole, "abcdef");
        let problem = read(pieces(&["ab", "cd", "ef"]), &none, 5, PATIENCE).await.unwrap_err();
        assert_eq!(problem.status, 413);
    }

    #[tokio::test]
    async fn a_stated_length_is_believed_before_reading() {
        let mut headers = HeaderMap::new();
        headers.insert("content-length", "100".parse().unwrap());
        let body = Full::new(Bytes::from_static(b"x"));
        assert_eq!(read(body, &headers, 99, PATIENCE).await.unwrap_err().status, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_comes_is_given_up() {
        let never = StreamBody::new(stream::pending::<Result<Frame<Bytes>, Infallible>>());
        let problem = read(never, &HeaderMap::new(), 10, PATIENCE).await.unwrap_err();
        assert_eq!((problem.status, &problem.code), (408, &codes::BODY_INCOMPLETE));
    }
}
