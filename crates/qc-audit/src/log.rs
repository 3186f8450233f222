//! How the log lies in the store: a head, and pages of leaves, all of them documents.

use std::collections::BTreeMap;

use bytes::Bytes;
use qc_model::Timestamp;
use qc_store::{Document, DocumentOp, Expect, LedgerFilter, LedgerKind, Store, StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Frontier, Hash, leaf_of};

/// The kind of all documents of the log.
pub(crate) const KIND: &str = "audit-log";
/// The name of its head.
pub(crate) const HEAD: &str = "head";
/// So many leaves are in a page; the last one has fewer.
pub(crate) const PAGE_LEAVES: u64 = 256;
/// The most entries that are read at once.
pub const READ_MAX: usize = 500;

/// Where the log stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredHead {
    pub(crate) v: u32,
    pub(crate) origin: String,
    pub(crate) size: u64,
    pub(crate) peaks: Vec<String>,
    /// The place in the ledger of the last row that is sealed.
    pub(crate) after: u64,
    /// The last number of each writer.
    pub(crate) writers: BTreeMap<u32, u64>,
    /// With what the checkpoint is signed, as a verifier key.
    pub(crate) key: String,
    /// The signed checkpoint of exactly this.
    pub(crate) checkpoint: String,
    /// When this was sealed.
    pub(crate) at: Timestamp,
}

/// Some leaves in their order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredPage {
    pub(crate) v: u32,
    /// The right edge of the tree before the first of them.
    pub(crate) peaks: Vec<String>,
    pub(crate) leaves: Vec<StoredLeaf>,
}

/// A leaf.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredLeaf {
    /// The place in the ledger of the row from which it is made,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seq: Option<u64>,
    /// or the entry itself, when it is made from none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    pub(crate) hash: String,
}

/// The log's newest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The key that signed it, as a verifier key.
    pub key: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// When it was sealed.
    pub at: Timestamp,
}

/// Entries in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Entries {
    /// The right edge of the tree before the first of them.
    pub before: Frontier,
    /// The entries: of those whose rows are not there any more, or are not as they were, only the hash.
    pub entries: Vec<LogEntry>,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its number, from 0.
    pub index: u64,
    /// The hash of its leaf.
    pub hash: Hash,
    /// The leaf.
    pub leaf: Option<String>,
}

/// The newest checkpoint; None before the first was sealed.
pub async fn newest(store: &dyn Store) -> Result<Option<Newest>, StoreError> {
    Ok(head(store).await?.map(|(head, _)| Newest {
        origin: head.origin,
        size: head.size,
        key: head.key,
        checkpoint: head.checkpoint,
        at: head.at,
    }))
}

/// Entries from a number on, at most so many, [`READ_MAX`] and the rest of a page.
pub async fn entries(store: &dyn Store, from: u64, limit: usize) -> Result<Entries, StoreError> {
    let Some((number, page)) = page(store, from).await? else {
        // Behind the last one, when that one fills its page.
        let head = head(store).await?.filter(|(head, _)| head.size == from);
        let before = head.map(|(head, _)| frontier(head.size, &head.peaks)).transpose()?;
        return Ok(Entries { before: before.unwrap_or_default(), entries: Vec::new() });
    };
    let start = number * PAGE_LEAVES;
    let mut before = frontier(start, &page.peaks)?;
    let skipped = usize::try_from(from - start).unwrap_or(usize::MAX);
    for leaf in page.leaves.iter().take(skipped) {
        before.push(hash(&leaf.hash)?);
    }
    if before.size() != from {
        return Ok(Entries { before, entries: Vec::new() });
    }
    let wanted: Vec<&StoredLeaf> =
        page.leaves.iter().skip(skipped).take(limit.clamp(1, READ_MAX)).collect();
    let rows = rows(store, &wanted).await?;
    let mut found = Vec::with_capacity(wanted.len());
    for (leaf, index) in wanted.into_iter().zip(from..) {
        let hash = hash(&leaf.hash)?;
        let made = leaf.text.clone().or_else(|| rows.get(&leaf.seq?).cloned());
        // One that was changed is not the entry that was sealed.
        let leaf = made.filter(|made| Hash::leaf(made.as_bytes()) == hash);
        found.push(LogEntry { index, hash, leaf });
    }
    Ok(Entries { before, entries: found })
}

