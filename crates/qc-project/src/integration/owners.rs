//! Owners.

use qc_model::Name;

use crate::shape::{Fields, Record, Spanned};

/// Who answers for what; each is the id of a person or team.
#[derive(Debug, Clone)]
pub struct Owners {
    /// For the business.
    pub business: Spanned<Name>,
    /// For the software.
    pub technical: Spanned<Name>,
    /// Further slots: what it is, and who.
    pub slots: Vec<(&'static str, Spanned<Name>)>,
}

impl Record for Owners {
    const NAME: &'static str = "owners";
    const DOC: &'static str = "Who answers for what; each is the id of a person or team.";

    fn fields(f: &mut Fields<'_, '_>) -> Option<Self> {
        let business = f.required("business", "Answers for the business.");
        let technical = f.required("technical", "Answers for the software.");
        let mut slots = Vec::new();
        for (slot, doc) in [
            ("api", "Answers for the API."),
            ("connector", "Answers for the connectors."),
            ("docs", "Answers for the documentation."),
            ("security_review", "Reviews security."),
            ("dashboard", "Answers for the dashboard."),
            ("approver", "Approves releases."),
            ("on_call", "Is called when it fails."),
        ] {
            slots.extend(f.optional(slot, doc).map(|who| (slot, who)));
        }
        Some(Self { business: business?, technical: technical?, slots })
    }
}

impl Owners {
    /// Every slot that is filled, with who fills it.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &Spanned<Name>)> {
        let first = [("business", &self.business), ("technical", &self.technical)];
        first.into_iter().chain(self.slots.iter().map(|(slot, who)| (*slot, who)))
    }

    /// Who is called when it fails: the on-call slot, else the technical owner.
    pub fn on_call(&self) -> &Spanned<Name> {
        let named = self.slots.iter().find(|(slot, _)| *slot == "on_call");
        named.map_or(&self.technical, |(_, who)| who)
    }
}
