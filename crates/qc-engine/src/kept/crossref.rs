//! Cross-reference tables: a link is two documents, one for each direction, written together. An
//! id stands for at most one of the other system.

use qc_model::{Failure, Timestamp};
use qc_store::{Document, DocumentOp, Expect};
use serde_json::{Value, json};

use super::{
    Decided, fault,
    place::{KeptScope, LINK_KIND},
    stored::{StoredLink, decode, encode, next_revision},
};

/// An id of one of the systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) system: String,
    pub(super) id: String,
}

/// What is there under an id.
pub(super) struct There {
    document: u64,
    pub(super) link: StoredLink,
}

impl There {
    pub(super) fn of(document: Option<&Document>) -> Result<Option<Self>, Box<Failure>> {
        document
            .map(|document| Ok(Self { document: document.revision, link: decode(document)? }))
            .transpose()
    }
}

/// The name of the document of an id.
pub(super) fn name(scope: &KeptScope, table: &str, id: &Id) -> String {
    format!("{}{}", scope.of_system(table, &id.system), id.id)
}

/// The answer of a look-up.
pub(super) fn find(there: Option<&There>) -> Value {
    match there {
        Some(there) => {
            json!({ "found": true, "id": there.link.to, "revision": there.link.revision })
        }
        None => json!({ "found": false, "id": null, "revision": null }),
    }
}

/// Links two ids. The same pair again changes nothing.
pub(super) fn link(
    names: [String; 2],
    ids: &[Id; 2],
    there: [Option<There>; 2],
    at: Timestamp,
) -> Result<Decided, Box<Failure>> {
    let mut known = None;
    for (one, other, found) in [(&ids[0], &ids[1], &there[0]), (&ids[1], &ids[0], &there[1])] {
        let Some(found) = found else { continue };
        if found.link.to != other.id {
            return Err(fault::link_conflict(&one.system, &one.id, &found.link.to, &other.id));
        }
        known = Some(found.link.revision);
    }
    if there.iter().all(Option::is_some) {
        let answer = json!({ "new": false, "revision": known });
        return Ok(Decided { answer, documents: Vec::new() });
    }
    let revision = next_revision(known, at);
    let [a, b] = names;
    let documents = [(a, &ids[1], &there[0]), (b, &ids[0], &there[1])].map(|(name, to, there)| {
        DocumentOp::Put {
            kind: LINK_KIND.to_owned(),
            name,
            expect: there.as_ref().map_or(Expect::Absent, |it| Expect::Revision(it.document)),
            body: encode(StoredLink { revision, to: to.id.clone() }),
            at,
        }
    });
    let answer = json!({ "new": known.is_none(), "revision": revision });
    Ok(Decided { answer, documents: documents.into() })
}

/// Ends a link. `wanted` is the id that the other side must have, when the asker said one.
pub(super) fn unlink(
    names: [String; 2],
    of: &Id,
    wanted: Option<&str>,
    there: [Option<There>; 2],
) -> Result<Decided, Box<Failure>> {
    let [Some(found), back] = there else {
        return Ok(Decided { answer: json!({ "removed": false }), documents: Vec::new() });
    };
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found.link.to) {
        return Err(fault::link_conflict(&of.system, &of.id, &found.link.to, wanted));
    }
    let [a, b] = names;
    let gone = |name: String, there: &There| DocumentOp::Delete {
        kind: LINK_KIND.to_owned(),
        name,
        expect: Expect::Revision(there.document),
    };
    let mut documents = vec![gone(a, &found)];
    documents.extend(back.filter(|back| back.link.to == of.id).map(|back| gone(b, &back)));
    Ok(Decided { answer: json!({ "removed": true }), documents })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    fn ids(a: &str, b: &str) -> [Id; 2] {
        let id = |system: &str, id: &str| Id { system: system.to_owned(), id: id.to_owned() };
        [id("crm", a), id("erp", b)]
    }

    fn there(to: &str) -> There {
        There { document: 3, link: StoredLink { revision: 40, to: to.to_owned() } }
    }

    fn names() -> [String; 2] {
        ["n/crm".to_owned(), "n/erp".to_owned()]
    }

    #[test]
    fn an_id_has_one_partner_and_the_same_pair_changes_nothing() {
        let at = Timestamp::from_millis(50);
        let new = link(names(), &ids("1", "a"), [None, None], at).unwrap();
        assert_eq!((new.documents.len(), &new.answer["new"]), (2, &json!(true)));
        let same = link(names(), &ids("1", "a"), [Some(there("a")), Some(there("1"))], at).unwrap();
        assert_eq!((same.documents.len(), &same.answer["revision"]), (0, &json!(40)));
        for taken in [
            [Some(there("b")), None],
            [None, Some(there("2"))],
            [Some(there("a")), Some(there("2"))],
        ] {
            let failure = link(names(), &ids("1", "a"), taken, at).unwrap_err();
            assert_eq!(
                (failure.code, failure.class),
                (codes::LINK_CONFLICT, qc_model::Class::Conflict)
            );
        }
        let failure = link(names(), &ids("1", "a"), [Some(there("b")), None], at).unwrap_err();
        assert_eq!(failure.data.unwrap()["linked_to"], "b");
    }

    #[test]
    fn a_link_ends_in_both_directions_and_only_the_one_that_is_meant() {
        let [of, _] = ids("1", "a");
        let gone = unlink(names(), &of, None, [Some(there("a")), Some(there("1"))]).unwrap();
        assert_eq!(gone.documents.len(), 2);
        assert!(unlink(names(), &of, Some("b"), [Some(there("a")), Some(there("1"))]).is_err());
        assert_eq!(unlink(names(), &of, None, [None, None]).unwrap().documents, []);
    }
}
