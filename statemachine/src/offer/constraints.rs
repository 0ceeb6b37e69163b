//! What a framework wants of agents before it is offered them: for each role, any of several groups of
//! constraints that must all hold (semantics 71, 72).

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::agent;
use crate::id::Role;

/// How long a pattern may be, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1000;
/// How large a pattern may become when it is compiled, in bytes.
const COMPILED_BYTES_MAX: usize = 256 << 10;
/// How deep its groups may nest.
const DEPTH_MAX: u32 = 50;

/// A framework's constraints; roles that are not there have none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OfferConstraints(pub Arc<BTreeMap<Role, Vec<Group>>>);

/// Constraints that must all hold.
pub type Group = Vec<Constraint>;

/// What must hold of one thing about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// Of what.
    #[serde(rename = "s")]
    pub selector: Selector,
    /// What.
    #[serde(rename = "p")]
    pub predicate: Predicate,
}

/// Something about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Selector {
    /// Its first attribute of this name.
    #[serde(rename = "a")]
    Attribute(Arc<str>),
    /// Its host name.
    #[serde(rename = "h")]
    Hostname,
    /// The region it is in.
    #[serde(rename = "r")]
    Region,
    /// The zone it is in.
    #[serde(rename = "z")]
    Zone,
}

/// What is asked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Predicate {
    /// The agent has it.
    #[serde(rename = "e")]
    Exists,
    /// The agent has no such thing.
    #[serde(rename = "n")]
    NotExists,
    /// Its text is this.
    #[serde(rename = "q")]
    TextEquals(Arc<str>),
    /// Its text is not this, or there is none.
    #[serde(rename = "u")]
    TextNotEquals(Arc<str>),
    /// The whole of its text matches.
    #[serde(rename = "m")]
    TextMatches(Pattern),
    /// The whole of its text does not match, or there is none.
    #[serde(rename = "x")]
    TextNotMatches(Pattern),
}

/// A regular expression, compiled when it is first needed. It matches in time linear in the text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Arc<str>", into = "Arc<str>")]
pub struct Pattern {
    text: Arc<str>,
    compiled: Arc<OnceLock<Option<Regex>>>,
}

/// Why a text is no pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is longer than [`PATTERN_BYTES_MAX`].
    #[error("the pattern has {0} bytes, and may have {PATTERN_BYTES_MAX} at most")]
    TooLong(usize),
    /// It does not compile, or not to anything small enough.
    #[error("the pattern '{0}' is not valid: {1}")]
    Invalid(Arc<str>, String),
}

impl Pattern {
    /// A pattern that is valid and small.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err(PatternError::TooLong(text.len()));
        }
        match compile(text) {
            Ok(_) => Ok(Self::from(Arc::from(text))),
            Err(error) => Err(PatternError::Invalid(text.into(), error)),
        }
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole text matches. What is not valid, which a journal of another version could
    /// hold, matches nothing.
    fn matches(&self, text: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| compile(&self.text).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    let build = |text: &str| {
        let built = RegexBuilder::new(text)
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(DEPTH_MAX)
            .build();
        // the last line says what is wrong, those before it where
        built.map_err(|it| it.to_string().lines().last().unwrap_or_default().trim().to_owned())
    };
    // by itself first: `a)|(b` would be valid within the group
    build(text).and_then(|_| build(&format!("^(?:{text})$")))
}

impl From<Arc<str>> for Pattern {
    fn from(text: Arc<str>) -> Self {
        Self { text, compiled: Arc::default() }
    }
}

