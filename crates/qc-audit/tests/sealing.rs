//! Sealing rows of a store, exporting the log and verifying it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on stops")]

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use proptest::prelude::*;
use qc_audit::{
    Checkpoint, Doubt, ExportHead, Frontier, Hash, LogEntry, Newest, Sealed, Sealer, Seed,
    SigningKey, VerifyingKey, entries, hashes, hidden_line, newest, verify,
};
use qc_model::{Clock, Name, Seeded, Timestamp, TxnId};
use qc_store::{
    Change, CommitLimits, Committer, LedgerFilter, LedgerKind, LedgerRow, Retention, Store,
    memory::MemoryStore,
};

struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Place {
    store: Arc<MemoryStore>,
    committer: Committer,
    clock: Arc<Ticking>,
    entropy: Arc<Seeded>,
}

impl Place {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let (committer, work) =
            Committer::new(Arc::<MemoryStore>::clone(&store), CommitLimits::default());
        tokio::spawn(work);
        let clock = Arc::new(Ticking(AtomicI64::new(1_000_000)));
        Self { store, committer, clock, entropy: Arc::new(Seeded::new(7)) }
    }

    fn sealer(&self, seed: u8) -> Sealer {
        Sealer {
            store: Arc::<MemoryStore>::clone(&self.store),
            committer: self.committer.clone(),
            clock: Arc::<Ticking>::clone(&self.clock),
            entropy: Arc::<Seeded>::clone(&self.entropy),
            seed: Seed::new([seed; 32]),
            node: "n1".into(),
        }
    }

    /// Writes rows, those of the audit among others.
    async fn write(&self, names: std::ops::Range<usize>) {
        let row = |kind, n: usize| LedgerRow {
            at: self.clock.now(),
            kind,
            tenant: Name::new("platform").unwrap(),
            environment: None,
            integration: None,
            run: None,
            event: None,
            actor: "human:ada".into(),
            subject: format!("deed {n}"),
            outcome: "allowed".into(),
            code: None,
            facts: format!(r#"{{"n":{n}}}"#).into(),
        };
        for n in names {
            let ledger = vec![row(LedgerKind::Audit, n), row(LedgerKind::Call, n)];
            let id = TxnId::new(self.clock.now(), &*self.entropy);
            let change = Change { id, documents: vec![], ledger, signals: vec![] };
            self.committer.change(change).await.unwrap();
        }
    }

    async fn seal(&self) {
        while self.sealer(1).round().await.unwrap() != Sealed::Nothing {}
    }

    async fn newest(&self) -> Newest {
        newest(&*self.store).await.unwrap().unwrap()
    }

    async fn all(&self) -> Vec<LogEntry> {
        let (mut all, size) = (Vec::new(), self.newest().await.size);
        while (all.len() as u64) < size {
            let page = entries(&*self.store, all.len() as u64, 500).await.unwrap();
            assert!(!page.entries.is_empty());
            all.extend(page.entries);
        }
        all
    }

    /// An export from an entry on, and the keys that are to be believed.
    async fn export(&self, first: u64) -> (String, Vec<VerifyingKey>) {
        let newest = self.newest().await;
        let before = entries(&*self.store, first, 1).await.unwrap().before;
        let text = file(
            &newest,
            &before,
            self.all().await.into_iter().skip(usize::try_from(first).unwrap()),
        );
        (text, vec![VerifyingKey::parse(&newest.key).unwrap()])
    }
}

fn file(newest: &Newest, before: &Frontier, entries: impl Iterator<Item = LogEntry>) -> String {
    let head = ExportHead {
        format: ExportHead::FORMAT.into(),
        v: 1,
        origin: newest.origin.clone(),
        first: before.size(),
        size: newest.size,
        peaks: before.peaks().iter().map(ToString::to_string).collect(),
        key: newest.key.clone(),
    };
    let mut text = serde_json::to_string(&head).unwrap() + "\n";
    for one in entries {
        text += &one.leaf.unwrap_or_else(|| hidden_line(&one.hash));
        text.push('\n');
    }
    text + "\n" + &newest.checkpoint
}

