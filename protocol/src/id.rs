//! Ids: made from text, and shown as text.

use crate::v1;
use std::fmt;

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

text_id!(
    FrameworkId,
    OfferId,
    AgentId,
    TaskId,
    ExecutorId,
    ResourceProviderId,
    OperationId
);

/// A container that is nobody's child.
impl From<String> for v1::ContainerId {
    fn from(value: String) -> Self {
        Self {
            value,
            parent: None,
        }
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
}
