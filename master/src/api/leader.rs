//! Whether this master may answer, or who else (semantics 32, 34, 319).

use http::Uri;
use statemachine::{Command, Rejection, Reply};

use super::body::Refusal;
use crate::master::Master;
use crate::standing::Standing;

/// The term in which this master leads; otherwise where to go, or to wait.
pub(super) fn leading(master: &Master, uri: &Uri) -> Result<u64, Refusal> {
    match master.stand.now() {
        Standing::Leading(term) => Ok(term),
        Standing::Following(address) => {
            let path = uri.path_and_query().map_or("", |path| path.as_str());
            Err(Refusal::Elsewhere(format!("//{address}{path}")))
        }
        other => Err(unavailable(other)),
    }
}

/// Whether reads are answered here. A journal that has stopped (a full disk) takes no decisions,
/// but where there is no other master nobody else takes any either, and what was decided can be read.
pub(super) fn readable(master: &Master, uri: &Uri) -> Result<(), Refusal> {
    let is_alone = || master.journal.status().members.len() <= 1;
    match leading(master, uri) {
        Ok(_) => Ok(()),
        Err(_) if matches!(master.stand.now(), Standing::Stopped(_)) && is_alone() => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

/// Has the leader of `term` decide a command that came in so many bytes.
///
/// # Errors
/// Leadership went, and the outcome is not known; inside, the command was rejected.
pub(super) async fn ask(
    master: &Master,
    term: u64,
    (command, bytes): (impl Into<Command>, usize),
) -> Result<Result<Reply, Rejection>, Refusal> {
    master.ask(term, command, bytes).await.map_err(|_| lost())
}

/// Where the leader is, as `host:port`.
pub(super) fn leader(master: &Master) -> Result<String, Refusal> {
    match master.stand.now() {
        Standing::Leading(_) => Ok(master.config.address()),
        Standing::Following(address) => Ok(address),
        other => Err(unavailable(other)),
    }
}

/// Refuses if this master does not lead in `term` any more.
pub(super) fn leading_still(master: &Master, term: u64) -> Result<(), Refusal> {
    if master.stand.now() == Standing::Leading(term) { Ok(()) } else { Err(lost()) }
}

/// The answer to a call whose outcome is not known, because leadership went.
pub(super) fn lost() -> Refusal {
    let text = "Leadership was lost before the call was known to be committed: \
                it may have happened, or not";
    Refusal::Unavailable(text.to_owned())
}

fn unavailable(standing: Standing) -> Refusal {
    Refusal::Unavailable(match standing {
        Standing::Recovering => "Master has not finished recovery".to_owned(),
        Standing::Stopped(reason) => format!("This master takes no decisions: {reason}"),
        Standing::Leading(_) | Standing::Following(_) | Standing::Electing => {
            "No leader elected".to_owned()
        }
    })
}