/// The entries of the rows of these leaves, by their places.
async fn rows(
    store: &dyn Store,
    leaves: &[&StoredLeaf],
) -> Result<BTreeMap<u64, String>, StoreError> {
    let places: Vec<u64> = leaves.iter().filter_map(|leaf| leaf.seq).collect();
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return Ok(BTreeMap::new());
    };
    let filter = LedgerFilter {
        after: first.saturating_sub(1),
        kinds: vec![LedgerKind::Audit],
        limit: READ_MAX,
        ..LedgerFilter::default()
    };
    let rows = store.ledger(&filter).await?;
    let until = rows.iter().take_while(|entry| entry.seq <= *last);
    Ok(until.map(|entry| (entry.seq, leaf_of(entry))).collect())
}

/// The hashes of all leaves; None when there are more than `limit`.
pub async fn hashes(store: &dyn Store, limit: u64) -> Result<Option<Vec<Hash>>, StoreError> {
    let Some((head, _)) = head(store).await? else { return Ok(Some(Vec::new())) };
    if head.size > limit {
        return Ok(None);
    }
    let mut hashes = Vec::new();
    for number in 0..head.size.div_ceil(PAGE_LEAVES) {
        let Some((_, page)) = page(store, number * PAGE_LEAVES).await? else { break };
        for leaf in &page.leaves {
            hashes.push(hash(&leaf.hash)?);
        }
    }
    hashes.truncate(usize::try_from(head.size).unwrap_or(usize::MAX));
    Ok(Some(hashes))
}

pub(crate) async fn head(store: &dyn Store) -> Result<Option<(StoredHead, u64)>, StoreError> {
    let Some(document) = store.document(KIND, HEAD).await? else { return Ok(None) };
    Ok(Some((read(&document)?, document.revision)))
}

/// The page that holds a leaf, with its number.
pub(crate) async fn page(
    store: &dyn Store,
    leaf: u64,
) -> Result<Option<(u64, StoredPage)>, StoreError> {
    let number = leaf / PAGE_LEAVES;
    let document = store.document(KIND, &page_name(number)).await?;
    document.map(|document| Ok((number, read(&document)?))).transpose()
}

pub(crate) fn page_name(number: u64) -> String {
    format!("page/{number:010}")
}

pub(crate) fn put<T: Serialize>(
    name: String,
    body: &T,
    expect: Expect,
    at: Timestamp,
) -> DocumentOp {
    let body = serde_json::to_vec(body).expect("what is stored is plain data");
    DocumentOp::Put { kind: KIND.to_owned(), name, expect, body: Bytes::from(body), at }
}

pub(crate) fn frontier(size: u64, peaks: &[String]) -> Result<Frontier, StoreError> {
    let peaks = peaks.iter().map(|text| hash(text)).collect::<Result<_, _>>()?;
    let wrong = || StoreError::Corrupt(format!("the audit's log has no tree of {size} leaves"));
    Frontier::new(size, peaks).ok_or_else(wrong)
}

pub(crate) fn texts(frontier: &Frontier) -> Vec<String> {
    frontier.peaks().iter().map(ToString::to_string).collect()
}

fn hash(text: &str) -> Result<Hash, StoreError> {
    Hash::parse(text)
        .ok_or_else(|| StoreError::Corrupt(format!("`{text}` in the audit's log is no hash")))
}

fn read<T: DeserializeOwned>(document: &Document) -> Result<T, StoreError> {
    serde_json::from_slice(&document.body).map_err(|error| {
        StoreError::Corrupt(format!("`{}` of the audit's log: {error}", document.name))
    })
}
