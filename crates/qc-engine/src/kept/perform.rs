//! A run's call to what is kept: reads the store and decides. What is to be written is written by
//! the run's own commit; when somebody else was first, this is asked again.

use std::time::Duration;

use qc_model::{Class, Failure, Timestamp};
use qc_store::{Document, Store};
use qc_workflow::KeptDeed;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Decided, Kept, KeptScope,
    crossref::{self, Id},
    fault,
    place::{LINK_KIND, STATE_KIND, text_of},
    state,
};

/// The pause before a store that did not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// What is asked of what is kept.
pub(crate) struct Asked<'a> {
    pub(crate) deed: KeptDeed,
    pub(crate) place: &'a str,
    pub(crate) arguments: &'a Value,
    pub(crate) at: Timestamp,
}

/// Reads, and decides what to answer and what to write. A store that does not answer is asked
/// again, for so long.
pub(crate) async fn perform(
    store: &dyn Store,
    kept: &Kept,
    scope: &KeptScope,
    asked: &Asked<'_>,
    limit: Duration,
) -> Result<Decided, Box<Failure>> {
    let began = Instant::now();
    loop {
        match once(store, kept, scope, asked).await {
            Err(failure) if failure.class == Class::Dependency && began.elapsed() < limit => {
                sleep(ASK_AGAIN).await;
            }
            decided => return decided,
        }
    }
}

/// The same, once.
pub(super) async fn once(
    store: &dyn Store,
    kept: &Kept,
    scope: &KeptScope,
    asked: &Asked<'_>,
) -> Result<Decided, Box<Failure>> {
    match asked.deed {
        KeptDeed::Get | KeptDeed::Put | KeptDeed::Delete => {
            of_state(store, kept, scope, asked).await
        }
        KeptDeed::Find | KeptDeed::Link | KeptDeed::Unlink => {
            of_table(store, kept, scope, asked).await
        }
    }
}

async fn of_state(
    store: &dyn Store,
    kept: &Kept,
    scope: &KeptScope,
    asked: &Asked<'_>,
) -> Result<Decided, Box<Failure>> {
    let &Asked { deed, place, arguments, at } = asked;
    let rule = kept.state(place)?;
    let key = text_of(arguments.get("key"), "key")?;
    let expect = state::expectation(arguments.get("expect"))?;
    let value = arguments.get("value").unwrap_or(&Value::Null);
    if deed == KeptDeed::Put {
        state::checked(rule, value)?;
    }
    let name = format!("{}{key}", scope.of_state(place));
    let document = document(store, STATE_KIND, &name).await?;
    let there = state::There::of(document.as_ref())?;
    match deed {
        KeptDeed::Put => state::put(rule, &name, value, expect, there.as_ref(), at),
        KeptDeed::Delete => state::delete(&name, expect, there.as_ref(), at),
        _ => Ok(Decided { answer: state::get(there.as_ref(), at), documents: Vec::new() }),
    }
}

async fn of_table(
    store: &dyn Store,
    kept: &Kept,
    scope: &KeptScope,
    asked: &Asked<'_>,
) -> Result<Decided, Box<Failure>> {
    let &Asked { deed, place, arguments, at } = asked;
    let rule = kept.table(place)?;
    let [a, b] = &rule.systems;
    let id = |system: &String| -> Result<Option<Id>, Box<Failure>> {
        let Some(value) = arguments.get(system) else { return Ok(None) };
        Ok(Some(Id { system: system.clone(), id: text_of(Some(value), system)? }))
    };
    let read = async |id: &Id| {
        let name = crossref::name(scope, place, id);
        crossref::There::of(document(store, LINK_KIND, &name).await?.as_ref())
    };
    match (deed, id(a)?, id(b)?) {
        (KeptDeed::Link, Some(one), Some(other)) => {
            let there = [read(&one).await?, read(&other).await?];
            let ids = [one, other];
            let names = [0, 1].map(|n| crossref::name(scope, place, &ids[n]));
            crossref::link(names, &ids, there, at)
        }
        (KeptDeed::Unlink, one, other) if one.is_some() || other.is_some() => {
            let (of, wanted, far) = match (one, other) {
                (Some(one), other) => (one, other, b),
                (None, Some(other)) => (other, None, a),
                (None, None) => return Err(fault::argument(format!("`{a}` or `{b}` is missing"))),
            };
            let there = read(&of).await?;
            let to = there.as_ref().map_or_else(String::new, |there| there.link.to.clone());
            let far = Id { system: far.clone(), id: to };
            let back = if there.is_some() { read(&far).await? } else { None };
            let names = [crossref::name(scope, place, &of), crossref::name(scope, place, &far)];
            let wanted = wanted.as_ref().map(|wanted| wanted.id.as_str());
            crossref::unlink(names, &of, wanted, [there, back])
        }
        (_, Some(known), None) | (_, None, Some(known)) if deed == KeptDeed::Find => {
            let answer = crossref::find(read(&known).await?.as_ref());
            Ok(Decided { answer, documents: Vec::new() })
        }
        _ => Err(fault::argument(format!("the ids of `{a}` and `{b}` are not those it needs"))),
    }
}

async fn document(
    store: &dyn Store,
    kind: &str,
    name: &str,
) -> Result<Option<Document>, Box<Failure>> {
    store.document(kind, name).await.map_err(|error| fault::store(&error))
}

impl Kept {
    pub(super) fn state(&self, name: &str) -> Result<&super::StateRule, Box<Failure>> {
        let known: Vec<&str> = self.states.keys().map(String::as_str).collect();
        self.states.get(name).ok_or_else(|| fault::unknown("state", name, &known))
    }

    pub(super) fn table(&self, name: &str) -> Result<&super::TableRule, Box<Failure>> {
        let known: Vec<&str> = self.tables.keys().map(String::as_str).collect();
        self.tables.get(name).ok_or_else(|| fault::unknown("cross-reference table", name, &known))
    }
}
