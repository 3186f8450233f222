//! The few pages that people see in a browser, and what a browser brings along. Nothing in a page can run, nobody frames
//! or keeps it, and its forms go to this server only.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;

use crate::Problem;

/// What a page is answered with.
pub(crate) type Page = Response<Full<Bytes>>;

/// How every page looks; the policy below lets this style in by its hash, and no other.
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:38rem;margin:12vh auto;padding:0 1rem}\
h1{font-size:1.5rem}button,input,textarea{font:inherit;padding:.3rem .7rem;max-width:100%}\
@media(prefers-color-scheme:dark){body{background:#14171a;color:#e6e6e6}a{color:#8ab4f8}}";
const POLICY: &str = "default-src 'none'; style-src 'sha256-R0AvWbXp1Qr59Kr+bDA4/t4E/ZRqJ28KYZk+jpZ9/Is='; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// A page: a title in plain text, and paragraphs, which are HTML already.
pub(crate) fn page(status: StatusCode, title: &str, body: &str) -> Page {
    let title = escaped(title);
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} - QuickConnect</title>\n<style>{STYLE}</style>\n<h1>{title}</h1>\n{body}\n</html>\n"
    );
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let fields = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        // Not `no-referrer`: then forms would not say which origin they come from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The same page at an address that is a secret: a browser tells it to nobody.
pub(crate) fn unreferred(mut page: Page) -> Page {
    let nobody = HeaderValue::from_static("no-referrer");
    page.headers_mut().insert(header::REFERRER_POLICY, nobody);
    page
}

/// A page that says one thing, in plain text.
pub(crate) fn told(status: StatusCode, title: &str, text: &str) -> Page {
    page(status, title, &format!("<p>{}</p>", escaped(text)))
}

/// A problem, as a page.
pub(crate) fn of_problem(problem: &Problem) -> Page {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = format!(
        "<p>{}</p>\n<p><a href=\"{}\">{}</a></p>",
        escaped(&problem.detail),
        problem.code.page(),
        problem.code
    );
    let mut response = page(status, &problem.title, &body);
    for (name, value) in &problem.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Text within HTML.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The value of a cookie; None without it, or when it is empty.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(';')).find_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own == name && !value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::*;

    #[test]
    fn the_policy_lets_in_the_style_of_the_pages() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, STYLE.as_bytes());
        let hash = format!("style-src 'sha256-{}'", STANDARD.encode(digest));
        assert!(POLICY.contains(&hash), "{hash}");
    }

    #[test]
    fn a_title_is_text_whatever_it_holds() {
        let page = page(StatusCode::OK, "<script>\"'&", "");
        let text = format!("{:?}", page.body());
        assert!(text.contains("&lt;script&gt;&quot;&#39;&amp;"), "{text}");
        assert!(!text.contains("<script"), "{text}");
    }
}
