/// Something by which people find a run: an order's number, a customer's e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunKey {
    /// What it is, such as `order`.
    pub name: String,
    /// The value.
    pub value: String,
}
