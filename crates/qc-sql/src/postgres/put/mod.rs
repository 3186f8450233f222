//! Puts what a batch does: a handful of statements over whole columns and the commit, sent in one
//! exchange. Each statement checks what it rests on: versions, leases, keys and documents are
//! compared where they are changed, and a count that is not as it was decided fails the transaction
//! (by a division by zero, [`Meaning::Stale`](super::trouble::Meaning)).

mod documents;
mod heads;
mod journal;
mod keys;
mod ledger;
mod letters;
mod lines;
mod run_keys;
mod signals;
mod tally;
mod waits;

use futures_util::future::join_all;

use super::{
    apply::Deeds,
    connection::Connection,
    connections::Answering,
    load::BEGIN,
    trouble::{Meaning, Outcome, Trouble},
};

/// A statement under way.
type Writing<'a> = Answering<'a, ()>;

/// What is written, to be prepared together.
pub(super) const STATEMENTS: [&str; 21] = [
    heads::MOVE,
    documents::ADD,
    documents::REPLACE,
    documents::REMOVE,
    keys::CLAIM,
    heads::ADD,
    heads::ADD_EVENTS,
    heads::CLAIM,
    journal::APPEND,
    letters::PUT,
    letters::SETTLE,
    waits::END_ALL,
    waits::END,
    waits::PUT,
    lines::LEAVE,
    lines::HOLD,
    lines::JOIN,
    run_keys::ADD,
    signals::PUT,
    ledger::APPEND,
    tally::ADD,
];

/// How a commit went wrong.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nothing was written.
    Undone(Trouble),
    /// The connection ended after the commit was sent.
    Unknown(Trouble),
}

/// Writes and commits; begins the transaction too when nothing was read before.
pub(super) async fn put(
    connection: &mut Connection,
    deeds: &Deeds<'_>,
    begin: bool,
) -> Result<(), Failed> {
    connection.prepare(&STATEMENTS).await.map_err(Failed::Undone)?;
    ledger::check(deeds).map_err(|error| Failed::Undone(error.into()))?;
    let client = connection.client();
    let begin: Writing<'_> =
        Box::pin(
            async move { if begin { Ok(client.batch_execute(BEGIN).await?) } else { Ok(()) } },
        );
    let commit: Writing<'_> = Box::pin(async { Ok(client.batch_execute("COMMIT").await?) });
    // Sent in this order: each sends when it is polled first, and so few are polled one after the
    // other. Locks are taken in the same order by everybody. A statement that fails turns the
    // commit into a rollback.
    let all: [Writing<'_>; 16] = [
        begin,
        Box::pin(heads::go_on(connection, &deeds.heads)),
        Box::pin(documents::put(connection, &deeds.documents)),
        Box::pin(keys::claim(connection, &deeds.keys)),
        Box::pin(heads::add(connection, &deeds.heads)),
        Box::pin(heads::claim(connection, &deeds.claims)),
        Box::pin(journal::append(connection, &deeds.journal)),
        Box::pin(letters::put(connection, &deeds.letters)),
        Box::pin(waits::put(connection, &deeds.waits)),
        Box::pin(run_keys::add(connection, &deeds.run_keys)),
        Box::pin(signals::put(connection, &deeds.signals)),
        Box::pin(ledger::append(connection, &deeds.ledger)),
        Box::pin(tally::add(connection, &deeds.tally)),
        // Held from here to the commit, so late.
        Box::pin(lines::join(connection, &deeds.joins)),
        Box::pin(lines::leave(connection, &deeds.leaves)),
        commit,
    ];
    let answers = async { Ok(join_all(all).await) };
    let answers = connection.within("writing a batch", answers).await.map_err(Failed::Unknown)?;
    // The first that failed is the reason; those behind it only say that it did.
    answers.into_iter().collect::<Outcome<Vec<()>>>().map(drop).map_err(Failed::of)
}

impl Failed {
    fn of(trouble: Trouble) -> Self {
        if trouble.meaning() == Meaning::Lost {
            Self::Unknown(trouble)
        } else {
            Self::Undone(trouble)
        }
    }
}

/// A statement over columns that checks its own count.
async fn counted(
    connection: &Connection,
    text: &str,
    values: &super::connection::Values<'_>,
) -> Outcome<()> {
    let statement = connection.statement(text)?;
    connection.client().query(statement, values).await?;
    Ok(())
}

/// A statement over columns.
async fn plain(
    connection: &Connection,
    text: &str,
    values: &super::connection::Values<'_>,
) -> Outcome<()> {
    let statement = connection.statement(text)?;
    connection.client().execute(statement, values).await?;
    Ok(())
}
