//! Who may do what.
//!
//! Here: the format of API tokens ([`mint`], [`PresentedToken`]), what is stored of them ([`TokenRecord`]: a hash, never
//! the token), who a token stands for ([`Principal`]), the [`Action`]s that routes name, [`Role`]s and [`Scope`]s, and
//! the one decision, [`Access`], by Cedar policies ([`policy`]). [`Tokens`] authenticates against the store.
//!
//! Deliberately not here: HTTP (headers are read in `qc-server`), sessions of people, and the webhook
//! signatures of external senders (`qc-connect`).

mod action;
mod approval;
mod authorise;
pub mod codes;
mod grant;
mod issue;
pub mod policy;
mod principal;
mod reach;
mod record;
mod review;
mod role;
mod rotate;
mod scope;
mod token;
mod tokens;
mod uses;

pub use action::{Action, Power};
pub use approval::{
    APPROVAL_KIND, APPROVALS_FILE, Approval, ApprovalRule, ApprovalRules, Approved, Missing,
};
pub use authorise::{Access, Circumstances, Decided, Denial, Resource};
pub use grant::{GRANT_KIND, Grant, GrantError, GrantRequest, GrantState, Grants, LONGEST};
pub use issue::{IssueRequest, Issued, disable, issue, reassign, revoke};
pub use policy::{Policies, Question, Subject, Verdict};
pub use principal::{Principal, TokenKind};
pub use reach::{Known, OfThing, Owned, Reach, reach};
pub use record::{EarlierVersion, TOKEN_KIND, TokenRecord};
pub use review::{Enough, Holding, Review, review};
pub use role::Role;
pub use rotate::{KEY_LIFETIME, OVERLAP_MAX, RotateError, Rotation, rotate};
pub use scope::{PLATFORM, Scope, ScopeError};
pub use token::{Minted, PresentedToken, TokenError, TokenId, mint, mint_version};
pub use tokens::{AuthenticationError, Tokens};
pub use uses::{Used, Uses, UsesOf};
