use qc_model::{EnvironmentName, Name, TenantName, Timestamp};

/// Dead letters of one fingerprint in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadGroup {
    /// Whose.
    pub tenant: TenantName,
    /// Where.
    pub environment: EnvironmentName,
    /// What they have in common.
    pub fingerprint: String,
    /// The failure's code, of the newest run's letter.
    pub code: String,
    /// What happened, of the newest run's letter.
    pub summary: String,
    /// Which integration, of the newest run's letter.
    pub integration: Name,
    /// How many of the letters are open.
    pub open: u64,
    /// How many letters there are.
    pub total: u64,
    /// When the first died.
    pub first_at: Timestamp,
    /// When the last died.
    pub last_at: Timestamp,
}
