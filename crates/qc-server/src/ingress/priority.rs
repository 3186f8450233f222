use http::HeaderMap;
use qc_store::Priority;

/// The urgency of what is done in the background (RFC 9218, section 4.1).
const BACKGROUND: &str = "7";

/// The priority that the sender asks for: `Priority: u=7` is low. The last `u` counts; what is no such field is no wish.
pub(super) fn given(headers: &HeaderMap) -> Priority {
    let urgency = headers
        .get_all("priority")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|member| {
            let (item, _) = member.split_once(';').unwrap_or((member, ""));
            item.trim().strip_prefix("u=")
        })
        .next_back();
    Priority::low_if(urgency == Some(BACKGROUND))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append("priority", value.parse().unwrap());
        }
        given(&headers).is_low()
    }

    #[test]
    fn only_the_background_is_low() {
        for low in [&["u=7"][..], &["i, u=7"], &["u=1", "u=7"], &["u=7;x=1 , i"]] {
            assert!(of(low), "{low:?}");
        }
        for normal in [&[][..], &["u=3"], &["u=7, u=0"], &["u=77"], &["7"], &["U=7"], &["u=8"]] {
            assert!(!of(normal), "{normal:?}");
        }
    }
}
