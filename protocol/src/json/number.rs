//! Numbers: written as JSON numbers (semantics 5, 6), read from numbers or from text (15).

use super::codec::Value;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::ser::Serializer;
use std::fmt;
use std::marker::PhantomData;

/// A type of number that a field can have. A conversion answers `None` where the number has no
/// place in it.
trait Number: Sized {
    fn from_signed(number: i64) -> Option<Self>;
    fn from_unsigned(number: u64) -> Option<Self>;
    fn from_double(number: f64) -> Option<Self>;
}

/// 64-bit fields take each other's numbers bit by bit (`-1` is the largest `u64`) and clamp what is
/// larger still, because Mesos accepts both. Fractions are cut off.
macro_rules! wide_integer {
    ($($integer:ty),*) => {$(
        impl Number for $integer {
            fn from_signed(number: i64) -> Option<Self> {
                Some(number as $integer)
            }
            fn from_unsigned(number: u64) -> Option<Self> {
                Some(number as $integer)
            }
            fn from_double(number: f64) -> Option<Self> {
                Some(number as $integer)
            }
        }
    )*};
}

/// 32-bit fields refuse what they cannot hold: a port or a status that silently became another one
/// helps nobody.
macro_rules! narrow_integer {
    ($($integer:ty),*) => {$(
        impl Number for $integer {
            fn from_signed(number: i64) -> Option<Self> {
                number.try_into().ok()
            }
            fn from_unsigned(number: u64) -> Option<Self> {
                number.try_into().ok()
            }
            fn from_double(number: f64) -> Option<Self> {
                Self::from_signed(number as i64)
            }
        }
    )*};
}

macro_rules! floating {
    ($($float:ty),*) => {$(
        impl Number for $float {
            fn from_signed(number: i64) -> Option<Self> {
                Some(number as $float)
            }
            fn from_unsigned(number: u64) -> Option<Self> {
                Some(number as $float)
            }
            fn from_double(number: f64) -> Option<Self> {
                Some(number as $float)
            }
        }
    )*};
}

wide_integer!(i64, u64);
narrow_integer!(i32, u32);
floating!(f32, f64);

macro_rules! integer_value {
    ($($integer:ty => $serialize:ident),*) => {$(
        impl Value for $integer {
            fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.$serialize(*self)
            }
            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
                deserializer.deserialize_any(NumberVisitor(PhantomData))
            }
        }
    )*};
}

integer_value!(i32 => serialize_i32, u32 => serialize_u32);
integer_value!(i64 => serialize_i64, u64 => serialize_u64);

/// The texts that stand for what JSON has no number for (semantics 6).
const INFINITY: &str = "Infinity";
const NEGATIVE_INFINITY: &str = "-Infinity";
const NOT_A_NUMBER: &str = "NaN";

impl Value for f64 {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_finite() {
            serializer.serialize_f64(*self)
        } else if self.is_nan() {
            serializer.serialize_str(NOT_A_NUMBER)
        } else if *self > 0.0 {
            serializer.serialize_str(INFINITY)
        } else {
            serializer.serialize_str(NEGATIVE_INFINITY)
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

/// Shown with the digits of a double, as Mesos shows it.
impl Value for f32 {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        f64::from(*self).write(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        deserializer.deserialize_any(NumberVisitor(PhantomData))
    }
}

struct NumberVisitor<N>(PhantomData<N>);

impl<N: Number> Visitor<'_> for NumberVisitor<N> {
    type Value = Option<N>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a number that fits {}", std::any::type_name::<N>())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let value = N::from_signed(number);
        value.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let value = N::from_unsigned(number);
        value.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        let value = N::from_double(number);
        value.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        let value = parse(text);
        value.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Text in the grammar of JSON numbers, or one of the three special doubles.
fn parse<N: Number>(text: &str) -> Option<N> {
    match text {
        INFINITY => return N::from_double(f64::INFINITY),
        NEGATIVE_INFINITY => return N::from_double(f64::NEG_INFINITY),
        NOT_A_NUMBER => return N::from_double(f64::NAN),
        _ => {}
    }
    let number: serde_json::Number = serde_json::from_str(text).ok()?;
    if let Some(signed) = number.as_i64() {
        N::from_signed(signed)
    } else if let Some(unsigned) = number.as_u64() {
        N::from_unsigned(unsigned)
    } else {
        N::from_double(number.as_f64()?)
    }
}