fn doubts(text: &str, keys: &[VerifyingKey], others: &[(String, String)]) -> Vec<Doubt> {
    verify(text.as_bytes(), keys, others).unwrap().troubles
}

#[tokio::test]
async fn every_row_becomes_one_entry_in_its_order_however_often_and_by_whomever_it_is_sealed() {
    let place = Arc::new(Place::new());
    let writing = {
        let place = Arc::clone(&place);
        tokio::spawn(async move {
            for n in 0..60 {
                place.write(n * 10..n * 10 + 10).await;
                tokio::task::yield_now().await;
            }
        })
    };
    // Two nodes seal at once: one of them is overtaken and looks again.
    let sealing = |_: u8| {
        let place = Arc::clone(&place);
        tokio::spawn(async move {
            let sealer = place.sealer(1);
            let mut overtaken = 0;
            for _ in 0..400 {
                if sealer.round().await.unwrap() == Sealed::Overtaken {
                    overtaken += 1;
                }
                tokio::task::yield_now().await;
            }
            overtaken
        })
    };
    let (first, second) = (sealing(1), sealing(2));
    writing.await.unwrap();
    assert!(first.await.unwrap() + second.await.unwrap() > 0, "they met");
    place.seal().await;
    let all = place.all().await;
    let filter = LedgerFilter { kinds: vec![LedgerKind::Audit], ..LedgerFilter::default() };
    let rows = place.store.ledger(&filter).await.unwrap();
    let leaves: Vec<String> = rows.iter().map(qc_audit::leaf_of).collect();
    let found: Vec<String> = all.iter().map(|one| one.leaf.clone().unwrap()).collect();
    assert_eq!(found, leaves);
    assert_eq!(found.len(), 601, "the deeds, and the key that signs");
    let (text, keys) = place.export(0).await;
    assert_eq!(doubts(&text, &keys, &[]), []);
    let stored = hashes(&*place.store, 10_000).await.unwrap().unwrap();
    assert_eq!(stored, all.iter().map(|one| one.hash).collect::<Vec<_>>());
    assert_eq!(hashes(&*place.store, 600).await.unwrap(), None);
}

#[tokio::test]
async fn an_export_from_anywhere_verifies_and_agrees_with_older_checkpoints() {
    let place = Place::new();
    place.write(0..5).await;
    place.seal().await;
    let early = ("early".to_owned(), place.newest().await.checkpoint);
    place.write(5..600).await;
    place.seal().await;
    let late = ("late".to_owned(), place.newest().await.checkpoint);
    for first in [0, 1, 5, 255, 256, 257, 512, 600, 601] {
        let (text, keys) = place.export(first).await;
        let found = doubts(&text, &keys, std::slice::from_ref(&late));
        assert_eq!(found, [], "from {first}");
        let found = doubts(&text, &keys, std::slice::from_ref(&early));
        let before = Checkpoint::unverified(&early.1).unwrap().size < first;
        assert_eq!(found.iter().any(|doubt| matches!(doubt, Doubt::Before { .. })), before);
        assert_eq!(found.len(), usize::from(before));
    }
    // Behind the last one of a page that is full.
    let full = Place::new();
    full.write(0..255).await;
    full.seal().await;
    let (text, keys) = full.export(256).await;
    assert_eq!(doubts(&text, &keys, &[]), []);
    // An older export, held against a newer checkpoint: what came after is cut off.
    let old = Place::new();
    old.write(0..3).await;
    old.seal().await;
    let (text, keys) = old.export(0).await;
    old.write(3..4).await;
    old.seal().await;
    let newer = [("newer".to_owned(), old.newest().await.checkpoint)];
    assert!(
        matches!(doubts(&text, &keys, &newer)[..], [Doubt::Cut { there: 5, own: 4, .. }]),
        "{:?}",
        doubts(&text, &keys, &newer)
    );
    // Another log's checkpoint, and one that nobody known has signed.
    let (_, other_keys) = place.export(0).await;
    let both = [keys[0].clone(), other_keys[0].clone()];
    let found = doubts(&text, &both, std::slice::from_ref(&late));
    assert!(matches!(found[..], [Doubt::OtherLog { .. }]), "{found:?}");
    let found = doubts(&text, &keys, std::slice::from_ref(&late));
    assert!(matches!(found[..], [Doubt::Signature { .. }]), "{found:?}");
    let stranger =
        SigningKey::new(keys[0].name(), &Seed::new([9; 32])).unwrap().verifying().clone();
    assert!(matches!(doubts(&text, &[stranger], &[])[..], [Doubt::Signature { .. }]));
}

