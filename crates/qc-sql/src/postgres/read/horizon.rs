use crate::postgres::{
    connection::Connection,
    trouble::{Outcome, Trouble},
};

/// The first place that a transaction under way could still fill. Places follow the numbers of
/// transactions, and a writer holds the table from before it has a number to its end. So: every
/// number below both the oldest one that such a writer has, and the newest that this statement's
/// snapshot has seen end, is final for whoever looks afterwards. Transactions that do not write to
/// this ledger, however long they run, hold nothing up.
const HORIZON: &str = "WITH held AS MATERIALIZED ( \
         SELECT locktype, relation, database, mode, transactionid, virtualtransaction \
         FROM pg_locks WHERE granted AND locktype IN ('relation', 'transactionid') \
     ), next AS ( \
         SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid \
     ), writing AS ( \
         SELECT next.xid - ((next.xid - t.transactionid::text::bigint) & 4294967295) AS xid \
         FROM next, held t JOIN held w USING (virtualtransaction) \
         WHERE t.locktype = 'transactionid' AND t.mode = 'ExclusiveLock' \
             AND w.locktype = 'relation' AND w.mode = 'RowExclusiveLock' \
             AND w.relation = 'quickconnect.ledger'::regclass \
             AND w.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
             AND w.virtualtransaction <> '' \
     ) SELECT (least(next.xid, (SELECT min(xid) FROM writing)) + fact.value) << 16 \
     FROM next, fact WHERE fact.name = 'ledger_base'";

/// The place below which everything is final, for who looks afterwards.
pub(super) async fn horizon(db: &mut Connection) -> Outcome<i64> {
    let rows = db.query(HORIZON, &[]).await?;
    let Some(row) = rows.first() else {
        return Err(Trouble::Damaged("the base of the ledger's places is not stored".to_owned()));
    };
    Ok(row.try_get(0)?)
}
