//! The owner directory.

use qc_document::{Node, Reader};
use qc_model::Name;
use serde_json::{Value, json};

use crate::shape::{Definitions, Fields, Record, Shape, Spanned};

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Their name.
    pub name: String,
    /// How to reach them.
    pub email: Email,
}

/// A part of the organisation, with teams of its own.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Its name.
    pub title: String,
}

/// A team.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its name.
    pub title: String,
    /// Its members, by id.
    pub members: Vec<Spanned<Name>>,
    /// Where it is reached: a mail address, a channel, a page.
    pub contact: String,
    /// Who of its members answers first now, by id.
    pub on_call: Option<Spanned<Name>>,
    /// The unit of which it is a part.
    pub unit: Option<Spanned<Name>>,
}

impl Record for Unit {
    const NAME: &'static str = "unit";
    const DOC: &'static str = "A part of the organisation, with teams of its own.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let title = f.required("title", "The unit's name.");
        Some(Self { title: title? })
    }
}

impl Record for Person {
    const NAME: &'static str = "person";
    const DOC: &'static str = "A person who can own things.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let name = f.required("name", "The person's name.");
        let email = f.required("email", "The person's mail address.");
        Some(Self { name: name?, email: email? })
    }
}

impl Record for Team {
    const NAME: &'static str = "team";
    const DOC: &'static str = "A team that can own things.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let title = f.required("title", "The team's name.");
        let members = f.required("members", "Ids of people.");
        let contact =
            f.required("contact", "Where the team is reached: mail address, channel or page.");
        let on_call = f.optional("on_call", "The member who answers first.");
        let unit = f.optional("unit", "The unit of which the team is a part.");
        Some(Self { title: title?, members: members?, contact: contact?, on_call, unit })
    }
}

/// A mail address: something, `@`, a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(pub String);

impl Shape for Email {
    fn read(node: &Node, what: &str, reader: &Reader<'_>) -> Option<Self> {
        let text = reader.text(node, what)?;
        let legal = text.split_once('@').is_some_and(|(who, host)| {
            !who.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !text.contains(char::is_whitespace)
        });
        if legal {
            return Some(Self(text.to_owned()));
        }
        reader.invalid(node, format!("{what} must be a mail address such as `ada@example.com`"));
        None
    }

    fn schema(_: &mut Definitions) -> Value {
        json!({ "type": "string", "pattern": r"^[^@\s]+@[^@\s]+$" })
    }
}
