//! What an operator may set about a journal.

use std::path::PathBuf;
use std::time::Duration;

use crate::OpenError;

/// How a journal is opened.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory; created when absent.
    pub dir: PathBuf,
    /// This member's number in the quorum, from 1.
    pub node: u64,
    /// How often a leader is heard from.
    pub heartbeat_ms: u64,
    /// A follower that hears no leader for a random time between the two stands for election.
    pub election_ms: (u64, u64),
    /// When the oldest history may go.
    pub retention: Retention,
    /// A snapshot is taken after so many bytes of entries, or after `snapshot_entries`.
    pub snapshot_bytes: u64,
    /// A snapshot is taken after so many entries, or after `snapshot_bytes`.
    pub snapshot_entries: u64,
    /// Entries are moved from the tail into a closed segment of the history when so many bytes of
    /// them are applied.
    pub segment_bytes: u64,
    /// How many bytes of the newest entries are kept in memory.
    pub cache_bytes: usize,
}

/// When the oldest history may go. Whole segments only, and only behind a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Segments closed longer ago than this go.
    pub max_age: Option<Duration>,
    /// The oldest segments go while all of them together are larger than this.
    pub max_bytes: Option<u64>,
}

impl Config {
    /// The defaults: heartbeats every 40 ms, elections after 150 to 300 ms, all history kept.
    pub fn new(dir: impl Into<PathBuf>, node: u64) -> Self {
        Self {
            dir: dir.into(),
            node,
            heartbeat_ms: 40,
            election_ms: (150, 300),
            retention: Retention::default(),
            snapshot_bytes: 64 << 20,
            snapshot_entries: 100_000,
            segment_bytes: 16 << 20,
            cache_bytes: 32 << 20,
        }
    }

    /// openraft's own settings. Those that are not from `self` are explained in the decision on
    /// openraft; a test holds `enable_leader_restore`, without which committed data forks.
    pub(crate) fn to_raft(&self) -> Result<openraft::Config, OpenError> {
        if self.node == 0 {
            return Err(OpenError::Settings("a node number is at least 1".into()));
        }
        let config = openraft::Config {
            cluster_name: "journal".into(),
            heartbeat_interval: self.heartbeat_ms,
            election_timeout_min: self.election_ms.0,
            election_timeout_max: self.election_ms.1,
            enable_leader_restore: Some(false),
            enable_pre_vote: Some(true),
            max_payload_entries: MAX_ENTRIES_PER_FRAME,
            snapshot_policy: openraft::SnapshotPolicy::Never,
            // entries leave by the retention policy, never because a snapshot was taken
            max_in_snapshot_log_to_keep: u64::MAX,
            purge_batch_size: 1,
            install_snapshot_timeout: SNAPSHOT_TIMEOUT_MS,
            backoff: "50ms, 100ms, 200ms ..500ms".into(),
            ..openraft::Config::default()
        };
        config.validate().map_err(|error| OpenError::Settings(error.to_string()))
    }
}

/// The most entries in one append to a peer.
const MAX_ENTRIES_PER_FRAME: u64 = 1024;
/// A snapshot that takes longer than this to reach a peer is started anew.
const SNAPSHOT_TIMEOUT_MS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_leader_never_resumes_its_term() {
        // with asynchronous appends a leader that resumes its term may issue other entries under
        // indexes its followers already hold
        let config = Config::new("unused", 1).to_raft().expect("defaults are valid");
        assert_eq!(config.enable_leader_restore, Some(false));
        assert_eq!(config.enable_pre_vote, Some(true));
        assert_eq!(config.snapshot_policy, openraft::SnapshotPolicy::Never);
    }

    #[test]
    fn impossible_settings_are_named() {
        let check = |change: fn(&mut Config)| {
            let mut config = Config::new("unused", 1);
            change(&mut config);
            config.to_raft().expect_err("refused").to_string()
        };
        assert!(check(|config| config.node = 0).contains("at least 1"));
        assert!(check(|config| config.election_ms = (300, 150)).contains("election"));
        assert!(check(|config| config.heartbeat_ms = 500).contains("heartbeat"));
    }
}
