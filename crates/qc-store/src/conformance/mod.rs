//! The suite that every backend passes. Each check takes a [`Factory`], works on fresh stores and
//! panics when a promise of [`Store`](crate::Store) is broken; [`model::same_as_memory`] compares
//! a backend with the in-memory model over random histories.
//!
//! Here because the promises belong to the interface. For tests only: it panics, and it is
//! compiled only with the feature `conformance`.

mod accepting;
mod accounting;
mod budgets;
mod committing;
mod deeds;
mod documents;
mod finding;
mod fixtures;
mod leases;
mod ledger;
pub mod model;
mod pruning;
mod reading;
mod reopening;
mod sharing;
mod sharing_lines;
mod sharing_signals;
mod signals;
mod turns;
mod waits;

use std::{future::Future, pin::Pin, sync::Arc};

pub use accepting::{
    a_key_that_expired_is_replaced, a_known_key_answers_the_first_run,
    a_race_for_one_key_has_one_winner, a_repeated_run_id_is_a_repeat,
    an_accept_may_bring_its_dead_letter,
};
pub use accounting::{claims_count_until_the_run_commits, the_tally_accounts_for_every_run};
pub use budgets::{
    a_budget_is_given_once, a_race_for_a_budget_gives_no_more_than_there_is,
    a_slice_ends_with_its_lease,
};
pub use committing::{
    a_batch_of_every_kind_is_applied_in_order, a_conflict_stays_alone_in_its_batch,
    a_fenced_lease_cannot_commit, steps_of_one_run_in_one_batch_follow_each_other,
    what_is_outside_the_limits_is_refused,
};
pub use deeds::{
    a_step_changes_documents, an_accept_moves_a_cursor, two_who_set_one_document_have_one_winner,
};
pub use documents::{
    documents_come_in_order_and_pages, documents_compare_and_set, one_conflict_undoes_the_change,
};
pub use finding::{
    business_keys_are_bounded, dead_letters_are_grouped, runs_are_found_by_business_keys,
    runs_are_found_by_event_trace_and_release,
};
pub use fixtures::Fixture;
pub use leases::{
    leases_are_seen_and_released, leases_change_hands, nodes_come_and_go,
    the_epoch_survives_reopening,
};
pub use ledger::{
    rows_of_the_audit_are_numbered, the_ledger_filters, the_ledger_pages_under_writes,
};
pub use pruning::{
    erase_removes_what_is_named, prune_has_a_time_for_each_kind, prune_keeps_what_is_open,
    prune_removes_what_is_past_its_time, prune_takes_all_that_belongs_to_a_run,
    prune_tells_classes_apart, prune_works_through_a_backlog,
};
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
pub use sharing_lines::lines_keep_the_order_of_commits_on_every_node;
pub use sharing_signals::signals_of_several_nodes_are_missed_by_none;
pub use signals::{
    a_reader_who_follows_the_signals_misses_none, a_repeated_signal_is_ignored,
    signals_are_filtered_and_paged, signals_come_with_every_kind_of_write,
};
pub use turns::{
    a_replay_takes_the_place_of_its_run, runs_of_a_key_go_one_after_the_other,
    the_sweep_finds_whose_turn_it_is, whoever_is_first_stays_first,
};
pub use waits::{
    sites_are_listed_once, waits_are_found_by_what_answers_them, waits_live_as_long_as_their_run,
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
pub const ALL: [Check; 63] = [
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
    ("a budget is given once", |f| Box::pin(a_budget_is_given_once(f))),
    ("a race for a budget", |f| Box::pin(a_race_for_a_budget_gives_no_more_than_there_is(f))),
    ("a slice ends", |f| Box::pin(a_slice_ends_with_its_lease(f))),
    ("the epoch survives reopening", |f| Box::pin(the_epoch_survives_reopening(f))),
    ("rows of the audit are numbered", |f| Box::pin(rows_of_the_audit_are_numbered(f))),
    ("the ledger filters", |f| Box::pin(the_ledger_filters(f))),
    ("the ledger pages under writes", |f| Box::pin(the_ledger_pages_under_writes(f))),
    ("erase removes what is named", |f| Box::pin(erase_removes_what_is_named(f))),
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
    ("signals of several nodes", |f| Box::pin(signals_of_several_nodes_are_missed_by_none(f))),
    ("lines of several nodes", |f| Box::pin(lines_keep_the_order_of_commits_on_every_node(f))),
    ("runs newest first", |f| Box::pin(runs_are_listed_newest_first(f))),
    ("an accept moves a cursor", |f| Box::pin(an_accept_moves_a_cursor(f))),
    ("a step changes documents", |f| Box::pin(a_step_changes_documents(f))),
    ("two who set one document", |f| Box::pin(two_who_set_one_document_have_one_winner(f))),
    ("signals with every write", |f| Box::pin(signals_come_with_every_kind_of_write(f))),
    ("a repeated signal", |f| Box::pin(a_repeated_signal_is_ignored(f))),
    ("signals filtered and paged", |f| Box::pin(signals_are_filtered_and_paged(f))),
    ("following the signals", |f| Box::pin(a_reader_who_follows_the_signals_misses_none(f))),
    ("waits live with their run", |f| Box::pin(waits_live_as_long_as_their_run(f))),
    ("waits by what answers them", |f| Box::pin(waits_are_found_by_what_answers_them(f))),
    ("sites once", |f| Box::pin(sites_are_listed_once(f))),
    ("a replay in its run's place", |f| Box::pin(a_replay_takes_the_place_of_its_run(f))),
    ("runs of a key in order", |f| Box::pin(runs_of_a_key_go_one_after_the_other(f))),
    ("whose turn it is", |f| Box::pin(the_sweep_finds_whose_turn_it_is(f))),
    ("first stays first", |f| Box::pin(whoever_is_first_stays_first(f))),
    ("business keys", |f| Box::pin(runs_are_found_by_business_keys(f))),
    ("business keys are bounded", |f| Box::pin(business_keys_are_bounded(f))),
    ("event, trace, release", |f| Box::pin(runs_are_found_by_event_trace_and_release(f))),
    ("dead letters in groups", |f| Box::pin(dead_letters_are_grouped(f))),
    ("claims", |f| Box::pin(claims_count_until_the_run_commits(f))),
    ("the tally", |f| Box::pin(the_tally_accounts_for_every_run(f))),
    ("prune, a time for each kind", |f| Box::pin(prune_has_a_time_for_each_kind(f))),
    ("prune, all of a run", |f| Box::pin(prune_takes_all_that_belongs_to_a_run(f))),
    ("prune, each class", |f| Box::pin(prune_tells_classes_apart(f))),
    ("prune, a backlog", |f| Box::pin(prune_works_through_a_backlog(f))),
];

/// Runs every check but the comparison with the model, one after the other.
pub async fn all(factory: &Factory) {
    for (name, check) in ALL {
        println!("conformance: {name}");
        check(factory).await;
    }
    reopening_keeps_everything(factory).await;
}
