//! How a master without a place in a quorum gets one: as a founder, or by being added.
//!
//! The founders ask one another who they are until all have answered and none has anything yet. All
//! then know the same, and so form the same quorum: numbered in the order of their addresses, and
//! named after the random incarnation of the first.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use futures::future::join_all;
use journal::{FORMAT, Identity, Journal, Member, MemberStatus, OpenError};
use protocol::quorum::{self, IdentifyRequest, QuorumStatus, ShowRequest};
use protocol::rpc;
use protocol::tls::Tls;
use tokio::sync::watch;

use crate::config::{Config, QuorumError};
use crate::quorum::Place;

/// How long a founder may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before the founders are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// How often to say that some have not answered.
const REMIND: Duration = Duration::from_secs(10);

/// Why this master cannot take a place in a quorum.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The list of founders makes no sense.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The quorum is there, and this data directory is not part of it.
    #[error(
        "the quorum {cluster_id} that {address} belongs to knows this master by another data \
         directory, or not at all: start it with --join on an empty directory, and add it with \
         `mesolith quorum replace` or `mesolith quorum add`"
    )]
    AlreadyFormed {
        /// Who says so.
        address: String,
        /// The quorum.
        cluster_id: String,
    },
    /// A founder belongs to another quorum.
    #[error(
        "{address} belongs to another quorum, {cluster_id}, than some of those listed: a master that is to take a place \
         in a quorum that exists is started with --join on an empty directory, and added with `mesolith quorum \
         replace` or `mesolith quorum add`"
    )]
    OtherQuorum {
        /// The founder.
        address: String,
        /// Its quorum.
        cluster_id: String,
    },
    /// A founder writes another journal format.
    #[error("{address} writes journal format {theirs}, this master format {FORMAT}")]
    Format {
        /// The founder.
        address: String,
        /// Its format.
        theirs: u32,
    },
    /// The journal is that of a member which the others reach elsewhere.
    #[error(
        "the journal in {dir} is that of {recorded} among {members}, and this master is known as {known}: \
         start it with the --ip, --port and --masters that it had"
    )]
    OtherAddress {
        /// The work directory.
        dir: String,
        /// Where the others reach this member.
        recorded: String,
        /// All members.
        members: String,
        /// Names of this master.
        known: String,
    },
    /// The place could not be taken.
    #[error("cannot take a place in the quorum")]
    Join(#[source] OpenError),
    /// The service that peers talk to has gone.
    #[error("this master was stopped before it had a place in a quorum")]
    Stopped,
}

/// A place in a quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The number.
    pub(crate) node: u64,
    /// For founders: everyone, and the name of the quorum that is to be formed.
    pub(crate) founding: Option<(BTreeMap<u64, Member>, String)>,
}

/// Finds the place of the master with this identity, waiting as long as it takes.
pub(crate) async fn take_place(
    (config, tls): (&Config, Option<&Tls>),
    identity: &mut Identity,
    place: &mut watch::Receiver<Place>,
) -> Result<Taken, FormError> {
    if identity.node != 0 {
        return Ok(Taken { node: identity.node, founding: None });
    }
    if config.join {
        return accept_invitation(&config.work_dir, identity, place).await;
    }
    found((config, tls), identity).await
}

/// Waits until a leader's first message gives this master its place.
async fn accept_invitation(
    dir: &Path,
    identity: &mut Identity,
    place: &mut watch::Receiver<Place>,
) -> Result<Taken, FormError> {
    tracing::info!("waiting to be added to a quorum (mesolith quorum add)");
    let invited = place.wait_for(|place| matches!(place, Place::Invited(..))).await;
    let invited = invited.map_err(|_| FormError::Stopped)?.clone();
    let Place::Invited(_, invitation) = invited else { return Err(FormError::Stopped) };
    identity.join(dir, invitation.node, &invitation.cluster_id).map_err(FormError::Join)?;
    Ok(Taken { node: invitation.node, founding: None })
}