#[tokio::test]
async fn a_log_that_was_rewritten_and_signed_again_is_found_out_by_an_old_checkpoint() {
    let place = Place::new();
    place.write(0..9).await;
    place.seal().await;
    let old = [("old".to_owned(), place.newest().await.checkpoint)];
    let (_, keys) = place.export(0).await;
    place.write(9..12).await;
    place.seal().await;
    // Whoever has the key takes an entry out and signs what is left.
    let mut kept = place.all().await;
    kept.remove(3);
    let mut tree = Frontier::default();
    for one in &kept {
        tree.push(one.hash);
    }
    let mut forged = place.newest().await;
    let checkpoint =
        Checkpoint { origin: forged.origin.clone(), size: tree.size(), root: tree.root() };
    let key = SigningKey::new(&forged.origin, &Seed::new([1; 32])).unwrap();
    (forged.size, forged.checkpoint) = (tree.size(), checkpoint.sign(&key));
    let text = file(&forged, &Frontier::default(), kept.into_iter());
    let by_numbers = doubts(&text, &keys, &[]);
    assert!(matches!(by_numbers[..], [Doubt::Missing { .. }]), "{by_numbers:?}");
    let found = doubts(&text, &keys, &old);
    assert!(found.iter().any(|doubt| matches!(doubt, Doubt::Rewritten { .. })), "{found:?}");
}

#[tokio::test]
async fn rows_that_are_gone_leave_their_hashes_and_unsealed_ones_a_gap() {
    let place = Place::new();
    place.write(0..4).await;
    place.seal().await;
    // Gone before they were sealed: the next row of the writer shows it.
    place.write(4..6).await;
    let far = Timestamp::from_millis(i64::MAX / 4);
    place.store.prune(&Retention::at(far, far), 1000).await.unwrap();
    place.write(6..7).await;
    let sealed = place.sealer(1).round().await.unwrap();
    assert_eq!(sealed, Sealed::Rows { rows: 1, gaps: 1 });
    let (text, keys) = place.export(0).await;
    let found = doubts(&text, &keys, &[]);
    assert!(found.iter().any(|it| matches!(it, Doubt::Hidden { count: 5, first: 0 })), "{found:?}");
    let missing = |it: &&Doubt| matches!(it, Doubt::Missing { index: 5, .. });
    let told = found.iter().find(missing).unwrap().to_string();
    assert!(told.contains("6 to 7"), "{told}");
    // From behind them the log is whole.
    let (text, keys) = place.export(6).await;
    assert_eq!(doubts(&text, &keys, &[]), []);
}

