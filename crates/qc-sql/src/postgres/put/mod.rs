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

use tokio::join;

use super::{
    apply::Deeds,
    connection::Connection,
    load::BEGIN,
    trouble::{Outcome, Trouble},
};

/// What is written, to be prepared together.
pub(super) const STATEMENTS: [&str; 11] = [
    heads::MOVE,
    documents::ADD,
    documents::REPLACE,
    documents::REMOVE,
    keys::CLAIM,
    heads::ADD,
    heads::ADD_EVENTS,
    journal::APPEND,
    letters::PUT,
    letters::SETTLE,
    ledger::APPEND,
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
    let writing = async {
        let begin = async { if begin { Ok(client.batch_execute(BEGIN).await?) } else { Ok(()) } };
        let commit = async { Ok(client.batch_execute("COMMIT").await?) };
        // Sent in this order: each future sends when it is polled first. A statement that fails
        // turns the commit into a rollback.
        let (a, b, c, d, e, f, g, h, committed) = join!(
            biased;
            begin,
            heads::go_on(connection, &deeds.heads),
            documents::put(connection, &deeds.documents),
            keys::claim(connection, &deeds.keys),
            heads::add(connection, &deeds.heads),
            journal::append(connection, &deeds.journal),
            letters::put(connection, &deeds.letters),
            ledger::append(connection, &deeds.ledger),
            commit,
        );
        Ok(([a, b, c, d, e, f, g, h], committed))
    };
    let answers = connection.within("writing a batch", writing).await;
    let (statements, committed) = answers.map_err(Failed::Unknown)?;
    for statement in statements {
        statement.map_err(Failed::of)?;
    }
    committed.map_err(Failed::of)
}

impl Failed {
    fn of(trouble: Trouble) -> Self {
        use super::trouble::Meaning;
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
