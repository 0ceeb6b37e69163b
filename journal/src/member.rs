//! Who takes part in a journal.

use serde::{Deserialize, Serialize};

/// One member of the quorum, as written into the journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Where its peers reach it, as host:port.
    pub address: String,
    /// The [`incarnation`](crate::Identity::incarnation) of the data directory it joined with. A
    /// member that lost its directory must not vote under its old name, since it forgot what it
    /// promised; it is replaced instead.
    pub incarnation: String,
}
