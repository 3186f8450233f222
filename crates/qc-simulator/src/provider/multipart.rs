//! Forms with files (RFC 7578), as far as a simulated provider keeps them.

use serde_json::{Map, Value, json};

use super::{fingerprint, record::hex};

/// Most parts that are read.
const PARTS: usize = 1_000;

/// The fields of a form: texts as they are, files as `{filename, mediaType, size, sha256}`. None when it is not one.
pub(super) fn read(media_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
    let boundary = media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.trim().split_once('=')?;
        name.eq_ignore_ascii_case("boundary").then(|| value.trim_matches('"'))
    })?;
    let mut fields = Map::new();
    let mut rest = body.strip_prefix(format!("--{boundary}\r\n").as_bytes())?;
    let between = format!("\r\n--{boundary}");
    for _ in 0..PARTS {
        let end = find(rest, between.as_bytes())?;
        let (name, value) = part(&rest[..end])?;
        fields.insert(name, value);
        rest = &rest[end + between.len()..];
        match rest.strip_prefix(b"\r\n") {
            Some(next) => rest = next,
            None => return rest.starts_with(b"--").then_some(fields),
        }
    }
    None
}

fn part(part: &[u8]) -> Option<(String, Value)> {
    let end = find(part, b"\r\n\r\n")?;
    let (head, content) = (std::str::from_utf8(&part[..end]).ok()?, &part[end + 4..]);
    let field = |wanted: &str| {
        head.split("\r\n").find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let disposition = field("content-disposition")?;
    let parameter = |wanted: &str| {
        disposition.split(';').skip(1).find_map(|one| {
            let (name, value) = one.trim().split_once('=')?;
            (name == wanted).then(|| value.trim_matches('"').to_owned())
        })
    };
    let name = parameter("name")?;
    let Some(filename) = parameter("filename") else {
        return Some((name, String::from_utf8_lossy(content).into()));
    };
    let file = json!({
        "filename": filename,
        "mediaType": field("content-type").unwrap_or("application/octet-stream"),
        "size": content.len(),
        "sha256": hex(&fingerprint(content)),
    });
    Some((name, file))
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_files_are_fields() {
        let body = b"--b-1\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\none\r\n\
            --b-1\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\nContent-Type: x/y\r\n\r\nabc\r\n--b-1--\r\n";
        let fields = read("multipart/form-data; boundary=b-1", body).unwrap();
        assert_eq!(
            Value::Object(fields),
            json!({"title": "one", "file": {
                "filename": "a.bin", "mediaType": "x/y", "size": 3,
                "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            }})
        );
        for cut in [&body[..body.len() - 5], &body[1..], b""] {
            assert_eq!(read("multipart/form-data; boundary=b-1", cut), None);
        }
        assert_eq!(read("multipart/form-data", body), None);
    }
}
