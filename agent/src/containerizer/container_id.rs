//! Names of containers. One that lives in another is called `<parent>.<own>`, on one level only.

use protocol::v1;
use uuid::Uuid;

/// Between the names of a parent and its child.
const SEPARATOR: char = '.';

/// A name that no container had.
pub(crate) fn new() -> String {
    Uuid::new_v4().to_string()
}

/// A name that no container had, of one that lives in `parent`.
pub(crate) fn within(parent: &str) -> String {
    format!("{parent}{SEPARATOR}{}", new())
}

/// Whether this could be a container's name.
pub(crate) fn is_one(name: &str) -> bool {
    name.split(SEPARATOR).all(|part| Uuid::parse_str(part).is_ok())
}

/// What a container is called beside others with its parent.
pub(crate) fn own(id: &str) -> &str {
    id.rsplit(SEPARATOR).next().unwrap_or(id)
}

/// The container that one lives in, if it lives in one.
pub(crate) fn parent(id: &str) -> Option<&str> {
    id.rsplit_once(SEPARATOR).map(|(parent, _)| parent)
}

/// Its name and those of what it lives in, outermost first: the parts of a path.
pub(crate) fn path(id: &str) -> impl Iterator<Item = &str> {
    id.split(SEPARATOR)
}

/// Whether a container is `parent` or lives in it.
pub(crate) fn belongs(id: &str, parent: &str) -> bool {
    id.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATOR))
}

/// The id as clients see it.
pub(crate) fn on_wire(id: &str) -> v1::ContainerId {
    match id.rsplit_once(SEPARATOR) {
        None => id.into(),
        Some((parent, own)) => {
            v1::ContainerId { value: own.to_owned(), parent: Some(Box::new(on_wire(parent))) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_named_after_their_parents() {
        let parent = new();
        let child = within(&parent);
        assert_ne!(child, within(&parent));
        let shown = on_wire(&child);
        assert_eq!(shown.value, own(&child));
        assert_eq!(shown.parent.map(|parent| parent.value), Some(parent.clone()));
        assert_eq!(on_wire(&parent).parent, None);
        assert_eq!(super::parent(&child), Some(parent.as_str()));
        assert_eq!(super::parent(&parent), None);
        assert_eq!(path(&child).collect::<Vec<_>>(), [parent.as_str(), own(&child)]);
        assert!(belongs(&child, &parent) && belongs(&parent, &parent));
        assert!(!belongs(&parent, &child) && !belongs(&format!("{parent}x"), &parent));
    }
}
