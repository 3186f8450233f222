use std::time::Duration;

use qc_access::Role;
use qc_model::{Actor, EnvironmentName, Timestamp};
use qc_store::{DocumentOp, Expect, LedgerRow, PAGE_MAX, StoreError};
use qc_vault::{Guest, SealedValues, Secret};
use serde::{Deserialize, Serialize};

use super::{
    session::{LIFETIME, Session, Tokens, open, platform},
    sign_in::{Aim, People, Redirect, SIGN_IN},
};
use crate::{
    IdentityError,
    ground::body,
    revocations::TRIES,
    text::{same, sha256_text},
};

/// The kind of the documents of command lines that wait; their name is the hash of the user's code.
pub(super) const DEVICE_KIND: &str = "device-sign-in";
/// The name under which the text of the session is sealed there.
const TEXT: &str = "session";
/// How often a command line may ask.
const INTERVAL: Duration = Duration::from_secs(5);
/// By how much less often it may ask each time that it asked too often (RFC 8628, section 3.5), and the end of that.
const SLOWER: u64 = 5;
const SLOWEST: u64 = 60;
/// The letters of a user's code: no vowels, so that it is no word, and none that look alike (RFC 8628, section 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// How many of them; 20 to the 8th are 34 bits, and guesses are limited by address and by time.
const LENGTH: usize = 8;
/// The longest name of a document, in bytes.
const NAME: usize = 43;
/// The most command lines that wait at once.
const WAITING: usize = 1_000;

/// A command line that waits for somebody to sign in.
#[derive(Serialize, Deserialize)]
struct Device {
    schema_version: u32,
    /// The hash of what the command line proves itself by.
    digest: String,
    user_code: String,
    role: Option<Role>,
    /// The address from which it asked.
    from: Option<String>,
    ends_at: Timestamp,
    asked_at: Timestamp,
    /// How often it may ask, in seconds.
    interval: u64,
    standing: Standing,
    /// For the vault, as in a session's document.
    environment: EnvironmentName,
    sealed: SealedValues,
}

/// How it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Standing {
    /// Nobody has answered.
    Waiting,
    /// Somebody said yes, and signs in for it.
    Confirmed,
    /// The session whose text is sealed here is for it.
    Granted,
    /// Somebody said no.
    Denied,
}

/// What a command line is told when it begins (RFC 8628, section 3.2).
#[derive(Debug)]
pub struct DeviceStart {
    /// What it proves itself by.
    pub device_code: Secret,
    /// What it shows.
    pub user_code: String,
    /// Where the user goes.
    pub address: String,
    /// How long the codes count.
    pub lifetime: Duration,
    /// How often it may ask.
    pub interval: Duration,
}

/// What a command line asks for, as its user is shown it.
#[derive(Debug)]
pub struct DeviceAsks {
    /// The code that it shows.
    pub user_code: String,
    /// The role in which it wants to act; None: the only one that there is.
    pub role: Option<Role>,
    /// The address from which it asked.
    pub from: Option<String>,
}

/// What a command line that asks is told.
#[derive(Debug)]
pub enum Polled {
    /// Nobody has answered yet.
    Waiting,
    /// Nobody has, and it asks too often.
    TooOften,
    /// Somebody said no.
    Denied,
    /// The codes are over, were used, or never were.
    Over,
    /// Here it is: the session's text, and the longest that it lives.
    Session(Secret, Duration),
}

