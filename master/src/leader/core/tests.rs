use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use statemachine::cluster::Lead;
use statemachine::{AgentId, Capabilities, Session, agent};

/// A leader of cluster `c` that has just been elected.
fn leader() -> Core<u32> {
    let mut core = Core::new(State::default(), Arc::new(Settings::default()));
    let (proposal, release) = core.turn(Time(1000), 1, [input(0, lead())]);
    assert_eq!(proposal.expect("an election").sequence, 1);
    assert!(release.is_none(), "nothing leaves before the commit");
    core
}

fn lead() -> Command {
    Lead { term: 1, leader: 1, cluster: "c".into() }.into()
}

fn register(session: u64) -> Command {
    agent::Register {
        agent: None,
        description: agent::Description {
            hostname: "h".into(),
            address: "h:1".into(),
            version: "0".into(),
            capabilities: Capabilities::default(),
            resources: statemachine::resources::Resources::default(),
            attributes: Vec::new(),
            domain: None,
            tells_stops: false,
            payload: Bytes::new(),
        },
        session: Session(session),
        tasks: Vec::new(),
        executors: Vec::new(),
        running: std::collections::BTreeSet::new(),
        last_launch: statemachine::EventNumber(0),
        estimate: statemachine::resources::Resources::default(),
    }
    .into()
}

/// An end of a stream that nobody knows: refused, so nothing stands behind the answer.
fn nonsense() -> Command {
    agent::Disconnect { agent: AgentId(99), session: Session(0), cause: agent::Cause::Closed }
        .into()
}

fn input(ticket: u32, command: Command) -> Input<u32> {
    Input { command, principal: None, ticket }
}

fn tickets(releases: &[Release<u32>]) -> Vec<u32> {
    releases.iter().flat_map(|release| &release.decided).filter_map(|it| it.ticket).collect()
}

/// semantics 219, 246
#[test]
fn answers_leave_in_order_once_all_before_them_is_committed() {
    let mut core = leader();
    let (proposal, release) =
        core.turn(Time(1001), 1, [input(1, register(1)), input(2, nonsense())]);
    assert!(proposal.is_some() && release.is_none());
    let (proposal, release) = core.turn(Time(1002), 1, [input(3, nonsense())]);
    assert!(proposal.is_none(), "nothing happened");
    assert!(release.is_none(), "but it was decided on what is not committed yet");
    assert_eq!(tickets(&core.committed(1)), [0]);
    assert_eq!(tickets(&core.committed(2)), [1, 2, 3]);
    let (proposal, release) = core.turn(Time(1003), 1, [input(4, nonsense())]);
    assert!(proposal.is_none());
    assert_eq!(tickets(&[release.expect("nothing to wait for")]), [4]);
}

#[test]
fn a_later_commit_releases_all_before_it() {
    let mut core = leader();
    core.turn(Time(1001), 1, [input(1, register(1))]);
    core.turn(Time(1002), 1, [input(2, register(2))]);
    assert_eq!(tickets(&core.committed(3)), [0, 1, 2]);
    assert!(core.committed(2).is_empty());
}

#[test]
fn the_window_is_bounded() {
    let mut core = leader();
    let mut in_flight = 1;
    while !core.is_full() {
        core.turn(Time(1001), 1, [input(in_flight, register(u64::from(in_flight)))]);
        in_flight += 1;
    }
    assert_eq!(in_flight as usize, WINDOW_BATCHES);
    core.committed(1);
    assert!(!core.is_full());
}

#[test]
fn time_never_runs_behind_the_last_batch() {
    let mut core = leader();
    let (proposal, _) = core.turn(Time(5), 1, [input(1, register(1))]);
    let batch = Batch::decode(&proposal.expect("a batch").payload).expect("our own");
    assert_eq!(batch.at, Time(1000));
}

#[test]
fn due_deadlines_fire_without_being_asked() {
    let mut core = leader();
    core.turn(Time(2000), 1, [input(1, register(1))]);
    let gone =
        agent::Disconnect { agent: AgentId(0), session: Session(1), cause: agent::Cause::Closed };
    core.turn(Time(3000), 1, [input(2, gone.into())]);
    let due = Time(3000).after_ms(Settings::default().agent_reregister_timeout_ms);
    assert!(core.is_due(due));
    core.turn(due, 1, []);
    let agent = core.state().agents.get(&AgentId(0)).expect("still there");
    assert_eq!(agent.unreachable_since, Some(due));
}

#[test]
fn what_is_proposed_folds_into_the_same_state() {
    let mut core = leader();
    let mut replica = State::default();
    let mut fold = |proposal: Option<Proposal>| {
        let batch = Batch::decode(&proposal.expect("a batch").payload).expect("our own");
        batch.apply(&mut replica);
        replica.digest()
    };
    let mut fresh = Core::new(State::default(), Arc::new(Settings::default()));
    fold(fresh.turn(Time(1000), 1, [input(0, lead())]).0);
    let (proposal, _) = core.turn(Time(1001), 1, [input(1, register(1)), input(2, register(2))]);
    assert_eq!(fold(proposal), core.state().digest());
}

proptest! {
    /// semantics 246
    ///
    /// Whatever is asked and committed when: each answer leaves once, in order, and none before
    /// all that was decided until then is committed.
    #[test]
    fn every_answer_leaves_once_and_in_order(
        steps in vec((any::<bool>(), vec(any::<bool>(), 0..4)), 0..60),
    ) {
        let mut core = leader();
        let (mut asked, mut proposed, mut committed) = (1, 1, 0);
        let mut answered = Vec::new();
        for (commits, commands) in steps {
            if commits || core.is_full() {
                committed = proposed.min(committed + 1);
                answered.extend(tickets(&core.committed(committed)));
                continue;
            }
            let first = asked;
            asked += commands.len() as u32;
            let inputs = (first..).zip(commands).map(|(ticket, changes)| {
                input(ticket, if changes { register(u64::from(ticket)) } else { nonsense() })
            });
            let (proposal, release) = core.turn(Time(2000), 1, inputs);
            if let Some(proposal) = proposal {
                proposed += 1;
                prop_assert_eq!(proposal.sequence, proposed);
                prop_assert!(release.is_none());
            }
            if let Some(release) = release {
                prop_assert_eq!(committed, proposed);
                answered.extend(tickets(&[release]));
            }
        }
        answered.extend(tickets(&core.committed(proposed)));
        prop_assert_eq!(answered, (0..asked).collect::<Vec<_>>());
    }
}
