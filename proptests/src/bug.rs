//! Faults planted on purpose, one at a time, to prove that the simulation would find them. Each is
//! something that a plausible mistake in a master, an agent or the journal would do.

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// The leader sends before the batch is committed.
    SendBeforeCommit,
    /// A leader that lost its term goes on with its old working state when it leads again.
    WorkingStateKept,
    /// A leader counts its own disk as a majority.
    CommitWithoutMajority,
    /// Followers vote for candidates that lack entries they have.
    VoteForShorterLog,
    /// Followers confirm entries before they are durable.
    AnswerBeforeSync,
    /// A snapshot lacks the last batch before it.
    SnapshotWithoutLastBatch,
    /// A replica leaves out acknowledgements when it folds.
    ReplicaSkipsEvents,
    /// Deadlines are forgotten at a change of leader, on every replica.
    DeadlinesForgotten,
    /// Ticks are decided for a time that has not come.
    TicksEarly,
    /// The leader takes its clock as it is, even when it is behind the journal.
    ClockNotHeld,
    /// Declines are taken without their filter.
    FilterLost,
    /// An acknowledgement is answered with 202 and then dropped.
    AcknowledgementDropped,
    /// The master acknowledges updates to agents before their framework has.
    AcknowledgedByMaster,
    /// Offers of one cycle are laid on the table twice.
    OffersRepeated,
    /// An agent forgets in a crash how far it has taken launches.
    LaunchesForgotten,
    /// An agent forgets unacknowledged updates in a crash.
    UpdatesForgotten,
    /// The end of an old stream disconnects the new one.
    OldStreamEndsNew,
    /// A launch is sent to the agent once only: it is not owed to a new stream.
    LaunchesNotOwed,
    /// What a framework that is over has not stopped running is taken to be free (gaps 51).
    LingeringForgotten,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::SendBeforeCommit,
        Self::WorkingStateKept,
        Self::CommitWithoutMajority,
        Self::VoteForShorterLog,
        Self::AnswerBeforeSync,
        Self::SnapshotWithoutLastBatch,
        Self::ReplicaSkipsEvents,
        Self::DeadlinesForgotten,
        Self::TicksEarly,
        Self::ClockNotHeld,
        Self::FilterLost,
        Self::AcknowledgementDropped,
        Self::AcknowledgedByMaster,
        Self::OffersRepeated,
        Self::LaunchesForgotten,
        Self::UpdatesForgotten,
        Self::OldStreamEndsNew,
        Self::LaunchesNotOwed,
        Self::LingeringForgotten,
    ];
}
