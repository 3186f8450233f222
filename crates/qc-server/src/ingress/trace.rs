use http::HeaderMap;

/// The sender's `traceparent` (W3C Trace Context, version 00 or a later one of the same form), when it is valid.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<String> {
    let mut values = headers.get_all("traceparent").iter();
    let text = values.next()?.to_str().ok()?;
    // Two of them contradict each other: the standard says to start anew.
    if values.next().is_some() {
        return None;
    }
    let bytes = text.as_bytes();
    let hex = |range: &[u8]| {
        range.iter().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
    };
    let zero = |range: &[u8]| range.iter().all(|byte| *byte == b'0');
    let form = bytes.len() >= 55
        && bytes[2] == b'-'
        && bytes[35] == b'-'
        && bytes[52] == b'-'
        && hex(&bytes[..2])
        && hex(&bytes[3..35])
        && hex(&bytes[36..52])
        && hex(&bytes[53..55]);
    let version = bytes.get(..2)?;
    let length = if version == b"00" {
        bytes.len() == 55
    } else {
        bytes.len() == 55 || bytes.get(55) == Some(&b'-')
    };
    let valid = form && length && version != b"ff" && !zero(&bytes[3..35]) && !zero(&bytes[36..52]);
    valid.then(|| text[..55].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("traceparent", value.parse().unwrap());
        }
        traceparent(&headers)
    }

    #[test]
    fn takes_valid_ones_only() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(of(&[good]).as_deref(), Some(good));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what";
        assert_eq!(of(&[later]).as_deref(), Some(&later[..55]));
        assert_eq!(of(&[good, good]), None);
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.what",
        ] {
            assert_eq!(of(&[bad]), None, "{bad}");
        }
    }
}
