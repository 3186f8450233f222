/// The line in which a run waits for its turn: runs of one key go one after the other.
///
/// A run joins the end of the line with its accept and leaves it with `Op::EndTurn`, or when it is
/// pruned; its end alone does not give the place free. The order is that in which the accepts were
/// committed. Whoever is first stays first until it leaves. A replay that joins the line in which the
/// run that it replays still stands takes that one's place there, and that one has left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// Whose line, such as tenant, environment and integration, as one text.
    pub scope: String,
    /// The key within the scope.
    pub key: String,
}

/// A run's place in its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnPlace {
    /// The line.
    pub turn: Turn,
    /// How many runs are ahead of it; 1,000 means 1,000 or more.
    pub ahead: usize,
}
