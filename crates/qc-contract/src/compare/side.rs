//! One of the two descriptions, read as a tree of nodes with references followed.

use std::cell::RefCell;
use std::collections::HashMap;

use qc_document::Node;

use crate::documents::{At, Documents};
use crate::model::{SchemaAt, Version};

/// Longest chain of references that is followed.
const CHAIN_LIMIT: usize = 32;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Which {
    Old,
    New,
}

/// A node and the file that it stands in. Two are the same when they are the same node of the same tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'d> {
    pub(super) file: usize,
    pub(super) node: &'d Node,
}

impl<'d> Spot<'d> {
    /// The address of the node: its identity while its tree lives.
    pub(super) fn id(self) -> usize {
        std::ptr::from_ref(self.node).addr()
    }

    pub(super) fn get(self, key: &str) -> Option<Self> {
        self.node.get(key).map(|node| Self { file: self.file, node })
    }

    pub(super) fn with(self, node: &'d Node) -> Self {
        Self { file: self.file, node }
    }

    pub(super) fn text(self, key: &str) -> Option<&'d str> {
        self.node.get(key).and_then(Node::as_str)
    }

    pub(super) fn flag(self, key: &str) -> bool {
        self.node.get(key).and_then(Node::as_bool) == Some(true)
    }

    pub(super) fn entries(self, key: &str) -> impl Iterator<Item = (&'d str, Self)> {
        let entries = self.node.get(key).and_then(Node::as_mapping).unwrap_or_default();
        entries.iter().map(move |(key, node)| (&*key.name, self.with(node)))
    }

    pub(super) fn items(self, key: &str) -> impl Iterator<Item = Self> {
        let items = self.node.get(key).and_then(Node::as_sequence).unwrap_or_default();
        items.iter().map(move |node| self.with(node))
    }
}

/// Where a reference leads, by the file that it stands in and its text.
type Followed<'d> = HashMap<(usize, &'d str), Option<Spot<'d>>>;

/// A description, with the references that were followed kept.
pub(super) struct Side<'d> {
    pub(super) documents: &'d Documents,
    pub(super) version: Version,
    followed: RefCell<Followed<'d>>,
}

impl<'d> Side<'d> {
    pub(super) fn new(documents: &'d Documents, version: Version) -> Self {
        Self { documents, version, followed: RefCell::default() }
    }

    pub(super) fn root(&self) -> Spot<'d> {
        Spot { file: 0, node: self.documents.root() }
    }

    pub(super) fn at(&self, at: &At) -> Spot<'d> {
        let node = self.documents.node(at.file, &at.pointer);
        node.map_or_else(|| self.root(), |node| Spot { file: at.file, node })
    }

    pub(super) fn schema(&self, schema: &SchemaAt) -> Option<Spot<'d>> {
        let node = self.documents.node(schema.file, &schema.pointer)?;
        Some(Spot { file: schema.file, node })
    }

    /// Where a reference leads; nothing when it leads nowhere (the loader said so already).
    pub(super) fn target(&self, file: usize, reference: &'d str) -> Option<Spot<'d>> {
        if let Some(known) = self.followed.borrow().get(&(file, reference)) {
            return *known;
        }
        let found = self.documents.target(file, reference).ok().and_then(|at| {
            let node = self.documents.node(at.file, &at.pointer)?;
            Some(Spot { file: at.file, node })
        });
        self.followed.borrow_mut().insert((file, reference), found);
        found
    }

    /// Everything that a reference led to.
    pub(super) fn followed(&self) -> impl Iterator<Item = Spot<'d>> {
        let all: Vec<Spot<'d>> = self.followed.borrow().values().flatten().copied().collect();
        all.into_iter()
    }

    /// The value that a node is or refers to.
    pub(super) fn follow(&self, spot: Spot<'d>) -> Option<Spot<'d>> {
        let mut spot = spot;
        for _ in 0..CHAIN_LIMIT {
            let Some(reference) = spot.text("$ref") else { return Some(spot) };
            spot = self.target(spot.file, reference)?;
        }
        None
    }
}
