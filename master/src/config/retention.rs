//! How long the journal's history is kept, and when its files are made.

use std::path::Path;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use journal::Retention;
use protocol::duration_text;

/// The flags about the journal's files.
#[derive(Clone, Debug, clap::Args)]
pub struct JournalFlags {
    /// Closed segments of the journal older than this are removed, once a snapshot is newer; none by
    /// default.
    #[arg(long, alias = "journal_max_age", env = "MESOLITH_JOURNAL_MAX_AGE",
          value_parser = duration_text::parse)]
    pub journal_max_age: Option<Duration>,
    /// The oldest closed segments are removed while all of them have more bytes than this, once a
    /// snapshot is newer; none by default.
    #[arg(long, alias = "journal_max_bytes", env = "MESOLITH_JOURNAL_MAX_BYTES")]
    pub journal_max_bytes: Option<u64>,
    /// So many bytes of decided entries are closed into a segment.
    #[arg(long, alias = "journal_segment_bytes", env = "MESOLITH_JOURNAL_SEGMENT_BYTES",
          default_value_t = 16 << 20, value_parser = at_least_one())]
    pub journal_segment_bytes: u64,
    /// A snapshot is taken after so many bytes of entries.
    #[arg(long, alias = "journal_snapshot_bytes", env = "MESOLITH_JOURNAL_SNAPSHOT_BYTES",
          default_value_t = 64 << 20, value_parser = at_least_one())]
    pub journal_snapshot_bytes: u64,
    /// A snapshot is taken after so many entries, however small.
    #[arg(long, alias = "journal_snapshot_entries", env = "MESOLITH_JOURNAL_SNAPSHOT_ENTRIES",
          default_value_t = 100_000, value_parser = at_least_one())]
    pub journal_snapshot_entries: u64,
}

fn at_least_one() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(1..)
}

impl JournalFlags {
    /// The settings of the journal in `dir` that belongs to `node`.
    pub(crate) fn settings(&self, dir: &Path, node: u64) -> journal::Config {
        journal::Config {
            retention: Retention {
                max_age: self.journal_max_age,
                max_bytes: self.journal_max_bytes,
            },
            segment_bytes: self.journal_segment_bytes,
            snapshot_bytes: self.journal_snapshot_bytes,
            snapshot_entries: self.journal_snapshot_entries,
            ..journal::Config::new(dir, node)
        }
    }

    /// Name and value of each, as `/flags` shows them.
    pub(super) fn flags(&self) -> impl Iterator<Item = (&'static str, String)> {
        let values = [
            ("journal_max_age", self.journal_max_age.map(duration_text::format)),
            ("journal_max_bytes", self.journal_max_bytes.map(|bytes| bytes.to_string())),
            ("journal_segment_bytes", Some(self.journal_segment_bytes.to_string())),
            ("journal_snapshot_bytes", Some(self.journal_snapshot_bytes.to_string())),
            ("journal_snapshot_entries", Some(self.journal_snapshot_entries.to_string())),
        ];
        values.into_iter().filter_map(|(name, value)| Some((name, value?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::parse;
    use super::*;

    #[test]
    fn without_flags_the_journal_is_as_it_is_by_itself() {
        let settings = parse(&[]).expect("flags").journal.settings(Path::new("d"), 2);
        let expected = journal::Config::new("d", 2);
        assert_eq!(format!("{settings:?}"), format!("{expected:?}"));
    }

    #[test]
    fn history_goes_as_the_flags_say() {
        let config = parse(&["--journal-max-age=2weeks", "--journal_max_bytes=100"]);
        let config = config.expect("flags");
        let retention = config.journal.settings(Path::new("d"), 1).retention;
        let max_age = Some(Duration::from_secs(14 * 86_400));
        assert_eq!(retention, Retention { max_age, max_bytes: Some(100) });
        let shown = config.flags();
        assert!(shown.contains(&("journal_max_bytes", "100".to_owned())), "{shown:?}");
        assert!(shown.contains(&("journal_max_age", "2weeks".to_owned())), "{shown:?}");
        parse(&["--journal-snapshot-entries=0"]).expect_err("a snapshot after nothing");
    }
}
