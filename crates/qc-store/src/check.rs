use crate::{
    Accept, BUCKETS, DeadLetter, KEY_BYTES_MAX, KEYS_MAX, Op, RunKey, Signal, StoreError,
    TEXT_BYTES_MAX, Turn, Txn, WRITE_BYTES_MAX, WRITE_ITEMS_MAX, Wait, Write,
};

type Verdict = Result<(), StoreError>;

impl Write {
    /// Whether it is within the store's limits; what is not is [`StoreError::Refused`].
    pub fn check(&self) -> Verdict {
        let items = match self {
            Self::Accept(accept) => {
                check_accept(accept)?;
                accept.journal.len()
                    + accept.ledger.len()
                    + accept.signals.len()
                    + accept.waits.len()
                    + accept.documents.len()
            }
            Self::Commit { txn, .. } => {
                check_txn(txn)?;
                txn.ops.len()
            }
            Self::Change(change) => {
                change.signals.iter().try_for_each(check_signal)?;
                change.documents.len() + change.ledger.len() + change.signals.len()
            }
            Self::Claim { runs, .. } => runs.len(),
        };
        if items > WRITE_ITEMS_MAX {
            return refuse(format!("{items} rows in one write; the limit is {WRITE_ITEMS_MAX}"));
        }
        let weight = self.weight();
        if weight > WRITE_BYTES_MAX {
            return refuse(format!("{weight} bytes in one write; the limit is {WRITE_BYTES_MAX}"));
        }
        Ok(())
    }
}

fn check_accept(accept: &Accept) -> Verdict {
    let run = accept.run.id;
    if accept.run.bucket >= BUCKETS {
        return refuse(format!("bucket {} is not below {BUCKETS}", accept.run.bucket));
    }
    if accept.run.event != accept.event.id {
        return refuse(format!(
            "{run} is for {}, but the accept carries {}",
            accept.run.event, accept.event.id
        ));
    }
    if let Some(DeadLetter { run: other, .. }) = accept.dead.as_ref().filter(|l| l.run != run) {
        return refuse(format!("the accept of {run} carries a dead letter of {other}"));
    }
    accept.signals.iter().try_for_each(check_signal)?;
    accept.waits.iter().try_for_each(check_wait)?;
    accept.turn.iter().try_for_each(check_turn)?;
    check_keys(&accept.keys)
}

fn check_txn(txn: &Txn) -> Verdict {
    txn.ops.iter().try_for_each(|op| match op {
        Op::Dead(letter) if letter.run != txn.run => {
            refuse(format!("a step of {} carries a dead letter of {}", txn.run, letter.run))
        }
        Op::Signal(signal) => check_signal(signal),
        Op::Wait(wait) => check_wait(wait),
        Op::Keys(keys) => check_keys(keys),
        _ => Ok(()),
    })
}

fn check_signal(signal: &Signal) -> Verdict {
    let Signal { scope, kind, id, .. } = signal;
    texts("signal", &[("scope", scope), ("kind", kind), ("id", id)])
}

fn check_wait(wait: &Wait) -> Verdict {
    let Wait { id, scope, kind, site, key } = wait;
    let parts: [(&str, &str); 5] =
        [("id", id), ("scope", scope), ("kind", kind), ("site", site), ("key", key)];
    texts("wait", &parts)
}

fn check_turn(turn: &Turn) -> Verdict {
    texts("turn", &[("scope", &turn.scope), ("key", &turn.key)])
}

fn texts(of: &str, parts: &[(&str, &str)]) -> Verdict {
    match parts.iter().find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
        None => Ok(()),
        Some((part, text)) => refuse(format!(
            "the {part} of a {of} has {} bytes; the limit is {TEXT_BYTES_MAX}",
            text.len()
        )),
    }
}

fn check_keys(keys: &[RunKey]) -> Verdict {
    if keys.len() > KEYS_MAX {
        return refuse(format!("{} business keys of a run; the limit is {KEYS_MAX}", keys.len()));
    }
    match keys.iter().find(|key| key.name.len().max(key.value.len()) > KEY_BYTES_MAX) {
        None => Ok(()),
        Some(_) => refuse(format!(
            "a name or value of a business key is longer than {KEY_BYTES_MAX} bytes"
        )),
    }
}

fn refuse(why: String) -> Verdict {
    Err(StoreError::Refused(why))
}
