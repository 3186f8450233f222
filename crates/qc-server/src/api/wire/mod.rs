//! What the API takes and gives, in its own types: they change only with the API's version.

mod access;
mod audit;
mod bulks;
mod captures;
mod connections;
mod contracts;
mod drift;
mod events;
mod failures;
mod kept;
mod ledger;
mod limits;
mod lines;
mod page;
mod people;
mod rehearsals;
mod releases;
mod runs;
mod secrets;
mod server;
mod subjects;
mod tasks;
mod triggers;

pub use access::{AccessReview, BlastRadius, Reach, ReachedOperation, Reassign, ReviewedHolder};
pub use access::{
    ApplyPolicies, Approval, GiveApproval, Grant, PolicyFile, PolicySet, RequestGrant,
};
pub use access::{
    Client, ClientSecret, CreateClient, CreatedClient, RotateClient, RotateSigningKey, SigningKey,
};
pub use audit::{AuditCheckpoint, AuditConsistency, AuditEntries, AuditEntry};
pub use bulks::{Bulk, BulkRefusal, PlanBulk, StartBulk};
pub use captures::{Capture, CaptureEntry, RequestCapture};
pub use connections::{
    Connection, ConnectionDrill, ConnectionLink, DrillConnection, DrillStep, LinkConnection,
    OfConnection,
};
pub use contracts::{
    ConsumerAtVersion, ConsumerMiss, ContractConsumer, ContractMatrix, ContractUsage, EndVersion,
    EndedVersion, PublishExpectations, UsedVersion,
};
pub use drift::{
    DriftCanary, DriftDiffers, DriftFound, DriftOperation, DriftResumed, DriftSeenShape,
    DriftShown, DriftStaying, ResumeDrift,
};
pub use events::{EventUse, PublishedEvent, Schedule};
pub use failures::{DeadGroup, DeadGroupShown, MuteRequest, Note, SaidOfGroup};
pub use kept::{
    ChangeState, CrossLink, LinkRefused, LinkRequest, Linked, Removed, StateChanged, StateValue,
    UnlinkRequest,
};
pub use ledger::{Account, AccountGap, FailureGroup, Failures, LedgerLine, Reconciliation};
pub use limits::{
    CalledSystem, DeclaredPace, DeclaredTraffic, LesserLimit, Limit, LimitQueue, LimitStanding,
    NearLimit, OutboundLimit, TrafficAbove, TriggerTraffic,
};
pub use lines::{DiscardLine, Line, LineDiscarded, LineResumed, ResumeLine};
pub use page::Page;
pub use people::{BreakGlass, RevokePerson, RevokedPerson, Session};
pub use rehearsals::{
    EffectDifference, FieldDiffers, RecordEvents, RecordedFixture, Recording, Rehearsal,
    RehearseRuns, Rehearsed,
};
pub use releases::{
    DeployRequest, Deployment, DeploymentChange, Gate, OverrideRequest, Release, ReleaseFiles,
    StoreRelease,
};
pub use runs::{
    CancelRequest, ChildRun, Dead, Happening, Reason, ReplayRequest, ResolveRequest, RetryRequest,
    Run, RunEnd, RunJournal, RunReference, Substituted, WhichRelease,
};
pub use secrets::{
    DataKeyRotated, DataKeyShown, DrillSecret, DrillVault, Drilled, DropLink, MadeDropLink,
    MakeDropLink, RemoveSecretRequest, Rewrapped, RotateDataKey, RotateSecretRequest, RotationTask,
    SecretText, SetSecretRequest, StoredSecret, VaultEnvironment, VaultStanding,
};
pub use server::{CreateToken, CreatedToken, RotateToken, Server, Token};
pub use subjects::{SubjectErasure, SubjectExport, SubjectRequest};
pub use tasks::{Act, ActOnTask, DecideTask, NextAsked, Task, TaskOption};
pub use triggers::{ChangeTrigger, DiscardHeld, HeldDiscarded, TriggerStanding};
