//! Reads what a batch touches, and holds it: leases first, then runs by their ids, then documents by
//! kind and name. Keys are not held: the statement that claims them checks them once more.

mod documents;
mod keys;
mod leases;
mod runs;

pub(super) use leases::bucket;
use qc_store::Write;
use tokio::join;

use super::{apply::Known, connection::Connection, trouble::Outcome};

/// Begins a transaction. The lock comes before the transaction has a number: whoever reads the
/// ledger finds by it which numbers may still write.
pub(super) const BEGIN: &str = "BEGIN; LOCK TABLE ledger IN ROW EXCLUSIVE MODE";

/// What is read, to be prepared together.
pub(super) const STATEMENTS: [&str; 6] = [
    leases::HOLD,
    runs::HOLD,
    runs::FIND_ACCEPTED,
    runs::FIND_LETTERS,
    documents::HOLD,
    keys::FIND,
];

/// Begins a transaction and reads, in one exchange.
pub(super) async fn load<'a>(
    connection: &mut Connection,
    batch: &'a [Write],
) -> Outcome<Known<'a>> {
    connection.prepare(&STATEMENTS).await?;
    let client = connection.client();
    let reading = async {
        // Sent in this order: each future sends when it is polled first.
        let (begun, leases, held, accepted, letters, documents, keys) = join!(
            biased;
            client.batch_execute(BEGIN),
            leases::hold(connection, batch),
            runs::hold(connection, batch),
            runs::accepted(connection, batch),
            runs::letters(connection, batch),
            documents::hold(connection, batch),
            keys::find(connection, batch),
        );
        begun?;
        let mut known = Known {
            leases: leases?,
            letters: letters?,
            documents: documents?,
            keys: keys?,
            ..Known::default()
        };
        runs::know(&mut known, held?, accepted?);
        Ok(known)
    };
    connection.within("reading what a batch touches", reading).await
}
