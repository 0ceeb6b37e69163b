//! What one value looks like in JSON: a scalar, the name of an enum, or a message.

use super::JsonMessage;
use super::read::MessageOrNull;
use super::write::write_message;
use crate::report::Report;
use serde::de::{Deserializer, Error, Visitor};
use serde::ser::Serializer;
use std::fmt;
use std::marker::PhantomData;

/// Reads and writes values of type `T`.
pub trait Codec<T> {
    /// False for a value that has no JSON form, and so counts as unset.
    fn is_known(_value: &T) -> bool {
        true
    }
    /// Writes a value.
    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads a value; `None` for one that counts as unset: null (semantics 13), an unknown enum
    /// name (14).
    #[doc(hidden)]
    fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        report: &mut Report,
    ) -> Result<Option<T>, D::Error>;
}

/// A type that has one JSON form of its own.
pub trait Value: Sized {
    /// Writes the value.
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads the value; `None` for null.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error>;
}

/// Scalars, strings and bytes.
#[derive(Debug)]
pub struct Plain;

impl<T: Value> Codec<T> for Plain {
    fn write<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        value.write(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        _report: &mut Report,
    ) -> Result<Option<T>, D::Error> {
        T::read(deserializer)
    }
}

/// Messages within messages.
#[derive(Debug)]
pub struct Nested;

impl<M: JsonMessage> Codec<M> for Nested {
    fn write<S: Serializer>(value: &M, serializer: S) -> Result<S::Ok, S::Error> {
        write_message(value, serializer)
    }

    fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        report: &mut Report,
    ) -> Result<Option<M>, D::Error> {
        deserializer.deserialize_any(MessageOrNull(PhantomData, report))
    }
}

/// An enum of the .proto, which prost keeps as a number. Implemented by the build script.
pub trait Enumeration {
    /// Name of a value, as the .proto spells it.
    fn name(number: i32) -> Option<&'static str>;
    /// Number of a name.
    fn number(name: &str) -> Option<i32>;
}

/// Numbers that JSON shows as the names of the enum `E` (semantics 2).
#[derive(Debug)]
pub struct Name<E>(PhantomData<E>);

impl<E: Enumeration> Codec<i32> for Name<E> {
    fn is_known(value: &i32) -> bool {
        E::name(*value).is_some()
    }

    fn write<S: Serializer>(value: &i32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(E::name(*value).unwrap_or_default())
    }

    fn read<'de, D: Deserializer<'de>>(
        deserializer: D,
        _report: &mut Report,
    ) -> Result<Option<i32>, D::Error> {
        struct NameVisitor<E>(PhantomData<E>);

        impl<E: Enumeration> Visitor<'_> for NameVisitor<E> {
            type Value = Option<i32>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of an enum value")
            }

            fn visit_str<F>(self, name: &str) -> Result<Self::Value, F> {
                Ok(E::number(name))
            }

            fn visit_unit<F>(self) -> Result<Self::Value, F> {
                Ok(None)
            }
        }

        deserializer.deserialize_any(NameVisitor::<E>(PhantomData))
    }
}

impl Value for String {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(TextVisitor("a string", |text: &str| Ok(text.to_owned())))
    }
}

impl Value for bool {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        struct BoolVisitor;

        impl Visitor<'_> for BoolVisitor {
            type Value = Option<bool>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("true or false")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Some(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                let parsed = text.parse().map(Some);
                parsed.map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(None)
            }
        }

        deserializer.deserialize_any(BoolVisitor)
    }
}

/// Reads text (what it is called, how it is parsed), or null.
pub(super) struct TextVisitor<F>(pub(super) &'static str, pub(super) F);

impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for TextVisitor<F> {
    type Value = Option<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        (self.1)(text).map(Some).map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// A message that holds itself is boxed by prost.
impl<M: JsonMessage> JsonMessage for Box<M> {
    const FIELDS: &'static [&'static str] = M::FIELDS;
    const REQUIRED: u128 = M::REQUIRED;

    fn index(name: &str) -> Option<usize> {
        M::index(name)
    }

    fn write<S: serde::ser::SerializeMap>(
        &self,
        output: &mut super::Output<'_, S>,
    ) -> Result<(), S::Error> {
        (**self).write(output)
    }

    fn read<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        index: usize,
        input: super::Input<'_, A>,
    ) -> Result<bool, A::Error> {
        (**self).read(index, input)
    }
}
