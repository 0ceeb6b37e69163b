//! The smallest machine: it remembers every payload.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::machine::{ApplyError, Committed, Machine, SnapshotSource};

/// What a [`Counter`] has applied; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<Mutex<Vec<u64>>>);

impl Counts {
    /// The numbers applied so far, in order.
    pub fn numbers(&self) -> Vec<u64> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Applies payloads of the form of eight bytes: one number, little-endian; bytes after them count for nothing.
/// [`u64::MAX`] is an entry that it does not understand.
#[derive(Clone, Debug, Default)]
pub struct Counter(pub Counts);

impl Machine for Counter {
    fn apply(&mut self, entry: &Committed) -> Result<(), ApplyError> {
        let number = entry.payload.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        match number.filter(|number| *number != u64::MAX) {
            Some(number) => {
                self.0.lock().push(number);
                Ok(())
            }
            None => Err(ApplyError("an entry of a newer version".into())),
        }
    }

    fn snapshot(&self) -> Box<dyn SnapshotSource> {
        Box::new(Frozen(self.0.numbers()))
    }

    fn restore(&mut self, from: &mut dyn Read) -> Result<(), ApplyError> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(|error| ApplyError(error.to_string()))?;
        let numbers = bytes
            .chunks_exact(8)
            .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        *self.0.lock() = numbers.collect();
        Ok(())
    }
}

struct Frozen(Vec<u64>);

impl SnapshotSource for Frozen {
    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        self.0.iter().try_for_each(|number| to.write_all(&number.to_le_bytes()))
    }
}
