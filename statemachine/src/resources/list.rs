//! The list that a sum is.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::Resource;

/// Clones share it until one of them changes; while it is empty it takes no memory, and whoever asks
/// whether it is need not look elsewhere.
#[derive(Clone, Default)]
pub(super) struct List(Option<Arc<Vec<Resource>>>);

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Changes it; its clones stay as they are.
    pub(super) fn change<R>(&mut self, change: impl FnOnce(&mut Vec<Resource>) -> R) -> R {
        let list = Arc::make_mut(self.0.get_or_insert_default());
        let result = change(list);
        if list.is_empty() {
            self.0 = None;
        }
        result
    }

    /// Whether they are one in memory, and so equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }
}

impl From<Vec<Resource>> for List {
    fn from(list: Vec<Resource>) -> Self {
        Self((!list.is_empty()).then(|| Arc::new(list)))
    }
}

impl Deref for List {
    type Target = [Resource];
    fn deref(&self) -> &[Resource] {
        self.0.as_ref().map_or(&[], |list| list.as_slice())
    }
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || **self == **other
    }
}

impl Eq for List {}

impl Ord for List {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (**self).cmp(&**other)
    }
}

impl PartialOrd for List {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for List {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}
