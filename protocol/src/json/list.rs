//! Reads lists: fields that repeat, and the arrays that a few endpoints take.

use super::JsonMessage;
use super::codec::Codec;
use super::read::{Message, One};
use crate::report::Report;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// The values of a field that repeats. Those that count as unset are left out (semantics 13, 14).
pub(super) struct Many<'a, C, T>(pub(super) PhantomData<(C, T)>, pub(super) &'a mut Report);

impl<C: Codec<T>, T> Many<'_, C, T> {
    /// A value that is not a list is its only element (semantics 16).
    fn only<'de, D: Deserializer<'de>>(self, element: D) -> Result<Vec<T>, D::Error> {
        Ok(C::read(element, self.1)?.into_iter().collect())
    }
}

impl<'de, C: Codec<T>, T> DeserializeSeed<'de> for Many<'_, C, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, C: Codec<T>, T> Visitor<'de> for Many<'_, C, T> {
    type Value = Vec<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        for index in 0usize.. {
            let element = self.1.within(format_args!("[{index}]"), |report| {
                sequence.next_element_seed(One::<C, T>(PhantomData, report))
            })?;
            match element {
                Some(value) => values.extend(value),
                None => break,
            }
        }
        Ok(values)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        self.only(MapAccessDeserializer::new(map))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.only(text.into_deserializer())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        self.only(value.into_deserializer())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Self::Value, E> {
        self.only(number.into_deserializer())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Self::Value, E> {
        self.only(number.into_deserializer())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Self::Value, E> {
        self.only(number.into_deserializer())
    }
}

/// An array that is the whole text (semantics 19).
pub(super) struct List<'a, M>(pub(super) PhantomData<M>, pub(super) &'a mut Report);

impl<'de, M: JsonMessage> DeserializeSeed<'de> for List<'_, M> {
    type Value = Vec<M>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, M: JsonMessage> Visitor<'de> for List<'_, M> {
    type Value = Vec<M>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut messages = Vec::new();
        loop {
            let segment = format!("[{}]", messages.len());
            let element = self.1.within(segment, |report| {
                sequence.next_element_seed(Message::<M>(PhantomData, report))
            })?;
            match element {
                Some(message) => messages.push(message),
                None => return Ok(messages),
            }
        }
    }
}
