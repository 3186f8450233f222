//! The session that `qc login` got, in a file beside the context file that only its owner can read.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use qc_model::{Clock, Finding, Timestamp};
use qc_vault::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    cli::{Exit, Trouble},
    codes, context,
    wiring::SystemClock,
};

/// A session at a server. It counts for that address and no other.
pub(crate) struct SignedIn {
    pub(crate) url: String,
    pub(crate) token: Secret,
    pub(crate) ends_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema_version: u32,
    url: String,
    token: String,
    ends_at: Timestamp,
}

/// Where it is, by the context file's place.
pub(crate) fn path(context: &Path) -> PathBuf {
    context.with_file_name("session.json")
}

impl SignedIn {
    /// A session that begins now.
    pub(crate) fn new(url: String, token: Secret, lifetime: Duration) -> Self {
        Self { url, token, ends_at: SystemClock.now() + lifetime }
    }

    /// Reads it; None when there is none.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Trouble> {
        let file = context::read_own::<File>(path)?;
        Ok(file.map(|File { url, token, ends_at, .. }| Self {
            url,
            token: Secret::new(token),
            ends_at,
        }))
    }

    /// Writes it, in place of the one before.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Trouble> {
        let (url, token) = (self.url.clone(), self.token.expose().to_owned());
        context::write_own(path, &File { schema_version: 1, url, token, ends_at: self.ends_at })
    }

    /// Removes it, when it is there.
    pub(crate) fn remove(path: &Path) -> Result<(), Trouble> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Trouble::file(path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Its token; an error when its time is over: going on with another token would be going on as somebody else.
    pub(crate) fn live(self) -> Result<Secret, Trouble> {
        if SystemClock.now() < self.ends_at {
            return Ok(self.token);
        }
        let message = format!("the session at {} ended at {}", self.url, self.ends_at);
        let help = "sign in again: `qc login`; or go on without it: `qc logout`";
        Err(Trouble::new(Exit::Auth, Finding::error(codes::SESSION_OVER, message).help(help)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_for_its_owner_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder.path().join("context.json"));
        assert!(SignedIn::read(&path).unwrap().is_none());
        let url = "https://qc.example.test".to_owned();
        let session = SignedIn::new(url, Secret::new("qcs_x"), Duration::from_secs(60));
        session.write(&path).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let read = SignedIn::read(&path).unwrap().unwrap();
        assert_eq!(read.live().unwrap().expose(), "qcs_x");
        let over = SignedIn { ends_at: Timestamp::from_millis(0), ..session };
        assert_eq!(over.live().unwrap_err().findings[0].code, codes::SESSION_OVER);
        SignedIn::remove(&path).unwrap();
        SignedIn::remove(&path).unwrap();
        assert!(SignedIn::read(&path).unwrap().is_none());
    }
}