/// Asks the founders until it is clear what this master is among them.
pub(crate) async fn found(
    (config, tls): (&Config, Option<&Tls>),
    identity: &mut Identity,
) -> Result<Taken, FormError> {
    let founders = config.founders()?;
    let own = config.address();
    let mut reminder = tokio::time::interval(REMIND);
    reminder.tick().await;
    loop {
        let asked = founders.iter().map(|address| ask((address, tls), &own, identity));
        let answers = join_all(asked).await;
        if let Some((address, status)) = answers.iter().flatten().find_map(|it| it.formed()) {
            return rejoin(config, identity, address, status);
        }
        let missing: Vec<_> =
            founders.iter().zip(&answers).filter(|(_, answer)| answer.is_none()).collect();
        if missing.is_empty() {
            return agree(&own, answers.into_iter().flatten().collect());
        }
        let missing: Vec<_> = missing.into_iter().map(|(address, _)| address.as_str()).collect();
        tokio::select! {
            _ = reminder.tick() => tracing::info!(?missing, "waiting for the other founders"),
            () = tokio::time::sleep(ASK_AGAIN) => {}
        }
    }
}

/// What a founder says.
#[derive(Clone, Debug)]
struct Answer {
    address: String,
    identity: quorum::Identity,
    status: QuorumStatus,
}

impl Answer {
    /// The founder and its quorum, if it is in one that is formed.
    fn formed(&self) -> Option<(&str, &QuorumStatus)> {
        (!self.status.members.is_empty()).then_some((&*self.address, &self.status))
    }
}

async fn ask(
    (address, tls): (&str, Option<&Tls>),
    own: &str,
    identity: &Identity,
) -> Option<Answer> {
    if address == own {
        let identity = quorum::Identity {
            incarnation: identity.incarnation.clone(),
            cluster_id: identity.cluster_id.clone(),
            format: FORMAT,
            ..quorum::Identity::default()
        };
        let status = QuorumStatus::default();
        return Some(Answer { address: address.to_owned(), identity, status });
    }
    let asked = async {
        let mut client = rpc::quorum_client(rpc::channel(address, tls).ok()?);
        let identity = client.identify(IdentifyRequest {}).await.ok()?.into_inner();
        let status = client.show(ShowRequest {}).await.ok()?.into_inner();
        Some(Answer { address: address.to_owned(), identity, status })
    };
    tokio::time::timeout(ANSWER_TIMEOUT, asked).await.ok().flatten()
}

/// The quorum is there: this master goes back to its place, or has none.
fn rejoin(
    config: &Config,
    identity: &mut Identity,
    address: &str,
    status: &QuorumStatus,
) -> Result<Taken, FormError> {
    let known = status.members.iter().find(|member| member.incarnation == identity.incarnation);
    let Some(known) = known else {
        let (address, cluster_id) = (address.to_owned(), status.cluster_id.clone());
        return Err(FormError::AlreadyFormed { address, cluster_id });
    };
    identity.join(&config.work_dir, known.node_id, &status.cluster_id).map_err(FormError::Join)?;
    Ok(Taken { node: known.node_id, founding: None })
}

/// All founders have answered, and no quorum is there: what they form.
fn agree(own: &str, answers: Vec<Answer>) -> Result<Taken, FormError> {
    let cluster_id = answers.first().map_or_else(String::new, |first| {
        let incarnation = &first.identity.incarnation;
        uuid::Uuid::parse_str(incarnation).map_or(incarnation.clone(), |it| it.to_string())
    });
    let mut node = 0;
    let mut members = BTreeMap::new();
    for (number, Answer { address, identity, .. }) in (1..).zip(answers) {
        if identity.format != FORMAT {
            return Err(FormError::Format { address, theirs: identity.format });
        }
        if !identity.cluster_id.is_empty() && identity.cluster_id != cluster_id {
            return Err(FormError::OtherQuorum { address, cluster_id: identity.cluster_id });
        }
        if address == own {
            node = number;
        }
        members.insert(number, Member { address, incarnation: identity.incarnation });
    }
    Ok(Taken { node, founding: Some((members, cluster_id)) })
}

/// Makes sure that the others reach this master where it listens. One that is alone may move; one that
/// was removed has no place to be at.
pub(crate) fn check_address(
    config: &Config,
    node: u64,
    members: &[MemberStatus],
) -> Result<(), FormError> {
    let own = members.iter().find(|member| member.node == node);
    let Some(own) = own.filter(|_| members.len() > 1) else { return Ok(()) };
    if config.is_at(&own.address) {
        return Ok(());
    }
    let known = config.names();
    let addresses: Vec<&str> = members.iter().map(|member| member.address.as_str()).collect();
    Err(FormError::OtherAddress {
        dir: config.work_dir.display().to_string(),
        recorded: own.address.clone(),
        members: addresses.join(","),
        known: known.join(" and "),
    })
}

