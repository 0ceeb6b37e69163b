//! Ids: made from text, shown as text, and checked.

use crate::v1;
use std::fmt;

/// Longest id, in bytes.
pub const MAX_ID_BYTES: usize = 255;

/// Longest id of a container, in bytes; it is part of the names of files.
pub const MAX_CONTAINER_ID_BYTES: usize = 242;

/// Why a text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// There is nothing.
    #[error("an id must not be empty")]
    Empty,
    /// It is too long to be the name of a file.
    #[error("an id must not be longer than {0} bytes")]
    TooLong(usize),
    /// It means a directory that is not its own.
    #[error("'{0}' is not an id")]
    Directory(String),
    /// It holds a character that an id cannot have.
    #[error("'{}' contains invalid characters", .0.escape_debug())]
    InvalidCharacters(String),
}

/// Checks the id of a task, executor, framework, agent or persistent volume (semantics 138).
pub fn validate(id: &str) -> Result<(), IdError> {
    check(id, MAX_ID_BYTES, |character| {
        character.is_ascii_control() || matches!(character, '/' | '\\')
    })
}

/// Checks the id of a container, and those of its parents (semantics 139).
pub fn validate_container(id: &v1::ContainerId) -> Result<(), IdError> {
    let mut next = Some(id);
    while let Some(id) = next {
        check(&id.value, MAX_CONTAINER_ID_BYTES, |character| {
            character.is_ascii_control() || matches!(character, '/' | '\\' | '.' | ' ')
        })?;
        next = id.parent.as_deref();
    }
    Ok(())
}

fn check(id: &str, max_bytes: usize, invalid: fn(char) -> bool) -> Result<(), IdError> {
    if id.is_empty() {
        return Err(IdError::Empty);
    }
    if id.len() > max_bytes {
        return Err(IdError::TooLong(max_bytes));
    }
    if id == "." || id == ".." {
        return Err(IdError::Directory(id.to_owned()));
    }
    if id.chars().any(invalid) {
        return Err(IdError::InvalidCharacters(id.to_owned()));
    }
    Ok(())
}

macro_rules! text_id {
    ($($id:ident),*) => {$(
        impl From<String> for v1::$id {
            fn from(value: String) -> Self {
                Self { value }
            }
        }

        impl From<&str> for v1::$id {
            fn from(value: &str) -> Self {
                Self { value: value.to_owned() }
            }
        }

        impl fmt::Display for v1::$id {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.value)
            }
        }
    )*};
}

text_id!(FrameworkId, OfferId, AgentId, TaskId, ExecutorId, ResourceProviderId, OperationId);

/// A container that is nobody's child.
impl From<String> for v1::ContainerId {
    fn from(value: String) -> Self {
        Self { value, parent: None }
    }
}

/// A container that is nobody's child.
impl From<&str> for v1::ContainerId {
    fn from(value: &str) -> Self {
        value.to_owned().into()
    }
}

/// Parents first: `parent.child`.
impl fmt::Display for v1::ContainerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ids that come off the wire nest no deeper than the decoders allow.
        if let Some(parent) = &self.parent {
            write!(formatter, "{parent}.")?;
        }
        formatter.write_str(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_their_text() {
        assert_eq!(v1::FrameworkId::from("f-1").to_string(), "f-1");
        assert_eq!(v1::TaskId::from("t".to_owned()).value, "t");
    }

    #[test]
    fn nested_containers_show_their_parents() {
        let mut container = v1::ContainerId::from("child");
        container.parent = Some(Box::new("parent".into()));
        assert_eq!(container.to_string(), "parent.child");
    }

    /// semantics 138
    #[test]
    fn ids_can_be_names_of_files() {
        for id in ["a", "a.b", "a b", "...", "-", "ü", &"x".repeat(MAX_ID_BYTES)] {
            assert_eq!(validate(id), Ok(()), "{id}");
        }
        for id in ["", ".", "..", "a/b", "a\\b", "a\nb", "\u{7f}", &"x".repeat(MAX_ID_BYTES + 1)] {
            assert!(validate(id).is_err(), "{id:?}");
        }
        let error = validate("a/b").unwrap_err().to_string();
        assert_eq!(error, "'a/b' contains invalid characters");
    }

    /// semantics 139
    #[test]
    fn ids_of_containers_have_stricter_rules_and_parents() {
        let check = |id: &str| validate_container(&id.into());
        assert_eq!(check("a-b_c"), Ok(()));
        for id in ["", "a.b", "a b", "a/b", &"x".repeat(MAX_CONTAINER_ID_BYTES + 1)] {
            assert!(check(id).is_err(), "{id:?}");
        }
        let mut child = v1::ContainerId::from("child");
        child.parent = Some(Box::new("a.b".into()));
        assert_eq!(validate_container(&child), Err(IdError::InvalidCharacters("a.b".to_owned())));
    }
}
