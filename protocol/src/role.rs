//! Role names (semantics 135, 136).

/// The role of resources that are reserved for nobody.
pub const DEFAULT: &str = "*";

/// Why a text is not the name of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("role '{role}' is invalid: {problem}")]
pub struct RoleError {
    /// The text.
    pub role: String,
    problem: &'static str,
}

/// Checks the name of a role.
pub fn validate(role: &str) -> Result<(), RoleError> {
    let problem = if role == DEFAULT { None } else { problem(role) };
    problem.map_or(Ok(()), |problem| Err(RoleError { role: role.to_owned(), problem }))
}

/// Whether `child` lies below `parent`: `a/b` below `a`, but not `ab`, and not `a` itself.
pub fn is_strict_subrole(child: &str, parent: &str) -> bool {
    child.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
}

fn problem(role: &str) -> Option<&'static str> {
    let forbidden = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' ' | 0x7f);
    if role.is_empty() {
        return Some("it is empty");
    }
    if role.as_bytes().iter().any(forbidden) {
        return Some("it contains white space or a control character");
    }
    role.split('/').find_map(|component| match component {
        "" => Some("it has an empty component"),
        "." | ".." => Some("it has a component '.' or '..'"),
        "*" => Some("it has a component '*'"),
        _ if component.starts_with('-') => Some("a component starts with '-'"),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// semantics 135
    #[test]
    fn names_are_checked_component_by_component() {
        for role in ["*", "a", "a/b", "a/b-c/d", "...", "a*", "ä", "a.b"] {
            assert_eq!(validate(role), Ok(()), "{role}");
        }
        for role in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a/*", "*/a", "-a", "a/-b", "a b",
            "a\t", "\n", "a\u{b}", "a\u{c}", "a\r", "a\u{7f}", "a/./b", "*/*",
        ] {
            assert!(validate(role).is_err(), "{role:?}");
        }
    }

    #[test]
    fn errors_name_the_role() {
        assert_eq!(
            validate("a//b").unwrap_err().to_string(),
            "role 'a//b' is invalid: it has an empty component"
        );
    }

    /// semantics 136
    #[test]
    fn sub_roles_lie_below_a_slash() {
        assert!(is_strict_subrole("a/b", "a"));
        assert!(is_strict_subrole("a/b/c", "a"));
        for (child, parent) in [("a", "a"), ("ab", "a"), ("a", "a/b"), ("b/a", "a")] {
            assert!(!is_strict_subrole(child, parent), "{child} {parent}");
        }
    }
}
