/// Who owns what belongs to no tenant.
pub const PLATFORM_OWNED: &str = "platform";
/// Stands at the front of every binding, so that bytes sealed for something else never open here.
const LABEL: &str = "quickconnect vault 1";

/// The place of a sealed value, authenticated with it: what was copied to another owner, environment, kind, name or
/// version does not open there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The tenant, or [`PLATFORM_OWNED`].
    pub owner: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// What kind of record holds it.
    pub kind: &'a str,
    /// The record's name.
    pub name: &'a str,
    /// The value's version within the record.
    pub version: u64,
}

impl Binding<'_> {
    /// The associated data: the label and each part behind its length (four bytes, big-endian), then the version
    /// (eight bytes, big-endian). Two bindings have the same bytes only when they are the same.
    pub fn bytes(&self) -> Vec<u8> {
        let parts = [LABEL, self.owner, self.environment, self.kind, self.name];
        let mut bytes = Vec::with_capacity(28 + parts.iter().map(|part| part.len()).sum::<usize>());
        for part in parts {
            let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes
    }
}
