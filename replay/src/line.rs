//! One line of the log: an event, or an entry of the journal's own.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::facts::{Fact, Facts};

/// What happened at one place of the journal. As JSON, one object with these fields and the facts'.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Position of the entry; the events of one batch share it.
    pub index: u64,
    /// Raft term of the entry.
    pub term: u64,
    /// Whether the entry is known to be committed: the newest ones of a master that died may not be.
    pub committed: bool,
    /// When it was decided, UTC; none for entries of the journal's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Command that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// On whose behalf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// Name of the event; `JournalBlank` and `JournalMembership` for entries of the journal's own.
    pub event: String,
    /// What it says.
    #[serde(flatten)]
    pub facts: Facts,
}

impl fmt::Display for Line {
    /// Index, time, cause (and for whom), event, and the facts as `name=value`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>8}  ", self.index)?;
        if let (Some(time), Some(cause)) = (&self.time, &self.cause) {
            write!(f, "{time}  {cause}")?;
            if let Some(principal) = &self.principal {
                write!(f, " by {principal}")?;
            }
            write!(f, "  ")?;
        }
        write!(f, "{}", self.event)?;
        for (name, fact) in &self.facts.0 {
            write!(f, "  {name}=")?;
            match fact {
                Fact::Number(number) => write!(f, "{number}")?,
                Fact::Text(text) => word(f, text)?,
                Fact::List(list) => word(f, &list.join(","))?,
            }
        }
        if !self.committed {
            write!(f, "  (not known to be committed)")?;
        }
        Ok(())
    }
}

/// Text from outside must not break the line, or look like another fact.
fn word(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '"';
    if !text.is_empty() && text.chars().all(plain) {
        f.write_str(text)
    } else {
        write!(f, "{text:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(facts: Vec<(&'static str, Fact)>) -> Line {
        Line {
            index: 7,
            term: 2,
            committed: true,
            time: Some("T".into()),
            cause: Some("Accept".into()),
            principal: None,
            event: "TaskLaunched".into(),
            facts: Facts(facts.into_iter().map(|(name, fact)| (name.into(), fact)).collect()),
        }
    }

    #[test]
    fn a_line_reads_from_left_to_right() {
        let shown = line(vec![
            ("task_id", Fact::Text("t1".into())),
            ("offer_ids", Fact::List(vec!["a".into(), "b".into()])),
        ]);
        let expected = "       7  T  Accept  TaskLaunched  task_id=t1  offer_ids=a,b";
        assert_eq!(shown.to_string(), expected);
        let by = Line { principal: Some("ops".into()), committed: false, ..line(vec![]) };
        let expected = "       7  T  Accept by ops  TaskLaunched  (not known to be committed)";
        assert_eq!(by.to_string(), expected);
    }

    #[test]
    fn text_from_outside_cannot_break_a_line() {
        let shown = line(vec![("message", Fact::Text("a\nb state=x".into()))]).to_string();
        assert!(shown.ends_with(r#"message="a\nb state=x""#), "{shown}");
    }

    #[test]
    fn a_line_is_one_flat_object() {
        let json = serde_json::to_string(&line(vec![("status", Fact::Number(-1))]));
        let expected = r#"{"index":7,"term":2,"committed":true,"time":"T","cause":"Accept","event":"TaskLaunched","status":-1}"#;
        assert_eq!(json.expect("plain data"), expected);
        let facts = vec![
            ("task_id", Fact::Text("t".into())),
            ("status", Fact::Number(-1)),
            ("offer_ids", Fact::List(vec!["o".into()])),
        ];
        let line = line(facts);
        let again = serde_json::from_str(&serde_json::to_string(&line).expect("plain data"));
        assert_eq!(again.ok(), Some(line), "in the same order");
    }
}
