use http::HeaderMap;
use qc_engine::is_legal_key;

use crate::{Problem, codes};

/// The key that the sender gave: the `Idempotency-Key`, else its id of the event.
pub(super) fn given(
    headers: &HeaderMap,
    sender_id: Option<String>,
) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    if let Some(value) = values.next() {
        if values.next().is_some() {
            let detail = "`Idempotency-Key` stands there more than once";
            return Err(Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
        }
        let text = value.to_str().ok().map(str::trim).map(unquote).filter(|key| is_legal_key(key));
        let detail = "`Idempotency-Key` is not 1 to 255 printable ASCII characters";
        return text
            .map(|key| Some(key.to_owned()))
            .ok_or_else(|| Problem::new(400, codes::BAD_KEY, "Unusable idempotency key", detail));
    }
    Ok(sender_id)
}

/// The draft standard writes the key as a quoted string (RFC 9651); most senders write it bare.
fn unquote(text: &str) -> &str {
    text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text)
}
