//! Writes the JSON form of every message: `JsonMessage`, and the serde traits on top of it.

use crate::schema::{Field, Kind, Message, Schema, Shape};
use std::fmt::Write;

/// Fields of one message that a bit set in `JsonMessage` can tell apart.
const MAX_FIELDS: usize = 128;

pub(crate) fn generate(schema: &Schema) -> String {
    let enums = schema.enums.iter().map(|path| enumeration(path));
    let messages = schema.messages.iter().map(message);
    enums.chain(messages).collect()
}

fn enumeration(path: &str) -> String {
    format!(
        "impl Enumeration for {path} {{
            fn name(number: i32) -> Option<&'static str> {{
                Self::try_from(number).ok().map(|value| value.as_str_name())
            }}
            fn number(name: &str) -> Option<i32> {{
                Self::from_str_name(name).map(|value| value as i32)
            }}
        }}\n"
    )
}

fn message(message: &Message) -> String {
    let fields = &message.fields;
    assert!(fields.len() <= MAX_FIELDS, "{} has too many fields", message.proto);
    let (mut names, mut indexes) = (String::new(), String::new());
    let (mut writes, mut reads, mut required) = (String::new(), String::new(), 0u128);
    for (index, field) in fields.iter().enumerate() {
        let name = &field.name;
        // Writing to a String cannot fail.
        let _ = write!(names, "{name:?}, ");
        let _ = writeln!(indexes, "{name:?} => Some({index}),");
        let _ = writeln!(writes, "{}?;", write_field(field));
        let _ = writeln!(reads, "{index} => {},", read_field(field));
        if matches!(field.shape, Shape::Required) {
            required |= 1 << index;
        }
    }
    let path = &message.path;
    format!(
        "impl JsonMessage for {path} {{
            const FIELDS: &'static [&'static str] = &[{names}];
            const REQUIRED: u128 = {required};
            fn index(name: &str) -> Option<usize> {{ match name {{ {indexes} _ => None }} }}
            fn write<M: SerializeMap>(&self, output: &mut Output<'_, M>) -> Result<(), M::Error> {{
                {writes} Ok(())
            }}
            fn read<'de, A: MapAccess<'de>>(&mut self, index: usize, input: Input<'_, A>)
                -> Result<bool, A::Error>
            {{
                match index {{ {reads} _ => input.skip() }}
            }}
        }}
        impl serde::Serialize for {path} {{
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {{
                write_message(self, serializer)
            }}
        }}
        impl<'de> serde::Deserialize<'de> for {path} {{
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {{
                read_message(deserializer)
            }}
        }}\n"
    )
}

fn write_field(field: &Field) -> String {
    let Field { name, ident, .. } = field;
    let codec = codec(&field.kind);
    match &field.shape {
        Shape::Required | Shape::Implicit => {
            format!("output.value::<{codec}, _>({name:?}, &self.{ident})")
        }
        Shape::Optional => {
            format!("output.optional::<{codec}, _>({name:?}, self.{ident}.as_ref())")
        }
        // prost's getter answers with the default of an unset field.
        Shape::Defaulted => match field.kind {
            Kind::Enumeration(_) => {
                format!("output.value::<{codec}, _>({name:?}, &(self.{ident}() as i32))")
            }
            _ => format!("output.value::<{codec}, _>({name:?}, &self.{ident}().to_owned())"),
        },
        Shape::Repeated { always_shown: true } => {
            format!("output.list::<{codec}, _>({name:?}, &self.{ident})")
        }
        Shape::Repeated { .. } => format!("output.repeated::<{codec}, _>({name:?}, &self.{ident})"),
        Shape::Map => format!("output.map::<{codec}, _>({name:?}, &self.{ident})"),
        Shape::OneOf { variant } => format!(
            "if let Some({variant}(value)) = &self.{ident} {{
                output.value::<{codec}, _>({name:?}, value)
            }} else {{ Ok(()) }}"
        ),
    }
}

fn read_field(field: &Field) -> String {
    let ident = &field.ident;
    let codec = codec(&field.kind);
    match &field.shape {
        Shape::Required | Shape::Implicit => {
            format!("input.value::<{codec}, _>(&mut self.{ident})")
        }
        Shape::Optional | Shape::Defaulted => {
            format!("input.optional::<{codec}, _>(&mut self.{ident})")
        }
        Shape::Repeated { .. } => format!("input.repeated::<{codec}, _>(&mut self.{ident})"),
        Shape::Map => format!("input.map::<{codec}, _>(&mut self.{ident})"),
        Shape::OneOf { variant } => {
            format!("input.one_of::<{codec}, _, _>(&mut self.{ident}, {variant})")
        }
    }
}

fn codec(kind: &Kind) -> String {
    match kind {
        Kind::Plain => "Plain".to_owned(),
        Kind::Enumeration(path) => format!("Name<{path}>"),
        Kind::Message(_) => "Nested".to_owned(),
    }
}
