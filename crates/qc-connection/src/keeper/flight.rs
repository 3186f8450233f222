use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use qc_model::{Class, Failure};
use tokio::time::timeout;

use super::{Access, Connections, Why, failure};
use crate::{
    codes,
    provider::{ConnectionId, Grant},
};

/// What a refresh came to, for all who wait for it. None: what was refused has no replacement.
pub(super) type Landed = Result<Option<Access>, Box<Failure>>;

/// The refreshes of this process: whoever wants one that is under way waits for the same.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<(ConnectionId, Why), Flight>>);

/// A refresh under way, which any number of callers can wait for.
type Flight = Shared<BoxFuture<'static, Landed>>;

impl Connections {
    /// Begins a refresh, or joins the one that is under way. It goes on when nobody waits any more: a token that the
    /// provider has given must not be lost because a run was cancelled.
    pub(super) fn fly(self: &Arc<Self>, grant: Grant, why: Why) -> Flight {
        let key = (grant.id.clone(), why);
        let mut flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(&key) {
            return flight.clone();
        }
        let (keeper, landing) = (Arc::clone(self), key.clone());
        let task = tokio::spawn(async move {
            let _leave = Leave(&keeper.flights, landing);
            Box::pin(keeper.refresh(&grant, why)).await
        });
        let flight = task
            .map(|ended| {
                ended.unwrap_or_else(|error| {
                    let title = "A refresh ended unexpectedly";
                    let failure =
                        Failure::new(Class::Internal, codes::NOT_KEPT, title, error.to_string());
                    Err(Box::new(failure))
                })
            })
            .boxed()
            .shared();
        flights.insert(key, flight.clone());
        flight
    }

    /// Waits for a refresh, for so long at most.
    pub(super) async fn landed(self: &Arc<Self>, grant: Grant, why: Why, wait: Duration) -> Landed {
        let id = grant.id.clone();
        timeout(wait, self.fly(grant, why)).await.unwrap_or_else(|_| Err(failure::slow(&id)))
    }

    /// Waits until no refresh is under way here, for so long at most: before the process ends.
    pub async fn settle(&self, wait: Duration) {
        let flights: Vec<_> = {
            let flights = self.flights.0.lock().unwrap_or_else(PoisonError::into_inner);
            flights.values().cloned().collect()
        };
        drop(timeout(wait, futures_util::future::join_all(flights)).await);
    }
}

/// Takes a flight off the list when it ends, also when it panics.
struct Leave<'a>(&'a Flights, (ConnectionId, Why));

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
