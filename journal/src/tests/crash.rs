//! A real process, killed at random moments: what it said was committed is there afterwards.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::testing::{Counter, Counts, MemoryNetwork, answered, eventually, propose};
use crate::{Config, Journal, Leadership, Member, Outcome, Reader};

/// Set for the child, to the directory it shall use.
const DIR: &str = "JOURNAL_CRASH_TEST_DIR";
const ROUNDS: u64 = 12;

async fn open(dir: &Path, counts: &Counts) -> Journal {
    let mut config = Config::new(dir, 1);
    config.segment_bytes = 64 << 10;
    config.snapshot_entries = 500;
    let machine = Box::new(Counter(counts.clone()));
    let transport = MemoryNetwork::default().transport(1);
    let journal = Journal::open(config, machine, transport).await.expect("opened");
    let incarnation = journal.identity().incarnation;
    let member = Member { address: "here:1".into(), incarnation };
    journal.form([(1, member)].into(), "crash").await.expect("formed");
    journal
}

async fn lead(journal: &Journal) -> u64 {
    eventually("leadership", || match *journal.leadership().borrow() {
        Leadership::Leader { term } => Some(term),
        _ => None,
    })
    .await
}

/// What the child does: commits numbers that go on from what it finds, and prints each.
#[test]
fn child() {
    let Ok(dir) = std::env::var(DIR) else { return };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let counts = Counts::default();
        let journal = open(Path::new(&dir), &counts).await;
        let term = lead(&journal).await;
        let mut next = counts.numbers().len() as u64;
        loop {
            let outcomes: Vec<_> =
                (next..next + 16).map(|number| propose(&journal, term, number)).collect();
            for outcome in outcomes {
                let outcome = answered(outcome).await;
                assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
                #[expect(clippy::print_stdout, reason = "the parent reads it")]
                {
                    println!("committed {next}");
                }
                next += 1;
            }
        }
    });
}

/// Runs the child until it is killed after `life`; gives the last number it said was committed.
fn run_and_kill(dir: &Path, life: Duration) -> Option<u64> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "tests::crash::child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("started");
    let stdout = child.stdout.take().expect("piped");
    let reading = std::thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("committed ")?.parse().ok()).last()
    });
    std::thread::sleep(life);
    child.kill().expect("killed");
    child.wait().expect("gone");
    reading.join().expect("read")
}

#[test]
fn nothing_committed_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (mut committed, mut lives) = (None, 0);
    for round in 0..ROUNDS {
        let life = Duration::from_millis(300 + rand::random::<u64>() % 700);
        let last: Option<u64> = run_and_kill(dir.path(), life);
        lives += u64::from(last.is_some());
        committed = committed.max(last);
        let Ok(reader) = Reader::open(dir.path()) else {
            assert_eq!(committed, None, "round {round}: an acknowledged journal cannot be read");
            continue;
        };
        reader.verify().expect("whole");
        let numbers = reader.entries(..).filter_map(|entry| {
            let entry = entry.expect("whole");
            entry.payload.first_chunk().filter(|_| entry.payload.len() == 128).copied()
        });
        let numbers: Vec<u64> = numbers.map(u64::from_le_bytes).collect();
        let expected: Vec<u64> = (0..numbers.len() as u64).collect();
        assert_eq!(numbers, expected, "round {round}: each once and in order");
        assert!(
            committed.is_none_or(|committed| committed < numbers.len() as u64),
            "round {round}: {committed:?} was acknowledged, {} found",
            numbers.len()
        );
    }
    assert!(lives > 0, "no child ever committed anything");
}
