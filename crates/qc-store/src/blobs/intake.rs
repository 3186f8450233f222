use aws_lc_rs::digest::{Context, SHA256};
use qc_model::BlobHash;

use super::{BlobRef, PutError};

/// Counts and hashes a body as it passes.
#[derive(Clone)]
pub struct Intake {
    digest: Context,
    size: u64,
    limit: u64,
}

impl Intake {
    /// Before the first byte; more than `limit` bytes are too many.
    pub fn new(limit: u64) -> Self {
        Self { digest: Context::new(&SHA256), size: 0, limit }
    }

    /// The next bytes.
    pub fn take(&mut self, chunk: &[u8]) -> Result<(), PutError> {
        self.size += chunk.len() as u64;
        if self.size > self.limit {
            return Err(PutError::TooLarge { limit: self.limit });
        }
        self.digest.update(chunk);
        Ok(())
    }

    /// What has passed: its hash and its size.
    pub fn finish(self) -> BlobRef {
        let digest = self.digest.finish();
        let digest = digest.as_ref().try_into().expect("SHA-256 has 32 bytes");
        BlobRef { hash: BlobHash::new(digest), size: self.size }
    }
}
