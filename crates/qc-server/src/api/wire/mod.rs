//! What the API takes and gives, in its own types: they change only with the API's version.

mod events;
mod ledger;
mod lines;
mod page;
mod releases;
mod runs;
mod server;

pub use events::{EventUse, PublishedEvent, Schedule};
pub use ledger::{Account, AccountGap, FailureGroup, Failures, LedgerLine, Reconciliation};
pub use lines::{Line, LineResumed, ResumeLine};
pub use page::Page;
pub use releases::{
    DeployRequest, Deployment, DeploymentChange, Release, ReleaseFiles, StoreRelease,
};
pub use runs::{
    CancelRequest, ChildRun, Dead, Happening, Reason, ReplayRequest, ResolveRequest, RetryRequest,
    Run, RunEnd, RunJournal, RunReference,
};
pub use server::{CreateToken, CreatedToken, Server, Token};