impl People {
    /// A command line begins. `from` is the address that it comes from.
    pub async fn device_start(
        &self,
        role: Option<Role>,
        from: Option<String>,
    ) -> Result<DeviceStart, IdentityError> {
        let (place, _) = self.set_up()?;
        let waiting = self.ground.store.documents(DEVICE_KIND, None, WAITING).await?.len();
        if waiting >= WAITING {
            return Err(IdentityError::Busy);
        }
        let user_code = self.user_code();
        let name = sha256_text(&user_code);
        let device_code = Secret::new(format!("{name}.{}", self.ground.random_text::<4>()));
        let device = Device {
            schema_version: 1,
            digest: sha256_text(device_code.expose()),
            user_code: user_code.clone(),
            role,
            from,
            ends_at: self.ground.clock.now() + SIGN_IN,
            asked_at: Timestamp::from_millis(0),
            interval: INTERVAL.as_secs(),
            standing: Standing::Waiting,
            environment: platform(),
            sealed: SealedValues::new(),
        };
        let put = self.ground.put((DEVICE_KIND, &name), Expect::Absent, &device);
        if !self.ground.change(vec![put], Vec::new()).await? {
            return Err(IdentityError::Busy);
        }
        let address = place.device_page();
        Ok(DeviceStart { device_code, user_code, address, lifetime: SIGN_IN, interval: INTERVAL })
    }

    /// The command line asks whether somebody has signed in for it. A session is given once.
    pub async fn device_poll(&self, device_code: &str) -> Result<Polled, IdentityError> {
        let name = device_code.split('.').next().filter(|name| name.len() <= NAME);
        let Some(name) = name else { return Ok(Polled::Over) };
        let found = self.ground.read::<Device>(DEVICE_KIND, name).await?;
        let Some((mut device, revision)) = found else { return Ok(Polled::Over) };
        let now = self.ground.clock.now();
        if !same(&device.digest, &sha256_text(device_code)) || device.ends_at <= now {
            return Ok(Polled::Over);
        }
        let expect = Expect::Revision(revision);
        let delete =
            DocumentOp::Delete { kind: DEVICE_KIND.to_owned(), name: name.to_owned(), expect };
        match device.standing {
            Standing::Granted => {
                let text = open(&self.vault, (DEVICE_KIND, name), &device.sealed, TEXT).await?;
                let taken = self.ground.change(vec![delete], Vec::new()).await?;
                Ok(match text.filter(|_| taken) {
                    Some(text) => Polled::Session(text, LIFETIME),
                    None => Polled::Over,
                })
            }
            Standing::Denied => {
                self.ground.change(vec![delete], Vec::new()).await?;
                Ok(Polled::Denied)
            }
            Standing::Waiting | Standing::Confirmed => {
                let early = now < device.asked_at + Duration::from_secs(device.interval);
                device.asked_at = now;
                if early {
                    device.interval = (device.interval + SLOWER).min(SLOWEST);
                }
                let put = self.ground.put((DEVICE_KIND, name), expect, &device);
                // Somebody answered meanwhile: the next time it hears of it.
                self.ground.change(vec![put], Vec::new()).await?;
                Ok(if early { Polled::TooOften } else { Polled::Waiting })
            }
        }
    }

    /// What the command line that shows this code asks for, when it still waits.
    pub async fn device_asks(&self, user_code: &str) -> Result<DeviceAsks, IdentityError> {
        let (_, device, _) = self.device(user_code).await?;
        let Device { user_code, role, from, .. } = device;
        Ok(DeviceAsks { user_code, role, from })
    }

    /// Somebody with a session says whether the command line that shows this code is theirs. If so they are sent to the
    /// provider once more, as the command line's session has a right of its own to be asked about.
    pub async fn device_answer(
        &self,
        user_code: &str,
        session: &Session,
        yes: bool,
    ) -> Result<Option<Redirect>, IdentityError> {
        self.set_up()?;
        let (name, mut device, revision) = self.device(user_code).await?;
        device.standing = if yes { Standing::Confirmed } else { Standing::Denied };
        let put = self.ground.put((DEVICE_KIND, &name), Expect::Revision(revision), &device);
        let said = if yes { "confirmed" } else { "denied" };
        let facts = serde_json::json!({ "session": session.id, "from": device.from });
        let row = self.ground.audit(&session.actor(), ("command line", said), None, facts);
        if !self.ground.change(vec![put], vec![row]).await? {
            return Err(IdentityError::Busy);
        }
        if !yes {
            return Ok(None);
        }
        let aim = Aim::Device { name, subject: session.subject.clone() };
        self.depart(device.role, aim).await.map(Some)
    }