#[tokio::test]
async fn another_key_is_itself_in_the_log() {
    let place = Place::new();
    place.write(0..2).await;
    place.seal().await;
    let first = place.newest().await.key;
    place.sealer(2).round().await.unwrap();
    while place.sealer(2).round().await.unwrap() != Sealed::Nothing {}
    let second = place.newest().await.key;
    assert_ne!(first, second);
    let text = place.export(0).await.0;
    assert!(text.contains(&first) && text.contains(&second));
    let leaf = place.all().await.pop().unwrap().leaf.unwrap();
    assert!(leaf.contains(r#""subject":"audit-key""#), "{leaf}");
}

/// What somebody does to a file.
#[derive(Debug, Clone)]
enum Deed {
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Double(prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Cut(prop::sample::Index),
    CutEnd(prop::sample::Index),
    Insert(prop::sample::Index),
    Hide(prop::sample::Index),
}

fn deed() -> impl Strategy<Value = Deed> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        4 => (at(), 0u8..8).prop_map(|(at, bit)| Deed::Flip(at, bit)),
        1 => at().prop_map(Deed::Remove),
        1 => at().prop_map(Deed::Double),
        2 => (at(), at()).prop_map(|(a, b)| Deed::Swap(a, b)),
        1 => at().prop_map(Deed::Cut),
        1 => at().prop_map(Deed::CutEnd),
        1 => at().prop_map(Deed::Insert),
        1 => at().prop_map(Deed::Hide),
    ]
}

/// The file after the deed: its bytes, and whether only what nobody signs was changed.
fn done(deed: &Deed, text: &str) -> Option<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> =
        text.split_inclusive('\n').map(|line| line.as_bytes().to_vec()).collect();
    // Between the head, which is not signed itself, and the checkpoint.
    let entries = lines.len() - 6;
    let place = |at: &prop::sample::Index| 1 + at.index(entries);
    match deed {
        Deed::Flip(at, bit) => {
            let head = lines[0].len();
            let mut bytes = lines.concat();
            // The signature's line may change in what nobody reads, such as spare bits of base64.
            let end = bytes.len() - lines.last()?.len();
            let at = head + at.index(end - head);
            bytes[at] ^= 1 << bit;
            return Some(bytes);
        }
        Deed::Remove(at) => drop(lines.remove(place(at))),
        Deed::Double(at) => {
            let line = lines[place(at)].clone();
            lines.insert(place(at), line);
        }
        Deed::Swap(a, b) => {
            if place(a) == place(b) {
                return None;
            }
            lines.swap(place(a), place(b));
        }
        Deed::Cut(at) => drop(lines.drain(place(at)..=entries)),
        Deed::CutEnd(at) => {
            let mut bytes = lines.concat();
            let head = lines[0].len();
            bytes.truncate(head + at.index(bytes.len() - head));
            return Some(bytes);
        }
        Deed::Insert(at) => lines.insert(place(at), b"{\"v\":1}\n".to_vec()),
        Deed::Hide(at) => {
            let at = place(at);
            let hash = Hash::leaf(lines[at].strip_suffix(b"\n")?);
            lines[at] = (hidden_line(&hash) + "\n").into_bytes();
        }
    }
    Some(lines.concat())
}

#[tokio::test]
async fn a_whole_file_with_its_lines_counted_verifies() {
    let place = Place::new();
    place.write(0..3).await;
    place.seal().await;
    let (text, keys) = place.export(0).await;
    // Head, four entries, the empty line, three lines that are signed, an empty line, a signature.
    assert_eq!(text.lines().count(), 1 + 4 + 1 + 3 + 1 + 1);
    assert_eq!(doubts(&text, &keys, &[]), []);
    for odd in ["", "\n", "{}\n", "x", &text[..text.find('\n').unwrap()]] {
        assert!(!doubts(odd, &keys, &[]).is_empty(), "{odd:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_single_change_of_an_export_is_detected(deed in deed()) {
        static FILE: std::sync::OnceLock<(String, Vec<VerifyingKey>)> = std::sync::OnceLock::new();
        let (text, keys) = FILE.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let place = Place::new();
                place.write(0..40).await;
                place.seal().await;
                place.export(0).await
            })
        });
        if let Some(bytes) = done(&deed, text) {
            let verified = verify(&bytes[..], keys, &[]).unwrap();
            prop_assert!(!verified.troubles.is_empty(), "{deed:?}");
        }
    }
}
