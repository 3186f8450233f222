//! The suite that every backend passes. Each check takes a [`Factory`], works on fresh stores and
//! panics when a promise of [`Store`](crate::Store) is broken; [`model::same_as_memory`] compares
//! a backend with the in-memory model over random histories.
//!
//! Here because the promises belong to the interface. For tests only: it panics, and it is
//! compiled only with the feature `conformance`.

mod accepting;
mod committing;
mod documents;
mod fixtures;
mod leases;
mod ledger;
pub mod model;
mod pruning;
mod reading;
mod reopening;
mod sharing;

use std::{future::Future, pin::Pin, sync::Arc};

pub use accepting::{
    a_key_that_expired_is_replaced, a_known_key_answers_the_first_run,
    a_race_for_one_key_has_one_winner, a_repeated_run_id_is_a_repeat,
    an_accept_may_bring_its_dead_letter,
};
pub use committing::{
    a_batch_of_every_kind_is_applied_in_order, a_conflict_stays_alone_in_its_batch,
    a_fenced_lease_cannot_commit, steps_of_one_run_in_one_batch_follow_each_other,
    what_is_outside_the_limits_is_refused,
};
pub use documents::{
    documents_come_in_order_and_pages, documents_compare_and_set, one_conflict_undoes_the_change,
};
pub use fixtures::Fixture;
pub use leases::{
    leases_are_seen_and_released, leases_change_hands, nodes_come_and_go,
    the_epoch_survives_reopening,
};
pub use ledger::{the_ledger_filters, the_ledger_pages_under_writes};
pub use pruning::{prune_keeps_what_is_open, prune_removes_what_is_past_its_time};
pub use reading::{
    dead_letters_come_and_are_settled, due_runs_come_earliest_first,
    large_and_odd_payloads_survive, many_runs_load_in_pages, open_runs_page_under_writes,
    runs_are_listed_newest_first,
};
pub use reopening::reopening_keeps_everything;
pub use sharing::{
    a_race_between_nodes_has_one_winner, a_stolen_lease_stops_its_owner,
    a_tailing_reader_misses_nothing, documents_of_several_nodes_lose_no_change,
    several_nodes_hold_several_ranges,
};

use crate::Store;

/// Opens what a store has written once more, after that store was dropped.
pub type Reopen = Box<dyn Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync>;

/// Opens what a store has written a second time, beside it: another node.
pub type Beside = Box<dyn Fn() -> Arc<dyn Store> + Send + Sync>;

/// A fresh store, and how to open it once more.
pub struct Subject {
    /// The store, empty.
    pub store: Arc<dyn Store>,
    /// Drops the store that it is given and opens the same data again, when it keeps anything.
    pub reopen: Option<Reopen>,
    /// When several nodes may share it.
    pub beside: Option<Beside>,
}

/// Makes fresh stores.
pub type Factory = dyn Fn() -> Subject + Send + Sync;

/// A check under way.
pub type Running<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
/// A check with its name.
pub type Check = (&'static str, for<'a> fn(&'a Factory) -> Running<'a>);

/// Every check but the comparison with the model, by name.
pub const ALL: [Check; 32] = [
    ("a known key answers the first run", |f| Box::pin(a_known_key_answers_the_first_run(f))),
    ("a race for one key has one winner", |f| Box::pin(a_race_for_one_key_has_one_winner(f))),
    ("a key that expired is replaced", |f| Box::pin(a_key_that_expired_is_replaced(f))),
    ("a repeated run id is a repeat", |f| Box::pin(a_repeated_run_id_is_a_repeat(f))),
    ("a batch of every kind", |f| Box::pin(a_batch_of_every_kind_is_applied_in_order(f))),
    ("a conflict stays alone", |f| Box::pin(a_conflict_stays_alone_in_its_batch(f))),
    ("a fenced lease cannot commit", |f| Box::pin(a_fenced_lease_cannot_commit(f))),
    ("steps of one run", |f| Box::pin(steps_of_one_run_in_one_batch_follow_each_other(f))),
    ("limits", |f| Box::pin(what_is_outside_the_limits_is_refused(f))),
    ("documents compare and set", |f| Box::pin(documents_compare_and_set(f))),
    ("documents in pages", |f| Box::pin(documents_come_in_order_and_pages(f))),
    ("one conflict undoes the change", |f| Box::pin(one_conflict_undoes_the_change(f))),
    ("leases change hands", |f| Box::pin(leases_change_hands(f))),
    ("leases are seen and released", |f| Box::pin(leases_are_seen_and_released(f))),
    ("nodes come and go", |f| Box::pin(nodes_come_and_go(f))),
    ("the epoch survives reopening", |f| Box::pin(the_epoch_survives_reopening(f))),
    ("the ledger filters", |f| Box::pin(the_ledger_filters(f))),
    ("the ledger pages under writes", |f| Box::pin(the_ledger_pages_under_writes(f))),
    ("prune keeps what is open", |f| Box::pin(prune_keeps_what_is_open(f))),
    ("prune removes what is past", |f| Box::pin(prune_removes_what_is_past_its_time(f))),
    ("an accept's dead letter", |f| Box::pin(an_accept_may_bring_its_dead_letter(f))),
    ("dead letters", |f| Box::pin(dead_letters_come_and_are_settled(f))),
    ("due runs", |f| Box::pin(due_runs_come_earliest_first(f))),
    ("large and odd payloads", |f| Box::pin(large_and_odd_payloads_survive(f))),
    ("many runs in pages", |f| Box::pin(many_runs_load_in_pages(f))),
    ("open runs page under writes", |f| Box::pin(open_runs_page_under_writes(f))),
    ("a stolen lease", |f| Box::pin(a_stolen_lease_stops_its_owner(f))),
    ("several ranges", |f| Box::pin(several_nodes_hold_several_ranges(f))),
    ("a race between nodes", |f| Box::pin(a_race_between_nodes_has_one_winner(f))),
    ("a tailing reader", |f| Box::pin(a_tailing_reader_misses_nothing(f))),
    ("documents of several nodes", |f| Box::pin(documents_of_several_nodes_lose_no_change(f))),
    ("runs newest first", |f| Box::pin(runs_are_listed_newest_first(f))),
];

/// Runs every check but the comparison with the model, one after the other.
pub async fn all(factory: &Factory) {
    for (name, check) in ALL {
        println!("conformance: {name}");
        check(factory).await;
    }
    reopening_keeps_everything(factory).await;
}
