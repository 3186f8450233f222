use std::{borrow::Cow, collections::BTreeMap};

use qc_model::{RunId, Timestamp};
use qc_store::{Accept, RunState};
use tokio::join;

use super::{counted, plain};
use crate::postgres::{
    apply::HeadDeed,
    connection::Connection,
    stored::{Uuid, count, number, text},
    trouble::Outcome,
};

/// A run goes on when its lease is held, covers its bucket, and its version is the one before. The
/// first change of its status is counted here, because only here it is known what it was before.
pub(super) const MOVE: &str = "WITH fence AS MATERIALIZED ( \
         SELECT first, beyond, node, epoch FROM lease WHERE epoch = ANY($1::bigint[]) FOR KEY SHARE \
     ), moved AS ( \
         UPDATE run r SET version = i.version, last_txn = i.txn, status = i.status, \
             cause = i.cause, wake_at = i.wake_at, summary = i.summary, \
             updated_at = i.updated_at, ended_at = i.ended_at, claims = 0, was = r.status \
         FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[], $7::text[], \
             $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[], $1::bigint[], \
             $13::integer[], $14::integer[], $16::text[]) \
             AS i (id, before, version, txn, status, cause, wake_at, summary, updated_at, \
             ended_at, node, epoch, first, beyond, became), fence f \
         WHERE r.id = i.id AND r.version = i.before \
             AND f.epoch = i.epoch AND f.node = i.node \
             AND r.bucket >= greatest(f.first, i.first) AND r.bucket < least(f.beyond, i.beyond) \
         RETURNING r.tenant, r.environment, r.integration, r.was, i.became \
     ), counted AS ( \
         INSERT INTO tally AS t (tenant, environment, integration, part, completed, faulted, \
             cancelled, reopened_completed, reopened_faulted, reopened_cancelled) \
         SELECT tenant, environment, integration, $17::integer, \
             count(*) FILTER (WHERE became = 'completed'), \
             count(*) FILTER (WHERE became = 'faulted'), \
             count(*) FILTER (WHERE became = 'cancelled'), \
             count(*) FILTER (WHERE was = 'completed'), \
             count(*) FILTER (WHERE was = 'faulted'), \
             count(*) FILTER (WHERE was = 'cancelled') \
         FROM moved WHERE was <> became AND (was IN ('completed', 'faulted', 'cancelled') \
             OR became IN ('completed', 'faulted', 'cancelled')) \
         GROUP BY tenant, environment, integration \
         ON CONFLICT (tenant, environment, integration, part) DO UPDATE SET \
             completed = t.completed + excluded.completed, \
             faulted = t.faulted + excluded.faulted, \
             cancelled = t.cancelled + excluded.cancelled, \
             reopened_completed = t.reopened_completed + excluded.reopened_completed, \
             reopened_faulted = t.reopened_faulted + excluded.reopened_faulted, \
             reopened_cancelled = t.reopened_cancelled + excluded.reopened_cancelled \
     ) SELECT 1 / (count(*) = $15::bigint)::integer FROM moved";

pub(super) const ADD: &str = "INSERT INTO run (id, bucket, tenant, environment, integration, \
     trigger, release, event, subject, origin, replay_of, accepted_at, status, cause, wake_at, \
     summary, updated_at, ended_at, version, last_txn, trace, low, was) \
     SELECT *, 'running' FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::text[], \
     $6::text[], $7::text[], $8::uuid[], $9::text[], $10::uuid[], $11::uuid[], $12::bigint[], \
     $13::text[], $14::text[], $15::bigint[], $16::text[], $17::bigint[], $18::bigint[], \
     $19::bigint[], $20::uuid[], $21::text[], $22::bigint[])";

pub(super) const ADD_EVENTS: &str = "INSERT INTO event (run, received_at, body) \
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bytea[])";

pub(super) const CLAIM: &str = "UPDATE run r SET claims = i.claims \
     FROM unnest($1::uuid[], $2::bigint[]) AS i (id, claims) WHERE r.id = i.id";

/// The columns of states.
#[derive(Default)]
struct States<'a> {
    status: Vec<&'static str>,
    cause: Vec<&'static str>,
    wake_at: Vec<Option<i64>>,
    summary: Vec<Option<Cow<'a, str>>>,
    updated_at: Vec<i64>,
    ended_at: Vec<Option<i64>>,
}

impl<'a> States<'a> {
    fn push(&mut self, state: &'a RunState) {
        let updated_at = state.updated_at.as_millis();
        self.status.push(state.status.as_str());
        self.cause.push(state.cause.as_str());
        self.wake_at.push(state.wake_at.map(Timestamp::as_millis));
        self.summary.push(state.summary.as_deref().map(text));
        self.updated_at.push(updated_at);
        self.ended_at.push(state.status.is_terminal().then_some(updated_at));
    }
}

