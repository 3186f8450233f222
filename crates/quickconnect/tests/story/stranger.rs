//! A verifier of exports as a stranger writes it: from docs/audit.md alone, with nothing of this project's code.

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

fn sha(parts: &[&[u8]]) -> Vec<u8> {
    digest(&SHA256, &parts.concat()).as_ref().to_vec()
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("{text}: {error}"))
}

/// The stack of the document: heights and hashes, from the bottom.
struct Stack(Vec<(u32, Vec<u8>)>);

impl Stack {
    fn push(&mut self, leaf: Vec<u8>) {
        self.0.push((0, leaf));
        while let [.., (lower, left), (upper, right)] = &self.0[..] {
            if lower != upper {
                break;
            }
            let node = (lower + 1, sha(&[&[1], left, right]));
            self.0.truncate(self.0.len() - 2);
            self.0.push(node);
        }
    }

    fn root(&self) -> Vec<u8> {
        let mut down = self.0.iter().rev();
        let Some((_, top)) = down.next() else { return sha(&[]) };
        down.fold(top.clone(), |right, (_, left)| sha(&[&[1], left, &right]))
    }
}

/// How many entries hold, or what does not.
pub(crate) fn verify(file: &str, key: &str) -> Result<u64, String> {
    let (head, rest) = file.split_once('\n').ok_or("no first line")?;
    let head: Value = serde_json::from_str(head).map_err(|error| error.to_string())?;
    if head["format"] != "quickconnect-audit" || head["v"] != 1 {
        return Err("another format".into());
    }
    let (first, size) =
        (head["first"].as_u64().ok_or("first")?, head["size"].as_u64().ok_or("size")?);
    let mut stack = Stack(Vec::new());
    let mut peaks = head["peaks"].as_array().ok_or("peaks")?.iter();
    for height in (0..64u32).rev().filter(|height| first >> height & 1 == 1) {
        let peak = peaks.next().and_then(Value::as_str).ok_or("too few peaks")?;
        stack.0.push((height, decode(peak)?));
    }
    let mut rest = rest;
    let mut count = first;
    loop {
        let (line, behind) = rest.split_once('\n').ok_or("it was cut")?;
        rest = behind;
        if line.is_empty() {
            break;
        }
        let hash = line.strip_prefix(r#"{"hash":""#).and_then(|rest| rest.strip_suffix("\"}"));
        stack.push(match hash {
            Some(_) => return Err("an entry is hidden".into()),
            None => sha(&[&[0], line.as_bytes()]),
        });
        count += 1;
    }
    // The verifier key.
    let mut parts = key.splitn(3, '+');
    let (name, id, public) =
        (parts.next().ok_or("name")?, parts.next().ok_or("id")?, parts.next().ok_or("key")?);
    let public = decode(public)?;
    let whole = sha(&[name.as_bytes(), b"\n", &public]);
    let shown: String =
        whole[..4].iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    if public.len() != 33 || public[0] != 1 || shown != id {
        return Err("no verifier key".into());
    }
    // The checkpoint.
    let (signed, signatures) = rest.split_once("\n\n").ok_or("no checkpoint")?;
    let signed = format!("{signed}\n");
    let right = signatures.lines().any(|line| {
        let Some((by, bytes)) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' '))
        else {
            return false;
        };
        let Ok(bytes) = decode(bytes) else { return false };
        by == name
            && bytes.len() == 68
            && bytes[..4] == whole[..4]
            && UnparsedPublicKey::new(&ED25519, &public[1..])
                .verify(signed.as_bytes(), &bytes[4..])
                .is_ok()
    });
    if !right {
        return Err("not signed by the key".into());
    }
    let lines: Vec<&str> = signed.lines().collect();
    let [origin, number, root, ..] = lines[..] else { return Err("no checkpoint".into()) };
    if head["origin"] != origin || number != size.to_string() || count != size {
        return Err(format!("{count} entries of {size}, {number} were signed"));
    }
    if decode(root)? != stack.root() {
        return Err("the entries are not those that were signed".into());
    }
    Ok(count - first)
}
