//! Writes messages: their fields in declaration order, by how often they occur.

use super::JsonMessage;
use super::codec::Codec;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::collections::BTreeMap;
use std::marker::PhantomData;

/// The JSON object that a message is written to.
#[derive(Debug)]
pub struct Output<'a, M>(&'a mut M);

impl<M: SerializeMap> Output<'_, M> {
    /// A field that is always shown.
    pub fn value<C: Codec<T>, T>(&mut self, name: &'static str, value: &T) -> Result<(), M::Error> {
        self.optional::<C, T>(name, Some(value))
    }

    /// A field that is shown when it is set.
    pub fn optional<C: Codec<T>, T>(
        &mut self,
        name: &'static str,
        value: Option<&T>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) if C::is_known(value) => {
                self.0.serialize_entry(name, &As::<C, T>(value, PhantomData))
            }
            _ => Ok(()),
        }
    }

    /// A list, shown unless it is empty (semantics 9).
    pub fn repeated<C: Codec<T>, T>(
        &mut self,
        name: &'static str,
        values: &[T],
    ) -> Result<(), M::Error> {
        if values.is_empty() { Ok(()) } else { self.list::<C, T>(name, values) }
    }

    /// A list that is shown even when it is empty (semantics 9, its exception).
    pub fn list<C: Codec<T>, T>(
        &mut self,
        name: &'static str,
        values: &[T],
    ) -> Result<(), M::Error> {
        self.0.serialize_entry(name, &Elements::<C, T>(values, PhantomData))
    }

    /// A map, shown as an object unless it is empty (semantics 9, 11).
    pub fn map<C: Codec<T>, T>(
        &mut self,
        name: &'static str,
        entries: &BTreeMap<String, T>,
    ) -> Result<(), M::Error> {
        if entries.is_empty() {
            return Ok(());
        }
        self.0.serialize_entry(name, &Entries::<C, T>(entries, PhantomData))
    }
}

/// Writes a message with any serializer.
pub(super) fn write_message<M: JsonMessage, S: Serializer>(
    message: &M,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    message.write(&mut Output(&mut map))?;
    map.end()
}

/// A value in the form that the codec `C` gives it.
struct As<'a, C, T>(&'a T, PhantomData<C>);

impl<C: Codec<T>, T> Serialize for As<'_, C, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        C::write(self.0, serializer)
    }
}

struct Elements<'a, C, T>(&'a [T], PhantomData<C>);

impl<C: Codec<T>, T> Serialize for Elements<'_, C, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.0.iter().filter(|value| C::is_known(value));
        serializer.collect_seq(known.map(|value| As::<C, T>(value, PhantomData)))
    }
}

struct Entries<'a, C, T>(&'a BTreeMap<String, T>, PhantomData<C>);

impl<C: Codec<T>, T> Serialize for Entries<'_, C, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.0.iter().filter(|(_, value)| C::is_known(value));
        serializer.collect_map(known.map(|(key, value)| (key, As::<C, T>(value, PhantomData))))
    }
}