/// Makes sure that the quorum that an open journal belongs to is formed. Done again by a founder
/// that died halfway; a journal that holds something needs nothing.
pub(crate) async fn form(
    (config, tls): (&Config, Option<&Tls>),
    journal: &Journal,
    taken: Taken,
) -> Result<(), FormError> {
    if journal.status().last_index > 0 || config.join {
        return Ok(());
    }
    let mut applied = journal.watch_applied();
    let formed = async {
        let taken = match taken.founding {
            Some(_) => taken,
            None => found((config, tls), &mut journal.identity()).await?,
        };
        let Some((members, cluster_id)) = taken.founding else { return Ok(()) };
        while let Err(error) = journal.form(members.clone(), &cluster_id).await {
            tracing::warn!(%error, "the quorum is not formed yet");
            tokio::time::sleep(ASK_AGAIN).await;
        }
        Ok(())
    };
    tokio::select! {
        formed = formed => formed,
        // a leader has found this master meanwhile
        _ = applied.wait_for(|index| *index > 0) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(address: &str, incarnation: &str, cluster_id: &str) -> Answer {
        let identity = quorum::Identity {
            incarnation: incarnation.to_owned(),
            cluster_id: cluster_id.to_owned(),
            format: FORMAT,
            ..quorum::Identity::default()
        };
        Answer { address: address.to_owned(), identity, status: QuorumStatus::default() }
    }

    const FIRST: &str = "00112233445566778899aabbccddeeff";
    const NAME: &str = "00112233-4455-6677-8899-aabbccddeeff";

    #[test]
    fn founders_agree_without_talking_about_it() {
        let answers = || vec![answer("a:1", FIRST, ""), answer("b:1", "x", NAME)];
        let of_a = agree("a:1", answers()).expect("agreed");
        let of_b = agree("b:1", answers()).expect("agreed");
        assert_eq!((of_a.node, of_b.node), (1, 2));
        assert_eq!(of_a.founding, of_b.founding);
        assert_eq!(of_a.founding.expect("founding").1, NAME);
    }

    fn check_place(flags: &[&str], members: &[&str], expected: Result<(), &str>) {
        let config = crate::config::tests::parse(flags).expect("flags");
        let member = |(node, address): (u64, &&str)| MemberStatus {
            node,
            address: (*address).to_owned(),
            incarnation: String::new(),
            voter: true,
            matched: None,
        };
        let members: Vec<_> = (1..).zip(members).map(member).collect();
        match (check_address(&config, 2, &members), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(expected)) => {
                assert!(error.to_string().contains(expected), "{error}");
            }
            (found, _) => panic!("{flags:?}: {found:?}"),
        }
    }

    #[test]
    fn a_member_is_where_the_others_reach_it() {
        let members = ["127.0.0.1:10", "127.0.0.1:20", "127.0.0.1:30"];
        let at = |port: &'static str| ["--ip", "127.0.0.1", "--port", port];
        check_place(&at("20"), &members, Ok(()));
        let text = "is that of 127.0.0.1:20 among 127.0.0.1:10,127.0.0.1:20,127.0.0.1:30, and this \
                    master is known as 127.0.0.1:21";
        check_place(&at("21"), &members, Err(text));
        check_place(&["--ip", "10.0.0.1", "--port", "20"], &members, Err("10.0.0.1:20"));
        check_place(&["--port", "20"], &["a:10", "10.0.0.9:20"], Ok(()));
        check_place(&at("20"), &["a:10", "added.by.name:20"], Ok(()));
        check_place(&at("21"), &["127.0.0.1:10"], Ok(()));
        check_place(&at("21"), &[], Ok(()));
    }

    #[test]
    fn a_founder_of_another_quorum_is_named() {
        let error = agree("a:1", vec![answer("a:1", FIRST, ""), answer("b:1", "x", "other")]);
        assert!(error.expect_err("refused").to_string().contains("b:1 belongs to another quorum"));
    }
}
