//! Keeping releases in the store.

use std::collections::HashMap;

use bytes::Bytes;
use qc_model::{Actor, Timestamp};
use qc_store::{ChangeOutcome, DocumentOp, Expect, PAGE_MAX, Store};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Bundle, BundleError, Effective, Manifest, Office, ReleaseError, blob, office::audit};

const RELEASE: &str = "release";
const BLOB: &str = "blob";
/// The weight of blobs that go into one write; far below the store's limit.
const WRITE_BYTES: usize = 16 << 20;
/// Blobs that go into one write.
const WRITE_ITEMS: usize = 500;

/// A release as stored: what it consists of, and how it came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRecord {
    /// The version of this form.
    pub format: u32,
    /// Its hash.
    pub hash: String,
    /// What it consists of.
    pub manifest: Manifest,
    /// From what it was built, in the builder's words, such as a commit's id.
    pub built_from: Option<String>,
    /// When it was stored first.
    pub built_at: Timestamp,
    /// Who stored it first.
    pub built_by: Actor,
    /// The units of whoever stored it: whose it is until its integration is deployed somewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
}

/// Where a release comes from.
#[derive(Debug, Clone, Copy)]
pub struct Built<'a> {
    /// From what it was built, in the builder's words, such as a commit's id.
    pub from: Option<&'a str>,
    /// Who stores it.
    pub by: &'a Actor,
    /// The units of whoever does; none: the whole organisation's.
    pub units: &'a [String],
}

/// Keeps a release. Keeping the same one again changes nothing and is no error; true when it is new.
pub async fn save(
    office: Office<'_>,
    bundle: &Bundle,
    built: Built<'_>,
) -> Result<bool, ReleaseError> {
    let Built { from: built_from, by: actor, units } = built;
    if record(office.store, bundle.hash()).await?.is_some() {
        return Ok(false);
    }
    let at = office.now();
    let subject = || format!("release:{}", bundle.hash());
    let manifest = bundle.manifest();
    let facts = json!({ "version": manifest.version, "files": manifest.files.len(), "built_from": built_from });
    // The blobs first, in pieces: they are addressed by content, so that a repeat after a crash changes nothing. Only
    // the last write makes the release exist.
    let mut writes: Vec<Vec<DocumentOp>> = vec![Vec::new()];
    let mut weight = 0;
    for (hash, bytes) in bundle.blobs() {
        let body = blob::pack(bytes);
        if weight + body.len() > WRITE_BYTES
            || writes.last().is_some_and(|ops| ops.len() >= WRITE_ITEMS)
        {
            writes.push(Vec::new());
            weight = 0;
        }
        weight += body.len();
        let op = put(BLOB, hash, body, Expect::AbsentOrSame, at);
        writes.last_mut().expect("never empty").push(op);
    }
    let record = ReleaseRecord {
        format: 1,
        hash: bundle.hash().to_owned(),
        manifest: manifest.clone(),
        built_from: built_from.map(str::to_owned),
        built_at: at,
        built_by: actor.clone(),
        units: units.to_vec(),
    };
    let body = serde_json::to_vec(&record).expect("a record is plain data");
    writes.last_mut().expect("never empty").push(put(
        RELEASE,
        bundle.hash(),
        body.into(),
        Expect::Absent,
        at,
    ));
    let last = writes.len() - 1;
    for (n, documents) in writes.into_iter().enumerate() {
        let outcome = if n == last { "built" } else { "stored" };
        let row = audit(at, actor, None, &manifest.integration, (subject(), outcome), &facts);
        if let ChangeOutcome::Conflict { kind, .. } = office.change(documents, row).await? {
            if kind == RELEASE {
                // Somebody else kept the same release in the meantime.
                return Ok(false);
            }
            let reason = "another content is stored under the hash of one of its files".to_owned();
            return Err(ReleaseError::Damaged { hash: bundle.hash().to_owned(), reason });
        }
    }
    Ok(true)
}

fn put(kind: &str, name: &str, body: Bytes, expect: Expect, at: Timestamp) -> DocumentOp {
    DocumentOp::Put { kind: kind.to_owned(), name: name.to_owned(), expect, body, at }
}

/// The record of a release by its full hash.
pub async fn record(store: &dyn Store, hash: &str) -> Result<Option<ReleaseRecord>, ReleaseError> {
    let Some(document) = store.document(RELEASE, hash).await? else { return Ok(None) };
    parse(&document.body, hash).map(Some)
}

fn parse(body: &[u8], hash: &str) -> Result<ReleaseRecord, ReleaseError> {
    let damaged = |reason: String| ReleaseError::Damaged { hash: hash.to_owned(), reason };
    let record: ReleaseRecord =
        serde_json::from_slice(body).map_err(|error| damaged(error.to_string()))?;
    if record.manifest.hash() == hash && record.hash == hash {
        Ok(record)
    } else {
        Err(damaged("its manifest has another hash".to_owned()))
    }
}

/// A release with its files, by its full hash; every byte is checked against it.
pub async fn load(store: &dyn Store, hash: &str) -> Result<Option<Bundle>, ReleaseError> {
    let Some(record) = record(store, hash).await? else { return Ok(None) };
    let blobs = fetch(store, record.manifest.blobs()).await?;
    let bundle = Bundle::assemble(record.manifest, |name| blobs.get(name).cloned());
    bundle.map(Some).map_err(|error| damaged(hash, &error))
}

/// What of a release a server runs, by its full hash; every byte of it is checked.
pub async fn load_effective(
    store: &dyn Store,
    hash: &str,
) -> Result<Option<Effective>, ReleaseError> {
    let Some(record) = record(store, hash).await? else { return Ok(None) };
    let wanted = record.manifest.effective().map(|(_, name, size)| (name, size));
    let blobs = fetch(store, wanted).await?;
    let effective = Effective::assemble(record.manifest, |name| blobs.get(name).cloned());
    effective.map(Some).map_err(|error| damaged(hash, &error))
}

async fn fetch<'a>(
    store: &dyn Store,
    wanted: impl Iterator<Item = (&'a str, u64)>,
) -> Result<HashMap<String, Bytes>, ReleaseError> {
    let mut blobs: HashMap<String, Bytes> = HashMap::new();
    for (name, size) in wanted {
        if blobs.contains_key(name) {
            continue;
        }
        let stored = store.document(BLOB, name).await?;
        let bytes = stored.and_then(|document| blob::unpack(&document.body, size));
        blobs.extend(bytes.map(|bytes| (name.to_owned(), bytes)));
    }
    Ok(blobs)
}

fn damaged(hash: &str, error: &BundleError) -> ReleaseError {
    ReleaseError::Damaged { hash: hash.to_owned(), reason: error.to_string() }
}

/// All releases, newest first; with `beginning`, only those whose hash begins so.
pub async fn releases(
    store: &dyn Store,
    beginning: &str,
) -> Result<Vec<ReleaseRecord>, ReleaseError> {
    let mut records = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = store.documents(RELEASE, after.as_deref(), PAGE_MAX).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.name.clone());
        for document in page.iter().filter(|document| document.name.starts_with(beginning)) {
            records.push(parse(&document.body, &document.name)?);
        }
    }
    records.sort_by(|a, b| (b.built_at, &a.hash).cmp(&(a.built_at, &b.hash)));
    Ok(records)
}
