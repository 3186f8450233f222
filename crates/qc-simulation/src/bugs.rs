//! Bugs that can be planted, to show that they are found.

/// A planted bug. Those of the engine exist only with the feature `planted-bugs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planted {
    /// The store looks neither at leases nor at versions.
    MissingFence,
    /// One of the engine's.
    #[cfg(feature = "planted-bugs")]
    Engine(qc_engine::planted::Bug),
}

impl Planted {
    /// All that there are in this build.
    pub fn all() -> Vec<Self> {
        let of_store = [Self::MissingFence];
        #[cfg(feature = "planted-bugs")]
        return of_store
            .into_iter()
            .chain(qc_engine::planted::Bug::ALL.map(Self::Engine))
            .collect();
        #[cfg(not(feature = "planted-bugs"))]
        of_store.to_vec()
    }

    /// Its name.
    pub fn name(self) -> String {
        match self {
            Self::MissingFence => "MissingFence".to_owned(),
            #[cfg(feature = "planted-bugs")]
            Self::Engine(bug) => format!("{bug:?}"),
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|bug| bug.name() == name)
    }
}

/// Plants a bug in the engines of this thread until it is dropped.
pub(crate) struct Soil;

impl Soil {
    pub(crate) fn with(bug: Option<Planted>) -> Self {
        #[cfg(feature = "planted-bugs")]
        qc_engine::planted::plant(match bug {
            Some(Planted::Engine(bug)) => Some(bug),
            Some(Planted::MissingFence) | None => None,
        });
        #[cfg(not(feature = "planted-bugs"))]
        let _ = bug;
        Self
    }
}

impl Drop for Soil {
    fn drop(&mut self) {
        #[cfg(feature = "planted-bugs")]
        qc_engine::planted::plant(None);
    }
}