impl From<Pattern> for Arc<str> {
    fn from(pattern: Pattern) -> Self {
        pattern.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

/// What an agent has of what is asked for.
#[derive(Clone, Copy)]
enum Found<'a> {
    Nothing,
    Text(&'a str),
    /// An attribute that is no text.
    Other,
}

impl OfferConstraints {
    /// Nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an agent may be offered to this role.
    pub fn allow(&self, role: &Role, agent: &agent::Description) -> bool {
        let groups = self.0.get(role);
        groups.is_none_or(|groups| {
            groups.iter().any(|group| group.iter().all(|constraint| constraint.holds(agent)))
        })
    }
}

impl Constraint {
    fn holds(&self, agent: &agent::Description) -> bool {
        let found = self.selector.find(agent);
        match (&self.predicate, found) {
            (Predicate::Exists, found) => !matches!(found, Found::Nothing),
            (Predicate::NotExists, found) => matches!(found, Found::Nothing),
            // what is no text is held to be right whatever it is compared with
            (_, Found::Other)
            | (Predicate::TextNotEquals(_) | Predicate::TextNotMatches(_), Found::Nothing) => true,
            (Predicate::TextEquals(_) | Predicate::TextMatches(_), Found::Nothing) => false,
            (Predicate::TextEquals(wanted), Found::Text(text)) => **wanted == *text,
            (Predicate::TextNotEquals(unwanted), Found::Text(text)) => **unwanted != *text,
            (Predicate::TextMatches(pattern), Found::Text(text)) => pattern.matches(text),
            (Predicate::TextNotMatches(pattern), Found::Text(text)) => !pattern.matches(text),
        }
    }
}

impl Selector {
    fn find<'a>(&self, agent: &'a agent::Description) -> Found<'a> {
        let domain = agent.domain.as_ref();
        let text = match self {
            Self::Hostname => Some(&*agent.hostname),
            Self::Region => domain.map(|domain| &*domain.region),
            Self::Zone => domain.map(|domain| &*domain.zone),
            Self::Attribute(name) => {
                let mut named = agent.attributes.iter().filter(|attribute| attribute.name == *name);
                return match named.next().map(|attribute| &attribute.text) {
                    None => Found::Nothing,
                    Some(None) => Found::Other,
                    Some(Some(text)) => Found::Text(text),
                };
            }
        };
        text.map_or(Found::Nothing, Found::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{Attribute, Domain};
    use crate::testing::World;

    fn agent() -> agent::Description {
        let attribute = |name: &str, text: Option<&str>| Attribute {
            name: name.into(),
            text: text.map(Into::into),
        };
        agent::Description {
            hostname: "node-7".into(),
            attributes: vec![
                attribute("rack", Some("a")),
                attribute("rack", Some("b")),
                attribute("cores", None),
            ],
            domain: Some(Domain { region: "eu".into(), zone: "eu-1".into() }),
            ..World::new().hello(None, "cpus:1").description
        }
    }

    fn check(selector: Selector, predicate: Predicate, holds: bool) {
        let constraint = Constraint { selector, predicate };
        assert_eq!(constraint.holds(&agent()), holds, "{constraint:?}");
    }

    fn attribute(name: &str) -> Selector {
        Selector::Attribute(name.into())
    }

    fn matches(pattern: &str) -> Predicate {
        Predicate::TextMatches(Pattern::new(pattern).expect("a pattern"))
    }

    /// semantics 72
    #[test]
    fn the_first_attribute_of_a_name_counts() {
        check(attribute("rack"), Predicate::TextEquals("a".into()), true);
        check(attribute("rack"), Predicate::TextEquals("b".into()), false);
        check(attribute("rack"), Predicate::TextNotEquals("b".into()), true);
        check(attribute("rack"), Predicate::Exists, true);
        check(attribute("rack"), Predicate::NotExists, false);
    }

    /// semantics 72
    #[test]
    fn what_is_no_text_agrees_and_what_is_not_there_only_with_denials() {
        let pattern = || Pattern::new("x").expect("a pattern");
        for (name, denied, asserted) in [("cores", true, true), ("none", true, false)] {
            check(attribute(name), Predicate::TextEquals("x".into()), asserted);
            check(attribute(name), Predicate::TextMatches(pattern()), asserted);
            check(attribute(name), Predicate::TextNotEquals("x".into()), denied);
            check(attribute(name), Predicate::TextNotMatches(pattern()), denied);
            check(attribute(name), Predicate::Exists, name == "cores");
        }
    }

    #[test]
    fn patterns_match_the_whole_text() {
        check(Selector::Hostname, matches("node-[0-9]+"), true);
        check(Selector::Hostname, matches("node"), false);
        check(Selector::Hostname, matches("node|node-7"), true);
        check(Selector::Region, matches("e."), true);
        check(Selector::Zone, Predicate::TextEquals("eu-1".into()), true);
    }

    /// semantics 71
    #[test]
    fn patterns_without_end_are_refused() {
        for pattern in ["(", "a{1000}{1000}", "\\w{5000}", "(?P<x", "a)|(b", &"a".repeat(1001)] {
            let refused = Pattern::new(pattern).expect_err("no pattern").to_string();
            assert!(refused.starts_with("the pattern"), "{refused}");
            assert!(!refused.contains('\n'), "{refused}");
        }
        let deep = format!("{}{}", "(".repeat(100), ")".repeat(100));
        assert!(Pattern::new(&deep).is_err());
        assert!(!Pattern::from(Arc::from("(")).matches("("), "nothing breaks");
    }

    #[test]
    fn any_group_whose_constraints_all_hold_will_do() {
        let rack = |rack: &str| Constraint {
            selector: attribute("rack"),
            predicate: Predicate::TextEquals(rack.into()),
        };
        let host = Constraint { selector: Selector::Hostname, predicate: matches("node-.*") };
        let allow = |groups: Vec<Group>| {
            let constraints = OfferConstraints(Arc::new([("a".into(), groups)].into()));
            assert!(constraints.allow(&"b".into(), &agent()), "none for this role");
            constraints.allow(&"a".into(), &agent())
        };
        assert!(allow(vec![vec![rack("z")], vec![rack("a"), host.clone()]]));
        assert!(!allow(vec![vec![rack("z"), host], vec![rack("b")]]));
    }
}