/// Takes runs further that were there before the batch.
pub(super) async fn go_on(
    connection: &Connection,
    heads: &BTreeMap<RunId, HeadDeed<'_>>,
) -> Outcome<()> {
    let mut states = States::default();
    let (mut ids, mut before, mut versions, mut txns) = (vec![], vec![], vec![], vec![]);
    let mut became = vec![];
    let (mut nodes, mut epochs, mut firsts, mut beyonds) = (vec![], vec![], vec![], vec![]);
    for (run, head) in heads {
        let (None, Some(lease)) = (head.accept, head.lease) else { continue };
        ids.push(Uuid::from(*run));
        before.push(count(head.before));
        versions.push(count(head.version));
        txns.push(Uuid::from(head.txn));
        states.push(head.state);
        became.push(head.first.as_str());
        nodes.push(text(&lease.node));
        epochs.push(count(lease.epoch));
        firsts.push(i32::from(lease.buckets.start));
        beyonds.push(i32::from(lease.buckets.end));
    }
    if ids.is_empty() {
        return Ok(());
    }
    let wanted = number(ids.len());
    let States { status, cause, wake_at, summary, updated_at, ended_at } = states;
    counted(
        connection,
        MOVE,
        &[
            &epochs,
            &ids,
            &before,
            &versions,
            &txns,
            &status,
            &cause,
            &wake_at,
            &summary,
            &updated_at,
            &ended_at,
            &nodes,
            &firsts,
            &beyonds,
            &wanted,
            &became,
            &connection.part(),
        ],
    )
    .await
}

/// Adds the runs that begin, and their events.
pub(super) async fn add(
    connection: &Connection,
    heads: &BTreeMap<RunId, HeadDeed<'_>>,
) -> Outcome<()> {
    let new: Vec<(&Accept, &HeadDeed<'_>)> =
        heads.values().filter_map(|head| Some((head.accept?, head))).collect();
    if new.is_empty() {
        return Ok(());
    }
    let (runs, events) = join!(biased; add_runs(connection, &new), add_events(connection, &new));
    runs.and(events)
}

/// Counts claims. The runs are held since they were read, or new.
pub(super) async fn claim(connection: &Connection, claims: &BTreeMap<RunId, u32>) -> Outcome<()> {
    if claims.is_empty() {
        return Ok(());
    }
    let runs: Vec<_> = claims.keys().copied().map(Uuid::from).collect();
    let counts: Vec<_> = claims.values().copied().map(i64::from).collect();
    plain(connection, CLAIM, &[&runs, &counts]).await
}

async fn add_runs(connection: &Connection, new: &[(&Accept, &HeadDeed<'_>)]) -> Outcome<()> {
    let mut states = States::default();
    for (_, head) in new {
        states.push(head.state);
    }
    let States { status, cause, wake_at, summary, updated_at, ended_at } = states;
    let ids: Vec<_> = new.iter().map(|(accept, _)| Uuid::from(accept.run.id)).collect();
    let buckets: Vec<_> = new.iter().map(|(accept, _)| i32::from(accept.run.bucket)).collect();
    let tenants: Vec<_> = new.iter().map(|(accept, _)| accept.run.tenant.as_str()).collect();
    let environments: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.environment.as_str()).collect();
    let integrations: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.integration.as_str()).collect();
    let triggers: Vec<_> = new.iter().map(|(accept, _)| accept.run.trigger.as_str()).collect();
    let releases: Vec<_> = new.iter().map(|(accept, _)| text(&accept.run.release)).collect();
    let events: Vec<_> = new.iter().map(|(accept, _)| Uuid::from(accept.run.event)).collect();
    let subjects: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.subject.as_deref().map(text)).collect();
    let origins: Vec<_> = new
        .iter()
        .map(|(accept, _)| (accept.run.origin != accept.run.id).then(|| accept.run.origin.into()))
        .collect::<Vec<Option<Uuid>>>();
    let replays: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.replay_of.map(Uuid::from)).collect();
    let accepted: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.accepted_at.as_millis()).collect();
    let versions: Vec<_> = new.iter().map(|(_, head)| count(head.version)).collect();
    let txns: Vec<_> = new.iter().map(|(_, head)| Uuid::from(head.txn)).collect();
    let traces: Vec<_> =
        new.iter().map(|(accept, _)| accept.run.trace.as_deref().map(text)).collect();
    let low: Vec<i64> = new.iter().map(|(accept, _)| accept.run.priority.behind()).collect();
    plain(
        connection,
        ADD,
        &[
            &ids,
            &buckets,
            &tenants,
            &environments,
            &integrations,
            &triggers,
            &releases,
            &events,
            &subjects,
            &origins,
            &replays,
            &accepted,
            &status,
            &cause,
            &wake_at,
            &summary,
            &updated_at,
            &ended_at,
            &versions,
            &txns,
            &traces,
            &low,
        ],
    )
    .await
}

async fn add_events(connection: &Connection, new: &[(&Accept, &HeadDeed<'_>)]) -> Outcome<()> {
    let ids: Vec<_> = new.iter().map(|(accept, _)| Uuid::from(accept.run.id)).collect();
    let received: Vec<_> =
        new.iter().map(|(accept, _)| accept.event.received_at.as_millis()).collect();
    let bodies: Vec<&[u8]> = new.iter().map(|(accept, _)| &accept.event.body[..]).collect();
    plain(connection, ADD_EVENTS, &[&ids, &received, &bodies]).await
}