    /// The command line that shows this code, still waiting: the name of its document, it, and its revision.
    async fn device(&self, user_code: &str) -> Result<(String, Device, u64), IdentityError> {
        let letters = user_code.chars().filter(char::is_ascii_alphabetic);
        let plain: String =
            letters.map(|letter| letter.to_ascii_uppercase()).take(LENGTH + 1).collect();
        if plain.len() != LENGTH {
            return Err(IdentityError::NoCode);
        }
        let name = sha256_text(&format!("{}-{}", &plain[..4], &plain[4..]));
        let found = self.ground.read::<Device>(DEVICE_KIND, &name).await?;
        let (device, revision) = found.ok_or(IdentityError::NoCode)?;
        let open = matches!(device.standing, Standing::Waiting | Standing::Confirmed);
        if !open || device.ends_at <= self.ground.clock.now() {
            return Err(IdentityError::NoCode);
        }
        Ok((name, device, revision))
    }

    /// Begins the session of a command line, and leaves its text for it, sealed.
    pub(super) async fn give_device(
        &self,
        name: &str,
        session: Session,
        tokens: &Tokens,
    ) -> Result<(), IdentityError> {
        let row = self.signed_in(&session);
        let (text, begin) = self.sessions().begin(session, Some(tokens)).await?;
        let environment = platform();
        let guest = Guest { environment: &environment, kind: DEVICE_KIND, name };
        let actor = Actor::platform("identity");
        let sealed = self.vault.seal(guest, (TEXT, 1), &text, &actor).await?;
        let granted = |device: &mut Device| {
            device.standing = Standing::Granted;
            device.sealed.insert(TEXT.to_owned(), sealed.clone());
        };
        self.settle_device(name, granted, (vec![begin], vec![row])).await
    }

    /// Whoever signed in cannot act as the command line asks.
    pub(super) async fn deny_device(&self, name: &str) -> Result<(), IdentityError> {
        let denied = |device: &mut Device| device.standing = Standing::Denied;
        self.settle_device(name, denied, (Vec::new(), Vec::new())).await
    }

    /// Says what the command line is told when it asks next, with what else is to be written.
    async fn settle_device(
        &self,
        name: &str,
        settle: impl Fn(&mut Device),
        (documents, rows): (Vec<DocumentOp>, Vec<LedgerRow>),
    ) -> Result<(), IdentityError> {
        // The command line that asks meanwhile changes the document, too.
        for _ in 0..TRIES {
            let found = self.ground.read::<Device>(DEVICE_KIND, name).await?;
            let (mut device, revision) = found.ok_or(IdentityError::NoCode)?;
            if device.standing != Standing::Confirmed || device.ends_at <= self.ground.clock.now() {
                return Err(IdentityError::NoCode);
            }
            settle(&mut device);
            let mut all = documents.clone();
            all.push(self.ground.put((DEVICE_KIND, name), Expect::Revision(revision), &device));
            if self.ground.change(all, rows.clone()).await? {
                return Ok(());
            }
        }
        Err(IdentityError::Busy)
    }

    pub(super) async fn tend_devices(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut gone = Vec::new();
        for document in self.ground.store.documents(DEVICE_KIND, None, PAGE_MAX).await? {
            if body::<Device>(&document)?.ends_at <= now {
                let expect = Expect::Any;
                gone.push(DocumentOp::Delete { kind: document.kind, name: document.name, expect });
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        self.ground.change(gone, Vec::new()).await.map(drop)
    }

    fn user_code(&self) -> String {
        let mut code = String::with_capacity(LENGTH + 1);
        while code.len() < LENGTH + 1 {
            for byte in self.ground.entropy.next_u64().to_le_bytes() {
                if code.len() == LENGTH / 2 {
                    code.push('-');
                }
                // Values beyond the last multiple of 20 would favour the first letters.
                if byte < 240 && code.len() < LENGTH + 1 {
                    code.push(char::from(LETTERS[usize::from(byte % 20)]));
                }
            }
        }
        code
    }
}
