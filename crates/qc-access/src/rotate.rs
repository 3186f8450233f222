use std::time::Duration;

use qc_model::{Actor, Entropy, Timestamp};
use qc_store::Expect;

use crate::{
    EarlierVersion, Issued, TokenId, TokenRecord, issue::change, mint_version, record::hex,
};

/// How long a key holds when nothing else is said.
pub const KEY_LIFETIME: Duration = Duration::from_secs(90 * 86_400);
/// The longest time in which two versions of a key count.
pub const OVERLAP_MAX: Duration = Duration::from_secs(30 * 86_400);

/// How a key is given a new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// How long the present version holds on; None: no earlier version counts from now on, for a key that leaked.
    pub overlap: Option<Duration>,
    /// How long the new version holds; None for as long as the key did when it was made.
    pub lifetime: Option<Duration>,
}

/// Why a key is not rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// Two versions count already; until when.
    #[error("two versions count already: the one before ends at {0}; rotate at once to end it now")]
    TwoLive(Timestamp),
    /// Its time is over.
    #[error("its time was over at {0}; make another one")]
    Over(Timestamp),
    /// No time, or more than there may be.
    #[error("the overlap is more than nothing and at most 30 days")]
    Overlap,
}

/// Gives a key a new version; the present one ends after the overlap, and never later than it would have. Two versions
/// count at most. `revision` is that of the record's document, compared and set.
pub fn rotate(
    (record, revision): (&TokenRecord, u64),
    rotation: Rotation,
    actor: &Actor,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Issued, RotateError> {
    if let Some(end) = record.expires_at.filter(|end| *end <= now) {
        return Err(RotateError::Over(end));
    }
    let previous = match rotation.overlap {
        None => None,
        Some(overlap) if overlap.is_zero() || overlap > OVERLAP_MAX => {
            return Err(RotateError::Overlap);
        }
        Some(overlap) => {
            if let Some(end) = record.previous_until(now) {
                return Err(RotateError::TwoLive(end));
            }
            let ends_at = record.expires_at.map_or(now + overlap, |end| end.min(now + overlap));
            Some(EarlierVersion { digest: record.digest.clone(), ends_at })
        }
    };
    let before =
        record.expires_at.map(|end| end.since(record.rotated_at.unwrap_or(record.created_at)));
    let id = TokenId::parse(&record.id).expect("a record is found by its id");
    let minted = mint_version(id, record.environment.as_ref(), entropy);
    let record = TokenRecord {
        digest: hex(&minted.digest),
        expires_at: rotation.lifetime.or(before).map(|lifetime| now + lifetime),
        version: record.version.saturating_add(1),
        previous,
        rotated_at: Some(now),
        ..record.clone()
    };
    let change = change(&record, (Expect::Revision(revision), "rotated"), actor, now, entropy);
    Ok(Issued { text: minted.text, record, change })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use qc_model::{Clock, HandClock, Seeded};
    use qc_store::{Store, Write, memory::MemoryStore};

    use super::*;
    use crate::{AuthenticationError, IssueRequest, Role, TOKEN_KIND, TokenKind, Tokens, issue};

    const HOUR: Duration = Duration::from_secs(3_600);

    struct World {
        store: Arc<MemoryStore>,
        clock: Arc<HandClock>,
        /// Two nodes.
        nodes: [Tokens; 2],
        entropy: Seeded,
        id: String,
    }

    impl World {
        async fn new() -> (Self, String) {
            let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(HandClock::at(1_000)));
            let node = || Tokens::new(store.clone(), clock.clone());
            let request = IssueRequest {
                name: "t".into(),
                kind: TokenKind::ApiKey,
                person: None,
                environment: None,
                role: Role::Runtime,
                scopes: None,
                lifetime: Some(KEY_LIFETIME),
                owner: "team".into(),
                purpose: "tests".into(),
            };
            let entropy = Seeded::new(1);
            let issued = issue(request, &Actor::platform("test"), clock.now(), &entropy);
            let (id, text) = (issued.record.id.clone(), issued.text.expose().to_owned());
            store.write(vec![Write::Change(Box::new(issued.change))]).await.unwrap();
            (Self { nodes: [node(), node()], store, clock, entropy, id }, text)
        }

        fn pass(&self, time: Duration) {
            self.clock.advance(time);
        }

        async fn rotate(&self, overlap: Option<Duration>) -> Result<String, RotateError> {
            let document = self.store.document(TOKEN_KIND, &self.id).await.unwrap().unwrap();
            let record: TokenRecord = serde_json::from_slice(&document.body).unwrap();
            let (actor, now) = (Actor::platform("test"), self.clock.now());
            let rotation = Rotation { overlap, lifetime: None };
            let record = (&record, document.revision);
            let issued = rotate(record, rotation, &actor, now, &self.entropy)?;
            assert_eq!(issued.record.id, self.id, "a key keeps its id");
            let text = issued.text.expose().to_owned();
            self.store.write(vec![Write::Change(Box::new(issued.change))]).await.unwrap();
            Ok(text)
        }

        async fn counts(&self, text: &str) -> [bool; 2] {
            let [first, second] = &self.nodes;
            [first.authenticate(text).await.is_ok(), second.authenticate(text).await.is_ok()]
        }
    }

    #[tokio::test]
    async fn the_version_before_ends_after_the_overlap_and_not_a_moment_later() {
        let (world, first) = World::new().await;
        assert_eq!(world.counts(&first).await, [true; 2]);
        let second = world.rotate(Some(HOUR)).await.unwrap();
        // Other nodes remember the record as it was, and take the new version all the same.
        assert_eq!(world.counts(&second).await, [true; 2]);
        assert_eq!(world.counts(&first).await, [true; 2]);
        world.pass(Duration::from_millis(3_599_999));
        assert_eq!(world.counts(&first).await, [true; 2]);
        world.pass(Duration::from_millis(1));
        let over = world.nodes[0].authenticate(&first).await;
        assert!(matches!(over, Err(AuthenticationError::Expired(_))), "{over:?}");
        assert_eq!(world.counts(&second).await, [true; 2]);
    }

    #[tokio::test]
    async fn a_third_version_waits_for_the_end_of_the_first_unless_at_once() {
        let (world, first) = World::new().await;
        let second = world.rotate(Some(HOUR)).await.unwrap();
        let refused = world.rotate(Some(HOUR)).await;
        assert_eq!(refused, Err(RotateError::TwoLive(world.clock.now() + HOUR)));
        let third = world.rotate(None).await.unwrap();
        world.pass(Duration::from_secs(1));
        for gone in [&first, &second] {
            assert_eq!(world.counts(gone).await, [false; 2]);
        }
        assert_eq!(world.counts(&third).await, [true; 2]);
        world.rotate(Some(HOUR)).await.unwrap();
        world.pass(HOUR);
        world.rotate(Some(HOUR)).await.expect("the one before is over");
        assert_eq!(world.counts(&third).await, [false; 2]);
    }

    #[tokio::test]
    async fn a_new_version_holds_as_long_as_the_key_and_no_overlap_prolongs_one() {
        let (world, first) = World::new().await;
        world.pass((90 * 24 - 1) * HOUR);
        assert_eq!(world.rotate(Some(Duration::ZERO)).await, Err(RotateError::Overlap));
        let long = world.rotate(Some(OVERLAP_MAX + HOUR)).await;
        assert_eq!(long, Err(RotateError::Overlap));
        let second = world.rotate(Some(24 * HOUR)).await.unwrap();
        world.pass(HOUR);
        assert_eq!(world.counts(&first).await, [false; 2], "its own end counts");
        world.pass((90 * 24 - 2) * HOUR);
        assert_eq!(world.counts(&second).await, [true; 2]);
        world.pass(HOUR);
        assert_eq!(world.counts(&second).await, [false; 2]);
        assert!(matches!(world.rotate(None).await, Err(RotateError::Over(_))));
    }

    #[test]
    fn a_record_of_an_earlier_version_of_the_program_is_read() {
        let text = r#"{"schema_version":1,"id":"abcdefgh","name":"ci","role":"deployer",
            "digest":"00","created_at":"2026-01-01T00:00:00Z","created_by":"platform:bootstrap"}"#;
        let record: TokenRecord = serde_json::from_str(text).unwrap();
        assert_eq!((record.version, record.kind), (1, TokenKind::ApiKey));
        assert_eq!((record.owner, record.purpose, record.previous), (None, None, None));
    }
}
