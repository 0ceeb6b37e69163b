//! The check that a tail goes through when it is opened.

use super::tail::{Tail, TailState};
use crate::chain::Hash;
use crate::entry::Entry;
use crate::error::ReadError;
use crate::history::History;

/// How many entries are read at a time.
const READ_AHEAD: u64 = 1024;

/// Reads the whole tail once, so that damage is found before anything is built on it. Gives the
/// bytes of its entries.
pub(super) fn check_tail(
    tail: &Tail,
    state: &TailState,
    history: &History,
) -> Result<u64, ReadError> {
    let Some((first, last)) = state.entries else {
        return Ok(0);
    };
    let (mut next, mut bytes) = (first, 0);
    while next <= last.index {
        let entries = tail.read(next..next.saturating_add(READ_AHEAD))?;
        if let Some(entry) = entries.first().filter(|entry| entry.index == first)
            && let Some(base) = base_of(first, state, history)?
        {
            let damaged = |source| ReadError::Entry { path: tail.path().to_path_buf(), source };
            entry.check(&base).map_err(damaged)?;
        }
        let missing = || ReadError::Missing { index: next, path: tail.path().to_path_buf() };
        next = entries.last().ok_or_else(missing)?.index + 1;
        bytes += entries.iter().map(Entry::encoded_bytes).sum::<u64>();
    }
    Ok(bytes)
}

/// The hash that the first entry of the tail is chained to.
fn base_of(first: u64, state: &TailState, history: &History) -> Result<Option<Hash>, ReadError> {
    let Some(before) = first.checked_sub(1) else {
        return Ok(Some(Hash::START));
    };
    if let Some(purged) = state.purged.filter(|mark| mark.index == before) {
        return Ok(Some(purged.hash));
    }
    Ok(history.read(before..first)?.first().map(|entry| entry.hash))
}
