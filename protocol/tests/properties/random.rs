//! Random messages of any type, made from bytes: fewer bytes make a smaller message, so proptest
//! can shrink.

use proptest::prelude::*;
use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};
use std::collections::HashMap;

/// Messages within messages; below this depth only required fields are set.
const MAX_DEPTH: usize = 6;

/// What messages are made from.
pub(crate) fn entropy() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..400)
}

/// prost-reflect writes a Duration as text, which Mesos does not take.
pub(crate) fn is_left_out(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.Duration")
}

/// Whether the oneof of a field has a member already: another would displace it.
fn is_taken(message: &DynamicMessage, field: &FieldDescriptor) -> bool {
    let members =
        field.containing_oneof().into_iter().flat_map(|oneof| oneof.fields().collect::<Vec<_>>());
    members.into_iter().any(|member| message.has_field(&member))
}

/// Makes messages; when its bytes are used up, all that remains is zero, empty or unset.
pub(crate) struct Random<'a> {
    bytes: std::slice::Iter<'a, u8>,
    /// Required fields that were left out.
    pub(crate) omitted: usize,
    omits: bool,
}

impl<'a> Random<'a> {
    /// Makes messages with all their required fields.
    pub(crate) fn whole(bytes: &'a [u8]) -> Self {
        Self { bytes: bytes.iter(), omitted: 0, omits: false }
    }

    /// Makes messages that may lack required fields.
    pub(crate) fn incomplete(bytes: &'a [u8]) -> Self {
        Self { omits: true, ..Self::whole(bytes) }
    }

    /// A message of the given type.
    pub(crate) fn message(&mut self, descriptor: &MessageDescriptor) -> DynamicMessage {
        self.nested(descriptor, 0)
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or(0)
    }

    fn number(&mut self) -> u64 {
        let bytes = match self.byte() % 4 {
            0 => 0,
            1 => 1,
            2 => 4,
            _ => 8,
        };
        (0..bytes).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    fn nested(&mut self, descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in descriptor.fields().filter(|field| !is_left_out(field)) {
            // prost-reflect writes it as text, which Mesos does not take.
            if matches!(field.kind(), Kind::Message(kind) if kind.full_name() == "google.protobuf.Duration")
            {
                continue;
            }
            let set = if field.cardinality() == Cardinality::Required {
                let omit = self.omits && self.byte() % 16 == 7;
                self.omitted += usize::from(omit);
                !omit
            } else {
                depth < MAX_DEPTH && self.byte() % 4 == 1 && !is_taken(&message, &field)
            };
            if set {
                let value = self.field(&field, depth);
                message.set_field(&field, value);
            }
        }
        message
    }

    fn field(&mut self, field: &FieldDescriptor, depth: usize) -> Value {
        let count = usize::from(self.byte() % 3);
        if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!("a map has entries") };
            let value = entry.map_entry_value_field();
            let entries = (0..count).map(|index| {
                (MapKey::String(format!("k{index}")), self.value(&value.kind(), depth))
            });
            Value::Map(entries.collect::<HashMap<_, _>>())
        } else if field.is_list() {
            Value::List((0..count).map(|_| self.value(&field.kind(), depth)).collect())
        } else {
            self.value(&field.kind(), depth)
        }
    }

    fn value(&mut self, kind: &Kind, depth: usize) -> Value {
        match kind {
            Kind::Double => Value::F64(self.double()),
            Kind::Float => Value::F32(self.double() as f32),
            Kind::Int32 => Value::I32(self.number() as i32),
            Kind::Int64 => Value::I64(self.number() as i64),
            Kind::Uint32 => Value::U32(self.number() as u32),
            Kind::Uint64 => Value::U64(self.number()),
            Kind::Bool => Value::Bool(self.byte() % 2 == 1),
            Kind::String => Value::String(self.text()),
            Kind::Bytes => Value::Bytes(self.text().into_bytes().into()),
            Kind::Enum(descriptor) => {
                let values: Vec<i32> = descriptor.values().map(|value| value.number()).collect();
                Value::EnumNumber(values[usize::from(self.byte()) % values.len()])
            }
            Kind::Message(descriptor) => Value::Message(self.nested(descriptor, depth + 1)),
            other => unreachable!("no v1 message has a field of type {other:?}"),
        }
    }

    fn double(&mut self) -> f64 {
        match self.byte() % 8 {
            0 => 0.0,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => self.number() as f64,
            4 => -1.5,
            // NaN is not equal to itself, so no law holds for it.
            _ => {
                Some(f64::from_bits(self.number())).filter(|number| !number.is_nan()).unwrap_or(0.1)
            }
        }
    }

    fn text(&mut self) -> String {
        const CHARACTERS: [char; 12] =
            ['a', '"', '\\', '/', '\0', '\n', ' ', '\u{7f}', 'é', '\u{2028}', '😀', '%'];
        let length = usize::from(self.byte() % 6);
        (0..length).map(|_| CHARACTERS[usize::from(self.byte()) % CHARACTERS.len()]).collect()
    }
}
