//! The outbound stack: what one attempt of a call goes through, one file a layer.
//!
//! [`prepare`](self) checks the arguments against the contract and builds the request, `credentials` proves who calls,
//! `exchange` sends, `receive` reads (large bodies into the blobs), `classify` turns statuses and errors into failures, `observe` compares the answer with
//! the contract, and [`CallRecord`] tells the ledger. `batch` has several calls go through them in one request. Nothing here tries again on its own: the one exception is a
//! request refused for its credential, which is sent once more with a renewed one.

mod answer;
mod batch;
mod binding;
mod body;
mod capture;
mod classify;
mod connection;
mod connectors;
mod credentials;
mod egress;
mod exchange;
mod http;
mod identity;
mod job;
mod judge;
pub(crate) mod key;
mod login;
mod notice;
mod observe;
mod outbound;
mod pace;
mod paginate;
mod payload;
mod prepare;
mod quota;
mod reach;
mod receive;
mod record;
mod redirect;
mod refit;
mod scrub;
mod substitute;
mod token;
mod verify;

#[cfg(test)]
mod tests;

pub use batch::{Member, Together, Whole};
pub use binding::{Binding, FieldPath, Quota, View};
pub use connection::ConnectionTokens;
pub use connectors::Connectors;
pub use egress::{Departure, Egress};
pub use http::{HttpCaller, HttpSettings};
pub use notice::EndNotice;
pub use outbound::{EffectContext, EnvironmentScope, Outbound, Performed, ReadBack, Verified};
pub use pace::Family;
pub use quota::{QUOTA_KIND, Quotas};
pub use record::{CallRecord, Deviation, DriftNote};
