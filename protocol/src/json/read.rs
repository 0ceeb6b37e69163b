//! Reads messages: one visitor for all of them, and their fields by how often they occur.

use super::JsonMessage;
use super::codec::Codec;
use super::list::Many;
use crate::report::Report;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// The value of one field, yet to be read. Each reader says whether the field is now set.
#[derive(Debug)]
pub struct Input<'a, A> {
    map: &'a mut A,
    name: &'static str,
    report: &'a mut Report,
}

impl<'de, A: MapAccess<'de>> Input<'_, A> {
    /// A field that stands for itself.
    pub fn value<C: Codec<T>, T>(self, slot: &mut T) -> Result<bool, A::Error> {
        let value = self.one::<C, T>()?;
        Ok(value.map(|value| *slot = value).is_some())
    }

    /// A field that may be unset.
    pub fn optional<C: Codec<T>, T>(self, slot: &mut Option<T>) -> Result<bool, A::Error> {
        *slot = self.one::<C, T>()?;
        Ok(slot.is_some())
    }

    /// A member of a oneof; the last one in the text wins.
    pub fn one_of<C: Codec<T>, T, E>(
        self,
        slot: &mut Option<E>,
        wrap: impl FnOnce(T) -> E,
    ) -> Result<bool, A::Error> {
        let value = self.one::<C, T>()?;
        Ok(value.map(|value| *slot = Some(wrap(value))).is_some())
    }

    /// A list; a value that is not a list is taken as its only element (semantics 16).
    pub fn repeated<C: Codec<T>, T>(self, slot: &mut Vec<T>) -> Result<bool, A::Error> {
        let Input { map, name, report } = self;
        *slot = report.within(format_args!(".{name}"), |report| {
            map.next_value_seed(Many::<C, T>(PhantomData, report))
        })?;
        Ok(true)
    }

    /// A map, which JSON shows as an object (semantics 11).
    pub fn map<C: Codec<T>, T>(self, slot: &mut BTreeMap<String, T>) -> Result<bool, A::Error> {
        let Input { map, name, report } = self;
        *slot = report.within(format_args!(".{name}"), |report| {
            map.next_value_seed(Entries::<C, T>(PhantomData, report))
        })?;
        Ok(true)
    }

    /// A field that the message does not have.
    pub fn skip(self) -> Result<bool, A::Error> {
        self.map.next_value::<IgnoredAny>().map(|_| false)
    }

    fn one<C: Codec<T>, T>(self) -> Result<Option<T>, A::Error> {
        let Input { map, name, report } = self;
        report.within(format_args!(".{name}"), |report| {
            map.next_value_seed(One::<C, T>(PhantomData, report))
        })
    }
}

/// Reads a message, for serde's own trait: the first error ends it.
pub(super) fn read_message<'de, M: JsonMessage, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<M, D::Error> {
    let mut report = Report::default();
    let result = Message(PhantomData, &mut report).deserialize(deserializer);
    let message = result.map_err(|error| D::Error::custom(report.locate(&error)))?;
    report.into_missing().map_or(Ok(message), |missing| Err(D::Error::custom(missing)))
}

/// A whole message.
pub(super) struct Message<'a, M>(pub(super) PhantomData<M>, pub(super) &'a mut Report);

impl<'de, M: JsonMessage> DeserializeSeed<'de> for Message<'_, M> {
    type Value = M;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<M, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, M: JsonMessage> Visitor<'de> for Message<'_, M> {
    type Value = M;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let (mut message, mut seen) = (M::default(), 0u128);
        while let Some(known) = map.next_key_seed(Key::<M>(PhantomData))? {
            // Keys that the message does not have are passed over (semantics 12).
            let Some((index, name)) = known.and_then(|i| Some((i, M::FIELDS.get(i)?))) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let input = Input { map: &mut map, name, report: self.1 };
            // The last of several values counts, and it may be null.
            let set = u128::from(message.read(index, input)?);
            seen = seen & !(1 << index) | set << index;
        }
        let missing = M::REQUIRED & !seen;
        if missing != 0 {
            let names = M::FIELDS.iter().enumerate();
            names
                .filter(|(index, _)| missing >> index & 1 == 1)
                .for_each(|(_, name)| self.1.miss(name));
        }
        Ok(message)
    }
}

/// A message within another, where null stands for none.
pub(super) struct MessageOrNull<'a, M>(pub(super) PhantomData<M>, pub(super) &'a mut Report);

impl<'de, M: JsonMessage> Visitor<'de> for MessageOrNull<'_, M> {
    type Value = Option<M>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Message(PhantomData, self.1).visit_map(map).map(Some)
    }
}

/// The name of a field, as its position in the message `M`.
struct Key<M>(PhantomData<M>);

impl<'de, M: JsonMessage> DeserializeSeed<'de> for Key<M> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<M: JsonMessage> Visitor<'_> for Key<M> {
    type Value = Option<usize>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(M::index(name))
    }
}

/// One value.
pub(super) struct One<'a, C, T>(pub(super) PhantomData<(C, T)>, pub(super) &'a mut Report);

impl<'de, C: Codec<T>, T> DeserializeSeed<'de> for One<'_, C, T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        C::read(deserializer, self.1)
    }
}

/// The entries of a map.
struct Entries<'a, C, T>(PhantomData<(C, T)>, &'a mut Report);

impl<'de, C: Codec<T>, T> DeserializeSeed<'de> for Entries<'_, C, T> {
    type Value = BTreeMap<String, T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, C: Codec<T>, T> Visitor<'de> for Entries<'_, C, T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(BTreeMap::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = self.1.within(format_args!("[{key}]"), |report| {
                map.next_value_seed(One::<C, T>(PhantomData, report))
            })?;
            if let Some(value) = value {
                entries.insert(key, value);
            }
        }
        Ok(entries)
    }
}
